//! `run`: the container's command line, and a container from its start to its end.

use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use factory_verify::engine::{Engine, EngineKind};
use rustix::process::{Pid, Signal, kill_process};

use crate::engine::{import, static_busybox};
use crate::skips::skip;

#[test]
fn ok_command_lines() {
    let line = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["run", "--dry-run", "--image", "comfyui-boot:test"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let all = [
        line(&["--engine", "docker"]),
        line(&[
            "--engine", "podman", "--port", "9000", "--models", "/models",
        ]),
        line(&[
            "--engine",
            "podman",
            "--cpu",
            "--storage",
            "/mine",
            "--engine-option=--shm-size=8g",
            "--engine-option",
            "--hostname=here",
            "--",
            "--fast",
            "--verbose",
        ]),
    ];
    insta::assert_snapshot!(all.concat(), @r"
    docker run --rm --name=comfyui-8188 --publish=127.0.0.1:8188:8188 --volume=storage:/root --security-opt=no-new-privileges --gpus all comfyui-boot:test bash /runner-scripts/entrypoint.sh
    podman run --rm --name=comfyui-9000 --publish=127.0.0.1:9000:8188 --volume=storage:/root --security-opt=no-new-privileges --volume=/models:/root/ComfyUI/models --device nvidia.com/gpu=all comfyui-boot:test bash /runner-scripts/entrypoint.sh
    podman run --rm --name=comfyui-8188 --publish=127.0.0.1:8188:8188 --volume=/mine:/root --security-opt=no-new-privileges --shm-size=8g --hostname=here comfyui-boot:test bash /runner-scripts/entrypoint.sh --cpu --fast --verbose
    ");
}

/// A stand-in for ComfyUI: it answers on its port, and ends when it is asked to.
const ENTRYPOINT: &str = "#!/bin/sh\n\
    trap 'echo ended cleanly; exit 0' INT TERM\n\
    echo \"started with $*\"\n\
    mkdir -p /www && echo answered >/www/index.html\n\
    httpd -p ${PORT:-8188} -h /www\n\
    echo serving\n\
    while :; do sleep 0.1; done\n";
const IMAGE: &str = "xtask-run-test:latest";
const TUNNEL: &str = "/dev/net/tun";

/// A running `xtask run`.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl Running {
    /// Starts it, and waits until it serves.
    fn serving(kind: EngineKind, storage: &Path, port: u16) -> Self {
        let mut running = Self::start(kind, storage, port);
        running.wait_for("serving");
        running
    }

    fn start(kind: EngineKind, storage: &Path, port: u16) -> Self {
        let port_text = port.to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .args(["run", "--image", IMAGE, "--engine", kind.program(), "--cpu"])
            .args(["--port", &port_text, "--storage"])
            .arg(storage);
        // Publishing a port needs a bridge, which docker may lack where podman makes its own.
        if kind == EngineKind::Docker {
            command.arg("--engine-option=--network=host");
            command.arg(format!("--engine-option=--env=PORT={port}"));
        }
        let mut child = command
            .args(["--engine-option=--env=OPTION=given", "--", "--word"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, port }
    }

    fn wait_for(&mut self, wanted: &str) {
        let mut said = Vec::new();
        for line in &mut self.lines {
            let line = line.unwrap();
            if line.contains(wanted) {
                return;
            }
            said.push(line);
        }
        panic!("it never said `{wanted}`: {said:?}");
    }

    fn ask(&self) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn send(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }
}

fn containers(kind: EngineKind, port: u16) -> String {
    let output = Command::new(kind.program())
        .args(["ps", "--all", "--quiet", "--filter"])
        .arg(format!("name=comfyui-{port}"))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The engines that answer, and a static busybox.
fn machine() -> Option<(PathBuf, Vec<EngineKind>)> {
    let Some(busybox) = static_busybox() else {
        skip("no static busybox on PATH");
        return None;
    };
    let mut kinds = Vec::new();
    for kind in EngineKind::ALL {
        if Engine::require(kind).is_ok() {
            kinds.push(kind);
        } else {
            skip(&format!("{} does not answer", kind.program()));
        }
    }
    // Without root podman's network is slirp4netns's, which opens this device.
    let tunnel = std::fs::File::options().read(true).write(true).open(TUNNEL);
    if !rustix::process::geteuid().is_root() && tunnel.is_err() {
        skip("this user may not open /dev/net/tun");
        kinds.retain(|kind| *kind != EngineKind::Podman);
    }
    Some((busybox, kinds))
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// From the image to the address in one command, Ctrl-C at any moment, and what a killed command
/// leaves.
#[test]
fn ok_runs_stops_and_clears_up() {
    let Some((busybox, kinds)) = machine() else {
        return;
    };
    for kind in kinds {
        import(
            kind,
            IMAGE,
            &busybox,
            &[
                ("bin/bash", "#!/bin/sh\nexec sh \"$@\"\n"),
                ("runner-scripts/entrypoint.sh", ENTRYPOINT),
            ],
        );
        runs_and_stops(kind);
        stops_at_any_moment(kind);
        clears_up_what_a_killed_command_left(kind);
        let removed = Command::new(kind.program())
            .args(["rmi", IMAGE])
            .output()
            .unwrap();
        assert!(removed.status.success());
    }
}

fn runs_and_stops(kind: EngineKind) {
    let directory = tempfile::tempdir().unwrap();
    let storage = directory.path().join("new/storage");
    let port = free_port();
    let mut running = Running::serving(kind, &storage, port);
    assert!(running.ask().contains("answered"));
    assert!(storage.is_dir());
    running.send(Signal::INT);
    running.wait_for("ended cleanly");
    assert!(running.child.wait().unwrap().success());
    assert_eq!(containers(kind, port), "");
}

/// Around the client's start: before the container is made, and before signals are passed on.
fn stops_at_any_moment(kind: EngineKind) {
    let directory = tempfile::tempdir().unwrap();
    for milliseconds in [0, 50, 100, 150, 200, 300, 400, 600, 800, 1000] {
        let port = free_port();
        let mut running = Running::start(kind, directory.path(), port);
        let said = BufReader::new(running.child.stderr.take().unwrap());
        let mut said = said.lines().map(|line| line.unwrap());
        assert!(said.any(|line| line.contains("Running")));
        std::thread::sleep(Duration::from_millis(milliseconds));
        running.send(Signal::INT);
        let rest: Vec<String> = said.collect();
        running.child.wait().unwrap();
        let left = containers(kind, port);
        assert_eq!(left, "", "{kind:?}, {milliseconds} ms: {rest:?}");
    }
}

/// The container outlives a killed command; the next one on the port removes it.
fn clears_up_what_a_killed_command_left(kind: EngineKind) {
    let directory = tempfile::tempdir().unwrap();
    let storage = directory.path();
    let port = free_port();
    let mut running = Running::serving(kind, storage, port);
    running.send(Signal::KILL);
    running.child.wait().unwrap();
    let left = containers(kind, port);
    assert_ne!(left, "");
    let mut running = Running::serving(kind, storage, port);
    assert!(!containers(kind, port).contains(left.trim()), "{left}");
    running.send(Signal::TERM);
    running.wait_for("ended cleanly");
    assert!(running.child.wait().unwrap().success());
    assert_eq!(containers(kind, port), "");
}
