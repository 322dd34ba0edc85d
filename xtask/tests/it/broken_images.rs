//! Small images with one fault each: `verify` must name every one of them, in each engine
//! that answers here, and must find nothing in an image without faults.

use std::path::Path;
use std::process::Command;

use factory_verify::engine::{Engine, EngineKind};

use crate::fixture::{Checkout, Ran};
use crate::skips::skip;
use crate::tiny_image::{Distribution, TinyImage, library_that_lacks_one};

const LOW: &str = "layers/01-low/checks";

/// The project's own checks, copied into the checkout of a test.
const CHECKS: [&str; 3] = ["elf-libraries", "extension-abi", "file-owners"];

const CONFIG: &str = r#"
proves = "it is labeled"
timeout_s = 10
[config]
User = ""
[config.Labels]
variant = "{variant}"
"#;

const CRASH: &str = "import ctypes\nctypes.string_at(0)\n";

/// The images of one test in one engine, removed with it.
struct Images {
    kind: EngineKind,
    name: String,
}

impl Drop for Images {
    fn drop(&mut self) {
        let removed = Command::new(self.kind.program())
            .args(["rmi", "--force", &self.name])
            .output();
        assert!(removed.is_ok_and(|output| output.status.success()));
    }
}

fn engines() -> Vec<EngineKind> {
    let mut kinds = EngineKind::ALL.to_vec();
    kinds.retain(|kind| {
        let answers = Engine::require(*kind).is_ok();
        if !answers {
            skip(&format!("{} does not answer", kind.program()));
        }
        answers
    });
    kinds
}

fn checkout() -> Checkout {
    let checkout = Checkout::without_flake();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../layers/02-python-tools/checks");
    for name in CHECKS {
        for extension in ["toml", "py"] {
            let file = format!("{name}.{extension}");
            let text = fs_err::read_to_string(own.join(&file)).unwrap();
            checkout.write(&format!("{LOW}/{file}"), &text);
        }
    }
    checkout.write(&format!("{LOW}/labels.toml"), CONFIG);
    checkout
}

/// Puts an image into an engine and runs checks in it.
fn verify(
    checkout: &Checkout,
    kind: EngineKind,
    image: &TinyImage,
    label: &str,
    checks: &[&str],
) -> Ran {
    let name = format!("xtask-broken-{}-{label}:latest", std::process::id());
    image.import(kind, &name, &[&format!("LABEL variant={label}")]);
    let images = Images { kind, name };
    let runtime = format!("--runtime={}", kind.program());
    let name = format!("--image={}", images.name);
    let mut arguments = vec!["verify", "1", &runtime, &name, "--gpu=off", "--json"];
    for check in checks {
        arguments.extend(["--check", check]);
    }
    checkout.run(&arguments)
}

/// One check failed, with a line that holds some text.
fn expect(ran: &Ran, check: &str, result: &str, text: &str) {
    assert_eq!(ran.status, 1, "{}\n{}", ran.stdout, ran.stderr);
    let report = ran.json();
    let found = report["checks"].as_array().unwrap();
    let found = found.iter().find(|found| found["name"] == check).unwrap();
    assert_eq!(found["result"], result, "{found}");
    let all = format!("{} {}", found["reason"], found["output"]);
    assert!(all.contains(text), "no `{text}` in {all}");
    assert!(
        ran.stderr.contains(&format!("  {check} (01-low): ")),
        "{}",
        ran.stderr
    );
}

const GOOD: Distribution<'_> = Distribution {
    name: "good",
    tag: "py3-none-any",
    files: &[("good.py", b"ANSWER = 42\n")],
};

#[test]
fn ok_image_without_faults() {
    let Some(mut image) = TinyImage::new() else {
        return skip("no Python 3.11 that can be taken along");
    };
    image.install(&GOOD);
    for kind in engines() {
        let mut checks = CHECKS.to_vec();
        checks.push("labels");
        let ran = verify(&checkout(), kind, &image, "tiny", &checks).ok();
        assert_eq!(ran.json()["counts"]["passed"], 4, "{}", ran.stdout);
    }
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "a table of faults, and one of what each is called"
)]
fn err_every_fault_is_named() {
    let (Some(mut image), Some(library)) = (TinyImage::new(), library_that_lacks_one()) else {
        return skip("no Python 3.11, or no C library, that can be taken along");
    };
    image.install(&GOOD);
    for (name, tag, file, content) in [
        (
            "lacks-library",
            "py3-none-any",
            "lacks_library/native.so",
            library.as_slice(),
        ),
        (
            "foreign",
            "cp27-cp27mu-linux_x86_64",
            "foreign.cpython-27-x86_64-linux-gnu.so",
            b"no ELF file",
        ),
        ("second-owner", "py3-none-any", "good.py", b"ANSWER = 43\n"),
        // The two names of the fixture's lock.
        (
            "no-such-thing",
            "py3-none-any",
            "no_such_thing.py",
            b"import missing_module\n",
        ),
        ("pip", "py3-none-any", "pip.py", CRASH.as_bytes()),
    ] {
        image.install(&Distribution {
            name,
            tag,
            files: &[(file, content)],
        });
    }
    let checkout = checkout();
    checkout.write(
        &format!("{LOW}/hangs.toml"),
        "proves = 'it ends'\ntimeout_s = 5\ncommand = 'echo waiting; sleep 600; true'\n",
    );
    checkout.write(
        &format!("{LOW}/crashes.toml"),
        "proves = 'it ends well'\ntimeout_s = 300\nscript = 'crashes.py'\n",
    );
    checkout.write(&format!("{LOW}/crashes.py"), CRASH);
    checkout.write_python_lock();
    for kind in engines() {
        let ran = verify(&checkout, kind, &image, "other", &[]);
        for (check, result, text) in [
            ("elf-libraries", "failed", "missing: no-linux-x86-64.so.2"),
            ("elf-libraries", "failed", "(lacks-library)"),
            (
                "extension-abi",
                "failed",
                "the wheel foreign 1.0 is for cp27-cp27mu-linux_x86_64",
            ),
            (
                "extension-abi",
                "failed",
                "foreign.cpython-27-x86_64-linux-gnu.so",
            ),
            ("file-owners", "failed", "good.py"),
            ("file-owners", "failed", "second-owner 1.0"),
            (
                "labels",
                "failed",
                "label variant: expected `tiny`, found `other`",
            ),
            ("hangs", "timed-out", "it had not ended after 5 s"),
            ("hangs", "timed-out", "waiting"),
            ("crashes", "crashed", "signal 11 (SIGSEGV)"),
            (
                "imports",
                "failed",
                "import no_such_thing: ModuleNotFoundError: No module named 'missing_module'",
            ),
            (
                "imports",
                "failed",
                "pip 1.0: the interpreter ended with signal 11",
            ),
        ] {
            expect(&ran, check, result, text);
        }
        // The command in the report runs the check alone.
        let report = ran.json();
        let checks = report["checks"].as_array().unwrap();
        let crashed = checks.iter().find(|check| check["name"] == "crashes");
        let command = crashed.unwrap()["command"].as_str().unwrap().to_owned();
        let end = "python3 - < layers/01-low/checks/crashes.py";
        assert!(
            command.starts_with(kind.program()) && command.ends_with(end),
            "{command}"
        );
    }
}

#[test]
fn err_engine_does_not_run() {
    let checkout = checkout();
    for kind in EngineKind::ALL {
        let program = kind.program();
        if factory_base::process::find(program).is_none() {
            skip(&format!("no {program} on PATH"));
            continue;
        }
        let runtime = format!("--runtime={program}");
        let mut command = checkout.command(&["verify", "1", &runtime, "--image=none"]);
        // A daemon that nobody started; podman has none unless it is told of one.
        command.env("DOCKER_HOST", "unix:///nonexistent.sock");
        command.env("CONTAINER_HOST", "unix:///nonexistent.sock");
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(
            text.contains(&format!("{program} does not answer: ")),
            "{text}"
        );
        assert!(text.contains(&format!("hint: run `{program} info` to see why")));
    }
}

#[test]
fn err_not_the_image_just_built() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let image = TinyImage::new();
    let Some(image) = image else {
        return skip("no Python 3.11 that can be taken along");
    };
    checkout.write(
        "layers/02-high/checks/fine.toml",
        "proves = 'it starts'\ntimeout_s = 20\ncommand = 'true'\n",
    );
    for kind in engines() {
        let runtime = format!("--runtime={}", kind.program());
        let images = Images {
            kind,
            name: "xtask-fixture:layer02".to_owned(),
        };
        image.import(kind, &images.name, &[]);
        let ran = checkout.run(&["verify", "2", &runtime, "--gpu=off"]);
        assert_eq!(ran.status, 1, "{}", ran.stderr);
        let text = &ran.stderr;
        assert!(
            text.contains("is not the image that was just built\n  expected: sha256:"),
            "{text}"
        );
        let way_out = format!(
            "`cargo xtask load layer02 --variant tiny --engine {}`",
            kind.program()
        );
        assert!(text.contains(&way_out), "{text}");
    }
}
