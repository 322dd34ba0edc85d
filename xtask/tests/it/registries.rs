//! Debian's `docker-registry` as somebody runs it: with passwords, with a token service, and
//! with a disk that fills up.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use comfy_image::Digest;
use factory_base::error::{self, Kind};
use oci_registry::Registry;

use crate::push::Debian;
use crate::server::{Reply, Request, Server};
use crate::skips::skip;
use crate::support::Sandbox;

const NAME: &str = "me/image";
/// "me:secret", as a header and in the files of logins.
const LOGIN: &str = "bWU6c2VjcmV0";
/// By `htpasswd -nbB me secret`.
const PASSWORDS: &str = "me:$2y$05$BWbhzPPqxx.WSJi/wQV9le0cKBN/XqbdedVQ8TdLWtWkikaK/R6JO\n";

fn open<'a>(sandbox: &'a Sandbox, registry: &Debian, login: Option<&str>) -> Registry<'a> {
    let logins = sandbox.directory.path().join("auth.json");
    let host = &registry.host;
    let text = match login {
        Some(login) => format!(r#"{{"auths": {{"{host}": {{"auth": "{login}"}}}}}}"#),
        None => r#"{"auths": {}}"#.to_owned(),
    };
    std::fs::write(&logins, text).unwrap();
    Registry::open_with_logins(&sandbox.ctx, &format!("{host}/{NAME}"), &[logins]).unwrap()
}

/// As `push` of the command line does it: what is there is not sent.
fn push(registry: &Registry<'_>, blob: &[u8]) -> anyhow::Result<()> {
    if registry.has_blob(&Digest::of(blob))? {
        return Ok(());
    }
    let size = blob.len() as u64;
    registry.push_blob(&Digest::of(blob), size, &|out| Ok(out.write_all(blob)?))
}

fn refused(error: &anyhow::Error) -> String {
    assert_eq!(error::kind_of(error), Kind::Environment, "{error:#}");
    format!("{error:#}")
}

#[test]
fn ok_passwords() {
    let directory = tempfile::tempdir().unwrap();
    let users = directory.path().join("users");
    std::fs::write(&users, PASSWORDS).unwrap();
    let auth = format!(
        "auth: {{htpasswd: {{realm: here, path: {}}}}}\n",
        users.display()
    );
    let Some(registry) = Debian::start_with(directory.path(), &auth) else {
        skip("no `docker-registry` on PATH");
        return;
    };
    let sandbox = Sandbox::new();
    let blob = vec![7; 3 << 20];
    push(&open(&sandbox, &registry, Some(LOGIN)), &blob).unwrap();
    assert!(
        open(&sandbox, &registry, Some(LOGIN))
            .has_blob(&Digest::of(&blob))
            .unwrap()
    );
    // "me:wrong".
    for (login, said, hint) in [
        (None, "the registry asks for a login", "log in first: "),
        (
            Some("bWU6d3Jvbmc="),
            "the registry answers 401 Unauthorized",
            "the login is wrong, too old, or not for this: ",
        ),
    ] {
        let error = push(&open(&sandbox, &registry, login), &blob).unwrap_err();
        let text = refused(&error);
        assert!(text.ends_with(said), "{text}");
        let hints = error::hints_of(&error);
        assert!(hints[0].starts_with(hint), "{hints:?}");
    }
}

/// A token service as the distribution's token specification has it: it signs who may do what,
/// and the registry checks the signature.
struct Issuer {
    directory: PathBuf,
}

const ISSUER: &str = "a test";
const SERVICE: &str = "this registry";

impl Issuer {
    /// `None` without `openssl`.
    fn new(directory: &Path) -> Option<Self> {
        let made = Command::new("openssl")
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            ])
            .args(["-subj", "/CN=issuer", "-keyout"])
            .arg(directory.join("key.pem"))
            .arg("-out")
            .arg(directory.join("cert.pem"))
            .stderr(Stdio::null())
            .status();
        made.ok()?.success().then(|| Self {
            directory: directory.to_owned(),
        })
    }

    fn answer(&self, request: &Request) -> Reply {
        if request.authorization.as_deref() != Some(&format!("Basic {LOGIN}")) {
            return Reply::status("401 Unauthorized", "");
        }
        // What is granted is what is asked for, as any user of this service owns all of it.
        assert!(request.path.contains("service=this"), "{}", request.path);
        assert!(
            request.path.contains("scope=repository"),
            "{}",
            request.path
        );
        let access = serde_json::json!([
            {"type": "repository", "name": NAME, "actions": ["pull", "push"]}
        ]);
        let token = self.sign(&access);
        Reply::ok(serde_json::json!({"token": token}).to_string())
    }

    fn sign(&self, access: &serde_json::Value) -> String {
        let certificate = std::fs::read_to_string(self.directory.join("cert.pem")).unwrap();
        let chain: String = certificate
            .lines()
            .filter(|line| !line.starts_with('-'))
            .collect();
        let header = serde_json::json!({"typ": "JWT", "alg": "RS256", "x5c": [chain]});
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let claims = serde_json::json!({
            "iss": ISSUER, "sub": "me", "aud": SERVICE, "jti": "1",
            "iat": now, "nbf": now - 10, "exp": now + 300, "access": access,
        });
        let mut token = format!(
            "{}.{}",
            BASE64_URL_SAFE_NO_PAD.encode(header.to_string().as_bytes()),
            BASE64_URL_SAFE_NO_PAD.encode(claims.to_string().as_bytes())
        );
        let mut signer = Command::new("openssl")
            .args(["dgst", "-sha256", "-sign"])
            .arg(self.directory.join("key.pem"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        signer
            .stdin
            .take()
            .unwrap()
            .write_all(token.as_bytes())
            .unwrap();
        let signature = signer.wait_with_output().unwrap().stdout;
        write!(token, ".{}", BASE64_URL_SAFE_NO_PAD.encode(&signature)).unwrap();
        token
    }
}

#[test]
fn ok_a_token_service() {
    let directory = tempfile::tempdir().unwrap();
    let Some(issuer) = Issuer::new(directory.path()) else {
        skip("no `openssl` on PATH");
        return;
    };
    let service = Server::start(move |_, request| issuer.answer(request));
    let auth = format!(
        "auth: {{token: {{realm: '{}/token', service: {SERVICE}, issuer: {ISSUER}, rootcertbundle: {}}}}}\n",
        service.base,
        directory.path().join("cert.pem").display()
    );
    let Some(registry) = Debian::start_with(directory.path(), &auth) else {
        skip("no `docker-registry` on PATH");
        return;
    };
    let sandbox = Sandbox::new();
    let blob = vec![7; 3 << 20];
    let logged_in = open(&sandbox, &registry, Some(LOGIN));
    push(&logged_in, &blob).unwrap();
    assert!(logged_in.has_blob(&Digest::of(&blob)).unwrap());
    let error = push(&open(&sandbox, &registry, None), &blob).unwrap_err();
    let text = refused(&error);
    assert!(text.contains("401") || text.contains("login"), "{text}");
    // One token does for all of a push.
    let n_tokens = service.requests().len();
    assert!(n_tokens <= 3, "{n_tokens}");
}

/// A file system in memory, until dropped.
struct Small {
    directory: tempfile::TempDir,
}

impl Small {
    /// `None` for who may not mount.
    fn mount(megabytes: u32) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(directory.path())
            .stderr(Stdio::null())
            .status();
        mounted.ok()?.success().then(|| Self { directory })
    }

    fn grow(&self, megabytes: u32) {
        let grown = Command::new("mount")
            .args(["-o", &format!("remount,size={megabytes}m")])
            .arg(self.directory.path())
            .status();
        assert!(grown.unwrap().success());
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.directory.path()).status();
        assert!(unmounted.unwrap().success());
    }
}

#[test]
fn err_a_registry_whose_disk_is_full() {
    let Some(disk) = Small::mount(4) else {
        skip("no right to mount a small file system");
        return;
    };
    let Some(registry) = Debian::start_with(disk.directory.path(), "") else {
        skip("no `docker-registry` on PATH");
        return;
    };
    let sandbox = Sandbox::new();
    let (small, large) = (vec![7; 1 << 20], vec![8; 6 << 20]);
    let full = open(&sandbox, &registry, None);
    push(&full, &small).unwrap();
    let error = push(&full, &large).unwrap_err();
    let text = refused(&error);
    assert!(text.contains("500") || text.contains("no space"), "{text}");
    assert!(text.contains(&registry.host), "{text}");

    // With more room, the next run sends what is missing and nothing else.
    disk.grow(64);
    let again = open(&sandbox, &registry, None);
    push(&again, &small).unwrap();
    assert_eq!(again.traffic().blob_bytes, 0);
    push(&again, &large).unwrap();
    assert_eq!(again.traffic().blob_bytes, large.len() as u64);
    assert!(again.has_blob(&Digest::of(&large)).unwrap());
    drop(registry);
}
