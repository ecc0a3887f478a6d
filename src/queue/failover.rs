//! A second queue for the time when the first one fails.
//!
//! The first queue gets half of the time, the second one what is left. After a few failures in a row the first one is
//! left alone for a while, so that a region that is down does not cost every webhook half of its time.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::{Message, Queue, QueueError, QueueKind, Sent};

/// Failures in a row after which the first queue is left alone.
const FAILURES: u32 = 3;
/// For how long. Then one webhook tries it again.
const PAUSE: Duration = Duration::from_secs(10);

/// A queue, and perhaps another one for when it fails.
#[derive(Debug)]
pub struct Failover<Q> {
    first: Q,
    second: Option<Q>,
    breaker: Breaker,
}

impl<Q: Queue> Failover<Q> {
    /// Without a second queue, everything goes to the first, and has all the time.
    pub fn new(first: Q, second: Option<Q>) -> Self {
        Self { first, second, breaker: Breaker::default() }
    }
}

impl<Q: Queue> Queue for Failover<Q> {
    fn kind(&self) -> QueueKind {
        self.first.kind()
    }

    async fn warm_up(&self) {
        self.first.warm_up().await;
    }

    fn send(&self, message: Message, deadline: Instant) -> impl Future<Output = Result<Sent, QueueError>> + Send {
        let Some(second) = &self.second else { return self.first.send(message, deadline).left_future() };
        let now = Instant::now();
        let share = now + deadline.saturating_duration_since(now) / 2;
        // Called here and not in the future: the message takes its place in its group now.
        let first = self.breaker.allows().then(|| self.first.send(message.clone(), share));
        let failed_over = async move {
            if let Some(first) = first
                && let Some(decided) = self.decided(first.await)
            {
                return decided;
            }
            let sent = second.send(message.through_failover(), deadline).await?;
            Ok(Sent { failover: true, ..sent })
        };
        failed_over.right_future()
    }
}

impl<Q: Queue> Failover<Q> {
    /// What the first queue said, if the second one need not be asked.
    fn decided(&self, result: Result<Sent, QueueError>) -> Option<Result<Sent, QueueError>> {
        match &result {
            Ok(_) => {
                self.breaker.succeeded();
                return Some(result);
            }
            // The second queue would not take it either.
            Err(QueueError::TooLarge { .. }) => return Some(result),
            // What SQS refuses says something about the message, and nothing about the queue.
            Err(QueueError::Rejected(_)) => {}
            Err(_) => self.breaker.failed(),
        }
        if let Err(error) = &result {
            tracing::warn!(%error, reason = error.name(), "the queue failed; the event goes to the failover queue");
        }
        None
    }
}

/// A circuit breaker.
#[derive(Debug, Default)]
struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    next_try: Option<Instant>,
}

impl Breaker {
    fn allows(&self) -> bool {
        let mut state = self.state();
        let now = Instant::now();
        match state.next_try {
            Some(next_try) if now < next_try => false,
            Some(_) => {
                state.next_try = Some(now + PAUSE);
                true
            }
            None => true,
        }
    }

    fn failed(&self) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            state.next_try = Some(Instant::now() + PAUSE);
        }
    }

    fn succeeded(&self) {
        *self.state() = State::default();
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    };

    use futures_util::future::join_all;

    use super::*;

    #[derive(Clone, Default)]
    struct Switch {
        down: Arc<AtomicBool>,
        asked: Arc<AtomicUsize>,
        failover: Arc<AtomicUsize>,
    }

    impl Queue for Switch {
        fn kind(&self) -> QueueKind {
            QueueKind::Fifo
        }

        async fn send(&self, message: Message, deadline: Instant) -> Result<Sent, QueueError> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            if self.down.load(Ordering::SeqCst) {
                tokio::time::sleep_until(deadline).await;
                return Err(QueueError::OutOfTime);
            }
            self.failover.fetch_add(usize::from(message.attribute("failover") == Some("true")), Ordering::SeqCst);
            Ok(Sent { message_id: "1".to_owned(), failover: false })
        }
    }

    fn message() -> Message {
        Message {
            body: "{}".to_owned(),
            attributes: Vec::new(),
            group_id: "g".to_owned(),
            deduplication_id: None,
            trace_header: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_queue_costs_three_webhooks_half_their_time_and_the_others_none() {
        let (first, second) = (Switch::default(), Switch::default());
        let queue = Failover::new(first.clone(), Some(second.clone()));
        first.down.store(true, Ordering::SeqCst);
        let start = Instant::now();
        for _ in 0..100 {
            let sent = queue.send(message(), Instant::now() + Duration::from_secs(2)).await.unwrap();
            assert!(sent.failover);
        }
        assert_eq!(start.elapsed(), Duration::from_secs(3));
        assert_eq!(first.asked.load(Ordering::SeqCst), 3);
        assert_eq!(second.failover.load(Ordering::SeqCst), 100, "each carries the attribute");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_queue_is_used_again_once_it_is_back() {
        let (first, second) = (Switch::default(), Switch::default());
        let queue = Failover::new(first.clone(), Some(second.clone()));
        let send = async || queue.send(message(), Instant::now() + Duration::from_secs(2)).await;
        first.down.store(true, Ordering::SeqCst);
        for _ in 0..5 {
            send().await.unwrap();
        }
        first.down.store(false, Ordering::SeqCst);
        tokio::time::advance(Duration::from_millis(9_999)).await;
        send().await.unwrap();
        assert_eq!(second.asked.load(Ordering::SeqCst), 6, "not before ten seconds are over");
        tokio::time::advance(Duration::from_millis(1)).await;
        for _ in 0..5 {
            send().await.unwrap();
        }
        assert_eq!((first.asked.load(Ordering::SeqCst), second.asked.load(Ordering::SeqCst)), (8, 6));
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_pause_one_webhook_tries_a_queue_that_is_still_dead() {
        let (first, second) = (Switch::default(), Switch::default());
        let queue = Failover::new(first.clone(), Some(second.clone()));
        first.down.store(true, Ordering::SeqCst);
        for asked in [3, 4, 5] {
            let deadline = Instant::now() + Duration::from_secs(2);
            let sent = join_all((0..3).map(|_| queue.send(message(), deadline))).await;
            assert!(sent.iter().all(Result::is_ok), "{sent:?}");
            assert_eq!(first.asked.load(Ordering::SeqCst), asked);
            tokio::time::advance(PAUSE).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_both_queues_fail_the_error_comes_at_the_deadline() {
        let switch = Switch::default();
        switch.down.store(true, Ordering::SeqCst);
        let queue = Failover::new(switch.clone(), Some(switch.clone()));
        let start = Instant::now();
        let error = queue.send(message(), start + Duration::from_secs(2)).await.unwrap_err();
        assert_eq!((error, start.elapsed()), (QueueError::OutOfTime, Duration::from_secs(2)));
    }
}
