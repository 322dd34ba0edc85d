//! `--cuda-arch native`: the GPUs of this machine.

use anyhow::Result;
use xshell::{Shell, cmd};

use factory_base::error::{self, Failure};
use factory_base::process;
use factory_model::cuda::{self, CudaArchitecture, Wanted};

const NAME_IT: &str =
    "name the architecture, which docs/gpus.md has for each GPU: `--cuda-arch 9.0`";

/// The architectures that the user's words mean, in their order, each once.
///
/// # Errors
/// `native` is among them, and the driver does not say what GPUs there are.
pub(crate) fn architectures(wanted: &[Wanted]) -> Result<Vec<CudaArchitecture>> {
    let mut found = Vec::new();
    for one in wanted {
        match one {
            Wanted::Named(named) => found.push(named.clone()),
            Wanted::Native => {
                let devices = of_this_machine()?;
                found.extend(devices.into_iter().filter(|one| !is_named(wanted, one)));
            }
        }
    }
    Ok(found)
}

fn is_named(wanted: &[Wanted], device: &CudaArchitecture) -> bool {
    let same = |one: &Wanted| matches!(one, Wanted::Named(named) if named.has_code_of(device));
    wanted.iter().any(same)
}

fn of_this_machine() -> Result<Vec<CudaArchitecture>> {
    let failed = |why: String| {
        error::environment(format!("`--cuda-arch native` finds no GPU here: {why}")).hint(NAME_IT)
    };
    if process::find("nvidia-smi").is_none() {
        return Err(failed(
            "`nvidia-smi`, which comes with NVIDIA's driver, is not on PATH".to_owned(),
        )
        .into());
    }
    let shell = Shell::new()?;
    let query = "--query-gpu=compute_cap";
    let printed = process::capture(cmd!(shell, "nvidia-smi {query} --format=csv,noheader"))
        .map_err(|error| failed(format!("{error:#}")))?;
    let devices = cuda::of_devices(&printed).map_err(|reason| -> Failure {
        failed(format!(
            "`nvidia-smi` says `{}`, and {reason}",
            printed.trim().replace('\n', ", ")
        ))
    })?;
    if devices.is_empty() {
        return Err(failed("`nvidia-smi` names none".to_owned()).into());
    }
    Ok(devices)
}
