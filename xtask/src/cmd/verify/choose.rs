//! Which checks a run consists of.

use anyhow::Result;

use super::Run;
use super::gather;
use super::imports::Imports;
use factory_base::error;
use factory_model::nearest::nearest;
use factory_verify::check::{Check, GPU_MEMORY, IMPORTS};

/// What is to be run.
pub(super) struct Chosen {
    pub(super) checks: Vec<Check>,
    pub(super) imports: Option<Imports>,
    pub(super) gpu_memory: bool,
}

impl Chosen {
    /// Everything of the layers, or what `--check` names.
    pub(super) fn read(run: &Run<'_>) -> Result<Self> {
        let checks = gather::checks(run.ctx, &run.layers)?;
        let imports = Imports::read(run)?;
        let has_gpu_checks = checks.iter().any(|check| check.gpu);
        let wanted = &run.args.checks;
        let known: Vec<&str> = checks
            .iter()
            .map(|check| check.name.as_str())
            .chain(imports.is_some().then_some(IMPORTS))
            .chain(has_gpu_checks.then_some(GPU_MEMORY))
            .collect();
        for name in wanted {
            if !known.contains(&name.as_str()) {
                let failure =
                    error::bad_input(format!("there is no check `{name}` up to this layer"));
                let failure = match nearest(name, known.iter().copied()) {
                    Some(near) => failure.hint(format!("the nearest name is `{near}`")),
                    None => failure,
                };
                return Err(failure
                    .hint("list them with `cargo xtask verify --list`")
                    .into());
            }
        }
        let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
        Ok(Self {
            imports: imports.filter(|_| wants(IMPORTS)),
            gpu_memory: has_gpu_checks && wants(GPU_MEMORY),
            checks: checks
                .into_iter()
                .filter(|check| wants(&check.name))
                .collect(),
        })
    }
}
