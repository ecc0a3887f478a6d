//! Timestamps in all forms that EnableX writes.
//!
//! | form | seen in |
//! | --- | --- |
//! | `2026-06-15T10:52:10.000Z` | broadcasts and streams, 2026 |
//! | `2020-02-16T10:52:00Z` | calls |
//! | `2021-02-18T12:47-00Z` | to the minute, with an odd offset |
//! | seconds or milliseconds since 1970 | recordings; as numbers or as text |

use std::time::Duration;

use jiff::Timestamp;

/// Seconds since 1970 reach this number in the year 5138; milliseconds passed it in 1973.
const FIRST_MILLISECONDS: f64 = 1e11;

/// A point in time, and how exactly it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The beginning of the unit that the text names.
    pub at: Timestamp,
    /// The unit that the text counts in: a minute, a second, a millisecond, …
    pub unit: Duration,
}

impl Moment {
    /// Reads a timestamp; `None` where the text is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(number) = text.parse::<f64>() {
            return Some(number).filter(|number| number.is_finite()).and_then(|number| Self::since_1970(number, text));
        }
        let at = text.parse().ok().or_else(|| without_z_after_offset(text)?.parse().ok())?;
        Some(Self { at, unit: unit(text)? })
    }

    fn since_1970(number: f64, text: &str) -> Option<Self> {
        let is_milliseconds = number.abs() >= FIRST_MILLISECONDS;
        let milliseconds = if is_milliseconds { number } else { number * 1000.0 };
        let at = Timestamp::from_millisecond(milliseconds.round() as i64).ok()?;
        let unit = if is_milliseconds { Duration::from_millis(1) } else { Duration::from_secs(1) };
        Some(Self { at, unit: unit / decimals(text).map_or(1, |digits| 10_u32.pow(digits.min(3))) })
    }

    /// Whether it is exact to the second or finer.
    #[must_use]
    pub fn has_seconds(&self) -> bool {
        self.unit <= Duration::from_secs(1)
    }

    /// Whether it is a fraction of a second off the whole one.
    #[must_use]
    pub fn has_fraction(&self) -> bool {
        self.at.subsec_nanosecond() != 0
    }

    /// The end of the unit that it names: as late as this it may have been.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.at.checked_add(self.unit).unwrap_or(self.at)
    }
}

/// `2021-02-18T12:47-00Z` without its last letter: the offset says it already.
fn without_z_after_offset(text: &str) -> Option<&str> {
    let text = text.strip_suffix(['Z', 'z'])?;
    let (_, time) = text.split_once(['T', 't', ' '])?;
    time.contains(['+', '-']).then_some(text)
}

/// The unit that an ISO 8601 date and time counts in.
fn unit(text: &str) -> Option<Duration> {
    let (_, time) = text.split_once(['T', 't', ' '])?;
    let time = time.split(['Z', 'z', '+', '-', '[']).next()?;
    if let Some(digits) = decimals(time) {
        return Some(Duration::from_nanos(10_u64.pow(9_u32.saturating_sub(digits))));
    }
    Some(Duration::from_secs(match time.bytes().filter(u8::is_ascii_digit).count() {
        0..=2 => 3600,
        3..=4 => 60,
        _ => 1,
    }))
}

/// How many digits there are after the decimal sign, if there is one with digits.
fn decimals(text: &str) -> Option<u32> {
    let (_, fraction) = text.split_once(['.', ','])?;
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    u32::try_from(digits).ok().filter(|digits| *digits > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_to_the_unit_that_it_states() {
        let (minute, second, milli) = (Duration::from_secs(60), Duration::from_secs(1), Duration::from_millis(1));
        for (text, at, unit) in [
            ("2026-06-15T10:52:10.000Z", "2026-06-15T10:52:10Z", milli),
            ("2026-06-15T10:52:10.007Z", "2026-06-15T10:52:10.007Z", milli),
            ("2026-06-15T10:52:10.5Z", "2026-06-15T10:52:10.5Z", Duration::from_millis(100)),
            ("2026-06-15 10:52:10,123456+05:30", "2026-06-15T05:22:10.123456Z", Duration::from_micros(1)),
            ("2020-02-16T10:52:00Z", "2020-02-16T10:52:00Z", second),
            ("2020-02-16T10:52:00+00:00", "2020-02-16T10:52:00Z", second),
            ("2021-02-18T12Z", "2021-02-18T12:00:00Z", Duration::from_secs(3600)),
            ("2021-02-18T12:47-00Z", "2021-02-18T12:47:00Z", minute),
            ("2021-02-18T12:47Z", "2021-02-18T12:47:00Z", minute),
            ("2021-02-18T12:47+05:30Z", "2021-02-18T07:17:00Z", minute),
            ("1795431126", "2026-11-23T10:52:06Z", second),
            ("1795431126.0", "2026-11-23T10:52:06Z", Duration::from_millis(100)),
            ("1795431126.25", "2026-11-23T10:52:06.25Z", Duration::from_millis(10)),
            ("1795431126004", "2026-11-23T10:52:06.004Z", milli),
            (" 1795431126000 ", "2026-11-23T10:52:06Z", milli),
        ] {
            let expected = Moment { at: at.parse().unwrap(), unit };
            assert_eq!(Moment::parse(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "10:52:06",
            "2026-11-23",
            "2026-11-23T10:52:06",
            "NaN",
            "1e300",
            "inf",
            "2026-13-01T00:00:00Z",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }
}
