//! `run`: from an image to ComfyUI's address, with its log, until Ctrl-C.

use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err as fs;

use crate::cli::RunArgs;
use crate::ctx::Ctx;
use crate::exit::Passed;
use crate::loading;
use crate::realize;
use factory_base::error;
use factory_verify::engine::{self, Engine, EngineKind, GpuAccess, Purpose, Runner};

/// What the engine's command line is made of.
struct Start<'a> {
    kind: EngineKind,
    /// What this machine needs before and after `run`, and the label.
    global: &'a [String],
    local: &'a [String],
    gpu: &'a [&'a str],
    image: &'a str,
    storage: &'a Path,
    models: Option<&'a Path>,
}

pub(super) fn run(ctx: &Ctx, args: &RunArgs) -> Result<()> {
    if args.dry_run {
        let words = usual(args).words(args);
        ctx.ui.data(words.join(" "))?;
        return Ok(());
    }
    let engine = match args.engine {
        Some(kind) => Engine::require(kind.into())?,
        None => Engine::first()?.ok_or_else(|| {
            error::environment(
                "no container engine answers: neither `docker info` nor `podman info` succeeds",
            )
            .hint("run `cargo xtask doctor` to see what this machine lacks")
        })?,
    };
    let image = match &args.image {
        Some(image) => image.clone(),
        None => {
            let selection =
                realize::selection(ctx, &args.variant, factory_model::layer::LAST, None)?;
            let realized = realize::realize(ctx, selection.or(&args.instead))?;
            loading::load(ctx, &engine, &realized)?;
            realized.image.reference.to_string()
        }
    };
    let purpose = Purpose::Run(args.port);
    engine.remove_leftovers(ctx, &[purpose])?;
    let runner = Runner::probe(ctx, &engine, &image)?;
    let (global, local) = runner.start_options();
    let mut local = local.to_vec();
    local.push(engine::label(purpose)?);
    // Made here, they belong to who runs this, and not to the engine's root.
    let storage = directory(&args.storage)?;
    let models = args.models.as_deref().map(directory).transpose()?;
    let words = Start {
        kind: engine.kind(),
        global,
        local: &local,
        gpu: gpu(args, &runner)?,
        image: &image,
        storage: &storage,
        models: models.as_deref(),
    }
    .words(args);
    ctx.ui.step(
        "Running",
        format!(
            "{image}: http://127.0.0.1:{} once it answers; Ctrl-C stops it",
            args.port
        ),
    );
    ctx.ui.detail(words.join(" "));
    ctx.check_interrupted()?;
    let status = engine.attend(ctx, &words, &container(args))?;
    match status.code() {
        Some(0) => Ok(()),
        // ComfyUI's own, or what the engine says of a container that it cannot start.
        Some(code) => Err(Passed(u8::try_from(code).unwrap_or(1)).into()),
        None => Err(error::environment(format!("`{}` ended with {status}", words[0])).into()),
    }
}

/// The container's name.
fn container(args: &RunArgs) -> String {
    format!("comfyui-{}", args.port)
}

/// The options by which this engine was seen to give containers a GPU.
fn gpu(args: &RunArgs, runner: &Runner) -> Result<&'static [&'static str]> {
    match runner.gpu() {
        _ if args.cpu => Ok(&[]),
        GpuAccess::None(reason) => Err(error::environment(format!("no GPU: {reason}"))
            .hint("`--cpu` computes on the processor")
            .hint("containers get GPUs from NVIDIA's container toolkit: `nvidia-ctk cdi generate --output /etc/cdi/nvidia.yaml`")
            .into()),
        access => Ok(access.arguments()),
    }
}

/// As it is on most machines; nothing is asked of this one.
fn usual(args: &RunArgs) -> Start<'_> {
    let kind = args.engine.map_or(EngineKind::Docker, EngineKind::from);
    let access = match kind {
        EngineKind::Docker => GpuAccess::Flag,
        EngineKind::Podman => GpuAccess::Cdi,
    };
    Start {
        kind,
        global: &[],
        local: &[],
        gpu: if args.cpu { &[] } else { access.arguments() },
        image: args.image.as_deref().unwrap_or("IMAGE"),
        storage: &args.storage,
        models: args.models.as_deref(),
    }
}

fn directory(path: &Path) -> Result<PathBuf> {
    fs::create_dir_all(path)?;
    Ok(fs::canonicalize(path)?)
}

impl Start<'_> {
    fn words(&self, args: &RunArgs) -> Vec<String> {
        let mut words = vec![self.kind.program().to_owned()];
        words.extend_from_slice(self.global);
        words.extend(["run", "--rm"].map(str::to_owned));
        words.push(format!("--name={}", container(args)));
        words.extend_from_slice(self.local);
        words.push(format!("--publish=127.0.0.1:{}:8188", args.port));
        words.push(format!("--volume={}:/root", self.storage.display()));
        words.push("--security-opt=no-new-privileges".to_owned());
        if let Some(models) = self.models {
            words.push(format!(
                "--volume={}:/root/ComfyUI/models",
                models.display()
            ));
        }
        words.extend(self.gpu.iter().map(|word| (*word).to_owned()));
        words.extend_from_slice(&args.engine_option);
        words.push(self.image.to_owned());
        words.extend(["bash", "/runner-scripts/entrypoint.sh"].map(str::to_owned));
        if args.cpu {
            words.push("--cpu".to_owned());
        }
        words.extend(args.arguments.iter().cloned());
        words
    }
}
