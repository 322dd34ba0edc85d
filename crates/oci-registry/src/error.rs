//! What can go wrong with a registry, and whose fault it is.

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
    /// The registry answers otherwise than the specification says.
    #[error("`{name}`: {problem}")]
    BadAnswer {
        /// `HOST/NAME`.
        name: String,
        /// What is wrong with it.
        problem: String,
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
            Self::NoRegistry { .. } | Self::BadName { .. } | Self::BadLogins { .. } => {
                Kind::BadInput
            }
            Self::NoLogin { .. } | Self::BadAnswer { .. } | Self::Refused { .. } => {
                Kind::Environment
            }
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NoRegistry { .. } => "write it as in `ghcr.io/OWNER/NAME`".to_owned(),
            Self::Refused {
                host,
                has_login,
                failure,
                ..
            } if matches!(failure.status, Some(401 | 403)) => {
                if *has_login {
                    "the login may not write there: a token needs the right to write packages"
                        .to_owned()
                } else {
                    format!("log in first: `docker login {host}` or `podman login {host}`")
                }
            }
            _ => return Vec::new(),
        };
        vec![hint]
    }
}
