//! Puts events on SQS: message, attributes, message group, batching, deadline, failover, quarantine.
//!
//! A [`Message`] is made from an [`Event`](crate::event::Event) and what is known of its delivery. An implementation of
//! [`Queue`] promises that `Ok` means the message is on the queue.

mod batching;
mod cloud_event;
mod failover;
mod message;
mod quarantine;
mod queue_url;
mod sqs;

use std::future::Future;

use thiserror::Error;
use tokio::time::Instant;

pub use self::{
    batching::BatchingQueue,
    cloud_event::EventFormat,
    failover::Failover,
    message::{Delivery, EventMessage, MAX_MESSAGE_BYTES, Message},
    quarantine::{NotQuarantined, PART_BYTES, Quarantine, Quarantined, Unopened},
    queue_url::{QueueKind, QueueUrl, QueueUrlError},
    sqs::Sqs,
};

/// A place for messages.
pub trait Queue: Send + Sync + 'static {
    /// Standard or FIFO.
    fn kind(&self) -> QueueKind;

    /// Connects ahead of the first message, and logs a warning if the queue cannot be reached.
    fn warm_up(&self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Puts one message on the queue, and returns once the queue has confirmed it or the deadline has passed.
    ///
    /// On a FIFO queue the message takes its place in its group when this is called, before the future is polled.
    fn send(&self, message: Message, deadline: Instant) -> impl Future<Output = Result<Sent, QueueError>> + Send;
}

/// The queue has the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The id that the queue gave it.
    pub message_id: String,
    /// Whether it was the failover queue that took it.
    pub failover: bool,
}

/// The queue does not have the message, as far as is known.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueError {
    /// The message is larger than the queue takes. It will never fit, so trying again is of no use.
    #[error("the message is larger than the {limit} bytes that the queue takes")]
    TooLarge {
        /// The queue's limit, in bytes.
        limit: usize,
    },
    /// The queue does not exist.
    #[error("the queue does not exist (deleted, or another account or region)")]
    NoSuchQueue,
    /// The function may not send to the queue: SQS's code, and what to do.
    #[error("the function may not send to the queue: {0}")]
    Denied(String),
    /// The queue asks to slow down.
    #[error("the queue is throttled: {0}")]
    Throttled(String),
    /// The queue did not take it in time.
    #[error("the queue did not answer in time (PUBLISH_DEADLINE_MS)")]
    OutOfTime,
    /// SQS refused the message or the call.
    #[error("the queue refused the message: {0}")]
    Rejected(String),
    /// SQS was not reached.
    #[error("the queue is not reachable: {0}")]
    Unreachable(String),
}

impl QueueError {
    /// Whether the same message may be taken a moment later.
    #[must_use]
    pub const fn can_pass(&self) -> bool {
        matches!(self, Self::Throttled(_) | Self::OutOfTime | Self::Unreachable(_))
    }

    /// A stable name for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::NoSuchQueue => "no_such_queue",
            Self::Denied(_) => "denied",
            Self::Throttled(_) => "throttled",
            Self::OutOfTime => "out_of_time",
            Self::Rejected(_) => "refused",
            Self::Unreachable(_) => "unreachable",
        }
    }
}
