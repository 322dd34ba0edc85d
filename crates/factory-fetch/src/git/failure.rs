//! What went wrong, from what git said, and what to do then. Pure.

use factory_base::error::{self, Failure};

/// Why a repository did not give a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// It asks who we are.
    Credentials,
    /// The host does not answer.
    NoHost,
    /// The host answers; there is no such repository.
    NoRepository,
    /// The repository answers; the revision is not there.
    NoRevision,
    /// The server gives branches and tags only, or no part of a history.
    NotAdvertised,
    /// The repository's own objects or the disk are not whole.
    Incomplete,
    /// Anything else: git's words must do.
    Other,
}

/// Parts of git's messages (`LC_ALL=C`), the first that is found counts.
const SIGNS: [(&str, Cause); 27] = [
    ("not our ref", Cause::NoRevision),
    ("couldn't find remote ref", Cause::NoRevision),
    ("unadvertised object", Cause::NotAdvertised),
    ("does not support shallow", Cause::NotAdvertised),
    ("could not read Username", Cause::Credentials),
    ("could not read Password", Cause::Credentials),
    ("Authentication failed", Cause::Credentials),
    ("Permission denied (", Cause::Credentials),
    ("Host key verification failed", Cause::Credentials),
    ("returned error: 401", Cause::Credentials),
    ("returned error: 403", Cause::Credentials),
    ("unable to read", Cause::Incomplete),
    ("missing blob", Cause::Incomplete),
    ("missing tree", Cause::Incomplete),
    ("bad object", Cause::Incomplete),
    ("returned error: 404", Cause::NoRepository),
    ("repository not found", Cause::NoRepository),
    ("Repository not found", Cause::NoRepository),
    ("' not found", Cause::NoRepository),
    ("not appear to be a git repository", Cause::NoRepository),
    ("Could not resolve", Cause::NoHost),
    ("Failed to connect", Cause::NoHost),
    ("Couldn't connect", Cause::NoHost),
    ("Connection refused", Cause::NoHost),
    ("timed out", Cause::NoHost),
    ("No route to host", Cause::NoHost),
    ("unable to access", Cause::NoHost),
];

impl Cause {
    /// Reads git's words.
    pub(super) fn of(said: &str) -> Self {
        SIGNS
            .iter()
            .find(|(sign, _)| said.contains(sign))
            .map_or(Self::Other, |(_, cause)| *cause)
    }
}

/// The error for a revision that did not come.
pub(super) fn explain(cause: Cause, url: &str, rev: &str, said: &str) -> anyhow::Error {
    let mirror = format!("a mirror that has it: `git config --global url.MIRROR.insteadOf {url}`");
    let with = |message: String| -> Failure {
        let said = said.lines().map(|line| format!("\n    {line}"));
        error::environment(message + &said.collect::<String>())
    };
    let without = "without one: `--omit git` builds the image without all that comes from git";
    match cause {
        Cause::Credentials => with(format!(
            "{url} asks for credentials, and a build does not prompt"
        ))
        .hint("give git its own: a credential helper, a `.netrc`, or `git config --global url.git@HOST:.insteadOf https://HOST/` for a key that ssh-agent holds")
        .hint("forges also ask this for a repository that was removed or renamed: open its URL in a browser"),
        Cause::NoHost => with(format!("the host of {url} does not answer"))
            .hint(mirror)
            .hint(without),
        Cause::NoRepository => with(format!("there is no repository at {url}"))
            .hint(mirror)
            .hint(without),
        Cause::NoRevision => error::environment(format!(
            "{url} answers, but no longer has the revision {rev}"
        ))
        .hint("its branch was moved and the old commits dropped: pin a revision that it has, with its hash, in `package-lists/sources.toml` and in the list, and run `cargo xtask update-locks`")
        .hint(mirror),
        Cause::Incomplete => with(format!("{url} does not give all files of {rev}"))
            .hint("a mirror may have been copied without large files: run `git fsck` in it, or fetch from the original")
            .hint("to have the missing file named, and to do without those that a tree leaves out, allow filters in the mirror: `git config uploadpack.allowFilter true`"),
        Cause::NotAdvertised | Cause::Other => with(format!("cannot fetch {rev} from {url}")),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use factory_base::error::hints_of;

    #[test]
    fn ok_causes() {
        for (said, cause) in [
            (
                "fatal: remote error: upload-pack: not our ref 0123",
                Cause::NoRevision,
            ),
            (
                "error: Server does not allow request for unadvertised object 0123",
                Cause::NotAdvertised,
            ),
            (
                "fatal: could not read Username for 'https://forge.test': terminal prompts disabled",
                Cause::Credentials,
            ),
            (
                "git@forge.test: Permission denied (publickey).\nfatal: Could not read from remote repository.",
                Cause::Credentials,
            ),
            (
                "fatal: unable to access 'https://forge.test/a/': Could not resolve host: forge.test",
                Cause::NoHost,
            ),
            (
                "fatal: unable to access 'https://forge.test/a/': The requested URL returned error: 403",
                Cause::Credentials,
            ),
            (
                "remote: Repository not found.\nfatal: repository 'https://forge.test/a/' not found",
                Cause::NoRepository,
            ),
            (
                "fatal: '/x' does not appear to be a git repository\nfatal: Could not read from remote repository.",
                Cause::NoRepository,
            ),
            ("fatal: write error: No space left on device", Cause::Other),
        ] {
            assert_eq!(Cause::of(said), cause, "{said}");
        }
    }

    #[test]
    fn err_each_says_what_to_do() {
        let causes = [
            Cause::Credentials,
            Cause::NoHost,
            Cause::NoRepository,
            Cause::NoRevision,
            Cause::Incomplete,
            Cause::Other,
        ];
        let shown = causes.map(|cause| {
            let error = explain(cause, "https://forge.test/a", "0123", "fatal: git's words");
            let hints: Vec<String> = hints_of(&error)
                .iter()
                .map(|hint| format!("\nhint: {hint}"))
                .collect();
            format!("{error}{}", hints.concat())
        });
        insta::assert_snapshot!(shown.join("\n\n"));
    }
}
