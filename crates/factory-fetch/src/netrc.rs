//! Logins of the user's `.netrc`, as curl and pip use them.

use std::path::PathBuf;

use anyhow::Result;

/// Machines with their logins, in file order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Netrc {
    machines: Vec<(Option<String>, String, String)>,
}

impl Netrc {
    /// Reads `$NETRC` or `~/.netrc`; a user without one has no logins.
    ///
    /// # Errors
    /// The file exists but cannot be read.
    pub fn of_user() -> Result<Self> {
        let path = std::env::var_os("NETRC")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".netrc")));
        match path {
            Some(path) if path.is_file() => Ok(Self::parse(&fs_err::read_to_string(path)?)),
            _ => Ok(Self::default()),
        }
    }

    fn parse(text: &str) -> Self {
        let mut machines = Vec::new();
        let mut words = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .flat_map(str::split_whitespace);
        let mut current: Option<(Option<String>, String, String)> = None;
        while let Some(word) = words.next() {
            match word {
                "machine" => {
                    machines.extend(current.take());
                    current = words
                        .next()
                        .map(|host| (Some(host.to_owned()), String::new(), String::new()));
                }
                "default" => {
                    machines.extend(current.take());
                    current = Some((None, String::new(), String::new()));
                }
                "login" | "password" => {
                    if let (Some(entry), Some(value)) = (&mut current, words.next()) {
                        let field = if word == "login" {
                            &mut entry.1
                        } else {
                            &mut entry.2
                        };
                        value.clone_into(field);
                    }
                }
                _ => {}
            }
        }
        machines.extend(current);
        Self { machines }
    }

    /// Login and password for a host.
    pub fn login(&self, host: &str) -> Option<(String, String)> {
        self.machines
            .iter()
            .find(|(machine, login, _)| {
                !login.is_empty() && machine.as_deref().is_none_or(|machine| machine == host)
            })
            .map(|(_, login, password)| (login.clone(), password.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_machine_then_default() {
        let netrc = Netrc::parse(
            "# mirrors\nmachine a.test login me password s3cret\nmachine b.test\n  login you\n  password p\ndefault login any password thing\n",
        );
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(netrc.login("a.test"), pair("me", "s3cret"));
        assert_eq!(netrc.login("b.test"), pair("you", "p"));
        assert_eq!(netrc.login("c.test"), pair("any", "thing"));
        assert_eq!(Netrc::parse("").login("c.test"), None);
    }
}
