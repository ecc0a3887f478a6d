//! Redrives what a person selected: receives the queue again, sends what was selected, and deletes it after SQS has
//! accepted it elsewhere, and only then.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use aws_sdk_sqs::{Client, types::Message};
use serde_json::{Value, json};
use voicehook_lambda::{
    queue::{QueueError, QueueUrl},
    receiver::Refusal,
};

use super::{
    dead_letters,
    look::{body, id},
};
use crate::{
    quarantine::{Assembly, Complete, Left, Meaning, Reopener},
    queue::{BATCH, QueueReader},
};

/// How long messages stay hidden if this program is killed during a redrive, in seconds. Less than the five minutes of
/// FIFO deduplication, so that it can be repeated in time.
pub(super) const HIDDEN: i32 = 120;
/// Long-poll time on an empty queue, in seconds.
const WAIT: i32 = 1;
/// It ends after so many batches of nothing else than what was there before.
const BATCHES_WITH_NOTHING_NEW: u32 = 3;

/// Why a message was not moved that did not come.
const NOT_MET: &str = "not met again: another reader has it, it is beyond --max, or it is no longer in the queue";

/// What became of a selected item.
pub(super) struct Outcome {
    pub(super) id: String,
    /// `moved`, `left`, or `not_deleted`: moved, but still in its queue too.
    pub(super) result: &'static str,
    pub(super) why: Option<String>,
}

impl Outcome {
    pub(super) fn json(&self) -> Value {
        json!({ "id": self.id, "result": self.result, "why": self.why })
    }
}

/// What was selected, and what has become of it so far.
pub(super) struct Selection {
    /// The item of each message.
    items: HashMap<String, String>,
    outcomes: HashMap<String, Outcome>,
    count: usize,
}

impl Selection {
    /// Items, each with its messages.
    pub(super) fn new<'i>(items: impl Iterator<Item = (&'i str, &'i [String])>) -> Self {
        let mut selection = Self { items: HashMap::new(), outcomes: HashMap::new(), count: 0 };
        for (item, messages) in items {
            selection.count += 1;
            selection.items.extend(messages.iter().map(|message| (message.clone(), item.to_owned())));
        }
        selection
    }

    fn item_of<'m>(&self, messages: impl IntoIterator<Item = &'m str>) -> Option<String> {
        messages.into_iter().find_map(|message| self.items.get(message)).cloned()
    }

    fn is_done(&self) -> bool {
        self.outcomes.len() >= self.count
    }

    fn note(&mut self, item: String, result: &'static str, why: Option<String>) {
        self.outcomes.insert(item.clone(), Outcome { id: item, result, why });
    }

    /// All outcomes; what was not met is left.
    pub(super) fn finish(mut self, why_not_met: &str) -> Vec<Outcome> {
        let not_met: Vec<String> =
            self.items.values().filter(|item| !self.outcomes.contains_key(*item)).cloned().collect();
        for item in not_met {
            self.note(item, "left", Some(why_not_met.to_owned()));
        }
        self.outcomes.into_values().collect()
    }
}

/// Takes the messages of a queue, one after the other.
pub(super) trait Mover {
    /// Takes a message that is held. An error ends the redrive.
    async fn take(&mut self, reader: &QueueReader, selection: &mut Selection, message: Message) -> Result<(), String>;
}

/// Receives a queue, at most `max` messages, until everything that was selected was met, and gives back what was not
/// moved.
pub(super) async fn run(
    reader: &QueueReader,
    mut mover: impl Mover,
    mut selection: Selection,
    max: usize,
    stop: &AtomicBool,
) -> Vec<Outcome> {
    let worked = tokio::select! {
        worked = work(reader, &mut mover, &mut selection, max, stop) => worked,
        () = reader.keep_hidden() => Ok(()),
    };
    // Where this fails they become visible by themselves.
    let _ = reader.release().await;
    match worked {
        Ok(()) => selection.finish(NOT_MET),
        Err(why) => selection.finish(&format!("not reached, because the redrive ended: {why}")),
    }
}

async fn work(
    reader: &QueueReader,
    mover: &mut impl Mover,
    selection: &mut Selection,
    max: usize,
    stop: &AtomicBool,
) -> Result<(), String> {
    let (mut nothing_new, mut received) = (0, 0);
    while nothing_new < BATCHES_WITH_NOTHING_NEW && received < max && !selection.is_done() {
        let batch = reader.receive(BATCH.min(max - received), WAIT).await.map_err(|failure| failure.to_string())?;
        if batch.new.is_empty() && batch.again == 0 {
            break;
        }
        nothing_new = if batch.new.is_empty() { nothing_new + 1 } else { 0 };
        received += batch.new.len();
        for message in batch.new {
            if stop.load(Ordering::Relaxed) {
                return Err("voicehook was stopped".to_owned());
            }
            mover.take(reader, selection, message).await?;
        }
    }
    Ok(())
}

/// Deletes what was sent. If that fails, the next redrive would send it again.
async fn delete(
    reader: &QueueReader,
    selection: &mut Selection,
    item: String,
    messages: &[String],
) -> Result<(), String> {
    match reader.delete(messages).await {
        Ok(()) => {
            selection.note(item, "moved", None);
            Ok(())
        }
        Err(failure) => {
            let why = format!("it was sent, but is still in its queue, because it could not be deleted: {failure}");
            selection.note(item, "not_deleted", Some(why.clone()));
            Err(why)
        }
    }
}

/// Opens quarantined webhooks and sends their events.
pub(super) struct Webhooks {
    pub(super) reopener: Arc<Reopener>,
    pub(super) assembly: Assembly,
}

impl Mover for Webhooks {
    async fn take(&mut self, reader: &QueueReader, selection: &mut Selection, message: Message) -> Result<(), String> {
        let message_id = id(&message).to_owned();
        match self.assembly.add(&message_id, body(&message)) {
            Meaning::Nothing => Ok(()),
            Meaning::Superfluous => reader.delete(&[message_id]).await.map_err(|failure| failure.to_string()),
            Meaning::Unreadable(why) => {
                if let Some(item) = selection.item_of([message_id.as_str()]) {
                    selection.note(item, "left", Some(why.strip_prefix("left: ").unwrap_or(why).to_owned()));
                }
                Ok(())
            }
            Meaning::Complete(webhook) => match selection.item_of(webhook.messages.iter().map(String::as_str)) {
                Some(item) => self.redrive(reader, selection, &webhook, item).await,
                None => Ok(()),
            },
        }
    }
}

impl Webhooks {
    async fn redrive(
        &mut self,
        reader: &QueueReader,
        selection: &mut Selection,
        webhook: &Complete,
        item: String,
    ) -> Result<(), String> {
        let event = match self.reopener.open(webhook).await {
            Ok(event) => event,
            Err(left) => {
                selection.note(item, "left", Some(reason(&left)));
                return Ok(());
            }
        };
        match self.reopener.send(event, &webhook.record).await {
            Ok(_) => {
                self.assembly.sent(webhook);
                self.assembly.deleted(&webhook.messages);
                delete(reader, selection, item, &webhook.messages).await
            }
            Err(QueueError::TooLarge { limit }) => {
                selection.note(item, "left", Some(Refusal::TooLarge { limit }.reason().to_owned()));
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

fn reason(left: &Left) -> String {
    match left {
        Left::Unchecked => "not encrypted, and its token could not be checked".to_owned(),
        Left::NoSuchApp => "its app is not configured".to_owned(),
        Left::Refused(refusal) => refusal.reason().to_owned(),
    }
}

/// Sends dead letters to the event queue as they are.
pub(super) struct Letters {
    pub(super) client: Client,
    pub(super) to: QueueUrl,
    /// Message groups of which a dead letter was left: later ones must not overtake it.
    pub(super) waiting: Vec<String>,
}

impl Mover for Letters {
    async fn take(&mut self, reader: &QueueReader, selection: &mut Selection, message: Message) -> Result<(), String> {
        use aws_sdk_sqs::types::MessageSystemAttributeName::MessageGroupId;

        let message_id = id(&message).to_owned();
        let Some(item) = selection.item_of([message_id.as_str()]) else { return Ok(()) };
        let group_id = super::look::system(&message, &MessageGroupId).map(str::to_owned);
        if reader.is_fifo() && group_id.as_ref().is_some_and(|group| self.waiting.contains(group)) {
            selection.note(item, "left", Some("an earlier event of its message group was left".to_owned()));
            return Ok(());
        }
        let mut leave = |selection: &mut Selection, item, why| {
            self.waiting.extend(group_id.clone());
            selection.note(item, "left", Some(why));
        };
        if let Some(until) = dead_letters::not_before(self.to.kind(), &message) {
            leave(selection, item, format!("a redrive {}", dead_letters::too_soon(until)));
            return Ok(());
        }
        let sent = dead_letters::send_as_it_is(&self.client, &self.to, &message).await;
        let sent_id = sent.map_err(|failure| failure.to_string())?;
        // A dead letter keeps the id that it had. SQS answers a duplicate with the id of the message that it has seen.
        if sent_id == message_id {
            leave(selection, item, "SQS dropped it as a duplicate of itself; try again in five minutes".to_owned());
            return Ok(());
        }
        delete(reader, selection, item, &[message_id]).await
    }
}
