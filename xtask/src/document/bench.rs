//! What `bench` prints and keeps; the data themselves are types of `factory-bench`.

use factory_bench::{Case, Earlier, Measured};
use serde::Serialize;

use super::Document;

impl Document for Measured {
    const NAME: &'static str = "bench-result";
    const SCHEMA_VERSION: u32 = factory_bench::VERSION;
}

impl Document for Earlier {
    const NAME: &'static str = "bench-earlier";
    const SCHEMA_VERSION: u32 = factory_bench::VERSION;
}

/// What `bench` measured.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BenchReport {
    /// Each case, in the order in which they ran.
    pub cases: Vec<Measured>,
}

impl Document for BenchReport {
    const NAME: &'static str = "bench";
}

/// Which cases there are.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BenchList {
    /// Each case, the quick ones first.
    pub cases: Vec<BenchListCase>,
}

impl Document for BenchList {
    const NAME: &'static str = "bench-list";
}

/// One case.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BenchListCase {
    /// Its name.
    pub case: Case,
    /// What is measured.
    pub what: String,
    /// What it is compared with.
    pub against: String,
    /// Programs that it needs besides.
    pub programs: Vec<String>,
    /// Free disk that it needs.
    pub disk_bytes: u64,
    /// Minutes of one run of each, setting up included, on two cores.
    pub minutes: u32,
}
