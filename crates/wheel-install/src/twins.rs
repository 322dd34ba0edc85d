//! Second copies of a large file within a wheel.

use std::collections::BTreeMap;

use crate::record::Content;

/// Finds files that become links to another of the same tree, and what each link says.
///
/// The first of several is that whose directory comes first: the files of a directory in order,
/// then its directories in order.
pub(crate) fn links(
    files: impl IntoIterator<Item = (String, Content)>,
    from_bytes: u64,
) -> Vec<(String, String)> {
    let mut files: Vec<(String, Content)> = files
        .into_iter()
        .filter(|(_, content)| content.size >= from_bytes)
        .collect();
    files.sort_by_cached_key(|(path, _)| walk_order(path));
    let mut first_of: BTreeMap<Content, String> = BTreeMap::new();
    let mut links = Vec::new();
    for (path, content) in files {
        match first_of.get(&content) {
            Some(first) => {
                let target = relative(first, &path);
                links.push((path, target));
            }
            None => {
                first_of.insert(content, path);
            }
        }
    }
    links
}

/// Sorts a directory's files before its directories.
fn walk_order(path: &str) -> Vec<(bool, String)> {
    let n_directories = path.matches('/').count();
    let parts = path.split('/').enumerate();
    let parts = parts.map(|(index, name)| (index < n_directories, name.to_owned()));
    parts.collect()
}

/// What leads from the directory of a file to another file.
fn relative(target: &str, from: &str) -> String {
    let mut target: Vec<&str> = target.split('/').collect();
    let mut from: Vec<&str> = from.split('/').collect();
    from.pop();
    let n_common = target
        .iter()
        .zip(&from)
        .take_while(|(one, other)| one == other)
        .count();
    let rest = target.split_off(n_common);
    let mut parts = vec![".."; from.len() - n_common];
    parts.extend(rest);
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_the_first_stays() {
        let content = |text: &str| Content::of(text.as_bytes());
        let files =
            ["b/a/x", "b/z", "a/x", "b/y", "a/a/x"].map(|path| (path.to_owned(), content("same")));
        let more = [("c".to_owned(), content("else"))];
        let small = [
            ("d".to_owned(), content("s")),
            ("e".to_owned(), content("s")),
        ];
        let links = links(files.into_iter().chain(more).chain(small), 2);
        let expected = [
            ("a/a/x", "../x"),
            ("b/y", "../a/x"),
            ("b/z", "../a/x"),
            ("b/a/x", "../../a/x"),
        ];
        let expected = expected.map(|(path, target)| (path.to_owned(), target.to_owned()));
        assert_eq!(links, expected);
    }

    #[test]
    fn ok_a_link_beside_its_target() {
        assert_eq!(relative("a/b/x", "a/b/y"), "x");
        assert_eq!(relative("x", "y"), "x");
        assert_eq!(relative("a/b/x", "c"), "a/b/x");
    }
}
