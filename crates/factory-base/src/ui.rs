//! The two streams of the program: data to stdout, everything else to stderr.
//!
//! The only module that prints.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::{self, Kind};

/// Owns both streams, colour, quiet mode and the progress area.
#[derive(Debug)]
pub struct Ui {
    quiet: bool,
    verbose: bool,
    color: bool,
    live: bool,
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
            bars: MultiProgress::with_draw_target(target),
        }
    }

    /// Whether bars are drawn; otherwise print plain lines.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Whether `--verbose` was given.
    pub fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// The area that bars are added to.
    pub fn bars(&self) -> &MultiProgress {
        &self.bars
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

/// A stream of bytes under way: a bar on a terminal, one line elsewhere.
#[derive(Debug)]
pub struct Transfer {
    bar: ProgressBar,
}

impl Transfer {
    /// Says what is transferred, and how much it will be.
    pub fn start(ui: &Ui, verb: &str, what: &str, n_bytes: u64) -> Self {
        let bar = if ui.is_live() {
            let style = ProgressStyle::with_template(
                "{prefix} [{bar:25}] {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left",
            );
            let bar = ui.bars().add(ProgressBar::new(n_bytes));
            bar.set_style(
                style
                    .unwrap_or_else(|_| ProgressStyle::default_bar())
                    .progress_chars("=> "),
            );
            bar.with_prefix(format!("{verb:>12} {what}"))
        } else {
            ui.step(verb, format!("{what}, {}", bytes(n_bytes)));
            ProgressBar::hidden()
        };
        Self { bar }
    }

    /// More bytes went through.
    pub fn advance(&self, n_bytes: u64) {
        self.bar.inc(n_bytes);
    }

    /// Takes the bar off the screen.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// `1.2 GB`, decimal units as registries and disks count them.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{count} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// `1 build`, `2 builds`.
pub fn count(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{plural}")
}

/// At most `n_characters`, the end cut off and marked.
pub fn shorten(text: &str, n_characters: usize) -> String {
    if text.chars().count() <= n_characters {
        return text.to_owned();
    }
    let kept = text.chars().take(n_characters.saturating_sub(1));
    kept.chain(['…']).collect()
}

/// Columns side by side, two spaces apart; columns of `right` are aligned to the right.
pub fn table(head: &[&str], rows: &[Vec<String>], right: &[usize]) -> String {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(String::as_str);
        let cells = cells.chain(head.get(column).copied());
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let cells = cells.iter().enumerate().map(|(column, cell)| {
            let width = widths.get(column).copied().unwrap_or(0);
            if right.contains(&column) {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rows = rows
        .iter()
        .map(|row| line(row.iter().map(String::as_str).collect()));
    std::iter::once(line(head.to_vec()))
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}

/// `8.1s`, `2m05s`, `1h02m`.
pub fn elapsed(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{:.1}s", duration.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_units() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_000), "1.0 kB");
        assert_eq!(bytes(2_900_000_000), "2.9 GB");
        assert_eq!(elapsed(Duration::from_millis(8100)), "8.1s");
        assert_eq!(elapsed(Duration::from_secs(125)), "2m05s");
        assert_eq!(elapsed(Duration::from_secs(3720)), "1h02m");
    }
}
