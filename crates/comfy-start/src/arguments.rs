//! ComfyUI's arguments: splitting `CLI_ARGS`, and the few options that we must know.

/// Splits a line into words as a POSIX shell does: white space separates, quotes and
/// backslashes keep together, nothing is expanded. An open quote runs to the end.
pub fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some('"') | None, '\\') => {
                if let Some(next) = characters.next() {
                    let word = word.get_or_insert_default();
                    if quote.is_some() && !matches!(next, '"' | '\\' | '$' | '`') {
                        word.push('\\');
                    }
                    word.push(next);
                }
            }
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

/// Finds the value of an option, the last one if it is given twice: `--port 1` or `--port=1`.
pub fn value<'a>(arguments: &'a [String], option: &str) -> Option<&'a str> {
    let mut found = None;
    for (index, argument) in arguments.iter().enumerate() {
        if argument == option {
            let next = arguments.get(index + 1);
            found = next
                .map(String::as_str)
                .filter(|next| !next.starts_with("--"));
        } else if let Some(rest) = argument.strip_prefix(option) {
            found = rest.strip_prefix('=').or(found);
        }
    }
    found
}

/// Says whether an option is given.
pub fn has(arguments: &[String], option: &str) -> bool {
    arguments.iter().any(|argument| {
        argument == option
            || argument
                .strip_prefix(option)
                .is_some_and(|rest| rest.starts_with('='))
    })
}

/// The port that ComfyUI will listen on; 8188 where none is named.
pub fn port(arguments: &[String]) -> u16 {
    value(arguments, "--port")
        .and_then(|value| value.parse().ok())
        .unwrap_or(8188)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_words() {
        for (line, words) in [
            ("", &[][..]),
            ("  --cpu\t--port 1\n", &["--cpu", "--port", "1"]),
            ("--a 'b c' \"d e\"f", &["--a", "b c", "d ef"]),
            ("a\\ b \"c\\\"d\\n\"", &["a b", "c\"d\\n"]),
            ("'' \"\"", &["", ""]),
            ("'open to the end", &["open to the end"]),
        ] {
            assert_eq!(split(line), words, "{line}");
        }
    }

    #[test]
    fn ok_values() {
        let arguments = split("--port 8188 --listen --cpu --port=9000 --tls-keyfile key");
        assert_eq!(value(&arguments, "--port"), Some("9000"));
        assert_eq!(port(&arguments), 9000);
        assert_eq!(value(&arguments, "--listen"), None);
        assert_eq!(value(&arguments, "--tls-keyfile"), Some("key"));
        assert!(has(&arguments, "--listen") && has(&arguments, "--port"));
        assert!(!has(&arguments, "--cpu-vae") && !has(&split("--cpu-vae"), "--cpu"));
        assert_eq!(port(&split("--ports 1")), 8188);
    }
}
