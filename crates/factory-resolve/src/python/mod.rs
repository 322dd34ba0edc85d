//! Python packages: the `.txt` lists in, `locks/python/*.toml` out.
//!
//! uv resolves for the image's interpreter; which file of a release is taken, and which
//! layer owns it, is decided here.

mod assemble;
mod error;
mod exclusions;
mod explain;
mod inputs;
mod interpreter;
mod list_hash;
mod name;
mod native;
mod partition;
mod pep508;
mod requests;
mod requirement;
mod resolution;
mod resolve;
mod sdists;
mod share;
mod shared;
mod sources;
mod stored;
mod update;
mod uv;
mod variants;
mod wheel;
mod wheel_files;

pub use error::Error;
pub use exclusions::{Class, Exclusion, Exclusions, Requested};
pub use name::PackageName;
pub use requirement::{Requirement, parse_list};
pub use resolve::Options;
pub use sources::{
    SourcesUpdate, check as check_sources, left_out as left_out_of_trees, update as update_sources,
};
pub use update::{VariantUpdate, check, check_exclusions, read_lock, update};
pub use variants::{Direct, Provided, Variant, Variants};
pub use wheel::{Abi, Target, WheelFilename};
pub use wheel_files::{LeftOut, WheelFiles};
