//! A headless browser: what a page looks like to a reader, and what it says to the console.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::skips::skip;

/// Debian's, and what GitHub's machines have.
const PROGRAMS: [&str; 2] = ["chromium", "google-chrome"];

/// A browser, with a profile of its own.
pub(crate) struct Browser {
    program: PathBuf,
    directory: tempfile::TempDir,
}

impl Browser {
    /// `None`, and a skip, where there is none.
    pub(crate) fn new() -> Option<Self> {
        let Some(program) = PROGRAMS.into_iter().find_map(factory_base::process::find) else {
            skip("no `chromium` on PATH");
            return None;
        };
        Some(Self {
            program,
            directory: tempfile::tempdir().unwrap(),
        })
    }

    /// Runs a script on a page in frames of some widths, pixels. The script is the body of a
    /// function of `frame`, `page` (its document) and `width`, and its results come back.
    pub(crate) fn ask(&self, page: &Path, widths: &[u32], script: &str) -> Vec<serde_json::Value> {
        let frames = widths.iter().map(|width| {
            format!(
                "<iframe width=\"{width}\" height=\"900\" src=\"file://{}\"></iframe>",
                page.display()
            )
        });
        // A frame is as wide as it is asked to be, which a window need not be.
        let html = format!(
            "<!doctype html><meta charset=\"utf-8\"><title>frames</title>{}<pre id=\"said\"></pre><script>
            const frames = [...document.querySelectorAll('iframe')];
            window.onload = () => {{
              const said = frames.map((frame) => {{
                const page = frame.contentDocument, width = Number(frame.width);
                try {{ return ((frame, page, width) => {{ {script} }})(frame, page, width); }}
                catch (problem) {{ return {{ problem: String(problem) }}; }}
              }});
              document.querySelectorAll('iframe').forEach((frame) => frame.remove());
              document.getElementById('said').textContent = 'BEGIN' + encodeURIComponent(JSON.stringify(said)) + 'END';
            }};
            </script>",
            frames.collect::<String>()
        );
        let file = self.directory.path().join("frames.html");
        fs_err::write(&file, html).unwrap();
        let dom = self.run(&file);
        let said = dom
            .split("BEGIN")
            .nth(1)
            .and_then(|rest| rest.split("END").next());
        let said = said.unwrap_or_else(|| panic!("no answer in {dom}"));
        let said = decoded(said);
        let answers: Vec<serde_json::Value> = serde_json::from_str(&said).unwrap();
        for answer in &answers {
            assert_eq!(answer["problem"], serde_json::Value::Null, "{answer}");
        }
        answers
    }

    /// The elements of a page; panics where the console says anything.
    fn run(&self, page: &Path) -> String {
        let output = Command::new("timeout")
            .arg("90")
            .arg(&self.program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args([
                "--no-first-run",
                "--disable-extensions",
                "--disable-background-networking",
            ])
            // Frames of the same disk may be looked into.
            .args([
                "--allow-file-access-from-files",
                "--virtual-time-budget=8000",
            ])
            .args(["--enable-logging=stderr", "--hide-scrollbars"])
            .arg("--window-size=1400,1000")
            .arg(format!(
                "--user-data-dir={}",
                self.directory.path().join("profile").display()
            ))
            .arg("--dump-dom")
            .arg(format!("file://{}", page.display()))
            .env("HOME", self.directory.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", output.status);
        let console: Vec<&str> = said
            .lines()
            .filter(|line| line.contains(":CONSOLE"))
            .collect();
        assert!(console.is_empty(), "{console:#?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// What `encodeURIComponent` made of a text.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let hex = std::str::from_utf8(&after[..2]).unwrap();
            bytes.push(u8::from_str_radix(hex, 16).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap()
}
