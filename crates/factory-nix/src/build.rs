//! Realizing derivations with a view of what Nix is doing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use xshell::Shell;

use super::log::{Event, parse_line};
use super::state::{Failed, State};
use super::view::View;
use super::{Graph, Nix, Times};
use factory_base::ctx::Ctx;
use factory_base::error::{self, Failure};
use factory_base::process;
use factory_base::ui::elapsed;
use factory_model::layer::LayerName;

/// How many failed derivations are shown with their log; the others are named.
const SHOWN_FAILURES: usize = 3;

/// What ends so shortly before a run is interrupted may have been cut off by the same signal.
const CUT_OFF: Duration = Duration::from_secs(1);

/// What a build did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildReport {
    /// Derivations that were built in this run, in the order they were done.
    pub built: Vec<Built>,
}

/// One derivation that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// `/nix/store/….drv`.
    pub drv_path: String,
    /// Name with version, without hash.
    pub name: String,
    /// Time from the start of the run to the start of this build.
    pub started: Duration,
    /// How long the build took.
    pub took: Duration,
}

/// How to build.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// Builds side by side; `None` takes one for each processor.
    pub jobs: Option<usize>,
    /// The layer of each derivation, for the view and for hints.
    pub layers: BTreeMap<String, LayerName>,
    /// More arguments for `nix`.
    pub arguments: Vec<String>,
}

/// Realizes derivations; a live view on a terminal, plain lines elsewhere.
///
/// # Errors
/// A derivation failed: its last log lines, and the `nix log` command.
pub fn build(ctx: &Ctx, nix: &Nix, drv_paths: &[String]) -> Result<BuildReport> {
    build_with(ctx, nix, drv_paths, &BuildOptions::default())
}

/// As [`build`], with options.
///
/// # Errors
/// As [`build`].
pub fn build_with(
    ctx: &Ctx,
    nix: &Nix,
    drv_paths: &[String],
    options: &BuildOptions,
) -> Result<BuildReport> {
    let shell = Shell::new()?;
    let jobs = options
        .jobs
        .map_or_else(|| "auto".to_owned(), |jobs| jobs.to_string());
    let cmd = nix
        .cmd(&shell, "nix")
        .args(["build", "--no-link", "--keep-going", "--max-jobs", &jobs])
        .args(["--log-format", "internal-json", "-v"])
        .args(&options.arguments)
        .args(drv_paths.iter().map(|drv_path| format!("{drv_path}^out")));

    let start = Instant::now();
    let mut state = State::default();
    let mut view = View::new(ctx, &options.layers);
    let mut other_lines = Vec::new();
    let mut interrupted_at = None;
    let outcome = process::watch(ctx, cmd, |line| {
        if interrupted_at.is_none() && ctx.is_interrupted() {
            interrupted_at = Some(Instant::now());
        }
        if let Some(line) = line {
            let event = parse_line(line);
            if let Event::Message { level: 0, text } = &event {
                other_lines.push(text.clone());
            }
            for change in state.apply(event, Instant::now()) {
                view.changed(&state, &change);
            }
        } else {
            if let Some(change) = state.settle() {
                view.changed(&state, &change);
            }
            view.tick(&state);
        }
    });
    if let Some(change) = state.settle() {
        view.changed(&state, &change);
    }
    view.finish();

    let built: Vec<Built> = state
        .finished
        .iter()
        .map(|done| Built {
            name: name_of(&done.drv_path),
            drv_path: done.drv_path.clone(),
            started: done.started.duration_since(start),
            took: done.ended.duration_since(done.started),
        })
        .collect();
    let ((status, text), _) = outcome?;
    // A build that was cut off looks finished in the log: its time is not one.
    let is_whole = |ended: Instant| interrupted_at.is_none_or(|at| ended + CUT_OFF < at);
    let measured: Vec<_> = built
        .iter()
        .zip(&state.finished)
        .filter(|(_, done)| is_whole(done.ended))
        .map(|(built, _)| (built.name.clone(), built.took))
        .collect();
    Times::record(ctx, &measured)?;
    if status.success() {
        return Ok(BuildReport { built });
    }
    ctx.check_interrupted()?;
    if state.failed.is_empty() {
        return process::finish(&text, status, &other_lines).map(|()| BuildReport { built });
    }
    Err(failure(nix, &state, &options.layers).into())
}

/// `numpy-2.4` of `/nix/store/…-numpy-2.4.drv`.
pub fn name_of(store_path: &str) -> String {
    let file = store_path.rsplit('/').next().unwrap_or(store_path);
    let name = file.split_once('-').map_or(file, |(_, name)| name);
    name.strip_suffix(".drv").unwrap_or(name).to_owned()
}

fn failure(nix: &Nix, state: &State, layers: &BTreeMap<String, LayerName>) -> Failure {
    let is_fixed = fixed_outputs(nix, &state.failed);
    let label = |failed: &Failed| {
        let name = name_of(&failed.drv_path);
        match layers.get(&failed.drv_path) {
            Some(layer) => format!("`{name}` of layer {layer}"),
            None => format!("`{name}`"),
        }
    };
    let summary = |failed: &Failed| {
        let took = failed.times.map_or(String::new(), |(from, to)| {
            format!(" after {}", elapsed(to.duration_since(from)))
        });
        format!("{}: {}{took}", label(failed), reason(failed))
    };
    let with_log = |failed: &Failed| {
        let lines = failed.lines.iter().map(|line| format!("\n    {line}"));
        summary(failed) + &lines.collect::<String>()
    };
    let message = match state.failed.as_slice() {
        [one] => format!("cannot build {}", with_log(one)),
        many => {
            let (shown, named) = many.split_at(many.len().min(SHOWN_FAILURES));
            let parts = shown.iter().map(with_log).chain(named.iter().map(summary));
            let parts = parts.map(|part| format!("\n  {part}"));
            format!(
                "cannot build {} derivations{}",
                many.len(),
                parts.collect::<String>()
            )
        }
    };
    if state.failed.iter().any(is_disk_full) || state.errors.iter().any(|e| says_disk_full(e)) {
        return error::environment(format!("the disk is full: {message}"))
            .hint("make room, for example with `cargo xtask clean --store --yes`, and run the same command again: what is built stays built");
    }
    let mut failure = error::not_right(message);
    let sources: Vec<&Failed> = state
        .failed
        .iter()
        .filter(|failed| is_fixed(failed))
        .collect();
    let layer = sources
        .iter()
        .filter_map(|failed| layers.get(&failed.drv_path))
        .max();
    if !sources.is_empty() {
        let layer = layer.map_or(String::new(), |layer| format!(" {}", layer.short()));
        failure = failure.hint(format!(
            "sources are missing; bring them with `cargo xtask fetch{layer}`"
        ));
    }
    let with_log = state
        .failed
        .iter()
        .filter(|failed| !is_fixed(failed) && failed.times.is_some());
    for failed in with_log.take(SHOWN_FAILURES) {
        failure = failure.hint(format!(
            "the whole log: `{}`",
            nix.log_command(&failed.drv_path)
        ));
    }
    failure
}

/// Nix's sentence without the path, which the label already says.
fn reason(failed: &Failed) -> String {
    let mut lines = failed.reason.lines().map(str::trim);
    let first = lines.next().unwrap_or_default();
    let end = first.rsplit_once(".drv'").map_or(first, |(_, end)| end);
    let end = end.trim_matches([' ', ':', ';', '.']);
    let details: Vec<&str> = lines
        .take_while(|line| !line.starts_with("Output paths"))
        .map(|line| line.trim_start_matches("Reason: ").trim_end_matches('.'))
        // As versions before 2.32 put it, without the builder that everything has.
        .map(|line| line.trim_start_matches("builder "))
        .filter(|line| !line.is_empty())
        .collect();
    match (end, details.as_slice()) {
        ("", []) => first.to_owned(),
        (end, []) => end.to_owned(),
        ("", details) => match first.split_once(" in fixed-output") {
            Some((what, _)) => format!("{what}, {}", details.join(", ")),
            None => details.join(", "),
        },
        (end, details) => format!("{end}, {}", details.join(", ")),
    }
}

fn is_disk_full(failed: &Failed) -> bool {
    says_disk_full(&failed.reason) || failed.lines.iter().any(|line| says_disk_full(line))
}

fn says_disk_full(text: &str) -> bool {
    text.to_ascii_lowercase()
        .contains("no space left on device")
}

/// Which of the failed derivations are sources. A store that cannot answer now has no opinion.
fn fixed_outputs(nix: &Nix, failed: &[Failed]) -> impl Fn(&Failed) -> bool {
    let drv_paths: Vec<String> = failed
        .iter()
        .map(|failed| failed.drv_path.clone())
        .collect();
    let graph = Graph::read(nix, &drv_paths).unwrap_or_default();
    move |failed| {
        graph
            .get(&failed.drv_path)
            .is_some_and(|node| node.is_fixed)
    }
}

impl Nix {
    /// The command that prints the log of a build, as a user can paste it.
    pub fn log_command(&self, drv_path: &str) -> String {
        let program = self.bin.join("nix");
        let mut words = Vec::new();
        if !self.environment.is_empty() {
            words.push("env".to_owned());
            words.extend(
                self.environment
                    .iter()
                    .map(|(name, value)| format!("{name}={value}")),
            );
        }
        if process::find("nix").as_deref() == Some(&program) {
            words.push("nix".to_owned());
        } else {
            words.push(program.display().to_string());
        }
        words.push("--extra-experimental-features nix-command".to_owned());
        if let Some(root) = &self.store_root {
            words.push(format!("--store {}", root.display()));
        }
        words.push(format!("log {drv_path}"));
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(reason: &str) -> Failed {
        Failed {
            drv_path: "/nix/store/8r3diycigc792xfp5vljp7pkk1nldlbh-foo.whl.drv".to_owned(),
            reason: reason.to_owned(),
            lines: vec!["one".to_owned(), "two".to_owned()],
            times: None,
        }
    }

    fn nix() -> Nix {
        Nix {
            bin: "/cache/nix/bin".into(),
            version: "nix (Nix) 2.26.3".to_owned(),
            environment: vec![("NIX_CONF_DIR".to_owned(), "/cache/nix/conf".to_owned())],
            store_root: None,
        }
    }

    #[test]
    fn ok_names() {
        assert_eq!(
            name_of("/nix/store/8r3diycigc792xfp5vljp7pkk1nldlbh-foo.whl.drv"),
            "foo.whl"
        );
        assert_eq!(
            name_of("/nix/store/8r3diycigc792xfp5vljp7pkk1nldlbh-a-b-1"),
            "a-b-1"
        );
    }

    #[test]
    fn ok_reasons() {
        let drv = "/nix/store/8r3diycigc792xfp5vljp7pkk1nldlbh-foo.whl.drv";
        for (text, expected) in [
            (
                format!("builder for '{drv}' failed with exit code 1"),
                "failed with exit code 1",
            ),
            (
                format!(
                    "Cannot build '{drv}'.\nReason: builder failed with exit code 1.\nOutput paths:\n"
                ),
                "failed with exit code 1",
            ),
            (
                format!(
                    "hash mismatch in fixed-output derivation '{drv}':\n  specified: a\n     got: b"
                ),
                "hash mismatch, specified: a, got: b",
            ),
        ] {
            assert_eq!(reason(&failed(&text)), expected);
        }
    }

    #[test]
    fn err_one_failure() {
        let mut state = State::default();
        state.failed.push(failed(
            "builder for '/nix/store/x-foo.whl.drv' failed with exit code 3",
        ));
        state.failed[0].times = Some((Instant::now(), Instant::now()));
        let layers = [(state.failed[0].drv_path.clone(), "05-pak3".parse().unwrap())].into();
        let failure = failure(&nix(), &state, &layers);
        insta::assert_snapshot!(format!(
            "{failure}\n\nhint: {}",
            failure.hints.join("\nhint: ")
        ));
    }

    #[test]
    fn err_disk_full() {
        let mut state = State::default();
        let mut one = failed("builder for '/nix/store/x-foo.whl.drv' failed with exit code 3");
        one.lines
            .push("write error: No space left on device".to_owned());
        state.failed.push(one);
        let failure = failure(&nix(), &state, &BTreeMap::new());
        assert_eq!(failure.kind, error::Kind::Environment);
        insta::assert_snapshot!(format!(
            "{failure}\n\nhint: {}",
            failure.hints.join("\nhint: ")
        ));
    }
}
