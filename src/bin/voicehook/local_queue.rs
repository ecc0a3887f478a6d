//! The queue of the local receiver: in memory, or a real one, with each event printed as it gets there.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;
use voicehook::queue::{MAX_MESSAGE_BYTES, Message, Queue, QueueError, QueueKind, Sent, Sqs};

use crate::console;

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
