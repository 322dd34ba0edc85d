//! The hash that ties a lock to what people wrote. Pure.

use super::inputs::{Goal, Inputs, constraints, layer_inputs};
use super::name::PackageName;
use super::variants::Variant;
use factory_model::lock::Sha256;

/// Lines under heads; their order does not count.
struct Text(String);

impl Text {
    fn block(&mut self, head: &str, mut lines: Vec<String>) {
        lines.sort_unstable();
        lines.dedup();
        self.0.push_str(&format!("[{head}]\n"));
        for line in lines {
            self.0.push_str(&line);
            self.0.push('\n');
        }
    }
}

/// Hash of everything people wrote that this lock depends on; comments and order in the
/// lists do not count.
pub(super) fn list_sha256(inputs: &Inputs, goal: &Goal<'_>) -> Sha256 {
    let variant = &goal.variant;
    let mut text = Text(format!("abi {}\n", variant.abi));
    if !goal.system.is_default {
        text.0.push_str(&format!("system {}\n", goal.system.name));
    }
    text.block("constraints", constraints(inputs, variant));
    add_variant(&mut text, variant);
    text.block("sdists", sdists(inputs, variant));
    let layers = layer_inputs(inputs, goal);
    for lists in layers.chunk_by(|one, other| one.layer == other.layer) {
        let mut wanted = Vec::new();
        for list in lists {
            wanted.extend(list.lines.iter().map(|(_, text)| text.clone()));
            wanted.extend(list.git.iter().map(|(name, _)| format!("git {name}")));
            wanted.extend(list.bundle.iter().map(|(name, _)| format!("bundle {name}")));
        }
        text.block(lists[0].layer, wanted);
    }
    Sha256::of(text.0.as_bytes())
}

/// What `variants.toml` says of the resolution.
fn add_variant(text: &mut Text, variant: &Variant) {
    let direct = variant.direct.iter();
    let direct = direct.map(|(name, one)| format!("{name}: {}", one.requires.join(", ")));
    text.block("direct", direct.collect());
    let dropped = variant
        .dropped
        .iter()
        .chain(variant.overrides.iter().flat_map(|one| &one.drop));
    text.block("dropped", dropped.map(PackageName::to_string).collect());
    let requires = variant.overrides.iter().filter_map(|one| {
        let requires = one.requires.as_ref()?;
        Some(format!("{}: {}", one.name, requires.join(", ")))
    });
    text.block("overridden", requires.collect());
    let provided = variant.provided.iter();
    let provided = provided.map(|one| format!("{} by {}", one.name, one.by));
    text.block("provided", provided.collect());
    let taken = variant.overrides.iter().filter_map(|one| {
        let abi = one.wheel_for?;
        Some(format!("{} for {abi}", one.name))
    });
    let taken: Vec<String> = taken.collect();
    if !taken.is_empty() {
        text.block("wheels", taken);
    }
}

/// The source distributions that a variant may take, and what `sdists.toml` says of them.
fn sdists(inputs: &Inputs, variant: &Variant) -> Vec<String> {
    let allowed = variant.sdists.iter().map(PackageName::to_string);
    let known = inputs.sdists.of(variant);
    let known = known.map(|(name, sdist)| {
        let requires = sdist.requires.join(", ");
        format!("{name} {}: {requires}", sdist.version)
    });
    allowed.chain(known).collect()
}
