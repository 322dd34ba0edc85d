//! `plan`: the fixture against what was built, a revision, and an image in a registry.

use crate::fixture::Checkout;
use crate::push::Debian;
use crate::skips::skip;

fn changes(json: &serde_json::Value) -> Vec<String> {
    let changes = json["blobs"]["changes"].as_array().unwrap();
    let size = |size: &serde_json::Value| match &size["diff_id"] {
        _ if size.is_null() => "-",
        serde_json::Value::Null => "estimate",
        _ => "built",
    };
    changes
        .iter()
        .map(|change| {
            format!(
                "{} {} {} {} {}",
                change["layer"].as_str().unwrap(),
                size(&change["was"]),
                size(&change["now"]),
                change["certainty"].as_str().unwrap(),
                change["rebuilt"]
            )
        })
        .collect()
}

#[test]
fn ok_against_what_was_built_here() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    // Nothing was built yet: HEAD, which is the same.
    let json = checkout.run(&["plan", "--json"]).ok().json();
    assert_eq!(json["against"]["kind"], "revision");
    assert_eq!(json["against"]["name"], "HEAD");
    assert_eq!(json["blobs"]["n_same"], 2);
    assert_eq!(changes(&json), [""; 0]);
    assert_eq!(json["estimate"]["n_builds"], 4);
    assert_eq!(json["moves"]["n_blobs"], 0);

    checkout.run(&["build"]).ok();
    checkout.write_layers("the other content");
    checkout.git(&["commit", "-qam", "other"]);
    let before = checkout.run(&["plan", "--json"]).ok().json();
    assert_eq!(before["against"]["kind"], "built");
    assert_eq!(before["estimate"]["n_builds"], 3);
    assert_eq!(
        changes(&before),
        [
            r#"01-low built estimate possible ["01-low-tree"]"#,
            r#"02-high built estimate possible ["02-high-tree"]"#
        ]
    );
    assert_eq!(before["may_move"]["n_blobs"], 2);
    insta::assert_snapshot!(filter(&checkout, &checkout.run(&["plan"]).ok().stdout));

    // Against the same image, once the new one is built, there is nothing left to guess.
    let old = "HEAD~1";
    checkout.run(&["build"]).ok();
    let after = checkout
        .run(&["plan", "--against", old, "--json"])
        .ok()
        .json();
    assert_eq!(after["estimate"]["n_builds"], 0);
    assert_eq!(
        changes(&after),
        [
            r#"01-low built built certain ["01-low-tree"]"#,
            r#"02-high built built certain ["02-high-tree"]"#
        ]
    );
    // The guess is what the tree of before took.
    let size = |json: &serde_json::Value| json["blobs"]["changes"][0]["now"]["tar_bytes"].as_u64();
    let (guess, truth) = (size(&before).unwrap(), size(&after).unwrap());
    assert_eq!(guess, truth);
    let nothing = checkout.run(&["plan"]).ok().stdout;
    assert!(
        nothing.ends_with("to push   nothing\nto pull   nothing\n"),
        "{nothing}"
    );
}

fn filter(checkout: &Checkout, text: &str) -> String {
    let text = checkout.filter(text);
    let digest = text.split("sha256:").nth(1).map(|rest| &rest[..12]);
    digest.map_or(text.clone(), |digest| text.replace(digest, "[DIGEST]"))
}

#[test]
fn ok_against_a_revision_with_its_own_locks() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    checkout.write_python_lock();
    checkout.git(&["add", "-A"]);
    checkout.git(&["commit", "-qm", "lock"]);
    let lock = checkout.root().join("package-lists/locks/python/tiny.toml");
    let text = fs_err::read_to_string(&lock).unwrap();
    let (name, version) = first_package(&text);
    let newer = text.replacen(&format!("version = \"{version}\""), "version = \"99\"", 1);
    assert_ne!(newer, text);
    fs_err::write(&lock, newer).unwrap();
    let json = checkout
        .run(&["plan", "--against", "HEAD", "--json"])
        .ok()
        .json();
    let locks = json["locks"].as_array().unwrap();
    assert_eq!(locks.len(), 1, "{json}");
    assert_eq!(locks[0]["lock"], "python/tiny");
    assert_eq!(
        locks[0]["changed"],
        serde_json::json!([[name, version, "99"]])
    );
    // The lock feeds nothing of the fixture's flake.
    assert_eq!(json["blobs"]["n_same"], 2);

    // The checkout is left as it was.
    let worktrees = std::process::Command::new("git")
        .args(["worktree", "list"])
        .current_dir(checkout.root())
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(worktrees.stdout).unwrap().lines().count(),
        1
    );
}

fn first_package(text: &str) -> (String, String) {
    let value = |key: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{key} = \"")));
        line.unwrap().trim_end_matches('"').to_owned()
    };
    (value("name"), value("version"))
}

#[test]
fn ok_against_an_image_in_a_registry() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let Some(registry) = Debian::start(directory.path()) else {
        return skip("no `docker-registry` on PATH");
    };
    let to = format!("{}/me/fixture:1", registry.host);
    checkout.run(&["push", "--bare", "02", "--to", &to]).ok();
    // On a machine where it was never built, the record in the manifest tells.
    fs_err::remove_dir_all(checkout.data().join("roots")).unwrap();
    let same = checkout
        .run(&["plan", "--against", &to, "--json"])
        .ok()
        .json();
    assert_eq!(same["against"]["kind"], "image");
    assert_eq!(same["blobs"]["n_same"], 2);
    assert_eq!(same["settings"], serde_json::json!([]));

    checkout.write_layers("the other");
    let json = checkout
        .run(&["plan", "--against", &to, "--json"])
        .ok()
        .json();
    assert_eq!(
        changes(&json),
        [
            "01-low built estimate possible []",
            "02-high built estimate possible []"
        ]
    );
    assert_eq!(json["packages"], serde_json::json!([]));
    // What the blob is there whose place it takes.
    let stored = |index: usize| {
        json["blobs"]["changes"][index]["was"]["stored_bytes"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(json["may_move"]["size_bytes"], stored(0) + stored(1));
    assert_eq!(json["may_move"]["is_estimate"], true);
}

#[test]
fn err_against_nothing() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let ran = checkout.run(&["plan", "--against", "no-such-thing"]);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    insta::assert_snapshot!(checkout.filter(&ran.stderr));
    let ran = checkout.run(&["plan", "--against", "127.0.0.1:1/me/x:1"]);
    assert_eq!(ran.status, 3, "{}", ran.stderr);
}
