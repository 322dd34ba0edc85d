//! Starting containers: the one place that builds `run` command lines.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::gpu::{self, has_device_node};
use super::invocation::quote;
use super::leftover::{Purpose, label};
use super::{Device, Ended, Engine, EngineKind, GpuAccess, Invocation, Word, child};
use crate::Error;
use factory_base::error::Explain as _;
use factory_base::process;
use factory_base::run::Run;

/// For the first container of an image, whose layers the engine may have to prepare.
const START_LIMIT: Duration = Duration::from_secs(300);

/// Words before a subcommand of podman that starts containers, and words after it.
pub type Way = (&'static [&'static str], &'static [&'static str]);

/// How containers start, in the order of trying: as podman comes, then with flags that some hosts
/// need. Podman's `crun` fails where cgroup versions are mixed, and its default limits where the
/// user may not raise them.
pub const PODMAN_WAYS: [Way; 2] = [
    (&[], &[]),
    (
        &["--runtime", "runc"],
        &[
            "--ulimit",
            "nofile=1024:1024",
            "--ulimit",
            "nproc=4096:4096",
        ],
    ),
];

/// Runs programs inside one image, or on the host itself.
#[derive(Debug)]
pub struct Runner {
    place: Place,
    gpu: GpuAccess,
    devices: Vec<Device>,
}

#[derive(Debug)]
enum Place {
    Container {
        engine: Engine,
        image: String,
        global: Vec<String>,
        local: Vec<String>,
    },
    Host,
}

impl std::fmt::Display for Runner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Place::Container { engine, .. } => engine.fmt(formatter),
            Place::Host => formatter.write_str("host"),
        }
    }
}

impl Runner {
    /// The host itself, for a machine that is already inside the image.
    ///
    /// # Errors
    /// The user asks to stop.
    pub fn host(run: &dyn Run) -> Result<Self> {
        let mut runner = Self {
            place: Place::Host,
            gpu: GpuAccess::Host,
            devices: Vec::new(),
        };
        runner.find_gpu(run, &[GpuAccess::Host])?;
        Ok(runner)
    }

    /// Finds out how containers of this image start here. Those that a killed run left of its
    /// checks are removed before.
    ///
    /// # Errors
    /// None of the known ways starts a container.
    pub fn probe(run: &dyn Run, engine: &Engine, image_id: &str) -> Result<Self> {
        engine.remove_leftovers(run, &[Purpose::Check])?;
        let owned = |arguments: &[&str]| {
            arguments
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        let ways: &[Way] = match engine.kind() {
            EngineKind::Docker => &[(&[], &[])],
            EngineKind::Podman => &PODMAN_WAYS,
        };
        let mut said = String::new();
        for (global, local) in ways {
            let mut runner = Self {
                place: Place::Container {
                    engine: engine.clone(),
                    image: image_id.to_owned(),
                    global: owned(global),
                    local: owned(local),
                },
                gpu: GpuAccess::None(String::new()),
                devices: Vec::new(),
            };
            let trial = Invocation {
                arguments: vec!["true".into()],
                timeout: Some(START_LIMIT),
                ..Invocation::default()
            };
            let ended = runner.run(run, &trial)?;
            if ended.is_success() {
                // The Container Device Interface serves both engines; the flag is older.
                runner.find_gpu(run, &[GpuAccess::Cdi, GpuAccess::Flag])?;
                return Ok(runner);
            }
            said = ended.stderr;
        }
        Err(Error::NoContainer {
            engine: engine.to_string(),
            said: said.trim().to_owned(),
        }
        .failure()
        .into())
    }

    /// Takes the first way by which the driver's own program sees a device.
    fn find_gpu(&mut self, run: &dyn Run, ways: &[GpuAccess]) -> Result<()> {
        let mut reason = "this machine has no `/dev/nvidiactl`".to_owned();
        if has_device_node() {
            for way in ways {
                self.gpu = way.clone();
                match self.devices(run)? {
                    Ok(devices) => {
                        self.devices = devices;
                        return Ok(());
                    }
                    Err(said) => reason = said,
                }
            }
        }
        self.gpu = GpuAccess::None(reason);
        Ok(())
    }

    /// What the driver says of the GPUs now; else why it says nothing.
    ///
    /// # Errors
    /// The user asks to stop.
    pub fn devices(&self, run: &dyn Run) -> Result<Result<Vec<Device>, String>> {
        let query = gpu::query();
        if matches!(self.place, Place::Host) && process::find("nvidia-smi").is_none() {
            return Ok(Err("`nvidia-smi` is not on PATH".to_owned()));
        }
        let ended = self.run(run, &query)?;
        let devices = gpu::parse_devices(&ended.stdout).filter(|_| ended.is_success());
        Ok(devices.ok_or_else(|| {
            let said = ended.stderr.lines().chain(ended.stdout.lines()).last();
            let way = self.gpu.arguments().join(" ");
            format!(
                "`nvidia-smi` in {self} {way}: {}",
                said.unwrap_or("said nothing").trim()
            )
        }))
    }

    /// The words before and after `run` that this machine needs; none on the host.
    pub fn start_options(&self) -> (&[String], &[String]) {
        match &self.place {
            Place::Container { global, local, .. } => (global, local),
            Place::Host => (&[], &[]),
        }
    }

    /// How programs reach a GPU.
    pub fn gpu(&self) -> &GpuAccess {
        &self.gpu
    }

    /// The GPUs as they were when this was made.
    pub fn known_devices(&self) -> &[Device] {
        &self.devices
    }

    /// The image, by its ID; `None` on the host.
    pub fn image_id(&self) -> Option<&str> {
        match &self.place {
            Place::Container { image, .. } => Some(image),
            Place::Host => None,
        }
    }

    /// The command line of an invocation, for a user to repeat it from the checkout's root.
    pub fn command_text(&self, invocation: &Invocation) -> String {
        let mut words: Vec<String> = self
            .prefix(invocation, None)
            .iter()
            .map(|word| quote(word))
            .collect();
        words.extend(invocation.arguments.iter().map(Word::shown));
        if matches!(self.place, Place::Host) {
            let variables = invocation.environment.iter();
            let variables = variables.map(|(name, value)| format!("{name}={}", quote(value)));
            words.splice(0..0, variables);
        }
        if let Some(path) = &invocation.stdin.path {
            words.push(format!("< {}", quote(&path.to_string_lossy())));
        }
        words.join(" ")
    }

    /// Runs a program to its end or its time limit.
    ///
    /// # Errors
    /// It cannot be started, or the user asks to stop.
    pub fn run(&self, run: &dyn Run, invocation: &Invocation) -> Result<Ended> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("xtask-{}-{number}", std::process::id());
        let owner = label(Purpose::Check)?;
        let mut words = self.prefix(invocation, Some((&name, &owner)));
        words.extend(
            invocation
                .arguments
                .iter()
                .map(|word| word.text().to_owned()),
        );
        run.detail(&format!("$ {}", self.command_text(invocation)));
        let (program, arguments) = words.split_first().context("a command without words")?;
        let mut command = Command::new(program);
        command.args(arguments);
        let on_host = matches!(self.place, Place::Host);
        if on_host {
            let variables = invocation.environment.iter();
            command.envs(variables.map(|(name, value)| (name, value)));
        }
        child::run(run, command, invocation, on_host, || self.stop(&name))
    }

    /// Killing the client does not end the container.
    fn stop(&self, name: &str) {
        if let Place::Container { engine, .. } = &self.place {
            // Podman would first ask it to stop, and wait ten seconds.
            let at_once: &[&str] = match engine.kind() {
                EngineKind::Docker => &[],
                EngineKind::Podman => &["--time", "0"],
            };
            let program = engine.kind().program();
            let mut remove = Command::new(program);
            remove
                .args(["rm", "--force", "--volumes"])
                .args(at_once)
                .arg(name)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            // The container may have ended by itself; there is nobody left to tell.
            let _removed =
                process::spawn(&mut remove, program).and_then(|mut child| Ok(child.wait()?));
        }
    }

    /// All that comes before the program itself. Checks need no network, and a host without
    /// a bridge has none to give.
    fn prefix(&self, invocation: &Invocation, name: Option<(&str, &str)>) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut push = |more: &[&str]| words.extend(more.iter().map(|word| (*word).to_owned()));
        if let Place::Container {
            engine,
            image,
            global,
            local,
        } = &self.place
        {
            push(&[engine.kind().program()]);
            push(&global.iter().map(String::as_str).collect::<Vec<_>>());
            push(&["run", "--rm", "--interactive", "--network", "none"]);
            push(&local.iter().map(String::as_str).collect::<Vec<_>>());
            if let Some((name, owner)) = name {
                push(&["--name", name, owner]);
            }
            if invocation.gpu {
                push(self.gpu.arguments());
            }
            for (directory, at) in &invocation.mounts {
                push(&["--volume", &format!("{}:{at}:ro", directory.display())]);
            }
            for (name, value) in &invocation.environment {
                push(&["--env", &format!("{name}={value}")]);
            }
            // The first word of a command would be taken by an entrypoint of the image.
            push(&["--entrypoint", ""]);
            push(&[image]);
        }
        words
    }
}
