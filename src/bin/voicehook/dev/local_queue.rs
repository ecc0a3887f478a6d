//! The queue of the local receiver: in memory, or a real one, with each event printed as it gets there.

use std::{
    cell::RefCell,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::time::Instant;
use voicehook::queue::{MAX_MESSAGE_BYTES, Message, Queue, QueueError, QueueKind, Sent, Sqs};

use crate::console;

tokio::task_local! {
    /// The message that the webhook of this task became.
    static MESSAGE: RefCell<Option<Message>>;
}

/// Does some work, and tells which message it gave to the queue, whether the queue took it or not.
pub(crate) async fn watched<T>(work: impl Future<Output = T>) -> (T, Option<Message>) {
    MESSAGE.scope(RefCell::default(), async { (work.await, MESSAGE.with(RefCell::take)) }).await
}

/// Where the local receiver's events go.
#[derive(Debug)]
pub(crate) enum LocalQueue {
    /// Nowhere else: they are printed, counted and forgotten. Behaves like a FIFO queue.
    Memory(AtomicUsize),
    /// A real queue, or an emulator's.
    Sqs(Box<Sqs>),
}

impl LocalQueue {
    /// An empty queue in memory.
    pub(crate) const fn in_memory() -> Self {
        Self::Memory(AtomicUsize::new(0))
    }
}

impl Queue for LocalQueue {
    fn kind(&self) -> QueueKind {
        match self {
            Self::Memory(_) => QueueKind::Fifo,
            Self::Sqs(sqs) => sqs.kind(),
        }
    }

    async fn send(&self, message: Message, deadline: Instant) -> Result<Sent, QueueError> {
        let event_type = message.attribute("event_type").unwrap_or_default().to_owned();
        let body = message.body.clone();
        let _ = MESSAGE.try_with(|watched| watched.replace(Some(message.clone())));
        let sent = match self {
            Self::Memory(_) if message.bytes() > MAX_MESSAGE_BYTES => {
                return Err(QueueError::TooLarge { bytes: message.bytes(), limit: MAX_MESSAGE_BYTES });
            }
            Self::Memory(count) => {
                let message_id = format!("local-{}", 1 + count.fetch_add(1, Ordering::Relaxed));
                Sent { message_id, failover: false }
            }
            Self::Sqs(sqs) => sqs.send(message, deadline).await?,
        };
        console::line(format_args!("queued  {event_type:<26} {body}"));
        Ok(sent)
    }
}
