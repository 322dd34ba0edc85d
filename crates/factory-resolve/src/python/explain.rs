//! uv's refusal in terms of our lists: the lines and bounds it is about. Pure.

use std::collections::BTreeSet;

use super::error::Error;
use super::inputs::{Inputs, LayerInput};
use super::name::PackageName;
use factory_base::error::{Explain as _, Failure};
use factory_model::lock::PythonLock;
use factory_model::nearest::nearest;

/// Points at the list lines that uv's refusal is about.
pub(super) fn explain(
    variant: &str,
    layers: &[LayerInput<'_>],
    text: &str,
    inputs: &Inputs,
    old: Option<&PythonLock>,
) -> Failure {
    let words: BTreeSet<String> = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)))
        .filter_map(|word| word.trim_matches('.').parse::<PackageName>().ok())
        .map(|name| name.to_string())
        .collect();
    let locked = old.into_iter().flat_map(|lock| &lock.packages);
    let known: BTreeSet<&str> = inputs
        .lists
        .values()
        .flatten()
        .map(|(_, requirement)| requirement.name().as_str())
        .chain(locked.map(|package| package.name.as_str()))
        .collect();
    let mut places = String::new();
    for layer in layers {
        for (line, requirement) in &layer.lines {
            let Ok(parsed) = super::requirement::parse(requirement) else {
                continue;
            };
            let name = parsed.name().as_str();
            if !words.contains(name) {
                continue;
            }
            places.push_str(&format!(
                "\n  package-lists/{}:{}:{}: {}",
                layer.file, line.number, line.column, requirement
            ));
            let unknown = text.contains(&format!("{name} was not found"));
            if unknown {
                let others = known.iter().copied().filter(|other| *other != name);
                let near = nearest(name, others);
                let near = if near.is_empty() {
                    String::new()
                } else {
                    format!("; nearest known names: {}", near.join(", "))
                };
                places.push_str(&format!("\n    the index has no `{name}`{near}"));
            }
        }
    }
    for (line, bound) in &inputs.constraints {
        if words.contains(bound.name().as_str()) {
            places.push_str(&format!(
                "\n  package-lists/constraints.txt:{}:{}: {}",
                line.number, line.column, line.text
            ));
        }
    }
    let said = text
        .lines()
        .map(|line| format!("\n    {}", line.trim_end()));
    Error::Unresolvable {
        variant: variant.to_owned(),
        said: said.collect(),
        places,
    }
    .failure()
}
