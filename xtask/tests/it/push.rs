//! `push`: against a registry of our own that asks for a token, and against Debian's.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use comfy_image::Digest;
use factory_base::error;
use factory_verify::engine::EngineKind;
use oci_registry::{NewArtifact, Registry};

use crate::fixture::Checkout;
use crate::load::{alone, engines};
use crate::server::{Reply, Request, Server};
use crate::skips::skip;
use crate::support::Sandbox;

const NAME: &str = "me/image";

#[derive(Default)]
struct Stored {
    blobs: BTreeMap<String, Vec<u8>>,
    manifests: BTreeMap<String, Vec<u8>>,
    /// Answers 503 to so many uploads first.
    n_busy: usize,
    /// Keeps another manifest than the one that it took.
    forges: bool,
    /// So many times another client's index takes the place of one that was written.
    n_overwritten: usize,
}

/// A registry that takes what has the digest it is said to have, from who has a token.
fn registry(stored: &Arc<Mutex<Stored>>) -> Server {
    let stored = Arc::clone(stored);
    Server::start(move |_, request| answer(&mut stored.lock().unwrap(), request))
}

fn answer(stored: &mut Stored, request: &Request) -> Reply {
    if request.path.starts_with("/token?") {
        assert!(
            request
                .path
                .contains("scope=repository%3Ame%2Fimage%3Apull%2Cpush")
        );
        return Reply::ok(r#"{"token": "t0ken"}"#);
    }
    if request.authorization.as_deref() != Some("Bearer t0ken") {
        let host = request.host.clone();
        return Reply::status("401 Unauthorized", "").header(&format!(
            r#"WWW-Authenticate: Bearer realm="http://{host}/token",service="here""#
        ));
    }
    let path = request.path.strip_prefix("/v2/me/image/").unwrap();
    let (kind, rest) = path.split_once('/').unwrap();
    match (request.method.as_str(), kind, rest) {
        ("POST", "blobs", "uploads/") => Reply::status("202 Accepted", "")
            .header("Location: /v2/me/image/blobs/uploads/1?state=a%2Bb"),
        ("PUT", "blobs", _) if stored.n_busy > 0 => {
            stored.n_busy -= 1;
            Reply::status("503 Service Unavailable", "")
        }
        ("PUT", "blobs", rest) => {
            let digest = rest
                .strip_prefix("uploads/1?state=a%2Bb&digest=")
                .unwrap()
                .replace("%3A", ":");
            if digest != Digest::of(&request.body).to_string() {
                return Reply::status("400 Bad Request", r#"{"code": "DIGEST_INVALID"}"#);
            }
            stored.blobs.insert(digest, request.body.clone());
            Reply::status("201 Created", "")
        }
        ("HEAD", "blobs", digest) => match stored.blobs.get(digest) {
            Some(blob) => Reply::ok(blob.clone()),
            None => Reply::status("404 Not Found", ""),
        },
        ("PUT", "manifests", tag) => {
            let mut manifest = request.body.clone();
            if stored.forges {
                manifest.push(b' ');
            }
            if tag.starts_with("sha256-") && stored.n_overwritten > 0 {
                stored.n_overwritten -= 1;
                manifest = OF_ANOTHER.into();
            }
            stored.manifests.insert(tag.to_owned(), manifest);
            Reply::status("201 Created", "")
        }
        ("HEAD" | "GET", "manifests", tag) => match stored.manifests.get(tag) {
            Some(manifest) => Reply::ok(manifest.clone())
                .header(&format!("Docker-Content-Digest: {}", Digest::of(manifest))),
            None => Reply::status("404 Not Found", ""),
        },
        ("GET", "referrers", _) => Reply::status("404 Not Found", ""),
        other => panic!("{other:?}"),
    }
}

fn open<'a>(sandbox: &'a Sandbox, server: &Server) -> Registry<'a> {
    let host = server.base.strip_prefix("http://").unwrap();
    Registry::open(&sandbox.ctx, &format!("{host}/{NAME}")).unwrap()
}

#[test]
fn ok_blob_after_a_busy_answer() {
    let stored = Arc::new(Mutex::new(Stored {
        n_busy: 1,
        ..Stored::default()
    }));
    let (sandbox, server) = (Sandbox::new(), registry(&stored));
    let registry = open(&sandbox, &server);
    let blob = vec![7; 3 << 20];
    let digest = Digest::of(&blob);
    assert!(!registry.has_blob(&digest).unwrap());
    registry
        .push_blob(&digest, blob.len() as u64, &|out| Ok(out.write_all(&blob)?))
        .unwrap();
    assert_eq!(stored.lock().unwrap().blobs[&digest.to_string()], blob);
    // Known now: neither asked for nor sent again.
    let before = registry.traffic();
    registry.push_small(&digest, &blob).unwrap();
    assert_eq!(registry.traffic(), before);
    // Asked for, refused, token, asked for; then twice a place and a body.
    assert_eq!(before.n_requests, 7);
    assert_eq!(before.blob_bytes, 2 * blob.len() as u64);
}

#[test]
fn err_a_source_that_ends_early_uploads_nothing() {
    let stored = Arc::new(Mutex::new(Stored::default()));
    let (sandbox, server) = (Sandbox::new(), registry(&stored));
    let registry = open(&sandbox, &server);
    let error = registry
        .push_blob(&Digest::of(b"whole"), 5, &|out| {
            out.write_all(b"who")?;
            anyhow::bail!("the tree changed")
        })
        .unwrap_err();
    let text = format!("{error:#}");
    assert!(text.ends_with("the tree changed"), "{text}");
    assert!(stored.lock().unwrap().blobs.is_empty());
}

#[test]
fn err_wrong_bytes_are_refused_in_the_registry_s_words() {
    let stored = Arc::new(Mutex::new(Stored::default()));
    let (sandbox, server) = (Sandbox::new(), registry(&stored));
    let registry = open(&sandbox, &server);
    let digest = Digest::of(b"right");
    let error = registry
        .push_blob(&digest, 5, &|out| Ok(out.write_all(b"wrong")?))
        .unwrap_err();
    let text = format!("{error:#}").replace(&server.base["http://".len()..], "HOST");
    assert_eq!(
        text,
        format!(
            "cannot push blob `{digest}` to `HOST/me/image`: `HOST/me/image`: the registry answers 400 Bad Request: {{\"code\": \"DIGEST_INVALID\"}}"
        )
    );
    assert_eq!(
        factory_base::error::kind_of(&error),
        factory_base::error::Kind::Environment
    );
}

#[test]
fn err_another_manifest_than_was_sent() {
    let stored = Arc::new(Mutex::new(Stored::default()));
    let (sandbox, server) = (Sandbox::new(), registry(&stored));
    let registry = open(&sandbox, &server);
    registry.push_manifest("whole", "{}").unwrap();
    stored.lock().unwrap().forges = true;
    let error = registry.push_manifest("forged", "{}").unwrap_err();
    assert_eq!(error::kind_of(&error), error::Kind::Environment);
    let kept = Digest::of(b"{} ");
    let message = error.to_string();
    assert!(
        message.ends_with(&format!("took the manifest, and `forged` is {kept} there")),
        "{message}"
    );
}

#[test]
fn err_without_login() {
    let server = Server::start(|_, _| {
        Reply::status("401 Unauthorized", "").header("WWW-Authenticate: Basic realm=\"here\"")
    });
    let sandbox = Sandbox::new();
    let error = open(&sandbox, &server)
        .has_blob(&Digest::of(b""))
        .unwrap_err();
    assert!(
        factory_base::error::hints_of(&error)
            .join("")
            .contains("`docker login 127.0.0.1`"),
        "{error:#}"
    );
}

/// The host of an upload is the registry's choice; the login is for the registry alone.
#[test]
fn err_a_third_host_gets_no_login() {
    let thief = Server::start(|_, _| {
        Reply::status("401 Unauthorized", "").header("WWW-Authenticate: Basic realm=\"mine\"")
    });
    let target = thief.base.clone();
    let server = Server::start(move |_, request| {
        if request.path.starts_with("/token?") {
            return Reply::ok(r#"{"token": "t0ken"}"#);
        }
        if request.authorization.is_none() {
            return Reply::status("401 Unauthorized", "").header(&format!(
                r#"WWW-Authenticate: Bearer realm="http://{}/token""#,
                request.host
            ));
        }
        Reply::status("202 Accepted", "").header(&format!("Location: {target}/upload"))
    });
    let sandbox = Sandbox::new();
    let host = server.base.strip_prefix("http://").unwrap();
    let logins = sandbox.directory.path().join("auth.json");
    // "me:secret".
    let text = format!(r#"{{"auths": {{"{host}": {{"auth": "bWU6c2VjcmV0"}}}}}}"#);
    std::fs::write(&logins, text).unwrap();
    let registry =
        Registry::open_with_logins(&sandbox.ctx, &format!("{host}/{NAME}"), &[logins]).unwrap();
    let blob = b"blob";
    let error = registry
        .push_blob(&Digest::of(blob), 4, &|out| Ok(out.write_all(blob)?))
        .unwrap_err();
    assert!(format!("{error:#}").contains("401"), "{error:#}");
    let given: Vec<_> = server
        .requests()
        .into_iter()
        .map(|one| one.authorization)
        .collect();
    let (basic, token) = ("Basic bWU6c2VjcmV0", "Bearer t0ken");
    let expected = [None, Some(basic), Some(token)].map(|one| one.map(str::to_owned));
    assert_eq!(given[..3], expected);
    let got: Vec<_> = thief.requests().into_iter().collect();
    assert!(!got.is_empty());
    assert!(got.iter().all(|one| one.authorization.is_none()), "{got:?}");
}

#[test]
fn err_the_login_stays_on_this_machine() {
    let server = Server::start(|_, _| {
        Reply::status("401 Unauthorized", "")
            .header(r#"WWW-Authenticate: Bearer realm="http://auth.invalid/token""#)
    });
    let sandbox = Sandbox::new();
    let error = open(&sandbox, &server)
        .has_blob(&Digest::of(b""))
        .unwrap_err();
    let text = format!("{error:#}");
    assert!(
        text.ends_with("it wants the login sent unencrypted, to `auth.invalid`"),
        "{text}"
    );
    assert_eq!(
        factory_base::error::kind_of(&error),
        factory_base::error::Kind::Environment
    );
}

/// What a registry gets wrong is never called a bug of ours.
#[test]
fn err_a_registry_that_talks_nonsense() {
    let server = Server::start(|_, request| match request.method.as_str() {
        "POST" => Reply::status("202 Accepted", ""),
        "GET" => Reply::ok("no index"),
        _ => Reply::status("201 Created", ""),
    });
    let sandbox = Sandbox::new();
    let registry = open(&sandbox, &server);
    let no_place = registry
        .push_small(&Digest::of(b"x"), b"x")
        .err()
        .into_iter();
    let no_index = registry
        .attach(&Digest::of(b"s"), 1, &[artifact(b"[]")])
        .err();
    let no_list = registry.referrers(&Digest::of(b"s")).err();
    let errors: Vec<_> = no_place.chain(no_index).chain(no_list).collect();
    assert!(!errors.is_empty());
    for error in errors {
        let kind = factory_base::error::kind_of(&error);
        assert_eq!(kind, factory_base::error::Kind::Environment, "{error:#}");
    }
}

/// A report without annotations.
pub(crate) fn artifact(content: &[u8]) -> NewArtifact<'_> {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    NewArtifact {
        artifact_type: "application/x.report",
        media_type: "application/json",
        annotations: &NONE,
        content,
    }
}

#[test]
fn ok_report_is_a_referrer() {
    let stored = Arc::new(Mutex::new(Stored::default()));
    let (sandbox, server) = (Sandbox::new(), registry(&stored));
    let registry = open(&sandbox, &server);
    let subject = Digest::of(b"manifest");
    for report in [&b"[1]"[..], b"[2]", b"[2]"] {
        registry.attach(&subject, 8, &[artifact(report)]).unwrap();
    }
    let stored = stored.lock().unwrap();
    let tag = format!("sha256-{}", subject.hex());
    let index: serde_json::Value = serde_json::from_slice(&stored.manifests[&tag]).unwrap();
    let listed = index["manifests"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    for (entry, report) in listed.iter().zip([&b"[1]"[..], b"[2]"]) {
        let manifest = &stored.manifests[entry["digest"].as_str().unwrap()];
        let manifest: serde_json::Value = serde_json::from_slice(manifest).unwrap();
        assert_eq!(manifest["subject"]["digest"], subject.to_string());
        let layer = manifest["layers"][0]["digest"].as_str().unwrap();
        assert_eq!(stored.blobs[layer], report);
    }
}

/// What another client wrote that had read the index before it was written here.
const OF_ANOTHER: &str = r#"{"schemaVersion": 2, "manifests": [{"mediaType": "m", "digest": "sha256:other", "size": 1, "x": "kept"}]}"#;

#[test]
fn ok_a_list_that_another_client_overwrites() {
    let stored = Arc::new(Mutex::new(Stored {
        n_overwritten: 2,
        ..Stored::default()
    }));
    let (sandbox, server) = (Sandbox::new(), registry(&stored));
    let registry = open(&sandbox, &server);
    let subject = Digest::of(b"manifest");
    let own = registry.attach(&subject, 8, &[artifact(b"[1]")]).unwrap();
    let listed = registry.referrers(&subject).unwrap();
    let digests: Vec<String> = listed.into_iter().map(|one| one.digest).collect();
    assert_eq!(digests, ["sha256:other".to_owned(), own[0].to_string()]);
    let tag = format!("sha256-{}", subject.hex());
    let index = String::from_utf8(stored.lock().unwrap().manifests[&tag].clone()).unwrap();
    assert!(index.contains(r#""x":"kept""#), "{index}");
}

#[test]
fn err_not_a_repository() {
    let sandbox = Sandbox::new();
    for name in ["name", "owner/name"] {
        let error = Registry::open(&sandbox.ctx, name).err().unwrap();
        assert_eq!(
            factory_base::error::kind_of(&error),
            factory_base::error::Kind::BadInput
        );
    }
}

/// Debian's `docker-registry`, on a free port, until dropped.
pub(crate) struct Debian {
    child: Child,
    pub(crate) host: String,
}

impl Debian {
    pub(crate) fn start(directory: &Path) -> Option<Self> {
        Self::start_with(directory, "")
    }

    /// With more lines in its configuration.
    pub(crate) fn start_with(directory: &Path, more: &str) -> Option<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let host = port.local_addr().unwrap().to_string();
        drop(port);
        let config = directory.join("registry.yml");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{host}'}}\n{more}",
            directory.join("registry").display()
        );
        std::fs::write(&config, text).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let registry = Self { child, host };
        let start = std::time::Instant::now();
        while std::net::TcpStream::connect(&registry.host).is_err() {
            assert!(
                start.elapsed().as_secs() < 30,
                "the registry does not start"
            );
            std::thread::yield_now();
        }
        Some(registry)
    }
}

impl Drop for Debian {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn ok_push_twice_to_a_real_registry() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    checkout.write_locks();
    let directory = tempfile::tempdir().unwrap();
    let Some(registry) = Debian::start(directory.path()) else {
        skip("no `docker-registry` on PATH");
        return;
    };
    let to = format!("{}/me/fixture", registry.host);
    let report = checkout.root().join("report.json");
    std::fs::File::create(&report)
        .unwrap()
        .write_all(b"{\"checks\": []}")
        .unwrap();

    let first = checkout
        .run(&["push", "all", "--to", &to, "--json"])
        .ok()
        .json();
    let images = first["images"].as_array().unwrap();
    assert_eq!(images.len(), 2);
    assert_eq!(images[0]["n_blobs_sent"], 1);
    // The second image shares the first one's blob.
    assert_eq!(images[1]["n_blobs_sent"], 1);
    assert_eq!(images[1]["reference"], format!("{to}:layer02"));

    let again = checkout
        .run(&["push", "02", "--to", &to, "--json"])
        .ok()
        .json();
    let image = &again["images"][0];
    assert_eq!(image["already"], true);
    assert_eq!(image["blob_bytes_sent"], 0);
    assert_eq!(image["n_requests"], 1);

    mounts_from_a_sibling(&checkout, &registry, &images[1]);

    // Another tag of the same image sends its manifest only.
    let tagged = format!("{to}:other");
    let report = report.to_str().unwrap();
    let other = checkout
        .run(&["push", "02", "--to", &tagged, "--report", report, "--json"])
        .ok()
        .json();
    let image = &other["images"][0];
    assert_eq!(image["already"], false);
    assert_eq!(image["n_blobs_sent"], 0);
    assert_eq!(image["blob_bytes_sent"], 0);
    assert!(
        image["report_digest"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );

    attaches_only(&checkout, &to, report, image);
}

/// Each form of the blobs, as engines read it; the image is the same one in all of them.
#[test]
fn ok_engines_pull_what_was_compressed() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    checkout.write_locks();
    let directory = tempfile::tempdir().unwrap();
    let Some(registry) = Debian::start(directory.path()) else {
        skip("no `docker-registry` on PATH");
        return;
    };
    let _alone = alone();
    let mut manifests = BTreeSet::new();
    for (compression, media_type) in [
        ("zstd", "application/vnd.oci.image.layer.v1.tar+zstd"),
        ("gzip", "application/vnd.oci.image.layer.v1.tar+gzip"),
        ("none", "application/vnd.oci.image.layer.v1.tar"),
    ] {
        let to = format!("{}/me/{compression}:1", registry.host);
        let arguments = [
            "push",
            "02",
            "--to",
            &to,
            "--compression",
            compression,
            "--json",
        ];
        let ran = checkout.run(&arguments).ok();
        assert!(ran.stderr.contains("reads it") || ran.stderr.contains("must read zstd"));
        let image = ran.json()["images"][0].clone();
        assert_eq!(image["n_blobs_sent"], 2, "{image}");
        assert_eq!(
            image["n_blobs_mounted"], 0,
            "other blobs than those of before"
        );
        assert!(manifests.insert(image["manifest_digest"].to_string()));
        let manifest = manifest_of(&registry, compression);
        for layer in manifest["layers"].as_array().unwrap() {
            assert_eq!(layer["mediaType"], media_type);
        }
        let config = image["config_digest"].as_str().unwrap();
        assert_eq!(manifest["config"]["digest"], config);
        for kind in engines() {
            if kind == EngineKind::Docker && compression == "zstd" && !docker_reads_zstd() {
                continue;
            }
            assert_eq!(pulled(kind, &to), config, "{kind:?} {compression}");
        }
    }
}

fn manifest_of(registry: &Debian, name: &str) -> serde_json::Value {
    let mut connection = std::net::TcpStream::connect(&registry.host).unwrap();
    let accept = "application/vnd.oci.image.manifest.v1+json";
    write!(
        connection,
        "GET /v2/me/{name}/manifests/1 HTTP/1.0\r\nAccept: {accept}\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}

/// The ID of an image that an engine pulls anew; it is removed again.
fn pulled(kind: EngineKind, reference: &str) -> String {
    let run = |arguments: &[&str]| {
        let output = Command::new(kind.program())
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let mut pull = vec!["pull", "--quiet"];
    if kind == EngineKind::Podman {
        pull.push("--tls-verify=false");
    }
    pull.push(reference);
    run(&pull);
    let id = run(&["image", "inspect", "--format", "{{.Id}}", reference]);
    run(&["rmi", reference]);
    format!("sha256:{}", id.trim_start_matches("sha256:"))
}

/// Docker does from version 23.
fn docker_reads_zstd() -> bool {
    let output = Command::new("docker")
        .args(["version", "--format", "{{.Server.Version}}"])
        .output()
        .unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    major.is_some_and(|major: u32| major >= 23)
}

/// Elsewhere, after a test on a GPU: nothing is built, and the subject is the tag's image.
fn attaches_only(checkout: &Checkout, to: &str, report: &str, image: &serde_json::Value) {
    let digest = image["manifest_digest"].as_str().unwrap();
    // By its digest, whatever the tag has become.
    for subject in [format!("{to}:other"), format!("{to}@{digest}")] {
        let arguments = [
            "push",
            "--to",
            &subject,
            "--report",
            report,
            "--report-only",
        ];
        let attached = checkout
            .run(&[&arguments[..], &["--json"]].concat())
            .ok()
            .json();
        assert_eq!(attached["manifest_digest"], image["manifest_digest"]);
        assert_eq!(attached["report_digest"], image["report_digest"]);
    }
}

/// Another repository of the registry takes the blobs from the one that has them.
fn mounts_from_a_sibling(checkout: &Checkout, registry: &Debian, image: &serde_json::Value) {
    let sibling = format!("{}/me/other", registry.host);
    let mounted = checkout
        .run(&["push", "02", "--to", &sibling, "--json"])
        .ok()
        .json();
    let other = &mounted["images"][0];
    assert_eq!(other["n_blobs_sent"], 0);
    assert_eq!(other["n_blobs_mounted"], 2);
    assert_eq!(other["manifest_digest"], image["manifest_digest"]);
}
