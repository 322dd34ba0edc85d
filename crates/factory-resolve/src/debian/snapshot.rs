//! When the snapshot archive has what a suite has now. Pure.

use std::collections::BTreeMap;

use chrono::{NaiveDateTime, TimeDelta};

use super::config::Config;
use super::error::Error;

/// How long after its Release file's date the archive surely has each file of a suite. It
/// imports a state some hours after that date, and a mirror keeps what is superseded for a
/// day and a half.
const LATER: TimeDelta = TimeDelta::hours(12);

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
    // The time zone behind it is UTC (Debian repository format, field `Date`).
    let (_, day) = date.split_once(", ")?;
    let (date, _zone) = NaiveDateTime::parse_and_remainder(day, "%d %b %Y %H:%M:%S").ok()?;
    let later = date.checked_add_signed(LATER)?;
    Some(later.format("%Y%m%dT%H%M%SZ").to_string())
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
        assert_eq!(at("Tue, 28 Feb 2028 12:00:00 UTC"), "20280229T000000Z");
    }

    #[test]
    fn err_no_date() {
        for text in [
            "yesterday",
            "Sat, 31 Feb 2026 00:00:00 UTC",
            "Sat, 21 Nov 2026",
        ] {
            assert!(time(text).is_none(), "{text}");
        }
    }
}
