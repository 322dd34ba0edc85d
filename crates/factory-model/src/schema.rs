//! The version that the files of `package-lists/` and `layers/` state of themselves.
//!
//! Pure.

/// The version that this program reads.
pub const VERSION: u32 = 1;

/// Refuses a file of another version.
///
/// # Errors
/// The version, and the one that is read.
pub fn check(version: u32) -> Result<(), String> {
    if version == VERSION {
        return Ok(());
    }
    Err(format!(
        "schema_version is {version}, this program reads {VERSION}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn err_another_version() {
        assert_eq!(check(1), Ok(()));
        assert_eq!(
            check(2).unwrap_err(),
            "schema_version is 2, this program reads 1"
        );
    }
}
