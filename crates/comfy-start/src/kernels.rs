//! Which devices the image's compiled kernels have code for.
//!
//! Code for an architecture runs on devices of the same major version from its minor version
//! on; PTX is compiled by the driver for any device that is not older (NVIDIA, CUDA C++
//! Programming Guide, "Binary Compatibility" and "PTX Compatibility").

use std::collections::BTreeMap;

use serde::Deserialize;

/// What layer 10 says that it compiled, and for which architectures.
pub const RECORD: &str = "usr/local/share/comfyui-boot/cuda-architectures.json";

/// Compute capability, major and minor.
pub type Capability = (u32, u32);

/// One distribution: its extension modules, each with `8.0`, `9.0a` or `12.0+PTX`.
#[derive(Debug, Clone, Deserialize)]
struct Compiled {
    modules: BTreeMap<String, Vec<String>>,
}

/// What the image compiled.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Record(BTreeMap<String, Compiled>);

impl Record {
    /// Parses the record; nothing is compiled where there is none.
    ///
    /// # Errors
    ///
    /// It is not such a record.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The distributions without code for a device, each with what it has code for.
    pub fn without_code(&self, device: Capability) -> Vec<(&str, String)> {
        self.0
            .iter()
            .filter_map(|(name, compiled)| {
                let mut all: Vec<&str> = compiled
                    .modules
                    .values()
                    .flatten()
                    .map(String::as_str)
                    .collect();
                if all.iter().any(|architecture| runs(architecture, device)) {
                    return None;
                }
                all.sort_unstable();
                all.dedup();
                Some((name.as_str(), all.join(", ")))
            })
            .collect()
    }
}

/// Whether code for an architecture runs on a device. One that cannot be read counts as running:
/// a wrong warning is worse than none.
fn runs(architecture: &str, device: Capability) -> bool {
    let (bare, has_ptx) = match architecture.strip_suffix("+PTX") {
        Some(bare) => (bare, true),
        None => (architecture, false),
    };
    let own = bare.strip_suffix('a');
    let Some(code) = parse_capability(own.unwrap_or(bare)) else {
        return true;
    };
    match own {
        // The architecture's own feature set: this device alone.
        Some(_) => code == device,
        None => (code.0 == device.0 && code.1 <= device.1) || (has_ptx && code <= device),
    }
}

/// Parses `12.0`.
pub fn parse_capability(text: &str) -> Option<Capability> {
    let (major, minor) = text.trim().split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_what_runs_where() {
        for (architecture, device, expected) in [
            ("8.0", (8, 0), true),
            ("8.0", (8, 9), true),
            ("8.6", (8, 0), false),
            ("8.0", (9, 0), false),
            ("9.0a", (9, 0), true),
            ("12.0a", (12, 1), false),
            ("12.0", (12, 1), true),
            ("12.0+PTX", (13, 0), true),
            ("12.0+PTX", (10, 0), false),
            ("what", (10, 0), true),
        ] {
            assert_eq!(
                runs(architecture, device),
                expected,
                "{architecture} {device:?}"
            );
        }
    }

    #[test]
    fn ok_without_code() {
        let record = r#"{
            "flash-attn": {"version": "2", "modules": {"a": ["8.0", "9.0", "12.0+PTX"]}},
            "sageattention": {"version": "2", "modules": {"b": ["8.0"], "c": ["9.0a"]}}
        }"#;
        let record = Record::parse(record).unwrap();
        let of = |device| record.without_code(device);
        let names = |device| of(device).iter().map(|(name, _)| *name).collect::<Vec<_>>();
        assert_eq!(names((9, 0)), Vec::<&str>::new());
        assert_eq!(names((12, 1)), ["sageattention"]);
        assert_eq!(
            of((10, 0)),
            [
                ("flash-attn", "12.0+PTX, 8.0, 9.0".to_owned()),
                ("sageattention", "8.0, 9.0a".to_owned())
            ]
        );
        assert!(Record::default().without_code((10, 0)).is_empty());
    }
}
