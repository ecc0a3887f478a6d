//! The time of day: time stands still where nothing waits, so it is the beginning of 2026 and the model's own time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use tokio::time::Instant;

/// Seconds from 1970 to 2026.
const BEGINNING: Duration = Duration::from_secs(1_767_225_600);

pub(crate) fn system_time() -> SystemTime {
    UNIX_EPOCH + BEGINNING + Instant::now().since_beginning()
}

pub(crate) fn now() -> Timestamp {
    Timestamp::try_from(system_time()).unwrap_or(Timestamp::MAX)
}
