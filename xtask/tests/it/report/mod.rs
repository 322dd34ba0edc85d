//! `report`: the data, and the page as a browser shows it.

mod built;
mod described;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use factory_base::text;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::fixture::{Checkout, Ran};
use described::{HOSTILE, described};

/// Writes the page and reads the data of an image.
fn page_and_data(checkout: &Checkout, arguments: &[&str]) -> (PathBuf, Value) {
    let page = checkout.root().join("page.html");
    let output = page.to_str().unwrap();
    let ran = checkout
        .run(&[&["report"], arguments, &["--output", output]].concat())
        .ok();
    assert_eq!(ran.stdout.trim_end(), output);
    let data = checkout
        .run(&[&["report", "--json"], arguments].concat())
        .ok();
    (page, data.json())
}

/// What is asked of a page, after all of its figures were looked up.
fn script(text: &str) -> String {
    [include_str!("../fixture/report/figures.js"), text].concat()
}

/// What the reader of a table sees of a layer.
fn layer_row(layer: &Value) -> Vec<String> {
    let parts = layer["parts"].as_array().unwrap();
    let n_files: u64 = parts
        .iter()
        .map(|part| part["n_files"].as_u64().unwrap())
        .sum();
    vec![
        layer["name"].as_str().unwrap().to_owned(),
        text::bytes(layer["size_bytes"].as_u64().unwrap()),
        String::new(),
        parts.len().to_string(),
        n_files.to_string(),
        layer["n_blobs"].to_string(),
    ]
}

#[test]
fn ok_the_page_shows_the_data() {
    let Some(browser) = Browser::new() else {
        return;
    };
    let checkout = Checkout::without_flake();
    let described = described();
    let image = described.write();
    let (page, data) = page_and_data(&checkout, &[image.to_str().unwrap()]);
    assert_eq!(data["schema_version"], 1);
    let layers = data["contents"]["layers"].as_array().unwrap();
    let many = &layers[0]["parts"][1];
    assert_eq!(
        (&many["name"], &many["n_files"]),
        (&json!("many"), &json!(60))
    );
    assert_eq!(many["files"].as_array().unwrap().len(), 40);
    assert_eq!(many["n_other_files"], 20);
    assert_eq!(many["directory"], "usr/lib/many/");

    let script = script(include_str!("../fixture/report/page.js"));
    for seen in browser.ask(&page, &[360, 1280], &script) {
        assert_eq!(seen["overflow"], 0);
        assert_eq!(
            (&seen["title"], &seen["heading"]),
            (&json!("described:1"), &json!("described:1"))
        );
        assert_eq!(seen["images"], 0);
        let n_files: u64 = 62 + 5 + 1;
        assert_eq!(seen["tiles"]["files"][0], n_files.to_string());
        assert_eq!(seen["tiles"]["packages"], json!(["4", "in 3 layers"]));
        let size_bytes = data["contents"]["size_bytes"].as_u64().unwrap();
        assert_eq!(seen["tiles"]["size"][0], text::bytes(size_bytes));
        for (row, layer) in seen["tables"]["layers"]
            .as_array()
            .unwrap()
            .iter()
            .zip(layers)
        {
            let row: Vec<&str> = row
                .as_array()
                .unwrap()
                .iter()
                .map(|cell| cell.as_str().unwrap())
                .collect();
            assert_eq!(row, layer_row(layer));
        }
        let names = seen["tables"]["parts"].as_array().unwrap().iter();
        let names: Vec<&str> = names.map(|row| row[0].as_str().unwrap()).collect();
        assert_eq!(names, ["large", "many", "<b>bold</b>", "small"]);
        are_areas_in_proportion(&seen["cells"], layers);
    }
}

/// The map's cells are the layers that have something, and as large as that.
fn are_areas_in_proportion(cells: &Value, layers: &[Value]) {
    let cells = cells.as_array().unwrap();
    let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
    for (place, layer) in layers.iter().enumerate() {
        sizes.insert(place.to_string(), layer["parts_bytes"].as_u64().unwrap());
    }
    sizes.retain(|_, size| *size > 0);
    let whole: u64 = sizes.values().sum();
    let area: f64 = cells
        .iter()
        .map(|cell| cell["area"].as_f64().unwrap())
        .sum();
    assert_eq!(cells.len(), sizes.len());
    for cell in cells {
        let size = sizes[cell["at"].as_str().unwrap()];
        assert_eq!(cell["bytes"], size);
        let share = cell["area"].as_f64().unwrap() / area;
        assert!((share - size as f64 / whole as f64).abs() < 0.002, "{cell}");
    }
}

#[test]
fn ok_in_and_out_by_keys_and_clicks() {
    let Some(browser) = Browser::new() else {
        return;
    };
    let checkout = Checkout::without_flake();
    let described = described();
    let (page, _) = page_and_data(&checkout, &[described.write().to_str().unwrap()]);
    let script = script(include_str!("../fixture/report/moves.js"));
    let answers = browser.ask(&page, &[1280], &script);
    let answer = &answers[0];
    let step = |step: usize, what: usize| answer["seen"][step][what].as_str().unwrap();
    assert_eq!(step(0, 0), "All layers");
    assert!(step(0, 1).starts_with("01-low · 4.3 MB · "), "{answer}");
    // To the other layer, wherever it is, and back.
    let moved = [step(1, 1), step(2, 1)];
    assert!(
        moved
            .iter()
            .any(|label| label.starts_with("03-high · 162.3 kB · 3.6 % of all · 2 packages")),
        "{answer}"
    );
    assert_eq!(step(3, 0), "All layers›01-low");
    assert!(step(3, 1).starts_with("large 1.0 · 2.5 MB"), "{answer}");
    assert_eq!(step(4, 0), "All layers›01-low›many 2.0");
    assert!(
        step(4, 2).starts_with("usr/lib/many/60.bin · 60.0 kB"),
        "{answer}"
    );
    assert_eq!(
        (&answer["files"], &answer["others"]),
        (&json!(41), &json!(1))
    );
    assert_eq!(step(5, 0), "All layers›01-low");
    assert!(step(5, 1).starts_with("many 2.0 · 1.8 MB"), "{answer}");
    assert_eq!((step(6, 0), step(7, 0)), ("All layers", "All layers"));
    assert!(step(6, 1).starts_with("01-low"), "{answer}");
    assert_eq!(step(8, 0), "All layers›03-high");
    assert_eq!(step(9, 0), "All layers›03-high›<b>bold</b> 1");
    assert_eq!(step(10, 0), "All layers");
    let texts = answer["texts"].as_array().unwrap();
    assert!(
        texts[1].as_str().unwrap().starts_with(HOSTILE[1]),
        "{answer}"
    );
    assert!(
        texts
            .iter()
            .any(|text| text.as_str().unwrap().starts_with("\u{fffd}gpj.exe")),
        "{answer}"
    );
    assert_eq!(
        (&answer["found"], &answer["said"]),
        (&json!(1), &json!("1 of 4"))
    );
    assert_eq!(answer["title"], "described:1");
}

#[test]
fn ok_a_layout_is_drawn_by_its_blobs() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    checkout
        .run(&["stream", "2", "--oci-layout", "layout"])
        .ok();
    fs_err::remove_dir_all(checkout.data().join("roots")).unwrap();
    let data = checkout.run(&["report", "layout", "--json"]).ok().json();
    assert_eq!(data["contents"]["parts_are"], "blobs");
    assert_eq!(
        data["contents"]["layers"][1]["parts"][0]["name"],
        "02-high-tree"
    );
    assert_eq!(data["timeline"], Value::Null);
    let written = checkout.run(&["report", "layout"]).ok();
    let path = checkout.root().join("layout.report.html");
    assert_eq!(Path::new(written.stdout.trim_end()), path);
    assert!(
        fs_err::read_to_string(path)
            .unwrap()
            .contains("areas are bytes of its blobs")
    );
}

#[test]
fn err_nothing_to_report() {
    let checkout = Checkout::without_flake();
    let ran = checkout.run(&["report"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    insta::assert_snapshot!(checkout.filter(&ran.stderr), @r"
    error: nothing was built here yet

    hint: build something: `cargo xtask build`
    hint: or name an image: `cargo xtask report ghcr.io/OWNER/NAME:TAG`
    ");
    let described = described();
    let image = described.write();
    checkout.write("no.json", "{}");
    let ran = checkout.run(&["report", image.to_str().unwrap(), "--report", "no.json"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("`no.json` is no report of `verify`"),
        "{}",
        ran.stderr
    );
}

#[test]
fn ok_opened_in_the_browser_where_there_is_one() {
    let checkout = Checkout::without_flake();
    let described = described();
    let image = described.write();
    let bin = checkout.root().join("bin");
    let opened = checkout.root().join("opened");
    let script = |status: u8| {
        format!(
            "#!/bin/sh\nprintf %s \"$1\" >{}\nexit {status}\n",
            opened.display()
        )
    };
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    for status in [0, 3] {
        checkout.write("bin/xdg-open", &script(status));
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs_err::set_permissions(bin.join("xdg-open"), mode).unwrap();
        let mut command = checkout.command(&[
            "report",
            image.to_str().unwrap(),
            "--open",
            "--output",
            "bin",
        ]);
        let ran = Ran::new(command.env("PATH", &path).output().unwrap()).ok();
        let page = bin.join("described-1.report.html");
        assert_eq!(Path::new(ran.stdout.trim_end()), page);
        assert_eq!(
            fs_err::read_to_string(&opened).unwrap(),
            page.to_str().unwrap()
        );
        assert_eq!(
            ran.stderr.contains("cannot be shown"),
            status != 0,
            "{}",
            ran.stderr
        );
    }
}

/// A case with a peer, and one that never ran.
fn measured() -> Value {
    let run =
        |wall_seconds: f64| json!({"order": 1, "wall_seconds": wall_seconds, "cpu_seconds": 1.0});
    let series = |by: &str, side: &str, runs: Value| json!({"what": "the same bytes", "by": by, "side": side, "runs": runs});
    json!({
        "schema_version": 1, "case": "stream", "revision": "0123456789abcdef", "modified": false,
        "date": "2026-11-28T20:00:00Z", "variant": "slim", "load_average": 0.2, "notes": ["a <note>"],
        "machine": {"processor": "P", "n_cores": 2, "memory_bytes": 24_000_000_000_u64, "kernel": "6.1",
            "disk": "ext4, solid state", "programs": {}},
        "series": [
            series("cargo xtask", "ours", json!([run(4.0), run(2.0), run(3.0)])),
            series("openssl dgst", "peer", json!([run(6.0)])),
            series("never ran", "peer", json!([])),
        ],
    })
}

#[test]
fn ok_measured_cases_are_drawn_beside_those_of_others() {
    let checkout = Checkout::without_flake();
    let described = described();
    let image = described.write();
    checkout.write("bench/results/stream.json", &measured().to_string());
    let (page, data) = page_and_data(&checkout, &[image.to_str().unwrap()]);
    let bars = &data["benchmarks"][0]["groups"][0]["bars"];
    assert_eq!(bars.as_array().unwrap().len(), 2);
    assert_eq!(bars[0]["median_seconds"], 3.0);
    let Some(browser) = Browser::new() else {
        return;
    };
    let script = script(include_str!("../fixture/report/bars.js"));
    for seen in browser.ask(&page, &[360, 1280], &script) {
        assert_eq!(
            (&seen["overflow"], &seen["note"]),
            (&json!(0), &json!(true))
        );
        assert_eq!(
            seen["tables"]["race"][0],
            json!([
                "the same bytes",
                "cargo xtask",
                "3",
                "2.0 s",
                "3.0 s",
                "4.0 s"
            ])
        );
        let bar = |place: usize| {
            (
                seen["bars"][place][0].as_str().unwrap(),
                seen["bars"][place][2].as_f64().unwrap(),
            )
        };
        let (ours, peer) = (bar(0), bar(1));
        assert_eq!((ours.0, peer.0), ("ours", "peer"));
        assert!(
            (ours.1 - 0.5).abs() < 0.01 && (peer.1 - 1.0).abs() < 0.01,
            "{seen}"
        );
    }

    checkout.write("bench/results/stream.json", "{}");
    let ran = checkout.run(&["report", image.to_str().unwrap()]);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("stream.json` cannot be read"),
        "{}",
        ran.stderr
    );
}
