//! Reading from a registry that asks for a token, sends elsewhere, and lies.

use std::io::Read as _;
use std::sync::{Arc, Mutex};

use comfy_image::Digest;
use factory_base::error::{self, Kind};
use oci_registry::Registry;

use crate::server::{Reply, Request, Server};
use crate::support::Sandbox;

const CONFIG: &str = r#"{"os": "linux"}"#;

fn open<'a>(sandbox: &'a Sandbox, server: &Server) -> Registry<'a> {
    let host = server.base.strip_prefix("http://").unwrap();
    let registry = Registry::open(&sandbox.ctx, &format!("{host}/me/image"));
    registry.unwrap().for_reading()
}

/// Answers with `answer` who has a token, which is for reading only.
fn registry(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |_, request| {
        if let Some(query) = request.path.strip_prefix("/token?") {
            assert!(
                query.contains("scope=repository%3Ame%2Fimage%3Apull"),
                "{query}"
            );
            assert!(!query.contains("push"), "{query}");
            return Reply::ok(r#"{"token": "t0ken"}"#);
        }
        if request.authorization.as_deref() != Some("Bearer t0ken") {
            let host = &request.host;
            return Reply::status("401 Unauthorized", "").header(&format!(
                r#"WWW-Authenticate: Bearer realm="http://{host}/token",service="here""#
            ));
        }
        answer(request)
    })
}

fn redirect(to: &str) -> Reply {
    Reply::status("307 Temporary Redirect", "").header(&format!("Location: {to}"))
}

#[test]
fn ok_documents_of_an_image() {
    let sandbox = Sandbox::new();
    let digest = Digest::of(CONFIG.as_bytes());
    let server = registry(move |request| match request.path.as_str() {
        "/v2/me/image/manifests/1" => Reply::ok("{}"),
        path if path == format!("/v2/me/image/blobs/{digest}") => Reply::ok(CONFIG),
        _ => Reply::status("404 Not Found", ""),
    });
    let registry = open(&sandbox, &server);
    assert_eq!(registry.manifest_text("1").unwrap().as_deref(), Some("{}"));
    assert_eq!(registry.manifest_text("2").unwrap(), None);
    assert_eq!(registry.document(&digest).unwrap(), CONFIG);
    let error = registry.document(&Digest::of(b"another")).unwrap_err();
    assert_eq!(error::kind_of(&error), Kind::Environment);
}

/// Storage behind a registry is somebody else: it gets the request, and not the token.
#[test]
fn ok_a_blob_is_elsewhere() {
    let sandbox = Sandbox::new();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let storage = {
        let asked = Arc::clone(&asked);
        Server::start(move |_, request| {
            asked.lock().unwrap().push(request.authorization.clone());
            Reply::ok("a blob")
        })
    };
    let target = format!("{}/bucket/blob?signature=1", storage.base);
    let server = registry(move |_| redirect(&target));
    let mut bytes = String::new();
    let blob = open(&sandbox, &server).open_blob(&Digest::of(b"a blob"));
    blob.unwrap().read_to_string(&mut bytes).unwrap();
    assert_eq!(bytes, "a blob");
    assert_eq!(*asked.lock().unwrap(), [None]);
}

#[test]
fn err_a_registry_that_lies() {
    let sandbox = Sandbox::new();
    let says = |answer: fn(&Request) -> Reply| {
        let server = registry(answer);
        let registry = open(&sandbox, &server);
        let digest = Digest::of(CONFIG.as_bytes());
        let errors = [
            registry.document(&digest).unwrap_err(),
            registry.manifest_text(&digest.to_string()).unwrap_err(),
        ];
        for error in &errors {
            assert_eq!(error::kind_of(error), Kind::Environment, "{error:#}");
        }
        let host = server.base.strip_prefix("http://").unwrap();
        errors
            .map(|error| format!("{error:#}").replace(host, "[HOST]"))
            .join("\n")
    };
    insta::assert_snapshot!(says(|_| Reply::ok("something else")));
    insta::assert_snapshot!(says(|request| redirect(&request.path)));
    insta::assert_snapshot!(says(|_| redirect("http://storage.test/blob")));
    insta::assert_snapshot!(says(|_| Reply::status("307 Temporary Redirect", "")));
    insta::assert_snapshot!(says(|_| Reply::ok(vec![b' '; 5 << 20])));
    insta::assert_snapshot!(says(|_| Reply::status("403 Forbidden", "no")));
}
