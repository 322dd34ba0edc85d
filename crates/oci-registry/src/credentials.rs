//! Logins to image registries, as `docker login` and `podman login` leave them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use serde::Deserialize;
use xshell::Shell;

use super::error::Error;
use factory_base::error::Explain as _;
use factory_base::process;

/// A user name and a password or token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
}

impl Login {
    /// The value of an `Authorization` header.
    pub(super) fn basic(&self) -> String {
        let pair = format!("{}:{}", self.user, self.password);
        let token = base64::engine::general_purpose::STANDARD.encode(pair);
        format!("Basic {token}")
    }
}

/// The parts of `config.json` and `auth.json` that say who the user is.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AuthFile {
    auths: BTreeMap<String, Auth>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: String,
}

/// Where a login for a repository is written.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    Here(Login),
    /// `docker-credential-NAME get`.
    Helper(String),
}

/// What a credential helper prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperReply {
    username: String,
    secret: String,
}

/// The user's login for a repository (`HOST/NAME`); `None` if nothing names its registry.
///
/// # Errors
/// A file cannot be read, or the credential helper it names fails.
pub(super) fn login(repository: &str, files: &[PathBuf]) -> Result<Option<Login>> {
    let host = repository.split('/').next().unwrap_or(repository);
    for path in files {
        if !path.is_file() {
            continue;
        }
        let file: AuthFile = serde_json::from_slice(&fs_err::read(path)?).map_err(|source| {
            let (path, problem) = (path.clone(), source.to_string());
            Error::BadLogins { path, problem }.failure()
        })?;
        match file.find(repository, host) {
            None => {}
            Some(Source::Here(login)) => return Ok(Some(login)),
            Some(Source::Helper(name)) => return ask(&name, host).map(Some),
        }
    }
    Ok(None)
}

/// The files that podman and docker read, in podman's order.
pub(super) fn files() -> Vec<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = || variable("HOME").map(PathBuf::from);
    let below = |base: Option<PathBuf>, rest: &str| base.map(|base| base.join(rest));
    let runtime = variable("XDG_RUNTIME_DIR").map(PathBuf::from);
    let config = variable("XDG_CONFIG_HOME").map_or_else(
        || below(home(), ".config"),
        |directory| Some(directory.into()),
    );
    let docker = variable("DOCKER_CONFIG").map_or_else(
        || below(home(), ".docker"),
        |directory| Some(directory.into()),
    );
    [
        variable("REGISTRY_AUTH_FILE").map(PathBuf::from),
        below(runtime, "containers/auth.json"),
        below(config, "containers/auth.json"),
        below(docker, "config.json"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl AuthFile {
    /// The most specific entry wins: `HOST/OWNER/NAME`, `HOST/OWNER`, `HOST`.
    fn find(&self, repository: &str, host: &str) -> Option<Source> {
        let mut key = repository;
        loop {
            let known = self.auths.iter().find(|(name, _)| bare(name) == key);
            if let Some(login) = known.and_then(|(_, auth)| decode(&auth.auth)) {
                return Some(Source::Here(login));
            }
            match key.rsplit_once('/') {
                Some((shorter, _)) => key = shorter,
                None => break,
            }
        }
        if let Some(helper) = self.cred_helpers.get(host) {
            return Some(Source::Helper(helper.clone()));
        }
        // A store holds what `auths` names without a login.
        let is_named = self.auths.keys().any(|name| bare(name) == host);
        self.creds_store
            .clone()
            .filter(|_| is_named)
            .map(Source::Helper)
    }
}

/// A key without the scheme that older files have.
fn bare(key: &str) -> &str {
    let key = key.split_once("://").map_or(key, |(_, rest)| rest);
    key.trim_end_matches('/')
}

fn decode(auth: &str) -> Option<Login> {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(auth.trim())
        .ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    (!user.is_empty()).then(|| Login {
        user: user.to_owned(),
        password: password.to_owned(),
    })
}

fn ask(helper: &str, host: &str) -> Result<Login> {
    let program = format!("docker-credential-{helper}");
    let shell = Shell::new()?;
    let mut lines = Vec::new();
    process::feed(
        shell.cmd(&program).arg("get"),
        |stdin| Ok(writeln!(stdin, "{host}")?),
        |line| lines.push(line.to_owned()),
    )
    .with_context(|| format!("`{program}` has no login for `{host}`"))?;
    let reply = lines
        .iter()
        .find_map(|line| serde_json::from_str::<HelperReply>(line).ok())
        .ok_or_else(|| {
            let host = host.to_owned();
            Error::NoLogin { program, host }.failure()
        })?;
    Ok(Login {
        user: reply.username,
        password: reply.secret,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_the_most_specific_entry_wins() {
        let encode = |pair: &str| base64::engine::general_purpose::STANDARD.encode(pair);
        let text = format!(
            r#"{{"auths":{{"ghcr.io":{{"auth":"{}"}},"ghcr.io/me":{{"auth":"{}"}},"https://old.test/":{{"auth":"{}"}},"store.test":{{}}}},
               "credHelpers":{{"helped.test":"pass"}},"credsStore":"desktop","HttpHeaders":{{}}}}"#,
            encode("all:a"),
            encode("me:b:c"),
            encode("old:d"),
        );
        let file: AuthFile = serde_json::from_str(&text).unwrap();
        let here = |user: &str, password: &str| {
            Some(Source::Here(Login {
                user: user.to_owned(),
                password: password.to_owned(),
            }))
        };
        let find = |repository: &str| file.find(repository, repository.split('/').next().unwrap());
        assert_eq!(find("ghcr.io/other/name"), here("all", "a"));
        assert_eq!(find("ghcr.io/me/name"), here("me", "b:c"));
        assert_eq!(find("old.test/name"), here("old", "d"));
        let helper = |name: &str| Some(Source::Helper(name.to_owned()));
        assert_eq!(find("helped.test/name"), helper("pass"));
        assert_eq!(find("store.test/name"), helper("desktop"));
        assert_eq!(find("unknown.test/name"), None);
    }
}
