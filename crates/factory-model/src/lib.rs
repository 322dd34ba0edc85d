//! Lists, locks, layers, names and records of builds: reads text, and nothing else.

pub mod build_record;
pub mod cuda;
pub mod deb822;
pub mod layer;
pub mod layers;
pub mod list;
pub mod lock;
pub mod nearest;
pub mod schema;
pub mod system;
pub mod tree_hashes;
pub mod verdict;
