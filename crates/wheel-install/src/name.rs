//! Names in wheels: which may become files of an image.

/// The longest name of a file or directory in bytes, as Linux has it.
const MAX_NAME_BYTES: usize = 255;
/// The longest path in bytes: `PATH_MAX` of Linux is 4096, and the store's directory comes first.
const MAX_PATH_BYTES: usize = 2048;

/// Says why a path is none of a file below the directory that a wheel is installed into.
/// A path of a directory ends with a slash in an archive; the caller takes that off.
///
/// # Errors
/// The reason, as the end of a sentence that begins with the path.
pub fn check_path(path: &str) -> Result<(), &'static str> {
    if path.len() > MAX_PATH_BYTES {
        return Err("its path has more than 2048 bytes");
    }
    if path.starts_with('/') {
        return Err("its path is absolute");
    }
    if path.contains('\\') {
        return Err("its path has a backslash");
    }
    let bytes = path.as_bytes();
    if bytes.len() > 1 && bytes[1] == b':' && bytes[0].is_ascii_alphabetic() {
        return Err("its path has a drive letter");
    }
    path.split('/').try_for_each(check_name)
}

/// Says why a name is none of a file or directory.
///
/// # Errors
/// As [`check_path`].
pub fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("its path has an empty part");
    }
    if name == "." || name == ".." {
        return Err("its path has `.` or `..`");
    }
    if name.contains(['/', '\\']) {
        return Err("its name is a path");
    }
    if name.chars().any(char::is_control) {
        return Err("its path has a control character");
    }
    if name.len() > MAX_NAME_BYTES {
        return Err("its path has a name of more than 255 bytes");
    }
    // https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
    if name.starts_with(".wh.") {
        return Err("its name is a whiteout: in a layer it removes what lower layers have");
    }
    Ok(())
}

/// The normalized name of a distribution:
/// <https://packaging.python.org/en/latest/specifications/name-normalization/>
pub fn normalize(name: &str) -> String {
    let mut normalized = String::new();
    for character in name.chars() {
        if !matches!(character, '-' | '_' | '.') {
            normalized.extend(character.to_lowercase());
        } else if !normalized.ends_with('-') {
            normalized.push('-');
        }
    }
    normalized
}

/// The distribution that a wheel's file name begins with; `None` if this is no name of a wheel.
pub fn distribution(file_name: &str) -> Option<&str> {
    let parts: Vec<&str> = file_name.strip_suffix(".whl")?.split('-').collect();
    let is_build_tag = |tag: &str| tag.starts_with(|first: char| first.is_ascii_digit());
    match parts.as_slice() {
        [name, _, _, _, _] if !name.is_empty() => Some(name),
        [name, _, tag, _, _, _] if !name.is_empty() && is_build_tag(tag) => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_paths() {
        for path in ["a", "a/b.py", "a b/ü.py", "..a/b..", ".whx", "aa:/x"] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn err_paths() {
        let long_name = "n".repeat(256);
        let long_path = "n/".repeat(1500);
        for (path, reason) in [
            ("", "empty part"),
            ("a//b", "empty part"),
            ("/etc/passwd", "absolute"),
            ("../a", "`..`"),
            ("a/../../b", "`..`"),
            ("./a", "`.`"),
            ("a\\b", "backslash"),
            ("C:/a", "drive letter"),
            ("a\0b", "control character"),
            ("a\nb", "control character"),
            ("a/.wh.b", "whiteout"),
            (".wh..wh..opq", "whiteout"),
            (&long_name, "255 bytes"),
            (&long_path, "2048 bytes"),
        ] {
            let error = check_path(path).unwrap_err();
            assert!(error.contains(reason), "{path}: {error}");
        }
    }

    #[test]
    fn ok_names_of_distributions() {
        assert_eq!(normalize("Foo__bar.-Baz"), "foo-bar-baz");
        assert_eq!(distribution("a_b-1.0-py3-none-any.whl"), Some("a_b"));
        assert_eq!(distribution("a-1.0-2b-py3-none-any.whl"), Some("a"));
        for wrong in [
            "a-1.0-py3-none-any.zip",
            "a-1.0-none-any.whl",
            "a-1.0-b2-py3-none-any.whl",
        ] {
            assert_eq!(distribution(wrong), None, "{wrong}");
        }
    }
}
