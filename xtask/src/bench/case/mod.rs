//! One case in each file: what is set up, what is run, in turn.

mod cold_layers;
mod comment;
mod edit;
mod growth;
mod load;
mod no_op;
mod push;
mod relock;
mod start;
mod stream;

use anyhow::Result;
use factory_bench::Case;

use crate::bench::recorder::Recorder;
use crate::bench::shared::Bench;

/// Runs a case. Whether Nix and the variant had a part in it is the answer.
///
/// # Errors
/// Whatever is measured fails with.
pub(super) fn run(bench: &Bench<'_>, case: Case, recorder: &mut Recorder<'_>) -> Result<bool> {
    match case {
        Case::Stream => stream::run(bench, recorder).map(|()| false),
        Case::Growth => growth::run(bench, recorder).map(|()| false),
        Case::Relock => relock::run(bench, recorder).map(|()| false),
        Case::NoOp => no_op::run(bench, recorder).map(|()| true),
        Case::ImportTorch => start::import_torch(bench, recorder).map(|()| false),
        Case::ComfyuiStart => start::comfyui(bench, recorder).map(|()| false),
        Case::Push => push::run(bench, recorder).map(|()| true),
        Case::ColdLayers => cold_layers::run(bench, recorder, false).map(|()| true),
        Case::ByteCode => cold_layers::run(bench, recorder, true).map(|()| true),
        Case::Load => load::run(bench, recorder).map(|()| true),
        Case::Edit => edit::run(bench, recorder).map(|()| true),
        Case::Comment => comment::run(bench, recorder).map(|()| true),
    }
}
