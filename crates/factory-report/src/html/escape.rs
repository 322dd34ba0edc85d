//! Text from elsewhere, on its way into the page. It can neither end an element nor begin one.

/// For the text of an element and for an attribute in double quotes. What cannot be seen, or
/// turns the direction of what follows, is shown as a replacement character.
pub(super) fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for character in raw.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ if is_unseen(character) => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
    out
}

/// Control characters, and those that turn the direction of text (UAX #9).
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// JSON for a script element: no `</script>` and no `<!--` can stand in it (HTML, "Restrictions
/// for contents of script elements"). All of these can only be inside strings.
pub(super) fn json(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for character in raw.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ok_text_and_attributes() {
        assert_eq!(text("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
        assert_eq!(text("a\u{202e}b\0\n"), "a\u{fffd}b\u{fffd}\u{fffd}");
        assert_eq!(text("ä \u{1f600}"), "ä \u{1f600}");
    }

    proptest! {
        #[test]
        fn ok_json_says_the_same_and_ends_nothing(name in "(</script>|<!--|[\\PC<>&\u{2028}\"\\\\]){0,12}") {
            let escaped = json(&serde_json::to_string(&name).unwrap());
            let is_special = |character: char| ['<', '>', '&', '\u{2028}'].contains(&character);
            prop_assert!(!escaped.contains(is_special));
            prop_assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), name);
        }

        #[test]
        fn ok_text_ends_nothing(name in "\\PC*") {
            prop_assert!(!text(&name).contains(['<', '>', '"', '\'']));
        }
    }
}
