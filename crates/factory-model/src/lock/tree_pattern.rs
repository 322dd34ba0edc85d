//! Which paths a git tree leaves out. Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path below the root of a tree, in which `*` stands for any part of one name:
/// `examples/*.png`. What it matches is left out, a directory or submodule whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TreePattern(Vec<String>);

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a path below the root of a tree, with `*` for any part of a name")]
pub struct ParseTreePatternError {
    /// What was read.
    pub text: String,
}

impl TreePattern {
    /// The part of a path that is left out, as far as the pattern reaches: the path itself, or
    /// a directory around it. `None` when the path stays.
    pub fn left_out<'a>(&self, path: &'a str) -> Option<&'a str> {
        let mut end = 0;
        let mut names = path.split('/');
        for part in &self.0 {
            let name = names.next()?;
            if !matches(part, name) {
                return None;
            }
            end += name.len() + 1;
        }
        path.get(..end - 1)
    }

    /// What the pattern says of the tree that lies in a directory of this one, such as a
    /// submodule. `None` when it says nothing, or leaves out the directory itself.
    pub fn below(&self, directory: &str) -> Option<Self> {
        let names: Vec<&str> = directory.split('/').collect();
        let (head, rest) = self.0.split_at_checked(names.len())?;
        let reaches = head
            .iter()
            .zip(names)
            .all(|(part, name)| matches(part, name));
        (reaches && !rest.is_empty()).then(|| Self(rest.to_vec()))
    }
}

/// Whether a name is what a part of a pattern describes.
fn matches(part: &str, name: &str) -> bool {
    let Some((head, mut rest)) = part.split_once('*') else {
        return part == name;
    };
    let Some(mut name) = name.strip_prefix(head) else {
        return false;
    };
    while let Some((middle, after)) = rest.split_once('*') {
        let Some(at) = name.find(middle) else {
            return false;
        };
        name = &name[at + middle.len()..];
        rest = after;
    }
    name.ends_with(rest)
}

impl FromStr for TreePattern {
    type Err = ParseTreePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_name = |name: &str| {
            // What other tools read as more than a name is refused, so that nobody waits for it.
            let is_plain = !name.contains(['?', '[', '\\', '!', '\n', '\0']);
            !matches!(name, "" | "." | ".." | "*" | "**") && is_plain && !name.contains("**")
        };
        let names: Vec<&str> = text.split('/').collect();
        // `*` alone is for the last name: everything in a directory.
        let is_path = match names.split_last() {
            Some((&"*", head)) => !head.is_empty() && head.iter().copied().all(is_name),
            _ => names.iter().copied().all(is_name),
        };
        if !is_path {
            return Err(ParseTreePatternError {
                text: text.to_owned(),
            });
        }
        Ok(Self(names.into_iter().map(str::to_owned).collect()))
    }
}

impl fmt::Display for TreePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

impl Serialize for TreePattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TreePattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> TreePattern {
        text.parse().unwrap()
    }

    #[test]
    fn ok_what_is_left_out() {
        for (text, path, expected) in [
            (
                "notebooks/*.ipynb",
                "notebooks/a.ipynb",
                Some("notebooks/a.ipynb"),
            ),
            ("notebooks/*.ipynb", "notebooks/a.py", None),
            ("notebooks/*.ipynb", "notebooks/deep/a.ipynb", None),
            ("notebooks/*.ipynb", "a.ipynb", None),
            ("assets", "assets/deep/a.png", Some("assets")),
            ("assets", "assets2/a.png", None),
            ("assets/*", "assets/deep/a.png", Some("assets/deep")),
            ("a*b*c", "abc", Some("abc")),
            ("a*b*c", "axxbyyc", Some("axxbyyc")),
            ("a*b*c", "acb", None),
            ("a*a", "a", None),
            ("*.gif", "x/y.gif", None),
        ] {
            assert_eq!(pattern(text).left_out(path), expected, "{text} {path}");
        }
    }

    #[test]
    fn ok_below_a_submodule() {
        for (text, directory, expected) in [
            ("ext/cutlass/media/*", "ext/cutlass", Some("media/*")),
            ("ext/*-lib/media", "ext/a-lib", Some("media")),
            ("ext/cutlass", "ext/cutlass", None),
            ("ext/other/media", "ext/cutlass", None),
            ("media", "ext/cutlass", None),
        ] {
            let found = pattern(text).below(directory);
            assert_eq!(found, expected.map(pattern), "{text} {directory}");
        }
    }

    #[test]
    fn err_no_pattern() {
        for text in [
            "", "/", "/a", "a/", "a//b", "../a", "a/./b", "*", "*/a", "a/**", "a/**/b", "a?",
            "[a]", "!a", "a\\b",
        ] {
            let error = text.parse::<TreePattern>().unwrap_err();
            assert_eq!(error.text, text);
        }
    }
}
