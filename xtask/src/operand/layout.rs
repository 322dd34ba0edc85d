//! OCI layout directories (OCI image specification, image-layout.md).

use std::path::{Path, PathBuf};

use anyhow::Result;
use comfy_image::Digest;
use serde::Deserialize;

use factory_base::error;

/// The index of a layout.
#[derive(Deserialize)]
pub(super) struct Index {
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    digest: Digest,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

impl Index {
    pub(super) fn read(directory: &Path) -> Result<Self> {
        let file = directory.join("index.json");
        let text = fs_err::read_to_string(&file)?;
        let index = serde_json::from_str(&text);
        index.map_err(|source| {
            error::bad_input(format!("`{}` cannot be read: {source}", file.display())).into()
        })
    }

    pub(super) fn manifest(&self, word: &str, tag: Option<&str>) -> Result<Digest> {
        let tag_of = |entry: &Entry| {
            entry
                .annotations
                .get("org.opencontainers.image.ref.name")
                .cloned()
        };
        let is_wanted = |entry: &&Entry| tag.is_none() || tag_of(entry).as_deref() == tag;
        let found: Vec<&Entry> = self.manifests.iter().filter(is_wanted).collect();
        if let [one] = found.as_slice() {
            return Ok(one.digest);
        }
        let tags: Vec<String> = self.manifests.iter().filter_map(tag_of).collect();
        let text = format!("`{word}` is {} images", found.len());
        Err(error::bad_input(text)
            .hint(format!(
                "name one as `DIR:TAG`; the tags are `{}`",
                tags.join("`, `")
            ))
            .into())
    }
}

/// A document of a layout, whose digest is checked.
pub(super) fn document(directory: &Path, digest: &Digest) -> Result<String> {
    let file = blob_file(directory, digest);
    let text = fs_err::read_to_string(&file)?;
    let found = Digest::of(text.as_bytes());
    if found == *digest {
        return Ok(text);
    }
    Err(error::not_right(format!("`{}` has the digest {found}", file.display())).into())
}

pub(super) fn blob_file(directory: &Path, digest: &Digest) -> PathBuf {
    directory.join("blobs/sha256").join(digest.hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_layouts_by_tag() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        fs_err::write(at.join("oci-layout"), "").unwrap();
        let entry = |text: &str, tag: &str| {
            format!(
                r#"{{"digest":"{}","annotations":{{"org.opencontainers.image.ref.name":"{tag}"}}}}"#,
                Digest::of(text.as_bytes())
            )
        };
        let index = format!(
            r#"{{"manifests":[{},{}]}}"#,
            entry("1", "a"),
            entry("2", "b")
        );
        fs_err::write(at.join("index.json"), index).unwrap();
        let index = Index::read(at).unwrap();
        assert_eq!(index.manifest("x", Some("b")).unwrap(), Digest::of(b"2"));
        let error = index.manifest("x", None).unwrap_err();
        insta::assert_snapshot!(format!("{error}\n{}", error::hints_of(&error).join("\n")), @r"
        `x` is 2 images
        name one as `DIR:TAG`; the tags are `a`, `b`
        ");
    }
}
