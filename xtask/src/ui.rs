//! The two streams of the program: data to stdout, everything else to stderr.
//!
//! The only module that prints.

use std::io::{IsTerminal as _, Write as _};
use std::sync::mpsc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use factory_base::error::{self, Kind};
use factory_base::run::{Bar, Look, Report};

/// Owns both streams, colour, quiet mode and the progress area.
#[derive(Debug)]
pub struct Ui {
    quiet: bool,
    verbose: bool,
    color: bool,
    live: bool,
    can_ask: bool,
    draws: bool,
    bars: MultiProgress,
}

impl Ui {
    /// `live` progress needs a terminal on stderr, no `CI`, and neither quiet nor `plain`.
    pub fn new(quiet: bool, verbose: bool, plain: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let live = terminal && !ci && !quiet && !plain;
        let target = if live {
            ProgressDrawTarget::stderr_with_hz(10)
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            quiet,
            verbose,
            color: terminal && !no_color,
            live,
            can_ask: terminal && std::io::stdin().is_terminal() && !ci && !quiet,
            draws: std::io::stdout().is_terminal() && !plain,
            bars: MultiProgress::with_draw_target(target),
        }
    }

    /// Whether bars are drawn; otherwise print plain lines.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Whether somebody is there to answer: stdin and stderr are a terminal, and neither `CI` nor
    /// quiet.
    pub fn can_ask(&self) -> bool {
        self.can_ask
    }

    /// The line that is typed after a question on stderr; `None` at the end of input, or once
    /// `is_wanted` says no.
    ///
    /// # Errors
    /// The terminal cannot be read or written.
    pub fn ask(
        &self,
        question: &str,
        is_wanted: impl Fn() -> bool,
    ) -> std::io::Result<Option<String>> {
        self.bars.suspend(|| {
            let mut err = std::io::stderr().lock();
            err.write_all(question.as_bytes())?;
            err.flush()
        })?;
        // A read begins again after a signal, so it waits in a thread of its own.
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = std::io::stdin().read_line(&mut line);
            // Nobody waits for it any more after an interruption.
            if sender.send(read.map(|n| (n > 0).then_some(line))).is_err() {}
        });
        while is_wanted() {
            match receiver.recv_timeout(Duration::from_millis(100)) {
                Ok(read) => return read,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
        self.raw("");
        Ok(None)
    }

    /// Whether results may be drawn: somebody looks at them. Programs get plain columns.
    pub fn draws(&self) -> bool {
        self.draws
    }

    /// A status line on stderr; silenced by `--quiet`.
    pub fn status(&self, line: impl AsRef<str>) {
        if !self.quiet {
            self.raw(line.as_ref());
        }
    }

    /// A status line with a bold right-aligned verb, as cargo prints them.
    pub fn step(&self, verb: &str, rest: impl AsRef<str>) {
        let verb = format!("{verb:>12}");
        self.status(format!("{} {}", self.paint("1;32", &verb), rest.as_ref()));
    }

    /// A detail line, shown with `--verbose` only.
    pub fn detail(&self, line: impl AsRef<str>) {
        if self.verbose && !self.quiet {
            self.raw(line.as_ref());
        }
    }

    /// A warning; never silenced.
    pub fn warn(&self, line: impl AsRef<str>) {
        let head = self.paint("1;33", "warning:");
        self.raw(&format!("{head} {}", line.as_ref()));
    }

    /// Data on stdout, a newline added.
    ///
    /// # Errors
    /// A closed pipe or full disk behind stdout.
    pub fn data(&self, line: impl AsRef<str>) -> std::io::Result<()> {
        self.bars.suspend(|| {
            let mut out = std::io::stdout().lock();
            out.write_all(line.as_ref().as_bytes())?;
            out.write_all(b"\n")?;
            out.flush()
        })
    }

    /// Renders an error chain with its hints.
    pub fn error(&self, error: &anyhow::Error) {
        let mut text = format!("{} {error}", self.paint("1;31", "error:"));
        for cause in error.chain().skip(1) {
            text.push_str(&format!("\n  caused by: {cause}"));
        }
        if error::kind_of(error) == Kind::Bug {
            text.push_str("\n\nhint: this is a bug in xtask; please report it with the command line and this text");
        }
        let hints = error::hints_of(error);
        if !hints.is_empty() {
            text.push('\n');
        }
        for hint in hints {
            text.push_str(&format!("\n{} {hint}", self.paint("1;36", "hint:")));
        }
        self.raw(&text);
    }

    /// Wraps text in an SGR sequence when colour is on.
    pub fn paint(&self, sgr: &str, text: &str) -> String {
        if self.color {
            format!("\u{1b}[{sgr}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn raw(&self, line: &str) {
        self.bars.suspend(|| {
            let mut err = std::io::stderr().lock();
            // Nothing can be told to a user whose stderr is gone.
            if writeln!(err, "{line}").is_err() {}
        });
    }
}

impl Report for Ui {
    fn status(&self, line: &str) {
        Ui::status(self, line);
    }

    fn step(&self, verb: &str, rest: &str) {
        Ui::step(self, verb, rest);
    }

    fn detail(&self, line: &str) {
        Ui::detail(self, line);
    }

    fn warn(&self, line: &str) {
        Ui::warn(self, line);
    }

    fn is_live(&self) -> bool {
        self.live
    }

    fn faint(&self, text: &str) -> String {
        self.paint("2", text)
    }

    fn bar(&self, look: Look, length: Option<u64>, message: &str) -> Box<dyn Bar> {
        let template = match look {
            Look::File => {
                "             {msg:40!} {decimal_bytes:>10}/{decimal_total_bytes} {decimal_bytes_per_sec}"
            }
            Look::Files => {
                "    Fetching [{bar:24}] {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} eta {eta} {msg}"
            }
            Look::Line | Look::Head => "{wide_msg}",
            Look::Stream => {
                "{msg} [{bar:25}] {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left"
            }
        };
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = length.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let bar = match look {
            Look::File => self.bars.insert_from_back(1, bar),
            Look::Head => self.bars.insert(0, bar),
            Look::Files | Look::Line | Look::Stream => self.bars.add(bar),
        };
        bar.set_style(style.progress_chars("=> "));
        bar.set_message(message.to_owned());
        Box::new(Drawn {
            area: self.bars.clone(),
            bar,
        })
    }
}

/// A bar of indicatif; taken off the screen when dropped.
#[derive(Debug)]
struct Drawn {
    area: MultiProgress,
    bar: ProgressBar,
}

impl Bar for Drawn {
    fn advance(&self, n: u64) {
        self.bar.inc(n);
    }

    fn retreat(&self, n: u64) {
        self.bar.dec(n);
    }

    fn message(&self, text: &str) {
        self.bar.set_message(text.to_owned());
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.area.remove(&self.bar);
    }
}
