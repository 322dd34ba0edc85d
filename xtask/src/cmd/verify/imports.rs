//! The check `imports`: every distribution of the lock, each in its own process.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::place::python_lock;
use super::{Place, Run, gather, tell};
use factory_resolve::python;
use factory_verify::check::{IMPORTS, ImportRules};
use factory_verify::engine::{Ended, Input, Invocation, Word};
use factory_verify::report::{CheckReport, ImportsReport, Judge, ScriptDocument, Verdict};

/// The script, run by the image's own Python.
const SCRIPT: &str = "scripts/check-imports.py";

/// For all distributions together.
pub(super) const TIMEOUT: Duration = Duration::from_secs(7200);

/// What is to be imported, and the exceptions.
pub(super) struct Imports {
    names: BTreeSet<String>,
    provided: BTreeSet<String>,
    rules: ImportRules,
}

impl Imports {
    /// The distributions of these layers; `None` when the variant has no lock or none of them.
    pub(super) fn read(run: &Run<'_>) -> Result<Option<Self>> {
        let Some(lock) = python_lock(run)? else {
            return Ok(None);
        };
        let known = known_to_any_lock(run)?;
        let rules = gather::import_rules(run.ctx, &run.layers, |name| known.contains(name))?;
        let names = lock.distributions(&run.all, &run.layers);
        let provided = lock.provided.into_iter().map(|provided| provided.name);
        Ok((!names.is_empty()).then_some(Self {
            names,
            provided: provided.collect(),
            rules,
        }))
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn run(
        &self,
        run: &Run<'_>,
        place: &Place,
    ) -> Result<(CheckReport, Option<ImportsReport>)> {
        let title = format!("imports of {} distributions", self.names.len());
        run.ctx.ui.step("Checking", title);
        let has_gpu = place.no_gpu().is_none();
        let invocation = self.invocation(run, &self.names, has_gpu)?;
        let ended = place.runner.run(run.ctx, &invocation)?;
        let mut check = CheckReport {
            layer: run.layer().to_string(),
            name: IMPORTS.to_owned(),
            proves: "every distribution can be imported".to_owned(),
            gpu: false,
            result: Verdict::Passed,
            reason: None,
            seconds: ended.took.as_secs_f64(),
            output: Vec::new(),
            command: None,
        };
        let judge = Judge {
            rules: &self.rules,
            provided: &self.provided,
            has_gpu,
            on_host: place.is_host(),
        };
        let report = read(&ended).map(|document| judge.report(document));
        let repeated = match &report {
            Ok(report) => {
                check.proves = report.summary();
                check.output = report.figures();
                let failed: BTreeSet<String> =
                    report.failed().map(|one| one.name.clone()).collect();
                if !failed.is_empty() {
                    check.result = Verdict::Failed;
                    check.reason = Some(format!("{} not importable", failed.len()));
                    check.output = report.failed().flat_map(failure_lines).collect();
                }
                failed
            }
            Err((verdict, reason)) => {
                check.result = *verdict;
                check.reason = Some(reason.clone());
                self.names.clone()
            }
        };
        let alone = self.invocation(run, &repeated, has_gpu)?;
        check.command = Some(place.runner.command_text(&alone));
        tell(run.ctx, &check);
        Ok((check, report.ok()))
    }

    fn invocation(&self, run: &Run<'_>, names: &BTreeSet<String>, gpu: bool) -> Result<Invocation> {
        let mut arguments: Vec<Word> = vec!["python3".into(), "-".into()];
        for (name, slow) in &self.rules.slow {
            if names.contains(name) {
                arguments.push("--limit".into());
                arguments.push(format!("{name}={}", slow.limit_s).into());
            }
        }
        arguments.extend(names.iter().map(|name| name.as_str().into()));
        let path = PathBuf::from(SCRIPT);
        Ok(Invocation {
            arguments,
            stdin: Input {
                bytes: fs_err::read(run.ctx.root.join(&path))?,
                path: Some(path),
            },
            timeout: Some(TIMEOUT),
            gpu,
            ..Invocation::default()
        })
    }
}

/// The script's document; else how it ended without one.
fn read(ended: &Ended) -> Result<ScriptDocument, (Verdict, String)> {
    if ended.timed_out {
        let reason = format!("it had not ended after {} s", TIMEOUT.as_secs());
        return Err((Verdict::TimedOut, reason));
    }
    serde_json::from_str(&ended.stdout).map_err(|error| {
        let said = ended.stderr.lines().last().unwrap_or("nothing");
        let reason = format!("`{SCRIPT}` printed no result ({error}); it said: {said}");
        (Verdict::Failed, reason)
    })
}

/// What failed, and the end of what it printed.
fn failure_lines(one: &factory_verify::report::ImportedDistribution) -> Vec<String> {
    const SHOWN: usize = 8;
    let version = one.version.as_deref().unwrap_or("?");
    let reason = one.reason.as_deref().unwrap_or("?");
    let printed: Vec<&str> = one.output.lines().collect();
    let printed = &printed[printed.len().saturating_sub(SHOWN)..];
    let mut lines = vec![format!("{} {version}: {reason}", one.name)];
    lines.extend(printed.iter().map(|line| format!("  {line}")));
    lines
}

/// Rules are shared by the variants, so a name must only be known to one of them.
fn known_to_any_lock(run: &Run<'_>) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs_err::read_dir(run.ctx.locks().join("python"))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.and_then(|name| name.strip_suffix(".toml")) else {
            continue;
        };
        if let Some(found) = python::read_lock(run.ctx, name)? {
            names.extend(found.lock.names());
        }
    }
    Ok(names)
}
