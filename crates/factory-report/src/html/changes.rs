//! What differs between the image and another one.

use super::{escape, folded, table, words};
use crate::Changes;

pub(super) fn section(changes: &Changes) -> String {
    let tables = [
        settings(changes),
        packages(changes),
        blobs(changes),
        files(changes),
    ];
    format!(
        "<section id=\"changes\" aria-labelledby=\"changes-head\">\n<h2 id=\"changes-head\">What changed</h2>\n\
         <p>Against <b>{}</b> (manifest <code title=\"{}\">{}…</code>, {}): {}.</p>\n{}</section>\n",
        escape::text(&changes.against),
        escape::text(&changes.manifest_digest),
        words::short(&changes.manifest_digest),
        words::bytes(changes.size_bytes),
        match changes.is_same {
            true => "the same image".to_owned(),
            false => format!(
                "{} the same ({}), {} not",
                words::count(changes.n_same_blobs as u64, "blob"),
                words::bytes(changes.same_bytes),
                words::number(changes.blobs.len() as u64)
            ),
        },
        tables.concat(),
    )
}

fn layer(layer: Option<&String>) -> String {
    layer.map_or_else(|| "?".to_owned(), |layer| escape::text(layer))
}

fn settings(changes: &Changes) -> String {
    if changes.settings.is_empty() {
        return String::new();
    }
    let shown = |value: &Option<String>| {
        let value = value.as_ref();
        value.map_or_else(
            || "(not set)".to_owned(),
            |value| format!("<code>{}</code>", escape::text(value)),
        )
    };
    let rows = changes.settings.iter();
    let rows = rows.map(|one| vec![escape::text(&one.name), shown(&one.was), shown(&one.now)]);
    table(
        "settings",
        "Settings that differ",
        &["setting", "was", "is"],
        &[],
        &rows.collect::<Vec<_>>(),
    )
}

fn packages(changes: &Changes) -> String {
    let Some(packages) = &changes.packages else {
        return "<p class=\"note\">One of the images does not say which packages it has.</p>\n"
            .to_owned();
    };
    if packages.is_empty() {
        return "<p>The packages are the same.</p>\n".to_owned();
    }
    let rows = packages.iter().map(|one| {
        let verb = escape::text(&one.change);
        vec![
            format!("<span class=\"change {verb}\">{verb}</span>"),
            layer(one.layer.as_ref()),
            escape::text(&one.what),
        ]
    });
    table(
        "changed-packages",
        "Packages that differ",
        &["", "layer", "package"],
        &[],
        &rows.collect::<Vec<_>>(),
    )
}

fn blobs(changes: &Changes) -> String {
    if changes.blobs.is_empty() {
        return String::new();
    }
    let size = |size: Option<u64>| size.map_or_else(|| "-".to_owned(), words::bytes);
    let rows = changes.blobs.iter().map(|blob| {
        vec![
            layer(blob.layer.as_ref()),
            size(blob.was_bytes),
            size(blob.now_bytes),
            escape::text(&blob.why),
        ]
    });
    let content = table(
        "changed-blobs",
        "Blobs that differ: what a pull moves",
        &["layer", "was", "is", "because of"],
        &[1, 2],
        &rows.collect::<Vec<_>>(),
    );
    folded(
        &words::count(changes.blobs.len() as u64, "changed blob"),
        &content,
    )
}

fn files(changes: &Changes) -> String {
    let Some(counts) = changes.file_counts else {
        return "<p class=\"note\">Files were not read.</p>\n".to_owned();
    };
    let head = format!(
        "Files: {} added, {} removed, {} changed",
        words::number(counts.n_added as u64),
        words::number(counts.n_removed as u64),
        words::number(counts.n_changed as u64)
    );
    if changes.files.is_empty() {
        return format!("<p>{head}.</p>\n");
    }
    let shown = |state: &Option<String>| {
        state
            .as_ref()
            .map_or_else(|| "-".to_owned(), |text| escape::text(text))
    };
    let rows = changes.files.iter();
    let rows = rows.map(|file| vec![escape::text(&file.path), shown(&file.was), shown(&file.now)]);
    folded(
        &head,
        &table(
            "changed-files",
            "The largest of them",
            &["file", "was", "is"],
            &[],
            &rows.collect::<Vec<_>>(),
        ),
    )
}
