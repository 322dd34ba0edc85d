//! Which checks a run consists of, and running them in order.

mod gather;
mod gpu_memory;
mod imports;
mod place;
mod script;

use std::time::Duration;

use anyhow::Result;

use crate::Error;
use crate::Subject;
use crate::check::{Body, Check, GPU_MEMORY, IMPORTS};
use crate::report::{CheckReport, ImportsReport, Verdict};
use factory_base::error::Explain as _;
use factory_base::run::Run;
use factory_base::text;
use factory_model::nearest::nearest;

pub use imports::Imports;
pub use place::{CheckedImage, Place};

/// A check that `verify` itself makes, in the words of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCheck {
    /// Its name.
    pub name: &'static str,
    /// What it proves.
    pub proves: String,
    /// Its limit.
    pub timeout: Duration,
    /// Whether it needs a GPU.
    pub gpu: bool,
}

/// What is to be run.
#[derive(Debug)]
pub struct Suite {
    /// Those that are declared in files, in order of layers and names.
    pub checks: Vec<Check>,
    imports: Option<Imports>,
    gpu_memory: bool,
}

impl Suite {
    /// Everything of the layers, or what `wanted` names.
    ///
    /// # Errors
    /// Files of checks that cannot be read, or a name that no check has.
    pub fn read(subject: &Subject, wanted: &[String]) -> Result<Self> {
        let checks = gather::checks(&subject.root, &subject.layers)?;
        let imports = Imports::read(subject)?;
        let has_gpu_checks = checks.iter().any(|check| check.gpu);
        let known: Vec<&str> = checks
            .iter()
            .map(|check| check.name.as_str())
            .chain(imports.is_some().then_some(IMPORTS))
            .chain(has_gpu_checks.then_some(GPU_MEMORY))
            .collect();
        if let Some(name) = wanted.iter().find(|name| !known.contains(&name.as_str())) {
            let near = nearest(name, known.iter().copied())
                .first()
                .map(|near| (*near).to_owned());
            let name = name.clone();
            return Err(Error::UnknownCheck { name, near }.failure().into());
        }
        let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
        Ok(Self {
            imports: imports.filter(|_| wants(IMPORTS)),
            gpu_memory: has_gpu_checks && wants(GPU_MEMORY),
            checks: checks
                .into_iter()
                .filter(|check| wants(&check.name))
                .collect(),
        })
    }

    /// The checks that no file declares, which come last.
    pub fn own(&self) -> Vec<OwnCheck> {
        let imports = self.imports.iter().map(Imports::listed);
        let gpu_memory = self.gpu_memory.then(gpu_memory::listed);
        imports.chain(gpu_memory).collect()
    }

    /// Runs all of them, one after another.
    ///
    /// # Errors
    /// A program that cannot be started, or the user asks to stop. A check that fails is none.
    pub fn run(
        &self,
        run: &dyn Run,
        subject: &Subject,
        place: &Place,
    ) -> Result<(Vec<CheckReport>, Option<ImportsReport>)> {
        let mut reports = Vec::new();
        for check in &self.checks {
            run.check_interrupted()?;
            reports.push(declared(run, subject, place, check)?);
        }
        let mut imported = None;
        if let Some(imports) = &self.imports {
            let (check, report) = imports.run(run, subject, place)?;
            reports.push(check);
            imported = report;
        }
        if self.gpu_memory {
            reports.extend(gpu_memory::check(run, subject, place)?);
        }
        Ok((reports, imported))
    }
}

/// One check that is declared in a file.
fn declared(run: &dyn Run, subject: &Subject, place: &Place, check: &Check) -> Result<CheckReport> {
    let mut report = CheckReport {
        layer: check.layer.to_string(),
        name: check.name.clone(),
        proves: check.proves.clone(),
        gpu: check.gpu,
        result: Verdict::Passed,
        reason: None,
        seconds: 0.0,
        output: Vec::new(),
        command: None,
    };
    if let Some(missing) = place.lacks(check) {
        report.result = Verdict::Absent;
        report.reason = Some(missing);
    } else if let Some(reason) = place.no_gpu_for(check) {
        report.result = Verdict::Skipped;
        report.reason = Some(reason);
    } else {
        run.step("Checking", &format!("{} ({})", check.name, check.layer));
        match &check.body {
            Body::Config(expected) => place.check_config(subject, expected, &mut report),
            _ => script::run(run, subject, place, check, &mut report)?,
        }
    }
    tell(run, &report);
    Ok(report)
}

/// One line for a check that ended, and the figures of those that a GPU was needed for.
fn tell(run: &dyn Run, report: &CheckReport) {
    let took = text::elapsed(Duration::from_secs_f64(report.seconds));
    let mut line = format!("{} ({}) in {took}", report.name, report.layer);
    if let Some(reason) = &report.reason {
        line.push_str(&format!(": {reason}"));
    }
    let mut verb = report.result.text().to_owned();
    verb[..1].make_ascii_uppercase();
    run.step(&verb, &line);
    for line in &report.output {
        let line = format!("{:>13}{line}", "");
        if report.gpu && !report.result.is_failure() {
            run.status(&line);
        } else {
            run.detail(&line);
        }
    }
}
