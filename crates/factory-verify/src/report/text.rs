//! The report for people: a table, and what is not right in full.

use std::time::Duration;

use super::Report;
use factory_base::text;

/// What was checked, and one line for each check.
pub fn table(report: &Report) -> String {
    let mut lines = Vec::new();
    if let Some(image) = &report.image {
        let digest = image.manifest_digest.as_deref().unwrap_or("not compared");
        lines.push(format!(
            "image    {}, ID {}, manifest {digest}",
            image.reference, image.id
        ));
    }
    lines.push(format!(
        "runtime  {}, {}",
        report.runtime.version, report.date
    ));
    match &report.gpu.reason {
        Some(reason) => lines.push(format!("GPU      none: {reason}")),
        None => lines.extend(report.gpu.devices.iter().map(|device| {
            format!(
                "GPU      {}, compute capability {}, driver {}, {} MiB, by {}",
                device.name,
                device.compute_capability,
                device.driver_version,
                device.memory_mib,
                report.gpu.access
            )
        })),
    }
    lines.push(String::new());
    let rows: Vec<Vec<String>> = report
        .checks
        .iter()
        .map(|check| {
            let about = match (&check.reason, check.result.is_failure()) {
                (Some(reason), false) => reason,
                _ => &check.proves,
            };
            let took = text::elapsed(Duration::from_secs_f64(check.seconds));
            let cells = [&check.layer, &check.name, check.result.text(), &took, about];
            cells.map(ToOwned::to_owned).to_vec()
        })
        .collect();
    let head = ["layer", "check", "result", "time", "proves, or why not"];
    lines.push(text::table(&head, &rows, &[3]));
    let counts = &report.counts;
    lines.push(format!(
        "{} passed, {} failed, {} skipped, {} absent",
        counts.passed, counts.failed, counts.skipped, counts.absent
    ));
    lines.join("\n")
}

/// Every check that is not right: why, its last lines, and how to run it alone.
pub fn failures(report: &Report) -> Option<String> {
    let failed: Vec<_> = report
        .checks
        .iter()
        .filter(|check| check.result.is_failure())
        .collect();
    if failed.is_empty() {
        return None;
    }
    let mut message = format!(
        "{} of {} not right",
        failed.len(),
        text::count(report.checks.len(), "check")
    );
    for check in &failed {
        message.push_str(&format!(
            "\n  {} ({}): {}",
            check.name,
            check.layer,
            check.result.text()
        ));
        if let Some(reason) = &check.reason {
            message.push_str(&format!(", {reason}"));
        }
        for line in &check.output {
            message.push_str(&format!("\n    {line}"));
        }
        if let Some(command) = &check.command {
            message.push_str(&format!("\n    command: {command}"));
        }
    }
    Some(message)
}
