//! How often a request to SQS is tried, and how long each attempt may take: until the deadline, whatever happened before.
//!
//! Nothing here counts attempts or keeps a quota: after an hour of outage the next webhook has as many attempts as the
//! first one. Two rules make sure that an outage that ends [`LAST_ATTEMPT`] before the deadline costs nothing, whether
//! SQS refused or did not answer: no attempt that began before that point holds up the last one, and no pause is longer
//! than a quarter of the time that is left. That holds for each message of a batch, and [`Hurry`] makes it hold for those
//! that wait for their turn behind it.

use std::{future::Future, time::Duration};

use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

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

/// What an attempt has at the least when it is given up for another message than the one with the most time: a slow queue
/// needs that, and it leaves enough of [`LAST_ATTEMPT`].
const FAIR: Duration = Duration::from_millis(250);

/// Lets a message that waits behind a request, and has less time than that, have the request's attempt made anew.
#[derive(Debug, Default)]
pub(in crate::queue) struct Hurry(Notify);

impl Hurry {
    /// When a message with that deadline can wait no longer for an attempt that is not answered.
    pub(in crate::queue) fn due(deadline: Instant) -> Instant {
        deadline.checked_sub(LAST_ATTEMPT).unwrap_or(deadline)
    }

    /// Gives up the attempt on its way once it has had a fair time. The next one follows at once.
    pub(in crate::queue) fn up(&self) {
        self.0.notify_waiters();
    }

    async fn ends_attempt(&self, began: Instant) {
        self.0.notified().await;
        sleep_until(began + FAIR).await;
    }
}

/// Tries until something other than a passing error comes back, or the last of the deadlines is there, one for each
/// message. `attempt` gets the number of the attempt, from 0; `timed_out` is called after each attempt that had time
/// enough and was not answered.
///
/// # Errors
/// The error that will not pass, else the last one that SQS answered with, else [`QueueError::OutOfTime`].
pub(super) async fn until<T, F>(
    deadlines: &[Instant],
    hurry: &Hurry,
    mut attempt: impl FnMut(u32) -> F,
    timed_out: impl Fn(),
) -> Result<T, QueueError>
where
    F: Future<Output = Result<T, QueueError>>,
{
    let deadline = deadlines.iter().copied().max().unwrap_or_else(Instant::now);
    let whole = deadline.saturating_duration_since(Instant::now());
    let (mut patience, mut backoff) = (FIRST_ATTEMPT.max(whole / FIRST_SHARE), FIRST_PAUSE);
    let mut known = QueueError::OutOfTime;
    for number in 0.. {
        let began = Instant::now();
        let answer = tokio::select! {
            biased;
            answer = attempt(number) => Some(answer),
            () = sleep_until(end_of_attempt(began, patience, deadlines, deadline)) => None,
            () = hurry.ends_attempt(began) => None,
        };
        match answer {
            Some(Err(error)) if error.can_pass() => {
                known = error;
                let left = deadline.saturating_duration_since(Instant::now());
                sleep(jittered(backoff.min(left / 4))).await;
                backoff = (backoff * 2).min(LONGEST_PAUSE);
            }
            Some(decided) => return decided,
            None => {
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

/// When an attempt that begins now is given up: in time for another one for the message with the most time, and, after a
/// fair time, for each of the others.
fn end_of_attempt(now: Instant, patience: Duration, deadlines: &[Instant], deadline: Instant) -> Instant {
    let due = |deadline: Instant| Some(Hurry::due(deadline)).filter(|due| now < *due);
    let others = deadlines.iter().filter(|other| **other != deadline);
    let of_others = others.filter_map(|other| Some(due(*other)?.max(now + FAIR))).min();
    let own = due(deadline).unwrap_or(deadline).min(now + patience);
    own.min(of_others.unwrap_or(own))
}

/// Between a half and the whole of a pause, so that environments that failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(fastrand::f64().mul_add(0.5, 0.5))
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, sync::Mutex};

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
        until(&[deadline], &Hurry::default(), attempt, || {}).await
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
    async fn errors_that_end_shortly_before_the_deadline_cost_nothing_because_pauses_become_shorter() {
        for ends_before in (100..500).step_by(10).map(Duration::from_millis) {
            let sent = through(Some(QueueError::Throttled("t".to_owned())), ends_before, Duration::from_secs(4)).await;
            assert!(sent.is_ok(), "{ends_before:?}: {sent:?}");
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
    async fn an_attempt_that_is_never_answered_is_given_up_after_500_ms_or_an_eighth_and_each_next_after_twice_that() {
        for (allowed, begins) in [(4000, &[0, 500, 1500, 3450][..]), (24_000, &[0, 3000, 9000, 21_000, 23_450])] {
            let (start, began) = (Instant::now(), Mutex::new(Vec::new()));
            let attempt = |_| {
                began.lock().unwrap().push(start.elapsed().as_millis());
                std::future::pending::<Result<(), _>>()
            };
            let deadline = start + Duration::from_millis(allowed);
            assert_eq!(until(&[deadline], &Hurry::default(), attempt, || {}).await, Err(QueueError::OutOfTime));
            assert_eq!(*began.lock().unwrap(), begins);
        }
    }

    /// Of two messages in one request the first has less time, and the queue answers from 600 ms before its end on.
    #[tokio::test(start_paused = true)]
    async fn an_outage_costs_none_of_several_messages_with_different_deadlines() {
        for later in (0..4000).step_by(53) {
            let first = Instant::now() + Duration::from_secs(2);
            let deadlines = [first + Duration::from_millis(later), first];
            let attempt = |_| async move {
                if Instant::now() + Duration::from_millis(600) >= first {
                    return Ok(Instant::now());
                }
                std::future::pending().await
            };
            let sent = until(&deadlines, &Hurry::default(), attempt, || {}).await.unwrap();
            assert!(sent <= first, "{later}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_hurry_makes_an_attempt_anew_after_a_fair_time() {
        for (hurries_at, anew_at) in [(7, 250), (400, 400)] {
            let (hurry, start, attempts) = (Hurry::default(), Instant::now(), Cell::new(0));
            let attempt = |number| {
                attempts.set(number + 1);
                async move { if number == 0 { std::future::pending().await } else { Ok(start.elapsed()) } }
            };
            let hurries = async {
                sleep(Duration::from_millis(hurries_at)).await;
                hurry.up();
            };
            let deadlines = [start + Duration::from_secs(4)];
            let (sent, ()) = tokio::join!(until(&deadlines, &hurry, attempt, || {}), hurries);
            assert_eq!((sent.unwrap(), attempts.get()), (Duration::from_millis(anew_at), 2));
        }
    }

    /// The queue takes 200 ms for each request, and somebody is in a hurry all the time.
    #[tokio::test(start_paused = true)]
    async fn a_slow_queue_is_not_hurried_to_death() {
        let start = Instant::now();
        let deadlines: Vec<Instant> = (0..10).map(|number| start + Duration::from_millis(600 + 30 * number)).collect();
        let attempt = |number| async move {
            sleep(Duration::from_millis(200)).await;
            Ok(number)
        };
        assert_eq!(until(&deadlines, &Hurry::default(), attempt, || {}).await, Ok(0));
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_begin_at_40_ms_or_half_of_that_and_double_up_to_400() {
        let (attempts, deadline) = (Mutex::new(Vec::new()), Instant::now() + Duration::from_secs(60));
        let attempt = |_| {
            attempts.lock().unwrap().push(Instant::now());
            async { Err::<(), _>(QueueError::Throttled("ThrottlingException".to_owned())) }
        };
        until(&[deadline], &Hurry::default(), attempt, || {}).await.unwrap_err();
        let attempts = attempts.into_inner().unwrap();
        for (pair, longest) in attempts.windows(2).zip([40, 80, 160, 320, 400, 400, 400]) {
            let pause = (pair[1] - pair[0]).as_millis();
            // Tokio's timers are a millisecond late at the most.
            assert!((longest / 2..=longest + 1).contains(&pause), "{pause} ms, and {longest} are the longest");
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
        assert_eq!(until(&[deadline], &Hurry::default(), attempt, || {}).await, Err(QueueError::NoSuchQueue));
        assert_eq!(attempts.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_always_takes_a_second_still_takes_the_event() {
        let deadline = Instant::now() + Duration::from_secs(4);
        let attempt = |number| async move {
            sleep(Duration::from_secs(1) - Duration::from_millis(1)).await;
            Ok(number)
        };
        assert_eq!(until(&[deadline], &Hurry::default(), attempt, || {}).await, Ok(1));
    }
}
