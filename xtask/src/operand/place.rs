//! Where an image is, by the word that the user has for it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use comfy_image::{Digest, Reference};

use factory_base::error;

/// Where an image is, by the word for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    Registry {
        repository: String,
        version: String,
    },
    Layout {
        directory: PathBuf,
        tag: Option<String>,
    },
    Description(PathBuf),
    Built {
        variant: Option<String>,
        layer: String,
    },
}

/// `HOST/NAME:TAG` or `HOST/NAME@DIGEST`; `None` for what names no registry.
pub(crate) fn remote(word: &str) -> Result<Option<(String, String)>> {
    let is_host = |host: &str| host.contains(['.', ':']) || host == "localhost";
    let Some((host, _)) = word.split_once('/') else {
        return Ok(None);
    };
    if !is_host(host) || host.starts_with('.') {
        return Ok(None);
    }
    let bad = |problem: &dyn std::fmt::Display| error::bad_input(format!("`{word}`: {problem}"));
    let (name, digest) = match word.split_once('@') {
        Some((name, digest)) => {
            let digest: Digest = digest.parse().map_err(|problem| bad(&problem))?;
            (name, Some(digest))
        }
        None => (word, None),
    };
    let has_tag = name
        .rsplit('/')
        .next()
        .is_some_and(|last| last.contains(':'));
    if digest.is_none() && !has_tag {
        return Err(bad(&"an image has a tag or a digest")
            .hint(format!("`{word}:TAG`"))
            .into());
    }
    let full = if has_tag {
        name.to_owned()
    } else {
        format!("{name}:none")
    };
    let reference: Reference = full.parse().map_err(|problem| bad(&problem))?;
    let version = digest.map_or_else(|| reference.tag().to_owned(), |digest| digest.to_string());
    Ok(Some((reference.repository().to_owned(), version)))
}

/// What the user means.
///
/// # Errors
/// It is the word for nothing that can be compared.
pub(super) fn place(word: &str) -> Result<Place> {
    let path = Path::new(word);
    let layout = |directory: &Path, tag: Option<&str>| Place::Layout {
        directory: directory.to_owned(),
        tag: tag.map(str::to_owned),
    };
    if path.join("oci-layout").is_file() {
        return Ok(layout(path, None));
    }
    if let Some((directory, tag)) = word.rsplit_once(':') {
        let directory = Path::new(directory);
        if directory.join("oci-layout").is_file() {
            return Ok(layout(directory, Some(tag)));
        }
    }
    // A store path is none of this machine where the store has a root of its own.
    if path.is_file() || path.starts_with("/nix/store") {
        return Ok(Place::Description(path.to_owned()));
    }
    if let Some((repository, version)) = remote(word)? {
        return Ok(Place::Registry {
            repository,
            version,
        });
    }
    if path.is_dir() {
        let text = format!("`{word}` is a directory, and no OCI layout");
        return Err(error::bad_input(text)
            .hint("`cargo xtask stream --oci-layout DIR` writes one")
            .into());
    }
    let is_layer = |text: &str| {
        text.starts_with("layer") || text.starts_with(|first: char| first.is_ascii_digit())
    };
    let (variant, layer) = match word.split_once('/') {
        Some((variant, layer)) => (Some(variant), layer),
        None if is_layer(word) => (None, word),
        None => (Some(word), factory_model::layer::LAST),
    };
    Ok(Place::Built {
        variant: variant.map(str::to_owned),
        layer: layer.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_words_for_images() {
        let remote = |word: &str| remote(word).unwrap();
        let pair =
            |repository: &str, version: &str| Some((repository.to_owned(), version.to_owned()));
        assert_eq!(remote("ghcr.io/me/x:1.2"), pair("ghcr.io/me/x", "1.2"));
        assert_eq!(remote("localhost:5000/x:a"), pair("localhost:5000/x", "a"));
        let digest = Digest::of(b"").to_string();
        let both = format!("ghcr.io/me/x:1@{digest}");
        assert_eq!(remote(&both), pair("ghcr.io/me/x", &digest));
        for word in [
            "slim",
            "slim/05",
            "origin/main",
            "HEAD~1",
            "../x/y",
            "./x/y:1",
        ] {
            assert_eq!(remote(word), None, "{word}");
        }
        let built = |variant: Option<&str>, layer: &str| Place::Built {
            variant: variant.map(str::to_owned),
            layer: layer.to_owned(),
        };
        assert_eq!(place("slim").unwrap(), built(Some("slim"), "last"));
        assert_eq!(place("slim/05").unwrap(), built(Some("slim"), "05"));
        assert_eq!(place("layer05").unwrap(), built(None, "layer05"));
        let elsewhere = "/nix/store/vlknwyrbkzisi095h3w9pv4px1nb9fsh-layer02-image";
        assert_eq!(
            place(elsewhere).unwrap(),
            Place::Description(elsewhere.into())
        );
    }

    #[test]
    fn ok_layouts_with_and_without_a_tag() {
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("oci-layout"), "").unwrap();
        let word = directory.path().display().to_string();
        let layout = |tag: Option<&str>| Place::Layout {
            directory: directory.path().to_owned(),
            tag: tag.map(str::to_owned),
        };
        assert_eq!(place(&word).unwrap(), layout(None));
        assert_eq!(place(&format!("{word}:a")).unwrap(), layout(Some("a")));
    }

    #[test]
    fn err_words_for_no_image() {
        for word in ["ghcr.io/me/x", "ghcr.io/Me/x:1", "ghcr.io/me/x@sha256:1"] {
            let error = place(word).unwrap_err();
            assert_eq!(error::kind_of(&error), error::Kind::BadInput, "{word}");
        }
        let directory = tempfile::tempdir().unwrap();
        let error = place(directory.path().to_str().unwrap()).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("is a directory, and no OCI layout")
        );
    }
}
