//! The local receiver's queues, in memory or in SQS. Each webhook that they accept is printed as a line.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::time::Instant;
use voicehook_lambda::queue::{MAX_MESSAGE_BYTES, Message, Quarantined, Queue, QueueError, QueueKind, Sent, Sqs};

use crate::{console, json_text::event_in, printable::one_line};

tokio::task_local! {
    /// The message that this task's webhook was turned into.
    static MESSAGE: RefCell<Option<Message>>;
}

/// Runs `work`, and returns the message that it sent to the event queue, whether or not the queue accepted it.
pub(crate) async fn watched<T>(work: impl Future<Output = T>) -> (T, Option<Message>) {
    MESSAGE.scope(RefCell::default(), async { (work.await, MESSAGE.with(RefCell::take)) }).await
}

/// The event of a message; in a CloudEvent, its `data`.
pub(crate) fn event_of(message: &Message) -> Option<&str> {
    event_in(&message.body, message.attribute("content_type"))
}

/// What a queue is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Events,
    Quarantine,
    /// Webhooks of earlier runs, which were sent then.
    History(QueueKind),
}

/// A queue of the local receiver.
#[derive(Debug)]
pub(crate) struct LocalQueue {
    purpose: Purpose,
    /// A real or emulated queue. Without one, messages are printed, counted and dropped.
    sqs: Option<Sqs>,
    count: Arc<AtomicUsize>,
}

impl LocalQueue {
    /// The queue for events. In memory it behaves like a FIFO queue.
    pub(crate) fn for_events(sqs: Option<Sqs>) -> Self {
        Self { purpose: Purpose::Events, sqs, count: Arc::default() }
    }

    /// The queue for webhooks that cannot be decrypted.
    pub(crate) fn for_quarantine(sqs: Option<Sqs>) -> Self {
        Self { purpose: Purpose::Quarantine, sqs, count: Arc::default() }
    }

    /// The queue for webhooks that are only decrypted again: it drops what it gets.
    pub(crate) fn for_history(kind: QueueKind) -> Self {
        Self { purpose: Purpose::History(kind), sqs: None, count: Arc::default() }
    }

    /// How many messages it has accepted.
    pub(crate) fn count(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.count)
    }
}

impl Queue for LocalQueue {
    fn kind(&self) -> QueueKind {
        match (&self.sqs, self.purpose) {
            (Some(sqs), _) => sqs.kind(),
            (None, Purpose::Events) => QueueKind::Fifo,
            (None, Purpose::Quarantine) => QueueKind::Standard,
            (None, Purpose::History(kind)) => kind,
        }
    }

    async fn send(&self, message: Message, deadline: Instant) -> Result<Sent, QueueError> {
        let line = match self.purpose {
            Purpose::Events | Purpose::History(_) => {
                let _ = MESSAGE.try_with(|watched| watched.replace(Some(message.clone())));
                (self.purpose == Purpose::Events).then(|| queued(&message))
            }
            Purpose::Quarantine => quarantined(&message),
        };
        let sent = match &self.sqs {
            Some(sqs) => sqs.send(message, deadline).await?,
            None => in_memory(&message)?,
        };
        self.count.fetch_add(1, Ordering::Relaxed);
        if let Some(line) = line {
            console::line(line);
        }
        Ok(sent)
    }
}

/// Sends to the queue in memory, which enforces the size limit of SQS.
fn in_memory(message: &Message) -> Result<Sent, QueueError> {
    if message.bytes() > MAX_MESSAGE_BYTES {
        return Err(QueueError::TooLarge { limit: MAX_MESSAGE_BYTES });
    }
    Ok(Sent { message_id: "in memory".to_owned(), failover: false })
}

fn queued(message: &Message) -> String {
    let event_type = message.attribute("event_type").unwrap_or_default();
    format!("queued  {:<26} {}", one_line(event_type), one_line(&message.body))
}

/// The line for a quarantined webhook, printed with its last part.
fn quarantined(message: &Message) -> Option<String> {
    let record: Quarantined = serde_json::from_str(&message.body).ok()?;
    let Quarantined { part, parts, reason, request_id, .. } = record;
    (part == parts).then(|| format!("quarantined  {reason:<21} request id {}", one_line(&request_id)))
}
