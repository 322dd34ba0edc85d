//! `run`: from an image to ComfyUI's address, with its log, until Ctrl-C.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use fs_err as fs;

use crate::cli::RunArgs;
use crate::ctx::Ctx;
use crate::loading;
use crate::realize;
use factory_base::error;
use factory_base::process;
use factory_verify::engine::{Engine, EngineKind};

pub(super) fn run(ctx: &Ctx, args: &RunArgs) -> Result<()> {
    if args.dry_run {
        let kind = args.engine.map_or(EngineKind::Docker, EngineKind::from);
        let image = args.image.as_deref().unwrap_or("IMAGE");
        let words = command_line(kind, args, image, &args.storage, args.models.as_deref());
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
            let realized = realize::realize(ctx, selection)?;
            loading::load(ctx, &engine, &realized)?;
            realized.image.reference.to_string()
        }
    };
    // Made here, they belong to who runs this, and not to the engine's root.
    let storage = directory(&args.storage)?;
    let models = args.models.as_deref().map(directory).transpose()?;
    let words = command_line(engine.kind(), args, &image, &storage, models.as_deref());
    ctx.ui.step(
        "Running",
        format!(
            "{image}: http://127.0.0.1:{} once it answers; Ctrl-C stops it",
            args.port
        ),
    );
    ctx.ui.detail(words.join(" "));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    // The engine's client forwards the signal, and its exit status is ComfyUI's.
    Err(process::replace(&mut command))
}

fn directory(path: &Path) -> Result<std::path::PathBuf> {
    fs::create_dir_all(path)?;
    Ok(fs::canonicalize(path)?)
}

fn command_line(
    kind: EngineKind,
    args: &RunArgs,
    image: &str,
    storage: &Path,
    models: Option<&Path>,
) -> Vec<String> {
    let mut words = vec![
        kind.program().to_owned(),
        "run".to_owned(),
        "--rm".to_owned(),
        format!("--publish=127.0.0.1:{}:8188", args.port),
        format!("--volume={}:/root", storage.display()),
        "--security-opt=no-new-privileges".to_owned(),
    ];
    if let Some(models) = models {
        words.push(format!(
            "--volume={}:/root/ComfyUI/models",
            models.display()
        ));
    }
    match kind {
        _ if args.cpu => {}
        EngineKind::Docker => words.push("--gpus=all".to_owned()),
        EngineKind::Podman => words.push("--device=nvidia.com/gpu=all".to_owned()),
    }
    words.push(image.to_owned());
    words.extend(["bash", "/runner-scripts/entrypoint.sh"].map(str::to_owned));
    if args.cpu {
        words.push("--cpu".to_owned());
    }
    words.extend(args.arguments.iter().cloned());
    words
}
