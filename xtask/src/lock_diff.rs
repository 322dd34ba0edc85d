//! What changed in a lock, as lines for people.

use factory_base::text;
use factory_model::lock::Diff;

/// The lines.
pub(crate) fn lines(diff: &Diff) -> String {
    let sign = if diff.size_change < 0 { "-" } else { "+" };
    let mut size = text::bytes(diff.size_change.unsigned_abs());
    if diff.n_unknown_sizes > 0 {
        size.push_str(&format!(", and {} of unknown size", diff.n_unknown_sizes));
    }
    if diff.is_new {
        return format!("{}: new, {} packages, {size}", diff.lock, diff.packages);
    }
    let mut lines = vec![format!(
        "{}: {} packages, {sign}{size}",
        diff.lock, diff.packages
    )];
    let pairs = |verb: &str, pairs: &[(String, String)]| -> Vec<String> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, version)| format!("  {verb} {name} {version}"))
            .collect()
    };
    let changes = |verb: &str, changes: &[(String, String, String)]| -> Vec<String> {
        let changes = changes.iter();
        changes
            .map(|(name, was, now)| format!("  {verb} {name} {was} -> {now}"))
            .collect()
    };
    lines.extend(pairs("added   ", &diff.added));
    lines.extend(pairs("removed ", &diff.removed));
    lines.extend(changes("changed ", &diff.changed));
    lines.extend(pairs("new file", &diff.refiled));
    lines.extend(changes("moved   ", &diff.moved));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use factory_model::lock::{Entry, diff};

    fn entry(name: &str, version: &str, layer: &str, size: u64) -> Entry {
        Entry {
            name: name.into(),
            version: version.into(),
            layer: Some(layer.into()),
            size: Some(size),
            hash: format!("{name}{version}{size}"),
        }
    }

    #[test]
    fn ok_all_kinds() {
        let old = [
            entry("a", "1", "05-pak3", 10),
            entry("b", "1", "05-pak3", 2_000),
            entry("c", "1", "05-pak3", 10),
            entry("d", "1", "05-pak3", 10),
        ];
        let new = [
            entry("a", "2", "05-pak3", 10),
            entry("c", "1", "04-pytorch", 10),
            entry("d", "1", "05-pak3", 12),
            entry("e", "1", "05-pak3", 10),
        ];
        insta::assert_snapshot!(lines(&diff("python/slim", Some(&old), &new)), @r"
        python/slim: 4 packages, -2.0 kB
          added    e 1
          removed  b 1
          changed  a 1 -> 2
          new file d 1
          moved    c 05-pak3 -> 04-pytorch
        ");
        assert_eq!(lines(&diff("x", None, &new)), "x: new, 4 packages, 42 B");
    }

    #[test]
    fn ok_unknown_sizes() {
        let unknown = |version: &str| Entry {
            size: None,
            ..entry("f", version, "04-pytorch", 0)
        };
        assert_eq!(
            lines(&diff("x", None, &[unknown("1")])),
            "x: new, 1 packages, 0 B, and 1 of unknown size"
        );
        insta::assert_snapshot!(lines(&diff("x", Some(&[unknown("1")]), &[unknown("2")])), @r"
        x: 1 packages, +0 B, and 1 of unknown size
          changed  f 1 -> 2
        ");
    }
}
