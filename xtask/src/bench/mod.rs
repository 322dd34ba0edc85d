//! `bench`: this project and its peers, one after the other, on the same machine.
//!
//! A case gets a [`Bench`], sets up what it needs below its scratch directory, and records
//! every run. Nothing that a case makes outlives the run, and nothing of the user's is changed:
//! containers and images are in a storage of their own, checkouts are clones, stores are others.

mod case;
mod checkout;
pub mod data;
mod dockerfile;
mod ground;
mod machine;
mod measure;
mod meter;
mod podman;
mod recorder;
mod scratch;
mod shared;
mod store;

pub(crate) use ground::Wishes;
pub(crate) use measure::{measure, require_programs};
pub(crate) use scratch::{PREFIX, Scratch, remove};
pub(crate) use shared::Bench;
