//! The `Range` header, RFC 9110, section 14. Pure.

/// Which part of a blob is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// From a byte to the one before another; never empty.
    Slice { from: u64, to: u64 },
    /// No byte of it.
    None,
}

/// Reads the value of a `Range` header for something of this size.
///
/// Several ranges at once, units that we do not know and what is no range are ignored, as the
/// RFC says: the whole is the answer.
pub(super) fn parse(value: Option<&str>, size_bytes: u64) -> Part {
    let Some((unit, range)) = value.and_then(|value| value.split_once('=')) else {
        return Part::Whole;
    };
    let Some((first, last)) = range.trim().split_once('-') else {
        return Part::Whole;
    };
    let last = last.trim_end();
    if !unit.trim().eq_ignore_ascii_case("bytes") || !is_digits(first) || !is_digits(last) {
        return Part::Whole;
    }
    // Numbers beyond 64 bits are beyond every end.
    let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
    let (from, to) = match (first, last) {
        ("", "") => return Part::Whole,
        ("", last) => (size_bytes.saturating_sub(number(last)), size_bytes),
        (first, "") => (number(first), size_bytes),
        (first, last) => {
            let (first, last) = (number(first), number(last));
            if last < first {
                return Part::Whole;
            }
            (first, last.saturating_add(1).min(size_bytes))
        }
    };
    if from < to {
        Part::Slice { from, to }
    } else {
        Part::None
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ok_ranges() {
        let slice = |from, to| Part::Slice { from, to };
        for (value, part) in [
            ("bytes=0-0", slice(0, 1)),
            ("bytes=0-9", slice(0, 10)),
            ("bytes=0-99", slice(0, 10)),
            ("bytes=3-", slice(3, 10)),
            ("bytes=9-", slice(9, 10)),
            ("Bytes= 2-3", slice(2, 4)),
            ("bytes=-3", slice(7, 10)),
            ("bytes=-99", slice(0, 10)),
            ("bytes=0-99999999999999999999999", slice(0, 10)),
            ("bytes=10-", Part::None),
            ("bytes=10-12", Part::None),
            ("bytes=-0", Part::None),
            ("bytes=99999999999999999999999-", Part::None),
            ("bytes=3-2", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("lines=1-2", Part::Whole),
            ("", Part::Whole),
        ] {
            assert_eq!(parse(Some(value), 10), part, "{value}");
        }
        assert_eq!(parse(None, 10), Part::Whole);
        assert_eq!(parse(Some("bytes=0-"), 0), Part::None);
    }

    proptest! {
        #[test]
        fn ok_a_slice_is_never_outside(value in "(bytes|x)?=?[-0-9,= ]{0,30}", size: u64) {
            if let Part::Slice { from, to } = parse(Some(&value), size) {
                prop_assert!(from < to && to <= size);
            }
        }
    }
}
