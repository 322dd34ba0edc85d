//! Containers of every engine that answers here, from an image of one static program.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use factory_verify::engine::{Engine, EngineKind, Input, Invocation, Runner};

use crate::skips::skip;
use crate::support::Sandbox;

const IMAGE: &str = "xtask-engine-test:latest";

pub(crate) fn static_busybox() -> Option<PathBuf> {
    let found = factory_base::process::find("busybox")?;
    // The image has no loader.
    let text = Command::new("ldd").arg(&found).output().ok()?;
    (!text.status.success()).then_some(found)
}

/// Makes an image of busybox and some scripts.
pub(crate) fn import(kind: EngineKind, image: &str, busybox: &Path, scripts: &[(&str, &str)]) {
    let mut child = Command::new(kind.program())
        .args(["import", "-", image])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut archive = tar::Builder::new(child.stdin.take().unwrap());
    for name in ["sh", "true", "cat", "sleep", "mkdir", "httpd"] {
        archive
            .append_path_with_name(busybox, format!("bin/{name}"))
            .unwrap();
    }
    for (path, text) in scripts {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len().try_into().unwrap());
        header.set_mode(0o755);
        archive
            .append_data(&mut header, path, text.as_bytes())
            .unwrap();
    }
    drop(archive.into_inner().unwrap());
    assert!(child.wait().unwrap().success());
}

#[test]
fn ok_run_in_every_engine() {
    let Some(busybox) = static_busybox() else {
        return skip("no static busybox on PATH");
    };
    let sandbox = Sandbox::new();
    let ctx = &sandbox.ctx;
    for kind in EngineKind::ALL {
        let Ok(engine) = Engine::require(kind) else {
            skip(&format!("{} does not answer", kind.program()));
            continue;
        };
        import(kind, IMAGE, &busybox, &[]);
        let runner = Runner::probe(ctx, &engine, IMAGE).unwrap();
        let run = |line: &str, seconds: u64| {
            let invocation = Invocation {
                arguments: ["sh", "-c", line].map(Into::into).to_vec(),
                stdin: Input {
                    bytes: b"from stdin".to_vec(),
                    path: None,
                },
                timeout: Some(Duration::from_secs(seconds)),
                ..Invocation::default()
            };
            runner.run(ctx, &invocation).unwrap()
        };
        let ended = run("cat; echo to stderr >&2; exit 3", 60);
        assert_eq!(ended.status, Some(3), "{ended:?}");
        assert_eq!(
            (ended.stdout.as_str(), ended.stderr.trim()),
            ("from stdin", "to stderr")
        );
        let ended = run("sleep 600", 2);
        assert!(ended.timed_out, "{ended:?}");
        let left = Command::new(kind.program())
            // By name: tests beside this one have others, and podman finds none by a short
            // name of an image.
            .args(["ps", "--all", "--quiet", "--filter"])
            .arg(format!("name=xtask-{}-", std::process::id()))
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&left.stdout), "", "{engine}");
        let removed = Command::new(kind.program())
            .args(["rmi", IMAGE])
            .output()
            .unwrap();
        assert!(removed.status.success());
    }
}
