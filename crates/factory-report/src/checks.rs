//! What `verify` found, as its report says (`docs/schemas/verify.json`).

use serde::{Deserialize, Serialize};

use factory_model::verdict::{Counts, Verdict};

/// What `verify` found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Checks {
    /// When the run began.
    pub date: String,
    /// The variant whose checks were run.
    pub variant: String,
    /// Checks up to this layer were run.
    pub layer: String,
    /// The image that they ran in; null on the host.
    #[serde(default)]
    pub image: Option<CheckedImage>,
    /// Where they ran.
    pub runtime: Runtime,
    /// The GPUs.
    pub gpu: Gpu,
    /// How many checks ended how.
    pub counts: Counts,
    /// All checks, in the order of running.
    pub checks: Vec<Check>,
    /// Whether the image of the report is the one that was checked; null where that is not known.
    #[serde(default)]
    pub is_of_this_image: Option<bool>,
}

/// The image that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckedImage {
    /// Its name.
    pub reference: String,
    /// Digest of its configuration; null where it was not built here.
    #[serde(default)]
    pub config_digest: Option<String>,
}

/// Where checks ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Runtime {
    /// `docker`, `podman` or `host`.
    pub name: String,
    /// What it says of its version.
    pub version: String,
}

/// The GPUs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Gpu {
    /// Why there is none.
    #[serde(default)]
    pub reason: Option<String>,
    /// Each device.
    #[serde(default)]
    pub devices: Vec<Device>,
}

/// A GPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Device {
    /// Marketing name.
    pub name: String,
}

/// A check and how it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Check {
    /// The layer whose promise it is.
    pub layer: String,
    /// Its name.
    pub name: String,
    /// What it proves.
    pub proves: String,
    /// How it ended.
    pub result: Verdict,
    /// Why it did not pass.
    #[serde(default)]
    pub reason: Option<String>,
    /// Wall time.
    pub seconds: f64,
}

impl Checks {
    /// Reads a report of `verify`, about an image with this configuration.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str, config_digest: &str) -> Result<Self, serde_json::Error> {
        let mut checks: Self = serde_json::from_str(text)?;
        let checked = checks.image.as_ref();
        let checked = checked.and_then(|image| image.config_digest.as_deref());
        checks.is_of_this_image = checked.map(|digest| digest == config_digest);
        Ok(checks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"{"schema_version":2,"date":"2026-11-22T20:00:00Z","variant":"slim",
        "layer":"04-pytorch","image":{"reference":"x:1","id":"sha256:1","config_digest":"sha256:1",
        "manifest_digest":null,"is_as_built":true},"runtime":{"name":"podman","version":"4.3"},
        "gpu":{"access":"none","reason":"`--gpu off`","devices":[]},
        "counts":{"passed":0,"failed":1,"skipped":0,"absent":0},
        "checks":[{"layer":"04-pytorch","name":"torch","proves":"it","gpu":false,
        "result":"timed-out","reason":"1 s","seconds":1.5,"output":[],"command":null}],"imports":null}"#;

    #[test]
    fn ok_a_report_and_its_image() {
        let checks = Checks::parse(REPORT, "sha256:1").unwrap();
        assert_eq!(checks.is_of_this_image, Some(true));
        let check = &checks.checks[0];
        assert_eq!(check.result, Verdict::TimedOut);
        assert!(check.result.is_failure());
        let other = Checks::parse(REPORT, "sha256:2").unwrap();
        assert_eq!(other.is_of_this_image, Some(false));
        let host = REPORT.replace("\"config_digest\":\"sha256:1\"", "\"config_digest\":null");
        assert_eq!(
            Checks::parse(&host, "sha256:1").unwrap().is_of_this_image,
            None
        );
        assert!(Checks::parse("{}", "sha256:1").is_err());
    }
}
