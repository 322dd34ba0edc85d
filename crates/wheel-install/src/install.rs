//! Installs a wheel: plans, unpacks on a few threads, and writes what is not in the wheel.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::num::NonZeroUsize;
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::archive::Archive;
use crate::error::{Error, Fault};
use crate::plan::{Action, Plan, Planned};
use crate::record::{self, Checker, Content, Row};
use crate::request::{Link, Request};
use crate::scheme::{INTERPRETER, Scheme};
use crate::twins;
use crate::unpack::{self, Unpacker};

/// A script whose first line is written anew is read into memory; this is the most, in bytes.
const MAX_SCRIPT: u64 = 16 << 20;
/// Fewer files than this are not worth a second thread.
const FILES_OF_A_THREAD: usize = 8;
/// Larger files are worth it.
const BYTES_OF_A_THREAD: u64 = 4 << 20;

/// Installs the wheel into `destination`, as a package tree: `DESTINATION/root/usr/local/…`.
/// `threads` unpack members side by side.
///
/// # Errors
/// The wheel is refused or cannot be read, or the tree cannot be written. Nothing stays of it.
pub fn install(request: &Request, destination: &Path, threads: NonZeroUsize) -> Result<(), Error> {
    let wheel = find_wheel(&request.wheel);
    let shown = wheel.as_ref().unwrap_or(&request.wheel).clone();
    let installed = wheel.and_then(|wheel| {
        let archive = Archive::open(&wheel)?;
        let plan = Plan::new(&archive, &file_name(&wheel), request)?;
        fs::create_dir(destination).map_err(Fault::io("create", destination))?;
        let done = write_tree(&archive, &plan, request, destination, threads);
        if done.is_err() {
            // Half a tree is worse than none; what was wrong with it is what matters.
            fs::remove_dir_all(destination).map_err(Fault::io("remove", destination))?;
        }
        done
    });
    installed.map_err(|fault| Error::Install {
        package: request.package.clone(),
        wheel: shown,
        fault,
    })
}

/// The wheel, or the one in a directory.
fn find_wheel(path: &Path) -> Result<PathBuf, Fault> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(Fault::io("read", path))? {
        let file = entry.map_err(Fault::io("read", path))?.path();
        if file.extension().is_some_and(|extension| extension == "whl") {
            found.push(file);
        }
    }
    match <[PathBuf; 1]>::try_from(found) {
        Ok([wheel]) => Ok(wheel),
        Err(found) => Err(Fault::wheel(format!(
            "the directory holds {} wheels, expected one",
            found.len()
        ))),
    }
}

/// The name of the wheel. That of a store path begins with a hash.
fn file_name(wheel: &Path) -> String {
    let name = wheel.file_name().unwrap_or_default().to_string_lossy();
    let in_store = wheel.parent() == Some(Path::new("/nix/store"));
    match name.split_once('-') {
        Some((_, name)) if in_store => name.to_owned(),
        _ => name.into_owned(),
    }
}

fn write_tree(
    archive: &Archive,
    plan: &Plan,
    request: &Request,
    destination: &Path,
    threads: NonZeroUsize,
) -> Result<(), Fault> {
    let tree = Tree {
        root: destination.join("root"),
        archive,
    };
    create_directory(&tree.root)?;
    for directory in &plan.directories {
        create_directory(&tree.root.join(directory))?;
    }
    let contents = tree.unpack_all(&plan.files, threads)?;

    let mut written = Vec::new();
    let mut rows = Vec::new();
    let row = |scheme: Scheme, path: &str, content| Row {
        prefix: scheme.prefix_from(plan.root_scheme, &request.python_directory),
        path: path.to_owned(),
        content,
    };
    for script in &plan.scripts {
        let bin = Scheme::Scripts.directory(&request.python_directory);
        let text = script.text();
        let path = format!("{bin}/{}", script.name);
        tree.write(&path, text.as_bytes(), true)?;
        let content = Content::of(text.as_bytes());
        written.push((path, content));
        rows.push(row(Scheme::Scripts, &script.name, Some(content)));
    }
    for (file, content) in plan.files.iter().zip(contents) {
        if let (Action::Write, Some(content)) = (&file.action, content) {
            written.push((file.destination.clone(), content));
        }
        rows.push(row(file.scheme, &file.path, content));
    }
    let library = plan.root_scheme.directory(&request.python_directory);
    // `pip` is who removes and replaces packages in the image.
    let installer = format!("{}/INSTALLER", plan.dist_info);
    let text = b"pip\n";
    tree.write(&format!("{library}/{installer}"), text, false)?;
    rows.push(row(plan.root_scheme, &installer, Some(Content::of(text))));
    let record = format!("{}/RECORD", plan.dist_info);
    rows.push(row(plan.root_scheme, &record, None));
    let text = record::render(rows);
    tree.write(&format!("{library}/{record}"), text.as_bytes(), false)?;

    for (path, target) in twins::links(written, request.shared_from_bytes) {
        let path = tree.root.join(path);
        fs::remove_file(&path).map_err(Fault::io("remove", &path))?;
        symlink(target, &path).map_err(Fault::io("create", &path))?;
    }
    Ok(())
}

fn create_directory(path: &Path) -> Result<(), Fault> {
    fs::create_dir(path).map_err(Fault::io("create", path))
}

/// Where files go, and where they come from.
struct Tree<'a> {
    root: PathBuf,
    archive: &'a Archive,
}

impl Tree<'_> {
    /// The content of each file that is installed, in order.
    fn unpack_all(
        &self,
        files: &[Planned],
        threads: NonZeroUsize,
    ) -> Result<Vec<Option<Content>>, Fault> {
        // The largest first, so that no thread has it alone at the end.
        let mut order: Vec<usize> = (0..files.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(files[index].member.size));
        let next = AtomicUsize::new(0);
        let worker = || {
            let mut unpacker = Unpacker::default();
            let mut done = Vec::new();
            while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                let result = self.install(&files[index], &mut unpacker);
                let is_wrong = result.is_err();
                done.push((index, result));
                if is_wrong {
                    next.store(files.len(), Ordering::Relaxed);
                }
            }
            done
        };
        let n_bytes: u64 = files.iter().map(|file| file.member.size).sum();
        let n_useful = files.len() / FILES_OF_A_THREAD + (n_bytes / BYTES_OF_A_THREAD) as usize;
        let mut results = match threads.get().min(files.len()).min(n_useful) {
            0 | 1 => worker(),
            n_threads => thread::scope(|scope| {
                let handles: Vec<_> = (0..n_threads).map(|_| scope.spawn(worker)).collect();
                handles.into_iter().flat_map(join).collect()
            }),
        };
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }

    fn install(&self, file: &Planned, unpacker: &mut Unpacker) -> Result<Option<Content>, Fault> {
        match &file.action {
            Action::List => Ok(None),
            Action::Link(link) => self.link(file, link, unpacker).map(Some),
            Action::Write if file.scheme == Scheme::Scripts && self.has_placeholder(file)? => {
                self.rewrite(file).map(Some)
            }
            Action::Write => {
                let path = self.root.join(&file.destination);
                let mut output = create(&path, file.member.is_executable)?;
                let mut checker = Checker::new(file.entry.as_ref());
                unpacker.unpack(self.archive, &file.member, &mut |part| {
                    checker.update(part);
                    output.write_all(part).map_err(Fault::io("write", &path))
                })?;
                checker.finish(&file.member.path).map(Some)
            }
        }
    }

    /// Puts a link, if the file is the one that it leads to.
    fn link(&self, file: &Planned, link: &Link, unpacker: &mut Unpacker) -> Result<Content, Fault> {
        let mut checker = Checker::new(file.entry.as_ref());
        unpacker.unpack(self.archive, &file.member, &mut |part| {
            checker.update(part);
            Ok(())
        })?;
        let content = checker.finish(&file.member.path)?;
        if content_of(&link.copy)? != content {
            return Err(Fault::Lock {
                path: file.path.clone(),
                reason: format!(
                    "it differs from `{}`, with which its lock says it is the same",
                    link.target
                ),
            });
        }
        let path = self.root.join(&file.destination);
        symlink(&link.target, &path).map_err(Fault::io("create", &path))?;
        Ok(content)
    }

    /// Whether a script begins with `#!python`, for which the interpreter is put in.
    fn has_placeholder(&self, file: &Planned) -> Result<bool, Fault> {
        let mut start = Vec::new();
        let stop = || Fault::wheel("enough");
        let read = Unpacker::default().unpack(self.archive, &file.member, &mut |part| {
            start.extend_from_slice(&part[..part.len().min(8)]);
            if start.len() < 8 { Ok(()) } else { Err(stop()) }
        });
        match read {
            Err(fault) if start.len() < 8 => Err(fault),
            _ => Ok(start.starts_with(b"#!python")),
        }
    }

    /// Writes a script with the interpreter in its first line.
    fn rewrite(&self, file: &Planned) -> Result<Content, Fault> {
        let path = &file.member.path;
        if file.member.size > MAX_SCRIPT {
            return Err(Fault::member(path, "a script of more than 16 MiB"));
        }
        let bytes = unpack::read(self.archive, &file.member)?;
        let mut checker = Checker::new(file.entry.as_ref());
        checker.update(&bytes);
        checker.finish(path)?;
        let end_of_line = bytes.iter().position(|byte| *byte == b'\n');
        let rest = end_of_line.map_or(&[][..], |end| &bytes[end + 1..]);
        let text = [format!("#!{INTERPRETER}\n").as_bytes(), rest].concat();
        self.write(&file.destination, &text, file.member.is_executable)?;
        Ok(Content::of(&text))
    }

    fn write(&self, path: &str, bytes: &[u8], is_executable: bool) -> Result<(), Fault> {
        let path = self.root.join(path);
        let mut file = create(&path, is_executable)?;
        file.write_all(bytes).map_err(Fault::io("write", &path))
    }
}

/// A new file, with the mode that the store gives it.
fn create(path: &Path, is_executable: bool) -> Result<File, Fault> {
    let mode = if is_executable { 0o555 } else { 0o444 };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    options.open(path).map_err(Fault::io("create", path))
}

/// The content of a file of this machine.
fn content_of(path: &Path) -> Result<Content, Fault> {
    let mut file = File::open(path).map_err(Fault::io("open", path))?;
    let mut buffer = vec![0; 256 << 10];
    let mut checker = Checker::new(None);
    loop {
        let length = file.read(&mut buffer).map_err(Fault::io("read", path))?;
        if length == 0 {
            return checker.finish("");
        }
        checker.update(&buffer[..length]);
    }
}

/// Waits for a thread, and passes on its panic.
fn join<T>(handle: thread::ScopedJoinHandle<'_, T>) -> T {
    match handle.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
