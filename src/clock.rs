//! The wall clock: the time of day, as everything in the function reads it.
//!
//! Timestamps, signatures and the ages of events come from here, so that the simulation of the function
//! (`tests/simulation`) can supply the time of day of each execution environment. How long something takes is measured
//! by the monotonic clock, which is [`tokio::time::Instant`] and can be paused.

use std::{sync::OnceLock, time::SystemTime};

use aws_smithy_async::time::TimeSource;
use jiff::Timestamp;

/// What is read instead of the operating system's clock, once that was said.
static SUPPLIED: OnceLock<fn() -> SystemTime> = OnceLock::new();

/// Reads another clock from now on, in the whole process. The first call counts.
pub fn supply(clock: fn() -> SystemTime) {
    SUPPLIED.get_or_init(|| clock);
}

/// The time of day.
pub(crate) fn system_time() -> SystemTime {
    SUPPLIED.get().map_or_else(SystemTime::now, |clock| clock())
}

/// The same as a timestamp.
pub(crate) fn now() -> Timestamp {
    SUPPLIED.get().map_or_else(Timestamp::now, |clock| Timestamp::try_from(clock()).unwrap_or(Timestamp::MAX))
}

/// The wall clock, for the AWS SDK.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock;

impl TimeSource for WallClock {
    fn now(&self) -> SystemTime {
        system_time()
    }
}
