//! `push`: the image to Debian's docker-registry on the loopback.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use factory_base::{error, process};
use factory_bench::Run;
use xshell::{Cmd, Shell};

use crate::bench::meter::Meter;
use crate::bench::recorder::{Recorder, What};
use crate::bench::shared::Bench;

const NAME: &str = "bench/image";
/// As `push` encodes: the level is part of its digests.
const LEVEL: &str = "3";
const START_LIMIT: Duration = Duration::from_secs(30);

pub(super) fn run(bench: &Bench<'_>, recorder: &mut Recorder<'_>) -> Result<()> {
    bench.build()?;
    let shell = Shell::new()?;
    describe_blobs(bench, &shell)?;
    let layout = bench.scratch.path().join("layout");
    let stream = bench.xtask_variant(&shell, "stream")?;
    bench.set_up(
        "an OCI layout, which skopeo reads",
        stream.arg("--oci-layout").arg(&layout),
    )?;
    for _ in 0..bench.wishes.n_runs {
        measure(bench, recorder, "cargo xtask", true, |host| {
            let cmd = bench.xtask_variant(&shell, "push")?;
            Ok(cmd
                .args(["--bare", "--to"])
                .arg(format!("{host}/{NAME}:tag")))
        })?;
        measure(bench, recorder, "skopeo copy", false, |host| {
            let cmd = shell
                .cmd("skopeo")
                .args(["copy", "--quiet", "--dest-tls-verify=false"]);
            let cmd = cmd.args([
                "--dest-compress-format",
                "zstd",
                "--dest-compress-level",
                LEVEL,
            ]);
            let cmd = cmd.arg(format!("oci:{}", layout.display()));
            Ok(cmd.arg(format!("docker://{host}/{NAME}:tag")))
        })?;
    }
    bench.scratch.remove(&layout)?;
    recorder.note("The digests of compressed blobs are part of a build here and known before; the layout that skopeo reads is there too.");
    Ok(())
}

/// A push builds the descriptions of compressed blobs, once.
fn describe_blobs(bench: &Bench<'_>, shell: &Shell) -> Result<()> {
    let factory = bench.factory()?;
    let encoded = factory
        .plan
        .layers
        .iter()
        .filter_map(|layer| layer.encoded.get("zstd"));
    let targets: Vec<String> = encoded.map(|one| format!("{}^out", one.drv_path)).collect();
    let cmd = factory.nix.cmd(shell, "nix").args(["build", "--no-link"]);
    bench.set_up("the digests of compressed blobs", cmd.args(targets))?;
    Ok(())
}

/// A cold push and the same again, into an empty registry.
fn measure<'s>(
    bench: &Bench<'_>,
    recorder: &mut Recorder<'_>,
    by: &str,
    is_ours: bool,
    push: impl Fn(&str) -> Result<Cmd<'s>>,
) -> Result<()> {
    let registry = Registry::start(bench)?;
    let mut meter = Meter::new(bench.ctx)?;
    meter.ignore(registry.child.id());
    for what in ["into an empty registry", "the same again"] {
        let before = registry.seen()?;
        Meter::settle();
        let mut run = meter.run(push(&registry.host)?)?.run;
        let after = registry.seen()?;
        run = Run {
            n_requests: Some(after.n_requests - before.n_requests),
            moved_bytes: Some(after.n_bytes - before.n_bytes),
            // What the registry keeps.
            peak_disk_bytes: None,
            ..run
        };
        let what = if is_ours {
            What::ours(what, by)
        } else {
            What::peer(what, by)
        };
        recorder.add(what, run);
    }
    drop(registry);
    bench.scratch.remove(&bench.scratch.path().join("registry"))
}

/// Debian's docker-registry with an empty disk.
struct Registry {
    child: Child,
    host: String,
    directory: PathBuf,
}

/// What a registry has had so far.
struct Seen {
    n_requests: u64,
    n_bytes: u64,
}

impl Registry {
    fn start(bench: &Bench<'_>) -> Result<Self> {
        let directory = bench.scratch.empty("registry")?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let host = port.local_addr()?.to_string();
        drop(port);
        let configuration = directory.join("registry.yml");
        let text = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: false}}}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{host}'}}\n",
            directory.join("blobs").display()
        );
        fs_err::write(&configuration, text)?;
        let log = fs_err::File::create(directory.join("log"))?;
        let mut command = Command::new("docker-registry");
        command
            .arg("serve")
            .arg(&configuration)
            .stdin(Stdio::null());
        command.stdout(log.into_parts().0).stderr(Stdio::null());
        let child = process::spawn(&mut command, "docker-registry serve")?;
        let registry = Self {
            child,
            host,
            directory,
        };
        let start = Instant::now();
        while TcpStream::connect(&registry.host).is_err() {
            bench.ctx.check_interrupted()?;
            if start.elapsed() > START_LIMIT {
                return Err(error::environment("docker-registry does not start").into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(registry)
    }

    fn seen(&self) -> Result<Seen> {
        let log = fs_err::read_to_string(self.directory.join("log"))?;
        // The Apache combined log format: a quoted request on each line.
        let n_requests = log.lines().filter(|line| line.contains(" HTTP/1.")).count();
        Ok(Seen {
            n_requests: n_requests as u64,
            n_bytes: size(&self.directory.join("blobs"))
                .context("cannot read the registry's disk")?,
        })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself; it has nothing that is needed.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

fn size(directory: &Path) -> Result<u64> {
    let mut n_bytes = 0;
    if directory.exists() {
        for entry in walkdir::WalkDir::new(directory) {
            let data = entry?.metadata()?;
            n_bytes += if data.is_file() { data.len() } else { 0 };
        }
    }
    Ok(n_bytes)
}
