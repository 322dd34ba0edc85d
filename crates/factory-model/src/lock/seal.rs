//! The checksum that a lock carries of its other lines, so that an edit by hand is noticed. Pure.

use super::Sha256;

/// The line that holds the checksum; it stands before the line that all locks have.
const LINE: &str = "content_sha256 = ";
const NEXT: &str = "list_sha256 = ";

/// A lock's text with the checksum of all other lines.
pub fn seal(text: &str) -> String {
    let sha256 = Sha256::of(text.as_bytes());
    text.replacen(NEXT, &format!("{LINE}\"{sha256}\"\n{NEXT}"), 1)
}

/// Whether a text is what [`seal`] made of it.
pub fn is_sealed(text: &str) -> bool {
    let rest: String = text
        .split_inclusive('\n')
        .filter(|line| !line.starts_with(LINE))
        .collect();
    seal(&rest) == text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_sealed() {
        let text = seal("# head\n\nlist_sha256 = \"00\"\n\n[[package]]\nname = \"a\"\n");
        assert!(is_sealed(&text), "{text}");
        assert_eq!(text.lines().count(), 7);
    }

    #[test]
    fn err_edited() {
        let text = "list_sha256 = \"00\"\nname = \"a\"\n";
        assert!(!is_sealed(text));
        let sealed = seal(text);
        assert!(!is_sealed(&sealed.replace("name = \"a\"", "name = \"b\"")));
        assert!(!is_sealed(&sealed.replace("00", "01")));
        assert!(!is_sealed(&format!("{sealed}\n")));
    }
}
