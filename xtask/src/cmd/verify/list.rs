//! `verify --list`: what would be run.

use anyhow::Result;

use super::Run;
use super::choose::Chosen;
use super::imports;
use crate::document::{self, ListedCheck, ListedChecks};
use factory_base::ui;
use factory_verify::check::{Check, GPU_MEMORY, IMPORTS};

pub(super) fn print(run: &Run<'_>, chosen: &Chosen) -> Result<()> {
    let mut checks: Vec<ListedCheck> = chosen.checks.iter().map(listed).collect();
    let layer = run.layer().to_string();
    if let Some(imports) = &chosen.imports {
        checks.push(ListedCheck {
            layer: layer.clone(),
            name: IMPORTS.to_owned(),
            proves: format!("each of {} distributions can be imported", imports.len()),
            timeout_s: imports::TIMEOUT.as_secs(),
            gpu: false,
            compute_capability: None,
        });
    }
    if chosen.gpu_memory {
        checks.push(ListedCheck {
            layer,
            name: GPU_MEMORY.to_owned(),
            proves: super::gpu_memory::PROVES.to_owned(),
            timeout_s: 60,
            gpu: true,
            compute_capability: None,
        });
    }
    if run.ctx.json {
        return document::print(run.ctx, &ListedChecks { checks });
    }
    let head = ["layer", "check", "limit (s)", "GPU", "proves"];
    let rows: Vec<Vec<String>> = checks.into_iter().map(cells).collect();
    run.ctx.ui.data(ui::table(&head, &rows, &[2]))?;
    Ok(())
}

fn cells(check: ListedCheck) -> Vec<String> {
    let gpu = match (check.gpu, check.compute_capability) {
        (true, Some(capability)) => format!("from {capability}"),
        (true, None) => "yes".to_owned(),
        (false, _) => String::new(),
    };
    let limit = check.timeout_s.to_string();
    vec![check.layer, check.name, limit, gpu, check.proves]
}

fn listed(check: &Check) -> ListedCheck {
    ListedCheck {
        layer: check.layer.to_string(),
        name: check.name.clone(),
        proves: check.proves.clone(),
        timeout_s: check.timeout_s,
        gpu: check.gpu,
        compute_capability: check
            .compute_capability
            .map(|(major, minor)| format!("{major}.{minor}")),
    }
}
