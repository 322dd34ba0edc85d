//! How an image must start, as a check declares it: compared with what the engine says.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

/// What stands for the variant's name in an expected label.
const VARIANT: &str = "{variant}";
/// What stands for the project's address.
const REPOSITORY: &str = "{repository}";

/// The fields of an OCI image configuration that a check expects; what it leaves out may be
/// anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "PascalCase")]
pub struct ImageConfig {
    /// The command in full.
    cmd: Option<Vec<String>>,
    /// The entrypoint in full; empty for none.
    entrypoint: Option<Vec<String>>,
    /// Empty for root.
    user: Option<String>,
    /// Where the command starts.
    working_dir: Option<String>,
    /// What `docker stop` sends.
    stop_signal: Option<String>,
    /// All volumes.
    volumes: Option<BTreeSet<String>>,
    /// All ports.
    exposed_ports: Option<BTreeSet<String>>,
    /// Some variables of the environment.
    env: BTreeMap<String, String>,
    /// Some labels; `{variant}` stands for the variant's name, `{repository}` for the
    /// project's address in `Cargo.toml`, `*` for any text.
    labels: BTreeMap<String, String>,
}

impl ImageConfig {
    /// What differs in the `Config` object that `image inspect` prints.
    pub fn differences(&self, found: &Value, variant: &str) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |key: &str, expected: String, found: String| {
            if expected != found {
                differences.push(format!("{key}: expected {expected}, found {found}"));
            }
        };
        for (key, expected) in [("Cmd", &self.cmd), ("Entrypoint", &self.entrypoint)] {
            if let Some(expected) = expected {
                compare(
                    key,
                    format!("{expected:?}"),
                    format!("{:?}", texts(&found[key])),
                );
            }
        }
        for (key, expected) in [
            ("User", &self.user),
            ("WorkingDir", &self.working_dir),
            ("StopSignal", &self.stop_signal),
        ] {
            if let Some(expected) = expected {
                let found = found[key].as_str().unwrap_or_default();
                compare(key, format!("`{expected}`"), format!("`{found}`"));
            }
        }
        for (key, expected) in [
            ("Volumes", &self.volumes),
            ("ExposedPorts", &self.exposed_ports),
        ] {
            if let Some(expected) = expected {
                let found: BTreeSet<&str> = keys(&found[key]).collect();
                compare(key, format!("{expected:?}"), format!("{found:?}"));
            }
        }
        let environment = texts(&found["Env"]);
        for (name, expected) in &self.env {
            let found = environment
                .iter()
                .find_map(|entry| entry.strip_prefix(name.as_str())?.strip_prefix('='));
            compare(
                &format!("Env {name}"),
                quoted(Some(expected)),
                quoted(found),
            );
        }
        for (name, expected) in &self.labels {
            let found = found["Labels"][name].as_str();
            if expected == "*" && found.is_some() {
                continue;
            }
            let expected = expected
                .replace(VARIANT, variant)
                .replace(REPOSITORY, env!("CARGO_PKG_REPOSITORY"));
            compare(
                &format!("label {name}"),
                quoted(Some(&expected)),
                quoted(found),
            );
        }
        differences
    }
}

/// Engines write an empty list as `null`.
fn texts(value: &Value) -> Vec<&str> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).collect()
}

fn keys(value: &Value) -> impl Iterator<Item = &str> {
    value
        .as_object()
        .into_iter()
        .flat_map(|object| object.keys().map(String::as_str))
}

fn quoted(text: Option<&str>) -> String {
    text.map_or("none".to_owned(), |text| format!("`{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const EXPECTED: &str = r#"
        Cmd = ["bash", "start"]
        Entrypoint = []
        User = ""
        Volumes = ["/root"]
        ExposedPorts = ["8188/tcp"]
        Env = { CC = "gcc" }
        Labels = { variant = "{variant}", revision = "*", source = "{repository}" }
    "#;

    #[test]
    fn ok_as_both_engines_write_it() {
        let expected: ImageConfig = toml::from_str(EXPECTED).unwrap();
        let found = json!({
            "Cmd": ["bash", "start"], "Entrypoint": null, "Volumes": {"/root": {}},
            "ExposedPorts": {"8188/tcp": {}}, "Env": ["CCC=1", "CC=gcc"],
            "Labels": {
                "variant": "slim", "revision": "1", "other": "2",
                "source": env!("CARGO_PKG_REPOSITORY"),
            },
        });
        assert_eq!(expected.differences(&found, "slim"), Vec::<String>::new());
    }

    #[test]
    fn err_each_difference_is_named() {
        let expected: ImageConfig = toml::from_str(EXPECTED).unwrap();
        let found = json!({"Cmd": ["sh"], "User": "1000", "Labels": {"variant": "gil", "source": env!("CARGO_PKG_REPOSITORY")}});
        insta::assert_snapshot!(expected.differences(&found, "slim").join("\n"), @r#"
        Cmd: expected ["bash", "start"], found ["sh"]
        User: expected ``, found `1000`
        Volumes: expected {"/root"}, found {}
        ExposedPorts: expected {"8188/tcp"}, found {}
        Env CC: expected `gcc`, found none
        label revision: expected `*`, found none
        label variant: expected `slim`, found `gil`
        "#);
    }
}
