//! `verify`: the checks of the layers, run inside the image that was built.

mod choose;
mod gather;
mod gpu_memory;
mod imports;
mod list;
mod place;
mod script;

use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, SecondsFormat, Utc};

use self::choose::Chosen;
use self::place::Place;
use crate::cli::{GpuMode, VerifyArgs};
use crate::document;
use crate::select::{self, Variant};
use factory_base::ctx::Ctx;
use factory_base::error;
use factory_base::ui;
use factory_model::layer::{self, LAST, LayerName};
use factory_model::layers::Layers;
use factory_verify::check::{Body, Check};
use factory_verify::report::{self, CheckReport, Counts, Report, Verdict};

/// What every step of one run needs to know.
struct Run<'a> {
    ctx: &'a Ctx,
    args: &'a VerifyArgs,
    variant: Variant,
    all: Layers,
    /// Up to the chosen one.
    layers: Vec<LayerName>,
}

impl Run<'_> {
    fn layer(&self) -> &LayerName {
        // `select` never returns an empty list.
        &self.layers[self.layers.len() - 1]
    }
}

pub(super) fn run(ctx: &Ctx, args: &VerifyArgs) -> Result<()> {
    let run = begin(ctx, args)?;
    let chosen = Chosen::read(&run)?;
    if args.list {
        return list::print(&run, &chosen);
    }
    let date = DateTime::<Utc>::from(std::time::SystemTime::now());
    let place = Place::find(&run)?;
    require_gpu(&run, &place)?;

    let mut checks = Vec::new();
    for check in &chosen.checks {
        ctx.check_interrupted()?;
        checks.push(run_check(&run, &place, check)?);
    }
    let imports = match &chosen.imports {
        None => None,
        Some(imports) => {
            let (check, report) = imports.run(&run, &place)?;
            checks.push(check);
            report
        }
    };
    if chosen.gpu_memory {
        checks.extend(gpu_memory::check(&run, &place)?);
    }
    let report = Report {
        date: date.to_rfc3339_opts(SecondsFormat::Secs, true),
        variant: run.variant.label(),
        layer: run.layer().to_string(),
        image: place.image_report(),
        runtime: place.runtime_report()?,
        gpu: place.gpu_report(),
        counts: Counts::of(&checks),
        checks,
        imports,
    };
    finish(&run, &report)
}

fn begin<'a>(ctx: &'a Ctx, args: &'a VerifyArgs) -> Result<Run<'a>> {
    let all = factory_resolve::layers(ctx)?;
    let wanted = if args.layer == "all" {
        LAST
    } else {
        &args.layer
    };
    let layer = layer::find(&all.names(), wanted)?.clone();
    Ok(Run {
        ctx,
        args,
        variant: select::variant(ctx, &args.variant)?,
        layers: all
            .names()
            .into_iter()
            .filter(|known| *known <= layer)
            .collect(),
        all,
    })
}

fn require_gpu(run: &Run<'_>, place: &Place) -> Result<()> {
    match (run.args.gpu, place.no_gpu()) {
        (GpuMode::Require, Some(reason)) => Err(error::environment(format!("no GPU: {reason}"))
            .hint("`--gpu auto` skips the checks that need one")
            .hint("containers get GPUs from NVIDIA's container toolkit: `nvidia-ctk cdi generate --output /etc/cdi/nvidia.yaml`")
            .into()),
        _ => Ok(()),
    }
}

/// One check that is declared in a file.
fn run_check(run: &Run<'_>, place: &Place, check: &Check) -> Result<CheckReport> {
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
        let title = format!("{} ({})", check.name, check.layer);
        run.ctx.ui.step("Checking", title);
        match &check.body {
            Body::Config(expected) => place.check_config(run, expected, &mut report),
            _ => script::run(run, place, check, &mut report)?,
        }
    }
    tell(run.ctx, &report);
    Ok(report)
}

/// One line for a check that ended, and the figures of those that a GPU was needed for.
fn tell(ctx: &Ctx, report: &CheckReport) {
    let took = ui::elapsed(std::time::Duration::from_secs_f64(report.seconds));
    let mut line = format!("{} ({}) in {took}", report.name, report.layer);
    if let Some(reason) = &report.reason {
        line.push_str(&format!(": {reason}"));
    }
    let mut verb = report.result.text().to_owned();
    verb[..1].make_ascii_uppercase();
    ctx.ui.step(&verb, line);
    for line in &report.output {
        if report.gpu && !report.result.is_failure() {
            ctx.ui.status(format!("{:>13}{line}", ""));
        } else {
            ctx.ui.detail(format!("{:>13}{line}", ""));
        }
    }
}

/// Writes the report in every form that was asked for; what is not right is the error.
fn finish(run: &Run<'_>, report: &Report) -> Result<()> {
    if let Some(path) = &run.args.report {
        write(run.ctx, path, &document::pretty(report)?)?;
    }
    if let Some(path) = &run.args.junit {
        write(run.ctx, path, &report::junit(report)?)?;
    }
    if run.ctx.json {
        document::print(run.ctx, report)?;
    } else {
        run.ctx.ui.data(report::table(report))?;
    }
    let Some(message) = report::failures(report) else {
        return Ok(());
    };
    let failed = report.checks.iter().find(|check| check.result.is_failure());
    let name = failed.map_or("NAME", |check| check.name.as_str());
    let mut again = format!(
        "cargo xtask verify {} {} --check {name}",
        run.layer().short(),
        run.variant.arguments()
    );
    if let Some(runtime) = run.args.runtime {
        again.push_str(&format!(" --runtime {runtime}"));
    }
    if let Some(image) = &run.args.image {
        again.push_str(&format!(" --image {image}"));
    }
    Err(error::not_right(message)
        .hint(format!("run one of them alone: `{again}`"))
        .into())
}

fn write(ctx: &Ctx, path: &Path, text: &str) -> Result<()> {
    if let Some(directory) = path.parent() {
        fs_err::create_dir_all(directory)?;
    }
    // Not renamed into place: it may be a pipe or `/dev/stderr`.
    fs_err::write(path, format!("{text}\n"))?;
    ctx.ui.step("Wrote", path.display().to_string());
    Ok(())
}
