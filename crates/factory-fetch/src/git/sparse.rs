//! What a checkout leaves out, from what git says is there. Pure.

use std::collections::BTreeSet;

use factory_model::lock::TreePattern;

/// What is left out of a tree.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LeftOut<'a> {
    /// Paths that are left out, directories whole.
    pub paths: BTreeSet<&'a str>,
    /// Patterns that match nothing of the tree or its submodules.
    pub unused: Vec<&'a TreePattern>,
}

/// What patterns leave out of what `git ls-tree -r -z` lists.
pub(super) fn left_out<'a>(listed: &'a str, patterns: &'a [TreePattern]) -> LeftOut<'a> {
    let entries: Vec<(&str, &str)> = entries(listed).collect();
    let mut paths = BTreeSet::new();
    let mut unused = Vec::new();
    for pattern in patterns {
        let found: BTreeSet<&str> = entries
            .iter()
            .filter_map(|(_, path)| pattern.left_out(path))
            .collect();
        let is_for_submodule = entries
            .iter()
            .any(|(head, path)| head.starts_with("160000 ") && pattern.below(path).is_some());
        if found.is_empty() && !is_for_submodule {
            unused.push(pattern);
        }
        paths.extend(found);
    }
    LeftOut { paths, unused }
}

/// The file `info/sparse-checkout` that keeps everything but these paths: the syntax of
/// gitignore(5), with each path as it is.
pub(super) fn file(paths: &BTreeSet<&str>) -> String {
    let mut text = "/*\n".to_owned();
    for path in paths {
        text.push_str("!/");
        for character in path.chars() {
            if matches!(character, '\\' | '*' | '?' | '[' | ' ') {
                text.push('\\');
            }
            text.push(character);
        }
        text.push('\n');
    }
    text
}

/// After these, git names an object that a repository does not have. Where it says that it
/// "could not fetch" one, that is the first of all that it asked for.
const BEFORE_OBJECT: [&str; 3] = ["not our ref ", "unable to read ", "missing blob object '"];

/// The path of the object that git says is missing, in what `git ls-tree -r -z` lists.
pub(super) fn path_missing<'a>(said: &str, listed: &'a str) -> Option<&'a str> {
    let object = BEFORE_OBJECT.iter().find_map(|sign| {
        let (_, rest) = said.split_once(sign)?;
        let object = rest.get(..40)?;
        object
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit())
            .then_some(object)
    })?;
    entries(listed)
        .find(|(head, _)| head.ends_with(object))
        .map(|(_, path)| path)
}

/// Mode, kind and object of each entry, and its path.
fn entries(listed: &str) -> impl Iterator<Item = (&str, &str)> {
    listed.split('\0').filter_map(|line| line.split_once('\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = "100644 blob 1111111111111111111111111111111111111111\tREADME.md\u{0}\
        100644 blob 2222222222222222222222222222222222222222\tassets/a [1].png\u{0}\
        100644 blob 3333333333333333333333333333333333333333\tassets/deep/b.png\u{0}\
        160000 commit 4444444444444444444444444444444444444444\text/lib\u{0}";

    fn patterns(texts: &[&str]) -> Vec<TreePattern> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn ok_left_out() {
        let patterns = patterns(&["assets/*", "ext/lib/media", "gone/*.png"]);
        let found = left_out(LISTED, &patterns);
        assert_eq!(
            found.paths,
            BTreeSet::from(["assets/a [1].png", "assets/deep"])
        );
        assert_eq!(found.unused, [&patterns[2]]);
        assert_eq!(
            file(&found.paths),
            "/*\n!/assets/a\\ \\[1].png\n!/assets/deep\n"
        );
    }

    #[test]
    fn ok_submodule_left_out() {
        let patterns = patterns(&["ext/lib"]);
        let found = left_out(LISTED, &patterns);
        assert_eq!((found.paths, found.unused), (["ext/lib"].into(), vec![]));
    }

    #[test]
    fn ok_path_of_a_missing_object() {
        let missing = "3".repeat(40);
        for sign in BEFORE_OBJECT {
            let first = "1".repeat(40);
            let said = format!(
                "fatal: could not fetch {first} from promisor remote\nfatal: {sign}{missing}\nfatal: early EOF"
            );
            assert_eq!(
                path_missing(&said, LISTED),
                Some("assets/deep/b.png"),
                "{sign}"
            );
        }
        assert_eq!(path_missing("fatal: early EOF", LISTED), None);
    }
}
