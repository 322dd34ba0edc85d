//! Trees of git repositories, through the user's own git and its settings.

mod failure;
mod sparse;
mod submodule;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use walkdir::WalkDir;
use xshell::{Cmd, Shell, cmd};

use factory_base::error::Explain as _;
use factory_base::process;
use factory_base::run::Cancel;
use factory_model::lock::{Sha256, TreePattern};
use failure::Cause;

use crate::context::Context;
use crate::error::Error;

/// What makes a checkout depend on the revision only (no conversion, no filters, no hooks),
/// and a fetch end by itself.
const SETTINGS: [&str; 13] = [
    "core.autocrlf=false",
    "core.eol=lf",
    "core.symlinks=true",
    "core.bare=false",
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "advice.detachedHead=false",
    // Files of Git LFS stay the pointers that the revision holds.
    "filter.lfs.smudge=",
    "filter.lfs.process=",
    "filter.lfs.required=false",
    "gc.auto=0",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
];
/// First line of a Git LFS pointer.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";
/// A checkout that leaves out what `info/sparse-checkout` names.
const SPARSE: [&str; 4] = [
    "-c",
    "core.sparseCheckout=true",
    "-c",
    "core.sparseCheckoutCone=false",
];
/// A pointer is smaller than this, says its specification.
const POINTER_SIZE: u64 = 1024;

/// A revision of a repository, as the lock names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision<'a> {
    /// Clone URL, before the user's `insteadOf`.
    pub url: &'a str,
    /// 40 hex digits.
    pub rev: &'a str,
    /// Whether its submodules are part of the tree.
    pub submodules: bool,
    /// What is left out of the tree, and not fetched where the server can leave it out.
    pub exclude: &'a [TreePattern],
}

/// Puts the files of a revision into the new directory `target`, without `.git`; returns
/// those that are Git LFS pointers. What was fetched stays in `objects` until that is
/// removed, so that a run which was cut off goes on with what it had.
///
/// # Errors
/// The repository does not answer, asks for credentials, lacks the revision, or a submodule
/// fails; each says which.
pub fn checkout(
    ctx: &dyn Context,
    revision: &Revision<'_>,
    objects: &Path,
    target: &Path,
) -> Result<Vec<PathBuf>> {
    if ctx.is_offline() {
        return Err(Error::Offline {
            url: Some(revision.url.to_owned()),
        }
        .failure()
        .into());
    }
    let fetcher = Fetcher {
        ctx,
        shell: Shell::new()?,
        objects,
    };
    fetcher.tree(revision, target, Trust::Full)?;
    pointers(target)
}

/// Asks a repository for its branches.
///
/// # Errors
/// It does not answer: git's own words.
pub fn reachable(cancel: &dyn Cancel, url: &str) -> Result<()> {
    cancel.check_interrupted()?;
    let shell = Shell::new()?;
    // git has no limit of its own for connecting, and a host that drops packets must not
    // hold a preflight for minutes.
    let cmd = match process::find("timeout") {
        Some(timeout) => cmd!(shell, "{timeout} 10 git ls-remote --quiet -- {url} HEAD"),
        None => cmd!(shell, "git ls-remote --quiet -- {url} HEAD"),
    };
    process::capture(silent(cmd)?).map(drop)
}

/// The URL that git would use, after the user's `insteadOf` settings.
///
/// # Errors
/// There is no git.
pub fn actual_url(url: &str) -> Result<String> {
    let shell = Shell::new()?;
    process::capture(silent(cmd!(shell, "git ls-remote --get-url -- {url}"))?)
        .map(|text| text.trim().to_owned())
}

/// What a fetch may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Everything that git allows a user.
    Full,
    /// Other machines: a repository of theirs must not make us read one of this machine.
    Remote,
}

impl Trust {
    /// How far a submodule is trusted. What the user's own `insteadOf` makes of a URL is the
    /// user's business.
    fn of_submodule(parent: &str, url: &str) -> Self {
        let is_remote = |url: &str| {
            ["https://", "http://", "ssh://", "git://"]
                .iter()
                .any(|scheme| url.starts_with(scheme))
        };
        if is_remote(parent) && !is_remote(url) {
            Self::Remote
        } else {
            Self::Full
        }
    }
}

struct Fetcher<'a> {
    ctx: &'a dyn Context,
    shell: Shell,
    /// One bare repository for each URL.
    objects: &'a Path,
}

impl Fetcher<'_> {
    fn tree(&self, revision: &Revision<'_>, target: &Path, trust: Trust) -> Result<()> {
        let Revision { url, rev, .. } = *revision;
        let repository = self
            .objects
            .join(format!("{}.git", Sha256::of(url.as_bytes())));
        if !self.has(&repository, rev) {
            self.fetch(&repository, revision, trust)?;
        }
        self.ctx.check_interrupted()?;
        fs_err::create_dir_all(target)?;
        let list = ["ls-tree", "-r", "-z", "--full-tree", rev];
        let listed = self
            .run(&repository, &[], &list, Trust::Full)
            .map_err(|said| failure::explain(Cause::Incomplete, url, rev, &said))?;
        self.files(&repository, revision, target, &listed, trust)?;
        if revision.submodules {
            self.submodules(&repository, revision, target, &listed)?;
        }
        Ok(())
    }

    /// Writes the files that stay. What a fetch of part of the objects left behind, git asks
    /// for here, in one request.
    fn files(
        &self,
        repository: &Path,
        revision: &Revision<'_>,
        target: &Path,
        listed: &str,
        trust: Trust,
    ) -> Result<()> {
        let Revision { url, rev, .. } = *revision;
        let left_out = sparse::left_out(listed, revision.exclude);
        if let Some(pattern) = left_out.unused.first() {
            return Err(Error::ExcludesNothing {
                url: url.to_owned(),
                rev: rev.to_owned(),
                pattern: pattern.to_string(),
            }
            .failure()
            .into());
        }
        // The index may be that of a checkout that was cut off.
        let index = repository.join("index");
        if index.exists() {
            fs_err::remove_file(index)?;
        }
        let target_text = target.display().to_string();
        let mut options = vec!["--work-tree", &target_text];
        if !left_out.paths.is_empty() {
            fs_err::create_dir_all(repository.join("info"))?;
            let file = repository.join("info/sparse-checkout");
            fs_err::write(file, sparse::file(&left_out.paths))?;
            options.extend(SPARSE);
        }
        let checkout = ["checkout", "--quiet", "--force", "--detach", rev];
        let Err(said) = self.run(repository, &options, &checkout, trust) else {
            return Ok(());
        };
        self.ctx.check_interrupted()?;
        Err(match sparse::path_missing(&said, listed) {
            Some(path) => Error::MissingFile {
                url: url.to_owned(),
                rev: rev.to_owned(),
                path: path.to_owned(),
            }
            .failure()
            .into(),
            None => failure::explain(Cause::Incomplete, url, rev, &said),
        })
    }

    fn has(&self, repository: &Path, rev: &str) -> bool {
        let commit = format!("{rev}^{{commit}}");
        repository.is_dir()
            && self
                .run(repository, &[], &["cat-file", "-e", &commit], Trust::Full)
                .is_ok()
    }

    /// Brings the one revision; where a server gives branches and tags only, their history.
    /// Without the content of files where some are left out: a checkout asks for the others.
    fn fetch(&self, repository: &Path, revision: &Revision<'_>, trust: Trust) -> Result<()> {
        let Revision { url, rev, .. } = *revision;
        fs_err::create_dir_all(repository)?;
        process::capture(silent(cmd!(
            self.shell,
            "git init --quiet --bare {repository}"
        ))?)?;
        let set = ["config", "remote.origin.url", url];
        self.run(repository, &[], &set, Trust::Full)
            .map_err(|said| failure::explain(Cause::Other, url, rev, &said))?;
        let filter: &[&str] = match revision.exclude {
            [] => &[],
            _ => &["--filter=blob:none"],
        };
        let fetch = |filter: &[&str], more: &[&str]| {
            let fetch = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules"];
            let arguments: Vec<&str> = fetch.iter().chain(filter).chain(more).copied().collect();
            let fetched = self.run(repository, &[], &arguments, trust);
            self.ctx.check_interrupted()?;
            anyhow::Ok(fetched)
        };
        let one = ["--depth", "1", "origin", rev];
        let Err(said) = fetch(filter, &one)? else {
            return Ok(());
        };
        match Cause::of(&said) {
            // Which file it lacks, the checkout says.
            Cause::Incomplete if fetch(&["--filter=blob:none"], &one)?.is_ok() => return Ok(()),
            Cause::NotAdvertised => {}
            cause => return Err(failure::explain(cause, url, rev, &said)),
        }
        self.ctx
            .detail(&format!("{url}: no fetch of {rev} alone: {said}"));
        let all = [
            "origin",
            "+refs/heads/*:refs/heads/*",
            "+refs/tags/*:refs/tags/*",
        ];
        fetch(filter, &all)?.map_err(|said| failure::explain(Cause::of(&said), url, rev, &said))?;
        if self.has(repository, rev) {
            return Ok(());
        }
        Err(failure::explain(Cause::NoRevision, url, rev, ""))
    }

    fn submodules(
        &self,
        repository: &Path,
        parent: &Revision<'_>,
        target: &Path,
        listed: &str,
    ) -> Result<()> {
        let Revision { url, rev, .. } = *parent;
        let mut links = submodule::links(listed);
        links.retain(|(path, _)| {
            !parent
                .exclude
                .iter()
                .any(|one| one.left_out(path).is_some())
        });
        if links.is_empty() {
            return Ok(());
        }
        let modules = format!("{rev}:.gitmodules");
        let read_modules = [
            "config",
            "--blob",
            &modules,
            "--null",
            "--get-regexp",
            r"^submodule\..*\.(path|url)$",
        ];
        // No file, no entries: the links below say what is missing.
        let entries = self
            .run(repository, &[], &read_modules, Trust::Full)
            .unwrap_or_default();
        let urls = submodule::urls(&entries);
        for (path, rev) in links {
            let declared = urls.get(path).ok_or_else(|| {
                Error::NoSubmoduleUrl {
                    url: url.to_owned(),
                    rev: parent.rev.to_owned(),
                    path: path.to_owned(),
                }
                .failure()
            })?;
            let child = submodule::resolve(url, declared);
            let exclude = parent.exclude.iter();
            let exclude: Vec<TreePattern> = exclude.filter_map(|one| one.below(path)).collect();
            let revision = Revision {
                url: &child,
                rev,
                submodules: true,
                exclude: &exclude,
            };
            self.tree(
                &revision,
                &target.join(path),
                Trust::of_submodule(url, &child),
            )
            .with_context(|| {
                format!(
                    "cannot fetch the submodule `{path}` of {url} at {}",
                    parent.rev
                )
            })?;
        }
        Ok(())
    }

    /// Runs git in a repository; the error is what it said.
    fn run(
        &self,
        repository: &Path,
        options: &[&str],
        arguments: &[&str],
        trust: Trust,
    ) -> Result<String, String> {
        let mut cmd = self.shell.cmd("git").arg("--git-dir").arg(repository);
        for setting in SETTINGS {
            cmd = cmd.arg("-c").arg(setting);
        }
        cmd = cmd.args(options).args(arguments);
        if trust == Trust::Remote {
            cmd = cmd.env("GIT_PROTOCOL_FROM_USER", "0");
        }
        let mut said = Vec::new();
        let ran = silent(cmd).and_then(|cmd| {
            process::watch(self.ctx, cmd, |line| said.extend(line.map(str::to_owned)))
        });
        match ran {
            Ok(((status, _), stdout)) if status.success() => Ok(stdout),
            Ok(((status, command), _)) if said.is_empty() => {
                Err(format!("`{command}` ended with {status}"))
            }
            Ok(_) => Err(said.join("\n")),
            Err(error) => Err(format!("{error:#}")),
        }
    }
}

/// git that asks nobody for anything and speaks one language.
fn silent(cmd: Cmd<'_>) -> Result<Cmd<'_>> {
    let cmd = cmd
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "")
        .env("SSH_ASKPASS_REQUIRE", "never")
        .env("GCM_INTERACTIVE", "never")
        .env("GIT_LFS_SKIP_SMUDGE", "1")
        .env("LC_ALL", "C")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE");
    if std::env::var_os("GIT_SSH").is_some() {
        return Ok(cmd);
    }
    let shell = Shell::new()?;
    let set = std::env::var("GIT_SSH_COMMAND").ok();
    let configured = cmd!(shell, "git config --get core.sshCommand");
    let program = set
        .or_else(|| process::capture(configured).ok())
        .map_or("ssh".to_owned(), |text| text.trim().to_owned());
    Ok(cmd.env(
        "GIT_SSH_COMMAND",
        format!("{program} -o BatchMode=yes -o ConnectTimeout=8"),
    ))
}

/// The files that are Git LFS pointers, below `root`, sorted.
fn pointers(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in WalkDir::new(root).sort_by_file_name() {
        let entry = entry?;
        let is_small = entry.file_type().is_file() && entry.metadata()?.len() < POINTER_SIZE;
        if is_small && fs_err::read(entry.path())?.starts_with(POINTER) {
            found.push(entry.path().strip_prefix(root)?.to_owned());
        }
    }
    Ok(found)
}
