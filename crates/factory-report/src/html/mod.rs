//! The page: one file that asks for nothing outside.
//!
//! Tables and the timeline are written here; what moves is in `page/script.js`, which draws the
//! treemap from the data that the page carries.

mod benchmarks;
mod changes;
mod checks;
mod contents;
mod escape;
mod layout;
mod timeline;
mod words;

use crate::Report;

const TEMPLATE: &str = include_str!("../page/page.html");
const STYLE: &str = include_str!("../page/style.css");
const SCRIPT: &str = include_str!("../page/script.js");

/// The page about a report.
///
/// # Errors
/// A number in it is no number of JSON.
pub fn page(report: &Report) -> Result<String, serde_json::Error> {
    let data = escape::json(&serde_json::to_string(report)?);
    let layout = escape::json(&serde_json::to_string(&layout::Layouts::of(
        &report.contents,
    ))?);
    let main = [
        contents::section(&report.contents),
        report
            .timeline
            .as_ref()
            .map_or_else(timeline::absent, timeline::section),
        report
            .changes
            .as_ref()
            .map_or_else(String::new, changes::section),
        report
            .checks
            .as_ref()
            .map_or_else(checks::absent, checks::section),
        benchmarks::section(&report.benchmarks),
    ];
    Ok(fill(TEMPLATE, |name| match name {
        "name" => escape::text(&report.name),
        "style" => STYLE.to_owned(),
        "script" => SCRIPT.to_owned(),
        "header" => header(report),
        "main" => main.concat(),
        "made_at" => words::moment(&report.made_at),
        "data" => data.clone(),
        "layout" => layout.clone(),
        _ => String::new(),
    }))
}

/// Fills in `{{name}}`, once: what is filled in is not looked at again.
fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or(("", after));
        out.push_str(before);
        out.push_str(&value(name));
        rest = after;
    }
    out + rest
}

/// The figures that people ask for first.
fn header(report: &Report) -> String {
    let contents = &report.contents;
    let mut tiles = vec![
        tile(
            "size",
            &words::bytes(contents.size_bytes),
            &words::count(contents.n_blobs as u64, "blob"),
        ),
        tile(
            &format!("{}s", contents.parts_are.noun()),
            &words::number(contents.n_parts()),
            &format!("in {}", words::count(contents.layers.len() as u64, "layer")),
        ),
    ];
    if let Some(n_files) = contents.n_files() {
        tiles.push(tile(
            "files",
            &words::number(n_files),
            &words::bytes(contents.parts_bytes()),
        ));
    }
    if let Some(timeline) = &report.timeline {
        let builds = words::count(timeline.builds.len() as u64, "build");
        tiles.push(tile("last build", &words::time(timeline.seconds), &builds));
    }
    if let Some(changes) = &report.changes {
        let n = changes.packages.as_ref().map(Vec::len);
        let n = n.map_or_else(|| "?".to_owned(), |n| words::number(n as u64));
        tiles.push(tile(
            "changed packages",
            &n,
            &words::count(changes.blobs.len() as u64, "blob"),
        ));
    }
    if let Some(checks) = &report.checks {
        let counts = checks.counts;
        let failed = match counts.failed {
            0 => "none failed".to_owned(),
            n => format!("{n} failed"),
        };
        tiles.push(tile(
            "checks passed",
            &words::number(counts.passed as u64),
            &failed,
        ));
    }
    format!(
        "<dl class=\"tiles\">{}</dl>\n<p class=\"digests\">manifest <code title=\"{}\">{}…</code> \
         configuration <code title=\"{}\">{}…</code></p>",
        tiles.concat(),
        escape::text(&contents.manifest_digest),
        words::short(&contents.manifest_digest),
        escape::text(&contents.config_digest),
        words::short(&contents.config_digest),
    )
}

/// All three are escaped, or need not be.
fn tile(what: &str, figure: &str, more: &str) -> String {
    format!("<div><dt>{what}</dt><dd><b>{figure}</b><span>{more}</span></dd></div>")
}

/// A table with a caption; cells are escaped already. Columns of `right` hold numbers.
fn table(
    class: &str,
    caption: &str,
    head: &[&str],
    right: &[usize],
    rows: &[Vec<String>],
) -> String {
    let class_of = |column: usize| {
        if right.contains(&column) {
            " class=\"n\""
        } else {
            ""
        }
    };
    let head = head.iter().enumerate();
    let head =
        head.map(|(column, cell)| format!("<th scope=\"col\"{}>{cell}</th>", class_of(column)));
    let rows = rows.iter().map(|row| {
        let cells = row.iter().enumerate();
        let cells = cells.map(|(column, cell)| format!("<td{}>{cell}</td>", class_of(column)));
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    });
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\
         <table class=\"{class}\"><caption>{caption}</caption><thead><tr>{}</tr></thead>\n<tbody>{}</tbody></table></div>\n",
        head.collect::<String>(),
        rows.collect::<String>(),
    )
}

/// Something that is folded up until somebody asks.
fn folded(summary: &str, content: &str) -> String {
    format!("<details><summary>{summary}</summary>\n{content}</details>\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Contents, Layer, PartKind, Tree};

    const HOSTILE: &str = "</script><script>alert(1)</script><!--{{data}}\"'&";

    fn report() -> Report {
        let file = |name: &str, size: u64| (format!("etc/{name}"), size);
        let tree = Tree {
            package: format!("{HOSTILE} {HOSTILE}"),
            files: vec![file(HOSTILE, 10), file("plain", 5)],
        };
        Report {
            name: HOSTILE.to_owned(),
            made_at: HOSTILE.to_owned(),
            contents: Contents {
                manifest_digest: HOSTILE.to_owned(),
                config_digest: HOSTILE.to_owned(),
                size_bytes: 3072,
                n_blobs: 1,
                parts_are: PartKind::Packages,
                most_files: crate::MOST_FILES,
                layers: vec![Layer::of_trees(HOSTILE, 3072, 1, vec![tree])],
            },
            timeline: None,
            changes: None,
            checks: None,
            benchmarks: Vec::new(),
        }
    }

    #[test]
    fn ok_names_are_text_only() {
        let page = page(&report()).unwrap();
        assert!(!page.contains("<script>alert"), "{page}");
        assert_eq!(page.matches("</script>").count(), 3);
        assert_eq!(page.matches("<!--").count(), 0);
        // What the script reads is what was put in.
        let data = page.split("id=\"data\">").nth(1).unwrap();
        let data = data.split("</script>").next().unwrap();
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["name"], HOSTILE);
        let part = &data["contents"]["layers"][0]["parts"][0];
        assert_eq!(part["files"][0]["path"], HOSTILE);
    }

    #[test]
    fn ok_the_page_asks_for_nothing_outside() {
        let page = page(&report()).unwrap();
        for word in [
            "http:",
            "https:",
            "src=",
            "@import",
            "url(",
            "fetch(",
            "XMLHttpRequest",
        ] {
            let n = page.matches(word).count();
            // The namespace of SVG is a name, not an address to ask.
            let known = if word == "http:" {
                page.matches("http://www.w3.org/").count()
            } else {
                0
            };
            assert_eq!(n, known, "{word}");
        }
        assert!(page.contains("default-src 'none'"));
    }

    #[test]
    fn ok_what_is_filled_in_is_not_looked_at_again() {
        assert_eq!(
            fill("a{{x}}b{{y}}", |name| format!("{{{{{name}}}}}")),
            "a{{x}}b{{y}}"
        );
    }
}
