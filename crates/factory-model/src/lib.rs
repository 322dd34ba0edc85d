//! Lists, locks, layers and names: reads text, and nothing else.

pub mod cuda;
pub mod deb822;
pub mod layer;
pub mod layers;
pub mod list;
pub mod lock;
pub mod nearest;
pub mod schema;
