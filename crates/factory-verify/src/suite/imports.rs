//! The check `imports`: every distribution of the lock, each in its own process.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::{OwnCheck, Place, gather, tell};
use crate::Subject;
use crate::check::{IMPORTS, ImportRules};
use crate::engine::{Ended, Input, Invocation, Word};
use crate::report::{
    CheckReport, ImportedDistribution, ImportsReport, Judge, ScriptDocument, Verdict,
};
use factory_base::run::Run;

/// The script, run by the image's own Python.
const SCRIPT: &str = "scripts/check-imports.py";

/// For all distributions together.
const TIMEOUT: Duration = Duration::from_secs(7200);

/// What is to be imported, and the exceptions.
#[derive(Debug)]
pub struct Imports {
    names: BTreeSet<String>,
    provided: BTreeSet<String>,
    rules: ImportRules,
}

impl Imports {
    /// The distributions of these layers; `None` when the variant has no lock or none of them.
    pub(super) fn read(subject: &Subject) -> Result<Option<Self>> {
        let Some(locked) = &subject.locked else {
            return Ok(None);
        };
        let is_known = |name: &str| locked.known.contains(name);
        let rules = gather::import_rules(&subject.root, &subject.layers, is_known)?;
        let names = locked.distributions.clone();
        Ok((!names.is_empty()).then_some(Self {
            names,
            provided: locked.provided.clone(),
            rules,
        }))
    }

    /// As a list shows it.
    pub(super) fn listed(&self) -> OwnCheck {
        OwnCheck {
            name: IMPORTS,
            proves: format!("each of {} distributions can be imported", self.names.len()),
            timeout: TIMEOUT,
            gpu: false,
        }
    }

    pub(super) fn run(
        &self,
        run: &dyn Run,
        subject: &Subject,
        place: &Place,
    ) -> Result<(CheckReport, Option<ImportsReport>)> {
        let title = format!("imports of {} distributions", self.names.len());
        run.step("Checking", &title);
        let has_gpu = place.no_gpu().is_none();
        let invocation = self.invocation(subject, &self.names, has_gpu)?;
        let ended = place.runner.run(run, &invocation)?;
        let judge = Judge {
            rules: &self.rules,
            provided: &self.provided,
            has_gpu,
            on_host: place.is_host(),
        };
        let report = read(&ended).map(|document| judge.report(document));
        let mut check = CheckReport {
            layer: subject.layer().to_string(),
            name: IMPORTS.to_owned(),
            proves: "every distribution can be imported".to_owned(),
            gpu: false,
            result: Verdict::Passed,
            reason: None,
            seconds: ended.took.as_secs_f64(),
            output: Vec::new(),
            command: None,
        };
        let repeated = self.describe(&report, &mut check);
        let alone = self.invocation(subject, &repeated, has_gpu)?;
        check.command = Some(place.runner.command_text(&alone));
        tell(run, &check);
        Ok((check, report.ok()))
    }

    /// Fills in what was found; returns the names that are worth repeating.
    fn describe(
        &self,
        report: &Result<ImportsReport, (Verdict, String)>,
        check: &mut CheckReport,
    ) -> BTreeSet<String> {
        match report {
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
        }
    }

    fn invocation(
        &self,
        subject: &Subject,
        names: &BTreeSet<String>,
        gpu: bool,
    ) -> Result<Invocation> {
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
                bytes: fs_err::read(subject.root.join(&path))?,
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
fn failure_lines(one: &ImportedDistribution) -> Vec<String> {
    const SHOWN: usize = 8;
    let version = one.version.as_deref().unwrap_or("?");
    let reason = one.reason.as_deref().unwrap_or("?");
    let printed: Vec<&str> = one.output.lines().collect();
    let printed = &printed[printed.len().saturating_sub(SHOWN)..];
    let mut lines = vec![format!("{} {version}: {reason}", one.name)];
    lines.extend(printed.iter().map(|line| format!("  {line}")));
    lines
}
