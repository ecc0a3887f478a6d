//! Reassembles quarantined webhooks that were split into parts.
//!
//! Parts belong together if their records differ only in part number and bytes. SQS may deliver a message twice, a part may
//! have been stored twice, and some parts may never arrive.

use std::collections::{BTreeMap, HashMap, HashSet};

use voicehook_lambda::queue::Quarantined;

/// The version of the records that this program reads.
const VERSION: u64 = 1;

/// What a message means for the webhook that it belongs to.
pub(crate) enum Meaning {
    /// Nothing to do: other parts are missing, or it was decided about before.
    Nothing,
    /// Its webhook is complete.
    Complete(Box<Complete>),
    /// It is a copy of what was sent, and can be deleted.
    Superfluous,
    /// It is not a record that this program can read, and why.
    Unreadable(&'static str),
}

/// A webhook with all of its parts.
pub(crate) struct Complete {
    /// The record, without what differs from part to part.
    pub(crate) record: Quarantined,
    pub(crate) body: Vec<u8>,
    /// The messages that it is in.
    pub(crate) messages: Vec<String>,
}

/// Everything that was received.
#[derive(Default)]
pub(crate) struct Assembly {
    webhooks: HashMap<Quarantined, State>,
    /// The ids of messages that were deleted: SQS may deliver them once more.
    deleted: HashSet<String>,
}

enum State {
    /// By number of the part: its bytes, and the messages that have it.
    Collecting(BTreeMap<usize, (Vec<u8>, Vec<String>)>),
    Left,
    Sent,
}

impl Assembly {
    /// Takes in a message.
    pub(crate) fn add(&mut self, message_id: &str, body: &str) -> Meaning {
        if self.deleted.contains(message_id) {
            return Meaning::Superfluous;
        }
        match read(body) {
            Ok((record, part, bytes)) => self.add_part(record, part, bytes, message_id.to_owned()),
            Err(why) => Meaning::Unreadable(why),
        }
    }

    fn add_part(&mut self, record: Quarantined, part: usize, bytes: Vec<u8>, message_id: String) -> Meaning {
        let state = self.webhooks.entry(record.clone()).or_insert_with(|| State::Collecting(BTreeMap::new()));
        let parts = match state {
            State::Collecting(parts) => parts,
            State::Left => return Meaning::Nothing,
            State::Sent => return Meaning::Superfluous,
        };
        let (known, messages) = parts.entry(part).or_insert_with(|| (bytes.clone(), Vec::new()));
        if *known != bytes {
            *state = State::Left;
            return Meaning::Unreadable(CONTRADICTORY);
        }
        messages.push(message_id);
        if parts.len() < record.parts {
            return Meaning::Nothing;
        }
        let parts = std::mem::take(parts);
        *state = State::Left;
        let (bodies, messages): (Vec<_>, Vec<_>) = parts.into_values().unzip();
        Meaning::Complete(Box::new(Complete { record, body: bodies.concat(), messages: messages.concat() }))
    }

    /// A webhook was sent: what comes of it from now on is superfluous.
    pub(crate) fn sent(&mut self, webhook: &Complete) {
        self.webhooks.insert(webhook.record.clone(), State::Sent);
    }

    /// Messages are no longer on the queue.
    pub(crate) fn deleted(&mut self, message_ids: &[String]) {
        self.deleted.extend(message_ids.iter().cloned());
    }

    /// How many webhooks have parts that did not come.
    pub(crate) fn incomplete(&self) -> usize {
        self.incomplete_webhooks().count()
    }

    /// The webhooks that have parts that did not come: their records, and the messages that came.
    pub(crate) fn incomplete_webhooks(&self) -> impl Iterator<Item = (&Quarantined, Vec<&str>)> {
        self.webhooks.iter().filter_map(|(record, state)| match state {
            State::Collecting(parts) => {
                let messages = parts.values().flat_map(|(_, messages)| messages.iter().map(String::as_str));
                Some((record, messages.collect()))
            }
            State::Left | State::Sent => None,
        })
    }
}

const NOT_OURS: &str = "left: not written by voicehook";
const NEWER: &str = "left: written by a newer version of voicehook";
const CONTRADICTORY: &str = "left: its parts contradict each other";

/// The record without what differs from part to part, the number of the part, and its bytes.
fn read(body: &str) -> Result<(Quarantined, usize, Vec<u8>), &'static str> {
    let json: serde_json::Value = serde_json::from_str(body).map_err(|_| NOT_OURS)?;
    match json["version"].as_u64() {
        Some(VERSION) => {}
        Some(newer) if newer > VERSION => return Err(NEWER),
        _ => return Err(NOT_OURS),
    }
    let record: Quarantined = serde_json::from_value(json).map_err(|_| NOT_OURS)?;
    let bytes = record.body().filter(|_| (1..=record.parts).contains(&record.part)).ok_or(NOT_OURS)?;
    let part = record.part;
    Ok((Quarantined { part: 0, body_base64: String::new(), ..record }, part, bytes))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn record(part: usize, parts: usize, body_base64: &str) -> Value {
        json!({
            "version": 1, "id": "w", "part": part, "parts": parts, "reason": "undecryptable", "app": "default",
            "received_at": "2026-11-23T10:52:06Z", "request_id": "r", "headers": {}, "body_base64": body_base64,
        })
    }

    fn add(assembly: &mut Assembly, message_id: &str, record: &Value) -> Meaning {
        assembly.add(message_id, &record.to_string())
    }

    fn complete(meaning: Meaning) -> Complete {
        match meaning {
            Meaning::Complete(complete) => *complete,
            _ => panic!("the webhook is not complete"),
        }
    }

    #[test]
    fn parts_are_joined_in_their_order_with_the_messages_of_all_copies() {
        let mut assembly = Assembly::default();
        assert!(matches!(add(&mut assembly, "m2", &record(2, 2, "Yg==")), Meaning::Nothing));
        assert!(matches!(add(&mut assembly, "copy of m2", &record(2, 2, "Yg==")), Meaning::Nothing));
        let webhook = complete(add(&mut assembly, "m1", &record(1, 2, "YQ==")));
        assert_eq!(webhook.body, b"ab");
        assert_eq!(webhook.messages, ["m1", "m2", "copy of m2"]);
        assembly.sent(&webhook);
        assert!(matches!(add(&mut assembly, "late copy", &record(1, 2, "YQ==")), Meaning::Superfluous));
        assembly.deleted(&webhook.messages);
        assert!(matches!(add(&mut assembly, "m1", &record(1, 2, "YQ==")), Meaning::Superfluous), "delivered once more");
        assert_eq!(assembly.incomplete(), 0);
    }

    #[test]
    fn parts_that_disagree_are_never_joined() {
        let mut assembly = Assembly::default();
        let mut of_another_app = record(2, 2, "Yg==");
        of_another_app["app"] = "sales".into();
        for (number, other) in [record(1, 2, "YQ=="), record(2, 3, "Yg=="), of_another_app].iter().enumerate() {
            assert!(matches!(add(&mut assembly, &number.to_string(), other), Meaning::Nothing));
        }
        assert_eq!(assembly.incomplete(), 3);
        let contradiction = add(&mut assembly, "m", &record(1, 2, "Yg=="));
        assert!(matches!(contradiction, Meaning::Unreadable(CONTRADICTORY)));
    }

    #[test]
    fn what_is_not_a_record_is_named_and_takes_no_memory_by_its_numbers() {
        let mut newer = record(1, 1, "YQ==");
        newer["version"] = 2.into();
        newer["body_base64"] = Value::Null;
        let mut older = record(1, 1, "YQ==");
        older["version"] = 0.into();
        let cases = [
            (record(1, 0, "YQ=="), NOT_OURS),
            (record(0, 1, "YQ=="), NOT_OURS),
            (record(3, 2, "YQ=="), NOT_OURS),
            (record(1, 1, "not base64"), NOT_OURS),
            (json!({"Type": "Notification"}), NOT_OURS),
            (older, NOT_OURS),
            (newer, NEWER),
        ];
        for (body, expected) in cases {
            let meaning = add(&mut Assembly::default(), "m", &body);
            assert!(matches!(meaning, Meaning::Unreadable(why) if why == expected), "{body}");
        }
        let mut assembly = Assembly::default();
        assert!(matches!(add(&mut assembly, "m", &record(1, usize::MAX, "YQ==")), Meaning::Nothing));
        assert_eq!(assembly.incomplete(), 1);
    }
}
