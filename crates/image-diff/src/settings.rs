//! The config of an image as a flat list, so that a difference is one line.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

/// One setting that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SettingChange {
    /// As in `config.Env.PATH`; the names are those of the OCI image configuration.
    pub name: String,
    /// What it was; null where it was not set. Text that is no string is JSON.
    pub was: Option<String>,
    /// What it is; null where it is not set.
    pub now: Option<String>,
}

/// Lists what a config says, but for its layers: those are compared as blobs.
pub fn settings_of(config: &Value) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    for (key, value) in config.as_object().into_iter().flatten() {
        match key.as_str() {
            "rootfs" | "history" => {}
            "config" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    add(&mut settings, &format!("config.{key}"), value);
                }
            }
            key => add(&mut settings, key, value),
        }
    }
    settings
}

fn add(settings: &mut BTreeMap<String, String>, name: &str, value: &Value) {
    match value {
        // Each variable by itself.
        Value::Array(items) if name == "config.Env" => {
            for item in items.iter().filter_map(Value::as_str) {
                let (variable, value) = item.split_once('=').unwrap_or((item, ""));
                settings.insert(format!("{name}.{variable}"), value.to_owned());
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                let is_empty = value.as_object().is_some_and(serde_json::Map::is_empty);
                let text = if is_empty { String::new() } else { text(value) };
                settings.insert(format!("{name}.{key}"), text);
            }
        }
        Value::Null => {}
        other => {
            settings.insert(name.to_owned(), text(other));
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Compares two lists of settings.
pub fn compare_settings(
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> Vec<SettingChange> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| SettingChange {
            name: name.clone(),
            was: old.get(name).cloned(),
            now: new.get(name).cloned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_each_variable_and_label_by_itself() {
        let read = |text: &str| settings_of(&serde_json::from_str(text).unwrap());
        let old = read(
            r#"{"os":"linux","rootfs":{"diff_ids":[]},"history":[1],"config":{"Cmd":["a","b"],
            "Env":["PATH=/bin","A=1=2"],"Labels":{"x.y":"1"},"Volumes":{"/root":{}},"User":null}}"#,
        );
        assert_eq!(old["config.Env.A"], "1=2");
        assert_eq!(old["config.Volumes./root"], "");
        assert_eq!(
            old.keys().collect::<Vec<_>>(),
            [
                "config.Cmd",
                "config.Env.A",
                "config.Env.PATH",
                "config.Labels.x.y",
                "config.Volumes./root",
                "os"
            ]
        );
        let new = read(r#"{"os":"linux","config":{"Cmd":["a"],"Env":["PATH=/bin","B=2"]}}"#);
        let changes = compare_settings(&old, &new);
        let shown: Vec<String> = changes
            .iter()
            .map(|one| format!("{} {:?} {:?}", one.name, one.was, one.now))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        config.Cmd Some("[\"a\",\"b\"]") Some("[\"a\"]")
        config.Env.A Some("1=2") None
        config.Env.B None Some("2")
        config.Labels.x.y Some("1") None
        config.Volumes./root Some("") None
        "#);
        assert_eq!(compare_settings(&new, &new), []);
    }
}
