//! What is wrong with an image's documents or bytes.

/// An image that cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A document is not JSON, or lacks what the OCI image specification asks for.
    #[error("the {what} cannot be read: {source}")]
    Document {
        /// `manifest` or `config`.
        what: &'static str,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// An index stands where a manifest is wanted.
    #[error("it is an index of {n_images} images, not one image")]
    Index {
        /// So many manifests are in it.
        n_images: usize,
    },
    /// The config does not belong to the manifest.
    #[error("the manifest has {n_layers} layers, and the config {n_diff_ids} diff_ids")]
    Disagree {
        /// Layers of the manifest.
        n_layers: usize,
        /// Diff_ids of the config.
        n_diff_ids: usize,
    },
    /// A blob has an encoding that is not known here.
    #[error("blobs of the media type `{0}` cannot be read")]
    MediaType(String),
    /// The bytes of a blob are no archive, or do not come.
    #[error("cannot read the blob: {0}")]
    Archive(#[from] std::io::Error),
}
