//! `verify`: the checks of the layers, run inside the image that was built.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::imports::{self, Imports};
use super::realize::{self, Realized};
use super::{load, select};
use crate::check::{Body, Check, IMPORTS_FILE};
use crate::cli::VerifyArgs;
use crate::ctx::Ctx;
use crate::engine::{Engine, Gpu, Invocation, Runner, loaded_id};
use crate::error;
use crate::layer::LayerName;
use crate::nearest::nearest;
use crate::ui;

/// The name under which the import check is chosen and shown.
pub(super) const IMPORTS: &str = "imports";

/// How many of the last lines of a failed check are shown.
const SHOWN_LINES: usize = 20;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    Failed,
    TimedOut,
    NoGpu,
}

impl Verdict {
    fn text(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::TimedOut => "timed out",
            Self::NoGpu => "skipped: no GPU",
        }
    }

    pub(super) fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut)
    }
}

/// A check with its outcome.
struct Row {
    layer: LayerName,
    name: String,
    proves: String,
    verdict: Verdict,
    took: Duration,
    /// Last lines of its output, if it failed.
    output: Vec<String>,
    /// How to run it alone.
    command: String,
}

pub(super) fn run(ctx: &Ctx, args: &VerifyArgs) -> Result<()> {
    let selection = realize::selection(ctx, &args.variant, &args.layer, None)?;
    let layers: Vec<LayerName> = select::layers(ctx)?
        .into_iter()
        .filter(|layer| *layer <= selection.layer)
        .collect();
    let checks = read_checks(ctx, &layers)?;
    let imports = Imports::read(ctx, &selection.variant.name, &layers)?;
    let checks = choose(checks, imports.is_some(), &args.checks)?;
    let imports = imports.filter(|_| wants(&args.checks, IMPORTS));
    if args.list {
        return list(ctx, &checks, imports.as_ref());
    }

    let (realized, runner) = if args.runtime.as_deref() == Some("host") {
        (None, Runner::host())
    } else {
        let engine = match args.runtime.as_deref() {
            Some(name) => Engine::require(name.parse()?)?,
            None => Engine::first()?.ok_or_else(|| {
                error::environment(
                    "no container engine answers: neither `docker info` nor `podman info` succeeds",
                )
                .hint("inside a container of the image itself: `cargo xtask verify --runtime host`")
            })?,
        };
        let realized = realize::realize(ctx, selection.clone())?;
        load::load(ctx, &engine, &realized)?;
        let id = loaded_id(&engine, &realized.image)?;
        let runner = Runner::probe(ctx, &engine, &id)?;
        (Some(realized), runner)
    };

    let mut rows = Vec::new();
    for check in &checks {
        ctx.check_interrupted()?;
        rows.push(run_check(ctx, &runner, check)?);
    }
    let report = imports
        .map(|imports| imports.run(ctx, &runner))
        .transpose()?;
    if let Some(report) = &report {
        rows.push(Row {
            layer: selection.layer.clone(),
            name: IMPORTS.to_owned(),
            proves: report.summary(),
            verdict: report.verdict(),
            took: report.took,
            output: report.failures(),
            command: report.command.clone(),
        });
    }
    print(
        ctx,
        args,
        &selection,
        realized.as_ref(),
        &runner,
        &rows,
        report.as_ref(),
    )
}

fn run_check(ctx: &Ctx, runner: &Runner, check: &Check) -> Result<Row> {
    let row = |verdict, took, output, command| Row {
        layer: check.layer.clone(),
        name: check.name.clone(),
        proves: check.proves.clone(),
        verdict,
        took,
        output,
        command,
    };
    if check.gpu && runner.gpu() == Gpu::None {
        return Ok(row(
            Verdict::NoGpu,
            Duration::ZERO,
            Vec::new(),
            String::new(),
        ));
    }
    ctx.ui
        .step("Checking", format!("{} ({})", check.name, check.layer));
    let (invocation, input) = invocation(ctx, check)?;
    let ended = runner.run(ctx, &invocation)?;
    let verdict = match (ended.timed_out, ended.is_success()) {
        (true, _) => Verdict::TimedOut,
        (_, true) => Verdict::Passed,
        (_, false) => Verdict::Failed,
    };
    let lines: Vec<String> = if verdict.is_failure() {
        let lines = ended
            .stdout
            .lines()
            .chain(ended.stderr.lines())
            .map(str::to_owned)
            .collect::<Vec<_>>();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].to_vec()
    } else {
        Vec::new()
    };
    let mut command = runner.command_text(&invocation);
    if let Some(input) = input {
        command.push_str(&format!(" < {}", input.display()));
    }
    Ok(row(verdict, ended.took, lines, command))
}

/// Scripts go through stdin: an engine on another machine has none of our files.
fn invocation(ctx: &Ctx, check: &Check) -> Result<(Invocation, Option<PathBuf>)> {
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let (arguments, script) = match &check.body {
        Body::Command(command) => (words(&["bash", "-c", command]), None),
        Body::Shell(script) => (words(&["bash", "-s"]), Some(script)),
        Body::Python(script) => (words(&["python3", "-"]), Some(script)),
    };
    let relative =
        script.map(|script| PathBuf::from(format!("layers/{}/checks", check.layer)).join(script));
    let stdin = match &relative {
        Some(path) => fs_err::read(ctx.root.join(path))?,
        None => Vec::new(),
    };
    let invocation = Invocation {
        arguments,
        stdin,
        timeout: Some(Duration::from_secs(check.timeout_s)),
        gpu: check.gpu,
    };
    Ok((invocation, relative))
}

/// All checks of some layers, in order of layers and names; all faults together.
fn read_checks(ctx: &Ctx, layers: &[LayerName]) -> Result<Vec<Check>> {
    let mut checks: Vec<Check> = Vec::new();
    let mut faults = Vec::new();
    for layer in layers {
        let directory = ctx.root.join(format!("layers/{layer}/checks"));
        if !directory.is_dir() {
            continue;
        }
        let mut files = Vec::new();
        for entry in fs_err::read_dir(&directory)? {
            let path = entry?.path();
            let is_check = path
                .extension()
                .is_some_and(|extension| extension == "toml")
                && path.file_name().is_some_and(|name| name != IMPORTS_FILE);
            if is_check {
                files.push(path);
            }
        }
        files.sort();
        for path in files {
            let name = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .context("a name that is not UTF-8")?;
            match Check::parse(layer, name, &fs_err::read_to_string(&path)?) {
                Ok(check) => match checks.iter().find(|other| other.name == check.name) {
                    Some(other) => faults.push(format!(
                        "`{}`: layer {} has a check of this name",
                        path.display(),
                        other.layer
                    )),
                    None => checks.push(check),
                },
                Err(reason) => faults.push(format!("`{}`: {}", path.display(), reason.trim_end())),
            }
        }
    }
    if faults.is_empty() {
        return Ok(checks);
    }
    Err(error::bad_input(format!("checks cannot be read\n  {}", faults.join("\n  "))).into())
}

fn wants(chosen: &[String], name: &str) -> bool {
    chosen.is_empty() || chosen.iter().any(|one| one == name)
}

fn choose(checks: Vec<Check>, has_imports: bool, chosen: &[String]) -> Result<Vec<Check>> {
    let known: Vec<&str> = checks
        .iter()
        .map(|check| check.name.as_str())
        .chain(has_imports.then_some(IMPORTS))
        .collect();
    for name in chosen {
        if !known.contains(&name.as_str()) {
            let failure = error::bad_input(format!("there is no check `{name}` up to this layer"));
            let failure = match nearest(name, known.iter().copied()) {
                Some(near) => failure.hint(format!("the nearest name is `{near}`")),
                None => failure,
            };
            return Err(failure
                .hint("list them with `cargo xtask verify --list`")
                .into());
        }
    }
    Ok(checks
        .into_iter()
        .filter(|check| wants(chosen, &check.name))
        .collect())
}

fn list(ctx: &Ctx, checks: &[Check], imports: Option<&Imports>) -> Result<()> {
    let mut rows: Vec<(String, String, String, u64, bool)> = checks
        .iter()
        .map(|check| {
            let Check {
                layer,
                name,
                proves,
                timeout_s,
                gpu,
                ..
            } = check;
            (
                layer.to_string(),
                name.clone(),
                proves.clone(),
                *timeout_s,
                *gpu,
            )
        })
        .collect();
    if let Some(imports) = imports {
        let proves = format!("each of {} distributions can be imported", imports.len());
        rows.push((
            "all".to_owned(),
            IMPORTS.to_owned(),
            proves,
            imports::TIMEOUT.as_secs(),
            false,
        ));
    }
    if ctx.json {
        let checks = rows.iter().map(|(layer, name, proves, timeout_s, gpu)| {
            json!({"layer": layer, "name": name, "proves": proves, "timeout_s": timeout_s, "gpu": gpu})
        });
        let document = json!({"schema_version": 1, "checks": checks.collect::<Vec<_>>()});
        ctx.ui.data(document.to_string())?;
        return Ok(());
    }
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(layer, name, proves, timeout_s, gpu)| {
            vec![
                layer,
                name,
                timeout_s.to_string(),
                if gpu { "yes" } else { "" }.to_owned(),
                proves,
            ]
        })
        .collect();
    let head = ["layer", "check", "limit (s)", "GPU", "proves"];
    ctx.ui.data(ui::table(&head, &rows, &[2]))?;
    Ok(())
}

fn print(
    ctx: &Ctx,
    args: &VerifyArgs,
    selection: &realize::Selection,
    realized: Option<&Realized>,
    runner: &Runner,
    rows: &[Row],
    imports: Option<&imports::Report>,
) -> Result<()> {
    if ctx.json {
        let checks = rows.iter().map(|row| {
            json!({
                "layer": row.layer,
                "name": row.name,
                "proves": row.proves,
                "result": row.verdict.text(),
                "seconds": row.took.as_secs_f64(),
                "output": row.output,
                "command": row.command,
            })
        });
        let document = json!({
            "schema_version": 1,
            "variant": selection.variant.label(),
            "layer": selection.layer,
            "reference": realized.map(|realized| realized.image.reference.to_string()),
            "config_digest": realized.map(|realized| realized.image.config.digest.to_string()),
            "runtime": runner.to_string(),
            "gpu": runner.gpu() != Gpu::None,
            "checks": checks.collect::<Vec<_>>(),
            "imports": imports.map(|report| &report.document),
        });
        ctx.ui.data(document.to_string())?;
    } else {
        let table: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                let Row {
                    layer,
                    name,
                    verdict,
                    took,
                    proves,
                    ..
                } = row;
                let cells = [
                    &layer.to_string(),
                    name,
                    verdict.text(),
                    &ui::elapsed(*took),
                    proves,
                ];
                cells.map(ToOwned::to_owned).to_vec()
            })
            .collect();
        let head = ["layer", "check", "result", "time", "proves"];
        ctx.ui.data(ui::table(&head, &table, &[3]))?;
    }
    let failed: Vec<&Row> = rows.iter().filter(|row| row.verdict.is_failure()).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let mut message = format!("{} of {} checks are not right", failed.len(), rows.len());
    for row in &failed {
        message.push_str(&format!(
            "\n  {} ({}): {}",
            row.name,
            row.layer,
            row.verdict.text()
        ));
        for line in &row.output {
            message.push_str(&format!("\n    {line}"));
        }
        message.push_str(&format!("\n    command: {}", row.command));
    }
    let one = &failed[0].name;
    let runtime = args
        .runtime
        .as_deref()
        .map_or(String::new(), |name| format!(" --runtime {name}"));
    let again = format!(
        "cargo xtask verify {} {}{runtime} --check {one}",
        selection.layer.short(),
        selection.variant.arguments()
    );
    Err(error::not_right(message)
        .hint(format!("run one of them alone: `{again}`"))
        .into())
}
