//! Realizing derivations with a view of what Nix is doing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use xshell::Shell;

use super::failure::failure;
use super::log::{Event, parse_line};
use super::state::State;
use super::view::View;
use super::{Context, Nix, Recorder, Times, name_of};
use factory_base::error::Explain as _;
use factory_base::process;
use factory_model::build_record::Outcome;
use factory_model::layer::LayerName;

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
    /// Writes down what happens, for reports; shared by builds that go on side by side.
    pub recorder: Option<Arc<Mutex<Recorder>>>,
    /// When the run began; `None` takes the start of this build.
    pub since: Option<Instant>,
    /// Others are built beside these, so the view shows no total.
    pub is_part: bool,
}

/// Realizes derivations; a live view on a terminal, plain lines elsewhere.
///
/// # Errors
/// A derivation failed: its last log lines, and the `nix log` command.
pub fn build(ctx: &dyn Context, nix: &Nix, drv_paths: &[String]) -> Result<BuildReport> {
    build_with(ctx, nix, drv_paths, &BuildOptions::default())
}

/// As [`build`], with options.
///
/// # Errors
/// As [`build`].
pub fn build_with(
    ctx: &dyn Context,
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

    let start = options.since.unwrap_or_else(Instant::now);
    let mut state = State::default();
    let mut view = View::new(ctx, &options.layers, !options.is_part);
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
    // Its lines go off the screen.
    drop(view);

    let ((status, text), _) = outcome?;
    let built = built(&state, start);
    Times::record(ctx, &measured(&state, interrupted_at))?;
    if let Some(recorder) = &options.recorder {
        let outcome = match (status.success(), interrupted_at) {
            (true, _) => Outcome::Done,
            (false, Some(_)) => Outcome::Interrupted,
            (false, None) => Outcome::Failed,
        };
        let mut recorder = recorder.lock().unwrap_or_else(PoisonError::into_inner);
        recorder.finish(ctx, &state, &options.layers, outcome)?;
    }
    if status.success() {
        return Ok(BuildReport { built });
    }
    ctx.check_interrupted()?;
    if state.failed.is_empty() {
        return process::finish(&text, status, &other_lines).map(|()| BuildReport { built });
    }
    Err(failure(nix, &state, &options.layers).failure().into())
}

fn built(state: &State, start: Instant) -> Vec<Built> {
    let built = state.finished.iter().map(|done| Built {
        name: name_of(&done.drv_path),
        drv_path: done.drv_path.clone(),
        started: done.started.duration_since(start),
        took: done.ended.duration_since(done.started),
    });
    built.collect()
}

/// What a build that was cut off took is not known, although it looks finished in the log.
fn measured(state: &State, interrupted_at: Option<Instant>) -> Vec<(String, Duration)> {
    let is_whole = |ended: Instant| interrupted_at.is_none_or(|at| ended + CUT_OFF < at);
    let whole = state.finished.iter().filter(|done| is_whole(done.ended));
    whole
        .map(|done| {
            let took = done.ended.duration_since(done.started);
            (name_of(&done.drv_path), took)
        })
        .collect()
}
