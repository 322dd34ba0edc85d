//! What the image's scripts say at the start, run here with directories of the test.

use std::path::Path;
use std::process::Command;

use crate::fixture::Ran;

/// The image's paths, and GNU cp's newest flag, which the machine at hand may not know.
fn install_bundle(directory: &Path, environment: &[(&str, &str)]) -> Ran {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../layers/11-app/root/runner-scripts/install-bundle.sh");
    let mut script = std::fs::read_to_string(path).unwrap();
    let here = directory.display();
    for (from, to) in [
        ("/default-comfyui-bundle", format!("{here}/bundle")),
        ("/root/ComfyUI", format!("{here}/target")),
        ("--update=none", "--no-clobber".to_owned()),
    ] {
        assert!(script.contains(from), "{from}");
        script = script.replace(from, &to);
    }
    let output = Command::new("bash")
        .args(["-c", &script])
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    Ran::new(output)
}

fn write(directory: &Path, path: &str, text: &str) {
    let path = directory.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn ok_bundle_without_overwriting() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    write(here, "bundle/ComfyUI/main.py", "image");
    write(here, "bundle/ComfyUI/custom_nodes/node/node.py", "image");
    write(here, "target/main.py", "mine");
    let ran = install_bundle(here, &[]).ok();
    assert_eq!(ran.stdout, "");
    let read = |path: &str| std::fs::read_to_string(here.join("target").join(path)).unwrap();
    assert_eq!(read("main.py"), "mine");
    assert_eq!(read("custom_nodes/node/node.py"), "image");
}

#[test]
fn ok_says_what_is_left_out_and_clones() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let repository = here.join("repository");
    write(&repository, "main.py", "cloned");
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=x", "-c", "user.email=x@example.invalid"])
            .args(["-c", "commit.gpgsign=false"])
            .args(arguments)
            .current_dir(&repository)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    git(&["init", "--quiet"]);
    git(&["add", "main.py"]);
    git(&["commit", "--quiet", "--message", "x"]);
    write(here, "bundle/ComfyUI/input/.keep", "");
    write(
        here,
        "bundle/comfyui-revision",
        &git(&["rev-parse", "HEAD"]),
    );
    write(here, "bundle/omitted.txt", "clip comfyui taesd\n");
    let url = repository.display().to_string();
    let ran = install_bundle(here, &[("COMFYUI_REPOSITORY", &url)]).ok();
    let said: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(
        said[0],
        "[entrypoint] this image was built with --omit git, so it lacks: clip comfyui taesd"
    );
    assert!(
        said[1].starts_with("[entrypoint] cloning ComfyUI "),
        "{said:?}"
    );
    let main = std::fs::read_to_string(here.join("target/main.py")).unwrap();
    assert_eq!(main, "cloned");
}

#[test]
fn err_nothing_to_clone() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    write(here, "bundle/ComfyUI/input/.keep", "");
    write(here, "bundle/comfyui-revision", &"1".repeat(40));
    let ran = install_bundle(here, &[("COMFYUI_REPOSITORY", "/nonexistent/repository")]);
    assert_eq!(ran.status, 3, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("hint: mount a ComfyUI checkout at"),
        "{}",
        ran.stdout
    );
}
