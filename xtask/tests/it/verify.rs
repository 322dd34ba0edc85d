//! `verify`, with the host as the place to run: what it says of checks of every outcome.

use crate::fixture::Checkout;

fn checkout() -> Checkout {
    let checkout = Checkout::without_flake();
    let low = "layers/01-low/checks";
    let high = "layers/02-high/checks";
    checkout.write(
        &format!("{low}/fine.toml"),
        "proves = 'true is true'\ntimeout_s = 20\ncommand = 'true'\n",
    );
    checkout.write(
        &format!("{low}/needs-gpu.toml"),
        "proves = 'a kernel runs'\ntimeout_s = 20\ngpu = true\ncommand = 'false'\n",
    );
    checkout.write(
        &format!("{high}/wrong.toml"),
        "proves = 'the answer is right'\ntimeout_s = 20\nscript = 'wrong.sh'\n",
    );
    checkout.write(
        &format!("{high}/wrong.sh"),
        "echo expected 1\necho found 2 >&2\nexit 4\n",
    );
    checkout.write(
        &format!("{high}/hangs.toml"),
        "proves = 'it ends'\ntimeout_s = 1\ncommand = 'echo waiting; sleep 60; true'\n",
    );
    checkout
}

#[test]
fn ok_layers_below() {
    let checkout = checkout();
    let ran = checkout
        .run(&[
            "verify",
            "1",
            "--runtime",
            "host",
            "--gpu",
            "off",
            "--check",
            "fine",
        ])
        .ok();
    insta::assert_snapshot!(checkout.filter(&ran.stdout));
}

#[test]
fn err_failed_checks() {
    let checkout = checkout();
    let ran = checkout.run(&[
        "verify",
        "2",
        "--runtime=host",
        "--check=wrong",
        "--check=hangs",
        "--gpu=off",
    ]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    insta::assert_snapshot!(checkout.filter(&format!("{}\n{}", ran.stdout, ran.stderr)));
}

#[test]
fn ok_list_as_json() {
    let checkout = checkout();
    let json = checkout
        .run(&["verify", "2", "--list", "--json"])
        .ok()
        .json();
    // The last is `gpu-memory`, which comes with the first check that needs a GPU.
    assert_eq!(json["checks"].as_array().unwrap().len(), 5);
    assert_eq!(json["checks"][1]["name"], "needs-gpu");
}

#[test]
fn err_unreadable_checks() {
    let checkout = checkout();
    checkout.write("layers/01-low/checks/a.toml", "proves = 'x'\n");
    checkout.write(
        "layers/02-high/checks/fine.toml",
        "proves = 'x'\ntimeout_s = 1\ncommand = 'true'\n",
    );
    let ran = checkout.run(&["verify", "2", "--list"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(checkout.filter(&ran.stderr));
}

#[test]
fn err_unknown_check() {
    let checkout = checkout();
    let ran = checkout.run(&["verify", "2", "--check", "wrogn"]);
    assert_eq!(ran.status, 2);
    insta::assert_snapshot!(checkout.filter(&ran.stderr));
}

#[test]
fn ok_imports() {
    let checkout = checkout();
    if std::process::Command::new("python3")
        .args(["-m", "pip", "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
    {
        checkout.write_python_lock();
        checkout.write(
            "layers/01-low/checks/imports.toml",
            "[needs-gpu]\nno-such-thing = 'loads libcuda.so.1'\n",
        );
        let ran = checkout
            .run(&["verify", "1", "--runtime=host", "--check=imports", "--json"])
            .ok()
            .json();
        assert_eq!(ran["checks"][0]["result"], "passed");
        assert_eq!(
            ran["checks"][0]["proves"],
            "1 of 2 distributions import, 1 are absent"
        );
        let pip = &ran["imports"]["distributions"][1];
        assert_eq!(
            (&pip["modules"][0], &pip["outcome"]),
            (&"pip".into(), &"imported".into())
        );
        assert!(pip["peak_memory_bytes"].as_u64().unwrap() > 1_000_000);
    } else {
        crate::skips::skip("no python3 with pip");
    }
}
