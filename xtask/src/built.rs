//! What a build did, on stdout: one table, or one JSON document.

use anyhow::Result;
use comfy_image::image::ImageLayer;

use crate::ctx::Ctx;
use crate::document::{self, Blob, Built, BuiltLayer, Loaded, State};
use crate::realize::Realized;
use factory_base::text;

/// Prints the result of `build` and `build-final`.
pub(crate) fn report(ctx: &Ctx, realized: &Realized, loaded: Option<Loaded>) -> Result<()> {
    if ctx.json {
        return document::print(ctx, &document(realized, loaded));
    }
    let image = &realized.image;
    let layers = realized.layers.iter().zip(&image.layers);
    let rows = layers.map(|(state, layer)| {
        let took = match state.built {
            true => text::elapsed(state.took),
            false => String::new(),
        };
        vec![
            state.name.to_string(),
            layer.n_packages.to_string(),
            layer.n_files.to_string(),
            text::bytes(layer.size_bytes),
            diff_ids(layer),
            state_of(state.built).text().to_owned(),
            took,
        ]
    });
    let head = [
        "layer", "packages", "files", "size", "diff_id", "state", "time",
    ];
    let rows: Vec<Vec<String>> = rows.collect();
    ctx.ui.data(text::table(&head, &rows, &[1, 2, 3, 6]))?;
    ctx.ui.data(format!(
        "\nimage     {}\nsize      {}\nconfig    {}\nmanifest  {}",
        image.reference,
        text::bytes(image.size_bytes),
        image.config.digest,
        image.manifest.digest,
    ))?;
    ctx.ui.step(
        "Finished",
        format!(
            "{} in {}",
            text::count(realized.n_built, "build"),
            text::elapsed(realized.took)
        ),
    );
    Ok(())
}

fn document(realized: &Realized, loaded: Option<Loaded>) -> Built {
    let image = &realized.image;
    let layers = realized.layers.iter().zip(&image.layers);
    Built {
        variant: realized.selection.variant.label(),
        reference: image.reference.to_string(),
        config_digest: image.config.digest.to_string(),
        manifest_digest: image.manifest.digest.to_string(),
        size_bytes: image.size_bytes,
        n_built: realized.n_built,
        seconds: realized.took.as_secs_f64(),
        sources: realized.fetch.clone(),
        layers: layers
            .map(|(state, layer)| BuiltLayer {
                name: state.name.to_string(),
                n_packages: layer.n_packages,
                n_files: layer.n_files,
                size_bytes: layer.size_bytes,
                blobs: layer
                    .blobs
                    .iter()
                    .map(|blob| Blob {
                        diff_id: blob.diff_id.to_string(),
                        size_bytes: blob.size_bytes,
                    })
                    .collect(),
                state: state_of(state.built),
                seconds: state.took.as_secs_f64(),
            })
            .collect(),
        loaded,
    }
}

fn state_of(built: bool) -> State {
    if built { State::Built } else { State::Reused }
}

fn diff_ids(layer: &ImageLayer) -> String {
    match layer.blobs.as_slice() {
        [] => "empty".to_owned(),
        [blob] => short_digest(&blob.diff_id),
        [first, rest @ ..] => format!("{} +{}", short_digest(&first.diff_id), rest.len()),
    }
}

/// `sha256:1f2e3d4c5b6a`, enough for people to compare.
fn short_digest(digest: &impl ToString) -> String {
    digest
        .to_string()
        .chars()
        .take("sha256:".len() + 12)
        .collect()
}
