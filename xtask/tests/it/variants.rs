//! The repository's own variants: each evaluates to derivations of all layers.

use std::collections::BTreeMap;

use factory_model::layer::LayerName;
use factory_model::lock::{self, Origin, PythonLock};
use factory_nix::Asked;
use factory_nix::missing_sources;
use factory_resolve::python::Variants;

use crate::support::Sandbox;

fn asked<'a>(system: &'a str, variant: &'a str) -> Asked<'a> {
    Asked {
        system,
        variant,
        architectures: &[],
    }
}

#[test]
fn ok_every_variant_is_locked_and_evaluates() {
    let sandbox = Sandbox::new();
    let Some(nix) = sandbox.nix() else { return };
    let (ctx, root) = (&sandbox.ctx, &sandbox.ctx.root);
    let text = std::fs::read_to_string(ctx.lists().join("variants.toml")).unwrap();
    let layers = factory_resolve::layers(ctx).unwrap().names();
    let systems = factory_resolve::systems(ctx).unwrap();
    let default = [systems.default().name.clone()];
    let mut n_others = 0;
    for (name, variant) in Variants::parse(&text).unwrap().variant {
        let named = match variant.systems.as_slice() {
            [] => &default,
            some => some,
        };
        for system in named {
            let plan = nix.plan(ctx, root, asked(system, &name)).unwrap();
            let planned: Vec<&LayerName> = plan.layers.iter().map(|layer| &layer.name).collect();
            assert!(layers.iter().eq(planned), "{name} for {system}");
            let system = systems.find(system).unwrap();
            assert!(plan.reference.contains(&name), "{}", plan.reference);
            let ending = format!("-{}", system.oci);
            let is_other = plan.reference.ends_with(&ending);
            assert_eq!(is_other, !system.is_default, "{}", plan.reference);
            n_others += usize::from(is_other);
        }
    }
    assert_eq!(n_others, 1, "slim for aarch64");
}

#[test]
fn ok_direct_wheels_are_sources_with_their_url() {
    let sandbox = Sandbox::new();
    let Some(nix) = sandbox.nix() else { return };
    let lock = sandbox.ctx.locks().join("python/pt210.toml");
    let lock: PythonLock = lock::parse(&std::fs::read_to_string(lock).unwrap())
        .unwrap()
        .lock;
    let mut wanted: BTreeMap<String, Origin> = BTreeMap::new();
    for package in lock.packages {
        if let Some(url) = package.url {
            assert_eq!(package.size, None, "{}", package.file);
            wanted.insert(package.file, Origin::Url { url });
        }
    }
    assert_eq!(wanted.len(), 6);

    let plan = nix
        .plan(
            &sandbox.ctx,
            &sandbox.ctx.root,
            asked("x86_64-linux", "pt210"),
        )
        .unwrap();
    let last = plan.layers.last().unwrap();
    let targets = [last.image.drv_path.clone()];
    for source in missing_sources(&sandbox.ctx, &nix, &targets).unwrap() {
        if let Some(origin) = wanted.remove(&source.name) {
            assert_eq!((source.origins, source.size), (vec![origin], None));
        }
    }
    assert!(wanted.is_empty(), "no source of the plan: {wanted:?}");
}
