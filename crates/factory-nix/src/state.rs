//! The state of a running build, folded from log events.
//!
//! Pure: the clock comes from the caller.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use super::log::{Event, Totals};

/// How many lines of a builder's output are kept for its failure.
const KEPT_LINES: usize = 20;

/// A derivation that is being built.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) drv_path: String,
    pub(super) started: Instant,
    pub(super) phase: Option<String>,
    pub(super) lines: VecDeque<String>,
    failure: Option<String>,
}

/// A derivation that was built in this run.
#[derive(Debug, Clone)]
pub(super) struct Finished {
    pub(super) drv_path: String,
    pub(super) started: Instant,
    pub(super) ended: Instant,
}

/// A derivation that could not be built.
#[derive(Debug, Clone)]
pub(super) struct Failed {
    pub(super) drv_path: String,
    /// Nix's sentence about it.
    pub(super) reason: String,
    pub(super) lines: Vec<String>,
    /// `None` when the builder was not even started.
    pub(super) times: Option<(Instant, Instant)>,
}

/// What an event changed, for the view.
#[derive(Debug)]
pub(super) enum Change {
    /// Nothing that is shown.
    None,
    /// The build with this id started.
    Started(u64),
    /// The build with this id has a new line or phase.
    Updated(u64),
    /// The build with this id is done.
    Finished(u64, Finished),
    /// The build with this id failed.
    Failed(u64, Failed),
    /// The totals moved.
    Totals,
    /// A warning of Nix.
    Warning(String),
}

/// All that is known at one moment.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) running: BTreeMap<u64, Running>,
    pub(super) finished: Vec<Finished>,
    pub(super) failed: Vec<Failed>,
    pub(super) totals: Totals,
    /// Errors that name no derivation of their own.
    pub(super) errors: Vec<String>,
    totals_id: Option<u64>,
}

impl State {
    /// Takes in one event.
    pub(super) fn apply(&mut self, event: Event, now: Instant) -> Change {
        match event {
            Event::BuildStarted { id, drv_path } => {
                let running = Running {
                    drv_path,
                    started: now,
                    phase: None,
                    lines: VecDeque::new(),
                    failure: None,
                };
                self.running.insert(id, running);
                Change::Started(id)
            }
            Event::TotalsStarted { id } => {
                self.totals_id = Some(id);
                Change::None
            }
            Event::Progress { id, totals } if self.totals_id == Some(id) => {
                self.totals = totals;
                Change::Totals
            }
            Event::LogLine { id, text } => match self.running.get_mut(&id) {
                Some(running) => {
                    running.push(text);
                    Change::Updated(id)
                }
                None => Change::None,
            },
            Event::Phase { id, name } => match self.running.get_mut(&id) {
                Some(running) => {
                    running.phase = Some(name);
                    Change::Updated(id)
                }
                None => Change::None,
            },
            Event::Message { level: 0, text } => {
                self.error(text, now);
                Change::None
            }
            Event::Message { level: 1, text } => Change::Warning(text),
            Event::Stopped { id } => self.stop(id, now),
            Event::Progress { .. } | Event::Message { .. } | Event::Other => Change::None,
        }
    }

    fn stop(&mut self, id: u64, now: Instant) -> Change {
        let Some(running) = self.running.remove(&id) else {
            return Change::None;
        };
        match running.failure {
            None => {
                let finished = Finished {
                    drv_path: running.drv_path,
                    started: running.started,
                    ended: now,
                };
                self.finished.push(finished.clone());
                Change::Finished(id, finished)
            }
            Some(reason) => {
                let failed = Failed {
                    drv_path: running.drv_path,
                    reason,
                    lines: running.lines.into(),
                    times: Some((running.started, now)),
                };
                self.failed.push(failed.clone());
                Change::Failed(id, failed)
            }
        }
    }

    /// Nix says that a builder failed before it says that the build stopped.
    fn error(&mut self, text: String, now: Instant) {
        let text = text.strip_prefix("error: ").unwrap_or(&text).to_owned();
        let Some(drv_path) = first_derivation(&text) else {
            self.errors.push(text);
            return;
        };
        if is_about_dependencies(&text) {
            return;
        }
        let mut running = self.running.values_mut();
        if let Some(running) = running.find(|running| running.drv_path == drv_path) {
            running.failure.get_or_insert(text);
        } else if let Some(known) = self.failed.iter_mut().find(|f| f.drv_path == drv_path) {
            // The summary at the end repeats what was said when it happened.
            known.times = known.times.or(Some((now, now)));
        } else if !self.finished.iter().any(|done| done.drv_path == drv_path) {
            self.failed.push(Failed {
                drv_path: drv_path.to_owned(),
                reason: text,
                lines: Vec::new(),
                times: None,
            });
        }
    }
}

impl Running {
    fn push(&mut self, line: String) {
        if line.trim().is_empty() {
            return;
        }
        if self.lines.len() == KEPT_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

/// The first `'/nix/store/….drv'` of a message.
fn first_derivation(text: &str) -> Option<&str> {
    text.split('\'')
        .find(|part| part.starts_with('/') && part.ends_with(".drv") && !part.contains(' '))
}

fn is_about_dependencies(text: &str) -> bool {
    text.contains("dependencies of derivation")
        || text.contains("dependencies couldn't be built")
        || text.contains("dependency failed")
        || text.contains("dependencies failed")
}

#[cfg(test)]
mod tests {
    use super::super::log::parse_line;
    use super::*;

    fn replay(log: &str) -> State {
        let mut state = State::default();
        let now = Instant::now();
        for line in log.lines() {
            state.apply(parse_line(line), now);
        }
        state
    }

    fn names(paths: impl Iterator<Item = String>) -> Vec<String> {
        paths.map(|path| super::super::name_of(&path)).collect()
    }

    /// Recorded from Nix 2.26.3.
    #[test]
    fn ok_golden_success() {
        let state = replay(include_str!("testdata/build-ok.log"));
        let built = names(state.finished.iter().map(|done| done.drv_path.clone()));
        assert_eq!(built, ["numpy-2.4", "other-1", "final-1"]);
        assert_eq!((state.totals.n_done, state.totals.n_expected), (3, 3));
        assert!(state.failed.is_empty() && state.errors.is_empty() && state.running.is_empty());
    }

    /// Recorded from Nix 2.26.3 with `--keep-going`: two failures, three bystanders.
    #[test]
    fn ok_golden_failure() {
        let state = replay(include_str!("testdata/build-failed.log"));
        let built = names(state.finished.iter().map(|done| done.drv_path.clone()));
        assert_eq!(built, ["numpy-2.4", "other-1"]);
        let failed = names(state.failed.iter().map(|failed| failed.drv_path.clone()));
        assert_eq!(failed, ["foo.whl", "scipy-1.2"]);
        assert_eq!(state.failed[1].lines, ["start scipy-1.2", "boom"]);
        assert!(state.failed[1].reason.ends_with("failed with exit code 3"));
        assert_eq!(state.totals.n_failed, 2);
    }

    #[test]
    fn ok_last_lines_are_kept() {
        let mut state = State::default();
        let now = Instant::now();
        let drv_path = "/nix/store/x-a.drv".to_owned();
        state.apply(Event::BuildStarted { id: 1, drv_path }, now);
        for number in 0..100 {
            let text = format!("line {number}");
            state.apply(Event::LogLine { id: 1, text }, now);
        }
        let lines = &state.running[&1].lines;
        assert_eq!((lines.len(), lines[0].as_str()), (20, "line 80"));
    }
}
