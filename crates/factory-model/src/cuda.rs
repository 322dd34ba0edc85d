//! CUDA architectures, as `variants.toml` and `--cuda-arch` name them. Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What nvcc 13.0 compiles for (`nvcc --list-gpu-code`).
const KNOWN: [&str; 12] = [
    "7.5", "8.0", "8.6", "8.7", "8.8", "8.9", "9.0", "10.0", "10.3", "11.0", "12.0", "12.1",
];
/// Behind an architecture: its PTX is in the binary too.
const PTX: &str = "+PTX";

/// `9.0`, or `12.0+PTX` when newer devices may compile its PTX themselves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CudaArchitecture {
    /// `9.0`.
    capability: String,
    ptx: bool,
}

/// A text that names no architecture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no CUDA architecture; nvcc 13.0 knows {list}, each with or without `+PTX`",
    list = KNOWN.join(", ")
)]
pub struct ParseArchitectureError(String);

/// What `--cuda-arch` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// `native`: those of this machine's GPUs.
    Native,
    /// `9.0`, or `12.0+PTX`.
    Named(CudaArchitecture),
}

impl FromStr for Wanted {
    type Err = ParseArchitectureError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "native" => Ok(Self::Native),
            named => named.parse().map(Self::Named),
        }
    }
}

/// The architectures of devices, each once and in order, from what `nvidia-smi
/// --query-gpu=compute_cap --format=csv,noheader` prints.
///
/// # Errors
/// A line that names no architecture that nvcc 13.0 compiles for.
pub fn of_devices(
    compute_capabilities: &str,
) -> Result<Vec<CudaArchitecture>, ParseArchitectureError> {
    let lines = compute_capabilities.lines().map(str::trim);
    let mut found = lines
        .filter(|line| !line.is_empty())
        .map(str::parse)
        .collect::<Result<Vec<CudaArchitecture>, _>>()?;
    found.sort_by_key(CudaArchitecture::number);
    found.dedup();
    Ok(found)
}

impl CudaArchitecture {
    /// The same architecture, with or without PTX.
    pub fn has_code_of(&self, other: &Self) -> bool {
        self.capability == other.capability
    }

    /// 120 of `12.0`.
    fn number(&self) -> u32 {
        let digits = self.capability.replace('.', "");
        digits.parse().unwrap_or(u32::MAX)
    }
}

impl FromStr for CudaArchitecture {
    type Err = ParseArchitectureError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.strip_suffix(PTX).unwrap_or(text);
        if !KNOWN.contains(&bare) {
            return Err(ParseArchitectureError(text.to_owned()));
        }
        Ok(Self {
            capability: bare.to_owned(),
            ptx: bare.len() < text.len(),
        })
    }
}

impl fmt::Display for CudaArchitecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}{}",
            self.capability,
            if self.ptx { PTX } else { "" }
        )
    }
}

impl From<CudaArchitecture> for String {
    fn from(architecture: CudaArchitecture) -> Self {
        architecture.to_string()
    }
}

impl TryFrom<String> for CudaArchitecture {
    type Error = ParseArchitectureError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A list of architectures that nothing can be compiled for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// It is empty.
    #[error("no CUDA architecture is named")]
    Empty,
    /// One of them is there twice; with and without PTX is twice.
    #[error("the CUDA architecture {0} is named twice")]
    Twice(String),
}

/// Checks a list of architectures: not empty, none twice (with and without PTX is twice).
///
/// # Errors
/// What is wrong with it.
pub fn check_list(architectures: &[CudaArchitecture]) -> Result<(), ListError> {
    if architectures.is_empty() {
        return Err(ListError::Empty);
    }
    for (index, architecture) in architectures.iter().enumerate() {
        let same = |other: &CudaArchitecture| other.capability == architecture.capability;
        if architectures[..index].iter().any(same) {
            return Err(ListError::Twice(architecture.capability.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str]) -> Vec<CudaArchitecture> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn ok_round_trip() {
        for text in ["7.5", "8.0", "9.0+PTX", "12.0", "12.1+PTX"] {
            assert_eq!(text.parse::<CudaArchitecture>().unwrap().to_string(), text);
        }
        assert_eq!(check_list(&list(&["8.0", "9.0", "12.0+PTX"])), Ok(()));
    }

    #[test]
    fn ok_of_devices() {
        assert_eq!(of_devices("12.0\n9.0\n12.0\n"), Ok(list(&["9.0", "12.0"])));
        assert_eq!(of_devices("\n"), Ok(Vec::new()));
        // A device that is too old, and one without a driver's word.
        assert!(of_devices("6.1\n").is_err());
        assert!(of_devices("[N/A]\n").is_err());
    }

    #[test]
    fn ok_wanted() {
        assert_eq!("native".parse(), Ok(Wanted::Native));
        assert_eq!("9.0".parse(), Ok(Wanted::Named("9.0".parse().unwrap())));
        assert!("Native".parse::<Wanted>().is_err());
    }

    #[test]
    fn err_unknown() {
        for text in ["90", "sm_90", "9.0 ", "9.0+ptx", "", "+PTX", "7.0"] {
            assert!(text.parse::<CudaArchitecture>().is_err(), "{text}");
        }
        insta::assert_snapshot!(
            "sm_90".parse::<CudaArchitecture>().unwrap_err(),
            @"`sm_90` is no CUDA architecture; nvcc 13.0 knows 7.5, 8.0, 8.6, 8.7, 8.8, 8.9, 9.0, 10.0, 10.3, 11.0, 12.0, 12.1, each with or without `+PTX`"
        );
    }

    #[test]
    fn err_lists() {
        assert_eq!(
            check_list(&[]).unwrap_err().to_string(),
            "no CUDA architecture is named"
        );
        assert_eq!(
            check_list(&list(&["9.0", "9.0+PTX"]))
                .unwrap_err()
                .to_string(),
            "the CUDA architecture 9.0 is named twice"
        );
    }
}
