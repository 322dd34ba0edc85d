//! The one way in which a test says that it, or a part of it, cannot run here.
//!
//! libtest hides what a passing test prints, so a skip is also written to the file that
//! `FACTORY_SKIPS` names: `.ci/run` prints them all at its end. Where `CI` is set a skip is a
//! failure, unless `.ci/allowed-skips.toml` says why it may be.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::Deserialize;

/// The file that skips are added to, one JSON document on each line.
const FILE: &str = "FACTORY_SKIPS";
/// The allowed ones. Compiled in: the list and the tests are of one commit.
const ALLOWED: &str = include_str!("../../../.ci/allowed-skips.toml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    schema_version: u32,
    #[serde(default)]
    skip: Vec<Entry>,
}

/// A skip that is no failure where `CI` is set.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// `module::test`, or `*` for all.
    test: String,
    /// What the test says.
    why: String,
    /// `root` or `user`: whom it is allowed.
    by: User,
    /// Why that is no loss.
    reason: String,
}

#[derive(Debug, Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum User {
    Root,
    User,
}

fn parse(text: &str) -> Vec<Entry> {
    let allowed: Allowed = toml::from_str(text).unwrap();
    assert_eq!(allowed.schema_version, 1, ".ci/allowed-skips.toml");
    allowed.skip
}

fn find<'a>(allowed: &'a [Entry], test: &str, why: &str, by: User) -> Option<&'a Entry> {
    allowed.iter().find(|entry| {
        [test, "*"].contains(&entry.test.as_str()) && entry.why == why && entry.by == by
    })
}

fn current_user() -> User {
    match std::fs::metadata("/proc/self").unwrap().uid() {
        0 => User::Root,
        _ => User::User,
    }
}

/// libtest names the thread of each test; with a single thread there is only `main`.
fn current_test() -> String {
    std::thread::current().name().unwrap_or("main").to_owned()
}

fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !["", "0", "false"].contains(&value.as_str()))
}

/// Says that the running test does not do something, and why.
///
/// Panics where `CI` is set and the skip is not among the allowed.
pub(crate) fn skip(why: &str) {
    let (test, by) = (current_test(), current_user());
    let allowed = parse(ALLOWED);
    let entry = find(&allowed, &test, why, by);
    if let Some(path) = std::env::var_os(FILE) {
        append(Path::new(&path), &test, why, by, entry);
    }
    eprintln!("skipped: {test}: {why}");
    assert!(
        entry.is_some() || !is_ci(),
        "`{test}` cannot run as it should, and `CI` is set: {why}\n\
         hint: give the machine what is missing, or say in `.ci/allowed-skips.toml` why that is no loss"
    );
}

fn append(path: &Path, test: &str, why: &str, by: User, entry: Option<&Entry>) {
    let line = serde_json::json!({
        "test": test,
        "why": why,
        "by": match by { User::Root => "root", User::User => "user" },
        "allowed": entry.map(|entry| &entry.reason),
    });
    let mut file = fs_err::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    // One write, so that lines of other tests do not come between.
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

#[test]
fn ok_allowed_skips_have_reasons() {
    for entry in parse(ALLOWED) {
        assert!(entry.reason.len() > 20, "{entry:?}");
    }
}

#[test]
fn ok_a_skip_is_allowed_by_test_text_and_user() {
    let allowed = parse(
        "schema_version = 1\n[[skip]]\ntest = 'a::b'\nwhy = 'no x'\nby = 'user'\nreason = 'r'\n",
    );
    assert!(find(&allowed, "a::b", "no x", User::User).is_some());
    assert!(find(&allowed, "a::c", "no x", User::User).is_none());
    assert!(find(&allowed, "a::b", "no y", User::User).is_none());
    assert!(find(&allowed, "a::b", "no x", User::Root).is_none());
}

/// Calls `skip` in a process of its own; the others run it as a test of their own.
#[test]
fn ok_probe() {
    if std::env::var_os("FACTORY_SKIP_PROBE").is_some() {
        skip("it is a probe");
    }
}

/// Runs the probe; returns whether it passed, and what it added to the file.
fn probe(ci: Option<&str>) -> (bool, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("skips");
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "skips::ok_probe", "--test-threads=2"])
        .env("FACTORY_SKIP_PROBE", "1")
        .env(FILE, &file)
        .env_remove("CI");
    if let Some(ci) = ci {
        command.env("CI", ci);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("running 1 test"), "{text}");
    (
        output.status.success(),
        fs_err::read_to_string(file).unwrap(),
    )
}

#[test]
fn err_a_skip_fails_where_ci_is_set() {
    let (passed, written) = probe(Some("true"));
    assert!(!passed);
    let line: serde_json::Value = serde_json::from_str(&written).unwrap();
    assert_eq!(line["test"], "skips::ok_probe");
    assert_eq!(line["why"], "it is a probe");
    assert_eq!(line["allowed"], serde_json::Value::Null);
}

#[test]
fn ok_a_skip_is_written_down_elsewhere() {
    for ci in [None, Some(""), Some("false")] {
        let (passed, written) = probe(ci);
        assert!(passed, "{ci:?}");
        assert_eq!(written.lines().count(), 1, "{ci:?}");
    }
}
