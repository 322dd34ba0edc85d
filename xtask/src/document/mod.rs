//! The JSON documents that `--json` prints, a type for each; `docs/schemas/` has their schemas.

mod bench;
mod build;
mod compare;
mod deliver;
mod inspect;
mod locks;
mod machine;
mod verify;

use anyhow::Result;
use serde::Serialize;

use crate::ctx::Ctx;

pub use bench::{BenchList, BenchListCase, BenchReport};
pub use build::{
    Blob, Built, BuiltLayer, LayerStatus, PlannedBuild, PlannedSource, State, Status, WouldBuild,
};
pub use compare::{Against, AgainstKind, ComparedImage, Diff, Moved, Planned};
pub use deliver::{
    Attached, AttachedDocument, Load, Loaded, LoadedVia, Pushed, PushedImage, ServedImage, Serving,
    Streamed,
};
pub use inspect::{
    InspectedBlob, InspectedContents, InspectedDocument, InspectedImage, InspectedProvenance,
    InspectedReport, Signed,
};
pub use locks::{CheckedLocks, UpdatedLocks};
pub use machine::{
    Check, CheckState, Clean, CleanItem, Doctor, Fetched, MissingSource, Saved, WouldFetch,
};
pub use verify::{ListedCheck, ListedChecks};

/// What a command prints with `--json`.
pub trait Document: Serialize {
    /// The name of its schema: `docs/schemas/NAME.json`.
    const NAME: &'static str;
    /// A new field keeps the version; a field that goes or changes its meaning raises it.
    const SCHEMA_VERSION: u32 = 1;
}

impl Document for factory_verify::report::Report {
    const NAME: &'static str = "verify";
    const SCHEMA_VERSION: u32 = 2;
}

impl Document for factory_report::Report {
    const NAME: &'static str = "report";
}

/// Not printed: the file of a build in the cache, which `report` reads.
impl Document for factory_model::build_record::BuildRecord {
    const NAME: &'static str = "build-record";
    const SCHEMA_VERSION: u32 = factory_model::schema::VERSION;
}

/// A document with its version, which comes first.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Versioned<T> {
    /// Raised when a field goes or changes its meaning; a new field keeps it.
    schema_version: u32,
    #[serde(flatten)]
    document: T,
}

fn versioned<T: Document>(document: &T) -> Versioned<&T> {
    Versioned {
        schema_version: T::SCHEMA_VERSION,
        document,
    }
}

/// Prints a document on stdout, on one line.
pub(crate) fn print(ctx: &Ctx, document: &impl Document) -> Result<()> {
    let text = serde_json::to_string(&versioned(document))?;
    Ok(ctx.ui.data(text)?)
}

/// A document for a file.
pub(crate) fn pretty(document: &impl Document) -> Result<String> {
    Ok(serde_json::to_string_pretty(&versioned(document))?)
}

/// The schema of each document (JSON Schema, draft 2020-12), by name.
#[cfg(feature = "schema")]
pub fn schemas() -> std::collections::BTreeMap<&'static str, serde_json::Value> {
    fn schema<T: Document + schemars::JsonSchema>() -> (&'static str, serde_json::Value) {
        let mut schema = schemars::schema_for!(Versioned<T>);
        schema.insert("title".to_owned(), T::NAME.into());
        if let Some(about) = schemars::schema_for!(T).get("description") {
            schema.insert("description".to_owned(), about.clone());
        }
        let mut schema = schema.to_value();
        schema["properties"]["schema_version"]["const"] = T::SCHEMA_VERSION.into();
        (T::NAME, schema)
    }
    [
        schema::<Attached>(),
        schema::<BenchList>(),
        schema::<BenchReport>(),
        schema::<Built>(),
        schema::<CheckedLocks>(),
        schema::<Clean>(),
        schema::<Diff>(),
        schema::<Doctor>(),
        schema::<Fetched>(),
        schema::<InspectedImage>(),
        schema::<ListedChecks>(),
        schema::<Load>(),
        schema::<Planned>(),
        schema::<Pushed>(),
        schema::<Saved>(),
        schema::<Serving>(),
        schema::<Status>(),
        schema::<Streamed>(),
        schema::<UpdatedLocks>(),
        schema::<WouldBuild>(),
        schema::<WouldFetch>(),
        schema::<factory_bench::Earlier>(),
        schema::<factory_bench::Measured>(),
        schema::<factory_model::build_record::BuildRecord>(),
        schema::<factory_report::Report>(),
        schema::<factory_verify::report::Report>(),
    ]
    .into()
}
