//! Writes down what a build did and when, for reports: `builds/TIME-VARIANT-LAYER.json` in the
//! cache, the newest [`KEPT`] of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;

use super::state::State;
use super::{FetchReport, Graph, name_of};
use factory_base::run::Directories;
use factory_model::build_record::{
    BuildRecord, FetchSpan, Outcome, RecordedBuild, RecordedLayer, Reused,
};
use factory_model::layer::LayerName;

/// So many records are kept: some 100 kB each.
const KEPT: usize = 20;

/// A run that is being written down.
#[derive(Debug, Clone)]
pub struct Recorder {
    began: Instant,
    record: BuildRecord,
    /// What each derivation that is to be built needs.
    inputs: BTreeMap<String, Vec<String>>,
    /// The builds of those `nix build` that ended.
    ended: Vec<Ended>,
}

/// One build.
#[derive(Debug, Clone)]
struct Ended {
    drv_path: String,
    layer: Option<String>,
    from: Instant,
    to: Instant,
    outcome: Outcome,
}

impl Recorder {
    /// Begins with the run itself.
    pub fn begin(variant: &str, layer: &LayerName, image: &str, jobs: usize) -> Self {
        let started_at = humantime::format_rfc3339_millis(SystemTime::now());
        Self {
            began: Instant::now(),
            record: BuildRecord {
                started_at: started_at.to_string(),
                variant: variant.to_owned(),
                layer: layer.to_string(),
                image: image.to_owned(),
                jobs,
                ..BuildRecord::default()
            },
            inputs: BTreeMap::new(),
            ended: Vec::new(),
        }
    }

    /// Takes in what the build consists of, and which of it is missing.
    pub fn know(
        &mut self,
        graph: &Graph,
        missing: &BTreeSet<String>,
        owners: &BTreeMap<String, LayerName>,
    ) {
        let mut layers: BTreeMap<&LayerName, RecordedLayer> = BTreeMap::new();
        let built = graph.iter().filter(|(_, node)| !node.is_fixed);
        for (drv_path, layer) in built.filter_map(|(path, _)| Some((path, owners.get(path)?))) {
            let entry = layers.entry(layer).or_insert_with(|| RecordedLayer {
                name: layer.to_string(),
                n_derivations: 0,
                n_missing: 0,
            });
            entry.n_derivations += 1;
            entry.n_missing += usize::from(missing.contains(drv_path));
        }
        self.record.layers = layers.into_values().collect();
        let mut reused = BTreeSet::new();
        for drv_path in missing {
            let Some(node) = graph.get(drv_path).filter(|node| !node.is_fixed) else {
                continue;
            };
            self.inputs.insert(drv_path.clone(), node.inputs.clone());
            let there = node.inputs.iter().filter(|input| !missing.contains(*input));
            reused.extend(there.filter_map(|input| {
                let node = graph.get(input).filter(|node| !node.is_fixed)?;
                Some(Reused {
                    name: node.name.clone(),
                    layer: owners.get(input).map(ToString::to_string),
                })
            }));
        }
        self.record.reused = reused.into_iter().collect();
    }

    /// Takes in that sources were fetched since a moment, until now.
    pub fn fetched(&mut self, since: Instant, report: &FetchReport) {
        self.record.fetch = Some(FetchSpan {
            started_seconds: seconds(since.saturating_duration_since(self.began)),
            seconds: seconds(since.elapsed()),
            n_sources: report.n_fetched,
            size_bytes: report.bytes_fetched,
        });
    }

    /// Takes in a `nix build` that ended, in any way, and writes the record of all so far. The
    /// run ended as the first of them that did not end well.
    ///
    /// # Errors
    /// The file cannot be written, or an old one cannot be removed.
    pub(super) fn finish(
        &mut self,
        directories: &dyn Directories,
        state: &State,
        owners: &BTreeMap<String, LayerName>,
        outcome: Outcome,
    ) -> Result<()> {
        if self.record.outcome == Outcome::Done {
            self.record.outcome = outcome;
        }
        self.take(state, owners);
        let mut record = self.record.clone();
        record.builds = self.builds();
        let ends = record.builds.iter();
        let ends = ends.map(|build| build.started_seconds + build.seconds);
        record.seconds = ends.fold(seconds(self.began.elapsed()), f64::max);
        let directory = directory(directories);
        let time = record.started_at.replace(':', "-");
        let name = format!("{time}-{}-{}.json", record.variant, record.layer);
        factory_base::fs::write_atomic(&directory.join(name), record.text()?.as_bytes())?;
        for old in files(&directory)?.iter().rev().skip(KEPT) {
            fs_err::remove_file(old)?;
        }
        Ok(())
    }

    fn take(&mut self, state: &State, owners: &BTreeMap<String, LayerName>) {
        let now = Instant::now();
        let finished = state.finished.iter();
        let finished = finished.map(|one| (&one.drv_path, one.started, one.ended, Outcome::Done));
        let failed = state.failed.iter().filter_map(|one| {
            let (from, to) = one.times?;
            Some((&one.drv_path, from, to, Outcome::Failed))
        });
        let running = state.running.values();
        let running = running.map(|one| (&one.drv_path, one.started, now, Outcome::Interrupted));
        let all = finished.chain(failed).chain(running);
        self.ended
            .extend(all.map(|(drv_path, from, to, outcome)| Ended {
                drv_path: drv_path.clone(),
                layer: owners.get(drv_path).map(ToString::to_string),
                from,
                to,
                outcome,
            }));
        self.ended.sort_by(|one, other| {
            let key = |ended: &Ended| (ended.from, ended.to);
            key(one)
                .cmp(&key(other))
                .then(one.drv_path.cmp(&other.drv_path))
        });
    }

    fn builds(&self) -> Vec<RecordedBuild> {
        let places: BTreeMap<&str, usize> = self
            .ended
            .iter()
            .enumerate()
            .map(|(place, ended)| (ended.drv_path.as_str(), place))
            .collect();
        self.ended
            .iter()
            .enumerate()
            .map(|(place, ended)| {
                let inputs = self.inputs.get(&ended.drv_path).into_iter().flatten();
                let inputs = inputs.filter_map(|input| places.get(input.as_str()).copied());
                RecordedBuild {
                    name: name_of(&ended.drv_path),
                    layer: ended.layer.clone(),
                    started_seconds: seconds(ended.from.saturating_duration_since(self.began)),
                    seconds: seconds(ended.to.saturating_duration_since(ended.from)),
                    outcome: ended.outcome,
                    // What is needed ended before: the clock of one process says so.
                    inputs: inputs.filter(|input| *input < place).collect(),
                }
            })
            .collect()
    }
}

/// The newest record that fits, of those that can be read.
///
/// # Errors
/// The directory cannot be listed.
pub fn find_record(
    directories: &dyn Directories,
    fits: impl Fn(&BuildRecord) -> bool,
) -> Result<Option<BuildRecord>> {
    let files = files(&directory(directories))?;
    let mut records = files.iter().rev().filter_map(|file| {
        let text = fs_err::read_to_string(file).ok()?;
        BuildRecord::parse(&text)
    });
    Ok(records.find(fits))
}

fn directory(directories: &dyn Directories) -> PathBuf {
    directories.cache().join("builds")
}

/// The records by time, which their names begin with.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs_err::read_dir(directory)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Milliseconds are more than enough, and keep the file readable.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::super::log::parse_line;
    use super::*;

    #[derive(Debug)]
    struct In(PathBuf);

    impl Directories for In {
        fn root(&self) -> &Path {
            &self.0
        }
        fn cache(&self) -> &Path {
            &self.0
        }
        fn data(&self) -> &Path {
            &self.0
        }
    }

    fn start(id: u64, name: &str) -> String {
        format!(
            r#"@nix {{"action":"start","id":{id},"type":105,"fields":["/nix/store/x-{name}.drv"]}}"#
        )
    }

    /// `a` and `b` side by side, then `c`, which needs both and is cut off.
    fn state(at: Instant) -> State {
        let mut state = State::default();
        let after = |seconds| at + Duration::from_secs(seconds);
        let stop = |id: u64| format!(r#"@nix {{"action":"stop","id":{id}}}"#);
        for (seconds, line) in [
            (1, start(1, "a")),
            (2, start(2, "b")),
            (4, stop(2)),
            (5, stop(1)),
            (5, start(3, "c")),
        ] {
            state.apply(parse_line(&line), after(seconds));
        }
        state.settle();
        state
    }

    #[test]
    fn ok_times_inputs_and_a_bounded_number() {
        let directory = tempfile::tempdir().unwrap();
        let here = In(directory.path().to_owned());
        let layer: LayerName = "02-high".parse().unwrap();
        let mut recorder = Recorder::begin("tiny", &layer, "/nix/store/x-image.json", 2);
        let drv = |name: &str| format!("/nix/store/x-{name}.drv");
        recorder
            .inputs
            .insert(drv("c"), vec![drv("a"), drv("b"), drv("was-there")]);
        let owners = BTreeMap::from([(drv("a"), layer.clone())]);
        let state = state(recorder.began);
        for number in 0..KEPT + 3 {
            let mut recorder = recorder.clone();
            recorder.record.started_at = format!("2026-11-22T20:00:{number:02}.000Z");
            recorder
                .finish(&here, &state, &owners, Outcome::Interrupted)
                .unwrap();
        }
        let of_layer = |layer: &str| find_record(&here, |record| record.layer == layer).unwrap();
        assert_eq!(files(&here.0.join("builds")).unwrap().len(), KEPT);
        assert_eq!(of_layer("01-low"), None);
        let record = of_layer("02-high").unwrap();
        assert_eq!(record.started_at, "2026-11-22T20:00:22.000Z");
        let shown = record.builds.iter().map(|build| {
            let (name, from, took) = (&build.name, build.started_seconds, build.seconds);
            format!(
                "{name} {from} {took} {} {:?}",
                build.outcome.text(),
                build.inputs
            )
        });
        let shown: Vec<String> = shown.take(2).collect();
        assert_eq!(shown, ["a 1 4 done []", "b 2 2 done []"]);
        assert_eq!(record.builds[0].layer.as_deref(), Some("02-high"));
        let last = &record.builds[2];
        assert_eq!(
            (last.name.as_str(), last.outcome),
            ("c", Outcome::Interrupted)
        );
        assert_eq!(last.inputs, [0, 1]);
        assert_eq!(record.outcome, Outcome::Interrupted);
        assert!(record.seconds >= 5.0, "{}", record.seconds);
    }

    #[test]
    fn ok_builds_side_by_side_are_one_run() {
        let directory = tempfile::tempdir().unwrap();
        let here = In(directory.path().to_owned());
        let layer: LayerName = "02-high".parse().unwrap();
        let mut recorder = Recorder::begin("tiny", &layer, "/nix/store/x-image.json", 2);
        recorder.inputs.insert(
            "/nix/store/x-c.drv".to_owned(),
            vec!["/nix/store/x-b.drv".to_owned()],
        );
        let mut early = State::default();
        for (seconds, line) in [
            (1, start(1, "b")),
            (3, r#"@nix {"action":"stop","id":1}"#.to_owned()),
        ] {
            early.apply(
                parse_line(&line),
                recorder.began + Duration::from_secs(seconds),
            );
        }
        early.settle();
        let mut last = State::default();
        last.apply(
            parse_line(&start(7, "c")),
            recorder.began + Duration::from_secs(4),
        );
        let owners = BTreeMap::new();
        for (state, outcome) in [(&early, Outcome::Failed), (&last, Outcome::Done)] {
            recorder.finish(&here, state, &owners, outcome).unwrap();
        }
        let record = find_record(&here, |_| true).unwrap().unwrap();
        assert_eq!(files(&here.0.join("builds")).unwrap().len(), 1);
        assert_eq!(record.outcome, Outcome::Failed);
        let names: Vec<&str> = record.builds.iter().map(|build| &*build.name).collect();
        assert_eq!(names, ["b", "c"]);
        assert_eq!(record.builds[1].inputs, [0], "across the two");
    }

    #[test]
    fn ok_what_is_no_record_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let here = In(directory.path().to_owned());
        assert_eq!(find_record(&here, |_| true).unwrap(), None);
        fs_err::create_dir(here.0.join("builds")).unwrap();
        fs_err::write(here.0.join("builds/9.json"), "{").unwrap();
        fs_err::write(here.0.join("builds/9.txt"), "").unwrap();
        assert_eq!(find_record(&here, |_| true).unwrap(), None);
    }
}
