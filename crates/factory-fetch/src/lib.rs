//! Downloads: parallel, resumable, hashed while streamed. Knows no Nix.

mod apt;
mod context;
mod download;
mod error;
pub mod git;
pub mod http;
mod job;
mod locate;
mod nar;
mod netrc;
mod pace;
mod parallel;
mod part;
mod probe;
mod progress;
mod proxy;
mod pypi;
mod record;
mod resolver;
pub mod retry;
mod tree;

pub use apt::Mirrors;
pub use context::Context;
pub use download::{Downloader, is_fatal};
pub use error::Error;
pub use http::{Candidate, Http, Request, RequestError, host_of};
pub use job::{Done, Job};
pub use locate::Locations;
pub use nar::hash as nar_hash;
pub use pace::Pace;
pub use parallel::for_each;
pub use probe::{Silent, is_local};
pub use progress::Progress;
pub use pypi::Indexes;
pub use record::{RecordEntry, RemoteWheel};
