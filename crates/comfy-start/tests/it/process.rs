//! The program as a parent: signals, exit status, orphans, and what it says before ComfyUI.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::fixture::{Fixture, PROGRAM, read, write};

const COMFYUI: &str = include_str!("comfyui.py");

struct Running {
    fixture: Fixture,
    bundle: PathBuf,
    port: u16,
}

impl Running {
    fn new() -> Self {
        let fixture = Fixture::new();
        let bundle = fixture.bundle("v1", &[("main.py", COMFYUI), ("input/.keep", "")]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Self {
            fixture,
            bundle,
            port,
        }
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = self.fixture.command(&self.bundle, &["run"]);
        let port = self.port;
        command.env(
            "CLI_ARGS",
            format!("--cpu --listen 127.0.0.1 --port {port} {arguments}"),
        );
        command
    }

    /// Starts it and waits for ComfyUI's answer.
    fn start(&self, arguments: &str) -> Child {
        let mut command = self.command(arguments);
        let child = command
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while self.ask("/").is_none() {
            assert!(begun.elapsed() < Duration::from_secs(30), "no answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        child
    }

    fn ask(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream
            .write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())
            .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }

    fn health(&self) -> (Option<i32>, String) {
        let port = self.port.to_string();
        let output = Command::new(PROGRAM)
            .args(["health", "--port", &port])
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Waits for the end; the status, and what was said.
fn end(mut child: Child) -> (Option<i32>, String) {
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    (child.wait().unwrap().code(), said)
}

#[test]
fn ok_both_signals_end_it_cleanly() {
    for signal in [Signal::TERM, Signal::INT] {
        let running = Running::new();
        let child = running.start("");
        assert_eq!(
            running.health(),
            (Some(0), "ComfyUI stand-in is well\n".to_owned())
        );
        let begun = Instant::now();
        send(&child, signal);
        let (status, said) = end(child);
        assert_eq!(status, Some(0), "{said}");
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "{:?}",
            begun.elapsed()
        );
        assert!(said.contains("asking ComfyUI to end"), "{said}");
        assert_eq!(read(running.fixture.volume("user/stopped")), "cleanly");
        let (status, said) = running.health();
        assert_eq!(status, Some(1), "{said}");
        assert!(
            said.contains("does not answer: Connection refused"),
            "{said}"
        );
    }
}

#[test]
fn ok_who_does_not_listen_is_killed() {
    let running = Running::new();
    let child = running.start("--deaf");
    let begun = Instant::now();
    send(&child, Signal::TERM);
    let (status, said) = end(child);
    assert_eq!(status, Some(137), "{said}");
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        said.contains("has not ended after 1.5 s: ending it by force"),
        "{said}"
    );
}

/// Nothing is lost then, so it gets less time.
#[test]
fn ok_who_does_not_answer_yet_is_killed_sooner() {
    let running = Running::new();
    let child = running
        .command("--stuck")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let importing = running.fixture.volume("user/importing");
    let begun = Instant::now();
    while !importing.exists() {
        assert!(begun.elapsed() < Duration::from_secs(30), "no start");
        std::thread::sleep(Duration::from_millis(20));
    }
    let begun = Instant::now();
    send(&child, Signal::TERM);
    let (status, said) = end(child);
    assert_eq!(status, Some(143), "{said}");
    assert!(
        begun.elapsed() < Duration::from_millis(1500),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        said.contains("has not ended after 0.6 s: ending it by force (it did not answer yet)"),
        "{said}"
    );
}

#[test]
fn ok_exit_status_is_comfyuis() {
    let running = Running::new();
    for status in [0, 1, 42] {
        let output = running
            .command(&format!("--exit {status}"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(status));
    }
}

#[test]
fn ok_restart_as_the_manager_does_it() {
    let running = Running::new();
    let mut child = running.start("");
    let before = running.ask("/restart").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    let after = loop {
        if let Some(state) = running.ask("/") {
            break state;
        }
        assert!(begun.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(after["pid"], before["pid"]);
    assert_eq!(after["system"], before["system"]);
    assert!(child.try_wait().unwrap().is_none());
    send(&child, Signal::TERM);
    assert_eq!(end(child).0, Some(0));
}

#[test]
fn ok_orphans_are_reaped() {
    let running = Running::new();
    let child = running.start("");
    for _ in 0..5 {
        running.ask("/orphan").unwrap();
    }
    std::thread::sleep(Duration::from_millis(600));
    let own = child.id();
    let zombies: Vec<u32> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|item| item.unwrap().file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            status.contains("State:\tZ") && status.contains(&format!("PPid:\t{own}\n"))
        })
        .collect();
    assert!(zombies.is_empty(), "{zombies:?}");
    send(&child, Signal::INT);
    assert_eq!(end(child).0, Some(0));
}

#[test]
fn ok_scripts_and_arguments() {
    let running = Running::new();
    let scripts = running.fixture.home().join("user-scripts");
    write(scripts.join("set-proxy.sh"), "export MY_PROXY='a b'\n");
    write(
        scripts.join("pre-start.sh"),
        "echo \"$MY_PROXY $HOME $PWD\" >\"$HOME/pre-start\"\n",
    );
    let child = running.start("'--preview-method' \"none\"");
    let state = running.ask("/").unwrap();
    assert_eq!(state["environment"]["MY_PROXY"], "a b");
    assert_eq!(
        state["directory"],
        running
            .fixture
            .volume("")
            .to_string_lossy()
            .trim_end_matches('/')
    );
    assert_eq!(
        state["home"],
        running.fixture.home().to_string_lossy().as_ref()
    );
    let words: Vec<_> = state["system"]["argv"]
        .as_array()
        .unwrap()
        .iter()
        .skip(1)
        .collect();
    assert_eq!(words[..3], ["--listen", "--port", "8188"]);
    assert_eq!(words[words.len() - 2..], ["--preview-method", "none"]);
    let home = running.fixture.home();
    let expected = format!("a b {0} {0}/ComfyUI\n", home.display());
    assert_eq!(read(home.join("pre-start")), expected);
    send(&child, Signal::TERM);
    assert_eq!(end(child).0, Some(0));

    write(scripts.join("pre-start.sh"), "exit 7\n");
    let output = running.command("").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("pre-start.sh` ended with status 7"), "{said}");
}

#[test]
fn ok_own_comfyui_on_the_prepared_volume() {
    let running = Running::new();
    let own = running.fixture.path("own");
    write(own.join("main.py"), COMFYUI);
    write(running.fixture.volume("extra_model_paths.yaml"), "");
    let mut command = running.command("--report");
    let output = command.env("COMFYUI_DIR", &own).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let state: Value = serde_json::from_str(text.trim_start_matches("REPORT ")).unwrap();
    let base = running.fixture.volume("");
    let base = base.to_string_lossy();
    let base = base.trim_end_matches('/');
    let argv = state["system"]["argv"].to_string();
    assert!(
        argv.contains(&format!("\"--base-directory\",\"{base}\"")),
        "{argv}"
    );
    assert!(
        argv.contains(&format!("\"{base}/extra_model_paths.yaml\"")),
        "{argv}"
    );
    assert_eq!(read(running.fixture.volume("output/written")), "by ComfyUI");
}

#[test]
fn err_port_in_use() {
    let running = Running::new();
    let _listener = TcpListener::bind(("127.0.0.1", running.port)).unwrap();
    let output = running.command("").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains(&format!("error: port {} is in use", running.port)),
        "{said}"
    );
}

#[test]
fn err_variables() {
    let running = Running::new();
    for (name, value) in [("PUID", "me"), ("PGID", "-1"), ("STOP_SECONDS", "soon")] {
        let output = running
            .command("")
            .env("PUID", "0")
            .env(name, value)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains(&format!("error: {name}=`{value}` is not ")),
            "{said}"
        );
    }
}

#[test]
fn ok_a_signal_ends_preparing() {
    let running = Running::new();
    // A script that waits stands for a first start that takes long.
    write(
        running.fixture.home().join("user-scripts/set-proxy.sh"),
        "sleep 30\n",
    );
    let mut command = running.command("");
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let begun = Instant::now();
    send(&child, Signal::TERM);
    let mut child = child;
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(begun.elapsed() < Duration::from_secs(1));
    let group = Pid::from_child(&child);
    rustix::process::kill_process_group(group, Signal::KILL).unwrap();
}

#[test]
fn err_fetch_says_what_to_do() {
    let fixture = Fixture::new();
    let bundle = fixture.bundle("v1", &[("input/.keep", "")]);
    write(bundle.join("comfyui-revision"), "1".repeat(40));
    let mut command = fixture.command(&bundle, &["prepare"]);
    let output = command
        .env("COMFYUI_REPOSITORY", "/nonexistent/repository")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("error: cannot fetch ComfyUI 1111"), "{said}");
    assert!(said.contains("hint: check network and proxy"), "{said}");
    assert!(!fixture.volume("main.py").exists());
}

/// A ComfyUI that knows the option gets it, unless somebody has a Manager of their own.
#[test]
fn ok_manager() {
    let mut running = Running::new();
    let options = "parser.add_argument(\"--enable-manager\")\n# whole\n";
    let files = [("main.py", COMFYUI), ("comfy/cli_args.py", options)];
    running.bundle = running.fixture.bundle("v1", &files);
    let report = |choice: Option<&str>| {
        let mut command = running.command("--report");
        if let Some(choice) = choice {
            command.env("COMFYUI_MANAGER", choice);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        let text = String::from_utf8(output.stdout).unwrap();
        let state: Value = serde_json::from_str(text.trim_start_matches("REPORT ")).unwrap();
        let argv = state["system"]["argv"].to_string();
        (argv.contains("\"--enable-manager\""), said)
    };
    assert!(report(None).0);
    assert!(!report(Some("off")).0);

    write(
        running
            .fixture
            .volume("custom_nodes/ComfyUI-Manager/__init__.py"),
        "mine\n",
    );
    let (is_on, said) = report(None);
    assert!(
        !is_on && said.contains("ComfyUI-Manager` is the Manager"),
        "{said}"
    );
    assert!(report(Some("on")).0);

    let output = running
        .command("")
        .env("COMFYUI_MANAGER", "1")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("COMFYUI_MANAGER=`1` is not `on` or `off`"),
        "{said}"
    );
}
