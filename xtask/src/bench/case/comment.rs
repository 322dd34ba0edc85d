//! `comment`: another comment in a runner script, until it is built.

use anyhow::Result;
use xshell::Shell;

use crate::bench::checkout::Checkout;
use crate::bench::dockerfile::{Installer, SCRIPT};
use crate::bench::meter::Meter;
use crate::bench::recorder::{Recorder, What};
use crate::bench::shared::Bench;

const WHAT: &str = "until it is built";

pub(super) fn run(bench: &Bench<'_>, recorder: &mut Recorder<'_>) -> Result<()> {
    bench.build()?;
    let before = bench.graph()?;
    let (podman, peers) = (bench.podman()?, bench.peers()?);
    let shell = Shell::new()?;
    let context = peers.context(Installer::Uv, None, None)?;
    let build = || peers.build(podman, &shell, &context);
    bench.set_up("the Dockerfile's image", build())?;
    let meter = Meter::new(bench.ctx)?;
    for _ in 0..bench.wishes.n_runs {
        // Nobody has built this one before.
        let comment = format!("# {}", bench.unique()?);
        let checkout = Checkout::new(bench, "comment")?;
        checkout.append(SCRIPT, &comment)?;
        // Its directory goes with the clone.
        let inside = Shell::new()?;
        let ours = checkout.xtask(bench, &inside, "build-final")?;
        let ours = ours
            .args(bench.wishes.variant.arguments().split(' '))
            .arg("--no-load");
        Meter::settle();
        let measured = meter.run(ours);
        checkout.forget(bench, &before)?;
        recorder.add(What::ours(WHAT, "cargo xtask"), measured?.run);
        let script = context.join("entrypoint.sh");
        let text = fs_err::read_to_string(&script)?;
        fs_err::write(&script, format!("{text}{comment}\n"))?;
        Meter::settle();
        recorder.add(What::peer(WHAT, "podman build"), meter.run(build())?.run);
    }
    Ok(())
}
