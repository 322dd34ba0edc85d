//! Mounts, users, restrictions and stops in podman and docker.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::engine::{Engine, engines, parse_report, text, unique};
use crate::fixture::{read, write};

/// Who starts the container, and who ComfyUI must be.
const USERS: [(&str, &[&str], u64); 3] = [
    ("root", &[], 0),
    ("PUID", &["--env", "PUID=1000", "--env", "PGID=1000"], 1000),
    ("--user", &["--user", "1000:1000"], 1000),
];

#[expect(clippy::print_stdout, reason = "the counts are what the tests are for")]
fn say(line: &str) {
    println!("{line}");
}

/// The options of one layout, and what ComfyUI must find and write.
struct Layout {
    options: Vec<String>,
    /// A model that must be seen.
    model: Option<&'static str>,
    /// Where ComfyUI's `output/written` must be on the host.
    output: Option<&'static str>,
}

struct Host<'a> {
    directory: &'a Path,
    /// Whom directories belong to, as their user would have them.
    owner: u32,
}

impl Host<'_> {
    fn directory(&self, name: &str) -> String {
        let path = self.directory.join(name);
        fs::create_dir_all(&path).unwrap();
        for above in path
            .ancestors()
            .take_while(|above| *above != self.directory)
        {
            chown(above, Some(self.owner), Some(self.owner)).unwrap();
        }
        path.display().to_string()
    }

    fn file(&self, path: &str, content: &str) {
        let path = self.directory.join(path);
        write(&path, content);
        for above in path
            .ancestors()
            .take_while(|above| *above != self.directory)
        {
            chown(above, Some(self.owner), Some(self.owner)).unwrap();
        }
    }

    fn mount(&self, name: &str, to: &str) -> [String; 2] {
        [
            "--volume".to_owned(),
            format!("{}:{to}", self.directory(name)),
        ]
    }
}

const MODEL: &str = "checkpoints/big.safetensors";

#[expect(
    clippy::too_many_lines,
    reason = "one container from its start to its end"
)]
fn layout(host: &Host<'_>, number: usize) -> Layout {
    let mount = |name: &str, to: &str| host.mount(name, to).to_vec();
    let many = |pairs: &[(&str, &str)]| -> Vec<String> {
        pairs
            .iter()
            .flat_map(|(name, to)| mount(name, to))
            .collect()
    };
    let storage = || mount("storage", "/root");
    let fill = || host.file(&format!("models/{MODEL}"), "mine");
    let (options, model, output) = match number {
        0 => (Vec::new(), None, None),
        1 => (storage(), None, Some("storage/ComfyUI/output")),
        2 => {
            fill();
            let options = [storage(), mount("models", "/root/ComfyUI/models")].concat();
            (options, Some(MODEL), None)
        }
        3 => {
            fill();
            host.directory("storage/ComfyUI");
            symlink("/mnt/models", host.directory.join("storage/ComfyUI/models")).unwrap();
            let options = [storage(), mount("models", "/mnt/models")].concat();
            (options, Some(MODEL), Some("storage/ComfyUI/output"))
        }
        4 => {
            fill();
            let options = [storage(), mount("models", "/root/ComfyUI/models:ro")].concat();
            (options, Some(MODEL), None)
        }
        5 => {
            fill();
            (mount("models", "/root/ComfyUI/models"), Some(MODEL), None)
        }
        6 => {
            let tmpfs = ["--tmpfs", "/root/ComfyUI/models"]
                .map(str::to_owned)
                .to_vec();
            ([storage(), tmpfs].concat(), None, None)
        }
        7 => {
            let options = [storage(), mount("nodes", "/root/ComfyUI/custom_nodes")].concat();
            (options, None, None)
        }
        8 => {
            let apart = many(&[
                ("input", "/root/ComfyUI/input"),
                ("output", "/root/ComfyUI/output"),
                ("user", "/root/ComfyUI/user"),
            ]);
            (apart, None, Some("output"))
        }
        9 => {
            host.file("extra_model_paths.yaml", "other:\n  base_path: /mnt\n");
            let yaml = host.directory.join("extra_model_paths.yaml");
            let options = [
                "--volume".to_owned(),
                format!("{}:/root/ComfyUI/extra_model_paths.yaml:ro", yaml.display()),
            ];
            ([storage(), options.to_vec()].concat(), None, None)
        }
        10 => (slim(&many, &fill), Some(MODEL), Some("storage-user/output")),
        11 => (
            slim_v2(&many, &fill),
            Some(MODEL),
            Some("storage-user/output"),
        ),
        _ => unreachable!(),
    };
    Layout {
        options,
        model,
        output,
    }
}

type Many<'a> = &'a dyn Fn(&[(&str, &str)]) -> Vec<String>;

/// The volumes of YanWenKun's `cu130-slim/docker-compose.yml`.
fn slim(many: Many<'_>, fill: &dyn Fn()) -> Vec<String> {
    fill();
    many(&[
        ("storage", "/root"),
        ("models", "/root/ComfyUI/models"),
        ("storage-models/hf-hub", "/root/.cache/huggingface/hub"),
        ("storage-models/torch-hub", "/root/.cache/torch/hub"),
        ("storage-user/input", "/root/ComfyUI/input"),
        ("storage-user/output", "/root/ComfyUI/output"),
        (
            "storage-user/workflows",
            "/root/ComfyUI/user/default/workflows",
        ),
    ])
}

/// Those of `cu130-slim-v2`.
fn slim_v2(many: Many<'_>, fill: &dyn Fn()) -> Vec<String> {
    fill();
    many(&[
        ("comfy-cache/.cache", "/root/.cache"),
        ("comfy-cache/.config", "/root/.config"),
        ("comfy-nodes/.local", "/root/.local"),
        ("comfy-nodes/custom_nodes", "/root/ComfyUI/custom_nodes"),
        ("models", "/root/ComfyUI/models"),
        ("storage-models/hf-hub", "/root/.cache/huggingface/hub"),
        ("storage-models/torch-hub", "/root/.cache/torch/hub"),
        ("storage-user/input", "/root/ComfyUI/input"),
        ("storage-user/output", "/root/ComfyUI/output"),
        ("storage-user/user-profile", "/root/ComfyUI/user"),
        ("storage-user/user-scripts", "/root/user-scripts"),
    ])
}

fn check(layout: &Layout, host: &Path, uid: u64, state: &Value) -> Result<(), String> {
    let expect = |is_so: bool, what: &str| {
        if is_so {
            Ok(())
        } else {
            Err(format!("{what}: {state}"))
        }
    };
    expect(state["uid"] == uid, "another user")?;
    expect(
        state["user"].as_str().is_some_and(|user| !user.is_empty()),
        "no name",
    )?;
    expect(state["nodes"].to_string().contains("\"node\""), "no node")?;
    if let Some(model) = layout.model {
        expect(
            state["models"].to_string().contains(model),
            "the model is not seen",
        )?;
    }
    if let Some(output) = layout.output {
        let written = host.join(output).join("written");
        let owner =
            fs::metadata(&written).map_err(|error| format!("{}: {error}", written.display()))?;
        expect(
            u64::from(owner.uid()) == uid,
            "the output belongs to another",
        )?;
    }
    Ok(())
}

#[test]
fn ok_twelve_layouts_for_three_users() {
    for engine in engines() {
        let mut failures = Vec::new();
        let mut n_runs = 0;
        for number in 0..12 {
            for (name, options, uid) in USERS {
                let directory = tempfile::tempdir().unwrap();
                fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
                let host = Host {
                    directory: directory.path(),
                    owner: if name == "--user" { 1000 } else { 0 },
                };
                let layout = layout(&host, number);
                let options: Vec<String> =
                    options.iter().map(|option| (*option).to_owned()).collect();
                let options = [options, layout.options.clone()].concat();
                // The second start finds what the first one left.
                for start in 1..=2 {
                    n_runs += 1;
                    let result = engine
                        .report(&options)
                        .and_then(|(state, _)| check(&layout, directory.path(), uid, &state));
                    if let Err(why) = result {
                        failures.push(format!("layout {number}, {name}, start {start}: {why}"));
                    }
                }
            }
        }
        say(&format!(
            "{}: {} of {n_runs} starts of 12 layouts with 3 users each went well",
            engine.program,
            n_runs - failures.len()
        ));
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one container from its start to its end"
)]
fn ok_under_every_restriction() {
    let restrictions: [(&str, &[&str]); 9] = [
        ("read-only", &["--read-only", "--tmpfs", "/tmp"]),
        (
            "read-only, user",
            &["--read-only", "--tmpfs", "/tmp", "--user", "1000:1000"],
        ),
        (
            "read-only, PUID",
            &["--read-only", "--tmpfs", "/tmp", "--env", "PUID=1000"],
        ),
        ("no capabilities", &["--cap-drop", "ALL"]),
        (
            "no capabilities, user",
            &["--cap-drop", "ALL", "--user", "12345"],
        ),
        (
            "no new privileges",
            &["--security-opt", "no-new-privileges"],
        ),
        (
            "no new privileges, PUID",
            &["--security-opt", "no-new-privileges", "--env", "PUID=1000"],
        ),
        ("user and group 0", &["--user", "1000310000:0"]),
        (
            "all of it",
            &[
                "--read-only",
                "--tmpfs",
                "/tmp",
                "--cap-drop",
                "ALL",
                "--security-opt",
                "no-new-privileges",
                "--user",
                "1000:1000",
            ],
        ),
    ];
    for engine in engines() {
        for (name, options) in restrictions {
            let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
            let (state, said) = engine
                .report(&options)
                .unwrap_or_else(|why| panic!("{}, {name}: {why}", engine.program));
            assert!(
                state["nodes"].to_string().contains("\"node\""),
                "{name}: {said}"
            );
        }
        let options = ["--cap-drop", "ALL", "--env", "PUID=1000"].map(str::to_owned);
        let why = engine.report(&options).unwrap_err();
        assert!(
            why.contains("PUID needs the capabilities SETUID and SETGID"),
            "{why}"
        );
        assert!(why.starts_with("status Some(3)"), "{why}");
        say(&format!(
            "{}: {} restrictions, all start",
            engine.program,
            restrictions.len()
        ));
    }
}

#[test]
fn ok_files_of_root_are_handed_over_once() {
    for engine in engines() {
        let directory = tempfile::tempdir().unwrap();
        let storage = directory.path().join("storage");
        let mount = [
            "--volume".to_owned(),
            format!("{}:/root", storage.display()),
        ];
        fs::create_dir_all(&storage).unwrap();
        engine.report(&mount).unwrap();
        write(
            storage.join("ComfyUI/models/checkpoints/big"),
            vec![0; 2 << 20],
        );
        write(storage.join("ComfyUI/models/checkpoints/small"), "small");
        write(storage.join("linked"), "another name of it is elsewhere");
        fs::hard_link(storage.join("linked"), directory.path().join("outside")).unwrap();
        write(directory.path().join("target"), "x");
        symlink("/etc/shadow", storage.join("link")).unwrap();

        let options = [&mount[..], &["--env".to_owned(), "PUID=1000".to_owned()]].concat();
        let (state, said) = engine.report(&options).unwrap();
        assert_eq!(state["uid"], 1000);
        assert!(
            said.contains("files and directories below `/root` to uid 1000"),
            "{said}"
        );
        let owner = |path: &str| fs::symlink_metadata(storage.join(path)).unwrap().uid();
        for path in [
            "",
            "ComfyUI",
            "ComfyUI/main.py",
            "ComfyUI/models/checkpoints/small",
            "link",
        ] {
            assert_eq!(owner(path), 1000, "{path}");
        }
        assert_eq!(owner("ComfyUI/models/checkpoints/big"), 0);
        assert_eq!(owner("linked"), 0);
        // Not again.
        write(
            storage.join("ComfyUI/models/checkpoints/later"),
            "of root's",
        );
        let (_, said) = engine.report(&options).unwrap();
        assert!(!said.contains("files and directories"), "{said}");
        assert_eq!(owner("ComfyUI/models/checkpoints/later"), 0);
    }
}

/// What a process of PUID may write, hoping that root runs it at the next start: each is a
/// line of bash, and `$payload` a program that says so if it runs as root.
const ATTEMPTS: [&str; 20] = [
    "cp $payload ~/user-scripts/set-proxy.sh",
    "echo \". $payload\" >>~/user-scripts/pre-start.sh",
    "cp $payload ~/.bashrc; cp $payload ~/.bash_profile; cp $payload ~/.profile",
    "echo \"export BASH_ENV=$payload ENV=$payload\" >~/user-scripts/set-proxy.sh",
    "echo \"export PATH=$HOME/bin:\\$PATH\" >~/user-scripts/set-proxy.sh; mkdir ~/bin; cp $payload ~/bin/python3; cp $payload ~/bin/bash; cp $payload ~/bin/comfy-start; echo exit >>~/bin/bash",
    "mkdir -p ~/.local/bin; cp $payload ~/.local/bin/comfy-start; cp $payload ~/.local/bin/bash",
    "mkdir -p ~/ComfyUI/.git/hooks; cp $payload ~/ComfyUI/.git/hooks/post-checkout; echo \"[core] fsmonitor = $payload\" >~/ComfyUI/.git/config",
    "echo \"[core] fsmonitor = $payload\" >~/.gitconfig",
    "echo 'import os; os.system(\"bash /root/payload\")' >~/ComfyUI/custom_nodes/node/__init__.py",
    "echo 'import os; os.system(\"bash /root/payload\")' >~/ComfyUI/sitecustomize.py",
    "mv ~/ComfyUI ~/mine; ln -s /etc ~/ComfyUI",
    "rm -rf ~/ComfyUI/output; ln -s /usr/local/bin ~/ComfyUI/output",
    "rm -rf ~/ComfyUI/custom_nodes; ln -s /usr/local/bin ~/ComfyUI/custom_nodes",
    "ln -sf /etc/passwd ~/ComfyUI/.comfy-start/lock; ln -sf /etc/shadow ~/ComfyUI/.comfy-start.json.new",
    "rm -rf ~/ComfyUI/.comfy-start.disabled; ln -s /etc ~/ComfyUI/.comfy-start.disabled",
    "ln /etc/shadow ~/shadow; ln /usr/bin/bash ~/bash",
    "cp /usr/bin/bash ~/bash; chmod 4755 ~/bash",
    "rm -rf ~/user-scripts; ln -s /usr/local/bin ~/user-scripts",
    "echo 'export LD_PRELOAD=/root/payload COMFY_START_BUNDLE=/root/mine PUID=0' >~/user-scripts/set-proxy.sh",
    "cp $payload /usr/local/bin/comfy-start; cp $payload /runner-scripts/entrypoint.sh; cp $payload /etc/profile",
];

#[test]
fn ok_a_user_gets_no_code_run_as_root() {
    for engine in engines() {
        let mut n_as_root = 0;
        for (number, attempt) in ATTEMPTS.iter().enumerate() {
            let directory = tempfile::tempdir().unwrap();
            let storage = directory.path().join("storage");
            let payload = "#!/bin/bash\nif [ \"$(id -u)\" = 0 ] || [ \"$EUID\" = 0 ]; then : >/root/as-root; fi\n";
            write(storage.join("payload"), payload);
            fs::set_permissions(storage.join("payload"), fs::Permissions::from_mode(0o755))
                .unwrap();
            // The first start is the user's chance; then the container starts again, twice.
            let script = format!(
                "payload=/root/payload\n[ -e ~/done ] && exit 0\n: >~/done\n{attempt}\nexit 0\n"
            );
            write(storage.join("user-scripts/pre-start.sh"), script);
            let name = format!("comfy-start-test-{}-{}", std::process::id(), unique());
            let options = [
                "--name",
                &name,
                "--env",
                "PUID=1000",
                "--volume",
                &format!("{}:/root", storage.display()),
            ]
            .map(str::to_owned);
            let created = engine
                .container("create", &options, "--cpu --report")
                .output()
                .unwrap();
            assert!(created.status.success(), "{}", text(&created.stderr));
            let mut said = String::new();
            for _ in 0..3 {
                let output = engine
                    .plain("start")
                    .args(["--attach", &name])
                    .output()
                    .unwrap();
                said.push_str(&(text(&output.stdout) + &text(&output.stderr)));
            }
            let removed = engine
                .plain("rm")
                .args(["--force", &name])
                .output()
                .unwrap();
            assert!(removed.status.success());
            assert!(
                storage.join("done").exists(),
                "attempt {number} was not made: {said}"
            );
            if storage.join("as-root").exists() {
                n_as_root += 1;
                say(&format!("as root: {attempt}\n{said}"));
            }
        }
        say(&format!(
            "{}: {n_as_root} of {} attempts got code run as root",
            engine.program,
            ATTEMPTS.len()
        ));
        assert_eq!(n_as_root, 0);
    }
}

/// A running container, removed in the end.
struct Container<'a> {
    engine: &'a Engine,
    name: String,
}

impl Container<'_> {
    fn start<'a>(engine: &'a Engine, options: &[String], arguments: &str) -> Container<'a> {
        let name = format!("comfy-start-test-{}-{}", std::process::id(), unique());
        let options = [
            options,
            &["--detach".to_owned(), "--name".to_owned(), name.clone()],
        ]
        .concat();
        let output = engine
            .container("run", &options, arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let container = Container { engine, name };
        container.wait_until_healthy();
        container
    }

    fn wait_until_healthy(&self) {
        let begun = Instant::now();
        while self.health() != Some(0) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{}", self.logs());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn health(&self) -> Option<i32> {
        let words = [self.name.as_str(), "comfy-start", "health"];
        self.engine
            .plain("exec")
            .args(words)
            .output()
            .unwrap()
            .status
            .code()
    }

    /// Asks ComfyUI for a path, from inside.
    fn ask(&self, path: &str) {
        let script =
            format!("import urllib.request as r; r.urlopen('http://127.0.0.1:8188{path}').read()");
        let words = [self.name.as_str(), "python3", "-c", &script];
        let output = self.engine.plain("exec").args(words).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }

    fn logs(&self) -> String {
        let output = self.engine.plain("logs").arg(&self.name).output().unwrap();
        text(&output.stdout) + &text(&output.stderr)
    }

    fn stop(&self) -> (Duration, String) {
        let begun = Instant::now();
        let output = self.engine.plain("stop").arg(&self.name).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let took = begun.elapsed();
        let format = ["--format", "{{.State.ExitCode}}", &self.name];
        let status = self.engine.plain("inspect").args(format).output().unwrap();
        (took, text(&status.stdout).trim().to_owned())
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let _is_gone = self
            .engine
            .plain("rm")
            .args(["--force", &self.name])
            .output();
    }
}

#[test]
fn ok_stops_quickly_and_cleanly() {
    for engine in engines() {
        let mut longest = Duration::ZERO;
        let mut n_good = 0;
        let n_rounds = 20;
        for round in 0..n_rounds {
            let directory = tempfile::tempdir().unwrap();
            let storage = directory.path().join("storage");
            fs::create_dir_all(&storage).unwrap();
            let mut options = vec![
                "--volume".to_owned(),
                format!("{}:/root", storage.display()),
            ];
            if round % 2 == 1 {
                options.extend(["--env".to_owned(), "PUID=1000".to_owned()]);
            }
            if round % 5 == 4 {
                options.extend(["--stop-signal".to_owned(), "SIGINT".to_owned()]);
            }
            // As with PyTorch: the interpreter's own end is what takes long.
            let container = Container::start(&engine, &options, "--cpu --slow-end");
            let (took, status) = container.stop();
            longest = longest.max(took);
            let is_clean = fs::read_to_string(storage.join("ComfyUI/user/stopped"))
                .is_ok_and(|text| text == "cleanly");
            n_good += usize::from(took < Duration::from_secs(3) && status == "0" && is_clean);
        }
        say(&format!(
            "{}: {n_good} of {n_rounds} stops under 3 s and clean, the longest {:.2} s",
            engine.program,
            longest.as_secs_f64()
        ));
        assert_eq!(n_good, n_rounds);
        let container = Container::start(&engine, &[], "--cpu --deaf");
        let (took, status) = container.stop();
        assert_eq!(status, "137");
        // By us, and not by the engine after its 10 s.
        assert!(took < Duration::from_secs(6), "{took:?}");
    }
}

/// The Manager's restart executes Python again, which must still end at once when it is asked,
/// and end as it would by itself when it is not.
#[test]
fn ok_stops_quickly_after_a_restart() {
    for engine in engines() {
        let container = Container::start(&engine, &[], "--cpu --slow-end");
        container.ask("/restart");
        // The restart begins 0.1 s after the answer.
        std::thread::sleep(Duration::from_millis(500));
        container.wait_until_healthy();
        let (took, status) = container.stop();
        assert_eq!(status, "0", "{}", container.logs());
        assert!(took < Duration::from_secs(3), "{took:?}");

        let output = engine
            .container("run", &["--rm".to_owned()], "--cpu --exit 7")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(7));
    }
}

#[test]
fn ok_killed_containers_start_again() {
    for engine in engines() {
        let directory = tempfile::tempdir().unwrap();
        let storage = directory.path().join("storage");
        fs::create_dir_all(&storage).unwrap();
        let options = [
            "--volume".to_owned(),
            format!("{}:/root", storage.display()),
        ];
        for _ in 0..3 {
            let container = Container::start(&engine, &options, "--cpu");
            let killed = engine.plain("kill").arg(&container.name).output().unwrap();
            assert!(killed.status.success());
        }
        let (state, _) = engine.report(&options).unwrap();
        assert_eq!(state["parent"], 1);
        assert_eq!(
            read(storage.join("ComfyUI/custom_nodes/node/__init__.py")),
            "node"
        );
    }
}

#[test]
fn err_before_comfyui() {
    for engine in engines() {
        let run = |options: &[&str], arguments: &str| -> (Option<i32>, String) {
            let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
            let mut options = options;
            options.push("--rm".to_owned());
            let output = engine
                .container("run", &options, arguments)
                .output()
                .unwrap();
            (
                output.status.code(),
                text(&output.stderr) + &text(&output.stdout),
            )
        };
        let (status, said) = run(&[], "");
        assert_eq!(status, Some(3), "{said}");
        assert!(
            said.contains("error: this container sees no NVIDIA GPU"),
            "{said}"
        );

        let (status, said) = run(&["--tmpfs", "/root:size=200k,mode=1777"], "--cpu --report");
        assert_eq!(status, Some(3), "{said}");
        assert!(said.contains("is full: 33 MB are needed"), "{said}");

        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mount = format!("{}:/root", directory.path().display());
        let (status, said) = run(&["--volume", &mount, "--user", "1000"], "--cpu --report");
        assert_eq!(status, Some(3), "{said}");
        assert!(
            said.contains("error: `/root` cannot be written by uid 1000"),
            "{said}"
        );
        assert!(
            said.contains("hint: on the host, `chown -R 1000:"),
            "{said}"
        );
        let read_only = format!("{mount}:ro");
        let (status, said) = run(&["--volume", &read_only], "--cpu --report");
        assert_eq!(status, Some(3), "{said}");
        assert!(
            said.contains("mount a volume that may be written at `/root`"),
            "{said}"
        );

        let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let arguments = format!("--cpu --port {port}");
        let (status, said) = run(&["--network=host"], &arguments);
        assert_eq!(status, Some(3), "{said}");
        assert!(
            said.contains(&format!("error: port {port} is in use")),
            "{said}"
        );
        say(&format!(
            "{}: 5 faults, each with one sentence and a way out",
            engine.program
        ));
    }
}

#[test]
fn ok_entrypoint_passes_arguments() {
    for engine in engines() {
        let mut command: Command = engine.container("run", &["--rm".to_owned()], "--cpu");
        let output = command
            .args(["bash", "/runner-scripts/entrypoint.sh", "--report"])
            .output()
            .unwrap();
        let (state, _) = parse_report(&output).unwrap();
        let argv = state["system"]["argv"].to_string();
        assert!(argv.ends_with("\"--cpu\",\"--report\"]"), "{argv}");
    }
}
