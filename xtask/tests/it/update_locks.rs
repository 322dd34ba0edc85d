//! `update-locks` on a copy of the lists, without network.

use std::path::Path;

use clap::Parser as _;
use factory_base::error::{Kind, kind_of};
use factory_model::layers::Layers;
use factory_model::lock;
use xtask::cli::Cli;
use xtask::ctx::Ctx;
use xtask::ui::Ui;

use crate::support::Sandbox;

/// A checkout with the committed lists and locks only.
fn checkout() -> Sandbox {
    let mut sandbox = Sandbox::new();
    let root = sandbox.directory.path().join("checkout");
    copy(&sandbox.ctx.lists(), &root.join("package-lists"));
    for layer in factory_resolve::layers(&sandbox.ctx).unwrap().names() {
        std::fs::create_dir_all(root.join(format!("layers/{layer}"))).unwrap();
    }
    std::fs::copy(sandbox.ctx.root.join(Layers::FILE), root.join(Layers::FILE)).unwrap();
    sandbox.ctx.root = root;
    sandbox
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Appends a line to a list and returns what the command then says.
fn run_after(
    sandbox: &Sandbox,
    file: &str,
    line: &str,
    arguments: &[&str],
) -> Option<(Kind, String)> {
    let path = sandbox.ctx.lists().join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}{line}")).unwrap();
    run(&sandbox.ctx, arguments)
}

fn run(ctx: &Ctx, arguments: &[&str]) -> Option<(Kind, String)> {
    let command = ["cargo xtask", "update-locks"].iter().chain(arguments);
    let cli = Cli::try_parse_from(command).unwrap();
    let mut offline = Ctx::new(Ui::new(true, false, true), true, false).unwrap();
    offline.root.clone_from(&ctx.root);
    offline.cache.clone_from(&ctx.cache);
    offline.data.clone_from(&ctx.data);
    xtask::cmd::run(&offline, cli.command)
        .err()
        .map(|error| (kind_of(&error), format!("{error:#}")))
}

#[test]
fn ok_committed_locks_belong_to_the_lists() {
    let sandbox = checkout();
    assert_eq!(run(&sandbox.ctx, &["--check"]), None);
}

#[test]
fn ok_nothing_to_do_needs_no_network_and_writes_nothing() {
    let sandbox = checkout();
    let lock = sandbox.ctx.locks().join("python/slim.toml");
    let before = std::fs::metadata(&lock).unwrap().modified().unwrap();
    assert_eq!(run(&sandbox.ctx, &[]), None);
    assert_eq!(
        std::fs::metadata(&lock).unwrap().modified().unwrap(),
        before
    );
}

#[test]
fn ok_does_not_wait_for_a_build() {
    let sandbox = checkout();
    let _build = factory_base::fs::Lock::of_run(&sandbox.ctx).unwrap();
    assert_eq!(run(&sandbox.ctx, &[]), None);
}

#[test]
fn ok_comments_do_not_count() {
    let sandbox = checkout();
    assert_eq!(
        run_after(&sandbox, "pak5.txt", "# only words\n", &["--check"]),
        None
    );
}

#[test]
fn err_check_names_stale_python_locks() {
    let sandbox = checkout();
    let (kind, text) = run_after(&sandbox, "pak5.txt", "attrs\n", &["--check"]).unwrap();
    assert_eq!(kind, Kind::NotRight);
    assert_eq!(
        text,
        "5 locks do not belong to the lists as they are\n  package-lists/locks/python/gil.toml\n  package-lists/locks/python/megapak.toml\n  package-lists/locks/python/pt210.toml\n  package-lists/locks/python/slim.toml\n  package-lists/locks/aarch64-linux/python/slim.toml"
    );
}

#[test]
fn ok_check_of_one_system() {
    let sandbox = checkout();
    let path = sandbox.ctx.locks().join("aarch64-linux/python/slim.toml");
    std::fs::remove_file(path).unwrap();
    let (_, text) = run(&sandbox.ctx, &["--check"]).unwrap();
    assert_eq!(
        text,
        "one lock does not belong to the lists as they are\n  package-lists/locks/aarch64-linux/python/slim.toml"
    );
    let of = |system: &str| run(&sandbox.ctx, &["--check", "--system", system]);
    assert_eq!(of("x86_64-linux"), None);
    let (kind, _) = of("aarch64-linux").unwrap();
    assert_eq!(kind, Kind::NotRight);
    let (kind, text) = of("arm64").unwrap();
    assert_eq!(kind, Kind::BadInput);
    assert_eq!(
        text,
        "there is no system `arm64`; there are x86_64-linux, aarch64-linux"
    );
}

#[test]
fn err_check_names_locks_whose_sdists_require_something_else() {
    let sandbox = checkout();
    let path = sandbox.ctx.lists().join("sdists.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    // An sdist that no variant takes, and one that only some take.
    let other = "\n[sdist.nobodys]\nversion = \"1\"\nrequires = []\n";
    std::fs::write(&path, format!("{text}{other}")).unwrap();
    assert_eq!(run(&sandbox.ctx, &["--check"]), None);
    let known = "[sdist.dlib]\nversion = \"20.0.1\"\nrequires = []";
    assert!(text.contains(known));
    let edited = known.replace("[]", "[\"numpy>=2\"]");
    std::fs::write(&path, text.replace(known, &edited)).unwrap();
    let (kind, text) = run(&sandbox.ctx, &["--check"]).unwrap();
    assert_eq!(kind, Kind::NotRight);
    assert_eq!(
        text,
        "3 locks do not belong to the lists as they are\n  package-lists/locks/python/gil.toml\n  package-lists/locks/python/megapak.toml\n  package-lists/locks/python/pt210.toml"
    );
    let (kind, _) = run(&sandbox.ctx, &[]).unwrap();
    assert_eq!(kind, Kind::Environment);
}

#[test]
fn err_check_names_a_lock_edited_by_hand() {
    let sandbox = checkout();
    let path = sandbox.ctx.locks().join("python/slim.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let edited = text.replacen("layer = \"07-pak5\"", "layer = \"05-pak3\"", 1);
    assert_ne!(edited, text);
    std::fs::write(&path, edited).unwrap();
    let (kind, text) = run(&sandbox.ctx, &["--check"]).unwrap();
    assert_eq!(kind, Kind::NotRight);
    assert_eq!(
        text,
        "these locks are not as `update-locks` wrote them\n  package-lists/locks/python/slim.toml"
    );
    // Nothing keeps it but resolving again.
    let (_, text) = run(&sandbox.ctx, &[]).unwrap();
    assert_eq!(
        text,
        "`slim` must be resolved again, which needs the network"
    );
}

#[test]
fn err_check_names_a_root_and_those_above_it() {
    let sandbox = checkout();
    let file = "debian/02-python-tools.apt";
    let (kind, text) = run_after(&sandbox, file, "tree\n", &["--check"]).unwrap();
    assert_eq!(kind, Kind::NotRight);
    assert_eq!(
        text,
        "6 locks do not belong to the lists as they are\n  package-lists/locks/debian/02-python-tools.toml\n  package-lists/locks/debian/03-gcc15.toml\n  package-lists/locks/debian/11-app.toml\n  package-lists/locks/aarch64-linux/debian/02-python-tools.toml\n  package-lists/locks/aarch64-linux/debian/03-gcc15.toml\n  package-lists/locks/aarch64-linux/debian/11-app.toml"
    );
}

#[test]
fn err_check_names_what_is_neither_locked_nor_excluded() {
    let sandbox = checkout();
    let path = sandbox.ctx.lists().join("exclusions.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("name = \"cozy-comfy\""));
    let text = text.replace("name = \"cozy-comfy\"", "name = \"cozy-confy\"");
    std::fs::write(&path, text).unwrap();
    let (kind, text) = run(&sandbox.ctx, &["--check", "--variant", "slim"]).unwrap();
    assert_eq!(kind, Kind::NotRight);
    assert!(
        text.starts_with(
            "requests, locks and `package-lists/exclusions.toml` do not agree\n  the exclusion of `cozy-confy` is not needed: nothing of that name is requested; the nearest name is `cozy-comfy`\n  `cozy-comfy` (requested.toml) is neither locked nor excluded in `gil`, `megapak`, `pt210`"
        ),
        "{text}"
    );
}

#[test]
fn err_exclusions_that_cannot_be_read() {
    let sandbox = checkout();
    let entry = "\n[[exclusion]]\nname = \"x\"\nvariants = []\nreason = \"r\"\nlifts = \"l\"\n";
    let (kind, text) = run_after(&sandbox, "exclusions.toml", entry, &["--check"]).unwrap();
    assert_eq!(kind, Kind::BadInput);
    assert_eq!(
        text,
        "`package-lists/exclusions.toml`: the exclusion of `x` names no variant"
    );
}

#[test]
fn err_offline_resolution() {
    let sandbox = checkout();
    let (kind, text) = run_after(&sandbox, "build.txt", "attrs\n", &[]).unwrap();
    assert_eq!(kind, Kind::Environment);
    assert_eq!(
        text,
        "`build` must be resolved again, which needs the network"
    );
}

#[test]
fn err_all_bad_lines_at_once() {
    let sandbox = checkout();
    let lines = "numpy=>2\n-e .\n";
    let (kind, text) = run_after(&sandbox, "build.txt", lines, &["--check"]).unwrap();
    assert_eq!(kind, Kind::BadInput);
    assert!(text.starts_with("2 lines of the lists are wrong\n  package-lists/build.txt:"));
    assert!(text.contains("no such comparison operator"), "{text}");
}

#[test]
fn err_git_line_without_pin() {
    let sandbox = checkout();
    let line = "git+https://github.com/a/b@0000000000000000000000000000000000000000#egg=b\n";
    let (kind, text) = run_after(&sandbox, "pak7.txt", line, &["--check"]).unwrap();
    assert_eq!(kind, Kind::BadInput);
    assert!(
        text.contains("has no table `git.b` with the tree's NAR hash"),
        "{text}"
    );
}

#[test]
fn err_lock_that_is_no_toml() {
    let sandbox = checkout();
    std::fs::write(sandbox.ctx.locks().join("python/slim.toml"), "garbage").unwrap();
    let (kind, text) = run(&sandbox.ctx, &["--check"]).unwrap();
    assert_eq!(kind, Kind::BadInput);
    assert!(text.starts_with("cannot read the lock `"), "{text}");
}

#[test]
fn err_upgrade_of_unknown_package() {
    let sandbox = checkout();
    let (kind, text) = run(&sandbox.ctx, &["--upgrade-package", "numpi"]).unwrap();
    assert_eq!(kind, Kind::BadInput);
    assert!(
        text.starts_with("no lock has a package `numpi`; nearest: numpy"),
        "{text}"
    );
}

/// One scalar of a TOML document: its path without places in arrays, and where it stands.
struct Leaf {
    kind: String,
    span: std::ops::Range<usize>,
}

/// All scalars of a lock, in the order of the file.
fn leaves(text: &str) -> Vec<Leaf> {
    use toml::de::DeValue;
    fn walk(kind: &str, value: &toml::Spanned<DeValue<'_>>, found: &mut Vec<Leaf>) {
        match value.get_ref() {
            DeValue::Array(items) => items.iter().for_each(|item| walk(kind, item, found)),
            DeValue::Table(table) => {
                for (key, value) in table {
                    walk(&format!("{kind}.{}", key.get_ref()), value, found);
                }
            }
            _ => found.push(Leaf {
                kind: kind.to_owned(),
                span: value.span(),
            }),
        }
    }
    let mut found = Vec::new();
    let document = toml::de::DeTable::parse(text).unwrap();
    for (key, value) in document.get_ref() {
        walk(key.get_ref(), value, &mut found);
    }
    found.sort_by_key(|leaf| leaf.span.start);
    found
}

/// The text with another scalar of the same type, and of the same form, in one place.
fn mutated(text: &str, leaf: &Leaf) -> String {
    let old = &text[leaf.span.clone()];
    let new = match old {
        "true" => "false".to_owned(),
        "false" => "true".to_owned(),
        "\"\"" => "\"x\"".to_owned(),
        _ => {
            // The last letter or digit becomes another one.
            let at = old.rfind(|c: char| c.is_ascii_alphanumeric()).unwrap();
            let other = match &old[at..=at] {
                "0" => "1",
                digit if digit.parse::<u8>().is_ok() => "0",
                "a" => "b",
                _ => "a",
            };
            format!("{}{other}{}", &old[..at], &old[at + 1..])
        }
    };
    assert_ne!(new, old);
    format!(
        "{}{new}{}",
        &text[..leaf.span.start],
        &text[leaf.span.end..]
    )
}

/// All lock files of a checkout.
fn lock_files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files.extend(lock_files(&entry.path()));
        } else {
            files.push(entry.path());
        }
    }
    files.sort();
    files
}

#[test]
fn err_any_edited_value_breaks_the_seal() {
    let sandbox = Sandbox::new();
    let files = lock_files(&sandbox.ctx.locks());
    assert!(files.len() > 15, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(lock::is_sealed(&text), "{}", file.display());
        // The long ones repeat the same few fields, so one value in sixteen is enough of them.
        let step = if text.len() > 32 << 10 { 16 } else { 1 };
        for leaf in leaves(&text).iter().step_by(step) {
            let edited = mutated(&text, leaf);
            assert!(
                !lock::is_sealed(&edited),
                "{}: {}",
                file.display(),
                leaf.kind
            );
        }
    }
}

/// Each kind of field, in the first lock of each kind that has it.
#[test]
fn err_check_names_the_lock_with_an_edited_field() {
    let sandbox = checkout();
    let locks = sandbox.ctx.locks();
    let mut seen = std::collections::BTreeSet::new();
    for file in lock_files(&locks) {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(&locks).unwrap();
        let of_kind = match name.parent().and_then(Path::to_str) {
            Some("") | None => name.display().to_string(),
            Some(directory) => directory.to_owned(),
        };
        for leaf in leaves(&text) {
            // Tables of `sources.toml` have names of their own at the second place.
            let mut words: Vec<&str> = leaf.kind.split('.').collect();
            if of_kind == "sources.toml" && words.len() > 2 {
                words[1] = "*";
                words.truncate(3);
            }
            if !seen.insert((of_kind.clone(), words.join("."))) {
                continue;
            }
            std::fs::write(&file, mutated(&text, &leaf)).unwrap();
            let said = run(&sandbox.ctx, &["--check"]);
            std::fs::write(&file, &text).unwrap();
            let (kind, message) =
                said.unwrap_or_else(|| panic!("{}: {} was edited", name.display(), leaf.kind));
            let shown = format!("package-lists/locks/{}", name.display());
            assert!(message.contains(&shown), "{}: {message}", leaf.kind);
            assert!(
                matches!(kind, Kind::NotRight | Kind::BadInput),
                "{}: {message}",
                leaf.kind
            );
        }
    }
    // Fields of five kinds of locks; fewer would mean that the walk stopped early.
    assert!(seen.len() > 40, "{}: {seen:?}", seen.len());
}
