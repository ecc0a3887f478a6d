//! A look at a queue: receives what is there, and gives it back at once.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as Name};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::queue::{About, BATCH, Failure, QueueReader};

/// How long messages stay hidden if this program is killed during a look, in seconds.
pub(super) const HIDDEN: i32 = 60;
/// Long-poll time on an empty queue, in seconds: a shorter answer of SQS may come from a part of its servers only.
const WAIT: i32 = 1;
/// A look ends after so many batches of nothing else than what was there before.
const BATCHES_WITH_NOTHING_NEW: u32 = 3;
/// The longest look. Without an end, a queue that fills up faster than it is read would never be given back.
const LONGEST: Duration = Duration::from_secs(45);
/// The most bytes of bodies that are kept to be shown.
const MOST_BYTES: usize = 64 << 20;

/// What a look saw.
pub(super) struct Look {
    pub(super) at: Timestamp,
    /// What the queue said of itself before; `None` where one may not ask.
    pub(super) about: Option<About>,
    /// In the order in which they came.
    pub(super) messages: Vec<Message>,
    /// Whether it ended before the queue did.
    pub(super) is_cut: bool,
}

/// Looks at a queue. `stop` ends the look early.
///
/// # Errors
/// If SQS refuses a request. What was received until then is given back all the same.
pub(super) async fn look(reader: &QueueReader, max: usize, stop: &AtomicBool) -> Result<Look, Failure> {
    let at = Timestamp::now();
    let about = reader.about().await?;
    let received = receive_all(reader, max, stop).await;
    let released = reader.release().await;
    let (messages, is_cut) = received?;
    released?;
    Ok(Look { at, about, messages, is_cut })
}

async fn receive_all(reader: &QueueReader, max: usize, stop: &AtomicBool) -> Result<(Vec<Message>, bool), Failure> {
    let mut messages: Vec<Message> = Vec::new();
    let (mut nothing_new, mut bytes) = (0, 0);
    let end = Instant::now() + LONGEST;
    while nothing_new < BATCHES_WITH_NOTHING_NEW {
        let is_at_its_limit = messages.len() >= max || bytes >= MOST_BYTES || Instant::now() >= end;
        if is_at_its_limit || stop.load(Ordering::Relaxed) {
            return Ok((messages, true));
        }
        let batch = reader.receive(BATCH.min(max - messages.len()), WAIT).await?;
        if batch.new.is_empty() && batch.again == 0 {
            break;
        }
        nothing_new = if batch.new.is_empty() { nothing_new + 1 } else { 0 };
        bytes += batch.new.iter().filter_map(|message| message.body.as_ref()).map(String::len).sum::<usize>();
        messages.extend(batch.new);
    }
    Ok((messages, false))
}

impl Look {
    /// What a person should know of it: how many messages it saw, and how many it could not see.
    pub(super) fn json(&self) -> Value {
        let seen = self.messages.len();
        json!({
            "at": self.at.as_millisecond(),
            "seen": seen,
            "in_flight": self.about.as_ref().map(|about| about.in_flight),
            "unseen": self.about.as_ref().map(|about| about.waiting.saturating_sub(seen as u64)),
            "is_cut": self.is_cut,
            "max_receive_count": self.about.as_ref().and_then(|about| about.max_receive_count.clone()),
        })
    }

    /// When a message expires, in milliseconds since 1970.
    pub(super) fn expiry(&self, message: &Message) -> Option<i64> {
        let retention = self.about.as_ref().map(|about| about.retention).filter(|retention| !retention.is_zero())?;
        Some(number(message, &Name::SentTimestamp)? + i64::try_from(retention.as_millis()).ok()?)
    }
}

/// A system attribute.
pub(super) fn system<'m>(message: &'m Message, name: &Name) -> Option<&'m str> {
    message.attributes.as_ref()?.get(name).map(String::as_str)
}

/// A system attribute that is a number.
pub(super) fn number(message: &Message, name: &Name) -> Option<i64> {
    system(message, name)?.parse().ok()
}

/// A message attribute that is text.
pub(super) fn attribute<'m>(message: &'m Message, name: &str) -> Option<&'m str> {
    message.message_attributes.as_ref()?.get(name)?.string_value.as_deref()
}

/// The message's own id.
pub(super) fn id(message: &Message) -> &str {
    message.message_id.as_deref().unwrap_or_default()
}

/// The message's body.
pub(super) fn body(message: &Message) -> &str {
    message.body.as_deref().unwrap_or_default()
}
