//! How often a request to SQS is tried, and how long each attempt may take: until the deadline, whatever happened before.
//!
//! Nothing here counts attempts or keeps a quota: after an hour of outage the next webhook has as many attempts as the
//! first one. Two rules make sure that an outage that ends [`LAST_ATTEMPT`] before the deadline costs nothing, whether
//! SQS refused or did not answer: no attempt that began before that point holds up the last one, and no pause is longer
//! than a quarter of the time that is left.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep, timeout_at};

use crate::queue::QueueError;

/// The first attempt may take this long, or an [eighth](FIRST_SHARE) of a longer time. SQS answers in 5 to 20 ms, and a
/// connection that died while the environment was frozen never does. Each further attempt may take twice as long as the
/// one before.
const FIRST_ATTEMPT: Duration = Duration::from_millis(500);
const FIRST_SHARE: u32 = 8;
/// The time before the deadline that is reserved for a last attempt.
const LAST_ATTEMPT: Duration = Duration::from_millis(550);
/// An attempt that had less time than that says nothing about its connection.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(100);
/// The pause after the first error. It doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(40);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// Tries until something other than a passing error comes back, or the deadline is there. `attempt` gets the number of
/// the attempt, from 0; `timed_out` is called after each attempt that had time enough and was not answered.
///
/// # Errors
/// The error that will not pass, else the last one that SQS answered with, else [`QueueError::OutOfTime`].
pub(super) async fn until<T, F>(
    deadline: Instant,
    mut attempt: impl FnMut(u32) -> F,
    timed_out: impl Fn(),
) -> Result<T, QueueError>
where
    F: Future<Output = Result<T, QueueError>>,
{
    let whole = deadline.saturating_duration_since(Instant::now());
    let (mut patience, mut backoff) = (FIRST_ATTEMPT.max(whole / FIRST_SHARE), FIRST_PAUSE);
    let mut known = QueueError::OutOfTime;
    for number in 0.. {
        let began = Instant::now();
        match timeout_at(end_of_attempt(began, patience, deadline), attempt(number)).await {
            Ok(Err(error)) if error.can_pass() => {
                known = error;
                let left = deadline.saturating_duration_since(Instant::now());
                sleep(jittered(backoff.min(left / 4))).await;
                backoff = (backoff * 2).min(LONGEST_PAUSE);
            }
            Ok(decided) => return decided,
            Err(_) => {
                if began.elapsed() >= SHORTEST_TIMEOUT {
                    timed_out();
                }
                patience *= 2;
            }
        }
        if deadline.saturating_duration_since(Instant::now()) < Duration::from_millis(1) {
            break;
        }
    }
    Err(known)
}

/// When an attempt that begins now is given up.
fn end_of_attempt(now: Instant, patience: Duration, deadline: Instant) -> Instant {
    let last = deadline.checked_sub(LAST_ATTEMPT).filter(|last| now < *last);
    (now + patience).min(last.unwrap_or(deadline))
}

/// Between a half and the whole of a pause, so that environments that failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(fastrand::f64().mul_add(0.5, 0.5))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Runs against an outage that ends so long before a deadline of 4 s. An attempt during it fails as `outage` says
    /// (`None`: it is never answered); one after it takes 20 ms.
    async fn through(outage: Option<QueueError>, ends_before: Duration, allowed: Duration) -> Result<u32, QueueError> {
        let deadline = Instant::now() + allowed;
        let attempt = |number| {
            let outage = outage.clone();
            async move {
                if Instant::now() + ends_before >= deadline {
                    sleep(Duration::from_millis(20)).await;
                    return Ok(number);
                }
                match outage {
                    Some(error) => Err(error),
                    None => std::future::pending().await,
                }
            }
        };
        until(deadline, attempt, || {}).await
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_that_ends_600_ms_before_the_deadline_costs_nothing() {
        let errors = [QueueError::Throttled("t".to_owned()), QueueError::Unreachable("u".to_owned())];
        for outage in errors.into_iter().map(Some).chain([None]) {
            for allowed in [650, 900, 1250, 2000, 4000, 25_000] {
                for earlier in (600..allowed).step_by(37) {
                    let (ends_before, allowed) = (Duration::from_millis(earlier), Duration::from_millis(allowed));
                    let sent = through(outage.clone(), ends_before, allowed).await;
                    assert!(sent.is_ok(), "{outage:?} until {ends_before:?} before the end of {allowed:?}: {sent:?}");
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lasting_fault_ends_at_the_deadline_with_what_sqs_said() {
        for (outage, expected) in [(Some(QueueError::Throttled("t".to_owned())), "throttled"), (None, "out_of_time")] {
            let start = Instant::now();
            let error = through(outage, Duration::ZERO, Duration::from_secs(4)).await;
            // At the deadline itself the outage is over; what began before it was given up.
            let name = error.map_or_else(|error| error.name(), |_| "sent");
            assert_eq!(name, expected);
            let took = start.elapsed();
            assert!(took <= Duration::from_secs(4) && took > Duration::from_millis(3900), "{took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_pass_is_not_tried_again() {
        let attempts = Cell::new(0);
        let deadline = Instant::now() + Duration::from_secs(4);
        let attempt = |number| {
            attempts.set(number + 1);
            async { Err::<(), _>(QueueError::NoSuchQueue) }
        };
        assert_eq!(until(deadline, attempt, || {}).await, Err(QueueError::NoSuchQueue));
        assert_eq!(attempts.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_always_takes_a_second_still_takes_the_event() {
        let deadline = Instant::now() + Duration::from_secs(4);
        let attempt = |number| async move {
            sleep(Duration::from_secs(1) - Duration::from_millis(1)).await;
            Ok(number)
        };
        assert_eq!(until(deadline, attempt, || {}).await, Ok(1));
    }
}
