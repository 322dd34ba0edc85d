//! Scripts that run entry points:
//! <https://packaging.python.org/en/latest/specifications/entry-points/>
//!
//! The file is read as Python's `configparser` reads it, and what that gives room to guess at
//! is refused.

use crate::error::{Fault, show};
use crate::name::check_name;
use crate::scheme::INTERPRETER;

/// A program that calls a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its file name.
    pub name: String,
    /// The module that is imported.
    pub module: String,
    /// The function below the module: `main` or `Class.main`.
    pub function: String,
}

impl Script {
    /// Its text, byte by byte what PyPA's `installer` writes.
    pub fn text(&self) -> String {
        let Self {
            module, function, ..
        } = self;
        let import = function.split('.').next().unwrap_or_default();
        format!(
            "#!{INTERPRETER}
# -*- coding: utf-8 -*-
import re
import sys
from {module} import {import}
if __name__ == \"__main__\":
    sys.argv[0] = re.sub(r\"(-script\\.pyw|\\.exe)?$\", \"\", sys.argv[0])
    sys.exit({function}())
"
        )
    }
}

/// Reads the scripts of `console_scripts` and `gui_scripts`, in the order of the file.
///
/// # Errors
/// It is no such file, names no function, or a name is no file name.
pub fn parse(path: &str, text: &str) -> Result<Vec<Script>, Fault> {
    let mut reader = Reader {
        path,
        section: None,
        sections: Vec::new(),
        indent: None,
        scripts: Vec::new(),
    };
    for (index, line) in text.lines().enumerate() {
        reader.line(line, index + 1)?;
    }
    Ok(reader.scripts)
}

struct Reader<'a> {
    path: &'a str,
    /// The section at hand.
    section: Option<&'a str>,
    /// All so far: none may be there twice.
    sections: Vec<&'a str>,
    /// How far the option at hand is indented; deeper lines go on with its value.
    indent: Option<usize>,
    scripts: Vec<Script>,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: &'a str, number: usize) -> Result<(), Fault> {
        let wrong = |reason: &str| Fault::member(self.path, format!("line {number}: {reason}"));
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            return Ok(());
        }
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        let is_ours = matches!(self.section, Some("console_scripts" | "gui_scripts"));
        if self.indent.is_some_and(|option| indent > option) {
            return if is_ours {
                Err(wrong("a value of two lines"))
            } else {
                Ok(())
            };
        }
        if let Some(name) = content.strip_prefix('[') {
            let (name, _) = name
                .rsplit_once(']')
                .ok_or_else(|| wrong("a section without its end"))?;
            // configparser copies its values into every section.
            if name == "DEFAULT" {
                return Err(wrong("a section that is part of all others"));
            }
            if self.sections.contains(&name) {
                return Err(wrong("a section that is there twice"));
            }
            self.sections.push(name);
            self.section = Some(name);
            self.indent = None;
            return Ok(());
        }
        if self.section.is_none() {
            return Err(wrong("no section"));
        }
        self.indent = Some(indent);
        if !is_ours {
            return Ok(());
        }
        let (name, value) = content
            .split_once('=')
            .ok_or_else(|| wrong("no `NAME = MODULE:FUNCTION`"))?;
        let script = script(name.trim(), value.trim()).map_err(|reason| wrong(&reason))?;
        if self.scripts.iter().any(|other| other.name == script.name) {
            return Err(wrong("a name that is there twice"));
        }
        self.scripts.push(script);
        Ok(())
    }
}

fn script(name: &str, value: &str) -> Result<Script, String> {
    check_name(name).map_err(|reason| format!("`{}`: {reason}", show(name)))?;
    let (module, rest) = value
        .split_once(':')
        .ok_or_else(|| format!("`{}` names no function", show(value)))?;
    // What a feature needs is of no interest to who calls it: `module:function [feature]`.
    let function = match rest.split_once('[') {
        Some((function, extras)) if extras.ends_with(']') => function,
        Some(_) => return Err(format!("`{}` has no end", show(value))),
        None => rest,
    };
    let (module, function) = (module.trim(), function.trim());
    for part in [module, function] {
        if !part.split('.').all(is_identifier) {
            return Err(format!("`{}` is no name in Python", show(part)));
        }
    }
    Ok(Script {
        name: name.to_owned(),
        module: module.to_owned(),
        function: function.to_owned(),
    })
}

/// <https://docs.python.org/3/reference/lexical_analysis.html#identifiers>, nearly.
fn is_identifier(text: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    !text.is_empty() && text.chars().all(is_word) && !text.starts_with(|c: char| c.is_numeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scripts(text: &str) -> Vec<(String, String, String)> {
        let scripts = parse("entry_points.txt", text).unwrap();
        let parts = |script: Script| (script.name, script.module, script.function);
        scripts.into_iter().map(parts).collect()
    }

    fn error(text: &str) -> String {
        parse("entry_points.txt", text).unwrap_err().to_string()
    }

    #[test]
    fn ok_both_sections() {
        let text = "\
# comment
[console_scripts]
  a = m:f
  B.c = m.n : Class.main [extra, other]
; comment

[other]
anything at all
  goes = on
[gui_scripts]
g=m:f
";
        let owned = |n: &str, m: &str, f: &str| (n.to_owned(), m.to_owned(), f.to_owned());
        assert_eq!(
            scripts(text),
            [
                owned("a", "m", "f"),
                owned("B.c", "m.n", "Class.main"),
                owned("g", "m", "f")
            ]
        );
    }

    #[test]
    fn err_what_is_not_understood() {
        for (text, reason) in [
            ("a = m:f\n", "no section"),
            ("[console_scripts\n", "without its end"),
            ("[console_scripts]\na\n", "NAME = MODULE:FUNCTION"),
            ("[console_scripts]\na = m\n", "names no function"),
            ("[console_scripts]\na = m:f [x\n", "has no end"),
            ("[console_scripts]\na = m:f\n  [x]\n", "two lines"),
            ("[console_scripts]\na = m:f\na = m:g\n", "there twice"),
            ("[console_scripts]\n[console_scripts]\n", "there twice"),
            ("[DEFAULT]\na = m:f\n", "part of all others"),
            ("[console_scripts]\na = m:f()\n", "no name in Python"),
            ("[console_scripts]\na = m;x:f\n", "no name in Python"),
            ("[console_scripts]\na = 1m:f\n", "no name in Python"),
            ("[console_scripts]\na = m:f.\n", "no name in Python"),
            ("[gui_scripts]\n../a = m:f\n", "is a path"),
            ("[gui_scripts]\n.. = m:f\n", "`..`"),
            ("[gui_scripts]\n= m:f\n", "empty part"),
            ("[gui_scripts]\n.wh.sh = m:f\n", "whiteout"),
        ] {
            assert!(error(text).contains(reason), "{text}: {}", error(text));
        }
    }
}
