//! What can go wrong with keys and statements, and whose fault it is.

use std::path::PathBuf;

use factory_base::error::{Explain, Kind};

/// Why something cannot be signed, or is not what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A file that holds no key of the kind that is wanted.
    #[error("`{}` holds no {wanted}: {problem}", .path.display())]
    BadKey {
        /// Which file.
        path: PathBuf,
        /// `private key` or `public key`.
        wanted: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The system gave no random numbers.
    #[error("nothing can be signed: the system gives no random numbers")]
    NoRandom,
    /// A document that is not what it is said to be.
    #[error("{what} cannot be read: {problem}")]
    BadDocument {
        /// What it is said to be.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A signature that is not of this key over these bytes.
    #[error("the signature is not of this key, or what it signs was changed")]
    BadSignature,
    /// A statement about something else.
    #[error("it is about {found}, and not about {wanted}")]
    OtherSubject {
        /// The digests that it names.
        found: String,
        /// The digest of the image.
        wanted: String,
    },
}

impl Explain for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::BadKey { .. } => Kind::BadInput,
            Self::NoRandom => Kind::Environment,
            Self::BadDocument { .. } | Self::BadSignature | Self::OtherSubject { .. } => {
                Kind::NotRight
            }
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::BadKey { wanted: "private key", .. } => vec![
                "make one with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out sign.key`"
                    .to_owned(),
            ],
            Self::BadKey { .. } => {
                vec!["its owner writes it with `openssl pkey -in sign.key -pubout`".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}
