//! `carry`: what was slow comes back on a machine that lost it, and nothing else does.

use std::path::{Path, PathBuf};

use factory_model::lock::Sha256;

use crate::fixture::{Checkout, Ran, nix_program, physical};

/// A checkout with one slow tree, saved in a directory.
struct Carried {
    checkout: Checkout,
    /// With characters that mean something in a URL.
    directory: PathBuf,
    /// The slow tree.
    path: String,
}

impl Carried {
    /// `None` where there is no Nix.
    fn new() -> Option<Self> {
        let checkout = Checkout::new()?;
        checkout.run(&["build", "02"]).ok();
        let directory = checkout.root().with_file_name("carried 100%&?#+");
        let mut carried = Self {
            checkout,
            directory,
            path: String::new(),
        };
        carried.restore(&[]).ok();
        // Nothing took a minute yet.
        assert!(carried.save(&[]).is_empty());
        carried.measure();
        let paths = carried.save(&[]);
        assert_eq!(paths.len(), 1);
        carried.path.clone_from(&paths[0]);
        assert!(carried.path.ends_with("-numpy-2.4"), "{}", carried.path);
        Some(carried)
    }

    fn times(&self) -> PathBuf {
        self.checkout.cache().join("build-times.json")
    }

    fn measure(&self) {
        let times = r#"{"numpy-2.4": 100.0, "layer01-low-image": 0.1}"#;
        fs_err::write(self.times(), times).unwrap();
    }

    fn save(&self, more: &[&str]) -> Vec<String> {
        let directory = self.directory.to_str().unwrap();
        let arguments = ["carry", "save", directory, "02", "--json"];
        let saved = self.checkout.run(&[&arguments, more].concat()).ok().json();
        serde_json::from_value(saved["paths"].clone()).unwrap()
    }

    fn restore(&self, more: &[&str]) -> Ran {
        let directory = self.directory.to_str().unwrap();
        let arguments = ["carry", "restore", directory];
        self.checkout.run(&[&arguments, more].concat())
    }

    fn is_there(&self) -> bool {
        store(&["--check-validity", &self.path])
    }

    /// As on another machine.
    fn lose(&self) {
        assert!(store(&["--delete", &self.path]));
        assert!(!self.is_there());
    }

    fn narinfo(&self) -> PathBuf {
        let hash = &self.path["/nix/store/".len()..][..32];
        self.directory.join(format!("{hash}.narinfo"))
    }

    /// Replaces the content, and what the cache says of it: all but the signature fits.
    fn forge(&self) {
        let tree = self.directory.with_file_name("forged");
        fs_err::write(&tree, "forged").unwrap();
        let nar = nix_program("nix-store")
            .arg("--dump")
            .arg(&tree)
            .output()
            .unwrap()
            .stdout;
        let hash = Sha256::of(&nar);
        fs_err::write(self.directory.join("nar/forged.nar"), &nar).unwrap();
        let mut text = String::new();
        for line in fs_err::read_to_string(self.narinfo()).unwrap().lines() {
            let line = match line.split_once(':').unwrap().0 {
                "URL" => "URL: nar/forged.nar".to_owned(),
                "Compression" => "Compression: none".to_owned(),
                "FileHash" | "NarHash" => {
                    line.split_once(": ").unwrap().0.to_owned() + &format!(": sha256:{hash}")
                }
                "FileSize" | "NarSize" => {
                    line.split_once(": ").unwrap().0.to_owned() + &format!(": {}", nar.len())
                }
                _ => line.to_owned(),
            };
            text += &line;
            text.push('\n');
        }
        fs_err::write(self.narinfo(), text).unwrap();
    }

    /// Nothing came, and the message says which directory and which way on.
    fn assert_refused(&self, ran: &Ran) {
        assert_eq!(ran.status, 1, "{}", ran.stderr);
        for words in ["was not signed with the key", "carried 100%&?#+", "hint: "] {
            assert!(ran.stderr.contains(words), "{}", ran.stderr);
        }
        assert!(!self.is_there());
    }
}

fn store(arguments: &[&str]) -> bool {
    let output = nix_program("nix-store").args(arguments).output().unwrap();
    output.status.success()
}

/// The one file of a directory.
fn only_file(directory: &Path) -> PathBuf {
    let mut files = fs_err::read_dir(directory).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none());
    file
}

#[test]
fn ok_slow_builds_come_back() {
    let Some(carried) = Carried::new() else {
        return;
    };
    carried.lose();
    fs_err::remove_file(carried.times()).unwrap();
    carried.restore(&[]).ok();
    assert!(carried.is_there());
    // The next `save` knows what is worth it.
    let times = fs_err::read_to_string(carried.times()).unwrap();
    assert!(times.contains("numpy-2.4"));
}

#[test]
fn err_altered_content() {
    let Some(carried) = Carried::new() else {
        return;
    };
    let original = fs_err::read(physical(&carried.path)).unwrap();
    carried.lose();
    let nar = only_file(&carried.directory.join("nar"));
    let whole = fs_err::read(&nar).unwrap();
    // What Nix says depends on where it is: in the frame, in the NAR's structure, in the file. A
    // bit of the frame may mean nothing, and a length that is altered wants more memory than
    // there is; only what was saved comes in any case.
    for place in [0, whole.len() / 4, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        fs_err::write(&nar, bytes).unwrap();
        let ran = carried.restore(&[]);
        if ran.status == 0 {
            assert_eq!(fs_err::read(physical(&carried.path)).unwrap(), original);
            carried.lose();
            continue;
        }
        assert!(!carried.is_there());
        let is_memory = ran.stderr.contains("out of memory");
        assert!(ran.status == 1 || is_memory, "{place}: {}", ran.stderr);
    }
    fs_err::write(&nar, &whole[..whole.len() / 2]).unwrap();
    carried.assert_refused(&carried.restore(&[]));

    fs_err::write(&nar, whole).unwrap();
    let narinfo = fs_err::read(carried.narinfo()).unwrap();
    carried.forge();
    carried.assert_refused(&carried.restore(&[]));

    fs_err::write(carried.narinfo(), narinfo).unwrap();
    carried.restore(&[]).ok();
    assert_eq!(fs_err::read(physical(&carried.path)).unwrap(), original);
}

#[test]
fn err_another_key() {
    let Some(carried) = Carried::new() else {
        return;
    };
    carried.lose();
    let other = carried.directory.with_file_name("other.key");
    let key = other.to_str().unwrap();
    let no_key = carried.restore(&["--key", key]);
    assert_eq!(no_key.status, 3, "{}", no_key.stderr);
    let generated = nix_program("nix")
        .args(["--extra-experimental-features", "nix-command"])
        .args(["key", "generate-secret", "--key-name", "other"])
        .output()
        .unwrap();
    fs_err::write(&other, generated.stdout).unwrap();
    carried.assert_refused(&carried.restore(&["--key", key]));
    carried.restore(&[]).ok();
    assert!(carried.is_there());
}

#[test]
fn err_no_signature() {
    let Some(carried) = Carried::new() else {
        return;
    };
    carried.lose();
    let signed = fs_err::read_to_string(carried.narinfo()).unwrap();
    let lines = signed.lines().filter(|line| !line.starts_with("Sig: "));
    let unsigned = lines.fold(String::new(), |text, line| text + line + "\n");
    assert_ne!(signed, unsigned);
    fs_err::write(carried.narinfo(), &unsigned).unwrap();
    carried.assert_refused(&carried.restore(&[]));
    fs_err::write(carried.narinfo(), &signed).unwrap();
    carried.restore(&[]).ok();

    // What lies there unsigned is written again, and not kept as Nix would.
    fs_err::write(carried.narinfo(), &unsigned).unwrap();
    carried.measure();
    carried.save(&[]);
    carried.lose();
    carried.restore(&[]).ok();
    assert!(carried.is_there());
}
