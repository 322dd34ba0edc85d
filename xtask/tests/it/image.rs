//! The produced image in a container: what its entrypoint does with a user's `/root`.
//! Needs the `slim` image in podman's or docker's storage (`cargo xtask build-final`).

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::image_tag;
use crate::skips::skip;

fn reference() -> String {
    format!("comfyui-boot:{}", image_tag::tag("slim"))
}

/// `podman run …` or `docker run …`, as each works without a bridge and on mixed cgroups.
fn engines() -> Vec<Vec<&'static str>> {
    let podman = [
        "podman",
        "--runtime",
        "runc",
        "run",
        "--ulimit",
        "nofile=1024:1024",
        "--ulimit",
        "nproc=4096:4096",
    ];
    let docker = ["docker", "run"];
    [podman.to_vec(), docker.to_vec()]
        .into_iter()
        .filter(|engine| {
            let program = engine[0];
            let inspect = Command::new(program)
                .args(["image", "inspect", &reference()])
                .output();
            let has = inspect.is_ok_and(|output| output.status.success());
            if !has {
                skip(&format!("{program} has no image of slim"));
            }
            has
        })
        .collect()
}

fn run(engine: &[&str], root: &Path, environment: &[&str], command: &[&str]) -> Output {
    let mut run = Command::new(engine[0]);
    run.args(&engine[1..]).args(["--rm", "--network", "none"]);
    for variable in environment {
        run.args(["--env", variable]);
    }
    run.arg("--volume").arg(format!("{}:/root", root.display()));
    run.arg(reference()).args(command).output().unwrap()
}

#[test]
fn ok_entrypoint_keeps_user_files_and_runs_user_scripts() {
    for engine in engines() {
        let root = tempfile::tempdir().unwrap();
        let comfyui = root.path().join("ComfyUI");
        let scripts = root.path().join("user-scripts");
        fs::create_dir_all(comfyui.join("models")).unwrap();
        fs::create_dir_all(&scripts).unwrap();
        // A checkout of the user's own: the entrypoint must neither clone nor overwrite.
        fs::create_dir_all(comfyui.join(".git")).unwrap();
        fs::write(comfyui.join(".git/config"), "[remote \"origin\"]\n").unwrap();
        fs::write(
            comfyui.join("main.py"),
            "import os, sys\nprint('ARGUMENTS', sys.argv[1:], os.getcwd(), os.environ.get('MY_PROXY'))\n",
        )
        .unwrap();
        fs::write(comfyui.join("models/.keep"), "mine\n").unwrap();
        fs::write(scripts.join("set-proxy.sh"), "export MY_PROXY=set\n").unwrap();
        fs::write(
            scripts.join("pre-start.sh"),
            "echo \"PRE-START $MY_PROXY\"\n",
        )
        .unwrap();

        let output = run(&engine, root.path(), &["CLI_ARGS=--cpu --fast"], &[]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{}: {text}{errors}", engine[0]);
        let position = |line: &str| {
            text.find(line)
                .unwrap_or_else(|| panic!("{}: no `{line}` in {text}{errors}", engine[0]))
        };
        let arguments =
            "ARGUMENTS ['--listen', '--port', '8188', '--cpu', '--fast'] /root/ComfyUI set";
        assert!(position("PRE-START set") < position(arguments), "{text}");
        assert_eq!(
            fs::read_to_string(comfyui.join("models/.keep")).unwrap(),
            "mine\n"
        );
        assert!(
            comfyui.join("custom_nodes").is_dir(),
            "the bundle was not copied"
        );
    }
}

#[test]
fn err_without_network_the_first_start_says_what_to_do() {
    for engine in engines() {
        let root = tempfile::tempdir().unwrap();
        let output = run(&engine, root.path(), &["CLI_ARGS=--cpu"], &[]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{}: {text}", engine[0]);
        assert!(text.contains("hint: check network and proxy"), "{text}");
    }
}

#[test]
fn ok_torch_leaves_the_gil_off_and_requirements_hold() {
    for engine in engines() {
        let root = tempfile::tempdir().unwrap();
        let script = "python3 -c 'import sys, torch; assert not sys._is_gil_enabled(); print(torch.__version__)' \
                      && python3 -m pip check";
        let output = run(&engine, root.path(), &[], &["bash", "-c", script]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}: {text}", engine[0]);
        let version = format!("{}+cu130", image_tag::torch("slim"));
        assert!(text.contains(&version), "no {version}: {text}");
        assert!(text.contains("No broken requirements found."), "{text}");
    }
}
