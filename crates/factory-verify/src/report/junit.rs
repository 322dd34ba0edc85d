//! The report as JUnit XML, which every CI system shows.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::DateTime;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::{CheckReport, Outcome, Report, Verdict};

/// One suite for each layer, and one for the distributions that were imported.
///
/// # Errors
/// The date is not in the form of RFC 3339.
pub fn junit(report: &Report) -> Result<String> {
    let date = DateTime::parse_from_rfc3339(&report.date).context("the report's date")?;
    let mut document = quick_junit::Report::new(format!("verify {}", report.variant));
    document.set_timestamp(date);
    let mut layers: Vec<&str> = Vec::new();
    for check in &report.checks {
        if !layers.contains(&check.layer.as_str()) {
            layers.push(&check.layer);
        }
    }
    for layer in layers {
        let mut suite = TestSuite::new(layer);
        suite.set_timestamp(date);
        for (name, value) in properties(report) {
            suite.add_property((name, value.as_str()));
        }
        let checks = report.checks.iter().filter(|check| check.layer == layer);
        suite.add_test_cases(checks.map(check_case));
        document.add_test_suite(suite);
    }
    if report.imports.is_some() {
        document.add_test_suite(imports_suite(report));
    }
    let time = report.checks.iter().map(|check| check.seconds).sum();
    document.set_time(Duration::from_secs_f64(time));
    Ok(document.to_string()?)
}

fn properties(report: &Report) -> Vec<(&'static str, String)> {
    let mut properties = vec![
        ("variant", report.variant.clone()),
        ("runtime", report.runtime.version.clone()),
        ("gpu-access", report.gpu.access.clone()),
    ];
    if let Some(image) = &report.image {
        properties.push(("image", image.reference.clone()));
        properties.push(("image-id", image.id.clone()));
        properties.extend(
            image
                .manifest_digest
                .iter()
                .map(|digest| ("manifest-digest", digest.clone())),
        );
    }
    for device in &report.gpu.devices {
        properties.push(("device", device.name.clone()));
        properties.push(("driver", device.driver_version.clone()));
    }
    properties
}

fn check_case(check: &CheckReport) -> TestCase {
    let reason = check.reason.as_deref().unwrap_or_default();
    let mut case = TestCase::new(
        check.name.as_str(),
        status(check.result, reason, &check.command),
    );
    case.set_classname(check.layer.as_str());
    case.set_time(Duration::from_secs_f64(check.seconds));
    if !check.output.is_empty() {
        case.set_system_out(check.output.join("\n"));
    }
    case
}

fn status(verdict: Verdict, reason: &str, command: &Option<String>) -> TestCaseStatus {
    match verdict {
        Verdict::Passed => TestCaseStatus::success(),
        Verdict::Skipped | Verdict::Absent => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!("{}: {reason}", verdict.text()));
            status
        }
        Verdict::Failed | Verdict::Crashed | Verdict::TimedOut => {
            // An error, in JUnit's words, is a test that could not say what is wrong.
            let kind = match verdict {
                Verdict::Failed => NonSuccessKind::Failure,
                _ => NonSuccessKind::Error,
            };
            let mut status = TestCaseStatus::non_success(kind);
            status.set_message(reason).set_type(verdict.text());
            if let Some(command) = command {
                status.set_description(format!("command: {command}"));
            }
            status
        }
    }
}

fn imports_suite(report: &Report) -> TestSuite {
    let mut suite = TestSuite::new(crate::check::IMPORTS);
    let imports = report.imports.iter();
    for one in imports.flat_map(|imports| &imports.distributions) {
        let verdict = match one.outcome {
            Outcome::Imported | Outcome::NoModule => Verdict::Passed,
            Outcome::NeedsGpu => Verdict::Skipped,
            Outcome::Absent => Verdict::Absent,
            Outcome::Failed => Verdict::Failed,
        };
        let reason = one.reason.as_deref().unwrap_or_default();
        let mut case = TestCase::new(one.name.as_str(), status(verdict, reason, &None));
        case.set_classname(crate::check::IMPORTS);
        case.set_time(Duration::from_secs_f64(one.seconds));
        if !one.output.is_empty() {
            case.set_system_out(one.output.as_str());
        }
        suite.add_test_case(case);
    }
    suite
}
