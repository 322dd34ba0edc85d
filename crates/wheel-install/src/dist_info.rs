//! The `*.dist-info` directory of a wheel, and its file WHEEL.

use crate::archive::Archive;
use crate::error::Fault;
use crate::name::{distribution, normalize};

/// The name of the one `*.dist-info` directory.
///
/// # Errors
/// There is not one, or it is of another distribution than the file name says.
pub fn find(archive: &Archive, file_name: &str) -> Result<String, Fault> {
    let mut found: Vec<&str> = archive
        .members
        .iter()
        .filter_map(|member| member.path.split('/').next())
        .filter(|name| name.ends_with(".dist-info"))
        .collect();
    found.sort_unstable();
    found.dedup();
    let [directory] = found.as_slice() else {
        let reason = format!(
            "the archive has {} directories `*.dist-info`, expected one",
            found.len()
        );
        return Err(Fault::wheel(reason));
    };
    let stem = stem(directory);
    let name = stem.rsplit_once('-').map_or(stem, |(name, _)| name);
    let of_file = distribution(file_name).ok_or_else(|| {
        let reason =
            format!("`{file_name}` is no name of a wheel, `NAME-VERSION-PYTHON-ABI-PLATFORM.whl`");
        Fault::wheel(reason)
    })?;
    if normalize(name) != normalize(of_file) {
        return Err(Fault::member(
            directory,
            format!("the file name is that of `{of_file}`"),
        ));
    }
    Ok((*directory).to_owned())
}

/// `NAME-VERSION`, with which the name of the `*.data` directory begins too.
pub(crate) fn stem(dist_info: &str) -> &str {
    dist_info.strip_suffix(".dist-info").unwrap_or(dist_info)
}

/// What WHEEL says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WheelFile {
    /// `Root-Is-Purelib`.
    pub root_is_purelib: bool,
}

/// Reads WHEEL.
///
/// # Errors
/// The version of its format is not 1.
pub fn parse_wheel_file(path: &str, text: &str) -> Result<WheelFile, Fault> {
    let version = header(text, "Wheel-Version")
        .ok_or_else(|| Fault::member(path, "it has no `Wheel-Version`"))?;
    // The specification: a greater minor version is read, a greater major one is not.
    if version.split('.').next() != Some("1") {
        let reason = format!(
            "its `Wheel-Version` is {}, and only 1 is read",
            crate::error::show(version)
        );
        return Err(Fault::member(path, reason));
    }
    Ok(WheelFile {
        root_is_purelib: header(text, "Root-Is-Purelib") == Some("true"),
    })
}

/// The first value of a header, whose name may be in any case.
fn header<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let lines = text.lines().take_while(|line| !line.is_empty());
    let mut headers = lines.filter_map(|line| line.split_once(':'));
    let (_, value) = headers.find(|(name, _)| name.eq_ignore_ascii_case(key))?;
    Some(value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_headers() {
        let text =
            "wheel-version: 1.9\nGenerator: x\nRoot-Is-Purelib: true\n\nRoot-Is-Purelib: false\n";
        assert_eq!(
            parse_wheel_file("WHEEL", text).unwrap(),
            WheelFile {
                root_is_purelib: true
            }
        );
        let text = "Wheel-Version: 1.0\r\nRoot-Is-Purelib: True\r\n";
        assert!(!parse_wheel_file("WHEEL", text).unwrap().root_is_purelib);
    }

    #[test]
    fn err_versions() {
        for text in [
            "",
            "Wheel-Version: 2.0\n",
            "Wheel-Version: 10.0\n",
            "\nWheel-Version: 1.0\n",
        ] {
            assert!(parse_wheel_file("WHEEL", text).is_err(), "{text}");
        }
    }
}
