//! `verify --list`: what would be run.

use anyhow::Result;
use serde_json::json;

use super::Run;
use super::choose::Chosen;
use super::imports;
use factory_base::ui;
use factory_verify::check::{Check, GPU_MEMORY, IMPORTS};

/// One line.
struct Row {
    layer: String,
    name: String,
    proves: String,
    timeout_s: u64,
    gpu: bool,
    capability: Option<String>,
}

pub(super) fn print(run: &Run<'_>, chosen: &Chosen) -> Result<()> {
    let mut rows: Vec<Row> = chosen.checks.iter().map(row).collect();
    let layer = run.layer().to_string();
    if let Some(imports) = &chosen.imports {
        rows.push(Row {
            layer: layer.clone(),
            name: IMPORTS.to_owned(),
            proves: format!("each of {} distributions can be imported", imports.len()),
            timeout_s: imports::TIMEOUT.as_secs(),
            gpu: false,
            capability: None,
        });
    }
    if chosen.gpu_memory {
        rows.push(Row {
            layer,
            name: GPU_MEMORY.to_owned(),
            proves: super::gpu_memory::PROVES.to_owned(),
            timeout_s: 60,
            gpu: true,
            capability: None,
        });
    }
    if run.ctx.json {
        let checks = rows.iter().map(|row| {
            json!({
                "layer": row.layer, "name": row.name, "proves": row.proves,
                "timeout_s": row.timeout_s, "gpu": row.gpu,
                "compute_capability": row.capability,
            })
        });
        let document = json!({"schema_version": 1, "checks": checks.collect::<Vec<_>>()});
        run.ctx.ui.data(document.to_string())?;
        return Ok(());
    }
    let cells = rows.into_iter().map(|row| {
        let gpu = match (row.gpu, row.capability) {
            (true, Some(capability)) => format!("from {capability}"),
            (true, None) => "yes".to_owned(),
            (false, _) => String::new(),
        };
        let limit = row.timeout_s.to_string();
        vec![row.layer, row.name, limit, gpu, row.proves]
    });
    let head = ["layer", "check", "limit (s)", "GPU", "proves"];
    let rows: Vec<Vec<String>> = cells.collect();
    run.ctx.ui.data(ui::table(&head, &rows, &[2]))?;
    Ok(())
}

fn row(check: &Check) -> Row {
    Row {
        layer: check.layer.to_string(),
        name: check.name.clone(),
        proves: check.proves.clone(),
        timeout_s: check.timeout_s,
        gpu: check.gpu,
        capability: check
            .compute_capability
            .map(|(major, minor)| format!("{major}.{minor}")),
    }
}
