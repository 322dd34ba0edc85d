//! What the compiler does not hold between crates and files: ARCHITECTURE.md, "Invariants".

use std::collections::{BTreeMap, BTreeSet};

use clap::CommandFactory as _;
use xtask::cli::Cli;

use crate::tidy::files;

/// Programs of their own: they print, and are built in the store.
const PROGRAMS: [&str; 3] = [
    "crates/comfy-image/",
    "crates/comfy-start/",
    "crates/wheel-install/",
];

/// Flags of docker and podman that messages name.
const OF_ENGINES: [&str; 2] = ["cap-add", "security-opt"];

/// The code of crates and of the command line, without tests, by path.
fn sources() -> BTreeMap<String, String> {
    files()
        .into_iter()
        .filter(|(path, _)| path.ends_with(".rs") && path.contains("/src/"))
        .map(|(path, text)| {
            let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
            (path, code.to_owned())
        })
        .collect()
}

/// What a string names between backticks, if it begins like this.
fn quoted<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines()
        .filter(|line| line.contains('"') && !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter(move |quoted| quoted.starts_with(start))
}

/// The flags among words, without what is filled in when the message is made.
fn flags(words: &str) -> impl Iterator<Item = &str> {
    let words = words.split([' ', ',']);
    let words = words.map(|word| word.split(['{', '=']).next().unwrap());
    words.filter_map(|word| word.strip_prefix("--").filter(|flag| !flag.is_empty()))
}

/// Commands and flags of the command line that messages of `text` name and that are not there.
fn unknown(cli: &clap::Command, text: &str) -> Vec<String> {
    let has = |command: &clap::Command, flag: &str| {
        let arguments = command.get_arguments().chain(cli.get_arguments());
        let mut names = arguments.flat_map(|argument| {
            let aliases = argument.get_all_aliases().unwrap_or_default();
            argument.get_long().into_iter().chain(aliases)
        });
        names.any(|name| name == flag) || flag == "help" || OF_ENGINES.contains(&flag)
    };
    let mut unknown = Vec::new();
    for command in quoted(text, "cargo xtask ") {
        let words = command.trim_start_matches("cargo xtask ");
        let name = words.split([' ', '{']).next().unwrap();
        let rest: Vec<&str> = words.split(' ').skip(1).collect();
        let found = cli.find_subcommand(name);
        let deeper = |found: &clap::Command| {
            let next = rest.first().and_then(|next| found.find_subcommand(next));
            next.unwrap_or(found).clone()
        };
        match found.map(deeper) {
            None if name.is_empty() || name.starts_with('…') => {}
            None => unknown.push(command.to_owned()),
            Some(found) => {
                let mut flags = flags(words);
                unknown.extend(flags.find(|flag| !has(&found, flag)).map(str::to_owned));
            }
        }
    }
    let all: Vec<_> = cli.get_subcommands().collect();
    for flag in quoted(text, "--").flat_map(flags) {
        let nested = all.iter().flat_map(|command| command.get_subcommands());
        if !all
            .iter()
            .copied()
            .chain(nested)
            .any(|command| has(command, flag))
        {
            unknown.push(format!("--{flag}"));
        }
    }
    unknown
}

/// A hint that names a command which is gone is worse than none.
#[test]
fn ok_messages_name_commands_and_flags_that_are_there() {
    let cli = Cli::command();
    let stale = "\"see `cargo xtask wrong` or `cargo xtask fetch --wrong` or `--wrong`\"";
    assert_eq!(
        unknown(&cli, stale),
        ["cargo xtask wrong", "wrong", "--wrong"]
    );
    let mut n_named = 0;
    let mut found = BTreeSet::new();
    for (path, text) in sources() {
        if PROGRAMS.iter().any(|program| path.starts_with(program)) {
            continue;
        }
        n_named += quoted(&text, "cargo xtask ").count();
        let unknown = unknown(&cli, &text);
        found.extend(unknown.into_iter().map(|named| format!("{path}: {named}")));
    }
    assert!(n_named > 20, "only {n_named} commands are named");
    assert!(found.is_empty(), "not in the command line:\n{found:#?}");
}

/// Who prints, and who has a context with everything in it, is one file of the command line.
#[test]
fn ok_crates_below_the_command_line_do_not_print() {
    let printers = ["io::stdout(", "io::stderr(", "Stdio::inherit("];
    let found: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| printers.iter().any(|printer| text.contains(printer)))
        .map(|(path, _)| path)
        .filter(|path| !PROGRAMS.iter().any(|program| path.starts_with(program)))
        .collect();
    assert_eq!(found, ["xtask/src/cmd/stream.rs", "xtask/src/ui.rs"]);
}

/// The modules of a crate by their path in it, with their code: `a/b.rs` and `a/b/mod.rs` are `a::b`.
fn modules<'a>(
    sources: &'a BTreeMap<String, String>,
    crate_source: &str,
) -> BTreeMap<Vec<&'a str>, &'a str> {
    let of_crate = sources
        .iter()
        .filter_map(|(path, code)| Some((path.strip_prefix(crate_source)?, code.as_str())));
    of_crate
        .map(|(path, code)| {
            let mut parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
            if parts.last() == Some(&"mod") {
                parts.pop();
            }
            (parts, code)
        })
        .collect()
}

/// What a module names of its own crate: the paths after `crate::` and `super::`, from the root.
fn named<'a>(module: &[&'a str], code: &'a str) -> Vec<Vec<&'a str>> {
    let is_of_path = |character: char| character.is_alphanumeric() || "_:".contains(character);
    let mut found = Vec::new();
    for (start, base) in [("crate::", 0), ("super::", module.len().saturating_sub(1))] {
        for (at, _) in code.match_indices(start) {
            let rest = &code[at + start.len()..];
            let end = rest
                .find(|character| !is_of_path(character))
                .unwrap_or(rest.len());
            let path = rest[..end].split("::").filter(|part| !part.is_empty());
            let path: Vec<&str> = module[..base].iter().copied().chain(path).collect();
            match rest[end..].strip_prefix('{') {
                Some(list) => {
                    for one in list[..list.find('}').unwrap_or(0)].split(',') {
                        let one = one.trim().split([' ', '{']).next().unwrap_or_default();
                        found.push(path.iter().copied().chain(one.split("::")).collect());
                    }
                }
                None => found.push(path),
            }
        }
    }
    found
}

/// Takes away what stands below everything else until nothing changes; circles stay.
fn in_circles<'a>(modules: &BTreeMap<Vec<&'a str>, &'a str>) -> Vec<String> {
    let mut uses: BTreeMap<&Vec<&str>, BTreeSet<&Vec<&str>>> = BTreeMap::new();
    for (module, code) in modules {
        let targets = named(module, code).into_iter().filter_map(|path| {
            let lengths = (1..=path.len()).rev();
            let mut known = lengths.filter_map(|length| modules.get_key_value(&path[..length]));
            known.next().map(|(target, _)| target)
        });
        uses.insert(module, targets.filter(|target| *target != module).collect());
    }
    loop {
        let done: Vec<_> = uses
            .iter()
            .filter(|(_, targets)| targets.is_empty())
            .map(|(module, _)| *module)
            .collect();
        if done.is_empty() {
            // What is only above a circle is not in one.
            let used: BTreeSet<_> = uses.values().flatten().copied().collect();
            let above: Vec<_> = uses
                .keys()
                .copied()
                .filter(|module| !used.contains(module))
                .collect();
            if above.is_empty() {
                return uses.keys().map(|module| module.join("::")).collect();
            }
            uses.retain(|module, _| !above.contains(module));
            continue;
        }
        uses.retain(|module, _| !done.contains(module));
        for targets in uses.values_mut() {
            targets.retain(|target| !done.contains(target));
        }
    }
}

#[test]
fn ok_no_circle_of_files() {
    let sources = sources();
    let crates: BTreeSet<String> = sources
        .keys()
        .filter_map(|path| path.split_once("/src/"))
        .map(|(root, _)| format!("{root}/src/"))
        .collect();
    assert!(crates.len() > 5, "{crates:?}");
    for root in crates {
        let circles = in_circles(&modules(&sources, &root));
        assert!(circles.is_empty(), "{root}: {}", circles.join(", "));
    }
}

#[test]
fn ok_a_circle_is_found() {
    let code = |text: &str| text.to_owned();
    let sources = BTreeMap::from([
        (code("x/src/top.rs"), code("use crate::a::One;")),
        (code("x/src/a.rs"), code("use crate::{b::Two, c};")),
        (code("x/src/b/mod.rs"), code("fn f() { super::a::g() }")),
        (code("x/src/c.rs"), code("")),
    ]);
    assert_eq!(in_circles(&modules(&sources, "x/src/")), ["a", "b"]);
}
