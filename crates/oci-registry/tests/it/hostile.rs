//! Clients that want what is not theirs, are slow, or are many; and a store that changed.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use oci_registry::serve::Limits;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::client::{Client, ask, get};
use crate::fixture::{Fixture, NAME, Running};

/// Nothing but the documents and blobs of the images comes back, whatever is asked for.
#[test]
fn ok_nothing_else_can_be_read() {
    let fixture = Fixture::new();
    let server = Running::start(fixture.images(), Limits::default());
    let secret = "the file beside the trees";
    std::fs::write(fixture.directory.path().join("secret"), secret).unwrap();
    let piece = prop_oneof![
        Just("/v2/".to_owned()),
        Just(NAME.to_owned()),
        Just("/blobs/".to_owned()),
        Just("/manifests/".to_owned()),
        Just("/tags/list".to_owned()),
        Just("..".to_owned()),
        Just("%2e%2e%2f".to_owned()),
        Just("%00".to_owned()),
        Just("//".to_owned()),
        Just("sha256:".to_owned()),
        Just(fixture.file().display().to_string()),
        Just(
            fixture
                .directory
                .path()
                .join("secret")
                .display()
                .to_string()
        ),
        Just("/etc/passwd".to_owned()),
        Just("one".to_owned()),
        "[a-f0-9]{64}",
        "[!-~]{0,12}",
    ];
    let target = prop::collection::vec(piece, 1..9).prop_map(|pieces| pieces.concat());
    let mut runner = TestRunner::new(Config::with_cases(2000));
    let client = std::cell::RefCell::new(Client::new(server.address));
    runner
        .run(&target, |target| {
            let target = format!("/{}", target.trim_start_matches('/').replace(' ', ""));
            let answer = client.borrow_mut().ask("GET", &target, &[]);
            let text = String::from_utf8_lossy(&answer.body);
            prop_assert!(
                !text.contains(secret) && !text.contains("root:"),
                "{}",
                target
            );
            let is_ours = answer.body == b"{}"
                || answer.body == fixture.one.manifest.json.as_bytes()
                || text.starts_with(r#"{"errors":"#)
                || text.starts_with(r#"{"name":"#);
            prop_assert!(is_ours, "{}: {}", target, text);
            prop_assert!(
                [200, 400, 404].contains(&answer.status),
                "{}",
                answer.status
            );
            if answer.header("connection") == "close" {
                *client.borrow_mut() = Client::new(server.address);
            }
            Ok(())
        })
        .unwrap();
}

/// Bytes that are no HTTP get an error or nothing, and the server goes on.
#[test]
fn ok_any_bytes_are_survived() {
    let fixture = Fixture::new();
    let server = Running::start(fixture.images(), Limits::default());
    let mut runner = TestRunner::new(Config::with_cases(300));
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "(GET|PUT) /v2/\\PC{0,20} HTTP/1.[019]\r\n([A-Za-z-]{1,20}: ?\\PC{0,40}\r\n){0,70}\r\n\r\n"
            .prop_map(String::into_bytes),
    ];
    runner
        .run(&bytes, |bytes| {
            let mut tcp = TcpStream::connect(server.address).unwrap();
            tcp.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            // The server may have enough before all is sent.
            let _sent = tcp.write_all(&bytes);
            let _closed = tcp.shutdown(Shutdown::Write);
            let mut answer = Vec::new();
            let _read = tcp.read_to_end(&mut answer);
            prop_assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 "));
            Ok(())
        })
        .unwrap();
    assert_eq!(get(server.address, "/v2/").status, 200);
}

#[test]
fn err_a_head_without_end() {
    let fixture = Fixture::new();
    let server = Running::start(fixture.images(), Limits::default());
    let mut client = Client::new(server.address);
    client.send("GET /v2/ HTTP/1.1\r\n");
    for _ in 0..20 {
        let line = format!("X: {}\r\n", "x".repeat(1000));
        if client.tcp().write_all(line.as_bytes()).is_err() {
            break;
        }
    }
    assert_eq!(client.receive().unwrap().status, 431);
}

/// Clients that hold a connection, a head or a blob without taking anything.
#[test]
fn ok_slow_clients_lose_their_place() {
    let fixture = Fixture::new();
    let limits = Limits {
        connections: 4,
        streams: 1,
        idle: Duration::from_secs(20),
        stall: Duration::from_secs(1),
        ..Limits::default()
    };
    let server = Running::start(fixture.images(), limits);
    // All places are taken by connections that ask nothing: they give way.
    let idle: Vec<TcpStream> = (0..4)
        .map(|_| TcpStream::connect(server.address).unwrap())
        .collect();
    let start = Instant::now();
    assert_eq!(get(server.address, "/v2/").status, 200);
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    drop(idle);

    // Who takes no byte of a blob is cut off, and the next gets its turn.
    let digest = fixture.one.blobs().next().unwrap().diff_id;
    let target = format!("/v2/{NAME}/blobs/{digest}");
    let mut slow = TcpStream::connect(server.address).unwrap();
    // What the kernel buffers must not be the whole blob, or there is nothing to wait for.
    let n_times = 40;
    let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(n_times);
    slow.write_all(request.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    assert_eq!(get(server.address, &target).status, 200);
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    let mut got = Vec::new();
    let _read = slow.read_to_end(&mut got);
    let n_whole = n_times * fixture.low_blob().len();
    assert!(
        got.len() < n_whole,
        "a client that took nothing was waited for"
    );
}

#[test]
fn ok_a_head_that_drips_ends() {
    let fixture = Fixture::new();
    let server = Running::start(fixture.images(), Limits::default());
    let mut tcp = TcpStream::connect(server.address).unwrap();
    let start = Instant::now();
    for byte in "GET /v2/ HTTP/1.1\r\nX: "
        .bytes()
        .chain(std::iter::repeat(b'x'))
    {
        if tcp.write_all(&[byte]).is_err() {
            break;
        }
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "it is read for ever"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// More clients than places: each is answered or turned away, and memory stays as it is.
#[test]
fn ok_two_thousand_connections() {
    let fixture = Fixture::new();
    let limits = Limits {
        connections: 64,
        ..Limits::default()
    };
    let server = Running::start(fixture.images(), limits);
    let before = resident_bytes();
    let start = Instant::now();
    let (mut n_answered, mut n_refused) = (0, 0);
    // Descriptors of both ends are this process's: two hundred connections are open at a time.
    for _ in 0..10 {
        let mut open: Vec<Client> = (0..200).map(|_| Client::new(server.address)).collect();
        for client in &mut open {
            let request = "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n";
            // One that was turned away may be closed already.
            let _sent = client.tcp().write_all(request.as_bytes());
        }
        for client in &mut open {
            match client.receive().map(|answer| answer.status) {
                Some(200) => n_answered += 1,
                Some(503) | None => n_refused += 1,
                Some(other) => panic!("{other}"),
            }
        }
    }
    let grown = resident_bytes().saturating_sub(before);
    assert_eq!(n_answered + n_refused, 2000);
    // Not ten times the places: a connection that has asked nothing yet gives way to a new
    // one, and on a busy machine a place is still taken when the next two hundred come.
    assert!(
        n_answered >= 64,
        "{n_answered} answered, {n_refused} turned away"
    );
    assert!(grown < 64 << 20, "{grown} bytes more");
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(ask(server.address, "HEAD", "/v2/").status, 200);
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// A tree that is not what the spec was computed from is never sent as a whole blob.
#[test]
fn err_a_store_that_changed() {
    let fixture = Fixture::new();
    let server = Running::start(fixture.images(), Limits::default());
    let digest = fixture.one.blobs().next().unwrap().diff_id;
    let target = format!("/v2/{NAME}/blobs/{digest}");
    let mut bytes = std::fs::read(fixture.file()).unwrap();
    bytes[0] ^= 1;
    std::fs::write(fixture.file(), &bytes).unwrap();
    let mut client = Client::new(server.address);
    client.send(&format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert!(client.receive().is_none(), "wrong bytes came whole");
    bytes.push(0);
    std::fs::write(fixture.file(), &bytes).unwrap();
    let mut client = Client::new(server.address);
    client.send(&format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert!(client.receive().is_none());
    let failures = server.seen.failures.lock().unwrap();
    assert_eq!(failures.len(), 2, "{failures:?}");
    assert!(failures[0].contains("01-low"), "{failures:?}");
}

/// A store path that is gone is known before anything is promised.
#[test]
fn err_a_tree_that_is_gone() {
    let fixture = Fixture::new();
    std::fs::remove_dir_all(fixture.directory.path().join("01-low")).unwrap();
    let server = Running::start(fixture.images(), Limits::default());
    let digest = fixture.one.blobs().next().unwrap().diff_id;
    let answer = get(server.address, &format!("/v2/{NAME}/blobs/{digest}"));
    assert_eq!((answer.status, answer.code().as_str()), (500, "UNKNOWN"));
    assert_eq!(server.seen.failures.lock().unwrap().len(), 1);
}

/// The end of a server cuts what it is sending, soon.
#[test]
fn ok_the_end_does_not_wait_for_clients() {
    let fixture = Fixture::new();
    let server = Running::start(fixture.images(), Limits::default());
    let digest = fixture.one.blobs().next().unwrap().diff_id;
    let request = format!("GET /v2/{NAME}/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut slow = TcpStream::connect(server.address).unwrap();
    slow.write_all(request.repeat(20).as_bytes()).unwrap();
    let _idle = TcpStream::connect(server.address).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    drop(server);
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}
