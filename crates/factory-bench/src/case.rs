//! Which cases there are: what each measures, needs, and takes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// One case of `cargo xtask bench`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// `stream`.
    Stream,
    /// `growth`.
    Growth,
    /// `relock`.
    Relock,
    /// `no-op`.
    NoOp,
    /// `import-torch`.
    ImportTorch,
    /// `comfyui-start`.
    ComfyuiStart,
    /// `push`.
    Push,
    /// `cold-layers`.
    ColdLayers,
    /// `byte-code`.
    ByteCode,
    /// `load`.
    Load,
    /// `edit`.
    Edit,
    /// `comment`.
    Comment,
}

/// What a person wants to know of a case before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// What is measured, as the title of its table.
    pub what: &'static str,
    /// The peers and what each is, for people.
    pub against: &'static str,
    /// Programs without which there is nothing to compare with.
    pub programs: &'static [&'static str],
    /// Free disk that it needs, in GB, for `slim`.
    pub disk_gb: u64,
    /// Minutes of one run of each on 2 cores, setting up included.
    pub minutes: u32,
}

impl Case {
    /// All of them, the quick ones first; those that share what was set up stand together.
    pub const ALL: [Self; 12] = [
        Self::Stream,
        Self::Growth,
        Self::Relock,
        Self::ImportTorch,
        Self::ComfyuiStart,
        Self::Push,
        Self::Load,
        Self::NoOp,
        Self::Comment,
        Self::Edit,
        Self::ColdLayers,
        Self::ByteCode,
    ];

    /// The word for it on the command line, in file names and in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Growth => "growth",
            Self::Relock => "relock",
            Self::NoOp => "no-op",
            Self::ImportTorch => "import-torch",
            Self::ComfyuiStart => "comfyui-start",
            Self::Push => "push",
            Self::ColdLayers => "cold-layers",
            Self::ByteCode => "byte-code",
            Self::Load => "load",
            Self::Edit => "edit",
            Self::Comment => "comment",
        }
    }

    /// What a person wants to know before it runs.
    #[expect(clippy::too_many_lines, reason = "a table with a row for each case")]
    pub fn about(self) -> About {
        match self {
            Self::Stream => About {
                what: "Tar and SHA-256 of files in the page cache",
                against: "`openssl dgst -sha256` on the same bytes, as many at once",
                programs: &["openssl"],
                disk_gb: 2,
                minutes: 1,
            },
            Self::Growth => About {
                what: "Ten times the packages, ten times the layers",
                against: "itself, for each item",
                programs: &[],
                disk_gb: 1,
                minutes: 1,
            },
            Self::Relock => About {
                what: "All of a variant's locks, resolved again",
                against: "the very `uv pip compile` calls of it, alone",
                programs: &[],
                disk_gb: 1,
                minutes: 2,
            },
            Self::NoOp => About {
                what: "Nothing to do",
                against: "`podman build`, every step cached",
                programs: &["podman"],
                disk_gb: 18,
                minutes: 8,
            },
            Self::ImportTorch => About {
                what: "`import torch` in a fresh container",
                against: "the second and third time in it",
                programs: &["podman"],
                disk_gb: 14,
                minutes: 2,
            },
            Self::ComfyuiStart => About {
                what: "ComfyUI's first answer in a fresh container",
                against: "the second and third start in it",
                programs: &["podman"],
                disk_gb: 14,
                minutes: 3,
            },
            Self::Push => About {
                what: "A push to a registry on the loopback",
                against: "`skopeo copy` of the same image as an OCI layout, zstd -3 too",
                programs: &["docker-registry", "skopeo"],
                disk_gb: 18,
                minutes: 12,
            },
            Self::ColdLayers => About {
                what: "Layers 04 to 07 from fetched sources, without byte code",
                against: "a Dockerfile with uv, and with pip, on the same wheels",
                programs: &["podman"],
                disk_gb: 26,
                minutes: 14,
            },
            Self::ByteCode => About {
                what: "Layers 04 to 07 from fetched sources, with byte code",
                against: "a Dockerfile with `uv pip install --compile-bytecode`",
                programs: &["podman"],
                disk_gb: 22,
                minutes: 16,
            },
            Self::Load => About {
                what: "The image into podman",
                against: "`podman load` of its archive",
                programs: &["podman"],
                disk_gb: 28,
                minutes: 12,
            },
            Self::Edit => About {
                what: "One wheel more in pak7, its lock included",
                against: "the same wheel in a Dockerfile with uv, and with pip",
                programs: &["podman"],
                disk_gb: 28,
                minutes: 14,
            },
            Self::Comment => About {
                what: "A changed comment in a runner script",
                against: "a Dockerfile whose last step copies it",
                programs: &["podman"],
                disk_gb: 18,
                minutes: 8,
            },
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Case {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|case| case.name() == text);
        found.ok_or_else(|| Error::UnknownCase {
            name: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_names_are_what_files_say() {
        for case in Case::ALL {
            let json = serde_json::to_string(&case).unwrap();
            assert_eq!(json, format!("\"{}\"", case.name()));
            assert_eq!(case.name().parse::<Case>().unwrap(), case);
        }
        let mut sorted = Case::ALL.to_vec();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), Case::ALL.len());
    }

    #[test]
    fn err_unknown_case() {
        let error = "warm".parse::<Case>().unwrap_err();
        insta::assert_snapshot!(error, @"there is no case `warm`");
    }
}
