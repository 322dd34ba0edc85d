//! The `modes` file of a package tree: the few modes that the Nix store cannot keep.

use std::collections::BTreeMap;

/// Says which line is wrong, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ModesError {
    pub(crate) line: usize,
    pub(crate) reason: String,
}

/// Holds a mode and the line that asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mode {
    pub(crate) bits: u32,
    pub(crate) line: usize,
}

/// Parses lines of an octal mode, one space and a path relative to the root.
pub(crate) fn parse(text: &[u8]) -> Result<BTreeMap<Vec<u8>, Mode>, ModesError> {
    let mut modes = BTreeMap::new();
    for (index, content) in text.split(|byte| *byte == b'\n').enumerate() {
        if content.is_empty() {
            continue;
        }
        let line = index + 1;
        let (bits, path) = parse_line(content).map_err(|reason| ModesError { line, reason })?;
        if let Some(Mode { line: first, .. }) = modes.insert(path.to_vec(), Mode { bits, line }) {
            let reason = format!(
                "line {first} names the same path: `{}`",
                crate::error::show(path)
            );
            return Err(ModesError { line, reason });
        }
    }
    Ok(modes)
}

fn parse_line(line: &[u8]) -> Result<(u32, &[u8]), String> {
    let shown = || crate::error::show(line);
    let at = line.iter().position(|byte| *byte == b' ');
    let Some((digits, path)) = at.map(|at| (&line[..at], &line[at + 1..])) else {
        return Err(format!("no space between mode and path: `{}`", shown()));
    };
    let is_octal =
        (3..=5).contains(&digits.len()) && digits.iter().all(|d| (b'0'..=b'7').contains(d));
    let bits = digits.iter().fold(0, |bits, digit| {
        bits * 8 + u32::from(digit.wrapping_sub(b'0'))
    });
    if !is_octal || bits > 0o7777 {
        return Err(format!(
            "not an octal mode up to 7777: `{}`",
            crate::error::show(digits)
        ));
    }
    let is_plain = |part: &[u8]| !part.is_empty() && part != b"." && part != b"..";
    if !path.split(|byte| *byte == b'/').all(is_plain) {
        let path = crate::error::show(path);
        return Err(format!("not a plain path relative to the root: `{path}`"));
    }
    Ok((bits, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_paths_with_spaces() {
        let modes = parse(b"4755 usr/bin/sudo\n1777 tmp\n\n0600 etc/a file \n").unwrap();
        let modes: Vec<_> = modes
            .iter()
            .map(|(path, mode)| format!("{:o} {}| {}", mode.bits, path.escape_ascii(), mode.line))
            .collect();
        assert_eq!(
            modes,
            ["600 etc/a file | 4", "1777 tmp| 2", "4755 usr/bin/sudo| 1"]
        );
    }

    #[test]
    fn err_lines() {
        let error = |text: &[u8]| {
            let ModesError { line, reason } = parse(text).unwrap_err();
            format!("{line}: {reason}")
        };
        let all: Vec<String> = [
            &b"4755"[..],
            b"4755 ",
            b"755 /etc",
            b"755 a/../b",
            b"755 ./a",
            b"755 a/",
            b"755 a//b",
            b"788 a",
            b"10000 a",
            b"7 a",
            b"+755 a",
            b" a",
            b"755 a\n755 a",
            b"755 a\r\tb\n7555555 x",
        ]
        .map(error)
        .to_vec();
        insta::assert_snapshot!(all.join("\n"), @r"
        1: no space between mode and path: `4755`
        1: not a plain path relative to the root: ``
        1: not a plain path relative to the root: `/etc`
        1: not a plain path relative to the root: `a/../b`
        1: not a plain path relative to the root: `./a`
        1: not a plain path relative to the root: `a/`
        1: not a plain path relative to the root: `a//b`
        1: not an octal mode up to 7777: `788`
        1: not an octal mode up to 7777: `10000`
        1: not an octal mode up to 7777: `7`
        1: not an octal mode up to 7777: `+755`
        1: not an octal mode up to 7777: ``
        2: line 1 names the same path: `a`
        2: not an octal mode up to 7777: `7555555`
        ");
    }
}
