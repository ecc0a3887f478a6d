//! Says what a redrive will do, before it is confirmed.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use voicehook_lambda::queue::{QueueKind, QueueUrl};

use super::{production::Kind, quarantined::Item};

/// A redrive that is not confirmed yet.
pub(super) struct Plan<'p> {
    pub(super) kind: Kind,
    pub(super) from: &'p QueueUrl,
    pub(super) to: Option<&'p QueueUrl>,
    pub(super) selected: Vec<&'p Item>,
    /// The most messages that it receives.
    pub(super) max: usize,
    /// Of the event queue.
    pub(super) max_receive_count: &'p Option<String>,
}

impl Plan<'_> {
    /// How many messages go and stay, and what happens to them, in sentences.
    pub(super) fn json(&self) -> Value {
        let stays: Vec<&&Item> = self.selected.iter().filter(|item| item.stays.is_some()).collect();
        let move_count = self.selected.len() - stays.len();
        json!({
            "from": self.from.name(),
            "to": self.to.map(QueueUrl::name),
            "move": move_count,
            "stay": stays.len(),
            "sentences": if move_count == 0 { self.nothing_moves(&stays) } else { self.sentences(move_count, &stays) },
        })
    }

    fn nothing_moves(&self, stays: &[&&Item]) -> Vec<String> {
        let mut sentences = vec!["Nothing that is selected can be moved now.".to_owned()];
        sentences.extend(self.staying(stays));
        sentences
    }

    fn sentences(&self, count: usize, stays: &[&&Item]) -> Vec<String> {
        let to = self.to.map_or("the event queue", QueueUrl::name);
        let types = self.types();
        let is_fifo = self.to.is_some_and(|to| to.kind() == QueueKind::Fifo);
        let mut sentences = match self.kind {
            Kind::Quarantine => {
                let (webhooks, are, their_events) = match count {
                    1 => ("webhook", "is", "its event"),
                    _ => ("webhooks", "are", "their events"),
                };
                let mut sentences = vec![format!(
                    "{count} {webhooks} {are} decrypted with the current AppIDs, and {their_events} sent to {to}: \
                     {types}."
                )];
                if is_fifo {
                    sentences.push(
                        "An event whose event_id was sent within the last five minutes is dropped by SQS as a duplicate."
                            .to_owned(),
                    );
                }
                sentences
            }
            Kind::DeadLetters => {
                let letters = if count == 1 { "dead letter is" } else { "dead letters are" };
                let and_ids = if is_fifo { ", message group and deduplication id" } else { "" };
                let again = self.max_receive_count.as_ref().map_or_else(String::new, |count| {
                    format!(" If it fails again, the event comes back after {count} receives.")
                });
                vec![
                    format!("{count} {letters} sent to {to} with the same body, attributes{and_ids}: {types}."),
                    format!("Your subscriber receives each event again, with the same event_id.{again}"),
                ]
            }
        };
        sentences.push("They go to the end of that queue, behind later events of their calls.".to_owned());
        sentences
            .push(format!("Each is deleted from {} after SQS has accepted it there, and only then.", self.from.name()));
        sentences.push(format!(
            "To find them, up to {} messages of {} are received. Those that are not moved are visible again at the end, \
             and each receive counts towards maxReceiveCount.",
            self.max,
            self.from.name()
        ));
        sentences.extend(self.staying(stays));
        sentences
    }

    /// The events that go, by type.
    fn types(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for item in self.selected.iter().filter(|item| item.stays.is_none()) {
            *counts.entry(item.event_type.as_deref().unwrap_or("unknown")).or_default() += 1;
        }
        let counts = counts.into_iter().map(|(event_type, count)| match count {
            1 => event_type.to_owned(),
            count => format!("{count} {event_type}"),
        });
        counts.collect::<Vec<_>>().join(", ")
    }

    /// Why some stay.
    fn staying(&self, stays: &[&&Item]) -> Vec<String> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for why in stays.iter().filter_map(|item| item.stays.as_deref()) {
            *counts.entry(why).or_default() += 1;
        }
        let from = self.from.name();
        counts.into_iter().map(|(why, count)| format!("{count} of the selection will stay in {from}: {why}.")).collect()
    }
}
