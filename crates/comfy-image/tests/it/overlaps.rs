//! Layers over each other: no layer changes what is below it, unless that is declared.

use comfy_image::{Error, Replacement};

use crate::fixture::{Store, Tree, spec, try_spec};

/// The message of an image with one tree in each of two layers.
fn refused(store: &Store, lower: &Tree, upper: &Tree) -> String {
    let layers = [spec("01-low", &[lower]), spec("02-high", &[upper])];
    let error = store.try_image(&layers).unwrap_err();
    assert!(matches!(error, Error::Overlaps { .. }), "{error}");
    assert_eq!(error.exit_code(), 1);
    store.filter(&error.render())
}

fn replacement(path: &str, packages: [&str; 2], reason: &str) -> Replacement {
    Replacement {
        paths: vec![path.to_owned()],
        packages: packages.map(str::to_owned).to_vec(),
        reason: reason.to_owned(),
    }
}

#[test]
fn ok_layers_share_directories_and_equal_files() {
    let store = Store::new();
    let base = store
        .tree("base")
        .link("lib", "usr/lib")
        .file("usr/lib/same", "same")
        .dir("tmp")
        .modes("1777 tmp");
    let app = store
        .tree("app")
        .link("lib", "usr/lib")
        .file("usr/lib/same", "same")
        .file("usr/lib/x", "")
        .file("tmp/x", "")
        .modes("1777 tmp");
    // Another package of the layer may be the one that names the mode.
    let other = store.tree("other").file("tmp/y", "");
    store.image(&[spec("01-base", &[&base]), spec("02-app", &[&other, &app])]);
}

#[test]
fn err_every_way_to_change_a_lower_layer() {
    let store = Store::new();
    let base = store
        .tree("base 1")
        .file("content", "a")
        .file("mode", "")
        .link("target", "a")
        .file("below-a-file", "")
        .file("covered/by-a-file", "")
        .file("covered-by-a-link/x", "")
        .link("lib", "usr/lib")
        .dir("usr/lib")
        .dir("tmp")
        .dir("private")
        .modes("1777 tmp");
    let app = store
        .tree("app 2")
        .file("content", "b")
        .executable("mode", "")
        .link("target", "b")
        .file("below-a-file/x", "")
        .file("covered", "")
        .link("covered-by-a-link", "elsewhere")
        .file("lib/x", "")
        .file("tmp/cache", "")
        .dir("private")
        .modes("700 private");
    insta::assert_snapshot!(refused(&store, &base, &app), @"
    error: a layer would change what one below it has, at 9 path(s)
      `below-a-file`: `app 2` of layer `02-high` (`[STORE]/app 2`) over `base 1` of layer `01-low` (`[STORE]/base 1`): a directory and a file
      `content`: `app 2` of layer `02-high` (`[STORE]/app 2`) over `base 1` of layer `01-low` (`[STORE]/base 1`): the contents differ
      `covered`: `app 2` of layer `02-high` (`[STORE]/app 2`) over `base 1` of layer `01-low` (`[STORE]/base 1`): a file and a directory
      `covered-by-a-link`: `app 2` of layer `02-high` (`[STORE]/app 2`) over `base 1` of layer `01-low` (`[STORE]/base 1`): a symlink to `elsewhere` and a directory
      `lib`: `app 2` of layer `02-high` (`[STORE]/app 2`) over `base 1` of layer `01-low` (`[STORE]/base 1`): a directory and a symlink to `usr/lib`
      `mode`: `app 2` of layer `02-high` (`[STORE]/app 2`) over `base 1` of layer `01-low` (`[STORE]/base 1`): the modes differ, 0755 and 0644
      `private`: `app 2` of layer `02-high` (`[STORE]/app 2`) over `base 1` of layer `01-low` (`[STORE]/base 1`): the modes differ, 0700 and 0755
      `target`: `app 2` of layer `02-high` (`[STORE]/app 2`) over `base 1` of layer `01-low` (`[STORE]/base 1`): symlinks to `b` and to `a`
      `tmp`: `app 2` of layer `02-high` (`[STORE]/app 2`) over `base 1` of layer `01-low` (`[STORE]/base 1`): the modes differ, 0755 and 1777

    hint: leave the path to one of the two packages, name a directory's mode in the `modes` file of both, or declare the change in `layers/replacements.toml`
    ");
}

#[test]
fn err_every_lower_layer_counts_and_the_nearest_is_named() {
    let store = Store::new();
    let trees = ["one", "two", "three"].map(|name| store.tree(name));
    let [one, two, three] = trees;
    let (one, two, three) = (one.file("f", "1"), two.file("g", ""), three.file("f", "3"));
    let layers = [
        spec("01-a", &[&one]),
        spec("02-b", &[&two]),
        spec("03-c", &[&three]),
    ];
    let text = store.filter(&store.try_image(&layers).unwrap_err().render());
    assert!(text.contains("`three` of layer `03-c`"), "{text}");
    assert!(text.contains("over `one` of layer `01-a`"), "{text}");

    let allowed = || vec![replacement("f", ["one", "two-again"], "a test")];
    let two = store.tree("two-again").file("f", "2");
    let layers = [
        spec("01-a", &[&one]),
        spec("02-b", &[&two]),
        spec("03-c", &[&three]),
    ];
    let error = store.try_image_with(&layers, allowed()).unwrap_err();
    let text = store.filter(&error.render());
    assert!(text.contains("over `two-again` of layer `02-b`"), "{text}");
    assert!(text.contains("at 1 path(s)"), "{text}");
}

#[test]
fn err_many_are_counted() {
    let store = Store::new();
    let (mut one, mut other) = (store.tree("one"), store.tree("other"));
    for index in 0..25 {
        one = one.file(&format!("{index}"), "a");
        other = other.file(&format!("{index}"), "b");
    }
    let text = refused(&store, &one, &other);
    assert!(
        text.contains("at 25 path(s)") && text.contains("\n  and 5 more\n"),
        "{text}"
    );
}

#[test]
fn ok_what_is_declared_is_replaced() {
    let store = Store::new();
    let base = store
        .tree("debian-base 13")
        .file("var/lib/dpkg/status", "a");
    let tools = store.tree("debian-tools").file("var/lib/dpkg/status", "b");
    let layers = [spec("01-base", &[&base]), spec("02-tools", &[&tools])];
    let status = "var/lib/dpkg/status";
    let packages = ["debian-tools", "debian-base"];
    let allowed = replacement(status, packages, "dpkg's list holds those below");
    store.try_image_with(&layers, vec![allowed]).unwrap();
    store.try_image(&layers).unwrap_err();

    for wrong in [
        replacement("var/lib/dpkg/statu", packages, "another path"),
        replacement("var/lib/dpkg", packages, "a directory above it"),
        replacement(status, ["debian-tools", "debian-bas"], "another package"),
    ] {
        let error = store.try_image_with(&layers, vec![wrong.clone()]);
        assert!(matches!(error, Err(Error::Overlaps { .. })), "{wrong:?}");
    }
    let error = store
        .try_image_with(&layers, vec![replacement(status, packages, " ")])
        .unwrap_err();
    insta::assert_snapshot!(error.render(), @"error: invalid image request: a replacement needs paths, two packages and a reason: `var/lib/dpkg/status`");
}

#[test]
fn err_no_declaration_lets_a_directory_go() {
    let store = Store::new();
    let base = store.tree("base").file("etc/ssl/certificate", "");
    let file = store.tree("file").file("etc/ssl", "");
    let link = store.tree("link").link("etc/ssl", "/srv");
    for upper in [&file, &link] {
        let layers = [spec("01-base", &[&base]), spec("02-high", &[upper])];
        let package = layers[1].packages[0].package.clone();
        let declared = replacement("etc/ssl", ["base", &package], "it is wanted");
        let error = store.try_image_with(&layers, vec![declared]);
        assert!(matches!(error, Err(Error::Overlaps { .. })), "{package}");
    }
    let mode = store.tree("mode").dir("etc/ssl").modes("1777 etc/ssl");
    let layers = [spec("01-base", &[&base]), spec("02-high", &[&mode])];
    store.try_image(&layers).unwrap_err();
    let declared = replacement("etc/ssl", ["base", "mode"], "it is wanted");
    store.try_image_with(&layers, vec![declared]).unwrap();
}

#[test]
fn err_whiteouts() {
    let store = Store::new();
    let one = store.tree("evil 1").file("etc/.wh.shadow", "");
    let error = try_spec("05-test", &[&one]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    insta::assert_snapshot!(store.filter(&error.render()), @"
    error: package `evil 1`: `etc/.wh.shadow` in `[STORE]/evil 1` is a whiteout: in a layer it removes what lower layers have

    hint: remove the member where the package is built
    ");
    let opaque = store.tree("opaque").file("etc/.wh..wh..opq", "");
    let directory = store.tree("directory").dir("etc/.wh.d");
    let link = store.tree("link").link(".wh.l", "x");
    for tree in [&opaque, &directory, &link] {
        let error = try_spec("05-test", &[tree]).unwrap_err();
        assert!(matches!(error, Error::Whiteout { .. }), "{error}");
    }
    // Only at the beginning of a name is it a whiteout.
    let harmless = store.tree("harmless").file("a.wh.b", "").file("wh.c", "");
    spec("05-test", &[&harmless]);
}
