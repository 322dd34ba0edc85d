//! The grammar of a requirement: "Dependency specifiers" of the PyPA specifications (PEP 508).
//!
//! uv resolves requirements, so nothing here says what one means: this finds its name and
//! the place of a fault, before uv is started. Versions are read by `pep440_rs`. The crate that
//! reads whole requirements brings a regular expression engine along, a tenth of the first
//! compilation; the tests compare with it. Pure.

use std::str::FromStr as _;

use pep440_rs::VersionSpecifier;

/// The variables of a marker; those with a dot are the names before PEP 508.
const VARIABLES: &[&str] = &[
    "dependency_groups",
    "extra",
    "extras",
    "implementation_name",
    "implementation_version",
    "os.name",
    "os_name",
    "platform.machine",
    "platform.python_implementation",
    "platform.version",
    "platform_machine",
    "platform_python_implementation",
    "platform_release",
    "platform_system",
    "platform_version",
    "python_full_version",
    "python_implementation",
    "python_version",
    "sys.platform",
    "sys_platform",
];

/// What cannot stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// In bytes from the start of the requirement, which is ASCII.
    pub(super) offset: usize,
    /// As a sentence goes on after "is not a PEP 508 requirement:".
    pub(super) reason: String,
}

/// Checks a requirement of ASCII characters and gives the part that is its name.
///
/// # Errors
/// The first place that the grammar does not allow.
pub(super) fn check(text: &str) -> Result<&str, Fault> {
    let mut cursor = Cursor { text, at: 0 };
    let name = cursor.take(is_of_name);
    cursor.blanks();
    cursor.extras()?;
    cursor.blanks();
    match cursor.peek() {
        Some('@') => cursor.url()?,
        Some('(') => {
            cursor.at += 1;
            cursor.versions(")")?;
            cursor.expect(')')?;
        }
        Some('<' | '=' | '>' | '~' | '!') => cursor.versions(";")?,
        _ => {}
    }
    cursor.blanks();
    match cursor.peek() {
        None => return Ok(name),
        Some(';') => cursor.at += 1,
        Some(other) => {
            return Err(cursor.fault(format!(
                "expected one of `@`, `(`, `<`, `=`, `>`, `~`, `!`, `;`, found `{other}`"
            )));
        }
    }
    cursor.either()?;
    cursor.blanks();
    match cursor.peek() {
        None => Ok(name),
        Some(other) => Err(cursor.fault(format!(
            "expected `and`, `or` or the end of the marker, found `{other}`"
        ))),
    }
}

fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_.".contains(character)
}

/// How deep parentheses of a marker may be; nobody writes more by hand.
const MAX_DEPTH: usize = 32;

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn fault(&self, reason: impl Into<String>) -> Fault {
        Fault {
            offset: self.at,
            reason: reason.into(),
        }
    }

    fn take(&mut self, wanted: fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest
            .find(|character| !wanted(character))
            .unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn blanks(&mut self) {
        self.take(|character| character == ' ' || character == '\t');
    }

    fn expect(&mut self, wanted: char) -> Result<(), Fault> {
        match self.peek() {
            Some(found) if found == wanted => {
                self.at += 1;
                Ok(())
            }
            Some(found) => Err(self.fault(format!("expected `{wanted}`, found `{found}`"))),
            None => Err(self.fault(format!("expected `{wanted}`, and the line ends"))),
        }
    }

    /// `[NAME, NAME]`, or nothing.
    fn extras(&mut self) -> Result<(), Fault> {
        if self.peek() != Some('[') {
            return Ok(());
        }
        self.at += 1;
        self.blanks();
        if self.peek() == Some(']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.blanks();
            let start = self.at;
            let name = self.take(is_of_name);
            let ends = |end: Option<char>| end.is_some_and(|end| end.is_ascii_alphanumeric());
            if !ends(name.chars().next()) || !ends(name.chars().last()) {
                self.at = start;
                return Err(self.fault("an extra starts and ends with a letter or a digit"));
            }
            self.blanks();
            if self.peek() != Some(',') {
                return self.expect(']');
            }
            self.at += 1;
        }
    }

    /// `@ URL`, which ends with a blank.
    fn url(&mut self) -> Result<(), Fault> {
        self.at += 1;
        self.blanks();
        let url = self.take(|character| character != ' ' && character != '\t');
        if url.is_empty() {
            return Err(self.fault("expected a URL after `@`"));
        }
        Ok(())
    }

    /// `>=1, <2`, up to one of `ends`, or the end of the line.
    fn versions(&mut self, ends: &str) -> Result<(), Fault> {
        let rest = self.rest();
        let length = rest
            .find(|character| ends.contains(character))
            .unwrap_or(rest.len());
        for part in rest[..length].split(',') {
            let blanks = part.len() - part.trim_start().len();
            VersionSpecifier::from_str(part).map_err(|error| Fault {
                offset: self.at + blanks,
                reason: error.to_string(),
            })?;
            self.at += part.len() + 1;
        }
        // The last part has no comma after it.
        self.at -= 1;
        Ok(())
    }

    /// `MARKER or MARKER`, without recursion: a marker is a flat list of comparisons and
    /// parentheses, and which of `and` and `or` binds closer does not matter here.
    fn either(&mut self) -> Result<(), Fault> {
        let mut depth = 0_usize;
        loop {
            self.blanks();
            if self.peek() == Some('(') {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(self.fault(format!("more than {MAX_DEPTH} open parentheses")));
                }
                self.at += 1;
                continue;
            }
            self.comparison()?;
            self.blanks();
            while depth > 0 && self.peek() == Some(')') {
                depth -= 1;
                self.at += 1;
                self.blanks();
            }
            let start = self.at;
            match self.take(|character| character.is_ascii_alphanumeric()) {
                "and" | "or" => {}
                _ => {
                    self.at = start;
                    if depth > 0 {
                        return self.expect(')');
                    }
                    return Ok(());
                }
            }
        }
    }

    /// `VALUE OPERATOR VALUE`.
    fn comparison(&mut self) -> Result<(), Fault> {
        self.value()?;
        self.blanks();
        let start = self.at;
        let word = self.take(|character| character.is_ascii_alphabetic());
        let is_known = match word {
            "in" => true,
            "not" => {
                self.blanks();
                self.take(|character| character.is_ascii_alphabetic()) == "in"
            }
            "" => matches!(
                self.take(|character| "<>=!~".contains(character)),
                "<" | "<=" | "!=" | "==" | ">=" | ">" | "~=" | "==="
            ),
            _ => false,
        };
        if !is_known {
            self.at = start;
            return Err(self.fault("expected a comparison such as `==`, `in` or `not in`"));
        }
        self.blanks();
        self.value()
    }

    /// A variable, or a text in quotes.
    fn value(&mut self) -> Result<(), Fault> {
        let start = self.at;
        if let Some(quote @ ('"' | '\'')) = self.peek() {
            let Some(length) = self.rest()[1..].find(quote) else {
                return Err(self.fault("a quote is not closed"));
            };
            self.at += length + 2;
            return Ok(());
        }
        let name =
            self.take(|character| character.is_ascii_alphanumeric() || "_.".contains(character));
        if VARIABLES.contains(&name) {
            return Ok(());
        }
        self.at = start;
        Err(self.fault(if name.is_empty() {
            "expected a variable of markers or a text in quotes".to_owned()
        } else {
            format!("`{name}` is no variable of markers")
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Known = pep508_rs::Requirement<pep508_rs::VerbatimUrl>;

    #[test]
    fn err_each_place() {
        let faults: Vec<String> = [
            "a[",
            "a[x",
            "a[-x]",
            "a @",
            "a (>=1",
            "a>=x",
            "a ?",
            "a;",
            "a; b == '1'",
            "a; extra = 'x'",
            "a; extra == 'x",
            "a; extra == 'x' x",
            "a; (extra == 'x'",
            "a; extra not 'x'",
        ]
        .iter()
        .map(|text| {
            let fault = check(text).unwrap_err();
            let reason = fault.reason.lines().next().unwrap_or_default().to_owned();
            format!("{text}  {}: {reason}", fault.offset)
        })
        .collect();
        insta::assert_snapshot!(faults.join("\n"));
    }

    #[test]
    fn err_no_stack_is_used_up() {
        let text = format!("a; {}", "(".repeat(100_000));
        assert!(check(&text).unwrap_err().reason.contains("parentheses"));
    }

    fn piece() -> impl Strategy<Value = &'static str> {
        proptest::sample::select(vec![
            "a",
            "b-c",
            "[",
            "]",
            ",",
            " ",
            "@",
            "https://x/y",
            "(",
            ")",
            "<",
            ">=",
            "==",
            "~=",
            "!=",
            "===",
            "1",
            "2.0",
            "1.*",
            "1.0+cu130",
            ";",
            "extra",
            "python_version",
            "os_name",
            "'3.14'",
            "\"x\"",
            "'",
            "in",
            "not",
            "and",
            "or",
            "unknown",
        ])
    }

    proptest! {
        /// Whatever the field's crate accepts is accepted, with the same name, but for words after
        /// a URL; what it refuses is refused, but for what it finds in a URL or in how values of
        /// markers fit.
        #[test]
        fn ok_as_the_crate_of_the_field(pieces in proptest::collection::vec(piece(), 0..12)) {
            let text = format!("name{}", pieces.concat());
            // The crate's parser panics on a name that ends with a separator.
            let end = text.find(|character| !is_of_name(character)).unwrap_or(text.len());
            prop_assume!(text[..end].ends_with(|character: char| character.is_ascii_alphanumeric()));
            match (check(&text), Known::from_str(&text)) {
                (Ok(name), Ok(known)) => {
                    prop_assert_eq!(crate::python::name::normalized(name), known.name.to_string())
                }
                (Err(fault), Ok(_)) => {
                    // The URL goes on to a blank, whatever comes before that.
                    let behind = text.split_once('@').and_then(|(_, url)| url.split_once("https://x/y"));
                    prop_assert!(behind.is_some_and(|(_, rest)| rest.contains(' ')), "{text}: {fault:?}");
                }
                (Ok(_), Err(error)) => {
                    let message = error.to_string();
                    prop_assert!(text.contains('@') || text.contains(';'), "{text}: {message}");
                }
                (Err(fault), Err(_)) => prop_assert!(fault.offset <= text.len()),
            }
        }

        #[test]
        fn ok_markers(
            terms in proptest::collection::vec(("extra|os_name|sys_platform", "==|!=| in | not in "), 1..5),
            joins in proptest::collection::vec(" and | or ", 4),
            wrap: bool,
        ) {
            let mut marker = String::new();
            for (index, (variable, operator)) in terms.iter().enumerate() {
                if index > 0 {
                    marker.push_str(&joins[index - 1]);
                }
                // The crate knows no `in` for extras.
                let operator = if variable == "extra" { "==" } else { operator };
                marker.push_str(&format!("{variable} {operator} 'x'"));
            }
            if wrap {
                marker = format!("({marker})");
            }
            let text = format!("name>=1 ; {marker}");
            prop_assert!(Known::from_str(&text).is_ok(), "{text}");
            prop_assert_eq!(check(&text), Ok("name"));
        }
    }
}
