//! Random histories of images and of what users do: the rules hold in each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use proptest::prelude::*;

use crate::fixture::{Fixture, is_somewhere, write};

/// Files of a small image: path and content.
type Image = BTreeMap<String, String>;

#[derive(Debug, Clone)]
enum Deed {
    /// The container starts with one of the images.
    Start(usize),
    /// A file is written: path and content.
    Write(String, u8),
    /// A file is removed.
    Remove(String),
    /// A node is removed, disabled, or enabled.
    RemoveNode(u8),
    Disable(u8),
    Enable(u8),
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("main.py".to_owned()),
        "comfy/[ab]\\.py",
        "models/[ab]",
        "user/[ab]",
        "custom_nodes/n[0-2]/[abc]\\.py",
        "custom_nodes/n[0-2]/d/[ab]\\.py",
    ]
}

fn image() -> impl Strategy<Value = Image> {
    prop::collection::btree_map(path(), "[xyz]", 3..12).prop_map(|mut image| {
        image.insert("main.py".to_owned(), "main".to_owned());
        image
    })
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        3 => (0_usize..3).prop_map(Deed::Start),
        2 => (path(), any::<u8>()).prop_map(|(path, content)| Deed::Write(path, content)),
        1 => path().prop_map(Deed::Remove),
        1 => (0_u8..3).prop_map(Deed::RemoveNode),
        1 => (0_u8..3).prop_map(Deed::Disable),
        1 => (0_u8..3).prop_map(Deed::Enable),
    ]
}

fn is_core(path: &str) -> bool {
    path == "main.py" || path.starts_with("comfy/")
}

/// What the user did since the last start, and must find again.
#[derive(Default)]
struct Users {
    contents: BTreeSet<String>,
}

impl Users {
    fn act(&mut self, fixture: &Fixture, deed: &Deed) {
        let node = |number: &u8| fixture.volume(&format!("custom_nodes/n{number}"));
        let disabled = |number: &u8| fixture.volume(&format!("custom_nodes/n{number}.disabled"));
        match deed {
            Deed::Start(_) => {}
            Deed::Write(path, content) => {
                let text = format!("user's {content} in {path}");
                self.forget(fixture, path);
                // Where a directory of that name is, nothing is written.
                if fixture
                    .volume(path)
                    .parent()
                    .is_some_and(|above| fs::create_dir_all(above).is_ok())
                {
                    write(fixture.volume(path), &text);
                    self.contents.insert(text);
                }
            }
            Deed::Remove(path) => {
                self.forget(fixture, path);
                let _was_there = fs::remove_file(fixture.volume(path)).is_ok();
            }
            Deed::RemoveNode(number) => {
                let _was_there = fs::remove_dir_all(node(number)).is_ok();
                self.contents
                    .retain(|content| is_somewhere(&fixture.home(), content.as_bytes()));
            }
            Deed::Disable(number) => {
                let _was_there = fs::rename(node(number), disabled(number)).is_ok();
            }
            Deed::Enable(number) => {
                let _was_there = fs::rename(disabled(number), node(number)).is_ok();
            }
        }
    }

    fn forget(&mut self, fixture: &Fixture, path: &str) {
        if let Ok(old) = fs::read_to_string(fixture.volume(path)) {
            self.contents.remove(&old);
        }
    }
}

fn check(fixture: &Fixture, image: &Image, users: &Users) -> Result<(), TestCaseError> {
    let tree = fixture.tree();
    let prefix = "ComfyUI/";
    // ComfyUI itself is exactly the image's, but for files that it does not know.
    for (path, content) in image.iter().filter(|(path, _)| is_core(path)) {
        let found = tree
            .get(&format!("{prefix}{path}"))
            .map(|bytes| String::from_utf8_lossy(bytes));
        prop_assert_eq!(found.as_deref(), Some(content.as_str()), "{}", path);
    }
    // Nothing of the user's is lost.
    for content in &users.contents {
        prop_assert!(
            is_somewhere(&fixture.home(), content.as_bytes()),
            "{} is lost",
            content
        );
    }
    // What is there is the image's or the user's, not a mixture of images.
    for (path, content) in &tree {
        let text = String::from_utf8_lossy(content).into_owned();
        let path = path
            .trim_start_matches(prefix)
            .replace(".disabled", "")
            .replace(".retired", "");
        let is_images = image.get(&path).is_some_and(|expected| *expected == text);
        prop_assert!(
            is_images || text.starts_with("user's"),
            "{} is {}",
            path,
            text
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn ok_rules_hold(images in prop::collection::vec(image(), 3), deeds in prop::collection::vec(deed(), 1..20)) {
        let fixture = Fixture::new();
        let bundles: Vec<_> = images
            .iter()
            .enumerate()
            .map(|(index, image)| {
                let files: Vec<_> = image.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
                fixture.bundle(&format!("v{index}"), &files)
            })
            .collect();
        let mut users = Users::default();
        for deed in std::iter::once(Deed::Start(0)).chain(deeds) {
            users.act(&fixture, &deed);
            let Deed::Start(index) = deed else { continue };
            fixture.prepared(&bundles[index]);
            check(&fixture, &images[index], &users)?;
            // A second start changes nothing.
            let before = fixture.tree();
            fixture.prepared(&bundles[index]);
            prop_assert_eq!(&before, &fixture.tree());
        }
    }
}
