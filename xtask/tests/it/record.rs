//! The list of a wheel's files, read from a server by parts.

use factory_base::error::{Kind, kind_of};
use factory_fetch::{Http, RemoteWheel};
use factory_model::lock::Sha256;

use crate::server::{Reply, Server};
use crate::support::Sandbox;

/// Writes a wheel of a large library, some thousand small files and a RECORD.
const MAKE: &str = "
import base64, hashlib, sys, zipfile
rows = []
with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as wheel:
    def add(name, data, how):
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()
        rows.append(f'{name},sha256={digest},{len(data)}')
        wheel.writestr(name, data, how)
    add('thing.libs/libthing-36e11081.so', b'x' * 3_000_000, zipfile.ZIP_STORED)
    for number in range(3000):
        add(f'thing/a_module_with_a_long_name_{number}.py', b'pass', zipfile.ZIP_DEFLATED)
    rows.append('thing-1.dist-info/RECORD,,')
    wheel.writestr('thing-1.dist-info/RECORD', chr(10).join(rows))
    # Another distribution's, as vendored code has.
    wheel.writestr('thing/_vendor/other-1.dist-info/RECORD', 'no,table')
";

/// The wheel's bytes; `None` where there is no Python.
fn wheel(sandbox: &Sandbox) -> Option<Vec<u8>> {
    let path = sandbox.directory.path().join("thing.whl");
    let made = std::process::Command::new("python3")
        .args(["-c", MAKE])
        .arg(&path)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        crate::skips::skip("no python3");
        return None;
    }
    Some(fs_err::read(path).unwrap())
}

fn remote(server: &Server, bytes: &[u8], size: Option<u64>) -> RemoteWheel {
    RemoteWheel {
        file: "thing-1-py3-none-any.whl".to_owned(),
        url: format!("{}/thing-1-py3-none-any.whl", server.base),
        size,
        sha256: Sha256::of(bytes),
    }
}

#[test]
fn ok_a_few_parts_and_then_none() {
    let sandbox = Sandbox::new();
    let Some(bytes) = wheel(&sandbox) else { return };
    let body = bytes.clone();
    let server = Server::start(move |n_before, request| match n_before {
        // A server that is busy, and one that ends too early.
        0 => Reply::status("503 Service Unavailable", ""),
        1 => Reply::range(&body, request).cut_after(100),
        _ => Reply::range(&body, request),
    });
    let http = Http::from_environment().unwrap();
    let wheel = remote(&server, &bytes, Some(bytes.len() as u64));
    let entries = wheel
        .record(&sandbox.ctx, &http, &sandbox.ctx.cache)
        .unwrap();
    assert_eq!(entries.len(), 3001);
    assert_eq!(entries[0].path, "thing.libs/libthing-36e11081.so");
    assert_eq!(entries[0].size, 3_000_000);
    assert!(entries[0].hash.starts_with("sha256="));
    let requests = server.requests();
    let asked = |request: &crate::server::Request| request.to.unwrap() - request.from.unwrap();
    let n_bytes: usize = requests[2..].iter().map(asked).sum();
    assert!(n_bytes < bytes.len() / 3, "{n_bytes} of {}", bytes.len());

    // The second time the cache has it.
    assert_eq!(
        wheel
            .record(&sandbox.ctx, &http, &sandbox.ctx.cache)
            .unwrap(),
        entries
    );
    assert_eq!(server.requests().len(), requests.len());
}

#[test]
fn ok_size_is_asked_where_the_index_has_none() {
    let sandbox = Sandbox::new();
    let Some(bytes) = wheel(&sandbox) else { return };
    let body = bytes.clone();
    let server = Server::start(move |_, request| Reply::range(&body, request));
    let http = Http::from_environment().unwrap();
    let wheel = remote(&server, &bytes, None);
    assert_eq!(
        wheel
            .record(&sandbox.ctx, &http, &sandbox.ctx.cache)
            .unwrap()
            .len(),
        3001
    );
    assert_eq!(server.requests()[0].method, "HEAD");
}

#[test]
fn ok_a_server_that_sends_whole_files() {
    let sandbox = Sandbox::new();
    let Some(bytes) = wheel(&sandbox) else { return };
    let body = bytes.clone();
    let server = Server::start(move |_, _| Reply::ok(body.clone()));
    let http = Http::from_environment().unwrap();
    let wheel = remote(&server, &bytes, Some(bytes.len() as u64));
    assert_eq!(
        wheel
            .record(&sandbox.ctx, &http, &sandbox.ctx.cache)
            .unwrap()
            .len(),
        3001
    );
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn err_no_parts_of_a_large_file() {
    let sandbox = Sandbox::new();
    let server = Server::start(|_, _| Reply::ok("much"));
    let http = Http::from_environment().unwrap();
    let wheel = remote(&server, b"large", Some(1 << 30));
    let error = wheel
        .record(&sandbox.ctx, &http, &sandbox.ctx.cache)
        .unwrap_err();
    assert_eq!(kind_of(&error), Kind::Environment);
    insta::assert_snapshot!(format!("{error:#}"), @"cannot read the list of files of `thing-1-py3-none-any.whl`: the server sends no parts of files (it answers 200 OK)");
}

#[test]
fn err_not_a_wheel() {
    let sandbox = Sandbox::new();
    let server = Server::start(|_, request| Reply::range(&[b'x'; 1000], request));
    let http = Http::from_environment().unwrap();
    let wheel = remote(&server, b"no wheel", Some(1000));
    let error = wheel
        .record(&sandbox.ctx, &http, &sandbox.ctx.cache)
        .unwrap_err();
    assert_eq!(kind_of(&error), Kind::Environment);
    assert!(
        format!("{error:#}").contains("cannot read the list of files"),
        "{error:#}"
    );
    // Nothing of it is kept.
    assert!(!sandbox.ctx.cache.join("records").exists());
}
