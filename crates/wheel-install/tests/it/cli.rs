//! The program: arguments, status and streams.

use std::process::Command;

use crate::wheel::{Place, archive, members};

/// Status, stdout and stderr.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_wheel-install"))
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn ok_help_and_version() {
    let (status, stdout, stderr) = run(&["--help"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert!(
        stdout.starts_with("Install a wheel into a package tree\n"),
        "{stdout}"
    );
    let (status, stdout, _) = run(&["--version"]);
    assert_eq!((status, stdout.as_str()), (0, "wheel-install 0.1.0\n"));
}

#[test]
fn err_usage() {
    let cases: [(&[&str], &str); 6] = [
        (&[], "`--python-directory` is missing"),
        (
            &["--python-directory", "python3.14t"],
            "`--package` is missing",
        ),
        (&["--python-directory", "../x"], "`../x` is no directory"),
        (&["--link", "a", "b"], "`--link` has too few values"),
        (
            &["--shared-from-bytes", "many"],
            "`--shared-from-bytes` takes a number of bytes",
        ),
        (&["wheel.whl"], "unknown argument `wheel.whl`"),
    ];
    for (arguments, expected) in cases {
        let (status, stdout, stderr) = run(arguments);
        assert_eq!((status, stdout.as_str()), (2, ""), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
        assert!(
            stderr.contains("\n\nhint: `wheel-install --help`"),
            "{stderr}"
        );
    }
}

#[test]
fn ok_installs() {
    let place = Place::new(&archive(&members(&[("thing.py", b"")])));
    let wheel = place.request.wheel.to_str().unwrap();
    let out = place.out();
    let arguments = |wheel| {
        let out = out.to_str().unwrap();
        let name = ["--package", "thing 1.0", "--wheel", wheel];
        let place = ["--python-directory", "python3.14t", "--out", out];
        run(&[name, place].concat())
    };
    assert_eq!(arguments(wheel), (0, String::new(), String::new()));
    let file = "root/usr/local/lib/python3.14t/site-packages/thing.py";
    assert!(place.out().join(file).exists());
    let (status, _, stderr) = arguments("/nowhere/thing-1.0-py3-none-any.whl");
    assert_eq!(status, 3, "{stderr}");
    assert!(
        stderr.contains("caused by: No such file or directory"),
        "{stderr}"
    );
    std::fs::remove_dir_all(place.out()).unwrap();
    std::fs::write(wheel, "no archive").unwrap();
    let (status, _, stderr) = arguments(wheel);
    assert_eq!(status, 1, "{stderr}");
}
