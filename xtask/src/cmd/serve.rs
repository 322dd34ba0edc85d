//! `serve`: images of the store as a read-only registry, for other machines.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use comfy_image::Digest;

use crate::attaching::{self, About};
use crate::cli::ServeArgs;
use crate::ctx::Ctx;
use crate::document::{self, ServedImage, Serving};
use crate::exit::from_image;
use crate::realize;
use crate::select;
use factory_base::run::Report as _;
use factory_base::text;
use factory_model::layer::{LAST, LayerName};
use oci_registry::serve::{Images, Limits, Observer, Server, Tls, Users};

pub(super) fn run(ctx: &Ctx, args: &ServeArgs) -> Result<()> {
    let layers = layers(ctx, &args.layers)?;
    let mut server = Server::bind(args.listen, Limits::default())?;
    if let [certificate, key] = args.tls.as_slice() {
        server = server.with_tls(Tls::read(certificate, key)?);
    }
    if let Some(file) = &args.auth {
        server = server.with_users(Users::read(file)?);
    }
    if let Some(warning) = warning(args) {
        ctx.ui.warn(warning);
    }
    let key = attaching::read_key(&args.origin)?;
    let host = host(server.address())?;
    let mut images = Images::default();
    let mut served = Vec::new();
    for layer in &layers {
        let selection = realize::selection(ctx, &args.variant, &layer.to_string(), None)?;
        let realized = realize::realize(ctx, selection)?;
        let (image, store_root) = (&realized.image, realized.nix.store_root());
        let (repository, tag) = (image.reference.repository(), image.reference.tag());
        images.add(repository, tag, image, store_root)?;
        let about = About {
            realized: &realized,
            compression: None,
            report: None,
            builder: None,
            is_bare: args.origin.bare,
        };
        let documents = about.documents(ctx)?;
        let subject = image.manifest.digest;
        attaching::add(&mut images, repository, &subject, documents, key.as_ref())?;
        served.push(ServedImage {
            reference: format!("{host}/{repository}:{tag}"),
            manifest_digest: image.manifest.digest.to_string(),
        });
    }
    let server = server.with_images(images);
    ctx.ui.step(
        "Serving",
        format!("on {}; Ctrl-C ends it", server.address()),
    );
    if ctx.json {
        let address = server.address().to_string();
        document::print(
            ctx,
            &Serving {
                address,
                images: served,
            },
        )?;
    } else {
        for image in &served {
            ctx.ui.data(&image.reference)?;
        }
    }
    let told = Told::new(ctx);
    server.run(&|| ctx.is_interrupted(), &told)?;
    told.sum_up();
    Ok(())
}

fn layers(ctx: &Ctx, words: &[String]) -> Result<Vec<LayerName>> {
    match words {
        [] => Ok(vec![select::layer(ctx, LAST)?]),
        [all] if all == "all" => select::layers(ctx),
        words => words.iter().map(|word| select::layer(ctx, word)).collect(),
    }
}

/// What others can do whom the address lets in.
fn warning(args: &ServeArgs) -> Option<String> {
    let address = args.listen;
    if address.ip().is_loopback() {
        return None;
    }
    let by_whom = format!("whoever reaches {address} can pull these images");
    let in_clear = "what is sent can be read and changed on its way, and clients want the address among their insecure registries";
    match (args.tls.is_empty(), args.auth.is_none()) {
        (true, true) => Some(format!(
            "{by_whom}; {in_clear}: add `--tls CERT KEY` and `--auth FILE`"
        )),
        (true, false) => Some(format!(
            "passwords go over the network as they are; {in_clear}: add `--tls CERT KEY`"
        )),
        (false, true) => Some(format!("{by_whom}: add `--auth FILE`")),
        (false, false) => None,
    }
}

/// What others call the address: this machine's name where it listens on all of them.
fn host(address: SocketAddr) -> Result<String> {
    if !address.ip().is_unspecified() {
        return Ok(address.to_string());
    }
    let name = fs_err::read_to_string("/proc/sys/kernel/hostname")?;
    Ok(format!("{}:{}", name.trim(), address.port()))
}

/// Tells the user what goes on.
struct Told<'c> {
    ctx: &'c Ctx,
    n_requests: AtomicU64,
    n_bytes: AtomicU64,
}

impl<'c> Told<'c> {
    fn new(ctx: &'c Ctx) -> Self {
        Self {
            ctx,
            n_requests: AtomicU64::new(0),
            n_bytes: AtomicU64::new(0),
        }
    }

    fn sum_up(self) {
        let n_requests = self.n_requests.into_inner();
        let requests = text::count(usize::try_from(n_requests).unwrap_or(usize::MAX), "request");
        let bytes = text::bytes(self.n_bytes.into_inner());
        self.ctx
            .ui
            .step("Served", format!("{requests}, {bytes} of blobs"));
    }
}

impl Observer for Told<'_> {
    fn answered(&self, peer: SocketAddr, method: &str, target: &str, status: u16) {
        self.n_requests.fetch_add(1, Ordering::Relaxed);
        // What a client sends does not steer the terminal.
        let target = target.escape_debug();
        self.ctx
            .detail(&format!("{peer} {method} {target} {status}"));
    }

    fn sent(&self, n_bytes: u64) {
        self.n_bytes.fetch_add(n_bytes, Ordering::Relaxed);
    }

    fn blob_sent(&self, peer: SocketAddr, digest: &Digest) {
        self.ctx.detail(&format!("{peer} has {digest}"));
    }

    fn failed(&self, error: comfy_image::Error) {
        self.ctx.warn(&format!("{:#}", from_image(error)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    fn args(words: &[&str]) -> ServeArgs {
        let words = ["xtask", "serve"].iter().chain(words);
        match Cli::try_parse_from(words).unwrap().command {
            Command::Serve(args) => args,
            _ => panic!("another command"),
        }
    }

    #[test]
    fn ok_warnings_say_what_it_means() {
        let says = |words: &[&str]| warning(&args(words)).unwrap_or_default();
        assert_eq!(says(&[]), "");
        assert_eq!(says(&["--listen", "[::1]:5000"]), "");
        let open = ["--listen", "0.0.0.0:5000"];
        let with = |more: &[&str]| says(&[open.as_slice(), more].concat());
        assert!(with(&[]).contains("can pull") && with(&[]).contains("insecure registries"));
        assert!(with(&["--auth", "f"]).contains("passwords"));
        assert!(with(&["--tls", "c", "k"]).ends_with("can pull these images: add `--auth FILE`"));
        assert_eq!(with(&["--tls", "c", "k", "--auth", "f"]), "");
    }

    #[test]
    fn ok_layers_after_a_certificate() {
        let args = args(&["--tls", "c", "k", "05", "06"]);
        assert_eq!(args.layers, ["05", "06"]);
        assert_eq!(args.tls.len(), 2);
    }
}
