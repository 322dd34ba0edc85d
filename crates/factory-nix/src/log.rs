//! Nix's structured log (`--log-format internal-json`), one JSON document a line.
//!
//! The format is Nix's own: what is not known here is passed over, never an error.

use serde::Deserialize;
use serde_json::Value;

/// Types of activities and results, from Nix's `logging.hh`.
mod number {
    pub(super) const ACTIVITY_BUILDS: u64 = 104;
    pub(super) const ACTIVITY_BUILD: u64 = 105;
    pub(super) const RESULT_BUILD_LOG_LINE: u64 = 101;
    pub(super) const RESULT_SET_PHASE: u64 = 104;
    pub(super) const RESULT_PROGRESS: u64 = 105;
}

/// What one line of the log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A derivation is being built.
    BuildStarted {
        /// Identifies the build until it stops.
        id: u64,
        /// `/nix/store/….drv`.
        drv_path: String,
    },
    /// The activity that carries the totals.
    TotalsStarted {
        /// Identifies the activity.
        id: u64,
    },
    /// An activity ended, well or not.
    Stopped {
        /// The activity.
        id: u64,
    },
    /// A line of a builder's output.
    LogLine {
        /// The build.
        id: u64,
        /// The line, without colour.
        text: String,
    },
    /// A builder says which phase it is in.
    Phase {
        /// The build.
        id: u64,
        /// `buildPhase`, for example.
        name: String,
    },
    /// Totals of an activity.
    Progress {
        /// The activity.
        id: u64,
        /// The counts.
        totals: Totals,
    },
    /// A message of Nix itself.
    Message {
        /// 0 for an error, 1 for a warning, higher for details.
        level: u64,
        /// The text, without colour.
        text: String,
    },
    /// Anything else.
    Other,
}

/// How far all builds are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Built.
    pub(crate) n_done: u64,
    /// Known so far to be needed.
    pub(crate) n_expected: u64,
    /// Being built.
    pub(crate) n_running: u64,
    /// Failed.
    pub(crate) n_failed: u64,
}

/// The fields of all actions, each one optional.
#[derive(Deserialize)]
struct Raw {
    action: String,
    #[serde(default)]
    id: u64,
    #[serde(default, rename = "type")]
    kind: u64,
    #[serde(default)]
    level: u64,
    #[serde(default)]
    fields: Vec<Value>,
    #[serde(default)]
    msg: Option<String>,
    #[serde(default)]
    raw_msg: Option<String>,
}

/// Reads one line of stderr.
pub(crate) fn parse_line(line: &str) -> Event {
    let Some(json) = line.strip_prefix("@nix ") else {
        // Some messages are written before the logger is set up.
        let text = plain(line);
        let level = if text.starts_with("error:") { 0 } else { 3 };
        return match text.trim() {
            "" => Event::Other,
            text => Event::Message {
                level,
                text: text.to_owned(),
            },
        };
    };
    match serde_json::from_str::<Raw>(json) {
        Ok(raw) => event(raw),
        Err(_) => Event::Other,
    }
}

fn event(raw: Raw) -> Event {
    let id = raw.id;
    let text = |index: usize| raw.fields.get(index).and_then(Value::as_str).map(plain);
    let count = |index: usize| raw.fields.get(index).and_then(Value::as_u64).unwrap_or(0);
    let event = match (raw.action.as_str(), raw.kind) {
        ("start", number::ACTIVITY_BUILD) => {
            text(0).map(|drv_path| Event::BuildStarted { id, drv_path })
        }
        ("start", number::ACTIVITY_BUILDS) => Some(Event::TotalsStarted { id }),
        ("stop", _) => Some(Event::Stopped { id }),
        ("result", number::RESULT_BUILD_LOG_LINE) => {
            text(0).map(|text| Event::LogLine { id, text })
        }
        ("result", number::RESULT_SET_PHASE) => text(0).map(|name| Event::Phase { id, name }),
        ("result", number::RESULT_PROGRESS) => Some(Event::Progress {
            id,
            totals: Totals {
                n_done: count(0),
                n_expected: count(1),
                n_running: count(2),
                n_failed: count(3),
            },
        }),
        ("msg", _) => raw.raw_msg.or(raw.msg).map(|text| Event::Message {
            level: raw.level,
            text: plain(&text),
        }),
        _ => None,
    };
    event.unwrap_or(Event::Other)
}

/// Removes escape sequences and what a carriage return overwrote.
pub(crate) fn plain(text: &str) -> String {
    let text = text.trim_end_matches(['\r', '\n']);
    let text = text.rsplit('\r').next().unwrap_or(text);
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => skip_escape(&mut characters),
            '\t' => out.push_str("    "),
            '\n' => out.push('\n'),
            _ if character.is_control() => {}
            _ => out.push(character),
        }
    }
    out
}

/// CSI sequences end at a letter, OSC sequences at a bell; others are one character long.
fn skip_escape(characters: &mut std::str::Chars<'_>) {
    match characters.next() {
        Some('[') => {
            characters.find(|character| ('@'..='~').contains(character));
        }
        Some(']') => {
            characters.find(|character| *character == '\u{7}');
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_recorded_lines() {
        let drv = "/nix/store/rllki8x3sgyk9d9jv7bx67kf6cw21wd5-numpy-2.4.drv";
        let table = [
            (
                format!(
                    r#"@nix {{"action":"start","fields":["{drv}","",1,1],"id":29,"level":3,"parent":0,"text":"building '{drv}'","type":105}}"#
                ),
                Event::BuildStarted {
                    id: 29,
                    drv_path: drv.to_owned(),
                },
            ),
            (
                r#"@nix {"action":"result","fields":["progress"],"id":29,"type":101}"#.to_owned(),
                Event::LogLine {
                    id: 29,
                    text: "progress".to_owned(),
                },
            ),
            (
                r#"@nix {"action":"result","fields":["buildPhase"],"id":29,"type":104}"#.to_owned(),
                Event::Phase {
                    id: 29,
                    name: "buildPhase".to_owned(),
                },
            ),
            (
                r#"@nix {"action":"stop","id":29}"#.to_owned(),
                Event::Stopped { id: 29 },
            ),
            (
                r#"@nix {"action":"msg","column":null,"level":0,"msg":"\u001b[31;1merror:\u001b[0m no","raw_msg":"\u001b[35;1mno\u001b[0m"}"#.to_owned(),
                Event::Message {
                    level: 0,
                    text: "no".to_owned(),
                },
            ),
            (
                "error: flake is not there".to_owned(),
                Event::Message {
                    level: 0,
                    text: "error: flake is not there".to_owned(),
                },
            ),
        ];
        for (line, event) in table {
            assert_eq!(parse_line(&line), event, "{line}");
        }
    }

    #[test]
    fn ok_unknown_is_passed_over() {
        for line in [
            "",
            "@nix ",
            "@nix {",
            "@nix []",
            r#"@nix {"action":"dance","id":1}"#,
            r#"@nix {"action":"start","id":1,"type":999,"fields":[{"a":1}],"new":true}"#,
            r#"@nix {"action":"start","id":1,"type":105,"fields":[]}"#,
            r#"@nix {"action":"result","id":1,"type":101,"fields":[7]}"#,
        ] {
            assert_eq!(parse_line(line), Event::Other, "{line}");
        }
    }

    #[test]
    fn ok_escapes_are_removed() {
        assert_eq!(plain("\u{1b}[1;32mok\u{1b}[0m\u{7}"), "ok");
        assert_eq!(plain(" 10%\r 20%\r\n"), " 20%");
        assert_eq!(plain("\u{1b}]0;title\u{7}a\tb"), "a    b");
    }
}
