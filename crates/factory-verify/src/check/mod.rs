//! What people write about checks: `layers/NN-name/checks/*.toml`.
//!
//! Pure: text in, types out, and every fault with its line.

mod declaration;
mod image_config;
mod import_rules;
mod syntax;

pub use declaration::parse_capability;
pub use declaration::{Body, Check, Needs, StandardInput};
pub use image_config::ImageConfig;
pub use import_rules::{ImportRules, Slow};
pub use syntax::SyntaxError;

/// The file beside the checks that says which distributions are not imported like the others.
pub const IMPORTS_FILE: &str = "imports.toml";

/// Names that no check may have: these are made by `verify` itself.
pub const RESERVED: [&str; 2] = [IMPORTS, GPU_MEMORY];

/// The check that imports every distribution.
pub const IMPORTS: &str = "imports";

/// The check that compares the memory in use of each GPU before and after all others.
pub const GPU_MEMORY: &str = "gpu-memory";
