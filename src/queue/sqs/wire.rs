//! What the direct attempt sends to SQS and gets back: the operations' input and output as JSON.

use serde::{Deserialize, Serialize, Serializer};

use crate::queue::{Message, message::STRING};

/// `SendMessage`, or an entry of `SendMessageBatch`.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input<'a> {
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
    message_body: &'a str,
}

impl<'a> Input<'a> {
    /// A message by itself.
    pub(super) fn message(queue_url: &'a str, message: &'a Message) -> Self {
        Self { queue_url: Some(queue_url), ..Self::new(message) }
    }

    /// An entry of a batch, with its place as its id.
    pub(super) fn entry(place: usize, message: &'a Message) -> Self {
        Self { id: Some(place.to_string()), ..Self::new(message) }
    }

    fn new(message: &'a Message) -> Self {
        let trace_header = message.trace_header.as_deref();
        Self {
            id: None,
            queue_url: None,
            message_group_id: &message.group_id,
            message_deduplication_id: message.deduplication_id.as_deref(),
            message_attributes: &message.attributes,
            message_system_attributes: trace_header.map(|header| SystemAttributes { trace_header: header.into() }),
            message_body: &message.body,
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
pub(super) struct BatchInput<'a> {
    pub(super) queue_url: &'a str,
    pub(super) entries: Vec<Input<'a>>,
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
