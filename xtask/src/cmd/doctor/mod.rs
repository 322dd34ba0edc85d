//! `doctor`: what this machine has and lacks, and the command that helps.

mod found;
mod machine;
mod network;
mod programs;

use anyhow::Result;

use crate::ctx::Ctx;
use crate::document::{self, Check, CheckState as State, Doctor};
use factory_base::error;
use factory_base::text;
use factory_nix::Nix;
use factory_verify::engine::EngineKind;

pub(crate) fn run(ctx: &Ctx) -> Result<()> {
    let mut checks = vec![machine::platform(ctx)?, machine::memory()];
    checks.extend(machine::namespaces(ctx)?);
    checks.push(machine::disk(
        ctx,
        "disk of the store",
        &Nix::store_directory(ctx),
    )?);
    checks.push(machine::disk(ctx, "disk of the cache", &ctx.cache)?);
    checks.push(programs::nix(ctx)?);
    checks.extend(programs::programs());
    for kind in EngineKind::ALL {
        checks.push(programs::engine(kind)?);
    }
    checks.push(machine::gpu()?);
    checks.extend(network::registries(ctx)?);
    report(ctx, checks)
}

fn report(ctx: &Ctx, checks: Vec<Check>) -> Result<()> {
    let n_missing = checks
        .iter()
        .filter(|check| check.state == State::Missing)
        .count();
    if ctx.json {
        let can_build = n_missing == 0;
        document::print(ctx, &Doctor { can_build, checks })?;
    } else {
        ctx.ui.data(render(&checks))?;
    }
    match n_missing {
        0 => Ok(()),
        1 => Err(error::environment("one thing that a build needs is missing").into()),
        count => {
            Err(error::environment(format!("{count} things that a build needs are missing")).into())
        }
    }
}

fn render(checks: &[Check]) -> String {
    let rows: Vec<Vec<String>> = checks
        .iter()
        .map(|check| {
            let state = match check.state {
                State::Ok => "ok",
                State::Optional => "optional",
                State::Missing => "MISSING",
            };
            vec![state.to_owned(), check.name.to_owned(), check.found.clone()]
        })
        .collect();
    let mut text = text::table(&["state", "what", "found"], &rows, &[]);
    let mut hints = checks
        .iter()
        .filter_map(|check| Some((check.name, check.hint.as_ref()?)))
        .peekable();
    if hints.peek().is_some() {
        text.push('\n');
    }
    for (name, hint) in hints {
        text.push_str(&format!("\n{name}: {hint}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::machine::Switches;
    use super::*;

    #[test]
    fn ok_table_and_hints() {
        let checks = [
            Check::ok("platform", "linux x86_64"),
            Check::not("podman", State::Optional, "not on PATH", "install it"),
            Check::not(
                "user namespaces",
                State::Missing,
                "unshare failed: Operation not permitted",
                Switches {
                    apparmor_restricts: true,
                    ..Switches::default()
                }
                .hint(),
            ),
        ];
        insta::assert_snapshot!(render(&checks), @"
        state     what             found
        ok        platform         linux x86_64
        optional  podman           not on PATH
        MISSING   user namespaces  unshare failed: Operation not permitted

        podman: install it
        user namespaces: `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`; to keep it, write the setting to a file in /etc/sysctl.d
        ");
    }
}
