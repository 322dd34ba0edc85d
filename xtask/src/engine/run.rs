//! Starting containers: the one place that builds `run` command lines.

use std::io::{Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::{Engine, EngineKind};
use crate::ctx::Ctx;
use crate::error;
use crate::process;

/// How often a running container is looked at.
const TICK: Duration = Duration::from_millis(20);

/// How much of each stream is kept: a check says little, a runaway must not fill the memory.
const KEPT_BYTES: u64 = 16 << 20;

/// Flags that some hosts need, in the order of trying. Podman's `crun` fails where cgroup
/// versions are mixed, and its default limits where the user may not raise them.
const PODMAN_FALLBACK: [&str; 2] = ["--runtime", "runc"];
const PODMAN_LIMITS: [&str; 4] = [
    "--ulimit",
    "nofile=1024:1024",
    "--ulimit",
    "nproc=4096:4096",
];

/// Whether containers here can use a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gpu {
    /// Not asked for, or not there.
    None,
    /// `docker run --gpus all`.
    Flag,
    /// The CDI name of all GPUs.
    Cdi,
    /// The programs run on the host itself.
    Host,
}

impl Gpu {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::None | Self::Host => &[],
            Self::Flag => &["--gpus", "all"],
            Self::Cdi => &["--device", "nvidia.com/gpu=all"],
        }
    }
}

/// Runs programs inside one image, or on the host itself.
#[derive(Debug)]
pub struct Runner {
    place: Place,
    gpu: Gpu,
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

/// A program to run and how.
#[derive(Debug, Clone, Default)]
pub struct Invocation {
    /// Program and arguments.
    pub arguments: Vec<String>,
    /// What it reads from stdin.
    pub stdin: Vec<u8>,
    /// Its limit; `None` for no limit.
    pub timeout: Option<Duration>,
    /// Whether it needs the GPU.
    pub gpu: bool,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    /// It was stopped at its time limit.
    pub timed_out: bool,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
    /// Wall time.
    pub took: Duration,
}

impl Ended {
    /// Ended by itself with status 0.
    pub fn is_success(&self) -> bool {
        self.status == Some(0) && !self.timed_out
    }
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
    pub fn host() -> Self {
        let gpu = if has_gpu_device() {
            Gpu::Host
        } else {
            Gpu::None
        };
        Self {
            place: Place::Host,
            gpu,
        }
    }

    /// Finds out how containers of this image start here.
    ///
    /// # Errors
    /// None of the known ways starts a container.
    pub fn probe(ctx: &Ctx, engine: &Engine, image_id: &str) -> Result<Self> {
        let owned = |arguments: &[&str]| {
            arguments
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        let ways: &[(&[&str], &[&str])] = match engine.kind() {
            EngineKind::Docker => &[(&[], &[])],
            EngineKind::Podman => &[(&[], &[]), (&PODMAN_FALLBACK, &PODMAN_LIMITS)],
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
                gpu: Gpu::None,
            };
            let ended = runner.run(ctx, &runner.trial())?;
            if ended.is_success() {
                runner.gpu = runner.find_gpu(ctx)?;
                return Ok(runner);
            }
            said = ended.stderr;
        }
        Err(error::environment(format!(
            "{engine} cannot start a container: {}",
            said.trim()
        ))
        .hint("run `cargo xtask doctor` to see what this machine lacks")
        .into())
    }

    fn trial(&self) -> Invocation {
        Invocation {
            arguments: vec!["true".to_owned()],
            timeout: Some(Duration::from_secs(300)),
            ..Invocation::default()
        }
    }

    fn find_gpu(&mut self, ctx: &Ctx) -> Result<Gpu> {
        if !has_gpu_device() {
            return Ok(Gpu::None);
        }
        for gpu in [Gpu::Flag, Gpu::Cdi] {
            self.gpu = gpu;
            let mut trial = self.trial();
            trial.gpu = true;
            if self.run(ctx, &trial)?.is_success() {
                return Ok(gpu);
            }
        }
        Ok(Gpu::None)
    }

    /// How programs reach a GPU.
    pub fn gpu(&self) -> Gpu {
        self.gpu
    }

    /// The command line of an invocation, for a user to repeat it.
    pub fn command_text(&self, invocation: &Invocation) -> String {
        let words = self.words(invocation, None);
        let quoted = words.iter().map(|word| quote(word));
        quoted.collect::<Vec<_>>().join(" ")
    }

    /// Runs a program to its end or its time limit.
    ///
    /// # Errors
    /// It cannot be started, or the user asks to stop.
    pub fn run(&self, ctx: &Ctx, invocation: &Invocation) -> Result<Ended> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("xtask-{}-{number}", std::process::id());
        let words = self.words(invocation, Some(&name));
        ctx.ui.detail(format!("$ {}", words.join(" ")));
        let (program, arguments) = words.split_first().context("a command without words")?;
        let start = Instant::now();
        let mut child = Command::new(program)
            .args(arguments)
            // A group of its own, so that its children end with it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error::environment(format!("cannot start `{program}`: {error}")))?;
        let mut stdin = child.stdin.take().context("child without stdin")?;
        let input = invocation.stdin.clone();
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let stdout = collect(child.stdout.take().context("child without stdout")?);
        let stderr = collect(child.stderr.take().context("child without stderr")?);
        let (status, timed_out) = self.wait(ctx, &mut child, invocation.timeout, &name)?;
        let panicked = |_| anyhow::anyhow!("a stream of `{program}` panicked");
        // A program that does not read its stdin to the end has its own reasons.
        let _fed: std::io::Result<()> = writer.join().map_err(panicked)?;
        let text = |thread: std::thread::JoinHandle<std::io::Result<Vec<u8>>>| -> Result<String> {
            Ok(String::from_utf8_lossy(&thread.join().map_err(panicked)??).into_owned())
        };
        Ok(Ended {
            status,
            timed_out,
            stdout: text(stdout)?,
            stderr: text(stderr)?,
            took: start.elapsed(),
        })
    }

    fn wait(
        &self,
        ctx: &Ctx,
        child: &mut Child,
        timeout: Option<Duration>,
        name: &str,
    ) -> Result<(Option<i32>, bool)> {
        let start = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok((status.code(), false));
            }
            let late = timeout.is_some_and(|timeout| start.elapsed() > timeout);
            if late || ctx.is_interrupted() {
                self.stop(name);
                process::kill_group(child);
                let status = child.wait()?;
                ctx.check_interrupted()?;
                return Ok((status.code(), true));
            }
            std::thread::sleep(TICK);
        }
    }

    /// Killing the client does not end the container.
    fn stop(&self, name: &str) {
        if let Place::Container { engine, .. } = &self.place {
            // Podman would first ask it to stop, and wait ten seconds.
            let at_once: &[&str] = match engine.kind() {
                EngineKind::Docker => &[],
                EngineKind::Podman => &["--time", "0"],
            };
            // The container may have ended by itself; there is nobody left to tell.
            let _removed = Command::new(engine.kind().program())
                .args(["rm", "--force"])
                .args(at_once)
                .arg(name)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
    }

    /// Checks need no network, and a host without a bridge has none to give.
    fn words(&self, invocation: &Invocation, name: Option<&str>) -> Vec<String> {
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
            if let Some(name) = name {
                push(&["--name", name]);
            }
            if invocation.gpu {
                push(self.gpu.arguments());
            }
            // The first word of a command would be taken by an entrypoint of the image.
            push(&["--entrypoint", ""]);
            push(&[image]);
        }
        words.extend(invocation.arguments.iter().cloned());
        words
    }
}

fn has_gpu_device() -> bool {
    PathBuf::from("/dev/nvidiactl").exists() || PathBuf::from("/dev/dxg").exists()
}

fn collect(
    stream: impl Read + Send + 'static,
) -> std::thread::JoinHandle<std::io::Result<Vec<u8>>> {
    std::thread::spawn(move || {
        let mut buffer = Vec::new();
        let mut limited = stream.take(KEPT_BYTES);
        limited.read_to_end(&mut buffer)?;
        // The rest is read and dropped, so that the program is not stopped by a full pipe.
        std::io::copy(&mut limited.into_inner(), &mut std::io::sink())?;
        Ok(buffer)
    })
}

fn quote(word: &str) -> String {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./:=@,+".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
