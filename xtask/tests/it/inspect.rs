//! `inspect`: what it shows of an image in Debian's registry, and what it finds there.

use std::collections::BTreeMap;
use std::process::Command;

use comfy_image::Digest;
use oci_registry::{NewArtifact, Registry};
use serde_json::{Value, json};

use crate::fixture::Ran;
use crate::origin::{Fixture, SIGNED, openssl};
use crate::serve::Serving;
use crate::support::Sandbox;

const REPORT: &str = r#"{"date": "2026-11-22T20:00:00Z", "gpu": {"devices": [{"name": "H200"}]},
    "counts": {"passed": 7, "failed": 0, "skipped": 1, "absent": 0}}"#;
const BUILDER: &str = "https://ci.example.org/run";

fn inspect(fixture: &Fixture, options: &[&str]) -> Ran {
    let reference = format!("{}:1", fixture.repository());
    let arguments = [&["inspect", &reference], options].concat();
    fixture.checkout.run(&arguments)
}

fn with_key(fixture: &Fixture, key: &str, options: &[&str]) -> Ran {
    let key = fixture.file(&format!("{key}.pub"));
    inspect(
        fixture,
        &[options, &["--key", key.to_str().unwrap()]].concat(),
    )
}

fn words(image: &Value, name: &str) -> Vec<String> {
    let all = image["attached"].as_array().unwrap();
    all.iter()
        .map(|one| one[name].as_str().unwrap().to_owned())
        .collect()
}

fn head(fixture: &Fixture) -> String {
    let head = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(fixture.checkout.root())
        .output()
        .unwrap();
    String::from_utf8(head.stdout).unwrap().trim().to_owned()
}

#[test]
fn ok_shows_and_checks() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    assert_eq!(inspect(&fixture, &[]).status, 3, "there is none yet");
    let report = fixture.file("report.json");
    fs_err::write(&report, REPORT).unwrap();
    let private = fixture.private("sign");
    let (private, report) = (private.to_str().unwrap(), report.to_str().unwrap());
    let options = [
        "--sign-key",
        private,
        "--report",
        report,
        "--builder",
        BUILDER,
    ];
    let pushed = fixture.push(&options);

    let image = with_key(&fixture, "sign", &["--json"]).ok().json();
    assert_eq!(image["manifest_digest"], pushed["manifest_digest"]);
    assert_eq!(image["config_digest"], pushed["config_digest"]);
    assert_eq!(image["blobs"][1]["layer"], "layer 02-high");
    assert_eq!(
        words(&image, "kind"),
        [&SIGNED[..], &["verify-report"]].concat()
    );
    assert_eq!(words(&image, "signed"), ["by-key"; 5]);
    assert_eq!(image["contents"]["n_packages"], 2);
    assert_eq!(image["contents"]["layers"]["01-low"], 2);
    let expected = json!({
        "signed": "by-key", "revision": head(&fixture), "is_changed": false,
        "builder": BUILDER, "variant": "tiny", "layer": "02-high",
    });
    assert_eq!(image["provenance"], expected);
    assert_eq!(image["reports"][0]["n_passed"], 7);
    shows_the_same_to_people(&fixture);

    let unchecked = inspect(&fixture, &["--json"]).ok().json();
    assert_eq!(words(&unchecked, "signed"), ["unchecked"; 5]);
    fixture.make_key("other");
    let other = with_key(&fixture, "other", &["--json"]);
    assert_eq!(other.status, 1, "{}", other.stderr);
    assert_eq!(words(&other.json(), "signed"), ["other-key"; 5]);
    assert!(
        other
            .stderr
            .contains("no signature of this key is attached"),
        "{}",
        other.stderr
    );
    assert_eq!(inspect(&fixture, &["--key", private]).status, 2);
}

fn shows_the_same_to_people(fixture: &Fixture) {
    let text = with_key(fixture, "sign", &[]).ok().stdout;
    for part in [
        "packages     2 (signed with the key)",
        "  by         https://ci.example.org/run",
        "7 passed, 0 failed, 1 skipped; 2026-11-22T20:00:00Z, H200 (signed with the key)",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
}

#[test]
fn ok_what_is_served_is_what_is_pushed() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    let private = fixture.private("sign");
    let private = private.to_str().unwrap();
    let key = fixture.file("sign.pub");
    let arguments = ["2", "--sign-key", private];
    let mut serving = Serving::start_with_origin(&fixture.checkout, &arguments, 1);
    let reference = serving.references[0].clone();
    let inspect = ["inspect", &reference, "--json", "--key"];
    let inspected = fixture
        .checkout
        .run(&[&inspect[..], &[key.to_str().unwrap()]].concat());
    serving.interrupt();
    let served = inspected.ok().json();
    assert_eq!(words(&served, "kind"), SIGNED);
    assert_eq!(words(&served, "signed"), ["by-key"; 4]);
    assert_eq!(served["contents"]["n_packages"], 2);

    // Blobs are not compressed there, so the manifest that is signed is not that of a push of
    // compressed ones.
    fixture.push(&["--sign-key", private, "--compression", "none"]);
    let pushed = with_key(&fixture, "sign", &["--json"]).ok().json();
    assert_eq!(served["manifest_digest"], pushed["manifest_digest"]);
    assert_eq!(served["contents"], pushed["contents"]);
    assert_eq!(served["provenance"], pushed["provenance"]);
}

#[test]
fn ok_without_signatures() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    let layers = format!("{}# changed\n", include_str!("fixture/layers.toml"));
    fixture.checkout.write("layers/layers.toml", &layers);
    fixture.push(&[]);
    let image = inspect(&fixture, &["--json"]).ok().json();
    assert_eq!(words(&image, "kind"), &SIGNED[1..]);
    assert_eq!(words(&image, "signed"), ["no"; 3]);
    assert_eq!(image["provenance"]["is_changed"], true);
    let builder = image["provenance"]["builder"].as_str().unwrap();
    assert!(builder.ends_with("#a-machine-of-your-own"), "{builder}");
}

/// A registry that holds other things than were pushed.
#[test]
fn err_what_does_not_match() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    let pushed = fixture.push_signed();
    let subject: Digest = pushed["manifest_digest"].as_str().unwrap().parse().unwrap();
    let other = Digest::of(b"other").hex();
    // Something else is signed with the name of the key, and something about another image.
    attach_forged(&fixture, &subject, [&subject.hex(), &other]);
    // A byte of the configuration is another one on the registry's disk.
    let config = pushed["config_digest"]
        .as_str()
        .unwrap()
        .replace("sha256:", "");
    let store = "registry/docker/registry/v2/blobs/sha256";
    let data = fixture.file(&format!("{store}/{}/{config}/data", &config[..2]));
    let text = fs_err::read_to_string(&data).unwrap();
    fs_err::write(&data, text.replacen("amd64", "amd46", 1)).unwrap();

    let ran = with_key(&fixture, "sign", &["--json"]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    let faults: Vec<String> = serde_json::from_value(ran.json()["faults"].clone()).unwrap();
    let expected = [
        format!("the configuration `sha256:{config}` has the digest "),
        "the signature is not of this key, or what it signs was changed".to_owned(),
        format!("it is about sha256:{other}, and not about {subject}"),
    ];
    assert_eq!(faults.len(), 3, "{faults:#?}");
    for (fault, part) in faults.iter().zip(expected) {
        assert!(fault.contains(&part), "{fault}");
        assert!(ran.stderr.contains(&part), "{}", ran.stderr);
    }
}

/// Attaches bundles with the signature of the one that is there, over statements about these.
fn attach_forged(fixture: &Fixture, subject: &Digest, about: [&str; 2]) {
    let sandbox = Sandbox::new();
    let registry = Registry::open(&sandbox.ctx, &fixture.repository()).unwrap();
    let manifest = |digest: &str| registry.manifest_text(digest).unwrap().unwrap();
    let signature = &registry.referrers(subject).unwrap()[0].digest;
    let signature: Value = serde_json::from_str(&manifest(signature)).unwrap();
    let blob: Digest = signature["layers"][0]["digest"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let good: Value = serde_json::from_str(&registry.document(&blob).unwrap()).unwrap();
    let size = manifest(&subject.to_string()).len() as u64;
    let (media_type, none) = (
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        BTreeMap::new(),
    );
    for sha256 in about {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": {"sha256": sha256}}],
            "predicateType": "https://cyclonedx.org/bom",
            "predicate": {},
        });
        let mut forged = good.clone();
        forged["dsseEnvelope"]["payload"] = base64(statement.to_string().as_bytes()).into();
        let forged = forged.to_string();
        let artifact = NewArtifact {
            artifact_type: media_type,
            media_type,
            annotations: &none,
            content: forged.as_bytes(),
        };
        registry.attach(subject, size, &[artifact]).unwrap();
    }
}

/// As in an envelope.
fn base64(bytes: &[u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("in"), directory.path().join("out"));
    fs_err::write(&from, bytes).unwrap();
    openssl(
        &["base64", "-A", "-in", from.to_str().unwrap(), "-out"],
        &to,
    );
    fs_err::read_to_string(to).unwrap().trim().to_owned()
}
