//! How numbers and times are written for people.

use super::escape;

/// `1.2 GB`, decimal units, as the other commands write them.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{count} B"),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

/// `8.1 s`, `2 min 05 s`, `1 h 02 min`.
pub(super) fn time(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds < 0.0995 => format!("{:.0} ms", seconds * 1000.0),
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// `12,345`.
pub(super) fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 build`, `2 builds`.
pub(super) fn count(n: u64, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", number(n))
}

/// `12.3 %` of something.
pub(super) fn share(part: f64, whole: f64) -> String {
    if whole <= 0.0 {
        return String::new();
    }
    format!("{:.1} %", part / whole * 100.0)
}

/// `2026-11-22 20:00` of `2026-11-22T20:00:00Z`, with `UTC` behind it.
pub(super) fn moment(rfc3339: &str) -> String {
    match (rfc3339.get(..10), rfc3339.get(11..16)) {
        (Some(day), Some(minute)) => format!("{} {} UTC", escape::text(day), escape::text(minute)),
        _ => escape::text(rfc3339),
    }
}

/// The beginning of a digest.
pub(super) fn short(digest: &str) -> String {
    escape::text(digest.get(..19).unwrap_or(digest))
}

/// The hue of a layer by its place, or of the image itself: neighbours differ most.
pub(super) fn hue(layer: Option<usize>) -> String {
    match layer {
        Some(place) => format!("--h:{};--c:.11", (place * 150 + 250) % 360),
        None => "--h:0;--c:0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_units() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(2_900_000_000), "2.9 GB");
        let times = [0.0, 0.0421, 0.0996, 8.14, 59.96, 125.0, 3720.0].map(time);
        let said = [
            "0 ms",
            "42 ms",
            "0.1 s",
            "8.1 s",
            "1 min 00 s",
            "2 min 05 s",
            "1 h 02 min",
        ];
        assert_eq!(times, said);
        assert_eq!(
            [0, 12, 1234, 1_234_567].map(number),
            ["0", "12", "1,234", "1,234,567"]
        );
        assert_eq!(moment("2026-11-22T20:01:00.000Z"), "2026-11-22 20:01 UTC");
        assert_eq!(moment("<"), "&lt;");
    }

    #[test]
    fn ok_twelve_layers_have_twelve_hues() {
        let hues: std::collections::BTreeSet<String> =
            (0..12).map(|layer| hue(Some(layer))).collect();
        assert_eq!(hues.len(), 12);
    }
}
