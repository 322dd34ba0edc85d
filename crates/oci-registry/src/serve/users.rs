//! Who may read: the files that `htpasswd -B` of apache2-utils writes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use base64::Engine as _;
use comfy_image::Digest;

use crate::error::Error;
use factory_base::error::Explain as _;

/// Checked for users that are not there, so that their absence takes as long as a wrong
/// password. It is the hash of no password that anybody knows.
const NOBODY: &str = "$2y$05$6ENEC6qpJuF9.J9vjmcJ3ulRVsLama0EX90U93J72.mX4dYRWZV22";

/// The highest cost that `htpasswd` takes; each step doubles the work of a login.
const MOST_COST: u32 = 17;

/// The users of a server and the hashes of their passwords.
#[derive(Debug)]
pub struct Users {
    hashes: BTreeMap<String, String>,
    /// Digests of passwords that were right: bcrypt is slow on purpose, and a pull asks often.
    known: Mutex<BTreeMap<String, Digest>>,
}

impl Users {
    /// Reads a file of lines `USER:HASH`, as htpasswd(1) writes it with `-B`.
    ///
    /// # Errors
    /// It cannot be read, names nobody, or has a hash that is not bcrypt's.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs_err::read_to_string(path)?;
        parse(&text).map_err(|problem| {
            let path = path.to_owned();
            Error::BadUsers { path, problem }.failure().into()
        })
    }

    /// Whether the value of an `Authorization` header is the login of a user.
    pub(super) fn accept(&self, authorization: Option<&str>) -> bool {
        let Some((user, password)) = authorization.and_then(decode) else {
            return false;
        };
        let digest = Digest::of(password.as_bytes());
        // One at a time: guessing must not take all processors.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(&user) == Some(&digest) {
            return true;
        }
        let hash = self.hashes.get(&user);
        let is_right = bcrypt::verify(&password, hash.map_or(NOBODY, String::as_str));
        let is_right = hash.is_some() && is_right.unwrap_or(false);
        if is_right {
            known.insert(user, digest);
        }
        is_right
    }
}

fn parse(text: &str) -> Result<Users, String> {
    let mut hashes = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = index + 1;
        let (user, hash) = line
            .split_once(':')
            .filter(|(user, _)| !user.is_empty())
            .ok_or_else(|| format!("line {number} is not `USER:HASH`"))?;
        if !is_bcrypt(hash) {
            return Err(format!(
                "line {number}: the password of `{user}` is not hashed with bcrypt"
            ));
        }
        hashes.insert(user.to_owned(), hash.to_owned());
    }
    if hashes.is_empty() {
        return Err("it names no user".to_owned());
    }
    let known = Mutex::default();
    Ok(Users { hashes, known })
}

/// `$2y$COST$` and 53 characters; the other letters are those of other programs.
fn is_bcrypt(hash: &str) -> bool {
    let is_known = ["$2a$", "$2b$", "$2y$"]
        .iter()
        .any(|start| hash.starts_with(start));
    let parts: Option<bcrypt::HashParts> = hash.parse().ok().filter(|_| is_known);
    parts.is_some_and(|parts| parts.get_cost() <= MOST_COST)
}

fn decode(authorization: &str) -> Option<(String, String)> {
    let (scheme, token) = authorization.split_once(' ')?;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(token.trim())
        .ok()
        .filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By `htpasswd -nbB me secret`.
    const LINE: &str = "me:$2y$05$Fv92hhMi2mNB3a.l8bhRKuzgXiT.442uJFpEwJ3pfK1qt5axL9U22";

    fn basic(pair: &str) -> String {
        let token = base64::engine::general_purpose::STANDARD.encode(pair);
        format!("Basic {token}")
    }

    #[test]
    fn ok_logins() {
        let users = parse(&format!("# ours\n\n{LINE}\n")).unwrap();
        for _ in 0..2 {
            assert!(users.accept(Some(&basic("me:secret"))));
            assert!(!users.accept(Some(&basic("me:Secret"))));
        }
        assert!(!users.accept(Some(&basic("you:secret"))));
        assert!(!users.accept(Some(&basic("me"))));
        assert!(!users.accept(Some("Bearer bWU6c2VjcmV0")));
        assert!(!users.accept(Some("Basic !")));
        assert!(!users.accept(None));
    }

    #[test]
    fn ok_nobody_is_a_hash_that_is_computed() {
        assert_eq!(bcrypt::verify("x", NOBODY).ok(), Some(false));
    }

    #[test]
    fn err_files() {
        for (text, problem) in [
            ("", "it names no user"),
            ("me", "line 1 is not `USER:HASH`"),
            (":x", "line 1 is not `USER:HASH`"),
            (
                "me:$apr1$x$y",
                "line 1: the password of `me` is not hashed with bcrypt",
            ),
            (
                "\nme:secret",
                "line 2: the password of `me` is not hashed with bcrypt",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), problem, "{text}");
        }
    }
}
