//! What the environment says, read once.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use crate::apt::Mirrors;
use crate::error::Error;
use crate::manager::Manager;

/// Where the image keeps ComfyUI, its nodes and what belongs to them.
pub const BUNDLE: &str = "/default-comfyui-bundle";
/// The home directory in the image, and its volume.
pub const HOME: &str = "/root";

/// Holds what people set from outside.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The image's part: ComfyUI, nodes, weights.
    pub bundle: PathBuf,
    /// The home directory, which is the volume.
    pub home: PathBuf,
    /// `COMFYUI_DIR`: run this ComfyUI as it is.
    pub comfyui_dir: Option<PathBuf>,
    /// `COMFYUI_REPOSITORY`.
    pub repository: String,
    /// `COMFYUI_REVISION`; the image's own where there is none.
    pub revision: Option<String>,
    /// `PUID`, and `PGID` or the same.
    pub account: Option<(u32, u32)>,
    /// `CLI_ARGS`.
    pub cli_args: String,
    /// `STOP_SECONDS`: how long ComfyUI may take to end before it is killed.
    pub stop: Duration,
    /// `COMFYUI_MANAGER`: whether the image's Manager runs.
    pub manager: Manager,
    /// `NVIDIA_REQUIRE_CUDA`: what the image asks of the driver.
    pub require_cuda: Option<String>,
    /// `APT_MIRROR` and `APT_SECURITY_MIRROR`.
    pub mirrors: Mirrors,
    /// `SKIP_CHECKS=1` turns the checks of GPU and port off.
    pub is_checking: bool,
}

/// ComfyUI's home, for images that fetch it at the first start.
pub const REPOSITORY: &str = "https://github.com/Comfy-Org/ComfyUI";

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    ///
    /// `PUID`, `PGID` or `STOP_SECONDS` is not a number, a mirror has no address, or
    /// `COMFYUI_MANAGER` is neither `on` nor `off`.
    pub fn from_environment() -> Result<Self, Error> {
        let text = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let puid = number("PUID", text("PUID"))?;
        let pgid = number("PGID", text("PGID"))?;
        Ok(Self {
            bundle: text("COMFY_START_BUNDLE")
                .unwrap_or_else(|| BUNDLE.to_owned())
                .into(),
            home: text("COMFY_START_HOME")
                .unwrap_or_else(|| HOME.to_owned())
                .into(),
            comfyui_dir: text("COMFYUI_DIR").map(PathBuf::from),
            repository: text("COMFYUI_REPOSITORY").unwrap_or_else(|| REPOSITORY.to_owned()),
            revision: text("COMFYUI_REVISION"),
            account: puid
                .filter(|puid| *puid != 0)
                .map(|puid| (puid, pgid.unwrap_or(puid))),
            cli_args: text("CLI_ARGS").unwrap_or_default(),
            stop: stop(text("STOP_SECONDS"))?,
            manager: Manager::parse(text("COMFYUI_MANAGER"))?,
            require_cuda: text("NVIDIA_REQUIRE_CUDA"),
            mirrors: Mirrors {
                debian: mirror("APT_MIRROR", text("APT_MIRROR"))?,
                security: mirror("APT_SECURITY_MIRROR", text("APT_SECURITY_MIRROR"))?,
            },
            is_checking: text("SKIP_CHECKS").is_none_or(|value| value != "1"),
        })
    }
}

fn number(name: &'static str, value: Option<String>) -> Result<Option<u32>, Error> {
    // The two highest numbers mean "no change" and "nobody" to the kernel.
    value
        .map(|value| match value.parse() {
            Ok(number) if number < u32::MAX - 1 => Ok(number),
            _ => Err(Error::Variable {
                name,
                value,
                expected: "the number of a user or group",
            }),
        })
        .transpose()
}

/// An address as apt takes it: a word that begins with its method.
fn mirror(name: &'static str, value: Option<String>) -> Result<Option<String>, Error> {
    let is_address = |value: &str| {
        let has_method = ["http://", "https://", "file:", "mirror+"];
        has_method.iter().any(|method| value.starts_with(method))
            && !value.contains(|letter: char| letter.is_whitespace() || letter.is_control())
    };
    match value {
        Some(value) if !is_address(&value) => Err(Error::Variable {
            name,
            value,
            expected: "the address of a mirror, as `https://mirror.example/debian`",
        }),
        value => Ok(value),
    }
}

fn stop(value: Option<String>) -> Result<Duration, Error> {
    let Some(value) = value else {
        return Ok(Duration::from_millis(1500));
    };
    match value.parse() {
        Ok(seconds @ 0.0..=86400.0) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(Error::Variable {
            name: "STOP_SECONDS",
            value,
            expected: "a number of seconds, up to 86400",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn err_numbers() {
        for value in ["", "-1", "abc", "4294967295", "1.5"] {
            assert!(number("PUID", Some(value.to_owned())).is_err(), "{value}");
        }
        assert_eq!(number("PUID", Some("1000".to_owned())).unwrap(), Some(1000));
        for value in ["-1", "NaN", "inf", "x"] {
            assert!(stop(Some(value.to_owned())).is_err(), "{value}");
        }
        for value in ["mirror.example/debian", "http://a b", "http://a\nURIs: x"] {
            assert!(
                mirror("APT_MIRROR", Some(value.to_owned())).is_err(),
                "{value}"
            );
        }
        assert_eq!(stop(None).unwrap(), Duration::from_millis(1500));
    }
}
