//! Whether ComfyUI starts with the image's ComfyUI-Manager, which is a Python package since
//! version 4 and waits for an option.

use std::fs;
use std::io;
use std::path::Path;

use crate::arguments::has;
use crate::error::{At as _, Error};
use crate::say::{say, warn};

/// ComfyUI's option that starts the package.
pub const OPTION: &str = "--enable-manager";
/// Where ComfyUI names its options.
const OPTIONS: &str = "comfy/cli_args.py";
/// What the Manager of before version 4 has in the name of its directory, in lower case.
const NODE: &str = "comfyui-manager";

/// Says whether the image's Manager shall run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Manager {
    /// Where ComfyUI knows it, and no other is installed as a node.
    #[default]
    Automatic,
    /// Also instead of a node; ComfyUI then passes over that.
    On,
    /// Never.
    Off,
}

impl Manager {
    /// Reads `COMFYUI_MANAGER`.
    ///
    /// # Errors
    ///
    /// It is neither `on` nor `off`.
    pub fn parse(value: Option<String>) -> Result<Self, Error> {
        match value.as_deref() {
            None => Ok(Self::Automatic),
            Some("on") => Ok(Self::On),
            Some("off") => Ok(Self::Off),
            Some(_) => Err(Error::Variable {
                name: "COMFYUI_MANAGER",
                value: value.unwrap_or_default(),
                expected: "`on` or `off`",
            }),
        }
    }

    /// Says whether ComfyUI needs [`OPTION`], and why not where that may surprise.
    ///
    /// # Errors
    ///
    /// The directory of nodes cannot be read.
    pub fn needs_option(
        self,
        comfyui: &Path,
        custom_nodes: &Path,
        arguments: &[String],
    ) -> Result<bool, Error> {
        if self == Self::Off || has(arguments, OPTION) {
            return Ok(false);
        }
        let path = comfyui.join(OPTIONS);
        // One that has no such file has no such option either.
        let is_known = fs::read_to_string(&path).is_ok_and(|text| text.contains(OPTION));
        if !is_known {
            if self == Self::On {
                warn(&format!(
                    "COMFYUI_MANAGER is on, but `{}` knows no {OPTION}",
                    comfyui.display()
                ));
            }
            return Ok(false);
        }
        let Some(node) = installed_node(custom_nodes)? else {
            return Ok(true);
        };
        let node = custom_nodes.join(node);
        if self == Self::Automatic {
            say(&format!(
                "`{}` is the Manager, and the image's stays off; COMFYUI_MANAGER=on takes the image's instead",
                node.display()
            ));
        }
        Ok(self == Self::On)
    }
}

/// Finds a Manager among the nodes that ComfyUI would load.
fn installed_node(custom_nodes: &Path) -> Result<Option<String>, Error> {
    let entries = match fs::read_dir(custom_nodes) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries.at("read", custom_nodes)?,
    };
    for entry in entries {
        let name = entry.at("read", custom_nodes)?.file_name();
        let name = name.to_string_lossy();
        let lower = name.to_lowercase();
        if lower.contains(NODE) && !lower.ends_with(".disabled") {
            return Ok(Some(name.into_owned()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_values() {
        let parse = |value: &str| Manager::parse(Some(value.to_owned()));
        assert_eq!(Manager::parse(None).unwrap(), Manager::Automatic);
        assert_eq!(parse("on").unwrap(), Manager::On);
        assert_eq!(parse("off").unwrap(), Manager::Off);
        for value in ["0", "ON", "yes"] {
            assert!(parse(value).is_err(), "{value}");
        }
    }

    #[test]
    fn ok_option() {
        let directory = tempfile::tempdir().unwrap();
        let old = directory.path().join("old");
        let new = directory.path().join("new");
        let nodes = directory.path().join("custom_nodes");
        for comfyui in [&old, &new] {
            fs::create_dir_all(comfyui.join("comfy")).unwrap();
            fs::write(comfyui.join(OPTIONS), "parser.add_argument('--cpu')\n").unwrap();
        }
        fs::write(
            new.join(OPTIONS),
            "parser.add_argument(\"--enable-manager\", action=\"store_true\")\n",
        )
        .unwrap();
        let needs = |manager: Manager, comfyui: &Path, given: &[&str]| {
            let given: Vec<String> = given.iter().map(|&word| word.to_owned()).collect();
            manager.needs_option(comfyui, &nodes, &given).unwrap()
        };

        assert!(needs(Manager::Automatic, &new, &["--cpu"]));
        assert!(!needs(Manager::Automatic, &new, &[OPTION]));
        assert!(!needs(Manager::Off, &new, &[]));
        for manager in [Manager::Automatic, Manager::On] {
            assert!(!needs(manager, &old, &[]));
            assert!(!needs(manager, &directory.path().join("none"), &[]));
        }

        for (name, is_loaded) in [
            ("comfyui-kjnodes", false),
            ("ComfyUI-Manager.disabled", false),
            ("ComfyUI-Manager.retired.disabled", false),
            ("ComfyUI-Manager", true),
            ("comfyui-manager-main", true),
        ] {
            let node = nodes.join(name);
            fs::create_dir_all(&node).unwrap();
            assert_eq!(!needs(Manager::Automatic, &new, &[]), is_loaded, "{name}");
            assert!(needs(Manager::On, &new, &[]), "{name}");
            fs::remove_dir(&node).unwrap();
        }
    }
}
