//! `edit`: one pure wheel more in pak7, its lock included.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use factory_base::error;
use factory_nix::Graph;
use xshell::Shell;

use crate::bench::checkout::Checkout;
use crate::bench::dockerfile::{Installer, out_path};
use crate::bench::meter::Meter;
use crate::bench::recorder::{Recorder, What, then};
use crate::bench::shared::Bench;

/// Pins of small pure wheels that no lock has, one for each run: what one run built, the next
/// would find.
const PINS: [(&str, &str); 5] = [
    ("iniconfig", "2.3.0"),
    ("iniconfig", "2.1.0"),
    ("iniconfig", "2.0.0"),
    ("pluggy", "1.6.0"),
    ("pluggy", "1.5.0"),
];
const LIST: &str = "package-lists/pak7.txt";
const BUILT: &str = "until it is built";
const RUNS: &str = "until podman runs it";

pub(super) fn run(bench: &Bench<'_>, recorder: &mut Recorder<'_>) -> Result<()> {
    let n_runs = bench.wishes.n_runs as usize;
    if n_runs > PINS.len() {
        return Err(error::bad_input(format!(
            "`edit` has {} wheels to add, and {n_runs} runs were asked for",
            PINS.len()
        ))
        .into());
    }
    bench.build()?;
    let before = bench.graph()?;
    let (podman, peers) = (bench.podman()?, bench.peers()?);
    let shell = Shell::new()?;
    let load = bench
        .xtask_variant(&shell, "load")?
        .args(["--engine", "podman"]);
    bench.set_up("podman has the whole image", podman.storage().on(load))?;
    for installer in [Installer::Uv, Installer::Pip] {
        let context = peers.context(installer, None, None)?;
        let build = peers.build(podman, &shell, &context);
        bench.set_up(&format!("the image of {}", installer.by()), build)?;
    }
    let meter = Meter::new(bench.ctx)?;
    for &(name, version) in &PINS[..n_runs] {
        ours(bench, recorder, &meter, &before, (name, version))?;
        for installer in [Installer::Uv, Installer::Pip] {
            let pin = format!("{name}=={version}");
            let context = peers.context(installer, None, Some(&pin))?;
            Meter::settle();
            let built = meter.run(peers.build(podman, &shell, &context))?.run;
            let import = podman.run(&shell, &[]).arg(peers.tag(&context));
            let runs = meter
                .run(import.args(["python3", "-c", &format!("import {name}")]))?
                .run;
            recorder.add(What::peer(BUILT, installer.by()), built.clone());
            recorder.add(What::peer(RUNS, installer.by()), then(&built, &runs));
        }
    }
    recorder.note("The peers' pin needs no lock, and its wheel is at hand; here it is looked up, locked and fetched.");
    Ok(())
}

fn ours(
    bench: &Bench<'_>,
    recorder: &mut Recorder<'_>,
    meter: &Meter<'_>,
    before: &Graph,
    (name, version): (&str, &str),
) -> Result<()> {
    let podman = bench.podman()?;
    let shell = Shell::new()?;
    let checkout = Checkout::new(bench, "edit")?;
    checkout.append(LIST, &format!("{name}=={version}"))?;
    let variant = bench.wishes.variant.arguments();
    let lock = checkout.xtask(bench, &shell, "update-locks")?;
    Meter::settle();
    let lock = meter
        .run(lock.args(["--variant", &bench.wishes.variant.name]))?
        .run;
    // Nix reads what git knows.
    let add = shell.cmd("git").args(["add", "--all"]);
    bench.set_up("git knows the change", add)?;
    let build = checkout.xtask(bench, &shell, "build-final")?;
    let build = meter
        .run(build.args(variant.split(' ')).arg("--no-load"))?
        .run;
    let built = then(&lock, &build);
    let load = checkout.xtask(bench, &shell, "load")?;
    let load = load.args(variant.split(' ')).args(["--engine", "podman"]);
    let loaded = meter.run(podman.storage().on(load))?;
    let image = loaded.stdout.trim();
    let import = podman.run(&shell, &[]).arg(image);
    let import = import.args(["python3", "-c", &format!("import {name}")]);
    let runs = then(&loaded.run, &meter.run(import)?.run);
    let after = checkout.graph(bench)?;
    check_new(&after, before, name)?;
    for file in new_wheels(&after, before) {
        bench.peers()?.add_wheel(bench, &after, &file)?;
    }
    checkout.forget(bench, before)?;
    recorder.add(What::ours(BUILT, "cargo xtask"), built.clone());
    recorder.add(What::ours(RUNS, "cargo xtask"), then(&built, &runs));
    Ok(())
}

/// A wheel that was locked already measures nothing.
fn check_new(after: &Graph, before: &Graph, name: &str) -> Result<()> {
    let is_new = new_wheels(after, before)
        .iter()
        .any(|file| file.starts_with(name));
    let said = || format!("adding `{name}` changed no lock: a list has it already");
    is_new.then_some(()).with_context(said)
}

/// Names of the wheels that only one of them has.
fn new_wheels(after: &Graph, before: &Graph) -> BTreeSet<String> {
    let nodes = after.iter().map(|(_, node)| node);
    let wheels = nodes.filter(|node| node.is_fixed && node.name.ends_with(".whl"));
    let new = wheels.filter(|node| out_path(before, &node.name, true).is_none());
    new.map(|node| node.name.clone()).collect()
}
