//! From the container's start to ComfyUI's end.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::account::{become_user, name};
use crate::apt;
use crate::arguments::{has, split};
use crate::bundle::Area;
use crate::error::Error;
use crate::health::address;
use crate::manager::{self, Manager};
use crate::notice::{MODULES, Notice};
use crate::place::Place;
use crate::preflight::{check_gpu, check_port};
use crate::prepare::prepare;
use crate::say::{detail, say, warn};
use crate::scripts;
use crate::settings::Settings;
use crate::supervise::{Ending, EndsAtOnce, Supervisor};

/// Says that `set-proxy.sh` was read, and this environment is what it left.
const PROXY_READ: &str = "COMFY_START_PROXY_READ";

/// Tells ComfyUI of the image's preview weights where they cannot be copied.
const IMAGE_MODELS: &str = "/runner-scripts/image-models.yaml";

/// Prepares and runs ComfyUI; returns its exit status.
///
/// # Errors
///
/// Anything that keeps ComfyUI from being started.
pub fn run(settings: &Settings, given: &[String]) -> Result<u8, Error> {
    let guard = EndsAtOnce::begin()?;
    apt::use_mirrors(Path::new(apt::SOURCES), &settings.mirrors)?;
    become_user(settings)?;
    let scripts = settings.home.join("user-scripts");
    read_proxy(&scripts.join("set-proxy.sh"))?;
    say_omitted(&settings.bundle);

    let mut arguments = split(&settings.cli_args);
    arguments.extend_from_slice(given);
    if settings.is_checking {
        let require = settings.require_cuda.as_deref();
        check_gpu(&arguments, Path::new("/"), require)?;
        check_port(&arguments)?;
    }
    let place = Place::find(settings)?;
    std::fs::create_dir_all(&scripts).unwrap_or_else(|error| {
        detail(&format!("no directory `{}`: {error}", scripts.display()));
    });
    let comfyui = prepare(settings, &place)?;

    let supervisor = Supervisor::start(settings.stop)?;
    guard.end();
    let pre_start = scripts.join("pre-start.sh");
    if pre_start.exists() {
        say(&format!("running `{}`", pre_start.display()));
        let mut command = Command::new("bash");
        set_up(command.arg(&pre_start).current_dir(&place.base), &place);
        let (status, is_stopped) = supervisor.run(&mut command, "pre-start.sh", None)?;
        if is_stopped {
            return Ok(status);
        }
        if status != 0 {
            return Err(Error::Script {
                script: pre_start,
                status: status.into(),
            });
        }
    }
    let address = address(&arguments, None);
    let mut command = command(&place, &comfyui, settings.manager, arguments)?;
    let notice = Notice::give(&mut command, Path::new(MODULES)).map_err(|source| Error::Start {
        program: "a pipe to ComfyUI".to_owned(),
        source,
    })?;
    let ending = Ending { notice, address };
    let (status, is_stopped) = supervisor.run(&mut command, "ComfyUI", Some(ending))?;
    if !is_stopped || status != 0 {
        say(&format!("ComfyUI ended with status {status}"));
    }
    Ok(status)
}

/// Only prepares the volume.
///
/// # Errors
///
/// As [`run`].
pub fn only_prepare(settings: &Settings) -> Result<(), Error> {
    let _guard = EndsAtOnce::begin()?;
    become_user(settings)?;
    let place = Place::find(settings)?;
    let comfyui = prepare(settings, &place)?;
    say(&format!("ComfyUI is ready in `{}`", comfyui.display()));
    Ok(())
}

/// Sources the user's script, and goes on with the environment that it left.
fn read_proxy(script: &Path) -> Result<(), Error> {
    if std::env::var_os(PROXY_READ).is_some() || !script.exists() {
        return Ok(());
    }
    let environment = scripts::source(script)?;
    let failed = |source| Error::Start {
        program: "comfy-start".to_owned(),
        source,
    };
    let mut arguments = std::env::args_os();
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command
        .args(arguments)
        .env_clear()
        .envs(environment)
        .env(PROXY_READ, "1");
    Err(failed(command.exec()))
}

fn say_omitted(bundle: &Path) {
    if let Ok(names) = std::fs::read_to_string(bundle.join("omitted.txt")) {
        say(&format!(
            "this image was built with --omit git, so it lacks: {}",
            names.trim()
        ));
    }
}

/// The home directory and the user's name, for `getpass.getuser()` and caches.
fn set_up(command: &mut Command, place: &Place) {
    let name = name();
    command
        .env("HOME", &place.home)
        .env("USER", &name)
        .env("LOGNAME", &name)
        .env_remove(PROXY_READ);
}

fn command(
    place: &Place,
    comfyui: &Path,
    manager: Manager,
    arguments: Vec<String>,
) -> Result<Command, Error> {
    let mut words: Vec<OsString> = vec![comfyui.join("main.py").into()];
    words.extend(["--listen", "--port", "8188"].map(OsString::from));
    if *comfyui != place.base {
        words.extend(["--base-directory".into(), place.base.clone().into()]);
        let extra = place.base.join("extra_model_paths.yaml");
        if extra.exists() {
            words.extend(["--extra-model-paths-config".into(), extra.into()]);
        }
    }
    let models = place.base.join("models/vae_approx");
    let image_models = PathBuf::from(IMAGE_MODELS);
    let is_copied = place.writable.contains_key(&Area::Models);
    if !is_copied && image_models.exists() {
        words.extend(["--extra-model-paths-config".into(), image_models.into()]);
    }
    // The last of two equal options counts, so CLI_ARGS can choose another one.
    if models.join("taesd_decoder.pth").exists() {
        words.extend(["--preview-method", "taesd"].map(OsString::from));
    }
    let custom_nodes = place.base.join(Area::CustomNodes.name());
    if manager.needs_option(comfyui, &custom_nodes, &arguments)? {
        words.push(manager::OPTION.into());
    }
    if has(&arguments, "--base-directory") {
        warn("--base-directory moves ComfyUI away from the volume that was prepared");
    }
    words.extend(arguments.into_iter().map(OsString::from));
    let shown: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    say(&format!("starting ComfyUI: python3 {}", shown.join(" ")));
    let mut command = Command::new("python3");
    command.args(&words).current_dir(comfyui);
    set_up(&mut command, place);
    Ok(command)
}
