//! `import-torch` and `comfyui-start`: a fresh container, and the next times in it.

use anyhow::{Context as _, Result};
use factory_base::error;
use factory_bench::Run;
use factory_verify::engine::{Engine, EngineKind, Runner};
use xshell::{Cmd, Shell};

use crate::bench::meter::Meter;
use crate::bench::recorder::{Recorder, What};
use crate::bench::shared::Bench;

const FRESH: &str = "fresh container";

pub(super) fn import_torch(bench: &Bench<'_>, recorder: &mut Recorder<'_>) -> Result<()> {
    let container = Container::new(bench)?;
    let shell = Shell::new()?;
    measure(bench, recorder, "import torch", || {
        container.run(bench, &shell, &[]).args(["import", "torch"])
    })
}

pub(super) fn comfyui(bench: &Bench<'_>, recorder: &mut Recorder<'_>) -> Result<()> {
    let checkout = bench.wishes.comfyui.ok_or_else(|| {
        error::bad_input("`comfyui-start` needs a checkout of ComfyUI, which `slim` does not carry")
            .hint("name one: `--comfyui DIR`")
    })?;
    let container = Container::new(bench)?;
    // Starts write byte code and settings; that is not for the user's checkout.
    let copy = bench.scratch.empty("comfyui")?;
    let shell = Shell::new()?;
    let cp = shell.cmd("cp").args(["-a", "--no-preserve=ownership"]);
    bench.set_up("a copy of ComfyUI", cp.arg(checkout.join(".")).arg(&copy))?;
    let options = [
        format!("--volume={}:/ComfyUI", copy.display()),
        "--env=COMFYUI_DIR=/ComfyUI".to_owned(),
    ];
    let start = || container.run(bench, &shell, &options).arg("comfyui");
    bench.set_up("a first start, which compiles ComfyUI", start())?;
    measure(bench, recorder, "until the first answer with 200", start)
}

/// The image in the user's podman.
struct Container {
    runner: Runner,
    image: String,
}

impl Container {
    fn new(bench: &Bench<'_>) -> Result<Self> {
        let shell = Shell::new()?;
        let load = bench
            .xtask_variant(&shell, "load")?
            .args(["--engine", "podman"]);
        let image = bench
            .set_up("podman has the image", load)?
            .trim()
            .to_owned();
        let engine = Engine::require(EngineKind::Podman)?;
        let runner = Runner::probe(bench.ctx, &engine, &image)?;
        Ok(Self { runner, image })
    }

    /// `scripts/start-time.py` in a container; its arguments come next.
    fn run<'s>(&self, bench: &Bench<'_>, shell: &'s Shell, options: &[String]) -> Cmd<'s> {
        let (global, local) = self.runner.start_options();
        let scripts = format!(
            "--volume={}:/scripts:ro",
            bench.ctx.root.join("scripts").display()
        );
        let cmd = shell.cmd("podman").args(global);
        let cmd = cmd.args(["run", "--rm", "--network", "none", "--entrypoint", ""]);
        let cmd = cmd.args(local).arg(scripts).args(options).arg(&self.image);
        cmd.args(["python3", "/scripts/start-time.py"])
    }
}

fn measure<'s>(
    bench: &Bench<'_>,
    recorder: &mut Recorder<'_>,
    what: &str,
    start: impl Fn() -> Cmd<'s>,
) -> Result<()> {
    let meter = Meter::new(bench.ctx)?;
    for _ in 0..bench.wishes.n_runs {
        let metered = meter.run(start())?;
        bench.ctx.check_interrupted()?;
        for (line, by) in metered
            .stdout
            .lines()
            .zip([FRESH, "second time", "third time"])
        {
            let run = parse(line).with_context(|| format!("`{line}` is no time"))?;
            let what = match by {
                FRESH => What::ours(what, by),
                _ => What::peer(what, by),
            };
            recorder.add(what, run);
        }
    }
    Ok(())
}

/// `4.63 s, 4.50 s of a processor`.
fn parse(line: &str) -> Option<Run> {
    let (wall, rest) = line.split_once(" s, ")?;
    let (cpu, _) = rest.split_once(" s of a processor")?;
    Some(Run {
        wall_seconds: wall.parse().ok()?,
        cpu_seconds: cpu.parse().ok()?,
        ..Run::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_what_the_script_prints() {
        let run = parse("4.63 s, 4.50 s of a processor").unwrap();
        assert_eq!((run.wall_seconds, run.cpu_seconds), (4.63, 4.5));
        assert!(parse("Traceback (most recent call last):").is_none());
    }
}
