//! The scripts of `nix/scripts` that check wheels and write their metadata, on wheels of a
//! few lines. They need Python alone, so no Nix runs here.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::skips::skip;

/// Writes a wheel from (member, text) pairs given as further arguments.
const MAKE: &str = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    for member, text in zip(sys.argv[2::2], sys.argv[3::2]):
        wheel.writestr(member, text)
";
/// Prints a member, or the names of all.
const SHOW: &str = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    sys.stdout.write(wheel.read(sys.argv[2]).decode())
";
/// Recomputes the hashes of RECORD and prints the members that it does not name rightly.
const VERIFY_RECORD: &str = "
import base64, csv, hashlib, io, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    [record] = [name for name in wheel.namelist() if name.endswith('/RECORD')]
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(wheel.read(record).decode()))}
    for name in wheel.namelist():
        data = wheel.read(name)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()
        if name != record and rows.get(name) != ['sha256=' + digest, str(len(data))]:
            print(name)
";

const METADATA: &str = "Metadata-Version: 2.1
Name: thing
Version: 1.0
Requires-Dist: numpy<2
Requires-Dist: Poly_Lars>=1
Requires-Dist: pytest; extra == 'dev'

Requires-Dist: this line is text
";
const WHEEL: &str = "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp36-cp36m-linux_x86_64\n\n";
const RECORD: &str = "thing.py,,\nthing-1.0.dist-info/METADATA,,\nthing-1.0.dist-info/WHEEL,,\nthing-1.0.dist-info/RECORD,,\n";

struct Scripts {
    directory: tempfile::TempDir,
}

/// Status, stdout and stderr of a run.
type Ran = (bool, String, String);

impl Scripts {
    fn new() -> Option<Self> {
        if Command::new("python3").arg("--version").output().is_err() {
            skip("no python3");
            return None;
        }
        Some(Self {
            directory: tempfile::tempdir().unwrap(),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn python(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        let output = Command::new("python3")
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(self.directory.path())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.success(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    fn script(&self, name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../nix/scripts")
            .join(name);
        let mut all = vec![script.to_str().unwrap()];
        all.extend(arguments);
        self.python(&all, environment)
    }

    fn wheel(&self, name: &str, members: &[(&str, &str)]) {
        let mut arguments = vec!["-c", MAKE, name];
        for (member, text) in members {
            arguments.extend([member, text]);
        }
        let (done, _, error) = self.python(&arguments, &[]);
        assert!(done, "{error}");
    }

    /// A wheel `thing` in a directory `in`, and what overriding it printed.
    fn overridden(&self, changes: &[(&str, &str)]) -> Ran {
        fs_err::create_dir_all(self.path("in")).unwrap();
        self.wheel(
            "in/thing-1.0-py3-none-any.whl",
            &[
                ("thing.py", "unchanged"),
                ("thing-1.0.dist-info/METADATA", METADATA),
                ("thing-1.0.dist-info/WHEEL", WHEEL),
                ("thing-1.0.dist-info/RECORD", RECORD),
            ],
        );
        let (wheel, out) = (self.path("in"), self.path("out"));
        let mut environment = vec![
            ("wheel", wheel.to_str().unwrap()),
            ("out", out.to_str().unwrap()),
            ("origin", "the override of thing"),
            ("drop", "[]"),
            ("requires", "null"),
            ("tags", "[]"),
            ("record", "[]"),
        ];
        environment.extend(changes);
        self.script("override-wheel.py", &[], &environment)
    }

    fn show(&self, wheel: &str, member: &str) -> String {
        self.python(&["-c", SHOW, wheel, member], &[]).1
    }

    fn check(&self, name: &str, members: &[(&str, &str)]) -> Ran {
        self.wheel(name, members);
        let path = self.path("packages");
        self.script(
            "check-wheel.py",
            &[name],
            &[("PYTHONPATH", path.to_str().unwrap())],
        )
    }

    /// Whether Python has `packaging`, its own or the one in pip.
    fn has_packaging(&self) -> bool {
        let vendored = "import os, pip._vendor.packaging as p; print(os.path.dirname(p.__file__))";
        if self.python(&["-c", "import packaging.tags"], &[]).0 {
            return true;
        }
        let (found, directory, _) = self.python(&["-c", vendored], &[]);
        if !found {
            skip("no Python package `packaging`");
            return false;
        }
        fs_err::create_dir(self.path("packages")).unwrap();
        fs_err::os::unix::fs::symlink(directory.trim(), self.path("packages/packaging")).unwrap();
        true
    }
}

const OUT: &str = "out/thing-1.0-py3-none-any.whl";

#[test]
fn ok_override_drops_a_requirement() {
    let Some(scripts) = Scripts::new() else {
        return;
    };
    let (done, _, error) = scripts.overridden(&[("drop", "[\"poly-lars\"]")]);
    assert!(done, "{error}");
    insta::assert_snapshot!(scripts.show(OUT, "thing-1.0.dist-info/METADATA"), @r"
    Metadata-Version: 2.1
    Name: thing
    Version: 1.0
    Requires-Dist: numpy<2
    Requires-Dist: pytest; extra == 'dev'

    Requires-Dist: this line is text
    ");
    assert_eq!(scripts.show(OUT, "thing.py"), "unchanged");
}

#[test]
fn ok_override_replaces_requirements_and_tags() {
    let Some(scripts) = Scripts::new() else {
        return;
    };
    let (done, _, error) = scripts.overridden(&[
        ("requires", "[\"numpy>=1.26\", \"poly-lars\"]"),
        ("tags", "[\"py3-none-manylinux2010_x86_64\"]"),
    ]);
    assert!(done, "{error}");
    let metadata = scripts.show(OUT, "thing-1.0.dist-info/METADATA");
    assert!(
        metadata.contains(
            "Requires-Dist: numpy>=1.26\nRequires-Dist: poly-lars\nRequires-Dist: pytest; extra == 'dev'\n\n"
        ),
        "{metadata}"
    );
    assert_eq!(
        scripts.show(OUT, "thing-1.0.dist-info/WHEEL"),
        "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-manylinux2010_x86_64\n"
    );
    let (_, wrong, _) = scripts.python(&["-c", VERIFY_RECORD, OUT], &[]);
    // The fixture's own RECORD has no hash of this file, and an override adds none.
    assert_eq!(wrong, "thing.py\n");
}

#[test]
fn ok_override_rights_the_record() {
    let Some(scripts) = Scripts::new() else {
        return;
    };
    let record = "[\"thing.py\", \"thing-1.0.dist-info/METADATA\", \"thing-1.0.dist-info/WHEEL\"]";
    let (done, _, error) = scripts.overridden(&[("record", record)]);
    assert!(done, "{error}");
    let (right, wrong, _) = scripts.python(&["-c", VERIFY_RECORD, OUT], &[]);
    assert!(right && wrong.is_empty(), "{wrong}");
    assert_eq!(scripts.show(OUT, "thing.py"), "unchanged");

    // Once more, what is right already.
    let (wheel, out) = (scripts.path("out"), scripts.path("again"));
    let (done, _, error) = scripts.overridden(&[
        ("wheel", wheel.to_str().unwrap()),
        ("out", out.to_str().unwrap()),
        ("record", "[\"thing.py\"]"),
    ]);
    assert!(!done);
    insta::assert_snapshot!(error, @"error: RECORD of thing-1.0-py3-none-any.whl is right about thing.py; remove it from the override of thing");
}

#[test]
fn err_override_that_is_not_needed() {
    let Some(scripts) = Scripts::new() else {
        return;
    };
    let (done, _, error) = scripts.overridden(&[("drop", "[\"polars\"]")]);
    assert!(!done);
    insta::assert_snapshot!(error, @"error: thing-1.0-py3-none-any.whl does not require polars (any more); remove it from the override of thing");
    let (done, _, error) = scripts.overridden(&[("tags", "[\"cp36-cp36m-linux_x86_64\"]")]);
    assert!(!done);
    insta::assert_snapshot!(error, @"error: thing-1.0-py3-none-any.whl has the tags cp36-cp36m-linux_x86_64 itself; remove the override of thing");
    let (done, _, error) = scripts.overridden(&[("record", "[\"other.py\"]")]);
    assert!(!done);
    insta::assert_snapshot!(error, @"error: thing-1.0-py3-none-any.whl has no other.py; remove it from the override of thing");
}

#[test]
fn err_requirement_that_was_not_locked() {
    let Some(scripts) = Scripts::new() else {
        return;
    };
    let (done, _, error) = scripts.overridden(&[("requires", "[\"numpy\"]")]);
    assert!(!done);
    insta::assert_snapshot!(error, @"error: thing-1.0-py3-none-any.whl requires poly-lars, which the override of thing does not have; add it there and run 'cargo xtask update-locks'");
}

#[test]
fn ok_provided_wheel() {
    let Some(scripts) = Scripts::new() else {
        return;
    };
    fs_err::create_dir_all(scripts.path("in")).unwrap();
    scripts.wheel(
        "in/opencv_headless-5.0-py3-none-any.whl",
        &[(
            "opencv_headless-5.0.dist-info/METADATA",
            "Metadata-Version: 2.4\nName: opencv-headless\nVersion: 5.0\nLicense: Apache 2.0\nRequires-Dist: numpy\nClassifier: License :: OSI Approved\nClassifier: Topic :: Vision\n\nLicense: this line is text\n",
        )],
    );
    let (provider, out) = (scripts.path("in"), scripts.path("out"));
    let (done, _, error) = scripts.script(
        "provided-wheel.py",
        &[],
        &[
            ("provider", provider.to_str().unwrap()),
            ("out", out.to_str().unwrap()),
            ("project", "opencv-python"),
            ("version", "5.0"),
            ("by", "opencv-headless"),
        ],
    );
    assert!(done, "{error}");
    let wheel = "out/opencv_python-5.0-py3-none-any.whl";
    insta::assert_snapshot!(scripts.show(wheel, "opencv_python-5.0.dist-info/METADATA"), @r"
    Metadata-Version: 2.4
    Name: opencv-python
    Version: 5.0
    Summary: Metadata only; the files are those of opencv-headless
    Requires-Dist: opencv-headless==5.0
    License: Apache 2.0
    Classifier: License :: OSI Approved
    ");
    let (verified, wrong, error) = scripts.python(&["-c", VERIFY_RECORD, wheel], &[]);
    assert!(verified, "{error}");
    assert_eq!(wrong, "");
}

#[test]
fn err_wheel_for_another_interpreter() {
    let Some(scripts) = Scripts::new() else {
        return;
    };
    if !scripts.has_packaging() {
        return;
    }
    let (done, _, error) = scripts.check("thing-1.0-py3-none-any.whl", &[("thing.so", "")]);
    assert!(done, "{error}");

    let (done, _, error) = scripts.check("thing-1.0-cp27-cp27m-linux_x86_64.whl", &[]);
    assert!(!done);
    assert!(
        error.starts_with(
            "error: thing-1.0-cp27-cp27m-linux_x86_64.whl is for another interpreter or platform; expected the tag cp3"
        ),
        "{error}"
    );

    let foreign = "thing/_native.cpython-27td-x86_64-linux-gnu.so";
    let (done, _, error) = scripts.check("thing-2.0-py3-none-any.whl", &[(foreign, "")]);
    assert!(!done);
    assert!(
        error.starts_with(&format!(
            "error: {foreign} in thing-2.0-py3-none-any.whl is for another interpreter; expected a module that ends in .cpython-3"
        )),
        "{error}"
    );
}
