//! What becomes of each member of a wheel, before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use crate::archive::{Archive, Member};
use crate::dist_info;
use crate::entry_points::{self, Script};
use crate::error::{Fault, show};
use crate::record::{self, Entry};
use crate::request::{Link, Request};
use crate::scheme::Scheme;
use crate::unpack;

/// Signatures of RECORD, which it cannot list.
const SIGNATURES: [&str; 2] = ["RECORD.jws", "RECORD.p7s"];

/// Everything that is written, and where.
#[derive(Debug)]
pub struct Plan {
    /// Name of the `*.dist-info` directory.
    pub dist_info: String,
    pub(crate) root_scheme: Scheme,
    /// In the order of the archive.
    pub(crate) files: Vec<Planned>,
    /// In the order of `entry_points.txt`.
    pub(crate) scripts: Vec<Script>,
    /// Directories of [`Planned::destination`], parents first.
    pub(crate) directories: BTreeSet<String>,
}

/// A file of the wheel.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) member: Member,
    pub(crate) scheme: Scheme,
    /// Below the directory of its scheme.
    pub(crate) path: String,
    /// From the root of the image, without a slash before it.
    pub(crate) destination: String,
    /// What RECORD says of it.
    pub(crate) entry: Option<Entry>,
    pub(crate) action: Action,
}

/// What becomes of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// It is written.
    Write,
    /// It becomes a link to a file of another package that is the same.
    Link(Link),
    /// It is not installed, but RECORD lists it: another derivation has it.
    List,
}

impl Plan {
    /// Reads what the wheel says of itself.
    ///
    /// # Errors
    /// It is none that can be installed.
    pub fn new(archive: &Archive, file_name: &str, request: &Request) -> Result<Self, Fault> {
        let dist_info = dist_info::find(archive, file_name)?;
        let in_dist_info = |name: &str| format!("{dist_info}/{name}");
        archive.member(&in_dist_info("METADATA"))?;
        let wheel = in_dist_info("WHEEL");
        let wheel = dist_info::parse_wheel_file(&wheel, &unpack::text(archive, &wheel)?)?;
        let record_path = in_dist_info("RECORD");
        let entries = record::parse(&record_path, &unpack::text(archive, &record_path)?)?;
        let is_signature = |path: &str| SIGNATURES.iter().any(|name| in_dist_info(name) == path);
        check_record(archive, &entries, &record_path, is_signature)?;
        let entry_points = in_dist_info("entry_points.txt");
        let scripts = match archive.find(&entry_points) {
            Some(_) => entry_points::parse(&entry_points, &unpack::text(archive, &entry_points)?)?,
            None => Vec::new(),
        };
        let mut plan = Self {
            root_scheme: if wheel.root_is_purelib {
                Scheme::Purelib
            } else {
                Scheme::Platlib
            },
            dist_info,
            files: Vec::new(),
            scripts,
            directories: BTreeSet::new(),
        };
        for member in &archive.members {
            plan.add(member, entries.get(&member.path), &record_path, request)?;
        }
        plan.check_destinations(request)?;
        plan.check_links(request)?;
        Ok(plan)
    }

    fn add(
        &mut self,
        member: &Member,
        entry: Option<&Entry>,
        record_path: &str,
        request: &Request,
    ) -> Result<(), Fault> {
        // Byte code is a tree of its own, compiled from the source by the image's interpreter.
        let mut directories = member.path.split('/').rev().skip(1);
        if member.path == record_path || directories.any(|name| name == "__pycache__") {
            return Ok(());
        }
        let (scheme, path) = self.place(&member.path)?;
        let is_metadata = path
            .split_once('/')
            .is_some_and(|(directory, _)| directory == self.dist_info);
        let action = if !scheme.is_library() {
            Action::Write
        } else if request.metadata_only && !is_metadata {
            Action::List
        } else if let Some(link) = request.links.get(path) {
            Action::Link(link.clone())
        } else {
            Action::Write
        };
        self.files.push(Planned {
            member: member.clone(),
            scheme,
            path: path.to_owned(),
            destination: format!("{}/{path}", scheme.directory(&request.python_directory)),
            entry: entry.cloned(),
            action,
        });
        Ok(())
    }

    /// The scheme of a member, and its path below the scheme's directory.
    fn place<'a>(&self, path: &'a str) -> Result<(Scheme, &'a str), Fault> {
        let in_data = path
            .strip_prefix(dist_info::stem(&self.dist_info))
            .and_then(|rest| rest.strip_prefix(".data/"));
        let Some(in_data) = in_data else {
            return Ok((self.root_scheme, path));
        };
        let Some((name, rest)) = in_data.split_once('/') else {
            return Err(Fault::member(path, "it lies in no scheme of `*.data`"));
        };
        let scheme = Scheme::from_name(name).ok_or_else(|| {
            Fault::member(
                path,
                "its scheme is none of purelib, platlib, headers, scripts and data",
            )
        })?;
        Ok((scheme, rest))
    }

    /// Refuses two files in one place, and a file where a directory is, and finds directories.
    fn check_destinations(&mut self, request: &Request) -> Result<(), Fault> {
        let library = self.root_scheme.directory(&request.python_directory);
        let bin = Scheme::Scripts.directory(&request.python_directory);
        let written = ["RECORD", "INSTALLER"].map(|name| format!("{}/{name}", self.dist_info));
        let of_members = self.files.iter().map(|file| {
            let is_installed = file.action != Action::List;
            (file.destination.clone(), &file.member.path, is_installed)
        });
        let of_scripts = self.scripts.iter().map(|script| {
            let destination = format!("{bin}/{}", script.name);
            (destination, &script.name, true)
        });
        let of_ours = written
            .iter()
            .map(|path| (format!("{library}/{path}"), path, true));
        let mut files: BTreeMap<String, &String> = BTreeMap::new();
        let mut directories = BTreeSet::new();
        for (destination, from, is_installed) in of_ours.chain(of_scripts).chain(of_members) {
            for (index, _) in destination.match_indices('/') {
                let directory = &destination[..index];
                directories.insert(directory.to_lowercase());
                if is_installed {
                    self.directories.insert(directory.to_owned());
                }
            }
            if let Some(other) = files.insert(destination.to_lowercase(), from) {
                let reason = format!("`{}` is installed to the same path", show(other));
                return Err(Fault::member(from, reason));
            }
        }
        let clash = directories
            .iter()
            .find_map(|directory| files.get(directory));
        match clash {
            Some(from) => Err(Fault::member(from, "other members need a directory there")),
            None => Ok(()),
        }
    }

    fn check_links(&self, request: &Request) -> Result<(), Fault> {
        for path in request.links.keys() {
            let is_there = |file: &Planned| {
                file.scheme.is_library() && file.path == *path && file.action != Action::List
            };
            if !self.files.iter().any(is_there) {
                return Err(Fault::Lock {
                    path: path.clone(),
                    reason: "the wheel does not have it, which its lock says".to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// Compares which files there are with which are listed.
fn check_record(
    archive: &Archive,
    entries: &BTreeMap<String, Entry>,
    record_path: &str,
    is_signature: impl Fn(&str) -> bool,
) -> Result<(), Fault> {
    let mut paths = BTreeSet::new();
    for member in &archive.members {
        let path = member.path.as_str();
        paths.insert(path);
        let reason = match entries.get(path) {
            Some(entry) if path == record_path => (entry.hash.is_some() || entry.size.is_some())
                .then_some("it lists its own hash or size"),
            Some(_) if is_signature(path) => Some("RECORD lists it, and it signs RECORD"),
            Some(entry) => entry.hash.is_none().then_some("RECORD has no hash of it"),
            None if path == record_path || is_signature(path) => None,
            None => Some("RECORD does not list it"),
        };
        if let Some(reason) = reason {
            return Err(Fault::member(path, reason));
        }
    }
    match entries.keys().find(|path| !paths.contains(path.as_str())) {
        Some(path) => Err(Fault::member(
            path,
            "RECORD lists it, and the archive does not have it",
        )),
        None => Ok(()),
    }
}
