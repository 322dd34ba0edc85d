//! What a build did, and when: one document for each run that built something.
//!
//! Pure: the clock and the files are the caller's.

use serde::{Deserialize, Serialize};

use crate::schema;

/// A run that built something, or tried to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BuildRecord {
    /// When it began, as in `2026-11-22T20:00:00.000Z`.
    pub started_at: String,
    /// The variant, with what was left out and added.
    pub variant: String,
    /// Up to this layer.
    pub layer: String,
    /// Store path of the image's description, once it is built.
    pub image: String,
    /// Builds side by side, at most.
    pub jobs: usize,
    /// Seconds until the last build ended.
    pub seconds: f64,
    /// How it ended.
    pub outcome: Outcome,
    /// When sources were fetched; null where none was missing.
    pub fetch: Option<FetchSpan>,
    /// What each layer took of it, the bottom one first.
    pub layers: Vec<RecordedLayer>,
    /// What was built, in the order of starting.
    pub builds: Vec<RecordedBuild>,
    /// What the builds used and the store had, by name.
    pub reused: Vec<Reused>,
}

/// How a run, or one build of it, ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Well.
    #[default]
    Done,
    /// It failed.
    Failed,
    /// The user stopped it.
    Interrupted,
}

impl Outcome {
    /// The word that people read.
    pub fn text(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The time in which sources were fetched.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FetchSpan {
    /// Seconds from the start of the run to its start.
    pub started_seconds: f64,
    /// How long it took.
    pub seconds: f64,
    /// Sources that came.
    pub n_sources: usize,
    /// Bytes over the network.
    pub size_bytes: u64,
}

/// What a layer took of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RecordedLayer {
    /// As in `05-pak3`.
    pub name: String,
    /// Derivations that it needs and no lower layer does, sources not counted.
    pub n_derivations: usize,
    /// Those among them that were missing when the run began.
    pub n_missing: usize,
}

/// One derivation that was built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RecordedBuild {
    /// Name with version, without hash.
    pub name: String,
    /// The layer that first needs it; null for the image itself.
    pub layer: Option<String>,
    /// Seconds from the start of the run to its start.
    pub started_seconds: f64,
    /// How long it took.
    pub seconds: f64,
    /// How it ended.
    pub outcome: Outcome,
    /// The builds of this run whose outputs it needs, by their places in the list.
    pub inputs: Vec<usize>,
}

/// A derivation that was there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reused {
    /// Name with version, without hash.
    pub name: String,
    /// The layer that first needs it.
    pub layer: Option<String>,
}

/// The file of a record.
#[derive(Deserialize)]
struct Head {
    schema_version: u32,
}

#[derive(Serialize)]
struct File<'a> {
    schema_version: u32,
    #[serde(flatten)]
    record: &'a BuildRecord,
}

impl BuildRecord {
    /// The text of its file.
    ///
    /// # Errors
    /// A number in it is no number of JSON.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string(&File {
            schema_version: schema::VERSION,
            record: self,
        })?;
        text.push('\n');
        Ok(text)
    }

    /// Reads the text of a file; `None` for what another version of this program wrote, or what
    /// does not agree with itself.
    pub fn parse(text: &str) -> Option<Self> {
        let head: Head = serde_json::from_str(text).ok()?;
        schema::check(head.schema_version).ok()?;
        let record: Self = serde_json::from_str(text).ok()?;
        record.is_sound().then_some(record)
    }

    /// Whether every time is one, and every input is a build of this run that began before.
    fn is_sound(&self) -> bool {
        let is_time = |seconds: f64| seconds.is_finite() && (0.0..1e9).contains(&seconds);
        is_time(self.seconds)
            && self
                .fetch
                .is_none_or(|fetch| is_time(fetch.started_seconds) && is_time(fetch.seconds))
            && self.builds.iter().enumerate().all(|(place, build)| {
                is_time(build.started_seconds)
                    && is_time(build.seconds)
                    && build.inputs.iter().all(|input| *input < place)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> BuildRecord {
        let build = |name: &str, inputs: &[usize]| RecordedBuild {
            name: name.to_owned(),
            layer: None,
            started_seconds: 1.0,
            seconds: 0.5,
            outcome: Outcome::Done,
            inputs: inputs.to_vec(),
        };
        BuildRecord {
            started_at: "2026-11-22T20:00:00.000Z".to_owned(),
            builds: vec![build("a-1", &[]), build("b-1", &[0])],
            seconds: 1.5,
            ..BuildRecord::default()
        }
    }

    #[test]
    fn ok_text_and_back() {
        let text = record().text().unwrap();
        assert!(text.starts_with("{\"schema_version\":1,"), "{text}");
        assert_eq!(BuildRecord::parse(&text), Some(record()));
    }

    #[test]
    fn err_what_does_not_agree_with_itself() {
        let text = record().text().unwrap();
        for (old, new) in [
            ("\"schema_version\":1", "\"schema_version\":2"),
            ("\"inputs\":[0]", "\"inputs\":[1]"),
            ("\"inputs\":[0]", "\"inputs\":[7]"),
            ("\"seconds\":0.5", "\"seconds\":-0.5"),
            ("\"seconds\":0.5", "\"seconds\":1e300"),
            ("\"builds\"", "\"built\""),
        ] {
            let wrong = text.replace(old, new);
            assert_ne!(wrong, text);
            assert_eq!(BuildRecord::parse(&wrong), None, "{new}");
        }
        assert_eq!(BuildRecord::parse(&text[..text.len() / 2]), None);
    }
}
