//! RECORD: the list of files, read from a wheel and written for what is installed.
//!
//! <https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file>

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use csv_core::ReadRecordResult;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::error::Fault;
use crate::name::check_path;

/// A hash that RECORD may have: SHA-256 or better, says the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// `sha256`
    Sha256,
    /// `sha384`
    Sha384,
    /// `sha512`
    Sha512,
}

/// What RECORD says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Algorithm and URL-safe base64 without padding.
    pub hash: Option<(Algorithm, String)>,
    /// Size in bytes.
    pub size: Option<u64>,
}

/// Reads the rows, by path.
///
/// # Errors
/// It is no table of path, hash and size, or has a path twice or one that is none.
pub fn parse(record_path: &str, text: &str) -> Result<BTreeMap<String, Entry>, Fault> {
    let mut entries = BTreeMap::new();
    for fields in rows(text) {
        let [path, hash, size] = fields.as_slice() else {
            let reason = format!("a row has {} fields, expected 3", fields.len());
            return Err(Fault::member(record_path, reason));
        };
        let wrong = |reason: &str| {
            let shown = crate::error::show(path);
            Fault::member(record_path, format!("its row for `{shown}`: {reason}"))
        };
        check_path(path).map_err(wrong)?;
        let hash = match hash.as_str() {
            "" => None,
            hash => Some(parse_hash(hash).map_err(wrong)?),
        };
        let size = match size.as_str() {
            "" => None,
            size => {
                let number = size.parse();
                Some(number.map_err(|_| wrong("the size is not a number"))?)
            }
        };
        if entries.insert(path.clone(), Entry { hash, size }).is_some() {
            return Err(wrong("it is there twice"));
        }
    }
    Ok(entries)
}

/// The rows of a table in CSV; empty lines are none.
fn rows(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv_core::Reader::new();
    let mut input = text.as_bytes();
    // No row is longer than all of them.
    let mut output = vec![0; input.len() + 1];
    let mut ends = vec![0; input.len() + 2];
    let (mut n_bytes, mut n_fields) = (0, 0);
    let mut rows = Vec::new();
    loop {
        let (result, n_read, n_written, n_ended) =
            reader.read_record(input, &mut output[n_bytes..], &mut ends[n_fields..]);
        input = &input[n_read..];
        n_bytes += n_written;
        n_fields += n_ended;
        match result {
            ReadRecordResult::Record => {
                let mut start = 0;
                let fields = ends[..n_fields].iter().map(|&end| {
                    let field = String::from_utf8_lossy(&output[start..end]).into_owned();
                    start = end;
                    field
                });
                rows.push(fields.collect());
                (n_bytes, n_fields) = (0, 0);
            }
            ReadRecordResult::End => return rows,
            // Asked again without input, it gives the row that it has.
            ReadRecordResult::InputEmpty => {}
            ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                unreachable!("no row is longer than the text")
            }
        }
    }
}

fn parse_hash(text: &str) -> Result<(Algorithm, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("the hash is none")?;
    let algorithm = match name {
        "sha256" => Algorithm::Sha256,
        "sha384" => Algorithm::Sha384,
        "sha512" => Algorithm::Sha512,
        _ => return Err("the hash is not SHA-256 or better"),
    };
    Ok((algorithm, value.trim_end_matches('=').to_owned()))
}

/// Content of a file that was written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Content {
    /// SHA-256.
    pub sha256: [u8; 32],
    /// Size in bytes.
    pub size: u64,
}

impl Content {
    /// Of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            sha256: Sha256::digest(bytes).into(),
            size: bytes.len() as u64,
        }
    }
}

/// Hashes a file while it comes, and compares it with its row of RECORD.
pub(crate) struct Checker<'a> {
    entry: Option<&'a Entry>,
    sha256: Sha256,
    other: Option<Other>,
    size: u64,
}

/// A hash beside SHA-256.
enum Other {
    Sha384(Sha384),
    Sha512(Sha512),
}

impl<'a> Checker<'a> {
    /// For a file that RECORD has this entry for, if any.
    pub(crate) fn new(entry: Option<&'a Entry>) -> Self {
        let algorithm = entry.and_then(|entry| Some(entry.hash.as_ref()?.0));
        Self {
            entry,
            sha256: Sha256::new(),
            other: match algorithm {
                Some(Algorithm::Sha384) => Some(Other::Sha384(Sha384::new())),
                Some(Algorithm::Sha512) => Some(Other::Sha512(Sha512::new())),
                Some(Algorithm::Sha256) | None => None,
            },
            size: 0,
        }
    }

    pub(crate) fn update(&mut self, part: &[u8]) {
        self.size += part.len() as u64;
        self.sha256.update(part);
        match &mut self.other {
            Some(Other::Sha384(hasher)) => hasher.update(part),
            Some(Other::Sha512(hasher)) => hasher.update(part),
            None => {}
        }
    }

    /// The content, if RECORD does not say otherwise.
    pub(crate) fn finish(self, path: &str) -> Result<Content, Fault> {
        let content = Content {
            sha256: self.sha256.finalize().into(),
            size: self.size,
        };
        let Some(entry) = self.entry else {
            return Ok(content);
        };
        if let Some(expected) = entry.size.filter(|size| *size != content.size) {
            let reason = format!("it has {} bytes, and RECORD says {expected}", content.size);
            return Err(Fault::member(path, reason));
        }
        if let Some((_, expected)) = &entry.hash {
            let found = match self.other {
                Some(Other::Sha384(hasher)) => encode(&hasher.finalize()),
                Some(Other::Sha512(hasher)) => encode(&hasher.finalize()),
                None => encode(&content.sha256),
            };
            if found != *expected {
                let reason = format!("its hash is {found}, and RECORD says {expected}");
                return Err(Fault::member(path, reason));
            }
        }
        Ok(content)
    }
}

fn encode(hash: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(hash)
}

/// A row of the RECORD that is written.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// What leads from the root scheme's directory to that of the file.
    pub(crate) prefix: String,
    /// Path below the directory of its scheme, by which rows are sorted.
    pub(crate) path: String,
    /// Without it, RECORD tells neither hash nor size.
    pub(crate) content: Option<Content>,
}

/// The text of RECORD for what is installed.
pub(crate) fn render(mut rows: Vec<Row>) -> String {
    rows.sort_by(|one, other| one.path.cmp(&other.path));
    let mut text = String::new();
    for row in rows {
        text.push_str(&quoted(&format!("{}{}", row.prefix, row.path)));
        match row.content {
            Some(content) => {
                let hash = encode(&content.sha256);
                text.push_str(&format!(",sha256={hash},{}\n", content.size));
            }
            None => text.push_str(",,\n"),
        }
    }
    text
}

/// A field as Python's csv module writes it; control characters are in no path.
fn quoted(field: &str) -> String {
    if field.contains([',', '"']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(prefix: &str, path: &str, content: Option<Content>) -> Row {
        Row {
            prefix: prefix.to_owned(),
            path: path.to_owned(),
            content,
        }
    }

    #[test]
    fn ok_rows_sorted_by_the_path_below_their_scheme() {
        let content = Some(Content::of(b"x\n"));
        let rows = vec![
            row("../../../bin/", "tool", content),
            row("", "a, \"b\".py", None),
            row("", "z.py", content),
        ];
        let hash = "sha256=c8s4WKaHqElMozIwUwFigvPa051Cz2LKTnndoqrH2aw";
        assert_eq!(
            render(rows),
            format!("\"a, \"\"b\"\".py\",,\n../../../bin/tool,{hash},2\nz.py,{hash},2\n")
        );
    }

    #[test]
    fn ok_what_is_written_is_read() {
        let content = Some(Content::of(b""));
        let text = render(vec![row("", "a, \"b\".py", content), row("", "c", None)]);
        let entries = parse("RECORD", &text).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries["a, \"b\".py"].size, Some(0));
        assert_eq!(entries["c"].hash, None);
    }

    #[test]
    fn ok_ends_of_lines() {
        for text in [
            "a,,\nb,,1",
            "a,,\r\n\r\nb,,1\r\n",
            "\na,,\n\"b\",\"\",1\n\n",
        ] {
            let entries = parse("RECORD", text).unwrap();
            let paths: Vec<&str> = entries.keys().map(String::as_str).collect();
            assert_eq!(paths, ["a", "b"], "{text}");
            assert_eq!(entries["b"].size, Some(1), "{text}");
        }
        assert!(parse("RECORD", "").unwrap().is_empty());
        assert!(parse("RECORD", "\"a,,").is_err());
    }

    #[test]
    fn ok_each_algorithm() {
        for (text, algorithm) in [
            ("sha256=AA", Algorithm::Sha256),
            ("sha384=AA==", Algorithm::Sha384),
            ("sha512=AA", Algorithm::Sha512),
        ] {
            assert_eq!(parse_hash(text), Ok((algorithm, "AA".to_owned())));
        }
        assert!(parse_hash("sha1=AA").is_err());
        assert!(parse_hash("md5=AA").is_err());
        assert!(parse_hash("AA").is_err());
    }
}
