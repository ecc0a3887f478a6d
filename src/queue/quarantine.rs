//! The quarantine: keeps webhooks that cannot be opened, whole, until somebody redrives them.
//!
//! Each becomes one or more messages with a [`Quarantined`] in JSON. A body too large for one message is split into parts
//! of [`PART_BYTES`], or of what a smaller queue takes; `voicehook redrive` puts them together again.

mod record;

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use thiserror::Error;
use tokio::time::{Instant, timeout_at};

pub use self::record::{Quarantined, Unopened};
use super::{MAX_MESSAGE_BYTES, Queue, QueueError};

/// The most bytes of a body in one message: base64 makes four of three, and the rest needs room too.
pub const PART_BYTES: usize = 720 * 1024;
/// The least. Below this a queue cannot hold a webhook in a sensible number of messages.
const MIN_PART_BYTES: usize = 64;
/// The smallest `MaximumMessageSize` that SQS lets a queue have. A refusal that names less is not believed.
const SMALLEST_LIMIT: usize = 1024;

/// How many messages one execution environment may send to the quarantine at once, and
const BURST: u32 = 500;
/// how many a second over time. What is above gets 503, so that a flood of garbage has a price limit and a webhook of
/// EnableX comes again.
const MESSAGES_PER_SECOND: u32 = 10;

/// Why a webhook is not in quarantine.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotQuarantined {
    /// Too many came in a short time.
    #[error("too many webhooks for the quarantine in a short time; look at the reason of the earlier ones")]
    Limited,
    /// The quarantine queue does not have it.
    #[error("quarantine (QUARANTINE_QUEUE_URL): {0}")]
    Queue(QueueError),
}

/// The quarantine: a queue, and a limit to what is sent there.
#[derive(Debug)]
pub struct Quarantine<Q> {
    queue: Q,
    allowance: Mutex<Allowance>,
    /// The queue's `MaximumMessageSize`, as far as its refusals have told it.
    message_limit: AtomicUsize,
}

impl<Q: Queue> Quarantine<Q> {
    /// A quarantine on a queue.
    pub fn new(queue: Q) -> Self {
        Self {
            queue,
            allowance: Mutex::new(Allowance { left: BURST, as_of: Instant::now() }),
            message_limit: AtomicUsize::new(MAX_MESSAGE_BYTES),
        }
    }

    /// Keeps a request, every part of it, all within the deadline.
    ///
    /// # Errors
    /// [`NotQuarantined`]: parts that were sent before the failure stay there, and expire with the queue.
    pub async fn keep(&self, request: &Unopened<'_>, deadline: Instant) -> Result<(), NotQuarantined> {
        let kept = timeout_at(deadline, self.keep_in_parts_that_fit(request, deadline)).await;
        kept.unwrap_or(Err(NotQuarantined::Queue(QueueError::OutOfTime)))
    }

    /// A queue tells its limit only by refusing what is larger. Each round has a lower limit, so there are few.
    async fn keep_in_parts_that_fit(&self, request: &Unopened<'_>, deadline: Instant) -> Result<(), NotQuarantined> {
        loop {
            let limit = self.message_limit.load(Ordering::Relaxed);
            match self.send_parts(request, limit, deadline).await {
                Err(NotQuarantined::Queue(QueueError::TooLarge { limit: named, .. }))
                    if named.max(SMALLEST_LIMIT) < limit =>
                {
                    self.message_limit.fetch_min(named.max(SMALLEST_LIMIT), Ordering::Relaxed);
                }
                decided => return decided,
            }
        }
    }

    async fn send_parts(&self, request: &Unopened<'_>, limit: usize, deadline: Instant) -> Result<(), NotQuarantined> {
        let kind = self.queue.kind();
        let envelope = Quarantined::envelope_bytes(request, kind);
        let parts = part_bytes(envelope, limit).map(|bytes| Quarantined::split(request, bytes));
        let parts = parts.filter(|parts| parts.len() <= BURST as usize);
        let parts = parts.ok_or(NotQuarantined::Queue(QueueError::TooLarge { limit }))?;
        if !self.allowance.lock().unwrap_or_else(PoisonError::into_inner).take(parts.len()) {
            return Err(NotQuarantined::Limited);
        }
        for part in parts {
            let message = part.message(kind).ok_or_else(|| QueueError::Rejected("not JSON".to_owned()));
            self.queue.send(message.map_err(NotQuarantined::Queue)?, deadline).await.map_err(NotQuarantined::Queue)?;
        }
        Ok(())
    }
}

/// How many bytes of a body fit beside an envelope into a message that is shorter than the limit.
fn part_bytes(envelope: usize, limit: usize) -> Option<usize> {
    let room = limit.checked_sub(envelope)?.checked_sub(1)?;
    Some(PART_BYTES.min(room / 4 * 3)).filter(|bytes| *bytes >= MIN_PART_BYTES)
}

/// A token bucket.
#[derive(Debug)]
struct Allowance {
    left: u32,
    as_of: Instant,
}

impl Allowance {
    fn take(&mut self, messages: usize) -> bool {
        let second = Duration::from_secs(1);
        let earned = (self.as_of.elapsed().as_millis() * u128::from(MESSAGES_PER_SECOND)) / second.as_millis();
        if earned > 0 {
            self.left = self.left.saturating_add(u32::try_from(earned).unwrap_or(BURST)).min(BURST);
            self.as_of = Instant::now();
        }
        let left = u32::try_from(messages).ok().and_then(|messages| self.left.checked_sub(messages));
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, HashMap, HashSet},
        sync::Arc,
    };

    use super::*;
    use crate::queue::{Message, QueueKind, Sent};

    pub(super) fn unopened<'r>(body: &'r [u8], headers: &'r BTreeMap<String, String>) -> Unopened<'r> {
        let received_at = "2026-11-23T10:52:06.007Z".parse().unwrap();
        let (request_id, invocation_id) = ("r1", "invocation-1");
        Unopened { reason: "undecryptable", app: "sales", received_at, request_id, invocation_id, headers, body }
    }

    #[tokio::test(start_paused = true)]
    async fn an_allowance_grows_with_time_however_often_it_is_asked_for() {
        let mut allowance = Allowance { left: 0, as_of: Instant::now() };
        let mut taken = 0;
        for _ in 0..40 {
            tokio::time::advance(Duration::from_millis(50)).await;
            taken += u32::from(allowance.take(1));
        }
        assert_eq!(taken, 2 * MESSAGES_PER_SECOND);
    }

    /// A queue with a `MaximumMessageSize`, and a time that each message takes.
    #[derive(Clone, Default)]
    struct SmallQueue {
        limit: Arc<AtomicUsize>,
        /// The limit once one message is there.
        after_the_first: Option<usize>,
        takes: Duration,
        refused: Arc<AtomicUsize>,
        records: Arc<Mutex<Vec<Quarantined>>>,
    }

    impl SmallQueue {
        fn of(limit: usize) -> Self {
            Self { limit: Arc::new(limit.into()), ..Self::default() }
        }

        /// The webhooks of which all parts are there.
        fn whole(&self) -> Vec<Vec<u8>> {
            let mut by_id: HashMap<String, Vec<Quarantined>> = HashMap::new();
            for record in self.records.lock().unwrap().clone() {
                by_id.entry(record.id.clone()).or_default().push(record);
            }
            by_id.retain(|_, parts| parts.iter().map(|part| part.part).collect::<HashSet<_>>().len() == parts[0].parts);
            let joined = |mut parts: Vec<Quarantined>| {
                parts.sort_by_key(|part| part.part);
                parts.iter().flat_map(|part| part.body().unwrap()).collect()
            };
            by_id.into_values().map(joined).collect()
        }
    }

    impl Queue for SmallQueue {
        fn kind(&self) -> QueueKind {
            QueueKind::Standard
        }

        async fn send(&self, message: Message, _: Instant) -> Result<Sent, QueueError> {
            tokio::time::sleep(self.takes).await;
            let (bytes, limit) = (message.bytes(), self.limit.load(Ordering::Relaxed));
            if bytes >= limit {
                self.refused.fetch_add(1, Ordering::Relaxed);
                return Err(QueueError::TooLarge { limit });
            }
            self.records.lock().unwrap().push(serde_json::from_str(&message.body).unwrap());
            self.limit.store(self.after_the_first.unwrap_or(limit), Ordering::Relaxed);
            Ok(Sent { message_id: "m".to_owned(), failover: false })
        }
    }

    fn body(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|index| (index % 251) as u8).collect()
    }

    fn in_time() -> Instant {
        Instant::now() + Duration::from_secs(4)
    }

    #[tokio::test]
    async fn a_smaller_queue_gets_smaller_parts_and_is_asked_only_once_how_small() {
        for (limit, bytes, parts) in [(262_144, 900_000, 5), (1024, 700, 3), (900_000, 740_000, 2)] {
            let queue = SmallQueue::of(limit);
            let quarantine = Quarantine::new(queue.clone());
            let (body, headers) = (body(bytes), BTreeMap::new());
            quarantine.keep(&unopened(&body, &headers), in_time()).await.unwrap();
            assert_eq!(queue.whole(), std::slice::from_ref(&body), "{limit}");
            let again = Unopened { request_id: "r2", ..unopened(&body, &headers) };
            quarantine.keep(&again, in_time()).await.unwrap();
            assert_eq!((queue.whole().len(), queue.refused.load(Ordering::Relaxed)), (2, 1), "{limit}");
            assert!(queue.records.lock().unwrap().iter().all(|part| part.parts <= parts), "{limit}");
        }
    }

    /// 720 KiB and the rest, and then two others that are smaller: as many parts, and other bytes in each.
    #[tokio::test]
    async fn parts_of_an_attempt_that_was_refused_have_another_id_than_those_that_replace_them() {
        let (body, headers) = (body(1_100_000), BTreeMap::new());
        let request = unopened(&body, &headers);
        let split = |bytes| Quarantined::split(&request, bytes).collect::<Vec<_>>();
        let (first, second) = (split(PART_BYTES), split(600_000));
        assert_eq!((first.len(), second.len()), (2, 2));
        assert_ne!(first[0].id, second[0].id);
    }

    #[tokio::test]
    async fn a_queue_that_becomes_smaller_between_two_parts_still_gets_the_whole() {
        let queue = SmallQueue { after_the_first: Some(262_144), ..SmallQueue::of(MAX_MESSAGE_BYTES) };
        let (body, headers) = (body(2_000_000), BTreeMap::new());
        Quarantine::new(queue.clone()).keep(&unopened(&body, &headers), in_time()).await.unwrap();
        assert_eq!(queue.whole(), [body]);
        let orphans = queue.records.lock().unwrap().iter().filter(|part| part.parts == 3).count();
        assert_eq!(orphans, 1, "the first part of the first attempt");
    }

    #[tokio::test]
    async fn a_queue_too_small_for_the_envelope_or_for_so_many_parts_is_an_error_and_no_loop() {
        let headers = BTreeMap::new();
        let queue = SmallQueue::of(300);
        let refusal = Quarantine::new(queue).keep(&unopened(b"{}", &headers), in_time()).await;
        assert!(matches!(refusal, Err(NotQuarantined::Queue(QueueError::TooLarge { limit: 300, .. }))), "{refusal:?}");
        let large = body(6 * 1024 * 1024);
        let queue = SmallQueue::of(2048);
        let refusal = Quarantine::new(queue.clone()).keep(&unopened(&large, &headers), in_time()).await;
        assert!(matches!(refusal, Err(NotQuarantined::Queue(QueueError::TooLarge { limit: 2048, .. }))), "{refusal:?}");
        assert!(queue.records.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_holds_for_all_parts_together() {
        let queue = SmallQueue { takes: Duration::from_secs(1), ..SmallQueue::of(262_144) };
        let (body, headers) = (body(1_500_000), BTreeMap::new());
        let start = Instant::now();
        let kept = Quarantine::new(queue.clone()).keep(&unopened(&body, &headers), in_time()).await;
        assert_eq!(kept, Err(NotQuarantined::Queue(QueueError::OutOfTime)));
        assert_eq!(start.elapsed(), Duration::from_secs(4));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_cut_to_the_burst_and_then_to_the_rate() {
        let mut allowance = Allowance { left: BURST, as_of: Instant::now() };
        let taken = |allowance: &mut Allowance| (0..10_000).filter(|_| allowance.take(1)).count();
        assert_eq!(taken(&mut allowance), 500);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(taken(&mut allowance), 10);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(taken(&mut allowance), 500);
    }
}
