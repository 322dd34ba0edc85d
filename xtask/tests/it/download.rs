//! Downloads from servers that misbehave.

use std::path::PathBuf;
use std::time::Duration;

use factory_fetch::{Done, Downloader, Http, Indexes, Job, Locations, Mirrors, Pace, Progress};
use factory_model::lock::{Origin, Sha256};

use crate::server::{Reply, Server};
use crate::support::Sandbox;

/// Half a second is enough to tell that a server drips.
const IMPATIENT: Pace = Pace {
    n_bytes: 10_000,
    window: Duration::from_millis(500),
};

fn content() -> Vec<u8> {
    (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn job(sandbox: &Sandbox, urls: &[String]) -> Job {
    Job {
        name: "file-1.tar.gz".to_owned(),
        origins: urls
            .iter()
            .map(|url| Origin::Url { url: url.clone() })
            .collect(),
        sha256: Sha256::of(&content()),
        size: Some(content().len() as u64),
        destination: sandbox.directory.path().join("done/file-1.tar.gz"),
    }
}

fn part(sandbox: &Sandbox) -> PathBuf {
    let name = format!("{}.part", Sha256::of(&content()));
    sandbox.ctx.cache.join("downloads").join(name)
}

fn fetch(sandbox: &Sandbox, job: &Job) -> anyhow::Result<Done> {
    let http = Http::from_environment().unwrap();
    let locations = Locations::new(&sandbox.ctx, &http, &sandbox.ctx.root);
    let progress = Progress::new(&sandbox.ctx.ui, 1, 0);
    Downloader::new(&sandbox.ctx, &http, &locations, &sandbox.ctx.cache).fetch(job, &progress)
}

fn message(error: &anyhow::Error, servers: &[&Server]) -> String {
    let mut text = format!("{error:#}");
    for (index, server) in servers.iter().enumerate() {
        text = text.replace(&server.base, &format!("SERVER{index}"));
    }
    text.replace(&Sha256::of(&content()).to_string(), "RIGHT")
}

#[test]
fn ok_resumed_after_a_cut() {
    let sandbox = Sandbox::new();
    let server = Server::start(|n_before, request| {
        let reply = Reply::range(&content(), request);
        if n_before < 3 {
            reply.cut_after(300_000)
        } else {
            reply
        }
    });
    let job = job(&sandbox, &[format!("{}/x", server.base)]);
    let done = fetch(&sandbox, &job).unwrap();
    assert_eq!(std::fs::read(&job.destination).unwrap(), content());
    // Every byte came once.
    assert_eq!(done.bytes_fetched, content().len() as u64);
    let from: Vec<_> = server.requests().iter().map(|one| one.from).collect();
    assert_eq!(from, [None, Some(300_000), Some(600_000), Some(900_000)]);
    assert!(!part(&sandbox).exists());
}

#[test]
fn ok_resumed_by_the_next_run() {
    let sandbox = Sandbox::new();
    let server = Server::start(|_, request| Reply::range(&content(), request));
    std::fs::create_dir_all(part(&sandbox).parent().unwrap()).unwrap();
    std::fs::write(part(&sandbox), &content()[..1_000_000]).unwrap();
    let job = job(&sandbox, &[format!("{}/x", server.base)]);
    assert_eq!(fetch(&sandbox, &job).unwrap().bytes_fetched, 200_000);
    assert_eq!(server.requests()[0].from, Some(1_000_000));
    // What is there already is not asked for again.
    assert_eq!(fetch(&sandbox, &job).unwrap(), Done::default());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn ok_a_wrong_first_half_is_thrown_away() {
    let sandbox = Sandbox::new();
    let server = Server::start(|_, request| Reply::range(&content(), request));
    std::fs::create_dir_all(part(&sandbox).parent().unwrap()).unwrap();
    std::fs::write(part(&sandbox), vec![7; 1_000_000]).unwrap();
    let job = job(&sandbox, &[format!("{}/x", server.base)]);
    fetch(&sandbox, &job).unwrap();
    assert_eq!(std::fs::read(&job.destination).unwrap(), content());
    let from: Vec<_> = server.requests().iter().map(|one| one.from).collect();
    assert_eq!(from, [Some(1_000_000), None]);
}

#[test]
fn ok_server_without_ranges_starts_again() {
    let sandbox = Sandbox::new();
    let server = Server::start(|n_before, _| {
        let reply = Reply::ok(content());
        if n_before == 0 {
            reply.cut_after(500_000)
        } else {
            reply
        }
    });
    let job = job(&sandbox, &[format!("{}/x", server.base)]);
    fetch(&sandbox, &job).unwrap();
    assert_eq!(std::fs::read(&job.destination).unwrap(), content());
}

#[test]
fn ok_busy_server_is_asked_again() {
    let sandbox = Sandbox::new();
    let server = Server::start(|n_before, _| match n_before {
        0 => Reply::status("503 Service Unavailable", "").header("Retry-After: 0"),
        1 => Reply::status("429 Too Many Requests", "").header("Retry-After: 1"),
        _ => Reply::ok(content()),
    });
    let job = job(&sandbox, &[format!("{}/x", server.base)]);
    fetch(&sandbox, &job).unwrap();
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn ok_redirects_take_their_credentials_along() {
    let sandbox = Sandbox::new();
    let target = Server::start(|_, request| {
        assert_eq!(request.authorization, None);
        Reply::ok(content())
    });
    let location = format!("Location: {}/there", target.base);
    let server = Server::start(move |_, request| {
        assert_eq!(request.authorization.as_deref(), Some("Basic bWU6cEBzcw=="));
        Reply::status("302 Found", "").header(&location)
    });
    let url = server.base.replace("//", "//me:p%40ss@");
    fetch(&sandbox, &job(&sandbox, &[format!("{url}/x")])).unwrap();
    assert_eq!(target.requests().len(), 1);
}

#[test]
fn ok_next_candidate_after_a_wrong_hash() {
    let sandbox = Sandbox::new();
    let wrong = Server::start(|_, _| {
        let mut bytes = content();
        bytes[10] ^= 1;
        Reply::ok(bytes)
    });
    let right = Server::start(|_, _| Reply::ok(content()));
    let urls = [format!("{}/x", wrong.base), format!("{}/x", right.base)];
    fetch(&sandbox, &job(&sandbox, &urls)).unwrap();
    assert_eq!(right.requests()[0].from, None);
}

/// As `fetch`, with a patience that a test can wait for.
fn fetch_impatiently(sandbox: &Sandbox, job: &Job) -> anyhow::Result<Done> {
    let http = Http::from_environment().unwrap().with_pace(IMPATIENT);
    let locations = Locations::new(&sandbox.ctx, &http, &sandbox.ctx.root);
    let progress = Progress::new(&sandbox.ctx.ui, 1, 0);
    Downloader::new(&sandbox.ctx, &http, &locations, &sandbox.ctx.cache)
        .with_max_requests(6)
        .fetch(job, &progress)
}

#[test]
fn ok_next_candidate_after_a_drip() {
    let sandbox = Sandbox::new();
    let slow = Server::start(|_, request| Reply::range(&content(), request).drip_after(400_000));
    let good = Server::start(|_, request| Reply::range(&content(), request));
    let urls = [format!("{}/x", slow.base), format!("{}/x", good.base)];
    let job = job(&sandbox, &urls);
    fetch_impatiently(&sandbox, &job).unwrap();
    assert_eq!(std::fs::read(&job.destination).unwrap(), content());
    assert_eq!(
        slow.requests().len(),
        1,
        "asking again would be another wait"
    );
    // What the slow one brought is kept.
    assert!(good.requests()[0].from.unwrap() >= 400_000);
}

#[test]
fn err_drips_from_the_only_candidate() {
    let sandbox = Sandbox::new();
    let slow = Server::start(|_, request| Reply::range(&content(), request).drip_after(0));
    let job = job(&sandbox, &[format!("{}/x", slow.base)]);
    let error = fetch_impatiently(&sandbox, &job).unwrap_err();
    let text = message(&error, &[&slow]);
    assert!(text.contains("SERVER0/x: too slow: "), "{text}");
    assert_eq!(
        factory_base::error::kind_of(&error),
        factory_base::error::Kind::Environment
    );
}

#[test]
fn ok_next_candidate_after_alternating_cuts() {
    let sandbox = Sandbox::new();
    // Without ranges each answer starts again; every second one comes further than the last.
    let bad = Server::start(|n_before, _| {
        Reply::ok(content()).cut_after(if n_before % 2 == 0 { 500_000 } else { 900_000 })
    });
    let good = Server::start(|_, _| Reply::ok(content()));
    let urls = [format!("{}/x", bad.base), format!("{}/x", good.base)];
    fetch(&sandbox, &job(&sandbox, &urls)).unwrap();
    // 500 kB, 900 kB, and three that come no further.
    assert_eq!(bad.requests().len(), 5);
    assert_eq!(good.requests().len(), 1);
}

#[test]
fn ok_next_candidate_after_many_cuts() {
    let sandbox = Sandbox::new();
    let bad = Server::start(|_, request| Reply::range(&content(), request).cut_after(70_000));
    let good = Server::start(|_, request| Reply::range(&content(), request));
    let urls = [format!("{}/x", bad.base), format!("{}/x", good.base)];
    fetch_impatiently(&sandbox, &job(&sandbox, &urls)).unwrap();
    assert_eq!(bad.requests().len(), 6);
    assert_eq!(good.requests()[0].from, Some(6 * 70_000));
}

#[test]
fn err_every_candidate_with_its_reason() {
    let sandbox = Sandbox::new();
    let wrong = Server::start(|_, _| {
        let mut bytes = content();
        bytes[10] ^= 1;
        Reply::ok(bytes)
    });
    let large = Server::start(|_, _| Reply::ok([content(), content()].concat()));
    let gone = Server::start(|_, _| Reply::status("404 Not Found", ""));
    let servers = [&wrong, &large, &gone];
    let urls = servers.map(|server| format!("{}/x", server.base));
    let error = fetch(&sandbox, &job(&sandbox, &urls)).unwrap_err();
    insta::assert_snapshot!(message(&error, &servers), @"
    cannot fetch `file-1.tar.gz`
        SERVER0/x: wrong hash
          expected RIGHT
          found    9c46e6acc6f3d37f36bd2c0b797d0e92cae1a197cdd03d9a226c1b5e4c157b6e
        SERVER1/x: wrong size
          expected 1200000 bytes
          found    2400000 bytes
        SERVER2/x: the server answers 404 Not Found
    ");
    assert!(!part(&sandbox).exists());
    assert_eq!(gone.requests().len(), 1, "a 404 is not asked again");
}

#[test]
fn err_more_bytes_than_announced_in_the_lock() {
    let sandbox = Sandbox::new();
    // Without a length in the header, only streaming can notice.
    let server = Server::start(|_, _| {
        let hex = format!("{:x}\r\n", 2 * content().len());
        let mut body = hex.into_bytes();
        body.extend([content(), content()].concat());
        body.extend(b"\r\n0\r\n\r\n");
        Reply::ok(body).header("Transfer-Encoding: chunked")
    });
    let job = job(&sandbox, &[format!("{}/x", server.base)]);
    let error = fetch(&sandbox, &job).unwrap_err();
    let text = message(&error, &[&server]);
    assert!(text.contains("more bytes than the lock says"), "{text}");
    assert!(!part(&sandbox).exists());
}

#[test]
fn err_offline() {
    let mut sandbox = Sandbox::new();
    sandbox.ctx.offline = true;
    let server = Server::start(|_, _| Reply::ok(content()));
    let job = job(&sandbox, &[format!("{}/x", server.base)]);
    let error = fetch(&sandbox, &job).unwrap_err();
    insta::assert_snapshot!(message(&error, &[&server]), @"
    cannot fetch `file-1.tar.gz`
        SERVER0/x: not asked, because of `--offline`
    ");
    assert!(server.requests().is_empty());
}

/// Both forms of the Simple repository API, and an index that lacks the project.
#[test]
fn ok_indexes_in_json_and_html() {
    let sandbox = Sandbox::new();
    let hash = Sha256::of(&content());
    let json = Server::start(move |_, request| {
        assert_eq!(request.path, "/simple/foo/");
        let page = format!(
            r#"{{"files":[{{"filename":"foo-1.whl","url":"../../f/foo-1.whl","hashes":{{"sha256":"{hash}"}}}}]}}"#
        );
        Reply::ok(page).header("Content-Type: application/vnd.pypi.simple.v1+json")
    });
    let html = Server::start(move |_, _| {
        let page = format!("<a href='/g/foo-1.whl#sha256={hash}'>foo-1.whl</a>");
        Reply::ok(page).header("Content-Type: text/html; charset=utf-8")
    });
    let none = Server::start(|_, _| Reply::status("404 Not Found", ""));
    let bases = [&json, &none, &html].map(|server| format!("{}/simple/", server.base));
    let indexes = Indexes::new(bases.to_vec());
    let http = Http::from_environment().unwrap();
    let locate = |file: &str, hash: &Sha256| {
        indexes
            .locate(&sandbox.ctx, &http, "foo", file, hash)
            .map(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(
        locate("foo-1.whl", &hash).unwrap(),
        [
            format!("{}/f/foo-1.whl", json.base),
            format!("{}/g/foo-1.whl", html.base)
        ]
    );
    let error = locate("foo-1.whl", &Sha256::of(b"other")).unwrap_err();
    insta::assert_snapshot!(message(&error, &[&json, &none, &html]).replace("; ", "\n"), @"
    SERVER0/simple/foo/: has no `foo-1.whl` with the locked hash
    SERVER1/simple/foo/: the server answers 404 Not Found
    SERVER2/simple/foo/: has no `foo-1.whl` with the locked hash
    ");
    assert_eq!(json.requests().len(), 1, "a page is asked for once");
}

/// What an index gets wrong is never called a bug of ours.
#[test]
fn err_a_page_that_is_no_page() {
    let sandbox = Sandbox::new();
    let server = Server::start(|_, request| match request.path.as_str() {
        "/broken/foo/" => {
            Reply::ok("{\"files\": 7}").header("Content-Type: application/vnd.pypi.simple.v1+json")
        }
        _ => Reply::ok(vec![0xff; 9]).header("Content-Type: text/html"),
    });
    let http = Http::from_environment().unwrap();
    for base in ["broken", "binary"] {
        let indexes = Indexes::new(vec![format!("{}/{base}", server.base)]);
        let error = indexes
            .locate(&sandbox.ctx, &http, "foo", "foo-1.whl", &Sha256::of(b""))
            .unwrap_err();
        assert_eq!(
            factory_base::error::kind_of(&error),
            factory_base::error::Kind::Environment
        );
        let text = message(&error, &[&server]);
        assert!(text.contains(&format!("SERVER0/{base}/foo/: ")), "{text}");
        assert!(text.contains("cannot be read: "), "{text}");
    }
}

/// A page that drips must not hold up the indexes after it.
#[test]
fn ok_next_index_after_a_drip() {
    let sandbox = Sandbox::new();
    let page = format!(
        "<a href='/f/foo-1.whl#sha256={}'>foo-1.whl</a>",
        Sha256::of(&content())
    );
    let of_page = page.clone();
    let slow = Server::start(move |_, _| Reply::ok(of_page.clone()).drip_after(0));
    let good = Server::start(move |_, _| Reply::ok(page.clone()));
    let bases = [&slow, &good].map(|server| format!("{}/simple/", server.base));
    let http = Http::from_environment().unwrap().with_pace(IMPATIENT);
    let found = Indexes::new(bases.to_vec())
        .locate(
            &sandbox.ctx,
            &http,
            "foo",
            "foo-1.whl",
            &Sha256::of(&content()),
        )
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].to_string(), format!("{}/f/foo-1.whl", good.base));
    assert_eq!(slow.requests().len(), 1);
}

/// A deb that a point release superseded: gone from the mirror, kept by the snapshot archive.
#[test]
fn ok_superseded_deb_comes_from_the_snapshot_archive() {
    let path = "pool/main/g/gcc-15/g++-15_15.1.0-1_amd64.deb";
    let encoded = "pool/main/g/gcc-15/g%2b%2b-15_15.1.0-1_amd64.deb";
    let snapshot = format!("/archive/debian/20260101T000000Z/{encoded}");
    let expected = snapshot.clone();
    let server = Server::start(move |n_before, request| {
        if request.path != expected {
            return Reply::status("404 Not Found", "");
        }
        let reply = Reply::range(&content(), request);
        // The archive is slow and often cut: the rest is asked for, from the archive itself.
        if n_before < 2 {
            reply.cut_after(500_000)
        } else {
            reply
        }
    });
    let sandbox = Sandbox::new();
    let apt = sandbox.directory.path().join("apt");
    std::fs::create_dir(&apt).unwrap();
    let sources = format!("deb {}/debian trixie main\n", server.base);
    std::fs::write(apt.join("sources.list"), sources).unwrap();
    let mirrors = Mirrors::read(&apt)
        .unwrap()
        .with_snapshot_archive(&format!("{}/archive", server.base));

    let mut job = job(&sandbox, &[]);
    job.origins = vec![Origin::Debian {
        archive: "debian".to_owned(),
        path: path.to_owned(),
        snapshot: "20260101T000000Z".to_owned(),
    }];
    let http = Http::from_environment().unwrap();
    let locations = Locations::new(&sandbox.ctx, &http, &sandbox.ctx.root).with_mirrors(mirrors);
    let progress = Progress::new(&sandbox.ctx.ui, 1, 0);
    let downloader = Downloader::new(&sandbox.ctx, &http, &locations, &sandbox.ctx.cache);
    let done = downloader.fetch(&job, &progress).unwrap();
    assert_eq!(std::fs::read(&job.destination).unwrap(), content());
    assert_eq!(done.bytes_fetched, content().len() as u64);
    let asked: Vec<_> = server
        .requests()
        .into_iter()
        .map(|one| (one.path, one.from))
        .collect();
    assert_eq!(
        asked,
        [
            (format!("/debian/{encoded}"), None),
            (snapshot.clone(), None),
            (snapshot, Some(500_000)),
        ]
    );
}
