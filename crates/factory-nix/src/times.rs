//! Measured build times, so that the next run can say how long it will take.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{Error, Graph};
use factory_base::error::Explain as _;
use factory_base::run::Directories;
use factory_model::schema;

/// Held while the file is read and written.
static RECORDING: Mutex<()> = Mutex::new(());

/// What is known of how long derivations take.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Times {
    /// Seconds by derivation name, the newest measurement of each on this machine.
    here: BTreeMap<String, f64>,
    elsewhere: Elsewhere,
}

/// `package-lists/object-times.toml`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Elsewhere {
    schema_version: u32,
    /// CUDA objects, in seconds for one architecture.
    #[serde(default)]
    object: Vec<Measured>,
    /// Other builds.
    #[serde(default)]
    build: Vec<Measured>,
}

/// How long some builds took on the machine of whoever wrote it down.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Measured {
    /// How the names of their derivations begin.
    prefix: String,
    seconds: f64,
}

impl Measured {
    /// The one with the longest prefix that fits.
    fn of<'a>(all: &'a [Self], name: &str) -> Option<&'a Self> {
        let fitting = all.iter().filter(|one| name.starts_with(&one.prefix));
        fitting.max_by_key(|one| one.prefix.len())
    }
}

/// How long a build should take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Estimate {
    /// Builds to do, sources not counted.
    pub n_builds: usize,
    /// Builds among them of which no time is known; they count as nothing.
    pub n_unmeasured: usize,
    /// Builds among them that were measured on another machine only.
    pub n_measured_elsewhere: usize,
    /// CUDA objects among them (`nix/cudaExtension.nix`).
    pub n_objects: usize,
    /// Wall time of the measured ones.
    pub seconds: f64,
}

impl Times {
    /// The file of what was measured on this machine.
    pub fn path(directories: &dyn Directories) -> PathBuf {
        directories.cache().join("build-times.json")
    }

    /// What was measured so far; an unreadable file counts as nothing measured here.
    ///
    /// # Errors
    /// `object-times.toml` is wrong.
    pub fn read(directories: &dyn Directories) -> Result<Self> {
        let path = directories.lists().join("object-times.toml");
        let elsewhere = if path.exists() {
            let text = fs_err::read_to_string(&path)?;
            elsewhere(&path, &text).map_err(|error| error.failure())?
        } else {
            Elsewhere::default()
        };
        let here = Self::here(directories);
        Ok(Self { here, elsewhere })
    }

    fn here(directories: &dyn Directories) -> BTreeMap<String, f64> {
        fs_err::read_to_string(Self::path(directories))
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default()
    }

    /// Adds measurements to the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn record(directories: &dyn Directories, measured: &[(String, Duration)]) -> Result<()> {
        if measured.is_empty() {
            return Ok(());
        }
        // Two builds of one run may end at once.
        let _only = RECORDING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut times = Self::here(directories);
        for (name, took) in measured {
            // Milliseconds are more than enough, and keep the file readable.
            let seconds = (took.as_secs_f64() * 1000.0).round() / 1000.0;
            times.insert(name.clone(), seconds);
        }
        let mut json = serde_json::to_string_pretty(&times)?;
        json.push('\n');
        factory_base::fs::write_atomic(&Self::path(directories), json.as_bytes())
    }

    /// The measured time of a derivation, else that of another version of the same name,
    /// else what it took on another machine.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.measured_here(name)
            .or_else(|| self.measured_elsewhere(name))
    }

    fn measured_here(&self, name: &str) -> Option<f64> {
        self.here.get(name).copied().or_else(|| {
            let stem = stem(name);
            let mut near = self.here.range(stem.to_owned()..);
            near.find(|(known, _)| self::stem(known) == stem)
                .map(|(_, seconds)| *seconds)
        })
    }

    /// By the longest prefix; a CUDA object for each architecture.
    fn measured_elsewhere(&self, name: &str) -> Option<f64> {
        let object = Measured::of(&self.elsewhere.object, name);
        let object = object.map(|one| one.seconds * n_architectures(name) as f64);
        object.or_else(|| Some(Measured::of(&self.elsewhere.build, name)?.seconds))
    }

    /// Wall time of building `missing` with `jobs` builds side by side: never less than
    /// the longest chain, nor than all of it spread evenly.
    pub fn estimate(&self, graph: &Graph, missing: &BTreeSet<String>, jobs: usize) -> Estimate {
        let mut estimate = Estimate::default();
        let mut sum = 0.0;
        let mut chains = BTreeMap::new();
        for drv_path in missing {
            let Some(node) = graph.get(drv_path).filter(|node| !node.is_fixed) else {
                continue;
            };
            estimate.n_builds += 1;
            estimate.n_objects += usize::from(n_architectures(&node.name) > 0);
            if let Some(seconds) = self.measured_here(&node.name) {
                sum += seconds;
            } else if let Some(seconds) = self.measured_elsewhere(&node.name) {
                estimate.n_measured_elsewhere += 1;
                sum += seconds;
            } else {
                estimate.n_unmeasured += 1;
            }
            self.chain(graph, missing, drv_path, &mut chains);
        }
        let longest = chains.values().copied().fold(0.0, f64::max);
        estimate.seconds = f64::max(longest, sum / jobs.max(1) as f64);
        estimate
    }

    fn chain(
        &self,
        graph: &Graph,
        missing: &BTreeSet<String>,
        drv_path: &str,
        known: &mut BTreeMap<String, f64>,
    ) -> f64 {
        if let Some(seconds) = known.get(drv_path) {
            return *seconds;
        }
        let Some(node) = graph.get(drv_path).filter(|_| missing.contains(drv_path)) else {
            return 0.0;
        };
        let before = node
            .inputs
            .iter()
            .map(|input| self.chain(graph, missing, input, known))
            .fold(0.0, f64::max);
        let own = if node.is_fixed {
            0.0
        } else {
            self.get(&node.name).unwrap_or(0.0)
        };
        known.insert(drv_path.to_owned(), before + own);
        before + own
    }
}

fn elsewhere(path: &Path, text: &str) -> Result<Elsewhere, Error> {
    let path = || path.to_owned();
    let file: Elsewhere = toml::from_str(text).map_err(|error| Error::BadTimes {
        path: path(),
        problem: error.to_string(),
    })?;
    schema::check(file.schema_version).map_err(|reason| Error::OtherSchema {
        path: path(),
        problem: reason.to_string(),
    })?;
    Ok(file)
}

/// The name before its version: `numpy` of `numpy-2.4.0`.
fn stem(name: &str) -> &str {
    let bytes = name.as_bytes();
    let version = (1..bytes.len()).find(|&at| bytes[at - 1] == b'-' && bytes[at].is_ascii_digit());
    version.map_or(name, |at| &name[..at - 1])
}

/// For how many architectures a CUDA object is compiled, which its name says:
/// `flash_fwd_hdim64-flash-attn-sm90-sm120ptx-2.8.3`. None for anything else.
fn n_architectures(name: &str) -> usize {
    let is_architecture = |part: &&str| {
        let digits = part.strip_prefix("sm").unwrap_or("");
        digits.starts_with(|first: char| first.is_ascii_digit())
    };
    name.split('-').filter(is_architecture).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times() -> Times {
        let here = [
            ("numpy-2.4", 10.0),
            ("numpy-extra-1", 3.0),
            ("tool", 1.0),
            ("flash_fwd_hdim64_bf16-flash-attn-sm90-2.8.2", 99.0),
        ];
        let text = "schema_version = 1\nobject = [{ prefix = 'flash_', seconds = 200 }, \
            { prefix = 'flash_fwd_hdim64_', seconds = 140 }]\n\
            build = [{ prefix = 'cpython-', seconds = 236 }]";
        Times {
            here: here.map(|(name, time)| (name.to_owned(), time)).into(),
            elsewhere: elsewhere(Path::new("object-times.toml"), text).unwrap(),
        }
    }

    #[test]
    fn ok_objects_by_architectures() {
        let get = |name: &str| times().get(name);
        // Measured here, another version; for other architectures only elsewhere.
        let name = "flash_fwd_hdim64_bf16-flash-attn";
        assert_eq!(get(&format!("{name}-sm90-2.8.3")), Some(99.0));
        assert_eq!(get(&format!("{name}-sm80-sm120ptx-2.8.3")), Some(280.0));
        assert_eq!(get("flash_bwd_hdim64-flash-attn-sm90-2.8.3"), Some(200.0));
        assert_eq!(get("fused-sageattention-sm90a-eb615c"), None);
        assert_eq!(get("cpython-3.14.5t"), Some(236.0));
        assert_eq!(n_architectures("flash-attn-2.8.3-wheel"), 0);
        assert_eq!(n_architectures("a_sm80-flash-attn-sm90a-sm80-2"), 2);
    }

    #[test]
    fn ok_another_version_is_a_good_guess() {
        assert_eq!(times().get("numpy-2.4"), Some(10.0));
        assert_eq!(times().get("numpy-2.5.1"), Some(10.0));
        assert_eq!(times().get("numpy-extra-2"), Some(3.0));
        assert_eq!(times().get("num-1"), None);
        assert_eq!(stem("flash-attn-2.8.2-bwd-hdim64"), "flash-attn");
    }
}
