//! The key that signs what `carry` keeps (nix.conf(5), `secret-key-files`).

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use xshell::Shell;

use super::{Context, Error, Nix};
use factory_base::error::Explain as _;
use factory_base::process;
use factory_base::run::Directories;

/// Name of a user's own key: it stands before each signature.
const NAME: &str = "comfyui-image-factory-carry";
/// Bytes of an Ed25519 secret key as Nix keeps it: the seed, then the public key.
const SECRET_BYTES: usize = 64;

/// A secret key in a file. It never leaves the file, but for its public half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    file: PathBuf,
    public: String,
}

impl SigningKey {
    /// Reads the key that `nix key generate-secret` wrote.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else; its content is not repeated.
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs_err::read_to_string(file)?;
        let public = public_half(text.trim()).ok_or_else(|| {
            let file = file.to_owned();
            Error::NotAKey { file }.failure()
        })?;
        Ok(Self {
            file: file.to_owned(),
            public,
        })
    }

    /// Where the user's own key is.
    pub fn file_of_user(directories: &dyn Directories) -> PathBuf {
        directories.data().join("carry.key")
    }

    /// The user's own key, made when there is none.
    ///
    /// # Errors
    /// It cannot be made or read.
    pub fn of_user(ctx: &dyn Context, nix: &Nix) -> Result<Self> {
        let file = Self::file_of_user(ctx);
        if !file.exists() {
            let shell = Shell::new()?;
            let cmd = nix.cmd(&shell, "nix");
            let secret =
                process::capture(cmd.args(["key", "generate-secret", "--key-name", NAME]))?;
            write_new(&file, secret.as_bytes())?;
            ctx.step("Made", &format!("the key `{}`", file.display()));
        }
        Self::read(&file)
    }

    /// The file of the secret key.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// `NAME:BASE64`, as `trusted-public-keys` takes it.
    pub fn public(&self) -> &str {
        &self.public
    }
}

fn public_half(secret: &str) -> Option<String> {
    let (name, base64) = secret.split_once(':')?;
    let bytes = STANDARD.decode(base64).ok()?;
    let public = bytes.get(SECRET_BYTES / 2..)?;
    (bytes.len() == SECRET_BYTES && !name.is_empty())
        .then(|| format!("{name}:{}", STANDARD.encode(public)))
}

/// For the owner's eyes only; what another run wrote meanwhile stays.
fn write_new(path: &Path, content: &[u8]) -> Result<()> {
    let directory = path.parent().context("a key without a directory")?;
    fs_err::create_dir_all(directory)?;
    // Temporary files have the mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory)
        .with_context(|| format!("cannot write beside `{}`", path.display()))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::CannotWrite {
            path: path.to_owned(),
            problem: error.error.to_string(),
        }
        .failure()
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `nix key generate-secret` and `nix key convert-secret-to-public`.
    const SECRET: &str = "test-1:JXT0suO0yQBaX1bXiFOtsWEBplmTfRgYiiPy7VU+OjRd0nBSLBbJ890GGHt5JaWyMGQopklae4pmWtJlOHhL2A==";
    const PUBLIC: &str = "test-1:XdJwUiwWyfPdBhh7eSWlsjBkKKZJWnuKZlrSZTh4S9g=";

    #[test]
    fn ok_public_half() {
        assert_eq!(public_half(SECRET).as_deref(), Some(PUBLIC));
    }

    #[test]
    fn err_other_content_is_not_repeated() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for text in ["", "name:", "name:AAAA", "secret-word"] {
            fs_err::write(file.path(), text).unwrap();
            let error = SigningKey::read(file.path()).unwrap_err();
            assert_eq!(
                factory_base::error::kind_of(&error),
                factory_base::error::Kind::BadInput
            );
            assert!(
                error
                    .to_string()
                    .ends_with("does not hold a secret key of Nix")
            );
        }
    }

    #[test]
    fn ok_only_the_owner_reads_a_new_key_and_an_old_one_stays() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("data/carry.key");
        write_new(&file, SECRET.as_bytes()).unwrap();
        write_new(&file, b"other").unwrap();
        assert_eq!(SigningKey::read(&file).unwrap().public(), PUBLIC);
        let mode = fs_err::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
