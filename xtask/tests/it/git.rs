//! Trees of git repositories, with the real git and repositories on the disk.

use std::path::{Path, PathBuf};
use std::process::Command;

use factory_base::error::{Kind, hints_of, kind_of};
use factory_fetch::git::{Revision, checkout};
use factory_model::lock::TreePattern;

use crate::server::{Reply, Server};
use crate::support::Sandbox;

/// A repository with the files of its last commit in its work tree.
struct Repository(PathBuf);

impl Repository {
    fn new(sandbox: &Sandbox, name: &str) -> Self {
        let path = sandbox.directory.path().join(name);
        let repository = Self(path);
        std::fs::create_dir_all(&repository.0).unwrap();
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=x", "-c", "user.email=x@example.invalid"])
            // Submodules on the disk need a permission that git took away by default.
            .args([
                "-c",
                "protocol.file.allow=always",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(arguments)
            .current_dir(&self.0)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits a file; returns the revision.
    fn commit(&self, file: &str, text: &str) -> String {
        let path = self.0.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", file]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Commits a submodule whose URL is then what `.gitmodules` says.
    fn commit_submodule(&self, path: &str, of: &Self, url: &str) -> String {
        let real = of.0.display().to_string();
        self.git(&["submodule", "--quiet", "add", &real, path]);
        let key = format!("submodule.{path}.url");
        self.git(&["config", "--file", ".gitmodules", &key, url]);
        self.git(&["commit", "--quiet", "--all", "--message", "submodule"]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn url(&self) -> String {
        self.0.display().to_string()
    }

    /// Takes away the content of a file, as a copy without large files does.
    fn lose(&self, file: &str) -> String {
        let blob = self.git(&["rev-parse", &format!("HEAD:{file}")]);
        let object = format!(".git/objects/{}/{}", &blob[..2], &blob[2..]);
        std::fs::remove_file(self.0.join(object)).unwrap();
        blob
    }

    /// As forges do.
    fn allow_filter(&self) {
        self.git(&["config", "uploadpack.allowFilter", "true"]);
    }
}

/// Checks out into `target` of the sandbox.
fn check_out(sandbox: &Sandbox, url: &str, rev: &str) -> anyhow::Result<Vec<PathBuf>> {
    check_out_without(sandbox, url, rev, &[])
}

/// Checks out all but what some patterns say.
fn check_out_without(
    sandbox: &Sandbox,
    url: &str,
    rev: &str,
    exclude: &[&str],
) -> anyhow::Result<Vec<PathBuf>> {
    let exclude: Vec<TreePattern> = exclude.iter().map(|text| text.parse().unwrap()).collect();
    let target = sandbox.directory.path().join("target");
    if target.exists() {
        std::fs::remove_dir_all(&target).unwrap();
    }
    let revision = Revision {
        url,
        rev,
        submodules: true,
        exclude: &exclude,
    };
    checkout(
        &sandbox.ctx,
        &revision,
        &sandbox.directory.path().join("objects"),
        &target,
    )
}

/// All files below a directory with their text, sorted.
fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in walk(root) {
        let text = std::fs::read_to_string(&entry).unwrap();
        let path = entry.strip_prefix(root).unwrap().display().to_string();
        found.push(format!("{path}: {}", text.trim()));
    }
    found.sort();
    found
}

fn walk(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The whole chain and its hints, with what differs from run to run replaced.
fn shown(sandbox: &Sandbox, error: &anyhow::Error, revisions: &[&str]) -> String {
    let mut text = format!("{error:#}");
    for hint in hints_of(error) {
        text.push_str(&format!("\nhint: {hint}"));
    }
    text = text.replace(
        &sandbox.directory.path().display().to_string(),
        "[DIRECTORY]",
    );
    for (index, revision) in revisions.iter().enumerate() {
        text = text.replace(revision, &format!("[REVISION {}]", index + 1));
    }
    text
}

#[test]
fn ok_submodules_of_submodules() {
    let sandbox = Sandbox::new();
    let inner = Repository::new(&sandbox, "inner");
    inner.commit("inner.txt", "inner");
    let middle = Repository::new(&sandbox, "middle");
    middle.commit("middle.txt", "middle");
    middle.commit_submodule("deep", &inner, "../inner");
    let outer = Repository::new(&sandbox, "outer");
    outer.commit("outer.txt", "old");
    let rev = outer.commit_submodule("ext/middle", &middle, &middle.url());
    // Not what is pinned.
    outer.commit("outer.txt", "new");
    inner.commit("inner.txt", "newer");

    check_out(&sandbox, &outer.url(), &rev).unwrap();
    let found = files(&sandbox.directory.path().join("target"));
    let found: Vec<_> = found
        .iter()
        .filter(|line| !line.starts_with(".gitmodules"))
        .collect();
    assert_eq!(
        found,
        [
            "ext/middle/.gitmodules: [submodule \"deep\"]\n\tpath = deep\n\turl = ../inner",
            "ext/middle/deep/inner.txt: inner",
            "ext/middle/middle.txt: middle",
            "outer.txt: old",
        ]
    );
}

#[test]
fn ok_no_history_is_fetched() {
    let sandbox = Sandbox::new();
    let repository = Repository::new(&sandbox, "repository");
    repository.commit("file.txt", "one");
    let rev = repository.commit("file.txt", "two");
    repository.commit("file.txt", "three");
    check_out(&sandbox, &repository.url(), &rev).unwrap();
    let objects = sandbox.directory.path().join("objects");
    let fetched = Repository(
        std::fs::read_dir(objects)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path(),
    );
    let all = fetched.git(&["cat-file", "--batch-all-objects", "--batch-check"]);
    let commits: Vec<&str> = all
        .lines()
        .filter(|line| line.contains(" commit "))
        .collect();
    assert_eq!(commits.len(), 1, "{commits:?}");
    assert!(commits[0].starts_with(&rev));
}

#[test]
fn ok_a_second_run_asks_nobody_again() {
    let sandbox = Sandbox::new();
    let repository = Repository::new(&sandbox, "repository");
    let rev = repository.commit("file.txt", "text");
    check_out(&sandbox, &repository.url(), &rev).unwrap();
    // A checkout that was cut off in the middle, and a repository that is gone since.
    std::fs::rename(&repository.0, sandbox.directory.path().join("gone")).unwrap();
    check_out(&sandbox, &repository.url(), &rev).unwrap();
    let target = sandbox.directory.path().join("target");
    assert_eq!(files(&target), ["file.txt: text"]);
}

#[test]
fn ok_mirror_by_instead_of() {
    // The user's settings come by the environment, which only a process of its own can have.
    if let Ok(rev) = std::env::var("XTASK_TEST_MIRRORED") {
        let target = PathBuf::from(std::env::var_os("XTASK_TEST_TARGET").unwrap());
        let revision = Revision {
            url: "https://forge.test/owner/repository",
            rev: &rev,
            submodules: true,
            exclude: &[],
        };
        let objects = target.with_file_name("objects");
        checkout(&Sandbox::new().ctx, &revision, &objects, &target).unwrap();
        return;
    }
    let sandbox = Sandbox::new();
    let inner = Repository::new(&sandbox, "other/inner");
    inner.commit("inner.txt", "inner");
    let outer = Repository::new(&sandbox, "owner/repository");
    let rev = outer.commit_submodule("inner", &inner, "../../other/inner");
    let config = sandbox.directory.path().join("gitconfig");
    let base = sandbox.directory.path().display();
    std::fs::write(
        &config,
        format!("[url \"{base}/\"]\n\tinsteadOf = https://forge.test/\n"),
    )
    .unwrap();
    let target = sandbox.directory.path().join("target");
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "git::ok_mirror_by_instead_of"])
        .env("GIT_CONFIG_GLOBAL", config)
        .env("XTASK_TEST_MIRRORED", rev)
        .env("XTASK_TEST_TARGET", &target)
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(
        std::fs::read_to_string(target.join("inner/inner.txt")).unwrap(),
        "inner"
    );
}

#[test]
fn err_submodule_without_its_host() {
    let sandbox = Sandbox::new();
    let inner = Repository::new(&sandbox, "inner");
    inner.commit("inner.txt", "inner");
    let outer = Repository::new(&sandbox, "outer");
    // Nothing listens on the discard port.
    let rev = outer.commit_submodule("ext/inner", &inner, "http://127.0.0.1:9/inner");
    let error = check_out(&sandbox, &outer.url(), &rev).unwrap_err();
    assert_eq!(kind_of(&error), Kind::Environment);
    let text = shown(&sandbox, &error, &[&rev]);
    // curl's words for it differ from release to release.
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.contains("fatal:"))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn err_submodule_without_a_url() {
    let sandbox = Sandbox::new();
    let inner = Repository::new(&sandbox, "inner");
    inner.commit("inner.txt", "inner");
    let outer = Repository::new(&sandbox, "outer");
    outer.commit_submodule("inner", &inner, "../inner");
    std::fs::remove_file(outer.0.join(".gitmodules")).unwrap();
    outer.git(&["commit", "--quiet", "--all", "--message", "no URL"]);
    let rev = outer.git(&["rev-parse", "HEAD"]);
    let error = check_out(&sandbox, &outer.url(), &rev).unwrap_err();
    assert_eq!(kind_of(&error), Kind::BadInput);
    insta::assert_snapshot!(shown(&sandbox, &error, &[&rev]));
}

#[test]
fn err_revision_was_dropped() {
    let sandbox = Sandbox::new();
    let repository = Repository::new(&sandbox, "repository");
    repository.commit("file.txt", "one");
    let rev = repository.commit("file.txt", "two");
    // A force push and the server's housekeeping.
    repository.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    repository.git(&["reflog", "expire", "--expire=now", "--all"]);
    repository.git(&["gc", "--quiet", "--prune=now"]);
    let error = check_out(&sandbox, &repository.url(), &rev).unwrap_err();
    assert_eq!(kind_of(&error), Kind::Environment);
    insta::assert_snapshot!(shown(&sandbox, &error, &[&rev]));
}

#[test]
fn ok_revision_that_no_branch_has() {
    // A moved branch whose old commit the server still holds.
    let sandbox = Sandbox::new();
    let repository = Repository::new(&sandbox, "repository");
    repository.commit("file.txt", "one");
    let rev = repository.commit("file.txt", "two");
    repository.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    check_out(&sandbox, &repository.url(), &rev).unwrap();
    let target = sandbox.directory.path().join("target");
    assert_eq!(files(&target), ["file.txt: two"]);
}

#[test]
fn err_no_repository() {
    let sandbox = Sandbox::new();
    let url = sandbox
        .directory
        .path()
        .join("nothing")
        .display()
        .to_string();
    let rev = "1".repeat(40);
    let error = check_out(&sandbox, &url, &rev).unwrap_err();
    insta::assert_snapshot!(shown(&sandbox, &error, &[&rev]));
}

#[test]
fn err_credentials_are_never_asked_for() {
    let sandbox = Sandbox::new();
    let server = Server::start(|_, _| {
        Reply::status("401 Unauthorized", "").header("WWW-Authenticate: Basic realm=\"forge\"")
    });
    let url = format!("{}/owner/repository", server.base);
    let rev = "1".repeat(40);
    let error = check_out(&sandbox, &url, &rev).unwrap_err();
    let text = shown(&sandbox, &error, &[&rev]).replace(&server.base, "[SERVER]");
    insta::assert_snapshot!(text);
}

#[test]
fn err_repository_without_a_large_file() {
    let sandbox = Sandbox::new();
    let repository = Repository::new(&sandbox, "repository");
    let rev = repository.commit("large.bin", "large");
    let blob = repository.lose("large.bin");
    let error = check_out(&sandbox, &repository.url(), &rev).unwrap_err();
    let text = shown(&sandbox, &error, &[&rev, &blob]);
    // Which of its programs git names differs from release to release.
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with("    "))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn ok_pointers_of_large_files_are_named() {
    let sandbox = Sandbox::new();
    let repository = Repository::new(&sandbox, "repository");
    repository.commit(
        ".gitattributes",
        "*.bin filter=lfs diff=lfs merge=lfs -text\n",
    );
    repository.git(&["config", "filter.lfs.clean", "cat"]);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5000000\n";
    let rev = repository.commit("models/a.bin", pointer);
    let pointers = check_out(&sandbox, &repository.url(), &rev).unwrap();
    assert_eq!(pointers, [PathBuf::from("models/a.bin")]);
    let target = sandbox.directory.path().join("target/models/a.bin");
    assert_eq!(std::fs::read_to_string(target).unwrap(), pointer);
}

/// A repository with a file of each kind that a tree may leave out.
fn with_extras(sandbox: &Sandbox) -> (Repository, String) {
    let repository = Repository::new(sandbox, "repository");
    repository.commit("assets/deep/a.png", "picture");
    repository.commit("assets/b [1].png", "another picture");
    repository.commit("notebooks/a.ipynb", "notebook");
    repository.commit("notebooks/a.py", "code");
    let rev = repository.commit("file.txt", "text");
    (repository, rev)
}

#[test]
fn ok_left_out_is_not_fetched() {
    let sandbox = Sandbox::new();
    let (repository, rev) = with_extras(&sandbox);
    repository.allow_filter();
    let exclude = ["assets", "notebooks/*.ipynb"];
    check_out_without(&sandbox, &repository.url(), &rev, &exclude).unwrap();
    let target = sandbox.directory.path().join("target");
    assert_eq!(files(&target), ["file.txt: text", "notebooks/a.py: code"]);
    assert!(!target.join("assets").exists());
    let objects = sandbox.directory.path().join("objects");
    let fetched = std::fs::read_dir(objects).unwrap().next().unwrap().unwrap();
    let fetched = Repository(fetched.path());
    let all = fetched.git(&["cat-file", "--batch-all-objects", "--batch-check"]);
    let blobs = all.lines().filter(|line| line.contains(" blob ")).count();
    assert_eq!(blobs, 2, "{all}");
}

#[test]
fn ok_same_tree_with_and_without_filters() {
    // A server that knows no filters sends all, and the same tree comes of it.
    let sandbox = Sandbox::new();
    let (repository, rev) = with_extras(&sandbox);
    let exclude = ["assets/*", "notebooks/*.ipynb"];
    check_out_without(&sandbox, &repository.url(), &rev, &exclude).unwrap();
    let target = sandbox.directory.path().join("target");
    let all = factory_fetch::nar_hash(&target).unwrap();
    std::fs::remove_dir_all(sandbox.directory.path().join("objects")).unwrap();
    repository.allow_filter();
    check_out_without(&sandbox, &repository.url(), &rev, &exclude).unwrap();
    assert_eq!(factory_fetch::nar_hash(&target).unwrap(), all);
    // And of a second run that has the objects.
    check_out_without(&sandbox, &repository.url(), &rev, &exclude).unwrap();
    assert_eq!(factory_fetch::nar_hash(&target).unwrap(), all);
}

#[test]
fn ok_mirror_without_what_is_left_out() {
    let sandbox = Sandbox::new();
    let (repository, rev) = with_extras(&sandbox);
    repository.allow_filter();
    repository.lose("assets/deep/a.png");
    repository.lose("notebooks/a.ipynb");
    let exclude = ["assets/*", "notebooks/*.ipynb"];
    check_out_without(&sandbox, &repository.url(), &rev, &exclude).unwrap();
    let target = sandbox.directory.path().join("target");
    assert_eq!(files(&target), ["file.txt: text", "notebooks/a.py: code"]);
}

#[test]
fn err_mirror_without_a_file_that_stays() {
    let sandbox = Sandbox::new();
    let (repository, rev) = with_extras(&sandbox);
    repository.allow_filter();
    repository.lose("notebooks/a.py");
    // Said with its path, whether or not other files are left out; never another hash.
    for exclude in [&["assets"][..], &[]] {
        let error = check_out_without(&sandbox, &repository.url(), &rev, exclude).unwrap_err();
        assert_eq!(kind_of(&error), Kind::Environment);
        insta::allow_duplicates! {
            insta::assert_snapshot!(shown(&sandbox, &error, &[&rev]), @"
            [DIRECTORY]/repository does not have the file `notebooks/a.py` of [REVISION 1]
            hint: a mirror may have been copied without large files: fetch from the original
            hint: if no image needs `notebooks/a.py`, add it to `exclude` in `package-lists/sources.toml`, with the hash of what remains
            ");
        }
        std::fs::remove_dir_all(sandbox.directory.path().join("objects")).unwrap();
    }
}

#[test]
fn ok_left_out_of_submodules() {
    let sandbox = Sandbox::new();
    let gone = Repository::new(&sandbox, "gone");
    gone.commit("gone.txt", "gone");
    let inner = Repository::new(&sandbox, "inner");
    inner.commit("media/a.png", "picture");
    inner.commit("inner.txt", "inner");
    inner.allow_filter();
    let outer = Repository::new(&sandbox, "outer");
    outer.allow_filter();
    outer.commit_submodule("ext/gone", &gone, &gone.url());
    let rev = outer.commit_submodule("ext/inner", &inner, &inner.url());
    inner.lose("media/a.png");
    // A submodule that is left out is not asked for.
    std::fs::remove_dir_all(&gone.0).unwrap();
    let exclude = ["ext/gone", "ext/inner/media", ".gitmodules"];
    check_out_without(&sandbox, &outer.url(), &rev, &exclude).unwrap();
    let target = sandbox.directory.path().join("target");
    assert_eq!(files(&target), ["ext/inner/inner.txt: inner"]);
    assert!(!target.join("ext/gone").exists());
}

#[test]
fn err_nothing_to_leave_out() {
    let sandbox = Sandbox::new();
    let (repository, rev) = with_extras(&sandbox);
    let error = check_out_without(&sandbox, &repository.url(), &rev, &["asset/*.png"]).unwrap_err();
    assert_eq!(kind_of(&error), Kind::BadInput);
    insta::assert_snapshot!(shown(&sandbox, &error, &[&rev]), @"
    `asset/*.png`, which the tree is to leave out, is not in [DIRECTORY]/repository at [REVISION 1]
    hint: change `exclude` in `package-lists/sources.toml` to what this revision has
    ");
}
