//! The version that the files of `package-lists/` and `layers/` state of themselves.
//!
//! Pure.

/// The version that this program reads.
pub const VERSION: u32 = 1;

/// A file of another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("schema_version is {0}, this program reads {VERSION}")]
pub struct OtherVersion(pub u32);

/// Refuses a file of another version.
///
/// # Errors
/// The version, and the one that is read.
pub fn check(version: u32) -> Result<(), OtherVersion> {
    if version == VERSION {
        return Ok(());
    }
    Err(OtherVersion(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn err_another_version() {
        assert_eq!(check(1), Ok(()));
        assert_eq!(
            check(2).unwrap_err().to_string(),
            "schema_version is 2, this program reads 1"
        );
    }
}
