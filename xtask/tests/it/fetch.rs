//! `fetch` with the real Nix, a server on the loopback and a git repository on the disk.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use factory_base::error::{Explain as _, Kind, hints_of, kind_of};
use factory_base::process;
use factory_model::lock::Sha256;
use factory_nix::{
    BuildOptions, BuildReport, FetchReport, Graph, Nix, ensure_sources, fetch_and_build,
    fetch_sources, missing_sources,
};
use xshell::{Shell, cmd};

use crate::server::{Reply, Server};
use crate::support::Sandbox;

/// Serves `/name` with the bytes `name`.
fn server() -> Server {
    Server::start(|_, request| Reply::ok(request.path.trim_start_matches('/')))
}

/// A fixed-output derivation as `nix/mkSource.nix` makes them.
fn source(name: &str, mode: &str, hash: &str, origins: &serde_json::Value) -> String {
    let origins = serde_json::to_string(&origins.to_string()).unwrap();
    let origins = origins.replace("${", "\\${");
    format!(
        r#"(derivation {{
          name = "{name}"; system = "x86_64-linux"; builder = "/bin/sh";
          args = [ "-c" "echo the source {name} is not in the store >&2; exit 1" ];
          outputHash = "{hash}"; outputHashAlgo = "sha256"; outputHashMode = "{mode}";
          origins = {origins}; sizeBytes = "";
        }})"#
    )
}

/// A derivation that copies its sources' names; returns its path.
fn user_of(nix: &Nix, sources: &[String]) -> String {
    let shell = Shell::new().unwrap();
    let expression = format!(
        r#"derivation {{
          name = "user"; system = "x86_64-linux"; builder = "/bin/sh";
          args = [ "-c" "echo done > $out" ];
          inputs = [ {} ];
        }}"#,
        sources.join(" ")
    );
    process::capture(nix.cmd(&shell, "nix-instantiate").args(["-E", &expression]))
        .unwrap()
        .trim()
        .to_owned()
}

fn url_source(server: &Server, name: &str) -> String {
    let origins =
        serde_json::json!([{"registry": "url", "url": format!("{}/{name}", server.base)}]);
    let hash = Sha256::of(name.as_bytes()).to_string();
    source(name, "flat", &hash, &origins)
}

#[test]
fn ok_fetched_once_and_not_for_what_is_built() {
    let sandbox = Sandbox::new();
    let Some(nix) = sandbox.nix() else { return };
    let ctx = &sandbox.ctx;
    let server = server();
    let sources: Vec<_> = (0..20)
        .map(|number| url_source(&server, &format!("file-{number}")))
        .collect();
    let user = vec![user_of(&nix, &sources)];
    assert_eq!(missing_sources(ctx, &nix, &user).unwrap().len(), 20);

    let report = ensure_sources(ctx, &nix, &user).unwrap();
    assert_eq!(report.n_fetched, 20);
    assert!(missing_sources(ctx, &nix, &user).unwrap().is_empty());
    assert_eq!(ensure_sources(ctx, &nix, &user).unwrap().n_fetched, 0);
    // One more for the preflight, which asks each host once.
    assert_eq!(server.requests().len(), 21);
    let downloads = sandbox.ctx.cache.join("downloads");
    assert_eq!(std::fs::read_dir(downloads).unwrap().count(), 0);

    // Built, and the sources removed: nothing is missing.
    let shell = Shell::new().unwrap();
    process::capture(nix.cmd(&shell, "nix-store").arg("--realise").args(&user)).unwrap();
    let listed =
        process::capture(nix.cmd(&shell, "nix-store").args(["--gc", "--print-dead"])).unwrap();
    let files: Vec<_> = listed
        .lines()
        .filter(|path| path.contains("-file-") && !path.ends_with(".drv"))
        .collect();
    assert_eq!(files.len(), 20);
    process::capture(
        nix.cmd(&shell, "nix-store")
            .args(["--delete", "--ignore-liveness"])
            .args(files),
    )
    .unwrap();
    assert!(missing_sources(ctx, &nix, &user).unwrap().is_empty());
}

/// A derivation that needs a source `slow` and what is built from a source `quick`, and the graph
/// of both.
fn quick_and_slow(nix: &Nix, server: &Server, builder: &str) -> (Vec<String>, Graph) {
    let expression = format!(
        r#"let make = name: inputs: derivation {{
          inherit name inputs; system = "x86_64-linux"; builder = "/bin/sh";
          args = [ "-c" (if name == "first" then "{builder}" else "echo done > $out") ];
        }}; in make "second" [ (make "first" [ {} ]) {} ]"#,
        url_source(server, "quick"),
        url_source(server, "slow"),
    );
    let shell = Shell::new().unwrap();
    let command = nix.cmd(&shell, "nix-instantiate");
    let target = process::capture(command.args(["-E", &expression])).unwrap();
    let targets = vec![target.trim().to_owned()];
    let graph = Graph::read(nix, &targets).unwrap();
    (targets, graph)
}

/// Fetches and builds whatever the store lacks.
fn build_all(
    sandbox: &Sandbox,
    nix: &Nix,
    targets: &[String],
    graph: &Graph,
) -> anyhow::Result<Result<(FetchReport, BuildReport), factory_nix::Error>> {
    let needed = graph.missing(nix, targets).unwrap();
    let missing = graph
        .missing_sources(&sandbox.ctx, nix, (&needed, targets))
        .unwrap();
    let options = BuildOptions::default();
    fetch_and_build(
        &sandbox.ctx,
        nix,
        targets,
        (graph, &needed, missing),
        &options,
    )
}

/// The server gives `slow` once it finds the first build in the store.
#[test]
fn ok_builds_while_a_slow_source_comes() {
    let sandbox = Sandbox::new();
    let Some(nix) = sandbox.nix() else { return };
    let first: Arc<Mutex<PathBuf>> = Arc::default();
    let waited_for = Arc::clone(&first);
    let server = Server::start(move |number, request| {
        // The first request of all is the preflight's.
        if number > 0 && request.path == "/slow" {
            let path = waited_for.lock().unwrap().clone();
            let start = Instant::now();
            while !path.exists() {
                if start.elapsed() > Duration::from_secs(120) {
                    return Reply::status("404 Not Found", "nothing was built meanwhile");
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Reply::ok(request.path.trim_start_matches('/'))
    });
    let (targets, graph) = quick_and_slow(&nix, &server, "echo done > $out");
    let (_, node) = graph.iter().find(|(_, node)| node.name == "first").unwrap();
    *first.lock().unwrap() = nix.physical(&node.out_paths[0]);

    let (fetched, built) = build_all(&sandbox, &nix, &targets, &graph)
        .unwrap()
        .unwrap();
    assert_eq!(fetched.n_fetched, 2);
    let names: Vec<&str> = built.built.iter().map(|one| &*one.name).collect();
    assert_eq!(names, ["first", "second"]);
    let [first, second] = &*built.built else {
        panic!("{built:?}")
    };
    assert!(first.started + first.took <= second.started, "{built:?}");
}

/// A failure is told at once, and not when a source has come that takes for ever.
#[test]
fn err_an_early_build_fails() {
    let sandbox = Sandbox::new();
    let Some(nix) = sandbox.nix() else { return };
    let server = Server::start(|number, request| match &*request.path {
        // Half an hour.
        "/slow" if number > 0 => Reply::ok([0; 100_000]).drip_after(0),
        path => Reply::ok(path.trim_start_matches('/')),
    });
    let (targets, graph) = quick_and_slow(&nix, &server, "echo out of luck >&2; exit 1");
    let start = Instant::now();
    let error = build_all(&sandbox, &nix, &targets, &graph).unwrap_err();
    assert_eq!(kind_of(&error), Kind::NotRight);
    // A server that drips is given up after longer than that.
    assert!(start.elapsed() < Duration::from_secs(55));
    let text = error.to_string();
    assert!(text.starts_with("cannot build `first`"), "{text}");
}

/// A build that would take for ever is ended.
#[test]
fn err_a_source_is_gone_while_another_is_built() {
    let sandbox = Sandbox::new();
    let Some(nix) = sandbox.nix() else { return };
    let server = Server::start(|number, request| {
        if number > 0 && request.path == "/slow" {
            std::thread::sleep(Duration::from_secs(3));
            return Reply::status("404 Not Found", "");
        }
        Reply::ok(request.path.trim_start_matches('/'))
    });
    let (targets, graph) = quick_and_slow(&nix, &server, "while :; do :; done");
    let error = build_all(&sandbox, &nix, &targets, &graph).unwrap_err();
    assert_eq!(kind_of(&error), Kind::Environment);
    let text = error.to_string();
    assert!(text.starts_with("cannot fetch `slow`"), "{text}");
}

#[test]
fn err_wrong_hash_enters_nothing() {
    let sandbox = Sandbox::new();
    let Some(nix) = sandbox.nix() else { return };
    let server = server();
    let origins = serde_json::json!([{"registry": "url", "url": format!("{}/good", server.base)}]);
    let bad = source("bad", "flat", &Sha256::of(b"other").to_string(), &origins);
    let user = vec![user_of(&nix, &[bad, url_source(&server, "good")])];
    let error = ensure_sources(&sandbox.ctx, &nix, &user).unwrap_err();
    assert_eq!(kind_of(&error), Kind::Environment);
    insta::assert_snapshot!(error.to_string().replace(&server.base, "SERVER"), @"
    cannot fetch `bad`
        SERVER/good: wrong hash
          expected d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa
          found    770e607624d689265ca6c44884d0807d9b054d23c473c106c72be9de08b7376c
    ");
    // The good one is in the store all the same: the next run has less to do.
    let missing = missing_sources(&sandbox.ctx, &nix, &user).unwrap();
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].name, "bad");
}

#[test]
fn err_offline_names_what_is_missing() {
    let mut sandbox = Sandbox::new();
    let Some(nix) = sandbox.nix() else { return };
    sandbox.ctx.offline = true;
    let server = server();
    let sources: Vec<_> = (0..12)
        .map(|number| url_source(&server, &format!("file-{number:02}")))
        .collect();
    let user = vec![user_of(&nix, &sources)];
    let error = ensure_sources(&sandbox.ctx, &nix, &user).unwrap_err();
    insta::assert_snapshot!(error.to_string(), @"
    12 sources are not in the store, and `--offline` forbids fetching
        file-00
        file-01
        file-02
        file-03
        file-04
        file-05
        file-06
        file-07
        file-08
        file-09
        and 2 more
    ");
    insta::assert_snapshot!(hints_of(&error).join("\n"), @"run `cargo xtask fetch` once with a network; builds work offline from then on");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn err_unreachable_before_anything_is_downloaded() {
    let sandbox = Sandbox::new();
    let Some(nix) = sandbox.nix() else { return };
    let server = server();
    // Nothing listens on the discard port.
    let origins = serde_json::json!([
        {"registry": "url", "url": "http://127.0.0.1:9/gone"},
        {"registry": "git", "url": "/nonexistent/repository", "rev": "0".repeat(40), "submodules": false},
    ]);
    let gone = source("gone", "flat", &Sha256::of(b"gone").to_string(), &origins);
    let user = vec![user_of(&nix, &[gone, url_source(&server, "there")])];
    let error = ensure_sources(&sandbox.ctx, &nix, &user).unwrap_err();
    insta::assert_snapshot!(error.to_string(), @"
    1 source is neither in the store nor reachable
        /nonexistent/repository: '/nonexistent/repository' does not appear to be a git repository; 127.0.0.1:9: Connection refused (os error 111)
            gone from http://127.0.0.1:9/gone from /nonexistent/repository
    ");
    assert_eq!(missing_sources(&sandbox.ctx, &nix, &user).unwrap().len(), 2);
}

#[test]
fn err_unreachable_is_named_after_all_else_is_fetched() {
    let sandbox = Sandbox::new();
    let Some(nix) = sandbox.nix() else { return };
    let server = server();
    let wheel = |number: u32| {
        let name = format!("gone-{number}.whl");
        let origin =
            serde_json::json!([{"registry": "url", "url": format!("http://127.0.0.1:9/{name}")}]);
        source(
            &name,
            "flat",
            &Sha256::of(name.as_bytes()).to_string(),
            &origin,
        )
    };
    let sources = [wheel(1), wheel(2), url_source(&server, "there")];
    let user = vec![user_of(&nix, &sources)];
    let unreachable = fetch_sources(&sandbox.ctx, &nix, &user).unwrap();
    let error = unreachable.unwrap_err();
    insta::assert_snapshot!(error.to_string(), @"
    2 sources are neither in the store nor reachable
        127.0.0.1:9: Connection refused (os error 111)
            gone-1.whl from http://127.0.0.1:9/gone-1.whl
            gone-2.whl from http://127.0.0.1:9/gone-2.whl
    ");
    assert_eq!(error.kind(), Kind::Environment);
    let left = missing_sources(&sandbox.ctx, &nix, &user).unwrap();
    let left: Vec<&str> = left.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(left, ["gone-1.whl", "gone-2.whl"]);
}

/// A repository with two revisions, and the first of these.
fn repository(directory: &Path) -> (PathBuf, String) {
    let shell = Shell::new().unwrap();
    shell.set_var("GIT_CONFIG_COUNT", "2");
    for (index, (key, value)) in [("user.name", "Test"), ("user.email", "test@example.org")]
        .into_iter()
        .enumerate()
    {
        shell.set_var(format!("GIT_CONFIG_KEY_{index}"), key);
        shell.set_var(format!("GIT_CONFIG_VALUE_{index}"), value);
    }
    let repository = directory.join("repository");
    cmd!(shell, "git init --quiet {repository}").run().unwrap();
    shell.change_dir(&repository);
    shell.write_file("file", "one\n").unwrap();
    shell.write_file("program", "#!/bin/sh\n").unwrap();
    cmd!(shell, "git add .").run().unwrap();
    cmd!(shell, "git update-index --chmod=+x program")
        .run()
        .unwrap();
    cmd!(shell, "git commit --quiet -m one").run().unwrap();
    let rev = cmd!(shell, "git rev-parse HEAD").read().unwrap();
    shell.write_file("file", "two\n").unwrap();
    cmd!(shell, "git commit --quiet -am two").run().unwrap();
    (repository, rev)
}

/// What the real Nix says of a tree.
fn nar_hash(nix: &Nix, path: &Path) -> String {
    let shell = Shell::new().unwrap();
    let cmd = nix.cmd(&shell, "nix").args(["hash", "path"]);
    let hash = process::capture(cmd.arg(path)).unwrap();
    hash.trim().to_owned()
}

#[test]
fn ok_git_tree() {
    let sandbox = Sandbox::new();
    let Some(nix) = sandbox.nix() else { return };
    let shell = Shell::new().unwrap();
    let (repository, rev) = repository(sandbox.directory.path());
    let expected = sandbox.directory.path().join("expected");
    std::fs::create_dir(&expected).unwrap();
    std::fs::write(expected.join("file"), "one\n").unwrap();
    std::fs::write(expected.join("program"), "#!/bin/sh\n").unwrap();
    let program = expected.join("program");
    cmd!(shell, "chmod +x {program}").run().unwrap();
    let hash = nar_hash(&nix, &expected);

    let url = repository.to_string_lossy().into_owned();
    let origins =
        serde_json::json!([{"registry": "git", "url": url, "rev": rev, "submodules": true}]);
    let good = source("tree-1", "recursive", &hash, &origins);
    let user = vec![user_of(&nix, std::slice::from_ref(&good))];
    assert_eq!(
        ensure_sources(&sandbox.ctx, &nix, &user).unwrap().n_fetched,
        1
    );

    let redact = |error: &anyhow::Error| {
        let outer: Vec<_> = error.chain().take(2).map(ToString::to_string).collect();
        outer
            .join("\n")
            .replace(&url, "REPOSITORY")
            .replace(&rev, "REV")
    };
    let wrong = source(
        "tree-2",
        "recursive",
        &Sha256::of(b"").to_string(),
        &origins,
    );
    let user = vec![user_of(&nix, &[wrong])];
    let error = ensure_sources(&sandbox.ctx, &nix, &user).unwrap_err();
    insta::assert_snapshot!(redact(&error), @"
    cannot fetch `tree-2`
    wrong NAR hash of REPOSITORY at REV
          expected sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=
          found    sha256-DWRb2nnxHRRW2Ib7g30IM37cMW1ZETypdGPMc3IGjf4=
    ");

    // What to do, and nothing of it left for the next run.
    let hints = hints_of(&error).join("\n");
    assert!(hints.contains("package-lists/sources.toml"), "{hints}");
    let downloads = sandbox.ctx.cache.join("downloads");
    assert_eq!(std::fs::read_dir(downloads).unwrap().count(), 0);

    let rev = "1".repeat(40);
    let origins =
        serde_json::json!([{"registry": "git", "url": url, "rev": rev, "submodules": false}]);
    let moved = source("tree-3", "recursive", &hash, &origins);
    // The same output under another name is another path, so nothing hides the failure.
    let user = vec![user_of(&nix, &[moved])];
    let error = ensure_sources(&sandbox.ctx, &nix, &user).unwrap_err();
    insta::assert_snapshot!(redact(&error), @"
    cannot fetch `tree-3`
    REPOSITORY answers, but no longer has the revision 1111111111111111111111111111111111111111
    ");
}

/// The derivation says what to leave out, and the hash is over the rest.
#[test]
fn ok_git_tree_without_what_it_leaves_out() {
    let sandbox = Sandbox::new();
    let Some(nix) = sandbox.nix() else { return };
    let (repository, rev) = repository(sandbox.directory.path());
    let expected = sandbox.directory.path().join("expected");
    std::fs::create_dir(&expected).unwrap();
    std::fs::write(expected.join("file"), "one\n").unwrap();
    let hash = nar_hash(&nix, &expected);
    let origins = serde_json::json!([{
        "registry": "git",
        "url": repository,
        "rev": rev,
        "submodules": false,
        "exclude": ["prog*"],
    }]);
    let tree = source("tree", "recursive", &hash, &origins);
    let user = vec![user_of(&nix, &[tree])];
    let report = ensure_sources(&sandbox.ctx, &nix, &user).unwrap();
    assert_eq!(report.n_fetched, 1);
}

#[test]
fn err_hash_of_a_tree_with_pointers() {
    let sandbox = Sandbox::new();
    let Some(nix) = sandbox.nix() else { return };
    let shell = Shell::new().unwrap();
    let repository = sandbox.directory.path().join("repository");
    cmd!(shell, "git init --quiet {repository}").run().unwrap();
    shell.change_dir(&repository);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5000000\n";
    shell.write_file("weights.bin", pointer).unwrap();
    cmd!(shell, "git add .").run().unwrap();
    let author = ["-c", "user.name=x", "-c", "user.email=x@example.invalid"];
    cmd!(shell, "git {author...} commit --quiet -m one")
        .run()
        .unwrap();
    let rev = cmd!(shell, "git rev-parse HEAD").read().unwrap();
    let url = repository.to_string_lossy().into_owned();
    let origins =
        serde_json::json!([{"registry": "git", "url": url, "rev": rev, "submodules": false}]);
    let hash = Sha256::of(b"").to_string();
    let user = vec![user_of(
        &nix,
        &[source("tree", "recursive", &hash, &origins)],
    )];
    let error = ensure_sources(&sandbox.ctx, &nix, &user).unwrap_err();
    insta::assert_snapshot!(hints_of(&error).join("\n"), @"
    the hash may be that of a tree with the content of Git LFS, which is not fetched: weights.bin
    the hash may be that of the tree with its submodules: see `submodules` in `package-lists/sources.toml`
    if the revision is the right one, and a second look at its files finds nothing strange, write the found hash into `package-lists/sources.toml` and run `cargo xtask update-locks`
    ");
}
