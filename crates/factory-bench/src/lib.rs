//! Results of benchmarks as data, and the tables that documents have of them.
//!
//! Pure: text in, text out. `xtask` runs what is measured; `bench/` has the data.

mod case;
mod earlier;
mod error;
mod marker;
mod measured;
mod statistics;
mod stray;
pub mod synthetic;
mod table;

pub use case::{About, Case};
pub use earlier::{Earlier, EarlierRow};
pub use error::Error;
pub use marker::{Tables, render};
pub use measured::{Machine, Measured, Run, Series, Side};
pub use statistics::Spread;
pub use stray::stray_figures;

/// The version of both documents; a field that goes or changes its meaning raises it.
pub const VERSION: u32 = 1;

/// What every document begins with.
#[derive(serde::Deserialize)]
struct Head {
    schema_version: u32,
}

/// Reads a document whose version is the one that is known.
fn parse<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, Error> {
    let bad = |problem: String| Error::BadData {
        file: file.to_owned(),
        problem,
    };
    let head: Head = serde_json::from_str(text).map_err(|source| bad(source.to_string()))?;
    if head.schema_version != VERSION {
        let version = head.schema_version;
        return Err(bad(format!(
            "its version is {version}, and {VERSION} is known"
        )));
    }
    serde_json::from_str(text).map_err(|source| bad(source.to_string()))
}
