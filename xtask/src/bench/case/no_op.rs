//! `no-op`: nothing to do.

use anyhow::Result;
use xshell::Shell;

use crate::bench::dockerfile::Installer;
use crate::bench::meter::Meter;
use crate::bench::recorder::{Recorder, What};
use crate::bench::shared::Bench;

pub(super) fn run(bench: &Bench<'_>, recorder: &mut Recorder<'_>) -> Result<()> {
    bench.build()?;
    let (podman, peers) = (bench.podman()?, bench.peers()?);
    let context = peers.context(Installer::Uv, None, None)?;
    let shell = Shell::new()?;
    let build = || peers.build(podman, &shell, &context);
    bench.set_up("the Dockerfile's image", build())?;
    let meter = Meter::new(bench.ctx)?;
    for _ in 0..bench.wishes.n_runs {
        let ours = bench.xtask_variant(&shell, "build-final")?.arg("--no-load");
        recorder.add(
            What::ours("nothing to do", "cargo xtask"),
            meter.run(ours)?.run,
        );
        let peer = meter.run(build())?.run;
        recorder.add(What::peer("nothing to do", "podman build"), peer);
    }
    Ok(())
}
