//! Brings the volume to what the image holds, and keeps what is the user's.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::apply::{Job, NewDirectory, STAGING, apply, free_number};
use crate::bundle::{Area, Bundle, files};
use crate::entry::Entries;
use crate::error::{At as _, Error};
use crate::fetch;
use crate::files::{look, make_directory, remove_tree};
use crate::node::{Nodes, end, recall};
use crate::place::Place;
use crate::plan::{Decision, Policy, Target};
use crate::receipt::Receipt;
use crate::say::{detail, say, warn};
use crate::settings::Settings;

/// How many names a list in the log has at most.
const MAX_LISTED: usize = 20;

/// Where the user's files go that make way for ComfyUI's own.
const REPLACED: &str = ".replaced";

/// Brings everything to its place, and returns the directory whose `main.py` is to be run.
///
/// # Errors
///
/// There is no ComfyUI, or a file cannot be written.
pub fn prepare(settings: &Settings, place: &Place) -> Result<PathBuf, Error> {
    let _lock = lock(&place.base)?;
    let (core, directories) = sources(settings, place)?;
    let label = label(&settings.bundle, &directories)?;
    let bundle = Bundle::scan(&directories, &label)?;
    remove_stale(place)?;

    let mut jobs = Vec::new();
    if core == Core::Image {
        jobs.push(core_job(place, &bundle)?);
    }
    let mut areas = Vec::new();
    for (area, directory) in &place.writable {
        let receipt = Receipt::read(directory)?.unwrap_or_default();
        if receipt.bundle.as_ref() != Some(&bundle.identity) {
            let (job, nodes) = area_job(place, *area, directory, receipt, &bundle)?;
            areas.push((jobs.len(), nodes));
            jobs.push(job);
        }
    }
    report(&jobs, &areas, &bundle, settings);
    apply(&mut jobs)?;
    if core == Core::Image {
        let receipt = &mut jobs[0].targets[0].receipt;
        if std::mem::take(&mut receipt.is_taking_over) {
            receipt.write(&place.base)?;
        }
    }
    for (index, nodes) in areas {
        finish_area(&mut jobs[index], nodes, &bundle.identity)?;
    }
    if core == Core::Image {
        if let Some(checkout) = directories
            .iter()
            .find(|path| path.starts_with(&place.base))
        {
            fetch::forget_others(&place.base, checkout)?;
        }
    }
    let directory = match core {
        Core::Image => place.base.clone(),
        Core::Own(directory) => directory,
    };
    if look(&directory.join("main.py"))?.is_none() {
        return Err(Error::NoComfyUi { path: directory });
    }
    Ok(directory)
}

/// Says whose ComfyUI runs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Core {
    /// The image's, or the one that it names by revision.
    Image,
    /// The user's, as it is.
    Own(PathBuf),
}

/// Finds whose ComfyUI runs, and the directories that the image's files come from.
fn sources(settings: &Settings, place: &Place) -> Result<(Core, Vec<PathBuf>), Error> {
    let image = settings.bundle.join("ComfyUI");
    if let Some(directory) = &settings.comfyui_dir {
        say(&format!(
            "ComfyUI is yours, as COMFYUI_DIR says: `{}`",
            directory.display()
        ));
        return Ok((Core::Own(directory.clone()), vec![image]));
    }
    if is_own_checkout(&place.base)? {
        say(&format!(
            "`{}` is a git checkout of yours, and runs as it is",
            place.base.display()
        ));
        return Ok((Core::Own(place.base.clone()), vec![image]));
    }
    if look(&image.join("main.py"))?.is_some() {
        return Ok((Core::Image, vec![image]));
    }
    let path = settings.bundle.join("comfyui-revision");
    let revision = match &settings.revision {
        Some(revision) => revision.clone(),
        None => fs::read_to_string(&path)
            .at("read", &path)?
            .trim()
            .to_owned(),
    };
    let checkout = fetch::checkout(settings, &place.base, &revision)?;
    Ok((Core::Image, vec![checkout, image]))
}

/// Says whether ComfyUI's directory is a checkout with a remote: those that earlier images
/// made at the first start have none.
fn is_own_checkout(base: &Path) -> Result<bool, Error> {
    let git = base.join(".git");
    let Some(metadata) = look(&git)? else {
        return Ok(false);
    };
    if look(&base.join("main.py"))?.is_none() {
        return Ok(false);
    }
    // A worktree or submodule has a file there.
    let config = fs::read_to_string(git.join("config")).unwrap_or_default();
    Ok(metadata.is_file() || config.contains("[remote "))
}

/// What the image says of its content, and where a fetched ComfyUI comes from.
fn label(bundle: &Path, directories: &[PathBuf]) -> Result<Vec<u8>, Error> {
    let path = bundle.join("bundle-id");
    let mut label = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        text => text.at("read", &path)?,
    };
    for directory in directories {
        let name = directory.file_name().unwrap_or_default();
        label.extend_from_slice(name.as_encoded_bytes());
    }
    Ok(label)
}

/// One start at a time prepares a volume.
fn lock(base: &Path) -> Result<File, Error> {
    let directory = base.join(".comfy-start");
    make_directory(&directory)?;
    let path = directory.join("lock");
    let file = File::create(&path).at("create", &path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            say(&format!(
                "another container prepares `{}`; waiting for it",
                base.display()
            ));
            flock(&file, FlockOperation::LockExclusive).at("lock", &path)?;
        }
        // Some network file systems have no locks.
        Err(error) => detail(&format!("cannot lock `{}`: {error}", path.display())),
    }
    Ok(file)
}

/// Removes what a killed start staged.
fn remove_stale(place: &Place) -> Result<(), Error> {
    for directory in place.writable.values().chain([&place.base]) {
        remove_tree(&directory.join(STAGING))?;
        Receipt::remove_unfinished(directory)?;
    }
    let Some(custom_nodes) = place.writable.get(&Area::CustomNodes) else {
        return Ok(());
    };
    for item in fs::read_dir(custom_nodes).at("list", custom_nodes)? {
        let item = item.at("list", custom_nodes)?;
        // A link is the user's.
        if item.file_type().at("look at", &item.path())?.is_dir() {
            Receipt::remove_unfinished(&item.path())?;
        }
    }
    Ok(())
}

fn core_job(place: &Place, bundle: &Bundle) -> Result<Job, Error> {
    let receipt = Receipt::read(&place.base)?;
    let is_taking_over = receipt
        .as_ref()
        .is_none_or(|receipt| receipt.is_taking_over);
    let mut receipt = receipt.unwrap_or_default();
    let is_current = receipt.bundle.as_ref() == Some(&bundle.identity);
    receipt.bundle = Some(bundle.identity.clone());
    receipt.is_taking_over = is_taking_over;
    let mut target = Target::plan(
        place.base.clone(),
        String::new(),
        Policy::Replace,
        receipt,
        bundle.core.clone(),
        is_current,
    )?;
    if is_taking_over {
        add_leftovers(&mut target)?;
    }
    Ok(Job {
        area: place.base.clone(),
        targets: vec![target],
        new: Vec::new(),
        aside: free_number(&place.base.join(REPLACED))?,
    })
}

/// Where no receipt is, files in ComfyUI's own directories may be of an earlier ComfyUI, and
/// would be imported: they are moved aside.
fn add_leftovers(target: &mut Target) -> Result<(), Error> {
    let mut directories: Vec<&str> = target
        .entries
        .keys()
        .filter_map(|path| path.split_once('/').map(|(first, _)| first))
        .collect();
    directories.dedup();
    let mut found = Vec::new();
    for name in directories {
        let directory = target.directory.join(name);
        if look(&directory)?.is_none_or(|metadata| !metadata.is_dir()) {
            continue;
        }
        for path in files(&directory)?.into_keys() {
            let path = format!("{name}/{path}");
            if !target.entries.contains_key(&path) {
                found.push((path, Decision::Aside));
            }
        }
    }
    // The commit there is not what runs now.
    if look(&target.directory.join(".git"))?.is_some() {
        found.push((".git".to_owned(), Decision::Aside));
    }
    target.steps.extend(found);
    Ok(())
}

fn area_job(
    place: &Place,
    area: Area,
    directory: &Path,
    mut receipt: Receipt,
    bundle: &Bundle,
) -> Result<(Job, Nodes), Error> {
    // It is no image's wholly until all is done.
    receipt.bundle = None;
    let mut nodes = if area == Area::CustomNodes {
        Nodes::plan(directory, &bundle.nodes, &receipt.nodes)?
    } else {
        Nodes::default()
    };
    let loose = Target::plan(
        directory.to_owned(),
        area.name().to_owned(),
        Policy::Keep,
        receipt,
        bundle.areas.get(&area).cloned().unwrap_or_default(),
        false,
    )?;
    let mut targets = vec![loose];
    for mut target in std::mem::take(&mut nodes.targets) {
        recall(&mut target)?;
        targets.push(target);
    }
    let new = std::mem::take(&mut nodes.new)
        .into_iter()
        .map(|(name, entries): (String, Entries)| NewDirectory {
            directory: directory.join(name),
            entries,
        })
        .collect();
    let job = Job {
        area: directory.to_owned(),
        targets,
        new,
        aside: place.base.join(REPLACED),
    };
    Ok((job, nodes))
}

/// Ends nodes that the image has no more, and lets the area's receipt say that all is done.
fn finish_area(job: &mut Job, nodes: Nodes, identity: &str) -> Result<(), Error> {
    let mut states = nodes.states;
    if !nodes.retiring.is_empty() {
        let loose = &mut job.targets[0];
        loose.receipt.nodes = states.clone();
        loose.receipt.write(&loose.directory)?;
    }
    for target in &job.targets[1..] {
        let name = target.label.trim_start_matches("custom_nodes/");
        let name = name.strip_suffix(".disabled").unwrap_or(name);
        if !nodes.retiring.contains(name) {
            continue;
        }
        match end(target)? {
            None => say(&format!(
                "{}: not in this image any more, removed",
                target.label
            )),
            Some(left) => say(&format!(
                "{}: not in this image any more; your files are in `{}`",
                target.label,
                left.display()
            )),
        }
        states.remove(name);
    }
    let loose = &mut job.targets[0];
    loose.receipt.nodes = states;
    loose.receipt.bundle = Some(identity.to_owned());
    loose.receipt.write(&loose.directory)
}

/// Says what will be done, and what is kept.
fn report(jobs: &[Job], areas: &[(usize, Nodes)], bundle: &Bundle, settings: &Settings) {
    let count = |decisions: &[Decision]| -> usize {
        let targets = jobs.iter().flat_map(|job| &job.targets);
        targets.map(|target| target.with(decisions).count()).sum()
    };
    let names = |decisions: &'static [Decision]| -> Vec<String> {
        let targets = jobs.iter().flat_map(|job| &job.targets);
        targets
            .flat_map(|target| target.with(decisions).map(|path| target.name(path)))
            .collect()
    };
    let n_new: usize = jobs.iter().map(|job| job.new.len()).sum();
    let n_put = count(&[Decision::Put, Decision::Replace]);
    let n_removed = count(&[Decision::Remove]);
    let size_bytes: u64 = jobs.iter().map(Job::size_bytes).sum();
    if n_new + n_put + n_removed > 0 {
        say(&format!(
            "bringing the volume to this image ({}): {n_new} nodes and {n_put} files to write ({} MB), {n_removed} to remove",
            &bundle.identity[..12],
            size_bytes.div_ceil(1_000_000)
        ));
    }
    let image = settings.bundle.join("ComfyUI");
    list(
        "kept as you changed it",
        &names(&[Decision::Kept]),
        &format!("; the image's is below `{}`", image.display()),
    );
    list(
        "kept as you changed it, and not in this image any more",
        &names(&[Decision::Forget]),
        "",
    );
    let aside = jobs.first().map(|job| job.aside.display().to_string());
    list(
        "not this image's ComfyUI",
        &names(&[Decision::Replace, Decision::Aside]),
        &format!("; moved to `{}`", aside.unwrap_or_default()),
    );
    for (_, nodes) in areas {
        list(
            "left alone, since it is yours or of an image without receipts",
            &nodes
                .foreign
                .iter()
                .map(|name| format!("custom_nodes/{name}"))
                .collect::<Vec<_>>(),
            "; remove it to have the image's",
        );
        for name in &nodes.removed {
            detail(&format!("custom_nodes/{name}: stays removed"));
        }
    }
}

fn list(what: &str, names: &[String], after: &str) {
    for name in names.iter().take(MAX_LISTED) {
        say(&format!("{what}: {name}{after}"));
    }
    if names.len() > MAX_LISTED {
        warn(&format!("{what}: {} more", names.len() - MAX_LISTED));
    }
}
