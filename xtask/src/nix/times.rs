//! Measured build times, so that the next run can say how long it will take.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Graph;
use crate::ctx::Ctx;

/// Seconds by derivation name, the newest measurement of each.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Times(BTreeMap<String, f64>);

/// How long a build should take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// Builds to do, sources not counted.
    pub n_builds: usize,
    /// Builds among them that were never measured here; they count as nothing.
    pub n_unmeasured: usize,
    /// Wall time of the measured ones on this machine.
    pub seconds: f64,
}

impl Times {
    fn path(ctx: &Ctx) -> PathBuf {
        ctx.cache.join("build-times.json")
    }

    /// What was measured so far; an unreadable file counts as nothing measured.
    pub fn read(ctx: &Ctx) -> Self {
        fs_err::read_to_string(Self::path(ctx))
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default()
    }

    /// Adds measurements to the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn record(ctx: &Ctx, measured: &[(String, Duration)]) -> Result<()> {
        if measured.is_empty() {
            return Ok(());
        }
        let mut times = Self::read(ctx);
        for (name, took) in measured {
            // Milliseconds are more than enough, and keep the file readable.
            let seconds = (took.as_secs_f64() * 1000.0).round() / 1000.0;
            times.0.insert(name.clone(), seconds);
        }
        let mut json = serde_json::to_string_pretty(&times)?;
        json.push('\n');
        crate::fs::write_atomic(&Self::path(ctx), json.as_bytes())
    }

    /// The measured time of a derivation, else that of another version of the same name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied().or_else(|| {
            let stem = stem(name);
            let mut near = self.0.range(stem.to_owned()..);
            near.find(|(known, _)| self::stem(known) == stem)
                .map(|(_, seconds)| *seconds)
        })
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
            match self.get(&node.name) {
                Some(seconds) => sum += seconds,
                None => estimate.n_unmeasured += 1,
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

/// The name before its version: `numpy` of `numpy-2.4.0`.
fn stem(name: &str) -> &str {
    let bytes = name.as_bytes();
    let version = (1..bytes.len()).find(|&at| bytes[at - 1] == b'-' && bytes[at].is_ascii_digit());
    version.map_or(name, |at| &name[..at - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times() -> Times {
        Times(
            [
                ("numpy-2.4".to_owned(), 10.0),
                ("numpy-extra-1".to_owned(), 3.0),
                ("tool".to_owned(), 1.0),
            ]
            .into(),
        )
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
