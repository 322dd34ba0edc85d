//! Debian's control format (deb822): stanzas of fields. Pure.

/// One stanza, borrowed from the text it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stanza<'a>(pub &'a str);

/// The stanzas of a file: separated by blank lines, comment lines dropped on access.
pub fn stanzas(text: &str) -> impl Iterator<Item = Stanza<'_>> {
    text.split("\n\n")
        .map(|part| part.trim_matches('\n'))
        .filter(|part| !part.is_empty())
        .map(Stanza)
}

impl<'a> Stanza<'a> {
    /// The first line of a field's value; field names ignore case.
    pub fn field(self, name: &str) -> Option<&'a str> {
        self.0.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// A field's value with its continuation lines, comments left out, as words.
    pub fn words(self, name: &str) -> Vec<&'a str> {
        let mut words = Vec::new();
        let mut inside = false;
        for line in self.0.lines() {
            if line.starts_with('#') {
                continue;
            }
            if line.starts_with([' ', '\t']) {
                if inside {
                    words.extend(line.split_whitespace());
                }
                continue;
            }
            inside = false;
            if let Some((key, value)) = line.split_once(':')
                && key.eq_ignore_ascii_case(name)
            {
                inside = true;
                words.extend(value.split_whitespace());
            }
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_fields_and_continuations() {
        let text = "Package: a\nSize: 1\n\n\nPackage: b\n# note\nsuites: x\n  y\nEnd: z\n";
        let all: Vec<Stanza> = stanzas(text).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].field("size"), Some("1"));
        assert_eq!(all[1].words("Suites"), ["x", "y"]);
    }
}
