//! What the image is made of: the place of the treemap, and its tables.

use super::{escape, folded, table, words};
use crate::{Contents, PartKind};

impl Contents {
    pub(super) fn n_parts(&self) -> u64 {
        self.layers
            .iter()
            .map(|layer| layer.parts.len() as u64)
            .sum()
    }

    /// None where only blobs are known.
    pub(super) fn n_files(&self) -> Option<u64> {
        let parts = self.layers.iter().flat_map(|layer| &layer.parts);
        parts.map(|part| part.n_files).sum()
    }

    pub(super) fn parts_bytes(&self) -> u64 {
        self.layers.iter().map(|layer| layer.parts_bytes).sum()
    }
}

pub(super) fn section(contents: &Contents) -> String {
    let note = match contents.parts_are {
        PartKind::Packages => format!(
            "Areas are bytes of files. Of each package the largest {} files are drawn, and the others as one.",
            contents.most_files
        ),
        PartKind::Blobs => "The trees of this image are not on this machine: areas are bytes of its blobs as they are kept.".to_owned(),
    };
    format!(
        "<section id=\"contents\" aria-labelledby=\"contents-head\">\n<h2 id=\"contents-head\">What it is made of</h2>\n\
         <div class=\"bar\"><nav id=\"crumbs\" aria-label=\"Where the treemap is\"></nav></div>\n\
         <div id=\"map\" class=\"map\" role=\"group\" aria-label=\"Treemap. Arrow keys move, Enter goes in, Escape goes out.\"></div>\n\
         <noscript><p>The treemap needs a script. The tables below have all of it.</p></noscript>\n\
         <p id=\"map-detail\" class=\"detail\" aria-live=\"polite\">&nbsp;</p>\n\
         <p class=\"note\">{note}</p>\n{}{}</section>\n",
        layers(contents),
        folded(
            &format!(
                "All {}",
                words::count(contents.n_parts(), contents.parts_are.noun())
            ),
            &parts(contents),
        ),
    )
}

fn layers(contents: &Contents) -> String {
    let most = contents.layers.iter().map(|layer| layer.size_bytes).max();
    let most = most.unwrap_or(0) as f64;
    let rows = contents.layers.iter().enumerate().map(|(place, layer)| {
        let n_files: Option<u64> = layer.parts.iter().map(|part| part.n_files).sum();
        let width = layer.size_bytes as f64 / most.max(1.0) * 100.0;
        let bar = match layer.size_bytes {
            0 => String::new(),
            _ => format!(
                "<i class=\"meter\" style=\"{};width:{width:.1}%\"></i>",
                words::hue(Some(place))
            ),
        };
        vec![
            format!(
                "<i class=\"key\" style=\"{}\"></i>{}",
                words::hue(Some(place)),
                escape::text(&layer.name)
            ),
            words::bytes(layer.size_bytes),
            bar,
            words::number(layer.parts.len() as u64),
            n_files.map_or_else(String::new, words::number),
            words::number(layer.n_blobs as u64),
        ]
    });
    let noun = format!("{}s", contents.parts_are.noun());
    table(
        "layers",
        "Layers, the bottom one first",
        &["layer", "size", "", &noun, "files", "blobs"],
        &[1, 3, 4, 5],
        &rows.collect::<Vec<_>>(),
    )
}

fn parts(contents: &Contents) -> String {
    let all = contents.layers.iter();
    let all = all.flat_map(|layer| layer.parts.iter().map(move |part| (layer, part)));
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(_, part)| std::cmp::Reverse(part.size_bytes));
    let whole = contents.parts_bytes() as f64;
    let rows = all.into_iter().map(|(layer, part)| {
        vec![
            escape::text(&part.name),
            escape::text(&part.version),
            escape::text(&layer.name),
            part.n_files.map_or_else(String::new, words::number),
            words::bytes(part.size_bytes),
            words::share(part.size_bytes as f64, whole),
        ]
    });
    let noun = contents.parts_are.noun();
    let search = format!(
        "<p><label>Find <input type=\"search\" class=\"find\" data-table=\"parts\" placeholder=\"name of a {noun}\"></label> <span class=\"found\" aria-live=\"polite\"></span></p>\n"
    );
    search
        + &table(
            "parts",
            &format!("Every {noun}, the largest first"),
            &[noun, "version", "layer", "files", "size", "share"],
            &[3, 4, 5],
            &rows.collect::<Vec<_>>(),
        )
}
