//! What is said, offered and built when a git host is out of reach.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Stdio;

use factory_model::lock::Sha256;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::fixture::{Checkout, Ran};

/// The fixture with a variant that takes a tree from a repository that is nowhere.
fn checkout() -> Option<Checkout> {
    let checkout = Checkout::new()?;
    let variants = "default = \"far\"\nquick = \"tiny\"\n\
        [variant.far]\ndescription = \"has git sources\"\ngit = true\n\
        [variant.tiny]\ndescription = \"two small layers\"\n";
    checkout.write("package-lists/variants.toml", variants);
    checkout.git(&["commit", "-qam", "far"]);
    Some(checkout)
}

/// Runs the program at a terminal, and types the answer once it asks. What it prints to the
/// terminal is the second value.
fn at_terminal(
    checkout: &Checkout,
    arguments: &[&str],
    answer: &str,
    variables: &[(&str, &str)],
) -> (i32, String, String) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap();
    let name = Path::new(name.to_str().unwrap()).to_owned();
    let terminal = File::options().read(true).write(true).open(name).unwrap();
    let mut controller = File::from(controller);
    let mut command = checkout.command(arguments);
    command
        .env_remove("CI")
        .envs(variables.iter().copied())
        .stdin(terminal.try_clone().unwrap())
        .stdout(Stdio::piped())
        .stderr(terminal);
    let child = command.spawn().unwrap();
    // Its ends of the terminal: without them reading ends with the child.
    drop(command);
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    let mut is_answered = false;
    // Linux says EIO once nobody has the other end.
    while let Ok(n) = controller.read(&mut buffer) {
        said.extend_from_slice(&buffer[..n]);
        if !is_answered && String::from_utf8_lossy(&said).contains("Which one?") {
            controller.write_all(answer.as_bytes()).unwrap();
            is_answered = true;
        }
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&said).replace('\r', "");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().unwrap(), said, stdout)
}

/// The table and hints, without lines of progress.
fn shown(checkout: &Checkout, text: &str) -> String {
    let text = checkout.filter(text);
    let start = text.find("error: ").unwrap_or(0);
    text[start..].to_owned()
}

#[test]
fn err_what_can_be_built_is_named_with_the_command() {
    let Some(checkout) = checkout() else { return };
    let ran = checkout.run(&["build", "layer02", "--variant=far", "-j", "1"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (3, ""));
    insta::assert_snapshot!(shown(&checkout, &ran.stderr), @"
    error: 1 source is neither in the store nor reachable
        /nonexistent/repository: '/nonexistent/repository' does not appear to be a git repository
            far-node from /nonexistent/repository

    hint: behind a mirror: `git config --global url.MIRROR/.insteadOf /nonexistent/repository/`; behind a proxy: set `HTTPS_PROXY`
    hint: what can be built here:
      variant    to fetch  to build
      tiny        nothing  4 builds, none measured here before  cargo xtask build layer02 -j 1 --variant tiny
      far-nogit   nothing  4 builds, none measured here before  cargo xtask build layer02 -j 1 --variant far --omit git
      (`-nogit` is without what comes from git; its tag, labels and start say so)
    ");

    // The named command works.
    let command = ["build", "layer02", "-j", "1", "--variant", "tiny"];
    checkout.run(&command).ok();
    let ran = checkout.run(&["build-final", "--no-load", "--variant", "far"]);
    let row = "nothing  nothing to build";
    assert!(ran.stderr.contains(row), "{}", ran.stderr);

    // `fetch` says the same.
    let ran = checkout.run(&["fetch", "--variant", "far"]);
    assert_eq!(ran.status, 3);
    let command = "cargo xtask fetch --variant far --omit git";
    assert!(ran.stderr.contains(command), "{}", ran.stderr);
}

#[test]
fn ok_the_first_is_built_when_that_was_decided() {
    let Some(checkout) = checkout() else { return };
    let ran = checkout.run(&["build", "--yes", "--json"]).ok();
    assert_eq!(ran.json()["variant"], "tiny");
    for said in [
        "warning: 1 source is neither in the store nor reachable (/nonexistent/repository: ",
        "warning: building `tiny` instead of `far`\n",
    ] {
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
    // What can be reached is not replaced.
    let ran = checkout.run(&["build", "--yes", "--json", "--omit", "git"]);
    assert_eq!(ran.ok().json()["variant"], "far-nogit");
}

#[test]
fn ok_asked_at_a_terminal() {
    let Some(checkout) = checkout() else { return };
    let build = ["build", "02", "--plain", "--json"];
    let (status, said, stdout) = at_terminal(&checkout, &build, "3\n2\n", &[]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("`3` is none of 1 to 2"), "{said}");
    let built: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(built["variant"], "far-nogit");

    // Enter takes the first.
    let (status, said, stdout) = at_terminal(&checkout, &build, "\n", &[]);
    assert_eq!(status, 0, "{said}");
    let built: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(built["variant"], "tiny");

    let (status, said, stdout) = at_terminal(&checkout, &build, "n\n", &[]);
    assert_eq!((status, stdout.as_str()), (3, ""), "{said}");
    assert!(said.contains("hint: what can be built here:"), "{said}");
    // Ctrl-D.
    let (status, said, _) = at_terminal(&checkout, &build, "\u{4}", &[]);
    assert_eq!(status, 3, "{said}");
}

#[test]
fn ok_nobody_is_asked_in_ci_or_without_a_terminal() {
    let Some(checkout) = checkout() else { return };
    let build = ["build", "02", "--plain"];
    let (status, said, _) = at_terminal(&checkout, &build, "", &[("CI", "1")]);
    assert_eq!(status, 3, "{said}");
    assert!(!said.contains("Which one?"), "{said}");
    let (status, said, _) = at_terminal(&checkout, &["build", "02", "--yes"], "", &[]);
    assert_eq!(status, 0, "{said}");
    assert!(!said.contains("Which one?"), "{said}");
    let Ran { status, stderr, .. } = checkout.run(&build);
    assert_eq!(status, 3);
    assert!(!stderr.contains("Which one?"), "{stderr}");
}

#[test]
fn ok_doctor_says_it_beforehand() {
    let Some(checkout) = checkout() else { return };
    let hash = Sha256::of(b"").to_sri();
    checkout.write(
        "package-lists/locks/sources.toml",
        &format!(
            "schema_version = 1\n[git.node]\nurl = \"/nonexistent/repository\"\nrev = \"{}\"\nnar_hash = \"{hash}\"\nkind = \"python\"\n",
            "0".repeat(40)
        ),
    );
    // It names the versions of Nix that are locked.
    let locks = "package-lists/locks/debian";
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(locks);
    for file in ["nix.toml", "nix-forky.toml"] {
        let text = fs_err::read_to_string(real.join(file)).unwrap();
        checkout.write(&format!("{locks}/{file}"), &text);
    }
    let ran = checkout.run(&["doctor", "--json"]);
    let json = ran.json();
    let checks = json["checks"].as_array().unwrap();
    let check = |name: &str| {
        let found = checks.iter().find(|check| check["name"] == name);
        found
            .unwrap_or_else(|| panic!("no {name} in {json}"))
            .clone()
    };
    assert_eq!(check("git host")["state"], "optional");
    let variants = check("variants");
    assert_eq!(variants["found"], "tiny, far-nogit can be built here");
    let hint = variants["hint"].as_str().unwrap();
    assert!(
        hint.contains("cargo xtask build-final --variant far --omit git"),
        "{hint}"
    );
}
