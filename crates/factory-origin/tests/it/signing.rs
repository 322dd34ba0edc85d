//! Signatures, against another implementation: openssl makes keys, checks what we sign, and signs
//! what we check.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use factory_base::error::{Explain as _, Kind as ErrorKind};
use factory_origin::bundle::Bundle;
use factory_origin::statement::Statement;
use factory_origin::{Attachment, AttachmentKind as Kind, Error, PrivateKey, PublicKey};
use serde_json::{Value, json};

const IMAGE: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const OTHER: &str = "2222222222222222222222222222222222222222222222222222222222222222";

struct Keys {
    directory: tempfile::TempDir,
}

impl Keys {
    fn new(algorithm: &[&str]) -> Self {
        let keys = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        let (private, public) = (keys.file("key"), keys.file("pub"));
        openssl(&[&["genpkey"], algorithm, &["-out", &private]].concat());
        openssl(&["pkey", "-in", &private, "-pubout", "-out", &public]);
        keys
    }

    fn of_p256() -> Self {
        Self::new(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
    }

    fn file(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn private(&self) -> Result<PrivateKey, Error> {
        let path = self.path("key");
        PrivateKey::parse(&std::fs::read(&path).unwrap(), &path)
    }

    fn public(&self) -> Result<PublicKey, Error> {
        let path = self.path("pub");
        PublicKey::parse(&std::fs::read(&path).unwrap(), &path)
    }
}

fn openssl(arguments: &[&str]) -> Output {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {said}");
    output
}

fn signed(keys: &Keys) -> Value {
    let predicate = json!({"a": 1});
    let key = keys.private().unwrap();
    let signed = Attachment::signed(Kind::Provenance, IMAGE, predicate, &key).unwrap();
    serde_json::from_slice(&signed.content).unwrap()
}

fn bundle(value: &Value) -> Result<Bundle, Error> {
    Bundle::parse(value.to_string().as_bytes())
}

/// The bytes that are signed, put together by hand.
fn encoded(bundle: &Value) -> Vec<u8> {
    let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
    let payload = STANDARD.decode(payload).unwrap();
    let mut bytes =
        format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len()).into_bytes();
    bytes.extend(payload);
    bytes
}

#[test]
fn ok_openssl_checks_what_is_signed_here() {
    let keys = Keys::of_p256();
    let bundle = signed(&keys);
    let signature = bundle["dsseEnvelope"]["signatures"][0]["sig"]
        .as_str()
        .unwrap();
    std::fs::write(keys.path("sig"), STANDARD.decode(signature).unwrap()).unwrap();
    std::fs::write(keys.path("bytes"), encoded(&bundle)).unwrap();
    let output = openssl(&[
        "dgst",
        "-sha256",
        "-verify",
        &keys.file("pub"),
        "-signature",
        &keys.file("sig"),
        &keys.file("bytes"),
    ]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("Verified OK"));
    // The hint is what cosign makes of the key: base64 of the SHA-256 of its DER.
    let (public, der) = (keys.file("pub"), keys.file("der"));
    openssl(&[
        "pkey", "-pubin", "-in", &public, "-outform", "DER", "-out", &der,
    ]);
    let hash = openssl(&["dgst", "-sha256", "-binary", &keys.file("der")]).stdout;
    let hint = &bundle["verificationMaterial"]["publicKey"]["hint"];
    assert_eq!(hint, &STANDARD.encode(hash));
}

#[test]
fn ok_what_openssl_signed_is_checked_here() {
    let keys = Keys::of_p256();
    let mut value = signed(&keys);
    std::fs::write(keys.path("bytes"), encoded(&value)).unwrap();
    openssl(&[
        "dgst",
        "-sha256",
        "-sign",
        &keys.file("key"),
        "-out",
        &keys.file("sig"),
        &keys.file("bytes"),
    ]);
    let signature = std::fs::read(keys.path("sig")).unwrap();
    value["dsseEnvelope"]["signatures"][0]["sig"] = STANDARD.encode(signature).into();
    bundle(&value)
        .unwrap()
        .verify(&keys.public().unwrap())
        .unwrap();
}

#[test]
fn err_every_change_is_seen() {
    let keys = Keys::of_p256();
    let public = keys.public().unwrap();
    let good = signed(&keys);
    let checked = bundle(&good).unwrap();
    checked.verify(&public).unwrap();
    assert!(checked.names(&public));
    let statement = checked.statement().unwrap();
    statement.is_about(IMAGE).unwrap();
    assert_eq!(statement.predicate(), &json!({"a": 1}));
    let other = statement.is_about(OTHER).unwrap_err();
    assert_eq!(
        other.to_string(),
        format!("it is about sha256:{IMAGE}, and not about sha256:{OTHER}")
    );

    let stranger = Keys::of_p256().public().unwrap();
    assert_eq!(checked.verify(&stranger), Err(Error::BadSignature));
    assert!(!checked.names(&stranger));

    let payload = Statement::new(OTHER, "x", json!({})).bytes().unwrap();
    let envelope = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed["dsseEnvelope"][name] = value;
        changed
    };
    let of_other = envelope("payload", STANDARD.encode(payload).into());
    for changed in [
        of_other,
        envelope("payloadType", "text/plain".into()),
        envelope("payload", "no base64!".into()),
        envelope("signatures", json!([])),
        envelope("signatures", json!([{"sig": "AAAA"}])),
        envelope("signatures", json!([{"sig": "no base64!"}])),
    ] {
        assert!(
            bundle(&changed).unwrap().verify(&public).is_err(),
            "{changed}"
        );
    }
    let mut newer = good.clone();
    newer["mediaType"] = "application/vnd.dev.sigstore.bundle.v9+json".into();
    for bad in [newer, json!({}), json!([]), Value::Null] {
        assert_eq!(
            bundle(&bad).unwrap_err().kind(),
            ErrorKind::NotRight,
            "{bad}"
        );
    }
}

#[test]
fn ok_a_later_push_knows_its_own() {
    let keys = Keys::of_p256();
    let make = |keys: &Keys, image: &str| {
        let key = keys.private().unwrap();
        Attachment::signed(Kind::Signature, image, json!({}), &key).unwrap()
    };
    let one = make(&keys, IMAGE);
    let again = make(&keys, IMAGE);
    assert_ne!(one.content, again.content);
    assert!(one.is_like(&again.annotations));
    assert!(!one.is_like(&make(&keys, OTHER).annotations));
    assert!(!one.is_like(&make(&Keys::of_p256(), IMAGE).annotations));
    let plain = Attachment::plain(Kind::Spdx, b"{}".to_vec());
    assert!(!plain.is_like(&plain.annotations));
}

#[test]
fn err_other_keys() {
    let of_p384 = Keys::new(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]);
    let of_rsa = Keys::new(&["-algorithm", "RSA"]);
    let good = Keys::of_p256();
    let encrypted =
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let path = Path::new("file");
    let say = |error: Error| format!("{error}; {}", error.hints().join("; "));
    let private = [
        say(of_p384.private().unwrap_err()),
        say(of_rsa.private().unwrap_err()),
        say(PrivateKey::parse(encrypted, path).unwrap_err()),
        say(PrivateKey::parse(b"nothing", path).unwrap_err()),
    ];
    for text in private {
        assert!(text.contains("holds no private key: "), "{text}");
        assert!(text.contains("openssl genpkey"), "{text}");
    }
    for error in [
        of_p384.public().unwrap_err(),
        of_rsa.public().unwrap_err(),
        PublicKey::parse(&std::fs::read(good.path("key")).unwrap(), path).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::BadInput);
        assert!(say(error).contains("-pubout"));
    }
    let shown = format!("{:?}", good.private().unwrap());
    assert!(
        shown.starts_with("PrivateKey(") && shown.len() < 60,
        "{shown}"
    );
}
