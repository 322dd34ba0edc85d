//! No committed file names a package registry: mirrors and proxies are the user's own.

use std::collections::BTreeSet;
use std::process::Command;

use crate::skips::skip;

/// The registry hosts that the clients of this machine are configured with, or default to.
fn hosts() -> BTreeSet<String> {
    let mut urls = Vec::new();
    let mut ask = |program: &str, arguments: &[&str]| {
        if let Ok(output) = Command::new(program).args(arguments).output() {
            urls.push(String::from_utf8_lossy(&output.stdout).into_owned());
        }
    };
    ask("python3", &["-m", "pip", "config", "list"]);
    let defaults = "from pip._internal.models.index import PyPI as p; print(p.url, 'https://' + p.file_storage_domain)";
    ask("python3", &["-c", defaults]);
    ask("npm", &["config", "get", "registry"]);
    let mirrors = factory_fetch::Mirrors::of_machine().unwrap();
    for archive in ["debian", "debian-security"] {
        urls.extend(mirrors.base(archive).map(str::to_owned));
    }
    let mut hosts: BTreeSet<String> = urls.iter().flat_map(|text| hosts_in(text)).collect();
    // Cargo names the directory of each registry `HOST-HASH`.
    let cargo = std::env::var_os("CARGO_HOME")
        .map(std::path::PathBuf::from)
        .or_else(|| {
            std::env::var_os("HOME").map(|home| std::path::Path::new(&home).join(".cargo"))
        });
    let index = cargo.map(|cargo| cargo.join("registry/index"));
    for entry in index
        .and_then(|path| std::fs::read_dir(path).ok())
        .into_iter()
        .flatten()
    {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        hosts.extend(name.rsplit_once('-').map(|(host, _)| host.to_owned()));
    }
    hosts.retain(|host| host.contains('.') && host != "localhost" && host != "github.com");
    hosts
}

fn hosts_in(text: &str) -> Vec<String> {
    text.split("://")
        .skip(1)
        .filter_map(|rest| {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || ".-@:".contains(c)));
            let authority = &rest[..end.unwrap_or(rest.len())];
            let host = authority.rsplit('@').next()?.split(':').next()?;
            (!host.is_empty()).then(|| host.to_ascii_lowercase())
        })
        .collect()
}

#[test]
fn ok_hosts_are_found_in_settings() {
    assert_eq!(
        hosts_in("a='https://user:word@mirror.example:8443/simple' b http://other.example"),
        ["mirror.example", "other.example"]
    );
}

#[test]
fn ok_no_tracked_file_names_a_registry() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(&root)
        .output()
        .unwrap();
    let hosts = hosts();
    if !listed.status.success() || hosts.is_empty() {
        return skip("not a git checkout, or no package client is configured here");
    }
    let mut found = Vec::new();
    for file in String::from_utf8(listed.stdout)
        .unwrap()
        .split_terminator('\0')
    {
        let Ok(content) = std::fs::read(root.join(file)) else {
            continue;
        };
        let text = String::from_utf8_lossy(&content).to_ascii_lowercase();
        for (index, line) in text.lines().enumerate() {
            found.extend(
                hosts
                    .iter()
                    .filter(|host| line.contains(host.as_str()))
                    .map(|host| format!("{file}:{}: {host}", index + 1)),
            );
        }
    }
    assert!(
        found.is_empty(),
        "files that name a registry:\n{}",
        found.join("\n")
    );
}
