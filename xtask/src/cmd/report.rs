//! `report`: an image and its build, as a page.

use std::path::{Path, PathBuf};

use anyhow::Result;
use xshell::Shell;

use crate::cli::ReportArgs;
use crate::ctx::Ctx;
use crate::document;
use crate::operand::{Built, Operand};
use crate::reporting;
use factory_base::error;
use factory_base::text;
use factory_base::{fs, process};
use factory_report::{Report, page};

/// Programs that show a file in the user's browser: of freedesktop.org, and of macOS.
const OPENERS: [&str; 2] = ["xdg-open", "open"];

pub(super) fn run(ctx: &Ctx, args: &ReportArgs) -> Result<()> {
    let image = match &args.image {
        Some(word) => word.clone(),
        None => newest(ctx)?,
    };
    let mut operand = Operand::open(ctx, &image)?;
    let against = args.against.as_deref();
    let report = reporting::gather(ctx, &mut operand, against, args.report.as_deref())?;
    if ctx.json {
        document::print(ctx, &report)?;
        if args.output.is_none() && !args.open {
            return Ok(());
        }
    }
    let path = write(ctx, &report, args.output.as_deref())?;
    if !ctx.json {
        ctx.ui.data(path.display().to_string())?;
    }
    if args.open {
        open(ctx, &path)?;
    }
    Ok(())
}

fn newest(ctx: &Ctx) -> Result<String> {
    let newest = Built::newest(ctx)?.ok_or_else(|| {
        error::bad_input("nothing was built here yet")
            .hint("build something: `cargo xtask build`")
            .hint("or name an image: `cargo xtask report ghcr.io/OWNER/NAME:TAG`")
    })?;
    Ok(newest.to_string())
}

/// Writes the page; whoever looks meanwhile sees the old one or the new one.
fn write(ctx: &Ctx, report: &Report, output: Option<&Path>) -> Result<PathBuf> {
    let page = page(report)?;
    let path = match output {
        Some(path) if path.is_dir() => path.join(file_name(&report.name)),
        Some(path) => path.to_owned(),
        None => PathBuf::from(file_name(&report.name)),
    };
    let path = std::path::absolute(path)?;
    fs::write_atomic(&path, page.as_bytes())?;
    let size = text::bytes(page.len() as u64);
    ctx.ui.step("Wrote", format!("a page of {size}"));
    Ok(path)
}

/// `comfyui-boot-TAG.report.html`, whatever the image is called.
fn file_name(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    let plain = |character: char| match character {
        '.' | '_' | '-' => character,
        _ if character.is_ascii_alphanumeric() => character,
        _ => '-',
    };
    let name: String = last.chars().map(plain).collect();
    match name.trim_matches(['.', '-']) {
        "" => "image.report.html".to_owned(),
        name => format!("{name}.report.html"),
    }
}

/// Without a browser the page is there all the same.
fn open(ctx: &Ctx, path: &Path) -> Result<()> {
    let found = OPENERS.into_iter().find_map(process::find);
    let Some(program) = found else {
        ctx.ui.warn(format!(
            "there is no `{}` here: open the file yourself",
            OPENERS.join("` and no `")
        ));
        return Ok(());
    };
    let shell = Shell::new()?;
    if let Err(problem) = process::capture(shell.cmd(program).arg(path)) {
        ctx.ui
            .warn(format!("the page cannot be shown: {problem:#}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_file_names() {
        let names = [
            "comfyui-boot:cu130-slim",
            "ghcr.io/me/x:1",
            "../..",
            "a b/..",
            "x@sha256:1",
        ];
        let names = names.map(file_name);
        let expected = [
            "comfyui-boot-cu130-slim",
            "x-1",
            "image",
            "image",
            "x-sha256-1",
        ];
        assert_eq!(names, expected.map(|name| format!("{name}.report.html")));
    }
}
