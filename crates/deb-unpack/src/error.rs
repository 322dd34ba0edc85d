//! What can be wrong with a package.

use factory_base::error::{Explain, Kind};

/// Why a package is refused. The file is named by the context around it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no deb, or an unusual one.
    #[error("it has no `data.tar` member")]
    NoData,
    /// deb(5) allows it, this program has no decoder for it.
    #[error("its compression `{0}` is not known")]
    UnknownCompression(String),
    /// The zstd stream does not begin as one.
    #[error("bad zstd data: {0}")]
    BadZstd(String),
    /// What was asked for is not there, or is a link or a directory.
    #[error("it has no regular file `{0}`")]
    NoRegularFile(String),
    /// A member's name cannot be a path here.
    #[error("member `{0}` has a name that is not UTF-8")]
    NotUtf8(String),
    /// A member's link cannot be a path here.
    #[error("member `{0}` links to a non-UTF-8 name")]
    LinkNotUtf8(String),
    /// A member would be written to where it says, not below the root.
    #[error("member `{0}` has an absolute path")]
    Absolute(String),
    /// A member would be written above the root.
    #[error("member `{0}` leaves its root with `..`")]
    Parent(String),
    /// A member would be written through a link of the package.
    #[error("member `{member}` goes through the link `{link}`, which leaves the root")]
    ThroughLink {
        /// The member.
        member: String,
        /// The link, from the root.
        link: String,
    },
    /// A hard link to what is not there.
    #[error("member `{member}` is a hard link to `{link}`, which is no file of this package")]
    HardLink {
        /// The member.
        member: String,
        /// What it is to share its content with.
        link: String,
    },
    /// A link that leads nowhere.
    #[error("member `{0}` is a link without a target")]
    NoTarget(String),
    /// A member that no package of ours needs.
    #[error("member `{member}` is a device node or another special file ({kind})")]
    Special {
        /// The member.
        member: String,
        /// Its type in the tar header.
        kind: String,
    },
    /// A bomb.
    #[error("it unpacks to more than {}", factory_base::text::bytes(*.limit))]
    TooLarge {
        /// In bytes.
        limit: u64,
    },
}

impl Explain for Error {
    fn kind(&self) -> Kind {
        Kind::BadInput
    }
}
