//! Fetching and building side by side: what has all of its sources is built while others come
//! (docs/design/D37-fetch-and-build-overlap.md).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, mpsc};
use std::time::Instant;

use anyhow::Result;

use super::build::{BuildOptions, BuildReport, build_with};
use super::missing::MissingSource;
use super::sources::{FetchReport, fetch, lock_reachable};
use super::until::Until;
use super::{Context, Error, Graph, Nix, Times};
use factory_base::fs::Lock;

/// Fetches what realizing `targets` needs, and realizes them. `needed` are the derivations of
/// `graph` that the store lacks, and `missing` the sources among them
/// ([`Graph::missing_sources`]). The inner error is what nobody gives, before anything is done.
///
/// # Errors
/// As [`super::ensure_sources`] and [`super::build`]. When a build fails, no more is fetched.
pub fn fetch_and_build(
    ctx: &dyn Context,
    nix: &Nix,
    targets: &[String],
    (graph, needed, mut missing): (&Graph, &BTreeSet<String>, Vec<MissingSource>),
    options: &BuildOptions,
) -> Result<Result<(FetchReport, BuildReport), Error>> {
    if missing.is_empty() {
        let report = build_with(ctx, nix, targets, options)?;
        return Ok(Ok((FetchReport::default(), report)));
    }
    let lock = match lock_reachable(ctx, nix, &missing)? {
        Ok(lock) => lock,
        Err(unreachable) => return Ok(Err(unreachable)),
    };
    let options = BuildOptions {
        since: Some(Instant::now()),
        ..options.clone()
    };
    let waits = Waits::new(graph, needed, &missing);
    sort(&mut missing, &waits.heights(&Times::read(ctx)?));
    let side_by_side = SideBySide {
        ctx,
        nix,
        targets,
        options,
        has_ended: AtomicBool::new(false),
        has_failed: AtomicBool::new(false),
    };
    side_by_side.run(waits, &missing, lock).map(Ok)
}

/// A fetch and the builds beside it.
struct SideBySide<'a> {
    ctx: &'a dyn Context,
    nix: &'a Nix,
    targets: &'a [String],
    options: BuildOptions,
    /// All sources are there, or one cannot be had.
    has_ended: AtomicBool,
    /// The fetch or a build failed, and the other is to end.
    has_failed: AtomicBool,
}

impl SideBySide<'_> {
    fn run(
        &self,
        waits: Waits<'_>,
        missing: &[MissingSource],
        lock: Lock,
    ) -> Result<(FetchReport, BuildReport)> {
        let (sender, arrivals) = mpsc::channel();
        let arrived = move |out_paths: Vec<String>| {
            // Nobody listens after a failure, which is told in place of this one.
            let failed = |_| anyhow::anyhow!("a build failed");
            sender.send(out_paths).map_err(failed)
        };
        let (early, fetched, last) = std::thread::scope(|scope| {
            let early = scope.spawn(move || self.early(waits, &arrivals));
            let since = Instant::now();
            let fetched = fetch(&self.until(), self.nix, missing, &arrived);
            if let (Some(recorder), Ok(report)) = (&self.options.recorder, &fetched) {
                let mut recorder = recorder.lock().unwrap_or_else(PoisonError::into_inner);
                recorder.fetched(since, report);
            }
            self.has_ended.store(true, Ordering::SeqCst);
            drop(arrived);
            drop(lock);
            // Which of the two failed first: it ended the other.
            let is_built = !self.has_failed.load(Ordering::SeqCst);
            if fetched.is_err() {
                self.has_failed.store(true, Ordering::SeqCst);
            }
            // Who wants one build at a time gets one.
            let goes_on = is_built && fetched.is_ok() && self.options.jobs.is_none();
            let last = goes_on.then(|| self.build_all());
            let early = early.join();
            match fetched {
                Err(failure) if is_built => Err(failure),
                fetched => Ok((early, fetched, last)),
            }
        })?;
        let mut report = early.unwrap_or_else(|_| Err(anyhow::anyhow!("building panicked")))?;
        let fetched = fetched?;
        self.ctx.check_interrupted()?;
        let last = last.unwrap_or_else(|| self.build_all())?;
        report.built.extend(last.built);
        Ok((fetched, report))
    }

    /// Builds until nothing arrives any more.
    fn early(
        &self,
        waits: Waits<'_>,
        arrivals: &mpsc::Receiver<Vec<String>>,
    ) -> Result<BuildReport> {
        let options = BuildOptions {
            is_part: true,
            ..self.options.clone()
        };
        let build = |drv_paths: &[String]| build_with(&self.until(), self.nix, drv_paths, &options);
        let built = build_early(waits, arrivals, &self.has_ended, &build);
        if built.is_err() {
            self.has_failed.store(true, Ordering::SeqCst);
        }
        built
    }

    fn build_all(&self) -> Result<BuildReport> {
        build_with(self.ctx, self.nix, self.targets, &self.options)
    }

    fn until(&self) -> Until<'_> {
        Until {
            ctx: self.ctx,
            has_failed: &self.has_failed,
        }
    }
}

/// Builds what has its sources each time that some arrived, until all have.
fn build_early(
    mut waits: Waits<'_>,
    arrivals: &mpsc::Receiver<Vec<String>>,
    has_ended: &AtomicBool,
    build: &dyn Fn(&[String]) -> Result<BuildReport>,
) -> Result<BuildReport> {
    let mut report = BuildReport::default();
    while let Ok(first) = arrivals.recv() {
        waits.arrived(first);
        for more in arrivals.try_iter() {
            waits.arrived(more);
        }
        // The last build does the rest.
        if has_ended.load(Ordering::SeqCst) {
            break;
        }
        // It is about to start. Another one beside it would only wait for what that builds, for
        // which nix looks every five seconds.
        if waits.lacking.is_empty() {
            continue;
        }
        let ready = waits.take_ready();
        if !ready.is_empty() {
            report.built.extend(build(&ready)?.built);
        }
    }
    Ok(report)
}

/// What lies on the longest way to the target comes first, and the largest of equals.
fn sort(missing: &mut [MissingSource], heights: &BTreeMap<&str, f64>) {
    let height = |source: &MissingSource| {
        let seconds = heights.get(source.out_path.as_str()).copied();
        // Below a second nothing is told apart.
        Reverse(seconds.unwrap_or_default().round() as u64)
    };
    missing.sort_by(|one, other| {
        let by_height = height(one).cmp(&height(other));
        let by_size = other.size.cmp(&one.size);
        by_height.then(by_size).then(one.name.cmp(&other.name))
    });
}

/// The derivations that wait for sources.
struct Waits<'g> {
    graph: &'g Graph,
    needed: &'g BTreeSet<String>,
    /// Output paths of sources that are not there yet.
    lacking: BTreeSet<String>,
    /// Those that were handed out.
    taken: BTreeSet<&'g str>,
}

impl<'g> Waits<'g> {
    fn new(graph: &'g Graph, needed: &'g BTreeSet<String>, missing: &[MissingSource]) -> Self {
        let lacking = missing.iter().map(|source| source.out_path.clone());
        Self {
            graph,
            needed,
            lacking: lacking.collect(),
            taken: BTreeSet::new(),
        }
    }

    fn arrived(&mut self, out_paths: Vec<String>) {
        for out_path in out_paths {
            self.lacking.remove(&out_path);
        }
    }

    /// The builds that wait for no source any more, each once, without those that others of them
    /// need.
    fn take_ready(&mut self) -> Vec<String> {
        let mut known = BTreeMap::new();
        let needed = self.needed;
        for drv_path in needed {
            self.is_ready(drv_path, &mut known);
        }
        let is_new = |drv_path: &&str| known[*drv_path] && !self.taken.contains(*drv_path);
        let builds = needed.iter().map(String::as_str).filter(|drv_path| {
            let node = self.graph.get(drv_path);
            node.is_some_and(|node| !node.is_fixed)
        });
        let new: BTreeSet<&'g str> = builds.filter(is_new).collect();
        let inner: BTreeSet<&str> = new
            .iter()
            .filter_map(|drv_path| self.graph.get(drv_path))
            .flat_map(|node| node.inputs.iter().map(String::as_str))
            .collect();
        let outer = new.iter().filter(|drv_path| !inner.contains(**drv_path));
        let outer = outer.map(|drv_path| (*drv_path).to_owned()).collect();
        self.taken.extend(new);
        outer
    }

    fn is_ready(&self, drv_path: &'g str, known: &mut BTreeMap<&'g str, bool>) -> bool {
        if let Some(is_ready) = known.get(drv_path) {
            return *is_ready;
        }
        let is_ready = match self.graph.get(drv_path) {
            // What the store has needs nothing.
            Some(node) if self.needed.contains(drv_path) => {
                let is_here = |out_path| !self.lacking.contains(out_path);
                let needs = |node: &'g super::Node, known: &mut _| {
                    let mut inputs = node.inputs.iter();
                    inputs.all(|input| self.is_ready(input, known))
                };
                (!node.is_fixed || node.out_paths.iter().all(is_here)) && needs(node, known)
            }
            _ => true,
        };
        known.insert(drv_path, is_ready);
        is_ready
    }

    /// How many seconds of building at least come after each source, by its output path.
    fn heights(&self, times: &Times) -> BTreeMap<&'g str, f64> {
        let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for drv_path in self.needed {
            let node = self.graph.get(drv_path);
            for input in node.into_iter().flat_map(|node| &node.inputs) {
                users.entry(input).or_default().push(drv_path);
            }
        }
        let mut known = BTreeMap::new();
        for drv_path in self.needed {
            self.height(drv_path, &users, times, &mut known);
        }
        let by_drv = self.needed.iter().filter_map(|drv_path| {
            let node = self.graph.get(drv_path).filter(|node| node.is_fixed)?;
            Some((node.out_paths.first()?.as_str(), known[drv_path.as_str()]))
        });
        let mut heights = BTreeMap::new();
        for (out_path, height) in by_drv {
            let highest: &mut f64 = heights.entry(out_path).or_default();
            *highest = highest.max(height);
        }
        heights
    }

    fn height(
        &self,
        drv_path: &'g str,
        users: &BTreeMap<&str, Vec<&'g str>>,
        times: &Times,
        known: &mut BTreeMap<&'g str, f64>,
    ) -> f64 {
        if let Some(height) = known.get(drv_path) {
            return *height;
        }
        let above = users.get(drv_path).into_iter().flatten().map(|user| {
            let name = self.graph.get(user).map_or("", |node| &node.name);
            // One second for what was never built here: then the number of steps decides.
            times.get(name).unwrap_or(1.0) + self.height(user, users, times, known)
        });
        let height = above.fold(0.0, f64::max);
        known.insert(drv_path, height);
        height
    }
}

#[cfg(test)]
mod tests {
    use super::super::drv::Drv;
    use super::*;
    use factory_model::lock::Sha256;

    /// `base` is built from `tar`, `tool` in it, and each of two packages from its wheel by the
    /// tool; `image` needs them all.
    fn graph() -> Graph {
        let source = |name: &str| {
            (
                format!("/s/{name}.drv"),
                format!(r#"Derive([("out","/s/{name}","sha256","00")],[],[],"s","b",[],[])"#),
            )
        };
        let built = |name: &str, inputs: &[&str]| {
            let inputs: Vec<String> = inputs
                .iter()
                .map(|input| format!(r#"("/s/{input}.drv",["out"])"#))
                .collect();
            let inputs = inputs.join(",");
            (
                format!("/s/{name}.drv"),
                format!(r#"Derive([("out","/s/{name}","","")],[{inputs}],[],"s","b",[],[])"#),
            )
        };
        let store: BTreeMap<String, String> = [
            source("tar"),
            source("a.whl"),
            source("b.whl"),
            built("base", &["tar"]),
            built("tool", &["base"]),
            built("a", &["tool", "a.whl"]),
            built("b", &["tool", "b.whl"]),
            built("image", &["base", "a", "b"]),
        ]
        .into();
        Graph::read_with(&["/s/image.drv".to_owned()], |drv_path| {
            Ok(Drv::parse(&store[drv_path]).unwrap())
        })
        .unwrap()
    }

    fn missing(names: &[&str]) -> Vec<MissingSource> {
        names
            .iter()
            .zip(1..)
            .map(|(name, size)| MissingSource {
                name: (*name).to_owned(),
                out_path: format!("/s/{name}"),
                hash: Sha256::of(name.as_bytes()),
                recursive: false,
                size: Some(size),
                origins: Vec::new(),
            })
            .collect()
    }

    fn needed(graph: &Graph) -> BTreeSet<String> {
        graph.iter().map(|(path, _)| path.to_owned()).collect()
    }

    #[test]
    fn ok_what_has_its_sources_is_ready_once() {
        let graph = graph();
        let needed = needed(&graph);
        let mut waits = Waits::new(&graph, &needed, &missing(&["tar", "a.whl", "b.whl"]));
        assert_eq!(waits.take_ready(), [""; 0]);
        waits.arrived(vec!["/s/a.whl".to_owned()]);
        assert_eq!(waits.take_ready(), [""; 0], "its tool is not there");
        waits.arrived(vec!["/s/tar".to_owned()]);
        // What it needs is built on the way.
        assert_eq!(waits.take_ready(), ["/s/a.drv"]);
        assert_eq!(waits.take_ready(), [""; 0]);
        waits.arrived(vec!["/s/b.whl".to_owned()]);
        assert_eq!(waits.take_ready(), ["/s/image.drv"]);
        assert_eq!(waits.taken.len(), 5);
    }

    #[test]
    fn ok_what_the_store_has_is_not_built() {
        let graph = graph();
        let mut needed = needed(&graph);
        for there in ["tar", "base", "tool"] {
            needed.remove(&format!("/s/{there}.drv"));
        }
        let mut waits = Waits::new(&graph, &needed, &missing(&["a.whl", "b.whl"]));
        waits.arrived(vec!["/s/b.whl".to_owned()]);
        assert_eq!(waits.take_ready(), ["/s/b.drv"]);
    }

    #[test]
    fn ok_the_longest_way_first_then_the_largest() {
        let graph = graph();
        let needed = needed(&graph);
        let mut sources = missing(&["a.whl", "tar", "b.whl"]);
        let waits = Waits::new(&graph, &needed, &sources);
        let heights = waits.heights(&Times::default());
        assert_eq!(heights["/s/tar"], 4.0, "base, tool, a package, the image");
        assert_eq!(heights["/s/a.whl"], 2.0);
        sort(&mut sources, &heights);
        let names: Vec<&str> = sources.iter().map(|source| &*source.name).collect();
        assert_eq!(names, ["tar", "b.whl", "a.whl"]);
    }

    #[test]
    fn ok_builds_while_sources_come_and_stops_with_them() {
        let graph = graph();
        let needed = needed(&graph);
        let waits = || Waits::new(&graph, &needed, &missing(&["tar", "a.whl", "b.whl"]));
        let waves = |has_ended: bool, fails: bool| {
            let (sender, arrivals) = mpsc::channel();
            let asked = std::cell::RefCell::new(Vec::new());
            let sent = std::cell::Cell::new(0);
            let names = ["tar", "a.whl", "b.whl"];
            let send = || {
                if let Some(name) = names.get(sent.replace(sent.get() + 1)) {
                    sender.send(vec![format!("/s/{name}")]).unwrap();
                }
            };
            send();
            let has_ended = AtomicBool::new(has_ended);
            let built = build_early(waits(), &arrivals, &has_ended, &|drv_paths| {
                asked.borrow_mut().push(drv_paths.join(" "));
                anyhow::ensure!(!fails, "it fails");
                send();
                // The last to come ends it.
                has_ended.store(sent.get() == names.len(), Ordering::SeqCst);
                Ok(BuildReport::default())
            });
            (built.is_ok(), asked.into_inner())
        };
        let (is_ok, asked) = waves(false, false);
        assert!(is_ok);
        assert_eq!(asked, ["/s/tool.drv", "/s/a.drv"]);
        assert_eq!(waves(true, false), (true, Vec::new()));
        let (sender, arrivals) = mpsc::channel();
        for name in ["tar", "a.whl", "b.whl", "b.whl"] {
            sender.send(vec![format!("/s/{name}")]).unwrap();
        }
        drop(sender);
        let report = build_early(waits(), &arrivals, &AtomicBool::new(false), &|drv_paths| {
            panic!("{drv_paths:?} is what the last build is about to do")
        });
        assert!(report.unwrap().built.is_empty());
        assert_eq!(waves(false, true), (false, vec!["/s/tool.drv".to_owned()]));
    }
}
