//! Every file of `deploy/` is really started, where this machine has what it is for.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::engine::{IMAGE, engines, skip, text};

const COMPOSE: &str = include_str!("../../../../deploy/compose.yaml");
const KUBERNETES: &str = include_str!("../../../../deploy/kubernetes.yaml");
const QUADLET: &str = include_str!("../../../../deploy/comfyui.container");

/// What podman needs on machines like CI's; its front ends pass no options on.
const CONTAINERS_CONF: &str = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n\
    [engine]\nruntime = \"runc\"\n";

fn has(program: &str) -> bool {
    let answers = Command::new(program).arg("--version").output();
    let is_there = answers.is_ok_and(|output| output.status.success());
    if !is_there {
        skip(&format!("no {program} on PATH"));
    }
    is_there
}

fn run(directory: &Path, image: &str, port: u16, words: &[&str]) -> Output {
    fs::write(directory.join("containers.conf"), CONTAINERS_CONF).unwrap();
    let output = Command::new(words[0])
        .args(&words[1..])
        .current_dir(directory)
        .env("CONTAINERS_CONF", directory.join("containers.conf"))
        .env("COMFYUI_IMAGE", image)
        .env("COMFYUI_PORT", port.to_string())
        .env("CLI_ARGS", "")
        .output()
        .unwrap();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{words:?}: {said}");
    output
}

/// Waits until ComfyUI answers on the loopback, with its own words.
fn answers(port: u16) {
    let begun = Instant::now();
    let ask = || -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream
            .write_all(b"GET /system_stats HTTP/1.0\r\n\r\n")
            .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.contains("stand-in").then_some(answer)
    };
    while ask().is_none() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "no answer on {port}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn ok_compose() {
    for engine in engines() {
        let (program, image) = match engine.program {
            "podman" => ("podman-compose", format!("localhost/{IMAGE}")),
            _ => ("docker-compose", IMAGE.to_owned()),
        };
        if !has(program) {
            continue;
        }
        let directory = tempfile::tempdir().unwrap();
        // The project's name is its directory's, and must be a plain word.
        let project = directory
            .path()
            .join(format!("comfystart{}", std::process::id()));
        for name in ["storage", "models"] {
            fs::create_dir_all(project.join(name)).unwrap();
        }
        fs::write(project.join("compose.yaml"), COMPOSE).unwrap();
        let port = free_port();
        let compose = |words: &[&str]| {
            let words = [&[program, "-f", "compose.yaml"], words].concat();
            run(&project, &image, port, &words)
        };
        compose(&["up", "-d", "comfyui-cpu"]);
        answers(port);
        let written = project.join("storage/ComfyUI/output/written");
        assert!(written.exists());
        compose(&["down"]);
        assert!(
            project.join("storage/ComfyUI/user/stopped").exists(),
            "not stopped cleanly"
        );
    }
}

#[test]
fn ok_kube_play() {
    let is_there = |engine: &crate::engine::Engine| engine.program == "podman";
    if !engines().iter().any(is_there) {
        return skip("no podman for `kube play`");
    }
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let image = format!("localhost/{IMAGE}");
    let mut manifest = String::new();
    for line in KUBERNETES.lines() {
        // No GPU here, and a port and names of this test's own.
        let is_gpu = line.contains("nvidia.com/gpu")
            || line.trim() == "limits:"
            || line == "          resources:";
        if !is_gpu {
            manifest.push_str(line);
            manifest.push('\n');
        }
    }
    let shipped = KUBERNETES
        .lines()
        .find_map(|line| line.trim().strip_prefix("image: "));
    for (from, to) in [
        (shipped.unwrap(), image.as_str()),
        ("value: \"\"", "value: --cpu"),
        ("comfyui-storage", "comfystart-test-storage"),
        ("comfyui-models", "comfystart-test-models"),
        ("name: comfyui", "name: comfystart-test"),
        (
            "hostIP: 127.0.0.1",
            &format!("hostIP: 127.0.0.1\n              hostPort: {port}"),
        ),
    ] {
        assert!(manifest.contains(from), "{from}");
        manifest = manifest.replace(from, to);
    }
    fs::write(directory.path().join("kube.yaml"), manifest).unwrap();
    let podman = |words: &[&str]| {
        run(
            directory.path(),
            &image,
            port,
            &[&["podman"], words].concat(),
        )
    };
    // What a run that failed left would be taken for the user's.
    let volumes = ["comfystart-test-storage", "comfystart-test-models"];
    let remove = [&["volume", "rm", "--force"], &volumes[..]].concat();
    let _ = Command::new("podman").args(&remove).output();
    podman(&["kube", "play", "kube.yaml"]);
    answers(port);
    podman(&[
        "exec",
        "comfystart-test-pod-0-comfystart-test",
        "comfy-start",
        "health",
    ]);
    podman(&["kube", "down", "kube.yaml"]);
    podman(&remove);
}

#[test]
fn ok_quadlet() {
    let generator = Path::new("/usr/libexec/podman/quadlet");
    if !generator.exists() {
        return skip("no Quadlet generator (podman 4.4 and later have one)");
    }
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("comfyui.container"), QUADLET).unwrap();
    let output = Command::new(generator)
        .args(["--dryrun", "--user"])
        .env("QUADLET_UNIT_DIRS", directory.path())
        .output()
        .unwrap();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("127.0.0.1:8188:8188") && said.contains("--stop-signal=SIGINT"),
        "{said}"
    );
}
