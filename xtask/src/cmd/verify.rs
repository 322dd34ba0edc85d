//! `verify`: the checks of the layers, run inside the image that was built.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use crate::cli::{Runtime, VerifyArgs};
use crate::ctx::Ctx;
use crate::document::{self, ListedCheck, ListedChecks};
use crate::loading;
use crate::realize;
use crate::select::{self, Variant};
use crate::verified;
use factory_base::error::{self, Explain as _};
use factory_base::text;
use factory_model::layer::{LAST, LayerName};
use factory_model::layers::Layers;
use factory_model::system::System;
use factory_resolve::python::{self, PackageName};
use factory_verify::check::Check;
use factory_verify::engine::{Engine, EngineKind};
use factory_verify::report::{self, Counts, Report};
use factory_verify::suite::{CheckedImage, Place, Suite};
use factory_verify::{Error, Locked, Subject};

pub(super) fn run(ctx: &Ctx, args: &VerifyArgs) -> Result<()> {
    let variant = select::variant(ctx, &args.variant)?;
    let subject = subject(ctx, args, &variant)?;
    let suite = Suite::read(&subject, &args.checks)?;
    if args.list {
        return list(ctx, &subject, &suite);
    }
    let date = humantime::format_rfc3339_seconds(std::time::SystemTime::now());
    let place = place(ctx, args, &variant, &subject)?;
    let (checks, imports) = suite.run(ctx, &subject, &place)?;
    let report = Report {
        date: date.to_string(),
        variant: variant.label(),
        layer: subject.layer().to_string(),
        image: place.image_report(),
        runtime: place.runtime_report()?,
        gpu: place.gpu_report(),
        counts: Counts::of(checks.iter().map(|check| check.result)),
        checks,
        imports,
    };
    finish(ctx, args, &report)?;
    let Some(message) = report::failures(&report) else {
        return Ok(());
    };
    let again = again(args, &variant, subject.layer(), &report);
    Err(error::not_right(message)
        .hint(format!("run one of them alone: `{again}`"))
        .into())
}

/// What the user's words mean, and what the lock says of it.
fn subject(ctx: &Ctx, args: &VerifyArgs, variant: &Variant) -> Result<Subject> {
    let all = factory_resolve::layers(ctx)?;
    let wanted = match args.layer.as_str() {
        "all" => LAST,
        text => text,
    };
    let names = all.names();
    let layer = select::layer_of(&names, wanted)?;
    let layers: Vec<LayerName> = names.into_iter().filter(|known| *known <= layer).collect();
    Ok(Subject {
        root: ctx.root.clone(),
        locked: locked(ctx, variant, &all, &layers)?,
        variant: variant.name.clone(),
        attribute: variant.attribute(),
        without_git: variant.without_git,
        layers,
        comfyui: args.comfyui.clone(),
        gpu: args.gpu.into(),
    })
}

/// The lock of the variant, as its image has it; `None` where it has none yet.
fn locked(
    ctx: &Ctx,
    variant: &Variant,
    all: &Layers,
    layers: &[LayerName],
) -> Result<Option<Locked>> {
    let Some(found) = python::read_lock(ctx, &variant.system, &variant.name)? else {
        return Ok(None);
    };
    let mut lock = found.lock;
    if variant.without_git {
        lock.git.clear();
    }
    let provided = lock.provided.iter().map(|provided| provided.name.clone());
    Ok(Some(Locked {
        distributions: lock.distributions(all, layers),
        provided: provided.collect(),
        known: known_to_any_lock(ctx, &variant.system)?,
    }))
}

/// Rules are shared by the variants, so a name must only be known to one of them.
fn known_to_any_lock(ctx: &Ctx, system: &System) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs_err::read_dir(system.below(&ctx.locks()).join("python"))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.and_then(|name| name.strip_suffix(".toml")) else {
            continue;
        };
        if let Some(found) = python::read_lock(ctx, system, name)? {
            names.extend(found.lock.names());
        }
    }
    Ok(names)
}

/// Builds, loads and starts what the user's words ask for.
fn place(ctx: &Ctx, args: &VerifyArgs, variant: &Variant, subject: &Subject) -> Result<Place> {
    let engine = match args.runtime {
        Some(Runtime::Host) => {
            let normalized = |name: &str| {
                let name: Option<PackageName> = name.parse().ok();
                name.map(|name| name.to_string())
            };
            return Place::host(ctx, subject, normalized);
        }
        Some(Runtime::Docker) => Engine::require(EngineKind::Docker)?,
        Some(Runtime::Podman) => Engine::require(EngineKind::Podman)?,
        None => Engine::first()?.ok_or_else(|| Error::NoEngine.failure())?,
    };
    let image = match &args.image {
        Some(name) => CheckedImage::named(&engine, name)?,
        None => as_built(ctx, args, variant, subject.layer(), &engine)?,
    };
    Place::containers(ctx, subject, engine, image)
}

/// The image of the plan: built and loaded if need be, and the one that its name stands for.
fn as_built(
    ctx: &Ctx,
    args: &VerifyArgs,
    variant: &Variant,
    layer: &LayerName,
    engine: &Engine,
) -> Result<CheckedImage> {
    let selection = realize::selection(ctx, &args.variant, &layer.to_string(), None)?;
    let realized = realize::realize(ctx, selection)?;
    let reference = realized.image.reference.to_string();
    if engine.inspect(&reference)?.is_none() {
        loading::load(ctx, engine, &realized)?;
    }
    let load = format!(
        "cargo xtask load {} {} --engine {engine}",
        layer.short(),
        variant.arguments()
    );
    CheckedImage::as_built(engine, realized.image, load)
}

/// Writes the report in every form that was asked for.
fn finish(ctx: &Ctx, args: &VerifyArgs, report: &Report) -> Result<()> {
    // What was checked in part, or is not known to be what was built, says little of an image.
    if args.checks.is_empty() && report.image.as_ref().is_some_and(|image| image.is_as_built) {
        verified::keep(ctx, report)?;
    }
    if let Some(path) = &args.report {
        write(ctx, path, &document::pretty(report)?)?;
    }
    if let Some(path) = &args.junit {
        write(ctx, path, &report::junit(report)?)?;
    }
    if ctx.json {
        return document::print(ctx, report);
    }
    ctx.ui.data(report::table(report))?;
    Ok(())
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

/// The command that runs the first failed check alone.
fn again(args: &VerifyArgs, variant: &Variant, layer: &LayerName, report: &Report) -> String {
    let failed = report.checks.iter().find(|check| check.result.is_failure());
    let name = failed.map_or("NAME", |check| check.name.as_str());
    let mut again = format!(
        "cargo xtask verify {} {} --check {name}",
        layer.short(),
        variant.arguments()
    );
    if let Some(runtime) = args.runtime {
        again.push_str(&format!(" --runtime {runtime}"));
    }
    if let Some(image) = &args.image {
        again.push_str(&format!(" --image {image}"));
    }
    again
}

/// `verify --list`: what would be run.
fn list(ctx: &Ctx, subject: &Subject, suite: &Suite) -> Result<()> {
    let own = suite.own().into_iter().map(|check| ListedCheck {
        layer: subject.layer().to_string(),
        name: check.name.to_owned(),
        proves: check.proves,
        timeout_s: check.timeout.as_secs(),
        gpu: check.gpu,
        compute_capability: None,
    });
    let checks: Vec<ListedCheck> = suite.checks.iter().map(listed).chain(own).collect();
    if ctx.json {
        return document::print(ctx, &ListedChecks { checks });
    }
    let head = ["layer", "check", "limit (s)", "GPU", "proves"];
    let rows: Vec<Vec<String>> = checks.into_iter().map(cells).collect();
    ctx.ui.data(text::table(&head, &rows, &[2]))?;
    Ok(())
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

fn cells(check: ListedCheck) -> Vec<String> {
    let gpu = match (check.gpu, check.compute_capability) {
        (true, Some(capability)) => format!("from {capability}"),
        (true, None) => "yes".to_owned(),
        (false, _) => String::new(),
    };
    let limit = check.timeout_s.to_string();
    vec![check.layer, check.name, limit, gpu, check.proves]
}
