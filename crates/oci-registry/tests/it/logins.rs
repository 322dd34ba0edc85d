//! Users and TLS.

use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use oci_registry::serve::{Limits, Server, Tls, Users};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::client::{Client, read};
use crate::fixture::{Fixture, NAME, Running};

/// By `htpasswd -nbB me secret`.
const USERS: &str = "me:$2y$05$Fv92hhMi2mNB3a.l8bhRKuzgXiT.442uJFpEwJ3pfK1qt5axL9U22\n";

fn bind(fixture: &Fixture) -> Server {
    let address = ([127, 0, 0, 1], 0).into();
    let server = Server::bind(address, Limits::default()).unwrap();
    server.with_images(fixture.images())
}

#[test]
fn ok_only_who_has_a_login_reads() {
    let fixture = Fixture::new();
    let file = fixture.directory.path().join("users");
    std::fs::write(&file, USERS).unwrap();
    let server = Running::with(bind(&fixture).with_users(Users::read(&file).unwrap()));
    let digest = fixture.one.blobs().next().unwrap().diff_id;
    let mut client = Client::new(server.address);
    for target in [
        "/v2/".to_owned(),
        format!("/v2/{NAME}/manifests/one"),
        format!("/v2/{NAME}/blobs/{digest}"),
        format!("/v2/{NAME}/tags/list"),
        "/v2/nobody/tags/list".to_owned(),
        "/".to_owned(),
    ] {
        let refused = client.ask("GET", &target, &[]);
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (401, "UNAUTHORIZED")
        );
        assert!(
            refused
                .header("www-authenticate")
                .starts_with("Basic realm=")
        );
        // "me:wrong" and "me:secret".
        let wrong = client.ask("GET", &target, &["Authorization: Basic bWU6d3Jvbmc="]);
        assert_eq!(wrong.status, 401);
        let right = client.ask("GET", &target, &["Authorization: Basic bWU6c2VjcmV0"]);
        assert!([200, 404].contains(&right.status), "{target}");
    }
}

/// A certificate for `localhost`; `None` without `openssl`.
fn certificate(at: &Path) -> Option<()> {
    let output = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(at.join("key.pem"))
        .arg("-out")
        .arg(at.join("cert.pem"))
        .output()
        .ok()?;
    output.status.success().then_some(())
}

#[test]
fn ok_tls() {
    let fixture = Fixture::new();
    let at = fixture.directory.path();
    certificate(at).expect("`openssl req` makes the certificate of this test");
    let tls = Tls::read(&at.join("cert.pem"), &at.join("key.pem")).unwrap();
    let server = Running::with(bind(&fixture).with_tls(tls));

    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(at.join("cert.pem")).unwrap();
    roots
        .add(CertificateDer::from_pem_slice(&pem).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let tcp = TcpStream::connect(server.address).unwrap();
    let mut stream = BufReader::new(StreamOwned::new(connection, tcp));
    let low = fixture.low_blob();
    let digest = comfy_image::Digest::of(&low);
    for _ in 0..2 {
        let request = format!("GET /v2/{NAME}/blobs/{digest} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        let answer = read(&mut stream, false).unwrap();
        assert!(answer.status == 200 && answer.body == low);
    }
    // Without TLS nothing is said.
    let mut plain = Client::new(server.address);
    plain.send("GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(plain.receive().is_none_or(|answer| answer.status != 200));
}

#[test]
fn err_certificates() {
    let fixture = Fixture::new();
    let at = fixture.directory.path();
    certificate(at).expect("`openssl req` makes the certificate of this test");
    let (certificate, key) = (at.join("cert.pem"), at.join("key.pem"));
    for (certificate, key) in [(&key, &key), (&certificate, &certificate)] {
        let error = Tls::read(certificate, key).unwrap_err();
        let kind = factory_base::error::kind_of(&error);
        assert_eq!(kind, factory_base::error::Kind::BadInput, "{error:#}");
    }
    assert!(Tls::read(&at.join("none"), &key).is_err());
}

#[test]
fn err_an_address_that_is_taken() {
    let fixture = Fixture::new();
    let server = bind(&fixture);
    let again = Server::bind(server.address(), Limits::default());
    let error = again.err().unwrap();
    let kind = factory_base::error::kind_of(&error);
    assert_eq!(kind, factory_base::error::Kind::Environment, "{error:#}");
}
