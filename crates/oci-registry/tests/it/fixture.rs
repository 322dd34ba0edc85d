//! Two small images, as a layer's build would leave them, and a server of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use comfy_image::image::{Image, ImageRequest, assemble};
use comfy_image::layer::LayerRequest;
use comfy_image::spec::build_spec;
use oci_registry::serve::{Images, Limits, Observer, Server};

pub(crate) const NAME: &str = "me/small";

/// Images `one` and `two` of one lower layer.
pub(crate) struct Fixture {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) one: Image,
    pub(crate) two: Image,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        let low = layer(at, "01-low", &noise(3 << 20));
        let high = layer(at, "02-high", b"small");
        let (one, two) = (image("one", &[&low]), image("two", &[&low, &high]));
        Self {
            directory,
            one,
            two,
        }
    }

    pub(crate) fn images(&self) -> Images {
        let mut images = Images::default();
        images.add(NAME, "one", &self.one, None).unwrap();
        images.add(NAME, "two", &self.two, None).unwrap();
        images.add("other", "two", &self.two, None).unwrap();
        images
    }

    /// A file of the lower layer's tree.
    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.directory.path().join("01-low/root/etc/01-low")
    }

    /// The blob of the lower layer, as a tar that the crate writes by another way.
    pub(crate) fn low_blob(&self) -> Vec<u8> {
        let mut found = Vec::new();
        comfy_image::stream::for_each_blob(&self.one, None, &mut |plan, number, blob| {
            plan.write_blob(number, blob, &mut found, &|_| ())
        })
        .unwrap();
        found
    }
}

/// Bytes that are the same in every run and have no pattern.
fn noise(n_bytes: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(n_bytes).collect()
}

fn layer(at: &Path, name: &str, content: &[u8]) -> std::path::PathBuf {
    let tree = at.join(name);
    std::fs::create_dir_all(tree.join("root/etc")).unwrap();
    std::fs::write(tree.join("root/etc").join(name), content).unwrap();
    let request: LayerRequest = serde_json::from_value(serde_json::json!({
        "schema_version": 1,
        "name": name,
        "trees": [{"package": name, "path": tree}],
        "partition": {"max_blobs": 1, "alone_from_bytes": 0},
    }))
    .unwrap();
    let spec = build_spec(&request, NonZeroUsize::MIN, None).unwrap();
    let path = at.join(format!("{name}.json"));
    std::fs::write(&path, serde_json::to_string(&spec).unwrap()).unwrap();
    path
}

fn image(tag: &str, layers: &[&std::path::PathBuf]) -> Image {
    let request: ImageRequest = serde_json::from_value(serde_json::json!({
        "schema_version": 1,
        "name": NAME,
        "tag": tag,
        "config": {"Cmd": ["true"]},
        "architecture": "amd64",
        "os": "linux",
        "created": "1970-01-01T00:00:01Z",
        "layers": layers,
    }))
    .unwrap();
    assemble(&request, None).unwrap()
}

/// Remembers what the server did.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) n_bytes: AtomicU64,
    pub(crate) failures: Mutex<Vec<String>>,
    pub(crate) statuses: Mutex<BTreeMap<u16, usize>>,
}

impl Observer for Seen {
    fn answered(&self, _: SocketAddr, _: &str, _: &str, status: u16) {
        *self.statuses.lock().unwrap().entry(status).or_default() += 1;
    }

    fn sent(&self, n_bytes: u64) {
        self.n_bytes.fetch_add(n_bytes, Ordering::Relaxed);
    }

    fn failed(&self, error: comfy_image::Error) {
        self.failures.lock().unwrap().push(error.to_string());
    }
}

/// A server that runs until it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(images: Images, limits: Limits) -> Self {
        let server = Server::bind(([127, 0, 0, 1], 0).into(), limits).unwrap();
        Self::with(server.with_images(images))
    }

    pub(crate) fn with(server: Server) -> Self {
        let address = server.address();
        let (seen, stop) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
        let (observer, flag) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let stop = || flag.load(Ordering::Relaxed);
            server.run(&stop, observer.as_ref()).unwrap();
        });
        Self {
            address,
            seen,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}
