//! The pull and content discovery cases of the OCI distribution specification 1.1, after the
//! list of its own conformance tests.

use std::collections::BTreeMap;

use comfy_image::{Digest, oci};
use oci_registry::NewArtifact;
use oci_registry::serve::Limits;

use crate::client::{Client, ask, get};
use crate::fixture::{Fixture, NAME, Running};

const UNKNOWN: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn ok_the_endpoint_says_that_it_is_a_registry() {
    let fixture = Fixture::new();
    let server = Running::start(fixture.images(), Limits::default());
    for target in ["/v2/", "/v2"] {
        let answer = get(server.address, target);
        assert_eq!(answer.status, 200);
        let version = answer.header("docker-distribution-api-version");
        assert_eq!(version, "registry/2.0");
    }
}

#[test]
fn ok_blobs() {
    let fixture = Fixture::new();
    let server = Running::start(fixture.images(), Limits::default());
    let mut client = Client::new(server.address);
    let config = &fixture.one.config;
    let low = fixture.low_blob();
    let digest = fixture.one.blobs().next().unwrap().diff_id;
    assert_eq!(Digest::of(&low), digest);
    for (digest, bytes) in [(config.digest, config.json.as_bytes()), (digest, &low)] {
        let target = format!("/v2/{NAME}/blobs/{digest}");
        let head = client.ask("HEAD", &target, &[]);
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), bytes.len().to_string());
        assert_eq!(head.header("docker-content-digest"), digest.to_string());
        assert_eq!(head.header("accept-ranges"), "bytes");
        let answer = client.ask("GET", &target, &[]);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("docker-content-digest"), digest.to_string());
        assert!(answer.body == bytes);
    }
    for method in ["HEAD", "GET"] {
        for unknown in [UNKNOWN, "sha512:abc"] {
            let answer = client.ask(method, &format!("/v2/{NAME}/blobs/{unknown}"), &[]);
            assert_eq!(answer.status, 404);
        }
    }
    let answer = client.ask("GET", &format!("/v2/{NAME}/blobs/{UNKNOWN}"), &[]);
    assert_eq!(answer.code(), "BLOB_UNKNOWN");
    assert_eq!(
        server
            .seen
            .n_bytes
            .load(std::sync::atomic::Ordering::Relaxed),
        low.len() as u64
    );
}

#[test]
fn ok_manifests() {
    let fixture = Fixture::new();
    let server = Running::start(fixture.images(), Limits::default());
    let mut client = Client::new(server.address);
    let manifest = &fixture.one.manifest;
    let digest = manifest.digest.to_string();
    for reference in ["one", &digest] {
        let target = format!("/v2/{NAME}/manifests/{reference}");
        for method in ["HEAD", "GET"] {
            let accept = format!("Accept: {}", oci::MANIFEST);
            let answer = client.ask(method, &target, &[&accept]);
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("content-type"), oci::MANIFEST);
            assert_eq!(answer.header("docker-content-digest"), digest);
            assert_eq!(
                answer.header("content-length"),
                manifest.size_bytes.to_string()
            );
            let expected = if method == "GET" {
                manifest.json.as_bytes()
            } else {
                b""
            };
            assert_eq!(answer.body, expected);
        }
    }
    for method in ["HEAD", "GET"] {
        for reference in [
            ".INVALID",
            UNKNOWN,
            "none",
            "sha256:totallywrong",
            "sha512:abc",
        ] {
            let target = format!("/v2/{NAME}/manifests/{reference}");
            let answer = client.ask(method, &target, &[]);
            let is_wrong = [".INVALID", "sha256:totallywrong"].contains(&reference);
            assert_eq!(
                answer.status,
                if is_wrong { 400 } else { 404 },
                "{reference}"
            );
            if method == "GET" {
                answer.code();
            }
        }
    }
}

#[test]
fn ok_tags() {
    let fixture = Fixture::new();
    let mut images = fixture.images();
    for tag in ["Z", "a", "_x"] {
        images.add(NAME, tag, &fixture.one, None).unwrap();
    }
    let server = Running::start(images, Limits::default());
    let list = |query: &str| {
        let answer = get(server.address, &format!("/v2/{NAME}/tags/list{query}"));
        assert_eq!(answer.status, 200);
        let document = answer.json();
        assert_eq!(document["name"], NAME);
        let tags: Vec<String> = serde_json::from_value(document["tags"].clone()).unwrap();
        (tags.join(" "), answer.header("link").to_owned())
    };
    let none = String::new;
    assert_eq!(list(""), ("Z _x a one two".to_owned(), none()));
    let link = format!("</v2/{NAME}/tags/list?n=2&last=_x>; rel=\"next\"");
    assert_eq!(list("?n=2"), ("Z _x".to_owned(), link));
    assert_eq!(list("?n=2&last=one"), ("two".to_owned(), none()));
    assert_eq!(list("?last=a"), ("one two".to_owned(), none()));
    assert_eq!(list("?n=0"), (none(), none()));
    assert_eq!(list("?last=zzz"), (none(), none()));
    let wrong = get(server.address, &format!("/v2/{NAME}/tags/list?n=-1"));
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (400, "PAGINATION_NUMBER_INVALID")
    );
    let unknown = get(server.address, "/v2/nobody/tags/list");
    assert_eq!(
        (unknown.status, unknown.code().as_str()),
        (404, "NAME_UNKNOWN")
    );
}

#[test]
fn ok_referrers() {
    let fixture = Fixture::new();
    let subject = fixture.one.manifest.digest;
    let target = format!("/v2/{NAME}/referrers/{subject}");
    let server = Running::start(fixture.images(), Limits::default());
    for target in [&target, &format!("/v2/{NAME}/referrers/{UNKNOWN}")] {
        let answer = get(server.address, target);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), oci::INDEX);
        let expected =
            serde_json::json!({"schemaVersion": 2, "mediaType": oci::INDEX, "manifests": []});
        assert_eq!(answer.json(), expected);
    }
    let wrong = get(server.address, &format!("/v2/{NAME}/referrers/x"));
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (400, "DIGEST_INVALID")
    );
    drop(server);

    let mut images = fixture.images();
    let by = BTreeMap::from([("by".to_owned(), "me".to_owned())]);
    let signature = NewArtifact {
        artifact_type: "application/x.signature",
        media_type: "application/x",
        annotations: &by,
        content: b"signature",
    };
    let attached = images.attach(NAME, &subject, &signature).unwrap();
    // Once more is not twice, and what is not served has no artifacts.
    assert_eq!(images.attach(NAME, &subject, &signature), Some(attached));
    assert_eq!(images.attach("other", &subject, &signature), None);
    assert_eq!(images.attach(NAME, &Digest::of(b""), &signature), None);
    let server = Running::start(images, Limits::default());
    let answer = get(server.address, &target);
    assert_eq!(answer.header("oci-filters-applied"), "");
    let listed = &answer.json()["manifests"][0];
    assert_eq!(listed["artifactType"], "application/x.signature");
    assert_eq!(listed["annotations"]["by"], "me");
    let digest = listed["digest"].as_str().unwrap();
    let manifest = get(server.address, &format!("/v2/{NAME}/manifests/{digest}"));
    assert_eq!(listed["size"], manifest.body.len());
    assert_eq!(Digest::of(&manifest.body).to_string(), digest);
    let layer = manifest.json()["layers"][0]["digest"].clone();
    let layer = layer.as_str().unwrap();
    let blob = get(server.address, &format!("/v2/{NAME}/blobs/{layer}"));
    assert_eq!(blob.body, b"signature");
    for (wanted, n_found) in [
        ("application%2Fx.signature", 1),
        ("application%2Fx.other", 0),
    ] {
        let answer = get(server.address, &format!("{target}?artifactType={wanted}"));
        assert_eq!(answer.header("oci-filters-applied"), "artifactType");
        assert_eq!(
            answer.json()["manifests"].as_array().unwrap().len(),
            n_found
        );
    }
    // It is not about an image that is not served.
    let unknown = get(server.address, &format!("/v2/{NAME}/referrers/{UNKNOWN}"));
    assert_eq!(unknown.json()["manifests"], serde_json::json!([]));
}

#[test]
fn ok_ranges_and_resuming() {
    let fixture = Fixture::new();
    let server = Running::start(fixture.images(), Limits::default());
    let mut client = Client::new(server.address);
    let low = fixture.low_blob();
    let (size, digest) = (low.len(), Digest::of(&low));
    let target = format!("/v2/{NAME}/blobs/{digest}");
    for (range, from, to) in [
        ("bytes=0-0".to_owned(), 0, 1),
        ("bytes=5-1000004".to_owned(), 5, 1_000_005),
        ("bytes=1000000-".to_owned(), 1_000_000, size),
        ("bytes=-7".to_owned(), size - 7, size),
        (format!("bytes=0-{}", size - 1), 0, size),
        (format!("bytes=1-{}", size + 99), 1, size),
    ] {
        let answer = client.ask("GET", &target, &[&format!("Range: {range}")]);
        assert_eq!(answer.status, 206, "{range}");
        let expected = format!("bytes {from}-{}/{size}", to - 1);
        assert_eq!(answer.header("content-range"), expected);
        assert!(answer.body == low[from..to], "{range}");
    }
    for range in ["bytes=99999999-", "bytes=-0"] {
        let answer = client.ask("GET", &target, &[&format!("Range: {range}")]);
        assert_eq!(answer.status, 416);
        assert_eq!(answer.header("content-range"), format!("bytes */{size}"));
        answer.code();
    }
    // Several at once, another version, and a HEAD: the whole.
    let other = ["Range: bytes=1-2", "If-Range: \"sha256:other\""];
    assert_eq!(
        client.ask("GET", &target, &["Range: bytes=1-2,4-5"]).status,
        200
    );
    assert_eq!(client.ask("GET", &target, &other).status, 200);
    assert_eq!(
        client.ask("HEAD", &target, &["Range: bytes=1-2"]).status,
        200
    );
    let same = format!("If-Range: \"{digest}\"");
    assert_eq!(
        client
            .ask("GET", &target, &["Range: bytes=1-2", &same])
            .status,
        206
    );
}

#[test]
fn err_nothing_is_written() {
    let fixture = Fixture::new();
    let server = Running::start(fixture.images(), Limits::default());
    for (method, target) in [
        ("POST", format!("/v2/{NAME}/blobs/uploads/")),
        ("PUT", format!("/v2/{NAME}/manifests/one")),
        ("PATCH", format!("/v2/{NAME}/blobs/uploads/1")),
        ("DELETE", format!("/v2/{NAME}/manifests/one")),
        ("OPTIONS", "/v2/".to_owned()),
    ] {
        let mut client = Client::new(server.address);
        let answer = client.ask(method, &target, &["Content-Length: 4"]);
        assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"));
        assert_eq!(answer.code(), "UNSUPPORTED");
        // What follows is no request.
        client.send("GET ");
        assert_eq!(answer.header("connection"), "close");
        assert!(client.receive().is_none());
    }
    assert_eq!(
        ask(server.address, "GET", &format!("/v2/{NAME}/manifests/one")).status,
        200
    );
}

#[test]
fn ok_a_blob_of_one_name_is_not_of_another() {
    let fixture = Fixture::new();
    let mut images = fixture.images();
    images.add("lonely", "one", &fixture.one, None).unwrap();
    let server = Running::start(images, Limits::default());
    let high = fixture.two.blobs().nth(1).unwrap().diff_id;
    for (name, status) in [(NAME, 200), ("other", 200), ("lonely", 404)] {
        let answer = ask(server.address, "HEAD", &format!("/v2/{name}/blobs/{high}"));
        assert_eq!(answer.status, status, "{name}");
    }
}

#[test]
fn ok_a_part_is_an_image_of_the_lowest_blobs() {
    let fixture = Fixture::new();
    let mut images = fixture.images();
    for (tag, n_blobs) in [("part0", 0), ("part1", 1), ("part9", 9)] {
        images.add_part("other", tag, &fixture.two, n_blobs);
    }
    let server = Running::start(images, Limits::default());
    let all: Vec<String> = fixture
        .two
        .blobs()
        .map(|blob| blob.diff_id.to_string())
        .collect();
    for (tag, n_blobs) in [("part0", 0), ("part1", 1), ("part9", 2)] {
        let manifest = get(server.address, &format!("/v2/other/manifests/{tag}"));
        assert_eq!(
            (manifest.status, manifest.header("content-type")),
            (200, oci::MANIFEST)
        );
        let manifest = manifest.json();
        let digest = manifest["config"]["digest"].as_str().unwrap();
        let config = get(server.address, &format!("/v2/other/blobs/{digest}"));
        assert_eq!(config.status, 200);
        assert_eq!(Digest::of(&config.body).to_string(), digest);
        assert_eq!(manifest["config"]["size"], config.body.len());
        let diff_ids = &config.json()["rootfs"]["diff_ids"];
        assert_eq!(*diff_ids, serde_json::json!(all[..n_blobs]));
        let layers = manifest["layers"].as_array().unwrap();
        let digests: Vec<&str> = layers
            .iter()
            .map(|layer| layer["digest"].as_str().unwrap())
            .collect();
        assert_eq!(digests, all[..n_blobs]);
        let sizes: u64 = layers
            .iter()
            .map(|layer| layer["size"].as_u64().unwrap())
            .sum();
        let expected = fixture.two.blobs().take(n_blobs);
        assert_eq!(sizes, expected.map(|blob| blob.size_bytes).sum::<u64>());
    }
    // The image itself is as it was.
    let whole = get(server.address, "/v2/other/manifests/two");
    assert_eq!(whole.body, fixture.two.manifest.json.as_bytes());
}

#[test]
fn err_names_that_no_registry_has() {
    let fixture = Fixture::new();
    let mut images = fixture.images();
    for (name, tag) in [
        ("Upper", "x"),
        ("a//b", "x"),
        ("..", "x"),
        ("a", "-x"),
        ("a", ""),
    ] {
        assert!(
            images.add(name, tag, &fixture.one, None).is_err(),
            "{name}:{tag}"
        );
    }
}
