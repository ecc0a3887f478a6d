//! Failures of the application that are rehearsed: a share of the posts fails although the application is well.
//!
//! Which ones is no matter of chance, so that a test of the application gives the same result each time: of 1/3, every
//! third post fails.

use std::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
};

use ::http::StatusCode;

/// A share of the posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    of: u64,
    fail: u64,
}

/// How a post fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The application does not see the event, as if a proxy in front of it had answered.
    Status(StatusCode),
    /// The application gets the event, and its answer is lost.
    Timeout,
    /// The application does not see the event.
    Refused,
}

/// Decides which posts fail, and how.
#[derive(Debug)]
pub(super) struct Rehearsal {
    share: Share,
    faults: Vec<Fault>,
    posts: AtomicU64,
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = match (text.strip_suffix('%'), text.split_once('/')) {
            (Some(percent), _) => percent.trim().parse().ok().map(|percent| (percent, 100)),
            (None, Some((fail, of))) => fail.trim().parse().ok().zip(of.trim().parse().ok()),
            (None, None) => None,
        };
        match numbers {
            Some((fail @ 1..=1_000_000, of @ 1..=1_000_000)) if fail <= of => Ok(Self { of, fail }),
            _ => Err("expected a share such as 1/3 or 20%, above 0 and not above 1".to_owned()),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { of: 100, fail } => write!(text, "{fail}%"),
            Self { of, fail } => write!(text, "{fail}/{of}"),
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let status =
            || StatusCode::from_bytes(text.as_bytes()).ok().filter(|status| (300..600).contains(&status.as_u16()));
        match text {
            "timeout" => Ok(Self::Timeout),
            "refused" => Ok(Self::Refused),
            _ => status()
                .map(Self::Status)
                .ok_or_else(|| "expected timeout, refused, or a status from 300 to 599".to_owned()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(text, "{}", status.as_u16()),
            Self::Timeout => text.write_str("timeout"),
            Self::Refused => text.write_str("refused"),
        }
    }
}

impl fmt::Display for Rehearsal {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self.faults.iter().map(Fault::to_string).collect();
        text.write_str(&faults.join(", "))
    }
}

impl Rehearsal {
    /// `faults` take turns.
    pub(super) const fn new(share: Share, faults: Vec<Fault>) -> Self {
        Self { share, faults, posts: AtomicU64::new(0) }
    }

    /// How the next post fails, if it is to fail.
    pub(super) fn next(&self) -> Option<Fault> {
        let Share { of, fail } = self.share;
        let posts = self.posts.fetch_add(1, Ordering::Relaxed);
        // So many of the posts before it were to fail, and so many with it.
        let failed = |posts: u64| u128::from(posts) * u128::from(fail) / u128::from(of);
        let before = failed(posts);
        if failed(posts + 1) == before {
            return None;
        }
        let turn = usize::try_from(before).unwrap_or(0) % self.faults.len().max(1);
        self.faults.get(turn).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(share: &str, faults: &[&str], posts: usize) -> Vec<String> {
        let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        let rehearsal = Rehearsal::new(share.parse().unwrap(), faults);
        (0..posts).map(|_| rehearsal.next().map_or_else(|| "-".to_owned(), |fault| fault.to_string())).collect()
    }

    #[test]
    fn a_share_of_the_posts_fails_in_all_ways_in_turn() {
        assert_eq!(turns("1/3", &["503", "timeout"], 9), ["-", "-", "503", "-", "-", "timeout", "-", "-", "503"]);
        assert_eq!(turns("100%", &["refused"], 2), ["refused", "refused"]);
        assert_eq!(turns("2/5", &["500"], 5), ["-", "-", "500", "-", "500"]);
        assert_eq!(turns("20%", &["500"], 100).iter().filter(|fault| *fault == "500").count(), 20);
    }

    #[test]
    fn what_is_no_share_or_no_failure_is_refused_with_an_example() {
        for text in ["0/3", "4/3", "1/0", "0%", "101%", "0.5", "-1/3", "1/3/5", "", "x%"] {
            assert!(text.parse::<Share>().unwrap_err().contains("1/3 or 20%"), "{text}");
        }
        for text in ["200", "600", "1000", "slow", ""] {
            assert!(text.parse::<Fault>().unwrap_err().contains("expected timeout"), "{text}");
        }
    }
}
