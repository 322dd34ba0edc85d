//! Downloads: parallel, resumable, hashed while streamed. Knows no Nix.

mod apt;
mod credentials;
pub mod deb;
mod download;
pub mod git;
mod http;
mod locate;
mod netrc;
mod parallel;
mod progress;
mod pypi;
mod registry;
mod resolver;
mod retry;

pub use apt::Mirrors;
pub use download::{Done, Downloader, Job, is_fatal};
pub use http::{Candidate, Http, Request, RequestError, host_of};
pub use locate::Locations;
pub use parallel::for_each;
pub use progress::Progress;
pub use pypi::Indexes;
pub use registry::{Registry, Traffic};
