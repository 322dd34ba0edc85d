//! An engine pulls an image that this process serves from the store on the loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use comfy_image::Digest;
use comfy_image::image::Image;

use crate::ctx::Ctx;
use crate::exit::from_image;
use crate::realize::Realized;
use crate::transfer::Transfer;
use factory_base::text;
use factory_verify::engine::{Engine, EngineKind, served_repository};
use oci_registry::serve::{Images, Limits, Observer, Server};

/// Blobs that go out at once, the lower layers first. An engine asks for more, and unpacks the
/// lowest once it is whole: so it does that while the next ones come.
const STREAMS: usize = 2;
/// An engine stops reading while it unpacks: its disk sets the pace, and it is no stranger.
const PATIENCE: Duration = Duration::from_secs(600);

/// podman keeps each blob as a file until all of a pull is done: an image is pulled in parts
/// of about this size, lowest first, so that it does not need the image's size twice.
const PART_BYTES: u64 = 1_500_000_000;

/// What went to the engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pulled {
    pub(crate) n_blobs: usize,
    pub(crate) n_bytes: u64,
}

/// How a pull ended.
pub(crate) enum Outcome {
    Pulled(Pulled),
    /// The engine failed before it got the manifest, and so does not reach us.
    Unreached(anyhow::Error),
}

/// Serves the image until the engine has pulled it.
pub(crate) fn pull(ctx: &Ctx, engine: &Engine, realized: &Realized) -> Result<Outcome> {
    let image = &realized.image;
    let reference = &image.reference;
    let mut images = Images::default();
    let repository = served_repository(reference);
    let store_root = realized.nix.store_root();
    images.add(&repository, reference.tag(), image, store_root)?;
    let mut tags = Vec::new();
    let (ends, most_bytes) = parts(engine, image)?;
    for (number, n_blobs) in ends.into_iter().enumerate() {
        let tag = format!("part{}", number + 1);
        images.add_part(&repository, &tag, image, n_blobs);
        tags.push(tag);
    }
    tags.push(reference.tag().to_owned());
    let limits = Limits {
        streams: STREAMS,
        turn: PATIENCE,
        stall: PATIENCE,
        ..Limits::default()
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::bind(address, limits)?.with_images(images);
    let progress = Progress::new(ctx, &reference.to_string(), image);
    let is_done = AtomicBool::new(false);
    let stop = || is_done.load(Ordering::Relaxed) || ctx.is_interrupted();
    let (pulled, served) = std::thread::scope(|scope| {
        let serving = scope.spawn(|| server.run(&stop, &progress));
        let pulled = engine.pull(ctx, server.address(), reference, &tags, most_bytes);
        is_done.store(true, Ordering::Relaxed);
        (pulled, serving.join())
    });
    let is_reached = progress.is_reached.load(Ordering::Relaxed);
    let (outcome, failure) = progress.finish();
    ctx.check_interrupted()?;
    // What the store lacks is why the engine failed.
    if let Some(failure) = failure {
        return Err(from_image(failure));
    }
    match pulled {
        Ok(()) => {
            served.map_err(|_| anyhow::anyhow!("the server of the image panicked"))??;
            Ok(Outcome::Pulled(outcome))
        }
        Err(error) if !is_reached => Ok(Outcome::Unreached(error)),
        Err(error) => Err(error),
    }
}

/// How many blobs each part has that is pulled before the whole image, and the bytes of the
/// largest part.
fn parts(engine: &Engine, image: &Image) -> Result<(Vec<usize>, u64)> {
    if engine.kind() == EngineKind::Docker {
        return Ok((Vec::new(), image.size_bytes));
    }
    let sizes: Vec<u64> = image.blobs().map(|blob| blob.size_bytes).collect();
    let n_known = engine.n_known_blobs(image)?;
    let ends = cut(&sizes, n_known, PART_BYTES);
    let most_bytes = most_bytes(&sizes, n_known, &ends);
    Ok((ends, most_bytes))
}

fn most_bytes(sizes: &[u64], n_known: usize, ends: &[usize]) -> u64 {
    let starts = std::iter::once(n_known).chain(ends.iter().copied());
    let ends = ends.iter().copied().chain([sizes.len()]);
    let parts = starts.zip(ends).map(|(start, end)| &sizes[start..end]);
    let bytes = parts.map(|part| part.iter().sum());
    bytes.max().unwrap_or_default()
}

/// Ends of parts: blobs from `n_known` on, each part as large as `part_bytes` allows, and of
/// one blob at least. What comes after the last end is not part of any.
fn cut(sizes: &[u64], n_known: usize, part_bytes: u64) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut n_bytes = 0;
    for (number, size) in sizes.iter().enumerate().skip(n_known) {
        if n_bytes > 0 && n_bytes + size > part_bytes {
            ends.push(number);
            n_bytes = 0;
        }
        n_bytes += size;
    }
    ends
}

/// Counts what the engine asks for.
struct Progress {
    transfer: Transfer,
    /// What the bar says before the count of blobs.
    what: String,
    n_of: usize,
    n_blobs: AtomicUsize,
    n_bytes: AtomicU64,
    is_reached: AtomicBool,
    failure: Mutex<Option<comfy_image::Error>>,
}

impl Progress {
    fn new(ctx: &Ctx, what: &str, image: &Image) -> Self {
        Self {
            transfer: Transfer::start(&ctx.ui, "Loading", what, image.size_bytes),
            what: what.to_owned(),
            n_of: image.blobs().count(),
            n_blobs: AtomicUsize::new(0),
            n_bytes: AtomicU64::new(0),
            is_reached: AtomicBool::new(false),
            failure: Mutex::new(None),
        }
    }

    fn finish(self) -> (Pulled, Option<comfy_image::Error>) {
        self.transfer.finish();
        let pulled = Pulled {
            n_blobs: self.n_blobs.into_inner(),
            n_bytes: self.n_bytes.into_inner(),
        };
        let failure = self.failure.into_inner();
        (pulled, failure.unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Progress {
    fn answered(&self, _: SocketAddr, _: &str, target: &str, status: u16) {
        if status == 200 && target.contains("/manifests/") {
            self.is_reached.store(true, Ordering::Relaxed);
        }
    }

    fn sent(&self, n_bytes: u64) {
        self.n_bytes.fetch_add(n_bytes, Ordering::Relaxed);
        self.transfer.advance(n_bytes);
    }

    fn blob_sent(&self, _: SocketAddr, _: &Digest) {
        let n_blobs = self.n_blobs.fetch_add(1, Ordering::Relaxed) + 1;
        let of = text::count(self.n_of, "blob");
        let what = format!("{}, {n_blobs} of {of}", self.what);
        self.transfer.rename("Loading", &what);
    }

    fn failed(&self, error: comfy_image::Error) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_parts() {
        for (sizes, n_known, expected, most) in [
            (&[][..], 0, &[][..], 0),
            (&[9], 0, &[], 9),
            (&[1, 2, 3], 0, &[], 6),
            (&[4, 6, 1, 9, 30, 1, 1], 0, &[2, 4, 5], 30),
            (&[4, 6, 1, 9, 30, 1, 1], 4, &[5], 30),
            (&[4, 6, 1, 9, 30, 1, 1], 5, &[], 2),
            (&[4, 6, 1, 9, 30, 1, 1], 7, &[], 0),
        ] {
            let ends = cut(sizes, n_known, 10);
            assert_eq!(ends, expected, "{sizes:?} from {n_known}");
            assert_eq!(most_bytes(sizes, n_known, &ends), most, "{sizes:?}");
        }
    }
}
