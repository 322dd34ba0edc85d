//! The program on real file systems, real signals and real engines.

mod containers;
mod engine;
mod fixture;
mod histories;
mod kill;
mod process;
mod volume;
