//! One case: whether it can be run, its runs, and what they were measured on.

use std::time::SystemTime;

use anyhow::{Context as _, Result};
use factory_base::{error, process, text};
use factory_bench::{Case, Measured};

use super::recorder::Recorder;
use super::shared::Bench;
use super::{case, machine};
use crate::head;

/// Measures one case.
///
/// # Errors
/// The disk is too small, something that is measured fails, or the
/// user asks to stop. Nothing is recorded then.
pub(crate) fn measure(bench: &Bench<'_>, case: Case) -> Result<Measured> {
    let about = case.about();
    bench.scratch.require_disk(case.name(), about.disk_gb)?;
    let load_average = machine::load_average()?;
    let mut notes = Vec::new();
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    if load_average > n_cores as f64 {
        let note = format!(
            "The machine was busy with other work: {load_average:.1} processes wanted its {} at the start.",
            text::count(n_cores, "core")
        );
        bench.ctx.ui.warn(&note);
        notes.push(note);
    }
    let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    // Results of cases that ran before are no change of what is measured.
    let head = head::of_checkout_but(bench.ctx, &["bench"])?;
    let head = head.context("the checkout is no git repository with a commit")?;
    let ui = &bench.ctx.ui;
    ui.step(
        "Measuring",
        format!("{case}: {}", about.what.to_lowercase()),
    );
    let mut recorder = Recorder::new(bench.ctx);
    let uses_factory = case::run(bench, case, &mut recorder)?;
    notes.append(&mut recorder.notes);
    let nix = uses_factory.then(|| bench.factory()).transpose()?;
    let nix = nix.map(|factory| &factory.nix);
    Ok(Measured {
        case,
        revision: head.commit,
        modified: head.is_changed,
        date,
        variant: bench.wishes.variant.label(),
        machine: machine::machine(bench.scratch.path(), about.programs, nix)?,
        load_average,
        notes,
        series: recorder.series,
    })
}

/// A comparison with somebody who is not there is none.
///
/// # Errors
/// A program is not on PATH.
pub(crate) fn require_programs(case: Case) -> Result<()> {
    let programs = case.about().programs.iter().copied();
    let absent: Vec<&str> = programs
        .filter(|program| process::find(program).is_none())
        .collect();
    if absent.is_empty() {
        return Ok(());
    }
    let names = absent.join("`, `");
    Err(error::environment(format!(
        "`{case}` compares with `{names}`, which is not on PATH"
    ))
    .hint(format!("on Debian: `apt-get install {}`", absent.join(" ")))
    .into())
}
