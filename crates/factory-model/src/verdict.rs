//! How checks of an image end: the words of `verify`'s report (`docs/schemas/verify.json`), for who
//! writes it and who reads it.

use serde::{Deserialize, Serialize};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// What it says is proved.
    Passed,
    /// It is not right.
    Failed,
    /// A signal ended it.
    Crashed,
    /// It did not end in time.
    TimedOut,
    /// It needs a GPU, and there is none that fits.
    Skipped,
    /// What it is about is not here.
    Absent,
}

impl Verdict {
    /// The word that people read.
    pub fn text(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Crashed => "crashed",
            Self::TimedOut => "timed out",
            Self::Skipped => "skipped",
            Self::Absent => "absent",
        }
    }

    /// It makes the image not right.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Crashed | Self::TimedOut)
    }
}

/// How many checks ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Counts {
    /// Passed.
    pub passed: usize,
    /// Failed, crashed or timed out.
    pub failed: usize,
    /// Skipped: no GPU.
    pub skipped: usize,
    /// Absent.
    pub absent: usize,
}

impl Counts {
    /// Counts how checks ended.
    pub fn of(verdicts: impl Iterator<Item = Verdict>) -> Self {
        let mut counts = Self::default();
        for verdict in verdicts {
            match verdict {
                Verdict::Passed => counts.passed += 1,
                Verdict::Skipped => counts.skipped += 1,
                Verdict::Absent => counts.absent += 1,
                Verdict::Failed | Verdict::Crashed | Verdict::TimedOut => counts.failed += 1,
            }
        }
        counts
    }
}
