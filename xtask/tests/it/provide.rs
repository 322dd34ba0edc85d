//! The provided Nix runs, and builds in its sandbox.

use factory_base::error::{Kind, kind_of};
use factory_base::process;
use factory_nix::Nix;
use xshell::Shell;

use crate::skips::skip;
use crate::support::Sandbox;

/// Prints what the builder sees; `/bin/sh` is the locked busybox.
const EXPRESSION: &str = r#"derivation {
  name = "tiny";
  system = "x86_64-linux";
  builder = "/bin/sh";
  args = [ "-c" "echo root: /* > $out; echo pid $$ >> $out" ];
}"#;

#[test]
fn ok_builds_in_the_sandbox_of_a_chroot_store() {
    let sandbox = Sandbox::new();
    let Some(nix) = sandbox.nix() else { return };
    let shell = Shell::new().unwrap();
    let out =
        process::capture(
            nix.cmd(&shell, "nix-build")
                .args(["--no-out-link", "-E", EXPRESSION]),
        )
        .unwrap();
    let text = std::fs::read_to_string(nix.physical(out.trim())).unwrap();
    assert!(
        !text.contains("/home"),
        "the builder saw the machine: {text}"
    );
    assert!(text.contains("/build"), "{text}");
    let evaluated =
        process::capture(nix.cmd(&shell, "nix").args(["eval", "--expr", "1 + 1"])).unwrap();
    assert_eq!(evaluated, "2\n");
}

#[test]
fn ok_second_call_needs_no_network() {
    let mut sandbox = Sandbox::new();
    if let Err(error) = Nix::find_or_provide(&sandbox.ctx) {
        assert_eq!(kind_of(&error), Kind::Environment, "{error:#}");
        skip(&format!("no Nix can be had here: {error:#}"));
        return;
    }
    sandbox.ctx.offline = true;
    let nix = Nix::find_or_provide(&sandbox.ctx).unwrap();
    assert!(nix.version().contains("nix"));
    let downloads = sandbox.ctx.cache.join("downloads");
    if downloads.is_dir() {
        let left = std::fs::read_dir(downloads).unwrap().count();
        assert_eq!(left, 0, "the debs are removed once they are unpacked");
    }
}
