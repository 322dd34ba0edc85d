//! Where the checks run: the image that was built, another image by name, or the host.

use std::collections::BTreeSet;

use anyhow::Result;
use comfy_image::image::Image;

use super::Run;
use crate::cli::{GpuMode, Runtime};
use crate::loading;
use crate::realize;
use factory_base::error;
use factory_base::process;
use factory_model::lock::PythonLock;
use factory_resolve::python::{self, PackageName};
use factory_verify::check::{Check, ImageConfig};
use factory_verify::engine::{Engine, EngineImage, EngineKind, Invocation, Runner};
use factory_verify::report::{
    CheckReport, DeviceReport, GpuReport, ImageReport, RuntimeReport, Verdict,
};

/// Prints the name of each installed distribution.
const LIST_DISTRIBUTIONS: &str = "import importlib.metadata\n\
    for one in importlib.metadata.distributions(): print(one.metadata['Name'])";

/// Where the checks run.
pub(super) struct Place {
    pub(super) runner: Runner,
    image: Option<ImageInEngine>,
    engine: Option<Engine>,
    /// Normalized names; `None` where nothing says which there are.
    distributions: Option<BTreeSet<String>>,
    gpu_mode: GpuMode,
}

/// The image that the checks run in.
struct ImageInEngine {
    reference: String,
    found: EngineImage,
    /// What it must be; `None` with `--image`.
    built: Option<Image>,
}

impl Place {
    /// Builds, loads and starts what the user's words ask for.
    pub(super) fn find(run: &Run<'_>) -> Result<Self> {
        let engine = match run.args.runtime {
            Some(Runtime::Host) => return Self::host(run),
            Some(Runtime::Docker) => Engine::require(EngineKind::Docker)?,
            Some(Runtime::Podman) => Engine::require(EngineKind::Podman)?,
            None => Engine::first()?.ok_or_else(|| {
                error::environment(
                    "no container engine answers: neither `docker info` nor `podman info` succeeds",
                )
                .hint("start one, for example with `systemctl start docker`")
                .hint("inside a container of the image itself: `cargo xtask verify --runtime host`")
            })?,
        };
        let image = match &run.args.image {
            Some(name) => named(&engine, name)?,
            None => as_built(run, &engine)?,
        };
        let distributions = python_lock(run)?.map(|lock| lock.distributions(&run.all, &run.layers));
        Ok(Self {
            runner: Runner::probe(run.ctx, &engine, &image.found.id)?,
            image: Some(image),
            engine: Some(engine),
            distributions,
            gpu_mode: run.args.gpu,
        })
    }

    fn host(run: &Run<'_>) -> Result<Self> {
        let runner = Runner::host(run.ctx)?;
        let mut distributions = BTreeSet::new();
        if process::find("python3").is_some() {
            let invocation = Invocation {
                arguments: ["python3", "-c", LIST_DISTRIBUTIONS]
                    .map(Into::into)
                    .to_vec(),
                ..Invocation::default()
            };
            let ended = runner.run(run.ctx, &invocation)?;
            let names = ended
                .stdout
                .lines()
                .filter_map(|name| name.trim().parse().ok());
            distributions.extend(names.map(|name: PackageName| name.to_string()));
        }
        Ok(Self {
            runner,
            image: None,
            engine: None,
            distributions: Some(distributions),
            gpu_mode: run.args.gpu,
        })
    }

    pub(super) fn is_host(&self) -> bool {
        self.engine.is_none()
    }

    /// Why a check makes no sense here: what it is about is not here and need not be.
    pub(super) fn lacks(&self, check: &Check) -> Option<String> {
        let needs = &check.needs;
        if let Some(known) = &self.distributions {
            let missing = needs
                .distributions
                .iter()
                .find(|name| !known.contains(*name));
            if let Some(name) = missing {
                return Some(match self.is_host() {
                    true => format!("this machine's Python has no `{name}`"),
                    false => format!("the variant leaves out `{name}`"),
                });
            }
        }
        if !self.is_host() {
            return None;
        }
        let program = |name: &&String| process::find(name).is_none();
        if let Some(name) = needs.programs.iter().find(program) {
            return Some(format!("this machine has no program `{name}`"));
        }
        match &check.body {
            factory_verify::check::Body::Config(_) => {
                return Some("a host has no image configuration".into());
            }
            factory_verify::check::Body::Python(_) if process::find("python3").is_none() => {
                return Some("this machine has no program `python3`".into());
            }
            _ => {}
        }
        let file = needs.files.iter().find(|path| !path.exists())?;
        Some(format!("this machine has no `{}`", file.display()))
    }

    /// Why no check can have a GPU.
    pub(super) fn no_gpu(&self) -> Option<String> {
        match (self.gpu_mode, self.runner.gpu()) {
            (GpuMode::Off, _) => Some("`--gpu off`".to_owned()),
            (_, factory_verify::engine::GpuAccess::None(reason)) => Some(reason.clone()),
            _ => None,
        }
    }

    /// Why this check cannot have the GPU it needs.
    pub(super) fn no_gpu_for(&self, check: &Check) -> Option<String> {
        if !check.gpu {
            return None;
        }
        if let Some(reason) = self.no_gpu() {
            return Some(format!("no GPU: {reason}"));
        }
        let (major, minor) = check.compute_capability?;
        // Programs take the first device.
        let device = self.runner.known_devices().first()?;
        let (has_major, has_minor) = device.compute_capability;
        ((has_major, has_minor) < (major, minor)).then(|| {
            format!(
                "needs compute capability {major}.{minor}; {} has {has_major}.{has_minor}",
                device.name
            )
        })
    }

    /// Compares the engine's description of the image with the declared one.
    pub(super) fn check_config(
        &self,
        run: &Run<'_>,
        expected: &ImageConfig,
        report: &mut CheckReport,
    ) {
        let (Some(image), Some(engine)) = (&self.image, &self.engine) else {
            return;
        };
        let differences = expected.differences(&image.found.config, &run.variant.attribute());
        report.command = Some(format!("{engine} image inspect {}", image.found.id));
        if !differences.is_empty() {
            report.result = Verdict::Failed;
            report.reason = Some(format!("{} as declared", not(differences.len())));
            report.output = differences;
        }
    }

    pub(super) fn image_report(&self) -> Option<ImageReport> {
        let image = self.image.as_ref()?;
        let built = image.built.as_ref();
        Some(ImageReport {
            reference: image.reference.clone(),
            id: image.found.id.clone(),
            config_digest: built.map(|built| built.config.digest.to_string()),
            manifest_digest: built.map(|built| built.manifest.digest.to_string()),
            is_as_built: built.is_some(),
        })
    }

    pub(super) fn runtime_report(&self) -> Result<RuntimeReport> {
        let version = match &self.engine {
            Some(engine) => engine.version()?,
            None => self.runner.to_string(),
        };
        Ok(RuntimeReport {
            name: self.runner.to_string(),
            version,
        })
    }

    pub(super) fn gpu_report(&self) -> GpuReport {
        let devices = self.runner.known_devices().iter();
        GpuReport {
            access: self.runner.gpu().name().to_owned(),
            reason: self.no_gpu(),
            devices: devices
                .map(|device| DeviceReport {
                    name: device.name.clone(),
                    compute_capability: format!(
                        "{}.{}",
                        device.compute_capability.0, device.compute_capability.1
                    ),
                    driver_version: device.driver_version.clone(),
                    memory_mib: device.memory_mib,
                })
                .collect(),
        }
    }
}

fn not(n: usize) -> String {
    match n {
        1 => "1 thing is not".to_owned(),
        n => format!("{n} things are not"),
    }
}

/// The image that the user names, whatever it is.
fn named(engine: &Engine, name: &str) -> Result<ImageInEngine> {
    match engine.inspect(name)? {
        Some(found) => Ok(ImageInEngine {
            reference: name.to_owned(),
            found,
            built: None,
        }),
        None => Err(
            error::environment(format!("{engine} has no image `{name}`"))
                .hint(format!("`{engine} images` lists what it has"))
                .into(),
        ),
    }
}

/// The image of the plan: built and loaded if need be, and the one that its name stands for.
fn as_built(run: &Run<'_>, engine: &Engine) -> Result<ImageInEngine> {
    let selection = realize::selection(run.ctx, &run.args.variant, &run.layer().to_string(), None)?;
    let realized = realize::realize(run.ctx, selection)?;
    let image = &realized.image;
    let reference = image.reference.to_string();
    if engine.inspect(&reference)?.is_none() {
        loading::load(run.ctx, engine, &realized)?;
    }
    let found = engine.inspect(&reference)?;
    let found = found
        .ok_or_else(|| anyhow::anyhow!("{engine} has loaded `{reference}` and does not know it"))?;
    if !found.is(image) {
        return Err(not_as_built(engine, image, &found)
            .hint(format!(
                "put it there: `cargo xtask load {} {} --engine {engine}`",
                run.layer().short(),
                run.variant.arguments()
            ))
            .hint(format!(
                "check the one that is there: `--image {reference}`"
            ))
            .into());
    }
    Ok(ImageInEngine {
        reference,
        found,
        built: Some(realized.image),
    })
}

fn not_as_built(engine: &Engine, image: &Image, found: &EngineImage) -> error::Failure {
    let id = found.id.trim_start_matches("sha256:");
    error::not_right(format!(
        "`{}` in {engine} is not the image that was just built\n  expected: {}\n  found:    sha256:{id}",
        image.reference, image.config.digest
    ))
}

/// The lock of the variant, as its image has it; `None` where it has none yet.
pub(super) fn python_lock(run: &Run<'_>) -> Result<Option<PythonLock>> {
    let Some(found) = python::read_lock(run.ctx, &run.variant.name)? else {
        return Ok(None);
    };
    let mut lock = found.lock;
    if run.variant.without_git {
        lock.git.clear();
    }
    Ok(Some(lock))
}
