//! The import check of `verify`: every distribution of the lock, each in its own process.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::verify::Verdict;
use crate::check::{IMPORTS_FILE, parse_excuses};
use crate::ctx::Ctx;
use crate::engine::{Gpu, Invocation, Runner};
use crate::error;
use crate::layer::LayerName;
use crate::lock::PythonLock;

/// The script, run by the image's own Python.
const SCRIPT: &str = "scripts/check-imports.py";

/// For all distributions together.
pub(super) const TIMEOUT: Duration = Duration::from_secs(3600);

/// What is to be imported, and what is excused.
pub(super) struct Imports {
    names: Vec<String>,
    excuses: BTreeMap<String, String>,
}

/// What was found.
pub(super) struct Report {
    /// The script's document, each result with its excuse.
    pub(super) document: Value,
    pub(super) took: Duration,
    pub(super) command: String,
    timed_out: bool,
    results: Vec<Imported>,
    excuses: BTreeMap<String, String>,
}

/// The document that the script prints.
#[derive(Debug, Deserialize)]
struct Document {
    python: String,
    free_threaded: bool,
    results: Vec<Imported>,
}

/// One distribution.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Imported {
    name: String,
    version: Option<String>,
    modules: Vec<String>,
    status: Status,
    seconds: f64,
    gil_enabled: Option<bool>,
    gil_enabled_by: Option<String>,
    error: Option<String>,
    output: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Failed,
    Missing,
    Nothing,
}

impl Imports {
    /// The distributions of these layers; `None` when the variant has no lock or none of them.
    pub(super) fn read(ctx: &Ctx, variant: &str, layers: &[LayerName]) -> Result<Option<Self>> {
        let path = ctx.locks().join(format!("python/{variant}.toml"));
        if !path.is_file() {
            return Ok(None);
        }
        let lock: PythonLock =
            toml::from_str(&fs_err::read_to_string(&path)?).map_err(|error| {
                error::bad_input(format!("`{}` cannot be read: {error}", path.display()))
            })?;
        let belongs = |layer: &str| layers.iter().any(|known| known.to_string() == layer);
        let names: Vec<String> = lock
            .packages
            .iter()
            .filter(|package| belongs(&package.layer))
            .map(|package| package.name.clone())
            .collect();
        let mut excuses = BTreeMap::new();
        for layer in layers {
            let path = ctx
                .root
                .join(format!("layers/{layer}/checks/{IMPORTS_FILE}"));
            if path.is_file() {
                let more = parse_excuses(&fs_err::read_to_string(&path)?).map_err(|reason| {
                    error::bad_input(format!("`{}`: {reason}", path.display()))
                })?;
                excuses.extend(more);
            }
        }
        Ok((!names.is_empty()).then_some(Self { names, excuses }))
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn run(self, ctx: &Ctx, runner: &Runner) -> Result<Report> {
        ctx.ui.step(
            "Checking",
            format!("imports of {} distributions", self.names.len()),
        );
        let words = ["python3", "-"].map(str::to_owned);
        let invocation = Invocation {
            arguments: words
                .into_iter()
                .chain(self.names.iter().cloned())
                .collect(),
            stdin: fs_err::read(ctx.root.join(SCRIPT))?,
            timeout: Some(TIMEOUT),
            gpu: runner.gpu() != Gpu::None,
        };
        let ended = runner.run(ctx, &invocation)?;
        let repeat = |names: Vec<String>| {
            let mut one = invocation.clone();
            one.arguments.truncate(2);
            one.arguments.extend(names);
            format!("{} < {SCRIPT}", runner.command_text(&one))
        };
        // With a GPU there is nothing to excuse.
        let excuses = if invocation.gpu {
            BTreeMap::new()
        } else {
            self.excuses
        };
        if ended.timed_out {
            return Ok(Report {
                document: Value::Null,
                took: ended.took,
                command: repeat(self.names),
                timed_out: true,
                results: Vec::new(),
                excuses,
            });
        }
        let document: Document = serde_json::from_str(&ended.stdout).with_context(|| {
            format!(
                "cannot read what `{SCRIPT}` printed; it said: {}",
                ended.stderr.trim()
            )
        })?;
        let results = document.results.iter().map(|result| {
            let mut value = json!(result);
            value["excuse"] = json!(excuses.get(&result.name));
            value
        });
        let document_json = json!({
            "python": document.python,
            "free_threaded": document.free_threaded,
            "results": results.collect::<Vec<_>>(),
        });
        let mut report = Report {
            document: document_json,
            took: ended.took,
            command: String::new(),
            timed_out: false,
            results: document.results,
            excuses,
        };
        report.command = repeat(report.failed().map(|result| result.name.clone()).collect());
        Ok(report)
    }
}

impl Report {
    pub(super) fn verdict(&self) -> Verdict {
        match (self.timed_out, self.failed().next()) {
            (true, _) => Verdict::TimedOut,
            (_, Some(_)) => Verdict::Failed,
            _ => Verdict::Passed,
        }
    }

    fn failed(&self) -> impl Iterator<Item = &Imported> {
        self.bad()
            .filter(|result| !self.excuses.contains_key(&result.name))
    }

    fn bad(&self) -> impl Iterator<Item = &Imported> {
        self.results
            .iter()
            .filter(|result| matches!(result.status, Status::Failed | Status::Missing))
    }

    /// `236 of 240 distributions import, 2 have nothing to import, 2 excused; GIL turned on by: x`.
    pub(super) fn summary(&self) -> String {
        let count = |status| {
            self.results
                .iter()
                .filter(|result| result.status == status)
                .count()
        };
        let mut text = format!(
            "{} of {} distributions import",
            count(Status::Ok),
            self.results.len()
        );
        let excused = self.bad().count() - self.failed().count();
        for (n, what) in [
            (count(Status::Nothing), "have nothing to import"),
            (excused, "excused: no GPU"),
        ] {
            if n > 0 {
                text.push_str(&format!(", {n} {what}"));
            }
        }
        let with_gil: Vec<&str> = self
            .results
            .iter()
            .filter(|result| result.gil_enabled_by.is_some())
            .map(|result| result.name.as_str())
            .collect();
        if !with_gil.is_empty() {
            text.push_str(&format!(
                "; the GIL is turned on by {}",
                with_gil.join(", ")
            ));
        }
        text
    }

    pub(super) fn failures(&self) -> Vec<String> {
        let line = |result: &Imported| {
            let version = result.version.as_deref().unwrap_or("?");
            let error = result.error.as_deref().unwrap_or("?");
            format!("{} {version}: {error}", result.name)
        };
        self.failed().map(line).collect()
    }
}
