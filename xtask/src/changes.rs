//! What differs between two images, as lines for people.

use image_diff::{
    BlobChange, BlobDiff, BlobSize, Certainty, FileChange, FileDiff, FileState, PackageChange,
    SettingChange,
};

use factory_base::text;

/// Reasons and values are cut here: the JSON document has them whole.
const WIDTH: usize = 100;
/// So many packages are named as the reason of one blob.
const REASONS: usize = 4;
/// So much of a digest is shown to people.
const SHORT: usize = "sha256:".len() + 12;

/// The beginning of a digest.
pub(crate) fn short(digest: &str) -> &str {
    digest.get(..SHORT).unwrap_or(digest)
}

/// A heading with its lines below it, indented.
pub(crate) fn section(head: String, lines: String) -> String {
    let lines = lines.lines().map(|line| format!("\n  {line}"));
    lines.fold(head, |text, line| text + &line)
}

/// `3 of 75 ...`, or nothing.
pub(crate) fn settings(changes: &[SettingChange]) -> String {
    let shown = |value: &Option<String>| match value {
        None => "(not set)".to_owned(),
        Some(value) => text::shorten(&format!("`{value}`"), WIDTH),
    };
    let lines = changes.iter().map(|change| {
        let (was, now) = (shown(&change.was), shown(&change.now));
        plain(&format!("{}  {was} -> {now}", change.name))
    });
    let lines: Vec<String> = lines.collect();
    let head = format!("settings  {}", differ(changes.len()));
    section(head, lines.join("\n"))
}

fn differ(n: usize) -> String {
    match n {
        0 => "the same".to_owned(),
        1 => "1 differs".to_owned(),
        n => format!("{n} differ"),
    }
}

/// The packages, in a table.
pub(crate) fn packages(changes: &[PackageChange]) -> String {
    let count = |verb: &str| {
        changes
            .iter()
            .filter(|change| change.verb() == verb)
            .count()
    };
    let counts = ["changed", "added", "removed", "moved"].map(|verb| (count(verb), verb));
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, verb)| format!("{count} {verb}"))
        .collect();
    let head = match counts.as_slice() {
        [] => "packages  the same".to_owned(),
        counts => format!("packages  {}", counts.join(", ")),
    };
    let rows = changes.iter().map(|change| {
        vec![
            change.verb().to_owned(),
            change.layer().unwrap_or("?").to_owned(),
            change.describe(),
        ]
    });
    section(head, columns(&rows.collect::<Vec<_>>(), &[]))
}

/// The blobs, in a table.
pub(crate) fn blobs(diff: &BlobDiff) -> String {
    let n_possible = diff
        .changes
        .iter()
        .filter(|change| change.certainty == Certainty::Possible)
        .count();
    let n_certain = diff.changes.len() - n_possible;
    let mut head = format!(
        "blobs     {} the same ({})",
        diff.n_same,
        text::bytes(diff.same_bytes)
    );
    if n_certain > 0 {
        head.push_str(&format!(", {}", differ(n_certain)));
    }
    if n_possible > 0 {
        head.push_str(&format!(", {n_possible} may differ"));
    }
    let rows: Vec<Vec<String>> = diff.changes.iter().map(blob).collect();
    section(head, columns(&rows, &[1, 3]))
}

fn blob(change: &BlobChange) -> Vec<String> {
    let size = |size: &Option<BlobSize>| match size {
        None => "-".to_owned(),
        Some(size) => {
            let about = if size.is_estimate { "about " } else { "" };
            let known = size
                .tar_bytes
                .map(|n_bytes| format!("{about}{}", text::bytes(n_bytes)));
            let stored = || {
                size.stored_bytes
                    .map(|n_bytes| format!("{} compressed", text::bytes(n_bytes)))
            };
            known.or_else(stored).unwrap_or_else(|| "?".to_owned())
        }
    };
    vec![
        change.layer.clone().unwrap_or_else(|| "?".to_owned()),
        size(&change.was),
        "->".to_owned(),
        size(&change.now),
        why(change),
    ]
}

/// Why a blob is another one, as far as it is known.
pub(crate) fn why(change: &BlobChange) -> String {
    let mut reasons: Vec<String> = Vec::new();
    let sign = |package: &PackageChange| match package {
        PackageChange::Added { .. } => "+",
        PackageChange::Removed { .. } => "-",
        _ => "",
    };
    let packages = change.packages.iter();
    reasons.extend(packages.map(|package| format!("{}{}", sign(package), package.describe())));
    let rebuilt = change.rebuilt.iter();
    let is_built = change.now.as_ref().is_some_and(|now| now.diff_id.is_some());
    let again = if is_built { "otherwise" } else { "anew" };
    reasons.extend(rebuilt.map(|package| format!("{package} built {again}")));
    if reasons.len() > REASONS {
        let n_more = reasons.len() - REASONS + 1;
        reasons.truncate(REASONS - 1);
        reasons.push(format!("{n_more} more"));
    }
    if !reasons.is_empty() {
        return text::shorten(&reasons.join(", "), WIDTH);
    }
    let digest = |size: &Option<BlobSize>| {
        let digest = size.as_ref().and_then(|size| size.diff_id.as_deref());
        digest.map(|digest| short(digest).to_owned())
    };
    match (digest(&change.was), digest(&change.now)) {
        (Some(was), Some(now)) => format!("{was} -> {now}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) if change.was.is_some() && change.now.is_some() => {
            "the same packages, built anew".to_owned()
        }
        (None, None) => String::new(),
    }
}

/// The files, in a table; `n_read` is how many were compared.
pub(crate) fn files(diff: &FileDiff) -> String {
    let head = format!(
        "files     {} changed, {} added, {} removed in the blobs that differ",
        diff.n_changed, diff.n_added, diff.n_removed
    );
    let rows: Vec<Vec<String>> = diff.files.iter().map(file).collect();
    let mut table = columns(&rows, &[1]);
    let n_more = diff.n_changed + diff.n_added + diff.n_removed - diff.files.len();
    if n_more > 0 {
        table.push_str(&format!("\n{n_more} more: `--files` lists all of them"));
    }
    section(head, table)
}

fn file(change: &FileChange) -> Vec<String> {
    let verb = match (&change.was, &change.now) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    };
    let (size, how) = match (&change.was, &change.now) {
        (Some(was), Some(now)) => difference(was, now),
        (Some(one), None) | (None, Some(one)) => (size(one), shown(one)),
        (None, None) => Default::default(),
    };
    vec![verb.to_owned(), size, how, change.path.clone()]
}

fn size(state: &FileState) -> String {
    match state {
        FileState::File { size_bytes, .. } => text::bytes(*size_bytes),
        _ => String::new(),
    }
}

/// What a path is, in words, without its size.
pub(crate) fn shown(state: &FileState) -> String {
    match state {
        FileState::File { mode, .. } => mode.clone(),
        FileState::Directory { mode } => format!("directory {mode}"),
        FileState::Link { target } => {
            format!("link to {}", text::shorten(target, 40))
        }
        FileState::Other { mode } => format!("special file {mode}"),
    }
}

/// Only what differs of two states.
fn difference(was: &FileState, now: &FileState) -> (String, String) {
    let (
        FileState::File {
            mode: a,
            size_bytes: m,
            ..
        },
        FileState::File {
            mode: b,
            size_bytes: n,
            ..
        },
    ) = (was, now)
    else {
        return (size(now), format!("{} -> {}", shown(was), shown(now)));
    };
    let size = if m == n {
        size(now)
    } else {
        format!("{} -> {}", size(was), size(now))
    };
    let mode = if a == b {
        a.clone()
    } else {
        format!("{a} -> {b}")
    };
    (size, mode)
}

/// What an image says does not steer the terminal.
fn plain(text: &str) -> String {
    let visible = |character: char| {
        if character.is_control() {
            '?'
        } else {
            character
        }
    };
    text.chars().map(visible).collect()
}

/// Columns without a head.
fn columns(rows: &[Vec<String>], right: &[usize]) -> String {
    let Some(first) = rows.first() else {
        return String::new();
    };
    let plain = |row: &Vec<String>| row.iter().map(|cell| plain(cell)).collect();
    let rows: &[Vec<String>] = &rows.iter().map(plain).collect::<Vec<_>>();
    let empty = vec![""; first.len()];
    let table = text::table(&empty, rows, right);
    table
        .split_once('\n')
        .map_or(String::new(), |(_, rows)| rows.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(tar_bytes: Option<u64>, stored_bytes: Option<u64>) -> Option<BlobSize> {
        Some(BlobSize {
            diff_id: tar_bytes.map(|n_bytes| format!("sha256:{n_bytes:064}")),
            digest: None,
            tar_bytes,
            stored_bytes,
            is_estimate: false,
        })
    }

    fn change(was: Option<BlobSize>, now: Option<BlobSize>) -> BlobChange {
        BlobChange {
            layer: Some("05-pak3".to_owned()),
            was,
            now,
            certainty: Certainty::Certain,
            packages: Vec::new(),
            rebuilt: Vec::new(),
        }
    }

    fn upgraded(name: &str) -> PackageChange {
        PackageChange::Changed {
            layer: Some("05-pak3".to_owned()),
            name: name.to_owned(),
            was: "1".to_owned(),
            now: "2".to_owned(),
        }
    }

    #[test]
    fn ok_blobs_and_their_reasons() {
        let mut many = change(size(Some(9_000), None), size(Some(9_500), None));
        many.packages = ["a", "b", "c", "d", "e"].map(upgraded).to_vec();
        let mut guess = change(size(None, Some(2_000)), size(Some(5_000), None));
        if let Some(now) = &mut guess.now {
            now.is_estimate = true;
            now.diff_id = None;
        }
        guess.certainty = Certainty::Possible;
        guess.rebuilt = vec!["torch 2".to_owned()];
        let diff = BlobDiff {
            n_same: 3,
            same_bytes: 4_000_000,
            changes: vec![
                many,
                guess,
                change(size(Some(1), None), size(Some(2), None)),
                change(None, size(None, None)),
                change(size(Some(1), None), None),
            ],
        };
        insta::assert_snapshot!(blobs(&diff));
    }

    #[test]
    fn ok_packages_and_settings() {
        let removed = PackageChange::Removed {
            layer: None,
            name: "b".to_owned(),
            version: String::new(),
        };
        insta::assert_snapshot!(packages(&[upgraded("a"), removed]));
        assert_eq!(packages(&[]), "packages  the same");
        let setting = SettingChange {
            name: "config.Env.PATH".to_owned(),
            was: None,
            now: Some("x".repeat(200)),
        };
        insta::assert_snapshot!(settings(&[setting]));
    }

    #[test]
    fn ok_files_in_a_bounded_list() {
        let file = |mode: &str, size_bytes| FileState::File {
            mode: mode.to_owned(),
            size_bytes,
            sha256: String::new(),
        };
        let change = |path: &str, was, now| FileChange {
            path: path.to_owned(),
            was,
            now,
        };
        let link = |target: &str| FileState::Link {
            target: target.to_owned(),
        };
        let directory = FileState::Directory {
            mode: "0755".to_owned(),
        };
        let diff = FileDiff {
            n_added: 2,
            n_removed: 1,
            n_changed: 5,
            files: vec![
                change("a", Some(file("0644", 5)), Some(file("0755", 5))),
                change("b\u{1b}[31m", None, Some(file("4755", 5_000))),
                change("c", Some(link("x")), None),
                change("d", Some(link("x")), Some(directory)),
                change("e", Some(file("0644", 5)), Some(file("0644", 6))),
            ],
        };
        insta::assert_snapshot!(files(&diff));
    }
}
