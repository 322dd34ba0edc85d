//! Lists as people write them: one item per line, `#` comments, faults with their place. Pure.

use std::fmt;

/// One item of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Line number from 1.
    pub number: usize,
    /// Column of the first character, from 1.
    pub column: usize,
    /// Without comment and outer blanks.
    pub text: String,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// File as shown to the user.
    pub file: String,
    /// Line number from 1.
    pub line: usize,
    /// Column from 1.
    pub column: usize,
    /// Why it is wrong.
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}:{}:{}: {}",
            self.file, self.line, self.column, self.reason
        )
    }
}

/// Splits a list into its items. A comment starts with `#` at the start of a line or
/// after a blank, so that the fragment of a URL stays.
pub fn lines(text: &str) -> Vec<Line> {
    text.lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let body = without_comment(line);
            let item = body.trim();
            (!item.is_empty()).then(|| Line {
                number: index + 1,
                column: body.chars().take_while(|c| c.is_whitespace()).count() + 1,
                text: item.to_owned(),
            })
        })
        .collect()
}

fn without_comment(line: &str) -> &str {
    let end = line
        .char_indices()
        .find(|(at, character)| {
            *character == '#'
                && line[..*at]
                    .chars()
                    .next_back()
                    .is_none_or(char::is_whitespace)
        })
        .map_or(line.len(), |(at, _)| at);
    &line[..end]
}

/// Lists that cannot be used: every fault in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => formatter.write_str("one line of the lists is wrong")?,
            n => write!(formatter, "{n} lines of the lists are wrong")?,
        }
        self.0
            .iter()
            .try_for_each(|fault| write!(formatter, "\n  {fault}"))
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ok_comments_and_places() {
        let lines = lines("# head\n\n  numpy>=2  # why\ngit+https://h/r@v#egg=x\n");
        let seen: Vec<(usize, usize, &str)> = lines
            .iter()
            .map(|line| (line.number, line.column, line.text.as_str()))
            .collect();
        assert_eq!(
            seen,
            [(3, 3, "numpy>=2"), (4, 1, "git+https://h/r@v#egg=x")]
        );
    }

    #[test]
    fn err_faults_name_them_all() {
        let fault = |line| Fault {
            file: "x.txt".into(),
            line,
            column: 2,
            reason: "no".into(),
        };
        assert_eq!(
            Faults(vec![fault(1)]).to_string(),
            "one line of the lists is wrong\n  x.txt:1:2: no"
        );
        assert_eq!(
            Faults(vec![fault(1), fault(7)]).to_string(),
            "2 lines of the lists are wrong\n  x.txt:1:2: no\n  x.txt:7:2: no"
        );
    }

    proptest! {
        #[test]
        fn ok_any_text_has_lines(text: String) {
            for line in lines(&text) {
                prop_assert!(!line.text.trim().is_empty());
            }
        }
    }
}
