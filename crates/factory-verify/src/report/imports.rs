//! What importing each distribution showed, against the rules of `imports.toml`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::check::ImportRules;

/// What the check `imports` found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImportsReport {
    /// Version of the interpreter.
    pub python: String,
    /// It is a free-threaded build with its GIL off.
    pub free_threaded: bool,
    /// How many were imported side by side.
    pub n_jobs: usize,
    /// By name.
    pub distributions: Vec<ImportedDistribution>,
}

/// What the script says of one distribution.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Import {
    name: String,
    version: Option<String>,
    modules: Vec<String>,
    status: Status,
    seconds: f64,
    gil_enabled_by: Option<String>,
    cpu_seconds: Option<f64>,
    peak_memory_bytes: Option<u64>,
    error: Option<String>,
    output: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Failed,
    Missing,
    Nothing,
}

/// The document that the script prints.
#[derive(Debug, Deserialize)]
pub struct ScriptDocument {
    python: String,
    free_threaded: bool,
    n_jobs: usize,
    results: Vec<Import>,
}

/// What it means for the image that a distribution was imported, or was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Imported.
    Imported,
    /// Has nothing to import, as its rule says.
    NoModule,
    /// Cannot be imported without a GPU, as its rule says.
    NeedsGpu,
    /// Can be imported by ComfyUI only, as its rule says.
    #[serde(rename = "needs-comfyui")]
    NeedsComfyUi,
    /// This host does not have it.
    Absent,
    /// Not right.
    Failed,
}

/// One distribution.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImportedDistribution {
    /// Normalized name.
    pub name: String,
    /// Version.
    pub version: Option<String>,
    /// What was imported.
    pub modules: Vec<String>,
    /// What it means.
    pub outcome: Outcome,
    /// Why it failed, or why it need not be imported.
    pub reason: Option<String>,
    /// Wall time.
    pub seconds: f64,
    /// Processor time of the process.
    pub cpu_seconds: Option<f64>,
    /// Peak of the resident memory of the process.
    pub peak_memory_bytes: Option<u64>,
    /// The module that turned the GIL on.
    pub gil_enabled_by: Option<String>,
    /// The last of what it printed, if it failed.
    pub output: String,
}

/// By what an import is judged.
#[derive(Debug)]
pub struct Judge<'a> {
    /// The exceptions.
    pub rules: &'a ImportRules,
    /// Names whose files another distribution brings.
    pub provided: &'a BTreeSet<String>,
    /// A GPU was there.
    pub has_gpu: bool,
    /// The interpreter is whatever the host has: what it lacks is absent, and the rules, which
    /// are about the image, are not tested.
    pub on_host: bool,
}

impl Judge<'_> {
    /// Judges all of a script's results.
    pub fn report(&self, document: ScriptDocument) -> ImportsReport {
        let judged = document
            .results
            .into_iter()
            .map(|result| self.judge(result));
        ImportsReport {
            python: document.python,
            free_threaded: document.free_threaded,
            n_jobs: document.n_jobs,
            distributions: judged.collect(),
        }
    }

    fn judge(&self, import: Import) -> ImportedDistribution {
        let (outcome, reason) = self.outcome(&import);
        ImportedDistribution {
            name: import.name,
            version: import.version,
            modules: import.modules,
            outcome,
            reason,
            seconds: import.seconds,
            cpu_seconds: import.cpu_seconds,
            peak_memory_bytes: import.peak_memory_bytes,
            gil_enabled_by: import.gil_enabled_by,
            output: import.output,
        }
    }

    fn outcome(&self, import: &Import) -> (Outcome, Option<String>) {
        let name = import.name.as_str();
        let needs_gpu = self.rules.needs_gpu.get(name).filter(|_| !self.has_gpu);
        let needs_comfyui = self.rules.needs_comfyui.get(name);
        let no_module = self.rules.no_module.get(name);
        let error = || import.error.clone();
        let stale = |why: &str| {
            let text = format!("{why}: take its entry out of `imports.toml`");
            (Outcome::Failed, Some(text))
        };
        match import.status {
            Status::Missing if self.on_host => (Outcome::Absent, error()),
            Status::Missing => (Outcome::Failed, error()),
            Status::Ok | Status::Failed if no_module.is_some() && !self.on_host => {
                stale("it has modules to import")
            }
            Status::Ok if needs_gpu.is_some() && !self.on_host => {
                stale("it can be imported without a GPU")
            }
            Status::Ok if needs_comfyui.is_some() && !self.on_host => {
                stale("it can be imported without ComfyUI")
            }
            Status::Ok => (Outcome::Imported, None),
            Status::Failed => match (needs_gpu, needs_comfyui) {
                (Some(reason), _) => (Outcome::NeedsGpu, Some(reason.clone())),
                (None, Some(reason)) => (Outcome::NeedsComfyUi, Some(reason.clone())),
                (None, None) => (Outcome::Failed, error()),
            },
            Status::Nothing if self.provided.contains(name) => (
                Outcome::NoModule,
                Some("another distribution brings its files".to_owned()),
            ),
            Status::Nothing if no_module.is_some() || self.on_host => {
                (Outcome::NoModule, no_module.cloned())
            }
            Status::Nothing => (
                Outcome::Failed,
                Some(
                    "it has no module to import, and `[no-module]` of its layer's \
                     `imports.toml` does not say why"
                        .to_owned(),
                ),
            ),
        }
    }
}

impl ImportsReport {
    /// How many had this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        let all = self.distributions.iter();
        all.filter(|one| one.outcome == outcome).count()
    }

    /// Those that are not right.
    pub fn failed(&self) -> impl Iterator<Item = &ImportedDistribution> {
        let all = self.distributions.iter();
        all.filter(|one| one.outcome == Outcome::Failed)
    }

    /// `230 of 240 distributions import, 8 have no module, 2 need a GPU; …`.
    pub fn summary(&self) -> String {
        let mut text = format!(
            "{} of {} distributions import",
            self.count(Outcome::Imported),
            self.distributions.len()
        );
        for (outcome, what) in [
            (Outcome::NoModule, "have no module"),
            (Outcome::NeedsGpu, "need a GPU"),
            (Outcome::NeedsComfyUi, "need ComfyUI"),
            (Outcome::Absent, "are absent"),
            (Outcome::Failed, "fail"),
        ] {
            let n = self.count(outcome);
            if n > 0 {
                text.push_str(&format!(", {n} {what}"));
            }
        }
        let with_gil = self.distributions.iter();
        let n_with_gil = with_gil.filter(|one| one.gil_enabled_by.is_some()).count();
        if n_with_gil > 0 {
            text.push_str(&format!("; {n_with_gil} turn the GIL on"));
        }
        text
    }

    /// The slowest, the largest and those that turn the GIL on, for people.
    pub fn figures(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut by_time: Vec<_> = self
            .distributions
            .iter()
            .filter_map(|one| Some((one.cpu_seconds?, &one.name)))
            .collect();
        by_time.sort_by(|a, b| b.0.total_cmp(&a.0));
        let slowest = by_time.iter().take(5);
        let slowest = slowest.map(|(seconds, name)| format!("{name} {seconds:.1} s"));
        lines.push(format!(
            "most processor time: {}",
            slowest.collect::<Vec<_>>().join(", ")
        ));
        let mut by_memory: Vec<_> = self
            .distributions
            .iter()
            .filter_map(|one| Some((one.peak_memory_bytes?, &one.name)))
            .collect();
        by_memory.sort_by_key(|&(bytes, _)| std::cmp::Reverse(bytes));
        let largest = by_memory.iter().take(5);
        let largest =
            largest.map(|(bytes, name)| format!("{name} {}", factory_base::text::bytes(*bytes)));
        lines.push(format!(
            "most memory: {}",
            largest.collect::<Vec<_>>().join(", ")
        ));
        for one in &self.distributions {
            if let Some(module) = &one.gil_enabled_by {
                lines.push(format!("{}: {module} turns the GIL on", one.name));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: &str, rules: &str, has_gpu: bool, on_host: bool) -> (Outcome, String) {
        let rules = ImportRules::parse(rules, |_| true).unwrap();
        let document = serde_json::json!({
            "python": "3.14.5", "free_threaded": true, "n_jobs": 1,
            "results": [{"name": "a", "version": "1", "modules": [], "status": status,
                "seconds": 0.1, "cpu_seconds": 0.1, "gil_enabled_by": null, "peak_memory_bytes": null,
                "error": "import a: OSError", "output": ""}],
        });
        let provided = BTreeSet::new();
        let judge = Judge {
            rules: &rules,
            provided: &provided,
            has_gpu,
            on_host,
        };
        let report = judge.report(serde_json::from_value(document).unwrap());
        let one = report.distributions[0].clone();
        (one.outcome, one.reason.unwrap_or_default())
    }

    const NEEDS_GPU: &str = "[needs-gpu]\na = 'loads libcuda.so.1'";
    const NEEDS_COMFYUI: &str = "[needs-comfyui]\na = 'a part of ComfyUI'";
    const NO_MODULE: &str = "[no-module]\na = 'libraries'";

    #[test]
    fn ok_rules() {
        for (status, rules, has_gpu, on_host, expected) in [
            ("ok", "", false, false, Outcome::Imported),
            ("ok", NEEDS_GPU, true, false, Outcome::Imported),
            ("failed", NEEDS_GPU, false, false, Outcome::NeedsGpu),
            ("failed", NEEDS_COMFYUI, true, false, Outcome::NeedsComfyUi),
            ("ok", NEEDS_COMFYUI, false, true, Outcome::Imported),
            ("nothing", NO_MODULE, false, false, Outcome::NoModule),
            ("missing", "", false, true, Outcome::Absent),
            ("ok", NO_MODULE, false, true, Outcome::Imported),
        ] {
            let (found, reason) = outcome(status, rules, has_gpu, on_host);
            assert_eq!(found, expected, "{status} {rules} {reason}");
        }
    }

    #[test]
    fn err_rules() {
        for (status, rules, has_gpu, expected) in [
            ("failed", "", false, "import a: OSError"),
            ("failed", NEEDS_GPU, true, "import a: OSError"),
            ("missing", NEEDS_GPU, false, "import a: OSError"),
            (
                "ok",
                NEEDS_GPU,
                false,
                "it can be imported without a GPU: take its entry out of `imports.toml`",
            ),
            (
                "ok",
                NEEDS_COMFYUI,
                false,
                "it can be imported without ComfyUI: take its entry out of `imports.toml`",
            ),
            (
                "ok",
                NO_MODULE,
                false,
                "it has modules to import: take its entry out of `imports.toml`",
            ),
            (
                "nothing",
                "",
                false,
                "it has no module to import, and `[no-module]` of its layer's `imports.toml` does not say why",
            ),
        ] {
            let found = outcome(status, rules, has_gpu, false);
            assert_eq!(found, (Outcome::Failed, expected.to_owned()));
        }
    }
}
