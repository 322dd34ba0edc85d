//! A build as it went: which place each derivation was built in, what it waited for, and the
//! chain of derivations that determined the end.

use serde::Serialize;

use factory_model::build_record::{
    BuildRecord, FetchSpan, Outcome, RecordedBuild, RecordedLayer, Reused,
};

/// Clocks of one process agree within this; seconds.
const SLACK: f64 = 0.0005;

/// A build, as it went.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Timeline {
    /// When it began, as in `2026-11-22T20:00:00.000Z`.
    pub started_at: String,
    /// Seconds until the last build ended.
    pub seconds: f64,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it made the very image that the report is about; otherwise an earlier one of its
    /// variant and layer.
    pub is_of_this_image: bool,
    /// Builds side by side, at most.
    pub jobs: usize,
    /// Places that were in use.
    pub n_places: usize,
    /// Seconds of all builds together.
    pub busy_seconds: f64,
    /// When sources were fetched; null where none was missing.
    pub fetch: Option<FetchSpan>,
    /// What each layer took of it.
    pub layers: Vec<RecordedLayer>,
    /// What was built, in the order of starting.
    pub builds: Vec<TimedBuild>,
    /// The chain that determined the end, the first build first.
    pub critical: Vec<Step>,
    /// What the builds used and the store had.
    pub reused: Vec<Reused>,
}

/// One build of a timeline.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TimedBuild {
    /// Name with version, without hash.
    pub name: String,
    /// The layer that first needs it; null for the image itself.
    pub layer: Option<String>,
    /// One of the places for builds side by side, from 0. Nix does not say on which processor a
    /// build runs: this is the first place that was free.
    pub place: usize,
    /// Seconds from the start of the run to its start.
    pub started_seconds: f64,
    /// How long it took.
    pub seconds: f64,
    /// From the moment when all that it needs was there until it began.
    pub waited_seconds: f64,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it is in the chain that determined the end.
    pub is_critical: bool,
    /// The builds whose outputs it needs, by their places in the list.
    pub inputs: Vec<usize>,
}

/// One build of the chain that determined the end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Step {
    /// The build, by its place in the list.
    pub build: usize,
    /// Seconds that it waited for a place, after the step before it was done.
    pub waited_seconds: f64,
    /// How long it took.
    pub seconds: f64,
}

impl Timeline {
    /// What a record says, about an image that is described at a store path.
    pub fn of(record: BuildRecord, image: Option<&str>) -> Self {
        let begin = begin_of_builds(&record);
        let places = places(&record.builds);
        let critical = critical(&record.builds, begin);
        let builds = record.builds.iter().zip(&places).enumerate();
        let builds = builds.map(|(index, (build, place))| TimedBuild {
            name: build.name.clone(),
            layer: build.layer.clone(),
            place: *place,
            started_seconds: build.started_seconds,
            seconds: build.seconds,
            waited_seconds: waited(&record.builds, build, begin),
            outcome: build.outcome,
            is_critical: critical.iter().any(|step| step.build == index),
            inputs: build.inputs.clone(),
        });
        Self {
            builds: builds.collect(),
            started_at: record.started_at,
            seconds: record.seconds,
            outcome: record.outcome,
            is_of_this_image: image == Some(record.image.as_str()),
            jobs: record.jobs,
            n_places: places.iter().max().map_or(0, |place| place + 1),
            busy_seconds: record.builds.iter().map(|build| build.seconds).sum(),
            fetch: record.fetch,
            layers: record.layers,
            critical,
            reused: record.reused,
        }
    }
}

fn end(build: &RecordedBuild) -> f64 {
    build.started_seconds + build.seconds
}

/// From when on builds could begin: not before the sources were there.
fn begin_of_builds(record: &BuildRecord) -> f64 {
    let first = record.builds.iter().map(|build| build.started_seconds);
    let first = first.fold(f64::INFINITY, f64::min);
    let fetched = record
        .fetch
        .map_or(0.0, |fetch| fetch.started_seconds + fetch.seconds);
    // Nix has to look at the graph first, for which no build waits.
    if first.is_finite() {
        first.max(fetched)
    } else {
        fetched
    }
}

/// The last of its inputs to be done.
fn last_input<'b>(
    builds: &'b [RecordedBuild],
    build: &RecordedBuild,
) -> Option<(usize, &'b RecordedBuild)> {
    let inputs = build.inputs.iter();
    let inputs = inputs.filter_map(|input| Some((*input, builds.get(*input)?)));
    inputs.max_by(|one, other| end(one.1).total_cmp(&end(other.1)))
}

fn waited(builds: &[RecordedBuild], build: &RecordedBuild, begin: f64) -> f64 {
    let ready = last_input(builds, build).map_or(begin, |(_, input)| end(input));
    let waited = (build.started_seconds - ready).max(0.0);
    (waited * 1000.0).round() / 1000.0
}

/// The first place that is free when a build starts. Builds are in the order of starting.
fn places(builds: &[RecordedBuild]) -> Vec<usize> {
    let mut free_from: Vec<f64> = Vec::new();
    let of = |build: &RecordedBuild| {
        let mut known = free_from.iter();
        let place = known.position(|free| *free <= build.started_seconds + SLACK);
        let place = place.unwrap_or_else(|| {
            free_from.push(0.0);
            free_from.len() - 1
        });
        free_from[place] = end(build);
        place
    };
    builds.iter().map(of).collect()
}

/// From the build that ended last back to the first: each step is the input that was done last.
fn critical(builds: &[RecordedBuild], begin: f64) -> Vec<Step> {
    let last = builds.iter().enumerate();
    let mut next = last.max_by(|one, other| end(one.1).total_cmp(&end(other.1)));
    let mut steps = Vec::new();
    while let Some((index, build)) = next {
        steps.push(Step {
            build: index,
            waited_seconds: waited(builds, build, begin),
            seconds: build.seconds,
        });
        // An input stands before what needs it, so this ends.
        next = last_input(builds, build).filter(|(input, _)| *input < index);
    }
    steps.reverse();
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn build(name: &str, started_seconds: f64, seconds: f64, inputs: &[usize]) -> RecordedBuild {
        RecordedBuild {
            name: name.to_owned(),
            layer: None,
            started_seconds,
            seconds,
            outcome: Outcome::Done,
            inputs: inputs.to_vec(),
        }
    }

    fn timeline(builds: Vec<RecordedBuild>) -> Timeline {
        let record = BuildRecord {
            image: "/nix/store/x-image.json".to_owned(),
            builds,
            ..BuildRecord::default()
        };
        Timeline::of(record, Some("/nix/store/x-image.json"))
    }

    /// Two places. `c` needs `a` and `b`; `d` needs nothing, and waits until `b` is done; `e`
    /// needs `c`, and waits for a place.
    #[test]
    fn ok_the_chain_that_determined_the_end() {
        let timeline = timeline(vec![
            build("a", 1.0, 5.0, &[]),
            build("b", 1.0, 2.0, &[]),
            build("d", 3.0, 6.0, &[]),
            build("c", 6.0, 1.0, &[0, 1]),
            build("f", 7.0, 2.5, &[]),
            build("e", 9.0, 3.0, &[3]),
        ]);
        let places: Vec<usize> = timeline.builds.iter().map(|build| build.place).collect();
        assert_eq!(places, [0, 1, 1, 0, 0, 1]);
        assert_eq!(timeline.n_places, 2);
        let chain = timeline.critical.iter().map(|step| {
            let name = timeline.builds[step.build].name.as_str();
            (name, step.waited_seconds, step.seconds)
        });
        let chain: Vec<_> = chain.collect();
        assert_eq!(chain, [("a", 0.0, 5.0), ("c", 0.0, 1.0), ("e", 2.0, 3.0)]);
        assert_eq!(timeline.builds[2].waited_seconds, 2.0);
        assert!(timeline.builds[5].is_critical && !timeline.builds[4].is_critical);
        assert!(timeline.is_of_this_image);
        assert_eq!(timeline.busy_seconds, 19.5);
    }

    #[test]
    fn ok_without_builds() {
        let timeline = timeline(Vec::new());
        assert_eq!((timeline.n_places, timeline.critical.len()), (0, 0));
    }

    prop_compose! {
        /// Builds in the order of starting, each after its inputs.
        fn builds()(
            drawn in proptest::collection::vec((0.0..20.0_f64, 0.0..9.0_f64, any::<[u8; 2]>()), 1..40)
        ) -> Vec<RecordedBuild> {
            let mut builds: Vec<RecordedBuild> = Vec::new();
            for (number, (gap, seconds, needs)) in drawn.into_iter().enumerate() {
                let inputs: Vec<usize> =
                    needs.iter().map(|need| usize::from(*need)).filter(|need| *need < number).collect();
                let ready = inputs.iter().map(|input| end(&builds[*input])).fold(0.0, f64::max);
                let after = builds.last().map_or(0.0, |last| last.started_seconds);
                builds.push(build("x", ready.max(after) + gap / 20.0, seconds, &inputs));
            }
            builds
        }
    }

    proptest! {
        /// Waits and builds of the chain lead without a gap from the first start to the end.
        #[test]
        fn ok_the_chain_has_no_gap(builds in builds()) {
            let begin = builds[0].started_seconds;
            let last = builds.iter().map(end).fold(0.0, f64::max);
            let timeline = timeline(builds);
            let chain: f64 =
                timeline.critical.iter().map(|step| step.waited_seconds + step.seconds).sum();
            let slack = 0.002 * timeline.critical.len() as f64;
            prop_assert!((begin + chain - last).abs() <= slack, "{} {} {}", begin, chain, last);
        }

        /// No two builds are in one place at once.
        #[test]
        fn ok_places_are_free(builds in builds()) {
            let timeline = timeline(builds);
            for (index, one) in timeline.builds.iter().enumerate() {
                for other in &timeline.builds[index + 1..] {
                    let is_over = one.started_seconds + one.seconds <= other.started_seconds + 2.0 * SLACK;
                    prop_assert!(one.place != other.place || is_over, "{:?} {:?}", one, other);
                }
            }
        }
    }
}
