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
    /// A build that stopped, until it is known how: Nix up to 2.31 says that a build failed
    /// before it says that it stopped, and newer ones right after.
    stopped: Option<(u64, Running, Instant)>,
}

impl State {
    /// Takes in one event.
    pub(super) fn apply(&mut self, event: Event, now: Instant) -> Vec<Change> {
        let settled = match event {
            Event::Message { .. } => None,
            _ => self.settle(),
        };
        let change = self.change(event, now);
        settled.into_iter().chain(change).collect()
    }

    /// What stopped and was not said to have failed is built. Called when the log pauses, too.
    pub(super) fn settle(&mut self) -> Option<Change> {
        let (id, running, ended) = self.stopped.take()?;
        let finished = Finished {
            drv_path: running.drv_path,
            started: running.started,
            ended,
        };
        self.finished.push(finished.clone());
        Some(Change::Finished(id, finished))
    }

    fn change(&mut self, event: Event, now: Instant) -> Option<Change> {
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
                Some(Change::Started(id))
            }
            Event::TotalsStarted { id } => {
                self.totals_id = Some(id);
                None
            }
            Event::Progress { id, totals } if self.totals_id == Some(id) => {
                self.totals = totals;
                Some(Change::Totals)
            }
            Event::LogLine { id, text } => {
                self.running.get_mut(&id)?.push(text);
                Some(Change::Updated(id))
            }
            Event::Phase { id, name } => {
                self.running.get_mut(&id)?.phase = Some(name);
                Some(Change::Updated(id))
            }
            Event::Message { level: 0, text } => self.error(text, now),
            Event::Message { level: 1, text } => Some(Change::Warning(text)),
            Event::Stopped { id } => self.stop(id, now),
            Event::Progress { .. } | Event::Message { .. } | Event::Other => None,
        }
    }

    fn stop(&mut self, id: u64, now: Instant) -> Option<Change> {
        let mut running = self.running.remove(&id)?;
        match running.failure.take() {
            Some(reason) => Some(self.fail(id, running, reason, now)),
            None => {
                self.stopped = Some((id, running, now));
                None
            }
        }
    }

    fn fail(&mut self, id: u64, running: Running, reason: String, ended: Instant) -> Change {
        let failed = Failed {
            drv_path: running.drv_path,
            reason,
            lines: running.lines.into(),
            times: Some((running.started, ended)),
        };
        self.failed.push(failed.clone());
        Change::Failed(id, failed)
    }

    /// Which derivation a message is about, if any, and what that means for it.
    fn error(&mut self, text: String, now: Instant) -> Option<Change> {
        let text = text.strip_prefix("error: ").unwrap_or(&text).to_owned();
        let Some(drv_path) = first_derivation(&text).map(str::to_owned) else {
            self.errors.push(text);
            return None;
        };
        if is_about_dependencies(&text) {
            return None;
        }
        let is_stopped = |(_, running, _): &mut (_, Running, _)| running.drv_path == drv_path;
        if let Some((id, running, ended)) = self.stopped.take_if(is_stopped) {
            return Some(self.fail(id, running, text, ended));
        }
        let mut running = self.running.values_mut();
        if let Some(running) = running.find(|running| running.drv_path == drv_path) {
            running.failure.get_or_insert(text);
        } else if let Some(known) = self.failed.iter_mut().find(|f| f.drv_path == drv_path) {
            // The summary at the end repeats what was said when it happened.
            known.times = known.times.or(Some((now, now)));
        } else {
            // It was taken for built when something came between.
            let index = self.finished.iter().position(|f| f.drv_path == drv_path);
            let finished = index.map(|index| self.finished.remove(index));
            self.failed.push(Failed {
                drv_path,
                reason: text,
                lines: Vec::new(),
                times: finished.map(|finished| (finished.started, finished.ended)),
            });
        }
        None
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
        state.settle();
        state
    }

    fn names(paths: impl Iterator<Item = String>) -> Vec<String> {
        paths.map(|path| super::super::name_of(&path)).collect()
    }

    /// 2.34.8 expects one more than it builds.
    #[test]
    fn ok_golden_success() {
        for (log, n_expected) in [
            (include_str!("testdata/build-ok-2.26.3.log"), 3),
            (include_str!("testdata/build-ok-2.34.8.log"), 4),
        ] {
            let state = replay(log);
            let built = names(state.finished.iter().map(|done| done.drv_path.clone()));
            assert_eq!(built, ["numpy-2.4", "other-1", "final-1"]);
            let totals = (state.totals.n_done, state.totals.n_expected);
            assert_eq!(totals, (3, n_expected));
            assert!(state.failed.is_empty() && state.errors.is_empty() && state.running.is_empty());
        }
    }

    /// Recorded with `--keep-going`: two failures, three bystanders.
    #[test]
    fn ok_golden_failure() {
        for (log, reason) in [
            (
                include_str!("testdata/build-failed-2.26.3.log"),
                "failed with exit code 3",
            ),
            (
                include_str!("testdata/build-failed-2.34.8.log"),
                "Reason: builder failed with exit code 3.",
            ),
        ] {
            let state = replay(log);
            let built = names(state.finished.iter().map(|done| done.drv_path.clone()));
            assert_eq!(built, ["numpy-2.4", "other-1"]);
            let failed = names(state.failed.iter().map(|failed| failed.drv_path.clone()));
            assert_eq!(failed, ["foo.whl", "scipy-1.2"]);
            assert_eq!(state.failed[1].lines, ["start scipy-1.2", "boom"]);
            assert!(state.failed[1].reason.contains(reason), "{reason}");
            assert_eq!(state.totals.n_failed, 2);
        }
    }

    #[test]
    fn err_a_failure_that_is_said_late() {
        let drv = "/nix/store/8r3diycigc792xfp5vljp7pkk1nldlbh-foo.drv";
        let state = replay(&format!(
            r#"@nix {{"action":"start","id":1,"type":105,"fields":["{drv}"]}}
@nix {{"action":"stop","id":1}}
@nix {{"action":"start","id":2,"type":105,"fields":["/nix/store/x-other.drv"]}}
@nix {{"action":"msg","level":0,"msg":"error: Cannot build '{drv}'."}}"#
        ));
        assert!(state.finished.is_empty());
        assert_eq!(
            names([state.failed[0].drv_path.clone()].into_iter()),
            ["foo"]
        );
        assert!(state.failed[0].times.is_some());
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
