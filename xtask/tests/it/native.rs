//! Native code that only Python with the GIL gets: found by the real uv in an index of two
//! projects, written into the lock, and asked for by `update-locks --check` without network.

use std::path::Path;
use std::process::Command;

use factory_model::layers::Layers;
use factory_model::lock::{Sha256, is_sealed};

use crate::fixture::Ran;
use crate::server::{Reply, Server};
use crate::skips::skip;
use crate::support::Sandbox;
use crate::update_locks::copy;

const PURE: &str = "has_native-1-py3-none-any.whl";
const NATIVE: &str = "has_native-1-cp39-abi3-manylinux2014_x86_64.whl";
const PLAIN: &str = "plain-1-py3-none-any.whl";
/// Compiled for two machines, and for one of them.
const BOTH: [&str; 2] = [
    "both-1-cp314-cp314t-manylinux_2_28_x86_64.whl",
    "both-1-cp314-cp314t-manylinux_2_28_aarch64.whl",
];
const HALF: [&str; 2] = [
    "half-1-cp314-cp314t-manylinux_2_28_x86_64.whl",
    "half-1-py3-none-any.whl",
];

/// Writes a wheel of one module.
const MAKE: &str = "
import sys, zipfile
path, name, tag = sys.argv[1:]
info = f'{name}-1.dist-info'
with zipfile.ZipFile(path, 'w') as wheel:
    wheel.writestr(f'{name}/__init__.py', f'tag = {tag!r}')
    wheel.writestr(f'{info}/METADATA', f'Metadata-Version: 2.1\\nName: {name}\\nVersion: 1\\n')
    wheel.writestr(f'{info}/WHEEL', f'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: {tag}\\n')
    members = [f'{name}/__init__.py', f'{info}/METADATA', f'{info}/WHEEL', f'{info}/RECORD']
    wheel.writestr(f'{info}/RECORD', ''.join(f'{member},,\\n' for member in members))
";

fn wheel(directory: &Path, file: &str) -> Vec<u8> {
    let path = directory.join(file);
    let (name, tag) = file.trim_end_matches(".whl").split_once("-1-").unwrap();
    let made = Command::new("python3")
        .args(["-c", MAKE])
        .arg(&path)
        .args([name, tag])
        .status();
    assert!(made.unwrap().success());
    fs_err::read(path).unwrap()
}

/// An index in the form of PEP 503.
fn index(directory: &Path) -> Server {
    let files = [PURE, NATIVE, PLAIN, BOTH[0], BOTH[1], HALF[0], HALF[1]];
    let files = files.map(|file| (file, wheel(directory, file)));
    Server::start(move |_, request| {
        let name = request
            .path
            .trim_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or("");
        if let Some((_, bytes)) = files.iter().find(|(file, _)| *file == name) {
            return Reply::range(bytes, request);
        }
        let project = name.replace('-', "_");
        let links = files
            .iter()
            .filter(|(file, _)| file.starts_with(&format!("{project}-")));
        let links = links.map(|(file, bytes)| {
            format!(
                "<a href=\"/files/{file}#sha256={}\">{file}</a>\n",
                Sha256::of(bytes)
            )
        });
        let links: String = links.collect();
        if links.is_empty() {
            return Reply::status("404 Not Found", "");
        }
        Reply::ok(format!("<!DOCTYPE html><html><body>{links}</body></html>"))
            .header("Content-Type: text/html")
    })
}

const VARIANTS: &str = "schema_version = 1
default = \"one\"
quick = \"one\"
cuda_architectures = [\"9.0\"]
[variant.one]
abi = \"cp314t\"
description = \"two packages\"
git = false
";
const WITHOUT_GIT: &str = "schema_version = 1
[[exclusion]]
all = \"git\"
variants = [\"one\"]
reason = \"a test\"
lifts = \"nothing\"
";
const EXCLUDED: &str = "[[exclusion]]
native = \"has-native\"
variants = [\"one\"]
reason = \"a test\"
lifts = \"nothing\"
";
const TAKEN: &str = "[[variant.one.override]]
name = \"has-native\"
wheel_for = \"cp314\"
tags = [\"py3-none-manylinux2014_x86_64\"]
reason = \"a test\"
lifts = \"nothing\"
";

struct Lists {
    sandbox: Sandbox,
    server: Server,
}

impl Lists {
    /// `None`, and a skip, where an interpreter would have to be compiled.
    fn new() -> Option<Self> {
        let sandbox = Sandbox::new();
        let cache = sandbox.directory.path().join("cache/comfyui-image-factory");
        if !share_interpreter(&cache) {
            skip("no free-threaded interpreter at hand");
            return None;
        }
        let root = sandbox.directory.path().join("checkout");
        copy(&sandbox.ctx.lists(), &root.join("package-lists"));
        fs_err::remove_dir_all(root.join("package-lists/locks/python")).unwrap();
        fs_err::create_dir(root.join("package-lists/locks/python")).unwrap();
        let layers = factory_resolve::layers(&sandbox.ctx).unwrap();
        for layer in layers.names() {
            fs_err::create_dir_all(root.join(format!("layers/{layer}"))).unwrap();
        }
        fs_err::copy(sandbox.ctx.root.join(Layers::FILE), root.join(Layers::FILE)).unwrap();
        let server = index(sandbox.directory.path());
        let one = Self { sandbox, server };
        for (_, list) in layers.lists() {
            one.write(list, "");
        }
        for (file, text) in [
            ("pak5.txt", "has-native\nplain\n"),
            ("constraints.txt", ""),
            ("variants.toml", VARIANTS),
            ("exclusions.toml", WITHOUT_GIT),
            ("requested.toml", "schema_version = 1\n"),
            ("sdists.toml", "schema_version = 1\n"),
            (
                "wheel-files.toml",
                "schema_version = 1\nshared_from_bytes = 1000\n",
            ),
        ] {
            one.write(file, text);
        }
        Some(one)
    }

    fn root(&self) -> std::path::PathBuf {
        self.sandbox.directory.path().join("checkout")
    }

    fn write(&self, file: &str, text: &str) {
        fs_err::write(self.root().join("package-lists").join(file), text).unwrap();
    }

    fn lock(&self) -> String {
        self.lock_below("python/one.toml")
    }

    fn lock_below(&self, name: &str) -> String {
        let locks = self.root().join("package-lists/locks");
        fs_err::read_to_string(locks.join(name)).unwrap()
    }

    /// Runs `update-locks` or, without network, `update-locks --check`.
    fn update(&self, is_check: bool) -> Result<(), String> {
        let directory = self.sandbox.directory.path();
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(["update-locks", "--variant", "one"]);
        if is_check {
            command.args(["--check", "--offline"]);
        }
        command
            .current_dir(self.root())
            .env("XDG_CACHE_HOME", directory.join("cache"))
            .env("XDG_DATA_HOME", directory.join("data"))
            .env("NO_COLOR", "1")
            .env("UV_DEFAULT_INDEX", format!("{}/simple", self.server.base));
        let ran = Ran::new(command.output().unwrap());
        if ran.status == 0 {
            Ok(())
        } else {
            Err(ran.stderr)
        }
    }
}

/// Lends the test's cache what the user's has: compiling an interpreter takes minutes.
fn share_interpreter(cache: &Path) -> bool {
    let ctx = xtask::ctx::Ctx::new(xtask::ui::Ui::new(true, false, true), false, false).unwrap();
    fs_err::create_dir_all(cache).unwrap();
    let mut has_interpreter = factory_base::process::find("python3.14t").is_some();
    let Ok(entries) = fs_err::read_dir(&ctx.cache) else {
        return has_interpreter;
    };
    for entry in entries.map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_interpreter =
            name.starts_with("cpython-") && entry.path().join(".complete").exists();
        has_interpreter |= is_interpreter && name.ends_with('t');
        if is_interpreter || (name.starts_with("uv-") && name != "uv-python") {
            fs_err::os::unix::fs::symlink(entry.path(), cache.join(name)).unwrap();
        }
    }
    has_interpreter
}

#[test]
fn ok_lost_native_code_is_in_the_lock_and_must_be_settled() {
    let Some(lists) = Lists::new() else { return };
    lists.update(false).unwrap();
    let lock = lists.lock();
    assert!(is_sealed(&lock), "{lock}");
    assert!(lock.contains("compared_with = \"cp314\""), "{lock}");
    let elsewhere = format!("native_elsewhere = \"{NATIVE}\"");
    assert_eq!(lock.matches("native_elsewhere").count(), 1, "{lock}");
    assert!(lock.contains(&elsewhere), "{lock}");
    assert!(lock.contains(PURE), "{lock}");

    // Nobody said so.
    let said = lists.update(true).unwrap_err();
    let fault = format!("`has-native` has no native code in `one`, and cp314 gets `{NATIVE}`");
    assert!(said.contains(&fault), "{said}");
    lists.write("exclusions.toml", &format!("{WITHOUT_GIT}{EXCLUDED}"));
    lists.update(true).unwrap();

    // A lock that was not compared does not count, whatever its seal says.
    let without: Vec<&str> = lock
        .lines()
        .filter(|line| !line.contains("compared_with"))
        .collect();
    let without = factory_model::lock::parse(&(without.join("\n") + "\n"))
        .unwrap()
        .lock;
    let without = factory_model::lock::text::<factory_model::lock::PythonLock>(&without).unwrap();
    lists.write("locks/python/one.toml", &without);
    let said = lists.update(true).unwrap_err();
    assert!(
        said.contains("does not belong to the lists as they are"),
        "{said}"
    );
    lists.update(false).unwrap();
    assert_eq!(lists.lock(), lock);

    // An override takes the wheel, and nothing is lost any more.
    lists.write("variants.toml", &format!("{VARIANTS}{TAKEN}"));
    let said = lists.update(true).unwrap_err();
    assert!(
        said.contains("does not belong to the lists as they are"),
        "{said}"
    );
    lists.update(false).unwrap();
    let lock = lists.lock();
    assert!(lock.contains(&format!("file = \"{NATIVE}\"")), "{lock}");
    assert!(!lock.contains("native_elsewhere"), "{lock}");
    let said = lists.update(true).unwrap_err();
    let fault = "the exclusion of native code of `has-native` from `one` is no longer needed";
    assert!(said.contains(fault), "{said}");
    lists.write("exclusions.toml", WITHOUT_GIT);
    lists.update(true).unwrap();
}

const ON_ARM: &str = "systems = [\"aarch64-linux\"]
variants = [\"one\"]
reason = \"a test\"
lifts = \"nothing\"
";

#[test]
fn ok_a_variant_is_locked_for_two_systems() {
    let Some(lists) = Lists::new() else { return };
    let list = "both\nhalf\nplain ; platform_machine == \"x86_64\"\n";
    lists.write("pak5.txt", list);
    lists.write("variants.toml", VARIANTS);
    lists.update(false).unwrap();
    let own = lists.lock();
    let for_both = "git = false\nsystems = [\"x86_64-linux\", \"aarch64-linux\"]\n";
    let variants = VARIANTS.replace("git = false\n", for_both);
    lists.write("variants.toml", &variants);
    let said = lists.update(true).unwrap_err();
    let stale = "one lock does not belong to the lists as they are\n  package-lists/locks/aarch64-linux/python/one.toml";
    assert!(said.contains(stale), "{said}");
    lists.update(false).unwrap();

    // One more system changes nothing of the first one's lock.
    assert_eq!(lists.lock(), own);
    let has = |lock: &str, file: &str| lock.contains(&format!("file = \"{file}\""));
    assert!(
        has(&own, BOTH[0]) && has(&own, HALF[0]) && has(&own, PLAIN),
        "{own}"
    );
    let arm = lists.lock_below("aarch64-linux/python/one.toml");
    assert!(is_sealed(&arm), "{arm}");
    assert!(
        has(&arm, BOTH[1]) && has(&arm, HALF[1]) && !has(&arm, PLAIN),
        "{arm}"
    );

    // What the second lacks must be said.
    let said = lists.update(true).unwrap_err();
    let half = format!(
        "aarch64-linux: `half` has no native code in `one`, and x86_64-linux gets `{}`",
        HALF[0]
    );
    assert!(said.contains(&half), "{said}");
    let plain = "aarch64-linux: `plain` (pak5.txt:3) is neither locked nor excluded in `one`";
    assert!(said.contains(plain), "{said}");
    let excluded = format!(
        "{WITHOUT_GIT}[[exclusion]]\nnative = \"half\"\n{ON_ARM}[[exclusion]]\nname = \"plain\"\n{ON_ARM}"
    );
    lists.write("exclusions.toml", &excluded);
    lists.update(false).unwrap();
    lists.update(true).unwrap();
    assert_eq!(lists.lock(), own);
    let needless = format!("{excluded}[[exclusion]]\nnative = \"both\"\n{ON_ARM}");
    lists.write("exclusions.toml", &needless);
    let said = lists.update(true).unwrap_err();
    let fault = "aarch64-linux: the exclusion of native code of `both` from `one` is no longer needed: nothing of it is lost";
    assert!(said.contains(fault), "{said}");
}
