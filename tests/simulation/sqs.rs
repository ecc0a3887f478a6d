//! SQS as far as the function knows it: queues that number what they take, and drop what they took before.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::Milliseconds;

/// For how long a FIFO queue drops what it took before.
const DEDUPLICATION: Milliseconds = 300_000;
const MAX_ENTRIES: usize = 10;
const MAX_BYTES: usize = 1_048_576;

/// One queue.
#[derive(Debug)]
pub struct SimulatedQueue {
    fifo: bool,
    /// Its `MaximumMessageSize`, in bytes.
    limit: usize,
    /// How many messages it has taken.
    messages: usize,
    /// When a deduplication id was taken, and the number of its message.
    taken: HashMap<String, (Milliseconds, usize)>,
}

/// An error of SQS: code and message.
pub type SqsError = (&'static str, String);

impl SimulatedQueue {
    pub fn new(fifo: bool, limit: usize) -> Self {
        Self { fifo, limit, messages: 0, taken: HashMap::new() }
    }

    /// Whether a request or an entry is one that SQS would take.
    pub fn check(&self, message: &Value) -> Result<(), SqsError> {
        let Some(body) = message["MessageBody"].as_str().filter(|body| !body.is_empty()) else {
            return Err(("MissingParameter", "no MessageBody".to_owned()));
        };
        if self.fifo && !(message["MessageGroupId"].is_string() && message["MessageDeduplicationId"].is_string()) {
            return Err(("MissingParameter", "a FIFO queue wants a group and a deduplication id".to_owned()));
        }
        let attributes = attributes(message);
        if attributes.len() > 10 || attributes.values().any(String::is_empty) {
            return Err(("InvalidParameterValue", "attributes".to_owned()));
        }
        if body.len() + attributes.iter().map(|(name, value)| name.len() + value.len() + 6).sum::<usize>() > self.limit
        {
            let limit = self.limit;
            let text =
                format!("One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes.");
            return Err(("InvalidParameterValue", text));
        }
        Ok(())
    }

    /// Whether the entries of a batch may be together.
    pub fn check_batch(&self, entries: &[Value]) -> Result<(), SqsError> {
        let ids: std::collections::HashSet<_> = entries.iter().map(|entry| entry["Id"].as_str()).collect();
        if ids.len() != entries.len() {
            return Err(("BatchEntryIdsNotDistinct", String::new()));
        }
        let bytes: usize = entries.iter().map(|entry| entry["MessageBody"].as_str().map_or(0, str::len)).sum();
        match entries.len() {
            0 => Err(("EmptyBatchRequest", String::new())),
            number if number > MAX_ENTRIES => Err(("TooManyEntriesInBatchRequest", String::new())),
            _ if bytes > MAX_BYTES => Err(("BatchRequestTooLong", String::new())),
            _ => Ok(()),
        }
    }

    /// Takes a message that was checked. Returns its number, and whether it is new.
    pub fn store(&mut self, message: &Value, now: Milliseconds) -> (usize, bool) {
        let number = self.messages;
        if let Some(id) = message["MessageDeduplicationId"].as_str().filter(|_| self.fifo) {
            if let Some((_, number)) = self.taken.get(id).filter(|(at, _)| at + DEDUPLICATION > now) {
                return (*number, false);
            }
            self.taken.insert(id.to_owned(), (now, number));
        }
        self.messages += 1;
        (number, true)
    }
}

fn attributes(message: &Value) -> HashMap<String, String> {
    let attributes = message["MessageAttributes"].as_object().into_iter().flatten();
    attributes
        .map(|(name, value)| (name.clone(), value["StringValue"].as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// The message id of a queue's n-th message.
pub fn message_id(number: usize) -> String {
    format!("message-{number}")
}

/// What SQS says of one message.
pub fn sent(number: usize) -> Value {
    json!({"MessageId": message_id(number), "MD5OfMessageBody": ""})
}
