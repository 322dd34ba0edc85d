//! `serve`: the images of the fixture, pulled by others.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use comfy_image::Digest;
use rustix::process::{Pid, Signal, kill_process};

use crate::fixture::Checkout;
use crate::skips::skip;

/// A running `xtask serve`.
pub(crate) struct Serving {
    child: Child,
    /// `ADDRESS:PORT/NAME:TAG` of each image.
    pub(crate) references: Vec<String>,
}

impl Serving {
    /// Images and nothing about them.
    pub(crate) fn start(checkout: &Checkout, arguments: &[&str], n_images: usize) -> Self {
        let arguments = [&["--bare"], arguments].concat();
        Self::start_with_origin(checkout, &arguments, n_images)
    }

    pub(crate) fn start_with_origin(
        checkout: &Checkout,
        arguments: &[&str],
        n_images: usize,
    ) -> Self {
        let mut child = checkout
            .command(&["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let references: Vec<String> = lines.take(n_images).map(Result::unwrap).collect();
        let mut serving = Self { child, references };
        if serving.references.len() < n_images {
            panic!("it does not serve: {}", serving.end());
        }
        serving
    }

    fn host(&self) -> &str {
        self.references[0].split('/').next().unwrap()
    }

    /// Waits for its end; returns what it said.
    fn end(&mut self) -> String {
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {said}");
        said
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&mut self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        self.end()
    }
}

fn get(host: &str, target: &str, header: &str) -> String {
    let mut tcp = TcpStream::connect(host).unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n{header}Connection: close\r\n\r\n");
    tcp.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn ok_serves_until_ctrl_c() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let mut serving = Serving::start(&checkout, &["all", "--verbose"], 2);
    let host = serving.host().to_owned();
    let expected = ["layer01", "layer02"].map(|tag| format!("{host}/xtask-fixture:{tag}"));
    assert_eq!(serving.references, expected);
    let tags = get(&host, "/v2/xtask-fixture/tags/list", "");
    assert!(
        tags.ends_with(r#"{"name":"xtask-fixture","tags":["layer01","layer02"]}"#),
        "{tags}"
    );
    let said = serving.interrupt();
    assert!(said.contains("/v2/xtask-fixture/tags/list 200"), "{said}");
    assert!(said.contains("Served 1 request"), "{said}");
    assert!(TcpStream::connect(&host).is_err());
}

#[test]
fn ok_only_who_has_a_login_is_served() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    // By `htpasswd -nbB me secret`.
    checkout.write(
        "users",
        "me:$2y$05$Fv92hhMi2mNB3a.l8bhRKuzgXiT.442uJFpEwJ3pfK1qt5axL9U22\n",
    );
    let mut serving = Serving::start(&checkout, &["1", "--auth", "users"], 1);
    let host = serving.host().to_owned();
    assert!(get(&host, "/v2/", "").starts_with("HTTP/1.1 401 "));
    let login = "Authorization: Basic bWU6c2VjcmV0\r\n";
    assert!(get(&host, "/v2/", login).starts_with("HTTP/1.1 200 "));
    serving.interrupt();
}

#[test]
fn err_files_that_say_nothing() {
    let checkout = Checkout::without_flake();
    checkout.write("users", "me:secret\n");
    for arguments in [
        ["--auth", "users"].as_slice(),
        &["--auth", "nowhere"],
        &["--tls", "users", "users"],
        &["--tls", "users"],
        &["--listen", "5000"],
    ] {
        let ran =
            checkout.run(&[["serve", "--listen", "127.0.0.1:0"].as_slice(), arguments].concat());
        let expected = if arguments[1] == "nowhere" { 3 } else { 2 };
        assert_eq!(ran.status, expected, "{arguments:?}: {}", ran.stderr);
    }
    let ran = checkout.run(&["serve", "--listen", "127.0.0.1:0", "--auth", "users"]);
    let hint = "hint: add a user with `htpasswd -B users USER`";
    assert!(ran.stderr.contains(hint), "{}", ran.stderr);
}

/// A client that reads everything and checks every digest.
#[test]
fn ok_skopeo_copies_it() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let mut serving = Serving::start(&checkout, &["2"], 1);
    let to = checkout.root().join("copied");
    // Else a user without a runtime directory is led to one of root's.
    let logins = checkout.root().join("auth.json");
    fs_err::write(&logins, "{}").unwrap();
    let output = Command::new("skopeo")
        .args(["copy", "--insecure-policy", "--src-tls-verify=false"])
        .arg("--authfile")
        .arg(&logins)
        .arg(format!("docker://{}", serving.references[0]))
        .arg(format!("dir:{}", to.display()))
        .output();
    serving.interrupt();
    let Ok(output) = output else {
        return skip("no `skopeo` on PATH");
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    check_directory(&to);
}

/// What skopeo's `dir:` holds: a manifest, and each blob under its digest.
fn check_directory(at: &Path) {
    let manifest = fs_err::read(at.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 2);
    for named in layers.iter().chain([&manifest["config"]]) {
        let digest = named["digest"].as_str().unwrap();
        let bytes = fs_err::read(at.join(digest.trim_start_matches("sha256:"))).unwrap();
        assert_eq!(Digest::of(&bytes).to_string(), digest);
    }
}
