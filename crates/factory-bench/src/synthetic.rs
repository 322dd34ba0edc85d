//! Requests to the image tool with nothing in them, for images that are made to be measured.

/// A layer in which every large package has a blob: a quarter of the blobs is for small ones.
pub const LAYER_REQUEST: &str = r#"{
    "schema_version": 1,
    "name": "bench",
    "trees": [],
    "partition": {"max_blobs": 48, "alone_from_bytes": 16000000}
}"#;

/// An image.
pub const IMAGE_REQUEST: &str = r#"{
    "schema_version": 1,
    "name": "bench",
    "tag": "growth",
    "config": {},
    "architecture": "amd64",
    "os": "linux",
    "created": "1970-01-01T00:00:01Z",
    "layers": []
}"#;
