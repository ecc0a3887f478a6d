//! What the direct attempt sends to SQS and gets back: the operations' input and output as JSON.

use serde::{Deserialize, Serialize, Serializer};

use crate::{
    queue::{Message, message::STRING},
    scan,
};

/// What JSON adds to a message at the most, where nothing in it needs an escape, in bytes.
const ROOM: usize = 1024;

/// The input of `SendMessage`.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
pub(super) fn message_input(queue_url: &str, message: &Message) -> serde_json::Result<Vec<u8>> {
    let mut json = room_for([message]);
    write(&mut json, &Input { queue_url: Some(queue_url), ..Input::new(message) }, &message.body)?;
    Ok(json)
}

/// The input of `SendMessageBatch`. The id of each entry is its place.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>
pub(super) fn batch_input(queue_url: &str, messages: &[&Message]) -> serde_json::Result<Vec<u8>> {
    let mut json = room_for(messages.iter().copied());
    json.extend_from_slice(br#"{"QueueUrl":"#);
    serde_json::to_writer(&mut json, queue_url)?;
    json.extend_from_slice(br#","Entries":["#);
    for (place, message) in messages.iter().enumerate() {
        if place > 0 {
            json.push(b',');
        }
        write(&mut json, &Input { id: Some(place.to_string()), ..Input::new(message) }, &message.body)?;
    }
    json.extend_from_slice(b"]}");
    Ok(json)
}

fn room_for<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Vec<u8> {
    let room = |message: &Message| message.bytes() + message.bytes() / 8 + ROOM;
    Vec::with_capacity(messages.into_iter().map(room).sum())
}

/// Appends a message, with its body at the end.
fn write(json: &mut Vec<u8>, input: &Input<'_>, body: &str) -> serde_json::Result<()> {
    serde_json::to_writer(&mut *json, input)?;
    json.pop_if(|last| *last == b'}');
    json.extend_from_slice(br#","MessageBody":"#);
    write_string(json, body);
    json.push(b'}');
    Ok(())
}

/// Appends a string. `serde_json` looks at each byte by itself, which for a transcript takes half as long as its
/// SHA-256.
fn write_string(json: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    json.push(b'"');
    while let Some(place) = scan::position::<16>(rest, |byte| (byte < b' ') | (byte == b'"') | (byte == b'\\')) {
        let (plain, special) = rest.split_at(place);
        json.extend_from_slice(plain);
        match special[0] {
            byte @ (b'"' | b'\\') => json.extend_from_slice(&[b'\\', byte]),
            b'\n' => json.extend_from_slice(br"\n"),
            byte => json.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
        rest = &special[1..];
    }
    json.extend_from_slice(rest);
    json.push(b'"');
}

/// `SendMessage`, or an entry of `SendMessageBatch`, without the body.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_url: Option<&'a str>,
    message_group_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_deduplication_id: Option<&'a str>,
    #[serde(serialize_with = "attributes")]
    message_attributes: &'a [(&'static str, String)],
    #[serde(skip_serializing_if = "Option::is_none")]
    message_system_attributes: Option<SystemAttributes<'a>>,
}

impl<'a> Input<'a> {
    fn new(message: &'a Message) -> Self {
        let trace_header = message.trace_header.as_deref();
        Self {
            id: None,
            queue_url: None,
            message_group_id: &message.group_id,
            message_deduplication_id: message.deduplication_id.as_deref(),
            message_attributes: &message.attributes,
            message_system_attributes: trace_header.map(|header| SystemAttributes { trace_header: header.into() }),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute<'a> {
    data_type: &'static str,
    string_value: &'a str,
}

impl<'a> From<&'a str> for Attribute<'a> {
    fn from(value: &'a str) -> Self {
        Self { data_type: STRING, string_value: value }
    }
}

fn attributes<S: Serializer>(attributes: &[(&'static str, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(attributes.iter().map(|(name, value)| (name, Attribute::from(value.as_str()))))
}

#[derive(Serialize)]
struct SystemAttributes<'a> {
    #[serde(rename = "AWSTraceHeader")]
    trace_header: Attribute<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttributesInput<'a> {
    pub(super) queue_url: &'a str,
    pub(super) attribute_names: [&'static str; 1],
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    pub(super) message_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchOutput {
    #[serde(default)]
    pub(super) successful: Vec<Taken>,
    #[serde(default)]
    pub(super) failed: Vec<NotTaken>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Taken {
    pub(super) id: String,
    pub(super) message_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NotTaken {
    pub(super) id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_mean_what_serde_json_makes_of_them_wherever_an_escape_is() {
        let special = ["\"", "\\", "\n", "\r", "\t", "\u{0}", "\u{8}", "\u{1f}", "\u{7f}", "é", "\u{2028}", "📞"];
        for special in special {
            for length in 0..40 {
                let text = format!("{}{special}{special}{}", "a".repeat(length), "b".repeat(40 - length));
                let mut json = Vec::new();
                write_string(&mut json, &text);
                assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text, "{special:?} at {length}");
            }
        }
    }
}
