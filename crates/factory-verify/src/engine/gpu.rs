//! Whether programs reach a GPU, and which.

use std::path::Path;
use std::time::Duration;

use super::Invocation;
use crate::check::parse_capability;

/// A driver that has nothing to say in this time is stuck.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(60);

/// How programs reach a GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GpuAccess {
    /// Not at all, and why.
    None(String),
    /// `run --gpus all`.
    Flag,
    /// The CDI name of all GPUs.
    Cdi,
    /// The programs run on the host itself.
    Host,
}

/// A GPU as its driver describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Marketing name.
    pub name: String,
    /// Major and minor.
    pub compute_capability: (u32, u32),
    /// Version of the driver.
    pub driver_version: String,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Memory in use, by whomever, in MiB.
    pub used_mib: u64,
}

impl GpuAccess {
    /// A word for reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None(_) => "none",
            Self::Flag => "gpus-flag",
            Self::Cdi => "cdi",
            Self::Host => "host",
        }
    }

    /// Programs reach one.
    pub fn is_some(&self) -> bool {
        !matches!(self, Self::None(_))
    }

    /// The options of `run` that give containers one.
    pub fn arguments(&self) -> &'static [&'static str] {
        match self {
            Self::None(_) | Self::Host => &[],
            Self::Flag => &["--gpus", "all"],
            Self::Cdi => &["--device", "nvidia.com/gpu=all"],
        }
    }
}

/// What every driver brings, also into containers. `--gpus` is silently ignored by some
/// versions of podman, so that a container which starts is no proof of a GPU in it.
pub(super) fn query() -> Invocation {
    let words = [
        "nvidia-smi",
        "--query-gpu=name,compute_cap,driver_version,memory.total,memory.used",
        "--format=csv,noheader,nounits",
    ];
    Invocation {
        arguments: words.map(Into::into).to_vec(),
        timeout: Some(QUERY_TIMEOUT),
        gpu: true,
        ..Invocation::default()
    }
}

/// Reads what [`query`] prints, one device a line.
pub(super) fn parse_devices(csv: &str) -> Option<Vec<Device>> {
    let device = |line: &str| {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let &[name, capability, driver, total, used] = fields.as_slice() else {
            return None;
        };
        Some(Device {
            name: name.to_owned(),
            compute_capability: parse_capability(capability)?,
            driver_version: driver.to_owned(),
            memory_mib: total.parse().ok()?,
            used_mib: used.parse().ok()?,
        })
    };
    let lines = csv.lines().filter(|line| !line.trim().is_empty());
    let devices: Vec<Device> = lines.map(device).collect::<Option<_>>()?;
    (!devices.is_empty()).then_some(devices)
}

/// The device node of NVIDIA's driver, or that of the Windows subsystem.
pub(super) fn has_device_node() -> bool {
    Path::new("/dev/nvidiactl").exists() || Path::new("/dev/dxg").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_devices() {
        let csv =
            "NVIDIA H100 80GB HBM3, 9.0, 580.95.05, 81559, 4\nTesla T4, 7.5, 580.95.05, 15360, 0\n";
        let devices = parse_devices(csv).unwrap();
        assert_eq!(devices[0].compute_capability, (9, 0));
        assert_eq!(devices[1].name, "Tesla T4");
        assert_eq!((devices[0].memory_mib, devices[0].used_mib), (81559, 4));
    }

    #[test]
    fn err_no_devices() {
        assert_eq!(parse_devices("No devices were found\n"), None);
        assert_eq!(parse_devices(""), None);
    }
}
