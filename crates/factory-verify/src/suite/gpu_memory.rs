//! The last check: whoever used a GPU in this run has given its memory back.

use anyhow::Result;

use super::{OwnCheck, Place, tell};
use crate::check::GPU_MEMORY;
use crate::engine::{Device, QUERY_TIMEOUT};
use crate::report::{CheckReport, Verdict};
use crate::{GpuMode, Subject};
use factory_base::run::Run;

const PROVES: &str = "every GPU has as much free memory at the end as at the start";

/// A driver keeps a few pages of its own for what it has seen running.
const TOLERANCE_MIB: u64 = 64;

/// As a list shows it.
pub(super) fn listed() -> OwnCheck {
    OwnCheck {
        name: GPU_MEMORY,
        proves: PROVES.to_owned(),
        timeout: QUERY_TIMEOUT,
        gpu: true,
    }
}

/// Nothing where there is no GPU: the checks that need one say so.
pub(super) fn check(
    run: &dyn Run,
    subject: &Subject,
    place: &Place,
) -> Result<Option<CheckReport>> {
    let before = place.runner.known_devices();
    if before.is_empty() || subject.gpu == GpuMode::Off {
        return Ok(None);
    }
    let start = std::time::Instant::now();
    let (output, reason) = match place.runner.devices(run)? {
        Ok(after) => compare(before, &after),
        Err(reason) => (Vec::new(), Some(reason)),
    };
    let report = CheckReport {
        layer: subject.layer().to_string(),
        name: GPU_MEMORY.to_owned(),
        proves: PROVES.to_owned(),
        gpu: true,
        result: match reason {
            None => Verdict::Passed,
            Some(_) => Verdict::Failed,
        },
        reason,
        seconds: start.elapsed().as_secs_f64(),
        output,
        command: Some("nvidia-smi --query-compute-apps=pid,name,used_memory --format=csv".into()),
    };
    tell(run, &report);
    Ok(Some(report))
}

fn compare(before: &[Device], after: &[Device]) -> (Vec<String>, Option<String>) {
    let pairs = || before.iter().zip(after);
    let line = |(before, after): (&Device, &Device)| {
        format!(
            "{}: {} MiB in use before, {} MiB after",
            before.name, before.used_mib, after.used_mib
        )
    };
    let output = pairs().map(line).collect();
    let reason = if before.len() == after.len() {
        let mut kept = pairs()
            .filter(|(before, after)| after.used_mib > before.used_mib + TOLERANCE_MIB)
            .map(line);
        kept.next()
            .map(|line| format!("{line}; tolerated {TOLERANCE_MIB} MiB"))
    } else {
        Some(format!(
            "{} devices before, {} after",
            before.len(),
            after.len()
        ))
    };
    (output, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(used_mib: u64) -> Device {
        Device {
            name: "T4".to_owned(),
            compute_capability: (7, 5),
            driver_version: "580".to_owned(),
            memory_mib: 15360,
            used_mib,
        }
    }

    #[test]
    fn ok_and_err_memory() {
        assert_eq!(compare(&[device(10)], &[device(74)]).1, None);
        let (output, reason) = compare(&[device(10)], &[device(75)]);
        assert_eq!(output, ["T4: 10 MiB in use before, 75 MiB after"]);
        assert_eq!(
            reason.unwrap(),
            "T4: 10 MiB in use before, 75 MiB after; tolerated 64 MiB"
        );
        assert_eq!(
            compare(&[device(1)], &[]).1.unwrap(),
            "1 devices before, 0 after"
        );
    }
}
