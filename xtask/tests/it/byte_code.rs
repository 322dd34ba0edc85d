//! `nix/scripts/compile-byte-code.py`, on a tree of a few files. It needs Python alone, so no
//! Nix runs here.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::skips::skip;

/// Prints of each pyc: its path, whether it is for this interpreter and checked by hash, and
/// the file that its code names.
const DESCRIBE: &str = "
import importlib.util, marshal, os, sys
for folder, folders, names in os.walk('.'):
    folders.sort()
    for name in sorted(names):
        path = os.path.join(folder, name)
        content = open(path, 'rb').read()
        mine = content[:4] == importlib.util.MAGIC_NUMBER
        name = path.replace(sys.implementation.cache_tag, 'TAG')
        print(name, mine, content[4], marshal.loads(content[16:]).co_filename)
";

fn python(directory: &Path, arguments: &[&str], environment: &[(&str, &Path)]) -> String {
    let output = Command::new("python3")
        .args(arguments)
        .envs(environment.iter().copied())
        .env("PYTHONHASHSEED", "0")
        .env_remove("PYTHONPYCACHEPREFIX")
        .current_dir(directory)
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Compiles the modules below `/lib` of a tree.
fn compile(tree: &Path, out: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../nix/scripts/compile-byte-code.py");
    let environment = [
        ("tree", tree),
        ("out", out),
        ("directory", Path::new("/lib")),
    ];
    python(tree, &[script.to_str().unwrap()], &environment);
}

fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
}

/// Every file below a directory.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    walkdir::WalkDir::new(directory)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            let path = entry.path().strip_prefix(directory).unwrap();
            (
                path.display().to_string(),
                fs_err::read(entry.path()).unwrap(),
            )
        })
        .collect()
}

fn has_python() -> bool {
    let is_there = Command::new("python3").arg("--version").output().is_ok();
    if !is_there {
        skip("no python3");
    }
    is_there
}

#[test]
fn ok_byte_code_of_a_tree() {
    if !has_python() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree");
    let tag = python(
        directory.path(),
        &[
            "-c",
            "import sys; print(sys.implementation.cache_tag, end='')",
        ],
        &[],
    );
    write(
        &tree.join("root"),
        &[
            ("lib/a/__init__.py", "A = {'x', 'y', 'z'}\n"),
            ("lib/a/old.py", "print 'Python 2'\n"),
            ("lib/a/brought.py", "B = 1\n"),
            (&format!("lib/a/__pycache__/brought.{tag}.pyc"), "theirs"),
            ("lib/data.txt", "no module\n"),
            ("bin/tool.py", "print('a program')\n"),
        ],
    );
    let outs = ["one", "two"].map(|name| directory.path().join(name));
    for out in &outs {
        compile(&tree, out);
    }
    assert_eq!(contents(&outs[0]), contents(&outs[1]));
    insta::assert_snapshot!(
        python(&outs[0].join("root"), &["-c", DESCRIBE], &[]),
        @"./lib/a/__pycache__/__init__.TAG.pyc True 3 /lib/a/__init__.py"
    );
    let refused = fs_err::read_to_string(outs[0].join("not-compiled")).unwrap();
    assert!(
        refused.starts_with("/lib/a/old.py: SyntaxError: ") && refused.lines().count() == 1,
        "{refused}"
    );
}

#[test]
fn ok_an_edit_that_keeps_size_and_time_counts() {
    if !has_python() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (tree, out) = (directory.path().join("tree"), directory.path().join("out"));
    let source = tree.join("root/lib/edited.py");
    let answer = |text: &str| {
        fs_err::write(&source, text).unwrap();
        let file = fs_err::File::options().append(true).open(&source).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        python(
            source.parent().unwrap(),
            &["-B", "-c", "import edited; print(edited.ANSWER)"],
            &[],
        )
    };
    write(&tree, &[("root/lib/edited.py", "ANSWER = 41\n")]);
    compile(&tree, &out);
    let cache = "lib/__pycache__";
    fs_err::rename(out.join("root").join(cache), tree.join("root").join(cache)).unwrap();
    assert_eq!(answer("ANSWER = 41\n"), "41\n");
    assert_eq!(answer("ANSWER = 42\n"), "42\n");
}

#[test]
fn ok_a_tree_without_modules_has_no_byte_code() {
    if !has_python() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (tree, out) = (directory.path().join("tree"), directory.path().join("out"));
    write(&tree, &[("root/bin/tool.py", "print('a program')\n")]);
    compile(&tree, &out);
    let found = contents(&out);
    assert_eq!(found.keys().collect::<Vec<_>>(), ["not-compiled"]);
    assert!(out.join("root").is_dir());
}
