//! apt in a private root: own state, own lists, own keyring; the machine's mirrors and proxies.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};

use super::config::{Config, Keyring};
use super::error::Error;
use super::inputs::Inputs;
use crate::context::Context;
use factory_base::error::Explain as _;
use factory_base::process;
use factory_fetch::Mirrors;
use factory_model::lock::Sha256;

/// Settings of the machine's apt that reach the private root: how to get through to
/// a mirror, never what to trust (a machine may have turned date checks off).
const SHARED_SETTINGS: [&str; 4] = [
    "Acquire::http::",
    "Acquire::https::",
    "Acquire::Retries ",
    "Acquire::Proxy",
];

/// Words of apt about a Release file that Debian did not sign.
const UNSIGNED: [&str; 4] = ["NO_PUBKEY", "BADSIG", "EXPKEYSIG", "is not signed"];

/// Where the lists that `solve` sees are, in the private root.
const REACHABLE: &str = "state/reachable";

/// A private root with fresh, verified package indexes.
pub(super) struct Apt {
    directory: PathBuf,
    shell: Shell,
}

/// One file of the indexes, as `apt-get indextargets` names it.
pub(super) struct IndexFile {
    /// Suite as in the sources.
    pub suite: String,
    /// Uncompressed `Packages` file.
    pub file: PathBuf,
}

impl IndexFile {
    /// The suite's Release file, and its signature if that stands apart.
    fn release(&self) -> Vec<PathBuf> {
        // `HOST_PATH_dists_SUITE_main_binary-amd64_Packages` stands beside `…_SUITE_InRelease`.
        let file = self.file.to_string_lossy();
        let Some((stem, _)) = file.rsplit_once("_main_binary-") else {
            return Vec::new();
        };
        let names = ["InRelease", "Release", "Release.gpg"];
        let paths = names.map(|name| PathBuf::from(format!("{stem}_{name}")));
        paths.into_iter().filter(|path| path.exists()).collect()
    }
}

/// The candidate that apt chose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Chosen {
    pub name: String,
    pub version: String,
}

impl Apt {
    /// Makes the root and downloads the indexes; unchanged ones cost one request each.
    pub fn open(ctx: &dyn Context, inputs: &Inputs, allow_expired: &[String]) -> Result<Self> {
        let config = &inputs.config;
        if process::find("apt-get").is_none() {
            return Err(Error::NoApt.failure().into());
        }
        let directory = inputs.system.below(&ctx.cache().join("apt"));
        for below in [
            "etc/preferences.d",
            "etc/apt.conf.d",
            "state/lists/partial",
            "state/reachable/partial",
            "cache/archives/partial",
            "keyring",
        ] {
            fs_err::create_dir_all(directory.join(below))?;
        }
        let apt = Self {
            directory,
            shell: Shell::new()?,
        };
        apt.write_configuration(config)?;
        let mirrors = Mirrors::of_machine()?;
        require_archives(&mirrors, config)?;
        let keyring = apt.keyring(ctx, &config.keyring, &mirrors)?;
        apt.write_sources(config, &mirrors, &keyring, allow_expired)?;
        apt.write("etc/preferences", "")?;
        apt.write("state/status", "")?;
        let architecture = &config.architecture;
        ctx.step(
            "Fetching",
            &format!("Debian package indexes ({architecture})"),
        );
        apt.refresh()?;
        Ok(apt)
    }

    /// The files of the indexes that were just verified.
    pub fn indexes(&self) -> Result<Vec<IndexFile>> {
        let format = "$(RELEASE)|$(FILENAME)";
        let filter = "Created-By: Packages";
        let sh = &self.shell;
        let text = process::capture(
            self.environment(cmd!(sh, "apt-get indextargets --format {format} {filter}")),
        )?;
        Ok(text
            .lines()
            .filter_map(|line| line.split_once('|'))
            .map(|(suite, file)| IndexFile {
                suite: suite.to_owned(),
                file: file.into(),
            })
            .collect())
    }

    /// The `Date` of each suite's Release file.
    pub fn release_dates(indexes: &[IndexFile]) -> Result<BTreeMap<String, String>> {
        let mut dates = BTreeMap::new();
        for index in indexes {
            let release = index.release().into_iter().next().ok_or_else(|| {
                let suite = index.suite.clone();
                Error::NoRelease { suite }.failure()
            })?;
            let text = fs_err::read_to_string(&release)?;
            if let Some(date) = text.lines().find_map(|line| line.strip_prefix("Date: ")) {
                dates.insert(index.suite.clone(), date.trim().to_owned());
            }
        }
        Ok(dates)
    }

    /// Lets `solve` see these texts instead of the `Packages` files, each in the place of one:
    /// apt takes seconds for each root where it reads whole suites. What they say of hashes is
    /// not looked at any more; it was compared with the signed Release file before.
    pub fn show(&self, indexes: &[IndexFile], texts: &[String]) -> Result<()> {
        let directory = self.directory.join(REACHABLE);
        fs_err::remove_dir_all(&directory)?;
        fs_err::create_dir_all(directory.join("partial"))?;
        for (index, text) in indexes.iter().zip(texts) {
            for file in index.release().iter().chain([&index.file]) {
                let name = file.file_name().context("a file of apt has a name")?;
                let shown = directory.join(name);
                match file == &index.file {
                    true => fs_err::write(shown, text)?,
                    false => fs_err::copy(file, shown).map(drop)?,
                }
            }
        }
        Ok(())
    }

    /// Solves one root with what `show` has: what must be added to `status` (control stanzas of
    /// what is there).
    pub fn solve(
        &self,
        names: &[&str],
        dependencies: bool,
        status: &str,
        preferences: &str,
    ) -> Result<Result<Vec<Chosen>, String>> {
        self.write("state/status", status)?;
        self.write("etc/preferences", preferences)?;
        let sh = &self.shell;
        let command = if dependencies {
            cmd!(sh, "apt-get --yes --no-remove --print-uris install")
        } else {
            cmd!(sh, "apt-get --print-uris download")
        };
        let lists = self.directory.join(REACHABLE);
        let command = command
            .arg("--option")
            .arg(format!("Dir::State::lists={}/", lists.display()))
            // So little is read that nothing need be kept.
            .args(["--option", "Dir::Cache::pkgcache="])
            .args(["--option", "Dir::Cache::srcpkgcache="]);
        let command = self.environment(command.arg("--").args(names));
        let mut lines = Vec::new();
        let ((status, _), stdout) = process::run(command, |line| lines.push(line.to_owned()))?;
        if !status.success() {
            // The solver explains broken dependencies on stdout.
            let explained = stdout
                .lines()
                .skip_while(|line| !line.starts_with("The following packages have unmet"))
                .map(str::to_owned);
            lines.splice(0..0, explained);
            return Ok(Err(lines.join("\n")));
        }
        let mut chosen = stdout
            .lines()
            .filter(|line| line.starts_with('\''))
            .map(parse_print_uris)
            .collect::<Result<Vec<Chosen>, Error>>()
            .map_err(|error| error.failure())?;
        chosen.sort();
        Ok(Ok(chosen))
    }

    /// A package's installed or candidate state needs the raw stanzas: see `solve`.
    fn refresh(&self) -> Result<()> {
        let sh = &self.shell;
        let command = self.environment(cmd!(
            sh,
            // Nothing ever asks for all packages, so apt need not index them.
            "apt-get --quiet=2 -o APT::Update::Error-Mode=any -o pkgCacheFile::Generate=false update"
        ));
        let mut lines = Vec::new();
        let ((status, text), _) = process::run(command, |line| lines.push(line.to_owned()))?;
        if let Some((suite, since)) = lines.iter().find_map(|line| expired_suite(line)) {
            return Err(Error::Expired { suite, since }.failure().into());
        }
        let is_unsigned = |line: &&String| UNSIGNED.iter().any(|word| line.contains(word));
        if let Some(line) = lines.iter().find(is_unsigned) {
            let line = line.trim_start_matches(['E', 'W', ':', ' ']).to_owned();
            return Err(Error::Unsigned { line }.failure().into());
        }
        process::finish(&text, status, &lines)
            .map_err(|error| error.context(Error::Indexes.failure()))
    }

    fn environment<'a>(&self, cmd: xshell::Cmd<'a>) -> xshell::Cmd<'a> {
        cmd.env("APT_CONFIG", self.directory.join("apt.conf"))
            .env("LC_ALL", "C.UTF-8")
            .env_remove("APT_LISTCHANGES_FRONTEND")
    }

    fn write(&self, below: &str, text: &str) -> Result<()> {
        factory_base::fs::write_atomic(&self.directory.join(below), text.as_bytes())
    }

    fn write_configuration(&self, config: &Config) -> Result<()> {
        let sh = &self.shell;
        let machine = process::capture(cmd!(sh, "apt-config dump"))?;
        let mut text = String::new();
        for line in machine.lines() {
            if SHARED_SETTINGS.iter().any(|name| line.starts_with(name)) {
                writeln!(text, "{line}")?;
            }
        }
        let directory = self.directory.display();
        write!(
            text,
            r#"Dir "{directory}";
Dir::State "{directory}/state";
Dir::State::status "{directory}/state/status";
Dir::Cache "{directory}/cache";
Dir::Etc "{directory}/etc";
Dir::Etc::netrc "/etc/apt/auth.conf";
Dir::Etc::netrcparts "/etc/apt/auth.conf.d";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Get::Show-User-Simulation-Note "false";
Acquire::Languages "none";
Acquire::ForceHash "SHA256";
Acquire::GzipIndexes "false";
Acquire::Check-Valid-Until "true";
"#,
            architecture = config.architecture
        )?;
        if std::env::var_os("USER").is_none_or(|user| user == "root") {
            // apt would drop to `_apt`, who cannot read a cache below root's home.
            text.push_str("APT::Sandbox::User \"root\";\n");
        }
        self.write("apt.conf", &text)
    }

    fn write_sources(
        &self,
        config: &Config,
        mirrors: &Mirrors,
        keyring: &Path,
        allow_expired: &[String],
    ) -> Result<()> {
        let known = |suite: &String| config.suites.iter().any(|known| known.name == *suite);
        if let Some(unknown) = allow_expired.iter().find(|suite| !known(suite)) {
            let suite = unknown.clone();
            return Err(Error::UnknownSuite { suite }.failure().into());
        }
        let mut text = String::new();
        for suite in &config.suites {
            let base = mirrors
                .base(&suite.archive)
                .context("mirrors were checked before")?;
            let dates = if allow_expired.contains(&suite.name) {
                " check-valid-until=no"
            } else {
                ""
            };
            writeln!(
                text,
                "deb [arch={} signed-by={}{dates}] {base} {} main",
                config.architecture,
                keyring.display(),
                suite.name
            )?;
        }
        self.write("etc/sources.list", &text)
    }

    /// The pinned keyring, unpacked once; the machine's own when the mirror no longer has it.
    fn keyring(&self, ctx: &dyn Context, pin: &Keyring, mirrors: &Mirrors) -> Result<PathBuf> {
        let file = self.directory.join(format!("keyring/{}.gpg", pin.sha256));
        if file.exists() {
            return Ok(file);
        }
        let base = mirrors
            .base(&pin.archive)
            .context("mirrors were checked before")?;
        let (url, deb) = (
            format!("{base}/{}", pin.path),
            self.directory.join("keyring/keyring.deb"),
        );
        if let Err(error) = download(&url, &deb, pin.sha256) {
            let own = Path::new("/usr/share/keyrings/debian-archive-keyring.gpg");
            if own.exists() {
                ctx.warn(&format!(
                    "the pinned archive keyring cannot be downloaded; using `{}` instead",
                    own.display()
                ));
                return Ok(own.to_owned());
            }
            return Err(error.context(Error::Keyring.failure()));
        }
        let sh = &self.shell;
        let unpacked = self.directory.join("keyring/unpacked");
        process::capture(cmd!(sh, "dpkg-deb -x {deb} {unpacked}"))?;
        factory_base::fs::write_atomic(&file, &fs_err::read(unpacked.join(&pin.member))?)?;
        fs_err::remove_dir_all(&unpacked)?;
        fs_err::remove_file(&deb)?;
        Ok(file)
    }
}

/// Each archive of the configuration must be among the machine's sources.
fn require_archives(mirrors: &Mirrors, config: &Config) -> Result<()> {
    for suite in &config.suites {
        if mirrors.base(&suite.archive).is_none() {
            let archive = suite.archive.clone();
            return Err(Error::NoMirror { archive }.failure().into());
        }
    }
    Ok(())
}

/// Downloads a file through apt's own transports and proxies; apt checks the hash.
///
/// # Errors
/// Not reachable, or other bytes.
fn download(url: &str, target: &Path, sha256: Sha256) -> Result<()> {
    let sh = Shell::new()?;
    let helper = "/usr/lib/apt/apt-helper";
    let hash = format!("SHA256:{sha256}");
    process::capture(cmd!(sh, "{helper} download-file {url} {target} {hash}"))?;
    Ok(())
}

/// `'URL' NAME_VERSION_ARCH.deb SIZE SHA256:HEX`; an epoch's colon stands as `%3a`.
fn parse_print_uris(line: &str) -> Result<Chosen, Error> {
    let file = line.split(' ').nth(1).unwrap_or_default();
    let mut parts = file.split('_');
    let (Some(name), Some(version)) = (parts.next(), parts.next()) else {
        let line = line.to_owned();
        return Err(Error::UnexpectedLine { line });
    };
    Ok(Chosen {
        name: name.to_owned(),
        version: version.replace("%3a", ":").replace("%3A", ":"),
    })
}

/// `E: Release file for URL/dists/SUITE/InRelease is expired (invalid since …).`
fn expired_suite(line: &str) -> Option<(String, String)> {
    let rest = line.split_once("Release file for ")?.1;
    let (url, rest) = rest.split_once(" is expired (")?;
    let suite = url.split_once("/dists/")?.1;
    let suite = suite.rsplit_once('/').map_or(suite, |(suite, _)| suite);
    Some((
        suite.to_owned(),
        rest.split(')').next().unwrap_or_default().to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_print_uris_with_epoch() {
        let line = "'http://mirror.example/pool/main/g/gcc/g%2b%2b_4%3a14_amd64.deb' g++_4%3a14_amd64.deb 1 SHA256:00";
        assert_eq!(
            parse_print_uris(line).unwrap(),
            Chosen {
                name: "g++".into(),
                version: "4:14".into()
            }
        );
    }

    #[test]
    fn ok_expired_line() {
        let line = "E: Release file for http://mirror.example/debian/dists/forky/InRelease is expired (invalid since 16d 9h 14min 36s). Updates for this repository will not be applied.";
        assert_eq!(
            expired_suite(line),
            Some((
                "forky".to_owned(),
                "invalid since 16d 9h 14min 36s".to_owned()
            ))
        );
    }
}
