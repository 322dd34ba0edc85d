//! Wheel file names and which of them the image's interpreter prefers. Pure.
//!
//! <https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/>

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A wheel's name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelFilename {
    name: String,
    version: String,
    build: Option<(u64, String)>,
    python: Vec<String>,
    abi: Vec<String>,
    platform: Vec<String>,
}

/// Text that is no wheel name.
#[derive(Debug, thiserror::Error)]
#[error("`{file}` is not a wheel file name: {reason}")]
pub struct ParseWheelError {
    file: String,
    reason: &'static str,
}

/// The interpreter's ABI tag: `cp314` or, free-threaded, `cp314t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Abi {
    /// 14 of CPython 3.14.
    pub minor: u32,
    /// Built with `--disable-gil`.
    pub free_threaded: bool,
}

/// What the image can load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The interpreter.
    pub abi: Abi,
    /// glibc 2.x of the base.
    pub glibc_minor: u32,
    /// The machine: `x86_64`.
    pub machine: &'a str,
}

/// How well a wheel fits; greater is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fit {
    /// Own ABI, stable ABI, none.
    abi: u8,
    /// Compiled for this platform before `any`.
    native: bool,
    /// `cp` before `py`, newer before older.
    python: (bool, u32),
    /// The newest glibc it may use.
    glibc_minor: u32,
}

impl WheelFilename {
    /// Version as it stands in the name.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether it has no platform: can be unpacked for any interpreter.
    pub fn is_pure(&self) -> bool {
        self.platform.iter().any(|tag| tag == "any")
    }

    /// How well it fits, or None if the target cannot load it.
    pub fn fit(&self, target: Target<'_>) -> Option<Fit> {
        let mut best = None;
        for python in &self.python {
            for abi in &self.abi {
                for platform in &self.platform {
                    best = best.max(fit(target, python, abi, platform));
                }
            }
        }
        best
    }

    /// Total order by preference on a target: fit, then build number, then the name.
    pub fn compare(&self, other: &Self, target: Target<'_>) -> Ordering {
        self.fit(target)
            .cmp(&other.fit(target))
            .then_with(|| self.build.cmp(&other.build))
            .then_with(|| self.to_string().cmp(&other.to_string()))
    }
}

fn fit(target: Target<'_>, python: &str, abi: &str, platform: &str) -> Option<Fit> {
    let (own, python_minor) = python_tag(python)?;
    if python_minor > target.abi.minor {
        return None;
    }
    let same = own && python_minor == target.abi.minor;
    let stable = if target.abi.free_threaded {
        "abi3t"
    } else {
        "abi3"
    };
    let abi_class = if abi == target.abi.to_string() && same {
        3
    } else if abi == stable && own && python_minor >= 2 {
        2
    } else if abi == "none" && (!own || same) {
        1
    } else {
        return None;
    };
    let (native, glibc_minor) = platform_tag(platform, target)?;
    Some(Fit {
        abi: abi_class,
        native,
        python: (own, python_minor),
        glibc_minor,
    })
}

/// `cp314` is (own, 14), `py3` is (generic, 0), `py314` is (generic, 14).
fn python_tag(tag: &str) -> Option<(bool, u32)> {
    let own = tag.starts_with("cp");
    let digits = tag
        .strip_prefix("cp")
        .or_else(|| tag.strip_prefix("py"))?
        .strip_prefix('3')?;
    if digits.is_empty() {
        return Some((own, 0));
    }
    Some((own, number(digits)?))
}

/// Whether it is native, and the glibc 2.x it needs.
fn platform_tag(tag: &str, target: Target<'_>) -> Option<(bool, u32)> {
    if tag == "any" {
        return Some((false, 0));
    }
    let minor = match tag.strip_suffix(target.machine)?.strip_suffix('_')? {
        "linux" => 0,
        "manylinux1" => 5,
        "manylinux2010" => 12,
        "manylinux2014" => 17,
        newer => number(newer.strip_prefix("manylinux_2_")?)?,
    };
    (minor <= target.glibc_minor).then_some((true, minor))
}

fn number(digits: &str) -> Option<u32> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok())?
}

impl FromStr for WheelFilename {
    type Err = ParseWheelError;

    fn from_str(file: &str) -> Result<Self, Self::Err> {
        let error = |reason| ParseWheelError {
            file: file.to_owned(),
            reason,
        };
        let stem = file
            .strip_suffix(".whl")
            .ok_or_else(|| error("it does not end with `.whl`"))?;
        if stem.contains(['/', '\\', '\0']) {
            return Err(error("it holds a path separator"));
        }
        let parts: Vec<&str> = stem.split('-').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(error("a part is empty"));
        }
        let (build, tags) = match parts.len() {
            5 => (None, &parts[2..]),
            6 => {
                let end = parts[2]
                    .find(|character: char| !character.is_ascii_digit())
                    .unwrap_or(parts[2].len());
                let number = parts[2][..end]
                    .parse()
                    .map_err(|_| error("the build tag does not start with a number"))?;
                (Some((number, parts[2][end..].to_owned())), &parts[3..])
            }
            _ => return Err(error("it must have five or six parts")),
        };
        let set = |text: &str| -> Result<Vec<String>, ParseWheelError> {
            text.split('.')
                .map(|tag| {
                    if tag.is_empty() {
                        Err(error("a tag is empty"))
                    } else {
                        Ok(tag.to_owned())
                    }
                })
                .collect()
        };
        Ok(Self {
            name: parts[0].to_owned(),
            version: parts[1].to_owned(),
            build,
            python: set(tags[0])?,
            abi: set(tags[1])?,
            platform: set(tags[2])?,
        })
    }
}

impl fmt::Display for WheelFilename {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}-", self.name, self.version)?;
        if let Some((number, rest)) = &self.build {
            write!(formatter, "{number}{rest}-")?;
        }
        write!(
            formatter,
            "{}-{}-{}.whl",
            self.python.join("."),
            self.abi.join("."),
            self.platform.join(".")
        )
    }
}

/// Text that is no ABI tag of CPython.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an ABI tag like `cp314` or `cp314t`")]
pub struct ParseAbiError(String);

impl FromStr for Abi {
    type Err = ParseAbiError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseAbiError(text.to_owned());
        let rest = text.strip_prefix("cp3").ok_or_else(error)?;
        let digits = rest.strip_suffix('t').unwrap_or(rest);
        Ok(Self {
            minor: number(digits).ok_or_else(error)?,
            free_threaded: rest.ends_with('t'),
        })
    }
}

impl fmt::Display for Abi {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = if self.free_threaded { "t" } else { "" };
        write!(formatter, "cp3{}{suffix}", self.minor)
    }
}

impl From<Abi> for String {
    fn from(abi: Abi) -> Self {
        abi.to_string()
    }
}

impl TryFrom<String> for Abi {
    type Error = ParseAbiError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FREE: Target<'_> = Target {
        abi: Abi {
            minor: 14,
            free_threaded: true,
        },
        glibc_minor: 41,
        machine: "x86_64",
    };
    const GIL: Target<'_> = Target {
        abi: Abi {
            minor: 14,
            free_threaded: false,
        },
        glibc_minor: 41,
        machine: "x86_64",
    };

    fn best(target: Target<'_>, names: &[&str]) -> Option<String> {
        names
            .iter()
            .map(|name| name.parse::<WheelFilename>().unwrap())
            .filter(|wheel| wheel.fit(target).is_some())
            .max_by(|a, b| a.compare(b, target))
            .map(|wheel| wheel.to_string())
    }

    #[test]
    fn ok_preference() {
        let names = [
            "x-1-py3-none-any.whl",
            "x-1-cp314-cp314-manylinux_2_28_x86_64.whl",
            "x-1-cp310-abi3-manylinux_2_17_x86_64.whl",
            "x-1-cp314-cp314t-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "x-1-cp314-cp314t-manylinux_2_28_x86_64.whl",
            "x-1-cp314-cp314t-manylinux_2_42_x86_64.whl",
            "x-1-cp314-cp314t-musllinux_1_2_x86_64.whl",
            "x-1-cp315-abi3t-manylinux_2_28_x86_64.whl",
        ];
        assert_eq!(best(FREE, &names).unwrap(), names[4]);
        assert_eq!(best(GIL, &names).unwrap(), names[1]);
        assert_eq!(best(FREE, &names[..3]).unwrap(), names[0]);
        assert_eq!(best(GIL, &[names[0], names[2]]).unwrap(), names[2]);
        assert_eq!(best(FREE, &names[5..]), None);
    }

    #[test]
    fn ok_each_machine_has_its_own() {
        let names = [
            "x-1-cp314-cp314t-manylinux_2_28_x86_64.whl",
            "x-1-cp314-cp314t-manylinux_2_17_aarch64.manylinux2014_aarch64.whl",
            "x-1-cp314-cp314t-linux_armv7l.whl",
            "x-1-py3-none-any.whl",
        ];
        let arm = Target {
            machine: "aarch64",
            ..FREE
        };
        assert_eq!(best(FREE, &names).unwrap(), names[0]);
        assert_eq!(best(arm, &names).unwrap(), names[1]);
        assert_eq!(best(arm, &[names[0], names[3]]).unwrap(), names[3]);
        assert_eq!(best(arm, &[names[0], names[2]]), None);
    }

    #[test]
    fn ok_native_none_before_any_and_build_numbers() {
        assert_eq!(
            best(
                FREE,
                &["x-1-py3-none-any.whl", "x-1-py3-none-manylinux1_x86_64.whl"]
            )
            .unwrap(),
            "x-1-py3-none-manylinux1_x86_64.whl"
        );
        assert_eq!(
            best(
                FREE,
                &[
                    "x-1-2-py3-none-any.whl",
                    "x-1-10-py3-none-any.whl",
                    "x-1-py3-none-any.whl"
                ]
            )
            .unwrap(),
            "x-1-10-py3-none-any.whl"
        );
    }

    #[test]
    fn err_names() {
        let error = |file: &str| file.parse::<WheelFilename>().unwrap_err().to_string();
        assert_eq!(
            error("x-1.tar.gz"),
            "`x-1.tar.gz` is not a wheel file name: it does not end with `.whl`"
        );
        assert!(error("x-1-any.whl").contains("five or six parts"));
        assert!(error("x-1-b-py3-none-any.whl").contains("build tag"));
        assert!(error("../x-1-py3-none-any.whl").contains("separator"));
        assert!("cp314td".parse::<Abi>().is_err());
    }

    prop_compose! {
        fn wheel()(
            build in proptest::option::of((0u64..20, "[a-c]{0,1}")),
            python in prop::sample::subsequence(vec!["cp314", "cp313", "cp310", "py3", "py2", "py314"], 1..3),
            abi in prop::sample::subsequence(vec!["cp314t", "cp314", "abi3", "abi3t", "none"], 1..3),
            platform in prop::sample::subsequence(vec!["any", "manylinux_2_28_x86_64", "manylinux2014_x86_64", "manylinux_2_50_x86_64", "win_amd64", "linux_x86_64"], 1..3),
        ) -> WheelFilename {
            let strings = |tags: Vec<&str>| tags.into_iter().map(str::to_owned).collect();
            WheelFilename { name: "x".into(), version: "1".into(), build, python: strings(python), abi: strings(abi), platform: strings(platform) }
        }
    }

    proptest! {
        #[test]
        fn ok_round_trip(wheel in wheel()) {
            prop_assert_eq!(wheel.to_string().parse::<WheelFilename>().unwrap(), wheel);
        }

        #[test]
        fn ok_any_text(text: String) {
            if let Ok(wheel) = text.parse::<WheelFilename>() {
                prop_assert_eq!(wheel.to_string().parse::<WheelFilename>().unwrap(), wheel);
            }
        }

        #[test]
        fn ok_order_is_total(a in wheel(), b in wheel(), c in wheel()) {
            for target in [FREE, GIL] {
                prop_assert_eq!(a.compare(&b, target), b.compare(&a, target).reverse());
                prop_assert_eq!(a.compare(&b, target) == Ordering::Equal, a == b);
                if a.compare(&b, target).is_le() && b.compare(&c, target).is_le() {
                    prop_assert!(a.compare(&c, target).is_le());
                }
            }
        }

        #[test]
        fn ok_abi_round_trip(minor in 0u32..100, free_threaded: bool) {
            let abi = Abi { minor, free_threaded };
            prop_assert_eq!(abi.to_string().parse::<Abi>().unwrap(), abi);
        }
    }
}
