//! What a push says of an image, in Debian's registry, which has no referrers API.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Barrier;

use comfy_image::Digest;
use oci_registry::Registry;
use serde_json::Value;

use crate::fixture::Checkout;
use crate::push::{Debian, artifact};
use crate::skips::skip;
use crate::support::Sandbox;

/// A registry, a checkout with locks, and a key pair.
pub(crate) struct Fixture {
    pub(crate) checkout: Checkout,
    registry: Debian,
    directory: tempfile::TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Option<Self> {
        let checkout = Checkout::new()?;
        checkout.write_locks();
        checkout.git(&["add", "-A"]);
        checkout.git(&["commit", "-qm", "locks"]);
        let directory = tempfile::tempdir().unwrap();
        let Some(registry) = Debian::start(directory.path()) else {
            skip("no `docker-registry` on PATH");
            return None;
        };
        let fixture = Self {
            checkout,
            registry,
            directory,
        };
        fixture.make_key("sign");
        Some(fixture)
    }

    /// As the documents tell people to make one.
    pub(crate) fn make_key(&self, name: &str) {
        let (private, public) = (self.private(name), self.file(&format!("{name}.pub")));
        let curve = "ec_paramgen_curve:P-256";
        let make = ["genpkey", "-algorithm", "EC", "-pkeyopt", curve, "-out"];
        openssl(&make, &private);
        openssl(
            &["pkey", "-in", private.to_str().unwrap(), "-pubout", "-out"],
            &public,
        );
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn private(&self, name: &str) -> PathBuf {
        self.file(&format!("{name}.key"))
    }

    pub(crate) fn repository(&self) -> String {
        format!("{}/me/fixture", self.registry.host)
    }

    pub(crate) fn push(&self, options: &[&str]) -> Value {
        let to = format!("{}:1", self.repository());
        let arguments = [&["push", "02", "--to", &to, "--json"], options].concat();
        self.checkout.run(&arguments).ok().json()["images"][0].clone()
    }

    pub(crate) fn push_signed(&self) -> Value {
        self.push(&["--sign-key", self.private("sign").to_str().unwrap()])
    }
}

pub(crate) fn openssl(arguments: &[&str], out: &Path) {
    let done = Command::new("openssl")
        .args(arguments)
        .arg(out)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

fn kinds(image: &Value, already: bool) -> Vec<&str> {
    let attached = image["attached"].as_array().unwrap();
    let chosen = attached.iter().filter(|one| one["already"] == already);
    chosen.map(|one| one["kind"].as_str().unwrap()).collect()
}

/// What the tag that stands for the referrers of a manifest lists.
fn listed(fixture: &Fixture, image: &Value) -> Vec<(String, Value)> {
    let sandbox = Sandbox::new();
    let registry = Registry::open(&sandbox.ctx, &fixture.repository()).unwrap();
    let digest: Digest = image["manifest_digest"].as_str().unwrap().parse().unwrap();
    let listed = registry.referrers(&digest).unwrap();
    listed
        .into_iter()
        .map(|one| (one.digest, serde_json::to_value(one.annotations).unwrap()))
        .collect()
}

pub(crate) const SIGNED: [&str; 4] = ["signature", "sbom-spdx", "sbom-cyclonedx", "provenance"];

#[test]
fn ok_attached_once() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    let first = fixture.push_signed();
    assert_eq!(kinds(&first, false), SIGNED);
    let listed_first = listed(&fixture, &first);
    let types: BTreeSet<&str> = listed_first
        .iter()
        .map(|(_, one)| one["dev.sigstore.bundle.predicateType"].as_str().unwrap())
        .collect();
    let expected = BTreeSet::from([
        "https://cyclonedx.org/bom",
        "https://sigstore.dev/cosign/sign/v1",
        "https://slsa.dev/provenance/v1",
        "https://spdx.dev/Document",
    ]);
    assert_eq!(types, expected);

    // The same again: signatures are never the same twice, and yet nothing is added.
    let again = fixture.push_signed();
    assert_eq!(kinds(&again, true), SIGNED);
    assert_eq!(
        (&again["n_requests"], &again["blob_bytes_sent"]),
        (&1.into(), &0.into())
    );
    assert_eq!(listed(&fixture, &again), listed_first);

    // Another key is another signature.
    fixture.make_key("other");
    let other = fixture.push(&["--sign-key", fixture.private("other").to_str().unwrap()]);
    assert_eq!(kinds(&other, false), SIGNED);
    assert_eq!(listed(&fixture, &other).len(), 8);

    // Without a key there are documents only, and they are the same every time.
    let plain = fixture.push(&[]);
    assert_eq!(kinds(&plain, false), &SIGNED[1..]);
    assert_eq!(kinds(&fixture.push(&[]), true), &SIGNED[1..]);
    assert!(kinds(&fixture.push(&["--bare"]), true).is_empty());
    assert_eq!(listed(&fixture, &plain).len(), 11);
}

#[test]
fn err_no_key_that_signs() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    let public = fixture.file("sign.pub");
    let ran = fixture.checkout.run(&[
        "push",
        "--to",
        &fixture.repository(),
        "--sign-key",
        public.to_str().unwrap(),
    ]);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("holds no private key"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("openssl genpkey"), "{}", ran.stderr);
}

/// cosign itself, as users of the image run it.
#[test]
fn ok_cosign_verifies() {
    if factory_base::process::find("cosign").is_none() {
        skip("no `cosign` on PATH");
        return;
    }
    let Some(fixture) = Fixture::new() else {
        return;
    };
    let image = fixture.push_signed();
    let digest = image["manifest_digest"].as_str().unwrap();
    let image = format!("{}@{digest}", fixture.repository());
    fixture.make_key("other");
    let cosign = |arguments: &[&str], key: &str| {
        Command::new("cosign")
            .args(arguments)
            .arg("--key")
            .arg(fixture.file(&format!("{key}.pub")))
            .args([
                "--insecure-ignore-tlog=true",
                "--allow-http-registry",
                &image,
            ])
            .env("HOME", fixture.directory.path())
            .output()
            .unwrap()
    };
    for arguments in [
        &["verify"][..],
        &["verify-attestation", "--type", "slsaprovenance1"],
        &["verify-attestation", "--type", "spdxjson"],
        &["verify-attestation", "--type", "cyclonedx"],
    ] {
        let good = cosign(arguments, "sign");
        let said = String::from_utf8_lossy(&good.stderr);
        assert!(good.status.success(), "{arguments:?}: {said}");
        assert!(
            !cosign(arguments, "other").status.success(),
            "{arguments:?}"
        );
    }
}

/// Two clients that write the same index at the same time, for twenty images at once.
#[test]
fn ok_two_at_once_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let Some(registry) = Debian::start(directory.path()) else {
        skip("no `docker-registry` on PATH");
        return;
    };
    let name = format!("{}/me/race", registry.host);
    let subjects: Vec<Digest> = (0..20_u8).map(|number| Digest::of(&[number])).collect();
    let contents = |subject: &Digest| [1, 2].map(|client| format!("[\"{subject}\", {client}]"));
    let barrier = Barrier::new(2 * subjects.len());
    let (barrier, name) = (&barrier, &name);
    std::thread::scope(|scope| {
        for subject in &subjects {
            for content in contents(subject) {
                scope.spawn(move || {
                    let sandbox = Sandbox::new();
                    let registry = Registry::open(&sandbox.ctx, name).unwrap();
                    barrier.wait();
                    let artifact = artifact(content.as_bytes());
                    registry.attach(subject, 1, &[artifact]).unwrap();
                });
            }
        }
    });
    let sandbox = Sandbox::new();
    let registry = Registry::open(&sandbox.ctx, name).unwrap();
    for subject in &subjects {
        let listed = registry.referrers(subject).unwrap();
        let digests: BTreeSet<String> = listed.into_iter().map(|one| one.digest).collect();
        let manifests =
            contents(subject).map(|content| artifact(content.as_bytes()).manifest(subject, 1));
        let expected = manifests.map(|manifest| Digest::of(manifest.as_bytes()).to_string());
        assert_eq!(digests, expected.into());
    }
}
