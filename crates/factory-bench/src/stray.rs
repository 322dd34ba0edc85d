//! Figures in tables that no data stand behind.
//!
//! A table outside markers may hold names, defaults and counts. What was measured has a unit of
//! time, size or rate behind a number, or stands below a heading that is one. Code between
//! backticks is not looked at: a value of an option is no measurement.

use crate::marker::{begins, ends, is_fence};

/// What stands behind a number that was measured.
const UNITS: [&str; 17] = [
    "s", "ms", "min", "h", "minutes", "seconds", "hours", "B", "kB", "MB", "GB", "TB", "MiB",
    "GiB", "kB/s", "MB/s", "GB/s",
];
/// Headings of columns whose bare numbers were measured.
const HEADINGS: [&str; 12] = [
    "bytes",
    "disk",
    "hours",
    "memory",
    "minutes",
    "processor",
    "rate",
    "seconds",
    "size",
    "time",
    "times",
    "wall",
];

/// Line and cell of each figure of a Markdown document that is outside of markers.
pub fn stray_figures(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let (mut is_fenced, mut is_marked) = (false, false);
    let mut head: Vec<bool> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        is_fenced ^= !is_marked && is_fence(line);
        if !is_fenced {
            is_marked = (is_marked || begins(line).is_some()) && !ends(line);
        }
        if is_fenced || is_marked || !line.trim_start().starts_with('|') {
            head.clear();
            continue;
        }
        let cells: Vec<String> = cells(line);
        if head.is_empty() {
            head = cells.iter().map(|cell| is_measure(cell)).collect();
            continue;
        }
        for (column, cell) in cells.iter().enumerate() {
            let is_below = head.get(column).copied().unwrap_or(false);
            if has_figure(cell) || is_below && cell.contains(|c: char| c.is_ascii_digit()) {
                found.push((index + 1, cell.clone()));
            }
        }
    }
    found
}

/// The cells of a line, without what is between backticks.
fn cells(line: &str) -> Vec<String> {
    let prose: String = line.split('`').step_by(2).collect();
    let inner = prose.trim().trim_matches('|');
    inner
        .split('|')
        .map(|cell| cell.trim().to_owned())
        .collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '(', ')', ',', ';', '\u{a0}', '*'])
        .filter(|word| !word.is_empty())
}

fn is_measure(heading: &str) -> bool {
    words(heading).any(|word| HEADINGS.contains(&word.to_lowercase().as_str()))
}

/// A number with a unit behind it, or a share in percent.
fn has_figure(cell: &str) -> bool {
    let mut is_behind_number = false;
    for word in words(cell) {
        let bare = word.trim_end_matches(['%', '.', ':']);
        let is_number = bare.starts_with(|c: char| c.is_ascii_digit())
            && bare.chars().all(|c| c.is_ascii_digit() || c == '.');
        if is_behind_number && (UNITS.contains(&word) || word == "%") {
            return true;
        }
        if is_number && word.ends_with('%') {
            return true;
        }
        // `12.3s`, `4.5GB`
        let digits = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        if digits.len() < word.len() && UNITS.contains(&digits) {
            return true;
        }
        is_behind_number = is_number;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stray(table: &str) -> Vec<String> {
        let found = stray_figures(table).into_iter();
        found
            .map(|(line, cell)| format!("{line}: {cell}"))
            .collect()
    }

    #[test]
    fn err_figures_outside_of_markers() {
        let text = "\
| what | how long | minutes | share |
| --- | --- | --- | --- |
| a | 10 min 19 s | 58 | 0.9 |
| b | (12.3s) | 191, and 1 for the wheel | 4.3 % |
| c | 9.8 GB | | 5% |
";
        assert_eq!(
            stray(text),
            [
                "3: 10 min 19 s",
                "3: 58",
                "4: (12.3s)",
                "4: 191, and 1 for the wheel",
                "4: 4.3 %",
                "5: 9.8 GB",
                "5: 5%"
            ]
        );
    }

    #[test]
    fn ok_what_is_no_measurement() {
        let text = "\
| variable | what | default |
| --- | --- | --- |
| `STOP_SECONDS` | how long it may take | 1.5 |
| `LIMIT` | `10 s` | PyTorch 2.11, CUDA 13.0, x86_64, 411 of Debian |

<!-- bench:edit -->
| wall |
| --- |
| 3.0 s |
<!-- /bench -->

```text
| wall |
| --- |
| 3.0 s |
```
";
        assert_eq!(stray(text), Vec::<String>::new());
    }
}
