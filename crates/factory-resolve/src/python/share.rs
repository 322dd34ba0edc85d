//! Finds what the wheels of a variant share: reads the list of files of each, and writes the
//! links into the lock. Sdists and git trees have no such list before they are built.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::error::Error;
use super::name::PackageName;
use super::resolution::Chosen;
use super::shared::{WheelTree, conflicts, find, placed};
use super::wheel_files::WheelFiles;
use crate::context::Context;
use factory_base::error::Explain as _;
use factory_fetch::{Candidate, Http, Indexes, RecordEntry, RemoteWheel, for_each};
use factory_model::layers::Layers;
use factory_model::lock::{DistributionKind, PythonLock, PythonPackage, Sha256};

/// Wheels asked for at the same time.
const CONNECTIONS: usize = 16;
/// As many faults of servers are told one by one.
const MAX_TOLD: usize = 5;

/// Writes into a lock which files its wheels share.
///
/// # Errors
/// A wheel of the index cannot be read; two wheels of the toolkit differ in a file, or
/// `wheel-files.toml` names one that is not there.
pub(super) fn share(
    ctx: &dyn Context,
    layers: &Layers,
    list: &WheelFiles,
    chosen: &BTreeMap<PackageName, Chosen>,
    old: Option<&PythonLock>,
    lock: &mut PythonLock,
) -> Result<()> {
    let records = read(ctx, chosen, lock)?;
    let trees = trees(layers, lock, &records);
    let faults = faults(list, &trees);
    if !faults.is_empty() {
        return Err(Error::WheelFilesDoNotFit { faults }.failure().into());
    }
    let mut links = find(&without_left_out(trees, list), list.shared_from_bytes);
    for package in &mut lock.packages {
        if let Ok(name) = package.name.parse::<PackageName>() {
            package.shared = links.remove(&name).unwrap_or_default();
        }
    }
    lock.unread = unread(lock, &records);
    lock.wheel_files_sha256 = Some(list.sha256());
    let n_links: usize = lock
        .packages
        .iter()
        .map(|package| package.shared.len())
        .sum();
    ctx.detail(&format!(
        "{n_links} large files of wheels are in another one too"
    ));
    if let Some(old) = old {
        keep_unread(old, lock);
    }
    Ok(())
}

/// The list of files of each wheel that a server showed.
type Records = BTreeMap<String, Vec<RecordEntry>>;

fn read(
    ctx: &dyn Context,
    chosen: &BTreeMap<PackageName, Chosen>,
    lock: &PythonLock,
) -> Result<Records> {
    let http = Http::from_environment()?;
    let wheels = wheels(chosen, lock);
    let indexes = if wheels.iter().any(|(_, wheel)| wheel.url.is_empty()) {
        Indexes::of_user(ctx)?
    } else {
        Indexes::default()
    };
    let mut records = Records::new();
    let mut reasons = Vec::new();
    let work = |(package, wheel): &(&PythonPackage, RemoteWheel)| {
        if let Some(entries) = wheel.kept(ctx.cache()) {
            return Ok(entries);
        }
        let mut wheel = wheel.clone();
        if wheel.url.is_empty() {
            wheel.url = locate(ctx, &http, &indexes, package)?;
        }
        wheel.record(ctx, &http, ctx.cache())
    };
    for_each(&wheels, CONNECTIONS, work, |(package, _), record| {
        match record {
            Ok(record) => {
                records.insert(package.name.clone(), record);
            }
            Err(error) => {
                ctx.check_interrupted()?;
                if package.url.is_some() {
                    // Its place is no index, and locking needs no such place otherwise.
                    ctx.warn(&format!(
                        "{error:#}; what `{}` shares with other packages is not known",
                        package.name
                    ));
                } else {
                    reasons.push(format!("{error:#}"));
                }
            }
        }
        Ok(())
    })?;
    if reasons.is_empty() {
        return Ok(records);
    }
    let n_more = reasons.len().saturating_sub(MAX_TOLD);
    reasons.truncate(MAX_TOLD);
    if n_more > 0 {
        reasons.push(format!("and {n_more} more"));
    }
    Err(Error::WheelsNotShown { reasons }.failure().into())
}

/// The wheels of a lock, each with its place as far as that is known without an index.
fn wheels<'a>(
    chosen: &BTreeMap<PackageName, Chosen>,
    lock: &'a PythonLock,
) -> Vec<(&'a PythonPackage, RemoteWheel)> {
    lock.packages
        .iter()
        .filter(|package| package.kind == DistributionKind::Wheel)
        .filter_map(|package| {
            let name: PackageName = package.name.parse().ok()?;
            let url = chosen.get(&name).map(|one| one.url.clone());
            let wheel = RemoteWheel {
                file: package.file.clone(),
                // Empty for a file that the index is to be asked for.
                url: url.or_else(|| package.url.clone()).unwrap_or_default(),
                size: package.size,
                sha256: package.sha256,
            };
            Some((package, wheel))
        })
        .collect()
}

/// Where the user's indexes have a wheel.
fn locate(
    ctx: &dyn Context,
    http: &Http,
    indexes: &Indexes,
    package: &PythonPackage,
) -> Result<String> {
    let (project, file) = (&package.name, &package.file);
    let candidates = indexes.locate(ctx, http, project, file, &package.sha256)?;
    let url = candidates
        .into_iter()
        .find_map(|candidate| match candidate {
            Candidate::Http { url, .. } => Some(url),
            Candidate::File(_) => None,
        });
    url.ok_or_else(|| {
        let file = file.clone();
        Error::NotInIndex { file }.failure().into()
    })
}

/// The wheels with their files where the image has them.
fn trees(layers: &Layers, lock: &PythonLock, records: &Records) -> Vec<WheelTree> {
    let names: Vec<String> = layers.names().iter().map(ToString::to_string).collect();
    let cuda = layers.cuda.to_string();
    let tree = |package: &PythonPackage| {
        let is_cuda = package.layer == cuda;
        let files = records.get(&package.name)?.iter().filter_map(|entry| {
            let path = placed(&entry.path, is_cuda)?;
            Some((path.to_owned(), (entry.hash.clone(), entry.size)))
        });
        Some(WheelTree {
            name: package.name.parse().ok()?,
            layer: names.iter().position(|name| *name == package.layer)?,
            is_cuda,
            files: files.collect(),
        })
    };
    lock.packages.iter().filter_map(tree).collect()
}

/// What of `wheel-files.toml` does not fit the wheels, and what it must say of them.
fn faults(list: &WheelFiles, trees: &[WheelTree]) -> Vec<String> {
    let mut faults = Vec::new();
    for entry in &list.left_out {
        let Some(tree) = trees.iter().find(|tree| tree.name == entry.package) else {
            // Not in this variant, or not read.
            continue;
        };
        if !tree.is_cuda {
            faults.push(format!(
                "left_out of `{}`: it is no wheel of the CUDA toolkit",
                entry.package
            ));
            continue;
        }
        for path in &entry.paths {
            if !tree.files.contains_key(path) {
                faults.push(format!("left_out of `{}`: it has no {path}", entry.package));
            }
        }
    }
    let left = without_left_out(trees.to_vec(), list);
    faults.extend(conflicts(&left).into_iter().map(|line| {
        format!("two wheels of the CUDA toolkit have a file with different bytes: {line}")
    }));
    faults
}

fn without_left_out(mut trees: Vec<WheelTree>, list: &WheelFiles) -> Vec<WheelTree> {
    for tree in &mut trees {
        for path in list.left_out_of(&tree.name) {
            tree.files.remove(path);
        }
    }
    trees
}

/// Names of the wheels whose list of files nobody showed.
fn unread(lock: &PythonLock, records: &Records) -> Vec<String> {
    lock.packages
        .iter()
        .filter(|package| {
            package.kind == DistributionKind::Wheel && !records.contains_key(&package.name)
        })
        .map(|package| package.name.clone())
        .collect()
}

/// Keeps what a lock knew of wheels that could be read then and not now.
fn keep_unread(old: &PythonLock, new: &mut PythonLock) {
    let files = |lock: &PythonLock| -> BTreeMap<String, (Sha256, String)> {
        let packages = lock.packages.iter();
        packages
            .map(|package| {
                (
                    package.name.clone(),
                    (package.sha256, package.layer.clone()),
                )
            })
            .collect()
    };
    let (before, now) = (files(old), files(new));
    let is_same = |name: &str| before.contains_key(name) && before.get(name) == now.get(name);
    let missing: BTreeSet<String> = new.unread.iter().cloned().collect();
    for package in &mut new.packages {
        let Some(known) = old.packages.iter().find(|one| one.name == package.name) else {
            continue;
        };
        for file in &known.shared {
            let is_unread = missing.contains(&package.name) || missing.contains(&file.owner);
            let is_there = package.shared.iter().any(|one| one.path == file.path);
            if is_unread && !is_there && is_same(&package.name) && is_same(&file.owner) {
                package.shared.push(file.clone());
            }
        }
        package
            .shared
            .sort_by(|one, other| one.path.cmp(&other.path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::quiet::Quiet;
    use factory_base::error::{Kind, kind_of};

    const LAYERS: &str = "schema_version = 1\ncuda = '01-cuda'\ncuda_metadata = '02-torch'\n\
        layers = [{ name = '01-cuda', stage = 's' }, { name = '02-torch', stage = 's' }]";
    const LIST: &str = "schema_version = 1\nshared_from_bytes = 1_000_000\n";

    /// Wheels of which the user's cache has the lists of files.
    struct Fixture {
        cache: tempfile::TempDir,
        lock: PythonLock,
        chosen: BTreeMap<PackageName, Chosen>,
    }

    impl Fixture {
        fn new() -> Self {
            Self {
                cache: tempfile::tempdir().unwrap(),
                lock: PythonLock {
                    schema_version: 1,
                    python: "cp314t".to_owned(),
                    list_sha256: Sha256::of(b""),
                    compared_with: None,
                    wheel_files_sha256: None,
                    unread: Vec::new(),
                    packages: Vec::new(),
                    git: Vec::new(),
                    bundle: Vec::new(),
                    provided: Vec::new(),
                },
                chosen: BTreeMap::new(),
            }
        }

        /// Adds a wheel, or puts a newer one in its place.
        fn wheel(&mut self, name: &str, layer: &str, record: &str) -> &mut PythonPackage {
            let sha256 = Sha256::of(record.as_bytes());
            let records = self.cache.path().join("records");
            fs_err::create_dir_all(&records).unwrap();
            fs_err::write(records.join(sha256.to_string()), record).unwrap();
            let file = format!("{name}-1-py3-none-any.whl");
            let chosen = Chosen {
                version: "1".to_owned(),
                kind: DistributionKind::Wheel,
                file: file.clone(),
                url: format!("https://mirror.test/{file}"),
                size: Some(1),
                sha256,
                pure: true,
            };
            self.chosen.insert(name.parse().unwrap(), chosen);
            self.lock.packages.retain(|package| package.name != name);
            self.lock.packages.push(PythonPackage {
                name: name.to_owned(),
                version: "1".to_owned(),
                layer: layer.to_owned(),
                requested: true,
                kind: DistributionKind::Wheel,
                file,
                size: Some(1),
                sha256,
                url: None,
                native_elsewhere: None,
                dependencies: Vec::new(),
                shared: Vec::new(),
            });
            self.lock
                .packages
                .sort_by(|one, other| one.name.cmp(&other.name));
            self.lock
                .packages
                .iter_mut()
                .find(|package| package.name == name)
                .unwrap()
        }

        /// Forgets what the cache knows of a wheel.
        fn hide(&self, name: &str) {
            let sha256 = self.chosen[&name.parse().unwrap()].sha256;
            fs_err::remove_file(self.cache.path().join(format!("records/{sha256}"))).unwrap();
        }

        fn share(&mut self, list: &str, old: Option<&PythonLock>) -> Result<String> {
            let ctx = Quiet(self.cache.path().to_owned());
            let layers = Layers::parse(LAYERS).unwrap();
            let list = WheelFiles::parse(&format!("{LIST}{list}")).unwrap();
            share(&ctx, &layers, &list, &self.chosen, old, &mut self.lock)?;
            let mut lines = String::new();
            for package in &self.lock.packages {
                for file in &package.shared {
                    lines += &format!(
                        "{}: {} is {} of {}\n",
                        package.name, file.path, file.owner_path, file.owner
                    );
                }
            }
            Ok(lines)
        }
    }

    /// A release of torchvision and of the library that it brings along.
    fn release(fixture: &mut Fixture, suffix: &str, content: &str) {
        fixture.wheel(
            "nvidia-nvjpeg",
            "01-cuda",
            &format!("nvidia/cu13/lib/libnvjpeg.so.13,sha256={content},5871216\nnvidia_nvjpeg-1.dist-info/RECORD,,\n"),
        );
        fixture.wheel(
            "torchvision",
            "02-torch",
            &format!("torchvision.libs/libnvjpeg.{suffix}.so.13,sha256={content},5871216\ntorchvision/small.so,sha256={content},999999\n"),
        );
    }

    #[test]
    fn ok_an_upgrade_is_data() {
        let mut fixture = Fixture::new();
        release(&mut fixture, "36e11081", "AAAA");
        insta::assert_snapshot!(fixture.share("", None).unwrap(), @"torchvision: torchvision.libs/libnvjpeg.36e11081.so.13 is lib/libnvjpeg.so.13 of nvidia-nvjpeg");
        // The next release: another content, and so another name.
        release(&mut fixture, "9f01aa22", "BBBB");
        let old = fixture.lock.clone();
        insta::assert_snapshot!(fixture.share("", Some(&old)).unwrap(), @"torchvision: torchvision.libs/libnvjpeg.9f01aa22.so.13 is lib/libnvjpeg.so.13 of nvidia-nvjpeg");
        let text = toml::to_string(&fixture.lock).unwrap();
        assert_eq!(toml::from_str::<PythonLock>(&text).unwrap(), fixture.lock);
    }

    #[test]
    fn err_a_wheel_of_the_index_that_nobody_shows() {
        let mut fixture = Fixture::new();
        release(&mut fixture, "36e11081", "AAAA");
        fixture.hide("torchvision");
        let error = fixture.share("", None).unwrap_err();
        assert_eq!(kind_of(&error), Kind::Environment);
        insta::assert_snapshot!(error, @"the list of files of `torchvision-1-py3-none-any.whl` is not known here, and `--offline` forbids to ask");
    }

    #[test]
    fn ok_what_was_known_of_a_wheel_that_is_in_no_index_stays() {
        let mut fixture = Fixture::new();
        release(&mut fixture, "36e11081", "AAAA");
        let before = fixture.share("", None).unwrap();
        let old = fixture.lock.clone();
        fixture.hide("torchvision");
        let direct = fixture
            .lock
            .packages
            .iter_mut()
            .find(|one| one.name == "torchvision");
        direct.unwrap().url = Some("https://elsewhere.test/torchvision.whl".to_owned());
        assert_eq!(fixture.share("", None).unwrap(), "");
        assert_eq!(fixture.lock.unread, ["torchvision"]);
        assert_eq!(fixture.share("", Some(&old)).unwrap(), before);
        // Another owner's file may be another one.
        fixture.wheel(
            "nvidia-nvjpeg",
            "01-cuda",
            "nvidia/cu13/lib/libnvjpeg.so.13,sha256=CCCC,5871216\n",
        );
        assert_eq!(fixture.share("", Some(&old)).unwrap(), "");
    }

    #[test]
    fn err_the_list_does_not_fit_the_wheels() {
        let mut fixture = Fixture::new();
        let header = |content: &str| format!("nvidia/cu13/include/meta.h,sha256={content},10\n");
        fixture.wheel("nvidia-cupti", "01-cuda", &header("AAAA"));
        fixture.wheel("nvidia-sanitizer", "01-cuda", &header("BBBB"));
        fixture.wheel("torch", "02-torch", "torch/x.py,sha256=AAAA,10\n");
        insta::assert_snapshot!(fixture.share("", None).unwrap_err(), @r"
        `package-lists/wheel-files.toml` does not fit the wheels
          two wheels of the CUDA toolkit have a file with different bytes: include/meta.h: nvidia-cupti, nvidia-sanitizer
        ");
        let left_out = |package: &str, path: &str| {
            format!("[[left_out]]\npackage = '{package}'\npaths = ['{path}']\nreason = 'r'\n")
        };
        let right = left_out("nvidia-sanitizer", "include/meta.h");
        assert_eq!(fixture.share(&right, None).unwrap(), "");
        let wrong = [
            right,
            left_out("nvidia-cupti", "include/gone.h"),
            left_out("torch", "torch/x.py"),
            left_out("in-another-variant", "x"),
        ];
        insta::assert_snapshot!(fixture.share(&wrong.concat(), None).unwrap_err(), @r"
        `package-lists/wheel-files.toml` does not fit the wheels
          left_out of `nvidia-cupti`: it has no include/gone.h
          left_out of `torch`: it is no wheel of the CUDA toolkit
        ");
    }
}
