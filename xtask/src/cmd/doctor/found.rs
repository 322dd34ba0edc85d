//! How one thing that was looked at is told.

use crate::document::{Check, CheckState as State};

impl Check {
    pub(super) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Ok,
            found: found.into(),
            hint: None,
        }
    }

    pub(super) fn not(
        name: &'static str,
        state: State,
        found: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            name,
            state,
            found: found.into(),
            hint: Some(hint.into()),
        }
    }
}

/// What a program said last is what it stumbled over.
pub(super) fn last_line(error: &anyhow::Error) -> String {
    let text = error.root_cause().to_string();
    text.lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty())
        .unwrap_or_default()
        .to_owned()
}
