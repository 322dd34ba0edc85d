//! What can go wrong with a registry, ours included, and whose fault it is.

use std::net::SocketAddr;
use std::path::PathBuf;

use factory_base::error::{Explain, Kind};
use factory_fetch::RequestError;

/// Why a registry does not take or give something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name without a registry.
    #[error("`{name}` does not name a registry")]
    NoRegistry {
        /// As the user wrote it.
        name: String,
    },
    /// A name that makes no URL.
    #[error("`{name}` is no repository: {problem}")]
    BadName {
        /// As the user wrote it.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file of logins.
    #[error("`{}`: {problem}", .path.display())]
    BadLogins {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A credential helper that says nothing.
    #[error("`{program} get` printed no login for `{host}`")]
    NoLogin {
        /// The helper.
        program: String,
        /// The registry.
        host: String,
    },
    /// A certificate or key for TLS.
    #[error("`{}`: {problem}", .path.display())]
    BadCertificate {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file of users.
    #[error("`{}`: {problem}", .path.display())]
    BadUsers {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// An address that cannot be served on.
    #[error("cannot listen on {address}: {problem}")]
    CannotListen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        problem: String,
    },
    /// The registry answers otherwise than the specification says.
    #[error("`{name}`: {problem}")]
    BadAnswer {
        /// `HOST/NAME`.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// What was pushed is not what is there then.
    #[error("`{name}` took the manifest, and `{reference}` is {kept} there")]
    OtherManifest {
        /// `HOST/NAME`.
        name: String,
        /// The tag, or the digest.
        reference: String,
        /// The digest of what is there.
        kept: String,
    },
    /// The registry does not answer, or refuses.
    #[error("`{name}`: {failure}")]
    Refused {
        /// `HOST/NAME`.
        name: String,
        /// Its host, as one logs in to it.
        host: String,
        /// Whether a login was sent.
        has_login: bool,
        /// What it answered.
        failure: RequestError,
    },
}

impl Explain for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NoRegistry { .. }
            | Self::BadName { .. }
            | Self::BadLogins { .. }
            | Self::BadCertificate { .. }
            | Self::BadUsers { .. } => Kind::BadInput,
            Self::NoLogin { .. }
            | Self::CannotListen { .. }
            | Self::BadAnswer { .. }
            | Self::OtherManifest { .. }
            | Self::Refused { .. } => Kind::Environment,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NoRegistry { .. } => "write it as in `ghcr.io/OWNER/NAME`".to_owned(),
            Self::BadUsers { path, .. } => {
                format!("add a user with `htpasswd -B {} USER`", path.display())
            }
            Self::BadCertificate { .. } => {
                "both are PEM files: the chain, the server's own certificate first, and its key"
                    .to_owned()
            }
            Self::OtherManifest { .. } => {
                "somebody else may have pushed to the same tag: look there, and push again"
                    .to_owned()
            }
            Self::Refused {
                host,
                has_login,
                failure,
                ..
            } if matches!(failure.status, Some(401 | 403)) => match (has_login, failure.status) {
                (false, _) => {
                    format!("log in first: `docker login {host}` or `podman login {host}`")
                }
                (true, Some(401)) => format!(
                    "the login is wrong, too old, or not for this: `docker login {host}` or `podman login {host}`; a token needs the right to write packages"
                ),
                (true, _) => {
                    "the login may not write there: a token needs the right to write packages"
                        .to_owned()
                }
            },
            _ => return Vec::new(),
        };
        vec![hint]
    }
}
