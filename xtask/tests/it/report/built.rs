//! What was built: its timeline, what changed, what was checked.

use std::path::{Path, PathBuf};

use factory_base::text;
use serde_json::{Value, json};

use super::{page_and_data, script};
use crate::browser::Browser;
use crate::fixture::Checkout;

/// A report of `verify` about an image with this configuration.
fn verify_report(file: &Path, config_digest: &Value) {
    let check = |name: &str, result: &str| {
        json!({"layer": "02-high", "name": name, "proves": "it <works>", "gpu": false, "result": result,
            "reason": null, "seconds": 1.25, "output": [], "command": null})
    };
    let report = json!({
        "schema_version": 2, "date": "2026-11-22T20:00:00Z", "variant": "tiny", "layer": "02-high",
        "image": {"reference": "xtask-fixture:layer02", "id": config_digest, "config_digest": config_digest,
            "manifest_digest": null, "is_as_built": true},
        "runtime": {"name": "podman", "version": "podman version 4.3.1"},
        "gpu": {"access": "none", "reason": "`--gpu off`", "devices": []},
        "counts": {"passed": 1, "failed": 1, "skipped": 0, "absent": 0},
        "checks": [check("good", "passed"), check("bad", "crashed")], "imports": null,
    });
    fs_err::write(file, report.to_string()).unwrap();
}

#[test]
fn ok_a_build_its_changes_and_its_checks() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    checkout.run(&["build", "02"]).ok();
    let link = checkout.data().join("roots/tiny/02-high");
    let old = fs_err::read_link(&link).unwrap();
    let first = checkout.run(&["report", "--json"]).ok().json();
    assert_eq!(first["timeline"]["is_of_this_image"], true);
    let builds = first["timeline"]["builds"].as_array().unwrap();
    assert_eq!(builds.len(), 4);
    checkout.write_layers("the other");
    checkout.run(&["build", "02"]).ok();
    let checks = checkout.root().join("verify.json");
    let config = checkout.run(&["report", "tiny", "--json"]).ok().json();
    verify_report(&checks, &config["contents"]["config_digest"]);

    let arguments = [
        "tiny/02",
        "--against",
        old.to_str().unwrap(),
        "--report",
        checks.to_str().unwrap(),
    ];
    let (page, data) = page_and_data(&checkout, &arguments);
    assert_eq!(
        data["changes"]["file_counts"],
        json!({"n_added": 0, "n_removed": 0, "n_changed": 2})
    );
    assert_eq!(data["checks"]["is_of_this_image"], true);
    is_the_second_build(&data["timeline"]);
    is_shown(&page, &data);
}

/// The chain leads to the image, and what did not change was not built again.
fn is_the_second_build(timeline: &Value) {
    assert_eq!(
        (&timeline["is_of_this_image"], &timeline["outcome"]),
        (&json!(true), &json!("done"))
    );
    let builds = timeline["builds"].as_array().unwrap();
    let names: Vec<&str> = builds
        .iter()
        .map(|build| build["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.last(), Some(&"layer02-high-image"));
    // `numpy` does not depend on what changed.
    assert_eq!(
        timeline["reused"],
        json!([{"name": "numpy-2.4", "layer": "02-high"}])
    );
    let chain = timeline["critical"].as_array().unwrap();
    let last = &builds[chain.last().unwrap()["build"].as_u64().unwrap() as usize];
    assert_eq!(last["name"], "layer02-high-image");
    let spent =
        |step: &Value| step["waited_seconds"].as_f64().unwrap() + step["seconds"].as_f64().unwrap();
    let spent: f64 = chain.iter().map(spent).sum();
    assert!(
        spent <= timeline["seconds"].as_f64().unwrap() + 0.01,
        "{timeline}"
    );
}

/// What a browser shows of a build, its changes and its checks.
fn is_shown(page: &Path, data: &Value) {
    let Some(browser) = Browser::new() else {
        return;
    };
    let builds = data["timeline"]["builds"].as_array().unwrap();
    let names: Vec<&str> = builds
        .iter()
        .map(|build| build["name"].as_str().unwrap())
        .collect();
    let chain = data["timeline"]["critical"].as_array().unwrap();
    let script = script(include_str!("../fixture/report/timeline.js"));
    for seen in browser.ask(page, &[360, 1280], &script) {
        assert_eq!(seen["overflow"], 0);
        assert_eq!(seen["bars"], builds.len());
        assert!(
            seen["first"].as_str().unwrap().starts_with(names[0]),
            "{seen}"
        );
        assert!(
            seen["marked"].as_u64().unwrap() > 0 && seen["left"] == "",
            "{seen}"
        );
        assert!((seen["wide"].as_f64().unwrap() - 8.0).abs() < 0.1, "{seen}");
        let rows = |table: &str| seen["tables"][table].as_array().unwrap();
        let shown: Vec<&str> = rows("builds")
            .iter()
            .map(|row| row[0].as_str().unwrap())
            .collect();
        assert_eq!(shown, names);
        assert_eq!(rows("critical").len(), chain.len());
        assert_eq!(rows("reused"), &[json!(["numpy-2.4", "02-high"])]);
        assert_eq!(rows("changed-files").len(), 2);
        assert_eq!(
            rows("changed-blobs").len(),
            data["changes"]["blobs"].as_array().unwrap().len()
        );
        let verdicts: Vec<&str> = rows("checks")
            .iter()
            .map(|row| row[0].as_str().unwrap())
            .collect();
        assert_eq!(verdicts, ["crashed", "passed"]);
        assert_eq!(rows("checks")[0][3], "it <works>");
        assert_eq!(seen["verdict"], "1 of 2 checks passed");
        assert_eq!(seen["tiles"]["checks passed"], json!(["1", "1 failed"]));
        assert_eq!(seen["tiles"]["changed packages"][0], "0");
        assert_eq!(
            seen["tiles"]["last build"][1],
            text::count(builds.len(), "build")
        );
    }
}

#[test]
fn ok_a_failed_build_is_recorded() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let ran = checkout.run(&["build", "2", "--variant", "broken"]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    let files: Vec<PathBuf> = fs_err::read_dir(checkout.cache().join("builds"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let record: Value = serde_json::from_str(&fs_err::read_to_string(&files[0]).unwrap()).unwrap();
    assert_eq!(
        (&record["variant"], &record["outcome"]),
        (&json!("broken"), &json!("failed"))
    );
    let builds = record["builds"].as_array().unwrap();
    let failed = builds.iter().filter(|build| build["outcome"] == "failed");
    let failed: Vec<&str> = failed
        .map(|build| build["name"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["layer02-high-spec"]);
}
