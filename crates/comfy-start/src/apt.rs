//! Debian's mirrors, for `apt-get` in the container.
//!
//! The image has the sources that Debian's own apt package shows as an example.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::{At as _, Error};
use crate::files::replace;
use crate::say::{say, warn};

/// The sources of the image.
pub const SOURCES: &str = "/etc/apt/sources.list.d/debian.sources";

/// Mirrors to take instead of those.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirrors {
    /// `APT_MIRROR`: of Debian itself.
    pub debian: Option<String>,
    /// `APT_SECURITY_MIRROR`: of its security updates.
    pub security: Option<String>,
}

/// Writes the mirrors into the sources. Only root can use apt, so only root does it.
///
/// # Errors
///
/// The file is there and cannot be written.
pub fn use_mirrors(sources: &Path, mirrors: &Mirrors) -> Result<(), Error> {
    let is_root = rustix::process::geteuid().is_root();
    if *mirrors == Mirrors::default() || !is_root {
        return Ok(());
    }
    let text = match fs::read_to_string(sources) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            warn(&format!(
                "`{}` is not there, so APT_MIRROR changes nothing",
                sources.display()
            ));
            return Ok(());
        }
        text => text.at("read", sources)?,
    };
    let changed = replaced(&text, mirrors);
    if changed == text {
        return Ok(());
    }
    match replace(sources, changed.as_bytes()) {
        Err(error) if error.is_read_only() => {
            warn("the container is read-only, so APT_MIRROR changes nothing");
            Ok(())
        }
        written => {
            written?;
            say("apt takes packages from the mirror that APT_MIRROR or APT_SECURITY_MIRROR names");
            Ok(())
        }
    }
}

/// The sources in `deb822(5)` style, with other addresses. Which archive a stanza is of, its
/// suites say: an address may be a mirror's already.
fn replaced(text: &str, mirrors: &Mirrors) -> String {
    let stanza = |stanza: &str| {
        let suites = stanza.lines().find_map(|line| line.strip_prefix("Suites:"));
        let is_security = suites.is_some_and(|suites| suites.contains("-security"));
        let mirror = match is_security {
            true => &mirrors.security,
            false => &mirrors.debian,
        };
        let line = |line: &str| match mirror {
            Some(mirror) if line.starts_with("URIs:") => format!("URIs: {mirror}"),
            _ => line.to_owned(),
        };
        stanza.lines().map(line).collect::<Vec<_>>().join("\n")
    };
    let stanzas: Vec<String> = text.trim_end().split("\n\n").map(stanza).collect();
    stanzas.join("\n\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "## Of Debian.\nTypes: deb\nURIs: http://one.example/debian\nSuites: trixie trixie-updates\n\n\
        ## Security.\nTypes: deb\nURIs: http://one.example/debian-security\nSuites: trixie-security\n";

    #[test]
    fn ok_mirrors_are_replaced_by_archive() {
        let mirrors = |debian: &str, security: &str| {
            let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            Mirrors {
                debian: given(debian),
                security: given(security),
            }
        };
        assert_eq!(replaced(TEXT, &mirrors("", "")), TEXT);
        let both = replaced(
            TEXT,
            &mirrors("http://two.example/d", "http://two.example/s"),
        );
        insta::assert_snapshot!(both, @r"
        ## Of Debian.
        Types: deb
        URIs: http://two.example/d
        Suites: trixie trixie-updates

        ## Security.
        Types: deb
        URIs: http://two.example/s
        Suites: trixie-security
        ");
        // A container that is started again has a mirror's already.
        let again = replaced(&both, &mirrors("http://three.example/d", ""));
        assert!(again.contains("three.example/d") && again.contains("two.example/s"));
    }
}
