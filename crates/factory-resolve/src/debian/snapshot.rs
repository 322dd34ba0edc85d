//! When the snapshot archive has what a suite has now. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::config::Config;
use super::error::Error;

/// How long after its Release file's date the archive surely has each file of a suite. It
/// imports a state some hours after that date, and a mirror keeps what is superseded for a
/// day and a half.
const LATER: Duration = Duration::from_secs(12 * 60 * 60);

/// The time of each suite in the snapshot archive, from the dates of the Release files.
pub(super) fn times(
    config: &Config,
    dates: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Error> {
    let time_of = |suite: &String| {
        let date = dates.get(suite).ok_or_else(|| Error::NoDate {
            suite: suite.clone(),
        })?;
        let time = time(date).ok_or_else(|| Error::BadDate { date: date.clone() })?;
        Ok((suite.clone(), time))
    };
    config
        .suites
        .iter()
        .map(|suite| time_of(&suite.name))
        .collect()
}

/// `Sat, 21 Nov 2026 00:53:03 UTC` plus twelve hours as `20261121T125303Z`.
fn time(date: &str) -> Option<String> {
    // The form of HTTP's dates, but that a day may have one digit, and that the time zone is
    // called UTC (Debian repository format, field `Date`).
    let (weekday, rest) = date.split_once(", ")?;
    let mut words = rest.split_whitespace();
    let (day, month) = (words.next()?, words.next()?);
    let (year, clock) = (words.next()?, words.next()?);
    let date = format!("{weekday}, {day:0>2} {month} {year} {clock} GMT");
    let later = httpdate::parse_http_date(&date).ok()?.checked_add(LATER)?;
    let text = humantime::format_rfc3339_seconds(later).to_string();
    Some(text.replace(['-', ':'], ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_half_a_day_later() {
        let at = |date| time(date).unwrap();
        assert_eq!(at("Sat, 21 Nov 2026 00:53:03 UTC"), "20261121T125303Z");
        assert_eq!(at("Sat, 1 Aug 2026 00:53:03 UTC"), "20260801T125303Z");
        assert_eq!(at("Thu, 31 Dec 2026 20:00:00 UTC"), "20270101T080000Z");
        assert_eq!(at("Mon, 28 Feb 2028 12:00:00 UTC"), "20280229T000000Z");
    }

    #[test]
    fn err_no_date() {
        for text in [
            "yesterday",
            "Sat, 31 Feb 2026 00:00:00 UTC",
            "Sat, 21 Nov 2026",
            "Tue, 28 Feb 2028 12:00:00 UTC",
            "Sat, 21 Nov 2026 24:00:00 UTC",
            "Sat, 211 Nov 2026 00:00:00 UTC",
        ] {
            assert!(time(text).is_none(), "{text}");
        }
    }
}
