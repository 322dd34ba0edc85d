//! Where a registry is, and what may be sent elsewhere. Pure.

use anyhow::Result;
use url::{Host, Url};

use super::error::Error;
use factory_base::error::Explain as _;

/// A repository of the same registry that may have what ours lacks.
pub(super) struct Sibling {
    /// Its name in the registry, as in `me/image`.
    pub(super) name: String,
    /// `https://HOST/v2/NAME/`.
    pub(super) base: Url,
}

/// `https://HOST/v2/NAME/` of `HOST/NAME`; HTTP for a registry of this machine, as docker and
/// podman do.
pub(super) fn base_of(name: &str) -> Result<Url> {
    let (host, path) = name
        .split_once('/')
        .filter(|(host, _)| host.contains(['.', ':']) || *host == "localhost")
        .ok_or_else(|| {
            let name = name.to_owned();
            Error::NoRegistry { name }.failure()
        })?;
    let bad = |problem: String| {
        let name = name.to_owned();
        Error::BadName { name, problem }.failure()
    };
    let mut base = Url::parse(&format!("https://{host}/v2/{path}/"))
        .map_err(|source| bad(source.to_string()))?;
    if !base.username().is_empty() || base.password().is_some() {
        return Err(bad("a login does not belong into it".to_owned()).into());
    }
    if is_local(&base) {
        // Parsed again, since the port that a URL leaves out is another one now.
        base = Url::parse(&format!("http://{host}/v2/{path}/"))?;
    }
    Ok(base)
}

/// Whether a URL is of this machine. `127.example.org` is a name like any other.
fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether what goes to `target` is as safe from listeners as what goes to the registry: it is
/// encrypted, or does not leave a machine whose registry is not encrypted either.
pub(super) fn keeps_secrecy(registry: &Url, target: &Url) -> bool {
    match target.scheme() {
        "https" => true,
        "http" => registry.scheme() == "http" && is_local(target),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_only_this_machine_goes_without_encryption() {
        let base = |name: &str| base_of(name).unwrap().to_string();
        assert_eq!(base("localhost:5000/me"), "http://localhost:5000/v2/me/");
        assert_eq!(base("localhost:443/me"), "http://localhost:443/v2/me/");
        assert_eq!(base("127.0.0.1:80/me"), "http://127.0.0.1/v2/me/");
        assert_eq!(base("[::1]:5000/me"), "http://[::1]:5000/v2/me/");
        assert_eq!(
            base("127.evil.example/me"),
            "https://127.evil.example/v2/me/"
        );
        assert_eq!(
            base("localhost.evil.example/me"),
            "https://localhost.evil.example/v2/me/"
        );
        assert_eq!(base("ghcr.io/me/x"), "https://ghcr.io/v2/me/x/");
        assert!(base_of("127.0.0.1:1@evil.example/me").is_err());
    }

    #[test]
    fn ok_where_a_login_may_go() {
        let keeps = |registry: &str, target: &str| {
            keeps_secrecy(&Url::parse(registry).unwrap(), &Url::parse(target).unwrap())
        };
        let (far, here) = ("https://a.test/v2/", "http://127.0.0.1:5000/v2/");
        assert!(keeps(far, "https://auth.test/token"));
        assert!(!keeps(far, "http://a.test/token"));
        assert!(!keeps(far, "http://127.0.0.1/token"));
        assert!(keeps(here, "http://localhost:5001/token"));
        assert!(keeps(here, "https://auth.test/token"));
        assert!(!keeps(here, "http://auth.test/token"));
        assert!(!keeps(here, "file:///token"));
    }
}
