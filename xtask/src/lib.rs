//! The command line of the image factory, as a library so that tests can call it.
//!
//! `cmd/` has one subcommand in each file; what several of them need stands beside it.

mod alternatives;
mod attaching;
mod baseline;
pub mod bench;
mod built;
mod changes;
pub mod cli;
pub mod cmd;
mod comparison;
pub mod ctx;
pub mod document;
mod dry_run;
mod estimate;
pub mod exit;
mod head;
mod inspection;
mod interruptible;
mod inventory;
mod known;
mod loading;
mod lock_diff;
mod native;
mod operand;
mod outgoing;
mod outlook;
mod prospect;
mod pulling;
mod realize;
mod removal;
mod reporting;
mod reproducible;
mod revision;
mod select;
mod siblings;
mod transfer;
pub mod ui;
mod verified;
