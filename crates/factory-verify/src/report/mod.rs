//! What `verify` found, as one document, and the forms in which it leaves the program.
//!
//! Pure: the clock and the files are the caller's.

mod imports;
mod junit;
mod text;

use serde::Serialize;

pub use factory_model::verdict::{Counts, Verdict};
pub use imports::{ImportedDistribution, ImportsReport, Judge, Outcome, ScriptDocument};
pub use junit::junit;
pub use text::{failures, table};

/// What `cargo xtask verify --report FILE` writes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// When the run began, as in `2026-11-22T20:00:00Z`.
    pub date: String,
    /// The variant whose checks were run.
    pub variant: String,
    /// Checks up to this layer were run.
    pub layer: String,
    /// The image; absent on the host.
    pub image: Option<ImageReport>,
    /// Where the checks ran.
    pub runtime: RuntimeReport,
    /// The GPUs.
    pub gpu: GpuReport,
    /// How many checks ended how.
    pub counts: Counts,
    /// All checks, in the order of running.
    pub checks: Vec<CheckReport>,
    /// Each distribution of the check `imports`, if that was run.
    pub imports: Option<ImportsReport>,
}

/// The image that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImageReport {
    /// Its name.
    pub reference: String,
    /// The engine's ID of the image that the checks ran in.
    pub id: String,
    /// Digest of the configuration that was built; absent with `--image`.
    pub config_digest: Option<String>,
    /// Digest of the manifest that was built; absent with `--image`.
    pub manifest_digest: Option<String>,
    /// Whether this is known to be the image that was just built; false with `--image`.
    pub is_as_built: bool,
}

/// Where the checks ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RuntimeReport {
    /// `docker`, `podman` or `host`.
    pub name: String,
    /// What the engine says of its version; the interpreter's on the host.
    pub version: String,
}

/// The GPUs, as the driver's own program describes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GpuReport {
    /// `none`, `cdi`, `gpus-flag` or `host`.
    pub access: String,
    /// Why there is none.
    pub reason: Option<String>,
    /// Each device.
    pub devices: Vec<DeviceReport>,
}

/// One GPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceReport {
    /// Marketing name.
    pub name: String,
    /// As in `9.0`.
    pub compute_capability: String,
    /// Version of the driver.
    pub driver_version: String,
    /// Memory in MiB.
    pub memory_mib: u64,
}

/// One check and how it ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckReport {
    /// The layer whose promise it is.
    pub layer: String,
    /// Its name.
    pub name: String,
    /// What it proves.
    pub proves: String,
    /// Whether it needs a GPU.
    pub gpu: bool,
    /// How it ended.
    pub result: Verdict,
    /// Why it did not pass.
    pub reason: Option<String>,
    /// Wall time.
    pub seconds: f64,
    /// The last lines that it printed.
    pub output: Vec<String>,
    /// Runs it alone, from the root of the checkout.
    pub command: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, result: Verdict, reason: Option<&str>, output: &[&str]) -> CheckReport {
        CheckReport {
            layer: "04-pytorch".to_owned(),
            name: name.to_owned(),
            proves: format!("{name} works"),
            gpu: false,
            result,
            reason: reason.map(str::to_owned),
            seconds: 1.5,
            output: output.iter().map(|line| (*line).to_owned()).collect(),
            command: Some(format!(
                "podman run x bash -s < layers/04-pytorch/checks/{name}.sh"
            )),
        }
    }

    fn report() -> Report {
        let checks = vec![
            check("torch-cpu", Verdict::Passed, None, &[]),
            check(
                "torch-gil-off",
                Verdict::Crashed,
                Some("signal 11 (SIGSEGV)"),
                &["a < b"],
            ),
            check(
                "torch-matmul",
                Verdict::Skipped,
                Some("no GPU: `--gpu off`"),
                &[],
            ),
        ];
        Report {
            date: "2026-11-22T20:00:00Z".to_owned(),
            variant: "slim".to_owned(),
            layer: "04-pytorch".to_owned(),
            image: Some(ImageReport {
                reference: "comfyui-boot:x".to_owned(),
                id: "sha256:1".to_owned(),
                config_digest: Some("sha256:1".to_owned()),
                manifest_digest: Some("sha256:2".to_owned()),
                is_as_built: true,
            }),
            runtime: RuntimeReport {
                name: "podman".to_owned(),
                version: "podman version 4.3.1".to_owned(),
            },
            gpu: GpuReport {
                access: "cdi".to_owned(),
                reason: None,
                devices: vec![DeviceReport {
                    name: "NVIDIA H100".to_owned(),
                    compute_capability: "9.0".to_owned(),
                    driver_version: "580.95.05".to_owned(),
                    memory_mib: 81559,
                }],
            },
            counts: Counts::of(checks.iter().map(|check| check.result)),
            checks,
            imports: None,
        }
    }

    #[test]
    fn ok_for_people() {
        insta::assert_snapshot!(table(&report()));
        insta::assert_snapshot!(failures(&report()).unwrap());
    }

    #[test]
    fn ok_for_ci() {
        insta::assert_snapshot!(junit(&report()).unwrap());
    }
}
