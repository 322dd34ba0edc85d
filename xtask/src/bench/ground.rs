//! What every case stands on: the checkout, the variant in Nix, and a directory for all that is
//! made.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;
use factory_base::{error, process};
use factory_nix::{Graph, Nix, Plan};
use xshell::{Cmd, Shell};

use super::scratch::Scratch;
use crate::ctx::Ctx;
use crate::select::Variant;

/// What the user asked for.
#[derive(Debug)]
pub(crate) struct Wishes<'a> {
    pub(crate) variant: Variant,
    pub(crate) n_runs: u32,
    pub(crate) scratch: Option<&'a Path>,
    pub(crate) comfyui: Option<&'a Path>,
    pub(crate) image_tool: Option<&'a Path>,
}

/// The ground of a run of `bench`.
#[derive(Debug)]
pub(crate) struct Ground<'a> {
    pub(crate) ctx: &'a Ctx,
    pub(crate) wishes: &'a Wishes<'a>,
    pub(crate) scratch: Scratch<'a>,
    factory: OnceCell<Factory>,
}

/// The variant as Nix has it.
#[derive(Debug)]
pub(crate) struct Factory {
    pub(crate) nix: Nix,
    pub(crate) plan: Plan,
}

impl<'a> Ground<'a> {
    /// # Errors
    /// The scratch directory cannot be made.
    pub(crate) fn new(ctx: &'a Ctx, wishes: &'a Wishes<'a>) -> Result<Self> {
        Ok(Self {
            ctx,
            wishes,
            scratch: Scratch::new(ctx, wishes.scratch)?,
            factory: OnceCell::new(),
        })
    }

    /// The variant as Nix has it.
    ///
    /// # Errors
    /// There is no Nix, or the flake cannot be evaluated.
    pub(crate) fn factory(&self) -> Result<&Factory> {
        get_or_try(&self.factory, || {
            let nix = Nix::find_or_provide(self.ctx)?;
            let plan = self.wishes.variant.plan(self.ctx, &nix)?;
            Ok(Factory { nix, plan })
        })
    }

    /// This very program, on the checkout.
    ///
    /// # Errors
    /// It does not know where it lies.
    pub(crate) fn xtask<'s>(&self, shell: &'s Shell, command: &str) -> Result<Cmd<'s>> {
        shell.change_dir(&self.ctx.root);
        let cmd = shell.cmd(std::env::current_exe()?);
        Ok(cmd.arg(command).args(["--quiet", "--plain"]))
    }

    /// The same for a command that takes a variant.
    ///
    /// # Errors
    /// As [`Bench::xtask`].
    pub(crate) fn xtask_variant<'s>(&self, shell: &'s Shell, command: &str) -> Result<Cmd<'s>> {
        let arguments = self.wishes.variant.arguments();
        Ok(self.xtask(shell, command)?.args(arguments.split(' ')))
    }

    /// A text that no earlier run can have used.
    ///
    /// # Errors
    /// The clock stands before 1970.
    pub(crate) fn unique(&self) -> Result<String> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        Ok(format!("{}-{}", std::process::id(), now.as_nanos()))
    }

    /// Builds the whole image, if it is not built.
    ///
    /// # Errors
    /// It cannot be built.
    pub(crate) fn build(&self) -> Result<()> {
        let shell = Shell::new()?;
        self.set_up(
            "the image is built",
            self.xtask_variant(&shell, "build-final")?.arg("--no-load"),
        )?;
        Ok(())
    }

    /// Does something that is not measured.
    ///
    /// # Errors
    /// It fails, or the user asks to stop.
    pub(crate) fn set_up(&self, what: &str, cmd: Cmd<'_>) -> Result<String> {
        self.ctx.ui.step("Preparing", what);
        let mut lines = Vec::new();
        let ((status, text), stdout) =
            process::watch(self.ctx, cmd, |line| lines.extend(line.map(str::to_owned)))?;
        self.ctx.check_interrupted()?;
        process::finish(&text, status, &lines)?;
        Ok(stdout)
    }

    /// All derivations of the image.
    ///
    /// # Errors
    /// The store lacks one.
    pub(crate) fn graph(&self) -> Result<Graph> {
        let factory = self.factory()?;
        let last = factory.plan.layers.last();
        let targets: Vec<String> = last
            .map(|layer| layer.image.drv_path.clone())
            .into_iter()
            .collect();
        Graph::read(&factory.nix, &targets)
    }

    /// The image tool of the store, or the one that the user names.
    ///
    /// # Errors
    /// It is not built.
    pub(crate) fn image_tool(&self) -> Result<PathBuf> {
        if let Some(program) = self.wishes.image_tool {
            return Ok(fs_err::canonicalize(program)?);
        }
        let Factory { nix, plan } = self.factory()?;
        let spec = plan.layers.first().map(|layer| &layer.spec.drv_path);
        let tool = spec.map(|spec| nix.attribute(spec, "imageTool"));
        let program = tool.transpose()?.flatten();
        let program = program.map(|tool| nix.physical(&tool).join("bin/comfy-image"));
        program.filter(|program| program.exists()).ok_or_else(|| {
            error::environment("the image tool is not in the store")
                .hint("build it: `cargo xtask build 1 --variant slim`")
                .into()
        })
    }
}

/// As `OnceCell::get_or_try_init`, which is not stable.
pub(crate) fn get_or_try<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}
