//! Where the checks run: the image that was built, another image by name, or the host.

use std::collections::BTreeSet;

use anyhow::Result;
use comfy_image::image::Image;

use crate::check::{Body, Check, ImageConfig};
use crate::engine::{Engine, EngineImage, GpuAccess, Invocation, Runner};
use crate::report::{CheckReport, DeviceReport, GpuReport, ImageReport, RuntimeReport, Verdict};
use crate::{Error, GpuMode, Subject};
use factory_base::error::Explain as _;
use factory_base::process;
use factory_base::run::Run;

/// Prints the name of each installed distribution.
const LIST_DISTRIBUTIONS: &str = "import importlib.metadata\n\
    for one in importlib.metadata.distributions(): print(one.metadata['Name'])";

/// Where the checks run.
#[derive(Debug)]
pub struct Place {
    pub(super) runner: Runner,
    /// What the checks run in; `None` on the host.
    container: Option<(Engine, CheckedImage)>,
    /// Normalized names; `None` where nothing says which there are.
    distributions: Option<BTreeSet<String>>,
    gpu_mode: GpuMode,
}

/// The image that the checks run in.
#[derive(Debug)]
pub struct CheckedImage {
    reference: String,
    found: EngineImage,
    /// What it must be; `None` for one that the user names.
    built: Option<Image>,
}

impl CheckedImage {
    /// The image that the user names, whatever it is.
    ///
    /// # Errors
    /// The engine has none of this name, or fails.
    pub fn named(engine: &Engine, name: &str) -> Result<Self> {
        let Some(found) = engine.inspect(name)? else {
            let (engine, name) = (engine.to_string(), name.to_owned());
            return Err(Error::NoImage { engine, name }.failure().into());
        };
        Ok(Self {
            reference: name.to_owned(),
            found,
            built: None,
        })
    }

    /// The image that was built, if its name stands for it; `load` is the command that puts
    /// it into the engine.
    ///
    /// # Errors
    /// The engine has another image of this name, or fails.
    pub fn as_built(engine: &Engine, image: Image, load: String) -> Result<Self> {
        let reference = image.reference.to_string();
        let found = engine.inspect(&reference)?;
        let found = found.ok_or_else(|| {
            Error::NotKept {
                engine: engine.to_string(),
                name: reference.clone(),
            }
            .failure()
        })?;
        if !found.is(&image) {
            return Err(Error::NotAsBuilt {
                engine: engine.to_string(),
                reference,
                expected: image.config.digest.to_string(),
                found: format!("sha256:{}", found.id.trim_start_matches("sha256:")),
                load,
            }
            .failure()
            .into());
        }
        Ok(Self {
            reference,
            found,
            built: Some(image),
        })
    }
}

impl Place {
    /// Containers of an image.
    ///
    /// # Errors
    /// No container starts, or a GPU is asked for and there is none.
    pub fn containers(
        run: &dyn Run,
        subject: &Subject,
        engine: Engine,
        image: CheckedImage,
    ) -> Result<Self> {
        let locked = subject.locked.as_ref();
        Self {
            runner: Runner::probe(run, &engine, &image.found.id)?,
            container: Some((engine, image)),
            distributions: locked.map(|locked| locked.distributions.clone()),
            gpu_mode: subject.gpu,
        }
        .with_required_gpu()
    }

    /// This machine itself; `normalized` is the normalized form of a distribution's name.
    ///
    /// # Errors
    /// A GPU is asked for and there is none, or the user asks to stop.
    pub fn host(
        run: &dyn Run,
        subject: &Subject,
        normalized: impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let runner = Runner::host(run)?;
        let mut distributions = BTreeSet::new();
        if process::find("python3").is_some() {
            let words = ["python3", "-c", LIST_DISTRIBUTIONS];
            let invocation = Invocation {
                arguments: words.map(Into::into).to_vec(),
                ..Invocation::default()
            };
            let ended = runner.run(run, &invocation)?;
            let names = ended.stdout.lines();
            distributions.extend(names.filter_map(|name| normalized(name.trim())));
        }
        Self {
            runner,
            container: None,
            distributions: Some(distributions),
            gpu_mode: subject.gpu,
        }
        .with_required_gpu()
    }

    fn with_required_gpu(self) -> Result<Self> {
        match (self.gpu_mode, self.no_gpu()) {
            (GpuMode::Require, Some(reason)) => Err(Error::NoGpu { reason }.failure().into()),
            _ => Ok(self),
        }
    }

    pub(super) fn is_host(&self) -> bool {
        self.container.is_none()
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
            Body::Config(_) => {
                return Some("a host has no image configuration".into());
            }
            Body::Python(_) if process::find("python3").is_none() => {
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
            (_, GpuAccess::None(reason)) => Some(reason.clone()),
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
        subject: &Subject,
        expected: &ImageConfig,
        report: &mut CheckReport,
    ) {
        let Some((engine, image)) = &self.container else {
            return;
        };
        let differences = expected.differences(&image.found.config, &subject.attribute);
        report.command = Some(format!("{engine} image inspect {}", image.found.id));
        if !differences.is_empty() {
            report.result = Verdict::Failed;
            report.reason = Some(format!("{} as declared", not(differences.len())));
            report.output = differences;
        }
    }

    /// The image, for a report; `None` on the host.
    pub fn image_report(&self) -> Option<ImageReport> {
        let (_, image) = self.container.as_ref()?;
        let built = image.built.as_ref();
        Some(ImageReport {
            reference: image.reference.clone(),
            id: image.found.id.clone(),
            config_digest: built.map(|built| built.config.digest.to_string()),
            manifest_digest: built.map(|built| built.manifest.digest.to_string()),
            is_as_built: built.is_some(),
        })
    }

    /// Where the checks run, for a report.
    ///
    /// # Errors
    /// The engine does not say its version.
    pub fn runtime_report(&self) -> Result<RuntimeReport> {
        let version = match &self.container {
            Some((engine, _)) => engine.version()?,
            None => self.runner.to_string(),
        };
        Ok(RuntimeReport {
            name: self.runner.to_string(),
            version,
        })
    }

    /// The GPUs, for a report.
    pub fn gpu_report(&self) -> GpuReport {
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
