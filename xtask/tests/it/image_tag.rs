//! Images are called after what is locked, and documents call them so.

use std::collections::BTreeMap;

use fs_err as fs;

use factory_model::lock::{self, PythonLock};

use crate::help::UPDATE;
use crate::tidy;

/// The version of PyTorch that a variant has locked.
pub(crate) fn torch(variant: &str) -> String {
    let lock = lock_of(variant);
    let torch = lock.packages.iter().find(|package| package.name == "torch");
    torch.unwrap().version.clone()
}

/// The tag of a variant's image, as `nix/imageTag.nix` makes it: `cu130-slim-pt214-py314t`.
pub(crate) fn tag(variant: &str) -> String {
    let torch = torch(variant);
    let mut parts = torch.split('.');
    let (major, minor) = (parts.next().unwrap(), parts.next().unwrap());
    let python = lock_of(variant).python.replace("cp", "py");
    format!("cu130-{variant}-pt{major}{minor}-{python}")
}

fn lock_of(variant: &str) -> PythonLock {
    let path = format!("package-lists/locks/python/{variant}.toml");
    let text = fs::read_to_string(tidy::root().join(path)).unwrap();
    lock::parse::<PythonLock>(&text).unwrap().lock
}

/// The text with each tag of the variant's image replaced by `tag`.
fn renamed(text: &str, variant: &str, tag: &str) -> String {
    let head = format!("cu130-{variant}-pt");
    let mut pieces = text.split(head.as_str());
    let mut new = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let version = piece.trim_start_matches(|c: char| c.is_ascii_digit());
        match version.strip_prefix("-py") {
            Some(rest) => {
                new.push_str(tag);
                new.push_str(rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric()));
            }
            None => new.extend([head.as_str(), piece]),
        }
    }
    new
}

#[test]
fn ok_only_the_tag_is_renamed() {
    let text = "a:cu130-slim-pt211-py314t-layer05 `cu130-slim-pt9-py3`, cu130-slim-ptx cu130-gil-pt211-py314";
    assert_eq!(
        renamed(text, "slim", "NEW"),
        "a:NEW-layer05 `NEW`, cu130-slim-ptx cu130-gil-pt211-py314"
    );
    assert_eq!(renamed("nothing", "slim", "NEW"), "nothing");
}

/// All variants, by the names of their locks.
fn variants(files: &BTreeMap<String, String>) -> Vec<&str> {
    let variants: Vec<&str> = files
        .keys()
        .filter_map(|path| path.strip_prefix("package-lists/locks/python/"))
        .filter_map(|file| file.strip_suffix(".toml"))
        .filter(|name| *name != "build")
        .collect();
    assert!(variants.contains(&"slim"), "{variants:?}");
    variants
}

#[test]
fn ok_the_readme_names_each_pytorch() {
    let files = tidy::files();
    for variant in variants(&files) {
        let head = format!("| `{variant}` ");
        let row = files["README.md"]
            .lines()
            .find(|line| line.starts_with(&head));
        let torch = torch(variant);
        // Without the local part of a version that is on no index.
        let cell = format!(" | {} | ", torch.split('+').next().unwrap());
        assert!(
            row.unwrap().contains(&cell),
            "README.md, the row of `{variant}`: its PyTorch is not {torch}"
        );
    }
}

/// Decisions and the changelog tell of the past; all else that users read is about today.
#[test]
fn ok_documents_name_the_images_of_today() {
    let files = tidy::files();
    let mut stale = Vec::new();
    for (path, text) in &files {
        let is_document = path == "README.md"
            || path.starts_with("deploy/")
            || path.starts_with("docs/") && !path.starts_with("docs/design/");
        if !is_document {
            continue;
        }
        let new = variants(&files).iter().fold(text.clone(), |text, variant| {
            renamed(&text, variant, &tag(variant))
        });
        if new == *text {
            continue;
        }
        if std::env::var_os(UPDATE).is_some() {
            fs::write(tidy::root().join(path), new).unwrap();
        } else {
            stale.push(path);
        }
    }
    assert!(
        stale.is_empty(),
        "{stale:?} name images of other locks; run `{UPDATE}=1 cargo test -p xtask --test it image_tag`"
    );
}
