//! Which submodules a revision has, and where they are. Pure.

use std::collections::BTreeMap;

/// Paths and revisions of the submodules in what `git ls-tree -r -z` says.
pub(super) fn links(listed: &str) -> Vec<(&str, &str)> {
    listed
        .split('\0')
        .filter_map(|line| {
            let (head, path) = line.split_once('\t')?;
            let rev = head.strip_prefix("160000 commit ")?;
            Some((path, rev))
        })
        .collect()
}

/// URLs by path, in what `git config --null --get-regexp` says of `.gitmodules`.
pub(super) fn urls(entries: &str) -> BTreeMap<&str, &str> {
    let mut modules: BTreeMap<&str, (Option<&str>, Option<&str>)> = BTreeMap::new();
    for entry in entries.split('\0') {
        let Some((key, value)) = entry.split_once('\n') else {
            continue;
        };
        let Some((name, field)) = key.rsplit_once('.') else {
            continue;
        };
        let module = modules.entry(name).or_default();
        if field == "path" {
            module.0 = Some(value);
        } else {
            module.1 = Some(value);
        }
    }
    modules
        .into_values()
        .filter_map(|(path, url)| Some((path?, url?)))
        .collect()
}

/// A submodule's URL; one that starts with `./` or `../` is relative to its parent's.
pub(super) fn resolve(parent: &str, url: &str) -> String {
    if !url.starts_with("./") && !url.starts_with("../") {
        return url.to_owned();
    }
    let mut base = parent.trim_end_matches('/');
    let mut rest = url;
    loop {
        if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("../") {
            rest = after;
            base = base.rsplit_once('/').map_or(base, |(head, _)| head);
        } else {
            return format!("{base}/{}", rest.trim_end_matches('/'));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_links_only() {
        let listed = "100644 blob 1111\tREADME.md\u{0}160000 commit 2222\text/a b\u{0}040000 tree 3333\tx\u{0}";
        assert_eq!(links(listed), [("ext/a b", "2222")]);
    }

    #[test]
    fn ok_urls_by_path() {
        let entries = "submodule.a.b.path\next/a\u{0}submodule.a.b.url\n../a.git\u{0}submodule.lost.url\nx\u{0}";
        assert_eq!(urls(entries), BTreeMap::from([("ext/a", "../a.git")]));
    }

    #[test]
    fn ok_relative_urls() {
        let parent = "https://forge.test/owner/repository.git";
        for (url, expected) in [
            ("https://other.test/x", "https://other.test/x"),
            ("../x.git", "https://forge.test/owner/x.git"),
            ("../../other/x/", "https://forge.test/other/x"),
            ("./x", "https://forge.test/owner/repository.git/x"),
        ] {
            assert_eq!(resolve(parent, url), expected, "{url}");
        }
    }
}
