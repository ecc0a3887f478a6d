//! The first attempt at each request to SQS: without the SDK around it.
//!
//! In come messages; out comes the queue's word that it has them, or nothing. Then the SDK sends them once more. A FIFO
//! queue keeps a message once, since both have the same deduplication id.

use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};
use tokio::time::{Instant, timeout_at};

use super::super::{Message, QueueUrl, Sent, message::STRING};
use crate::aws::{Aws, Direct, causes};

/// What JSON adds to a message at the most, where nothing in it needs an escape, in bytes.
const ROOM: usize = 1024;

/// A queue, reached without the SDK.
#[derive(Debug)]
pub(super) struct DirectQueue {
    aws: Direct,
    url: String,
    attempt: Duration,
}

impl DirectQueue {
    /// `None` where the SDK must do it all. One attempt may take as long as `attempt`.
    pub(super) fn new(aws: &Aws, url: &QueueUrl, attempt: Duration) -> Option<Self> {
        let region = super::region(aws, url)?;
        let aws = aws.direct("sqs", region.as_ref(), &endpoint(aws, url)?)?;
        Some(Self { aws, url: url.as_str().to_owned(), attempt })
    }

    pub(super) async fn send(&self, message: &Message, deadline: Instant) -> Option<Sent> {
        let input = Input { queue_url: Some(&self.url), ..Input::new(message) };
        let output: Output = self.call("AmazonSQS.SendMessage", message.bytes(), &input, deadline).await?;
        output.sent()
    }

    /// A place for each message, in their order: `None` where the queue did not take that one.
    pub(super) async fn send_batch<'m>(
        &self,
        messages: impl Iterator<Item = &'m Message>,
        deadline: Instant,
    ) -> Option<Vec<Option<Sent>>> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for (place, message) in messages.enumerate() {
            entries.push(Input { id: Some(place.to_string()), ..Input::new(message) });
            bytes += message.bytes();
        }
        let mut places = vec![None; entries.len()];
        let input = BatchInput { queue_url: &self.url, entries };
        let output: BatchOutput = self.call("AmazonSQS.SendMessageBatch", bytes, &input, deadline).await?;
        for mut taken in output.successful {
            let id = taken.id.take().unwrap_or_default();
            super::put(&mut places, &id, taken.sent());
        }
        Some(places)
    }

    /// Whether the queue is there.
    pub(super) async fn look_at(&self, deadline: Instant) -> bool {
        let input = AttributesInput { queue_url: &self.url, attribute_names: ["QueueArn"] };
        self.call::<serde::de::IgnoredAny>("AmazonSQS.GetQueueAttributes", 0, &input, deadline).await.is_some()
    }

    /// One attempt. Why it failed is for the log's `DEBUG`: the SDK's error is the one that counts.
    async fn call<O: DeserializeOwned>(
        &self,
        target: &'static str,
        bytes: usize,
        input: &impl Serialize,
        deadline: Instant,
    ) -> Option<O> {
        let attempt = async {
            let mut json = Vec::with_capacity(bytes + bytes / 8 + ROOM);
            serde_json::to_writer(&mut json, input)?;
            Ok::<O, BoxError>(serde_json::from_slice(self.aws.call(target, json).await?.as_ref())?)
        };
        let output = timeout_at(deadline.min(Instant::now() + self.attempt), attempt).await;
        output
            .unwrap_or_else(|late| Err(late.into()))
            .inspect_err(|error| {
                let error = causes(error.as_ref());
                tracing::debug!(target: "voicehook", error, "the direct attempt failed; the SDK takes over");
            })
            .ok()
    }
}

/// The one that the SDK would take, where that is plain: the configured one, or the region's if the queue's URL has it.
/// All else takes the SDK's rules, which cost a cold start a third of a millisecond.
fn endpoint(aws: &Aws, url: &QueueUrl) -> Option<String> {
    let shared = aws.shared();
    if shared.use_fips() == Some(true) || shared.use_dual_stack() == Some(true) {
        return None;
    }
    let endpoint = aws.endpoint_url("SQS").or_else(|| url.regional_endpoint())?;
    Some(format!("{}/", endpoint.trim_end_matches('/')))
}

/// `SendMessage`, or an entry of `SendMessageBatch`.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
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
    message_body: &'a str,
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
struct BatchInput<'a> {
    queue_url: &'a str,
    entries: Vec<Input<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AttributesInput<'a> {
    queue_url: &'a str,
    attribute_names: [&'static str; 1],
}

/// Of a message that the queue has.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    /// Of a batch's entry.
    #[serde(default)]
    id: Option<String>,
    message_id: String,
}

impl Output {
    /// Without an id there is no proof that SQS has it.
    fn sent(self) -> Option<Sent> {
        (!self.message_id.is_empty()).then_some(Sent { message_id: self.message_id, failover: false })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchOutput {
    #[serde(default)]
    successful: Vec<Output>,
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
    use aws_types::{SdkConfig, region::Region, sdk_config::Builder};

    use super::*;

    /// The endpoint here, and the SDK's.
    async fn endpoints(shared: Builder, queue_url: &str) -> (Option<String>, String) {
        let url = QueueUrl::new(queue_url).unwrap();
        let aws = Aws::new(shared.region(Region::new("eu-west-1")).build());
        let parameters = Params::builder()
            .region(url.region().unwrap_or("eu-west-1"))
            .use_fips(aws.shared().use_fips().unwrap_or_default())
            .use_dual_stack(aws.shared().use_dual_stack().unwrap_or_default())
            .set_endpoint(aws.endpoint_url("SQS"));
        let of_sdk = DefaultResolver::new().resolve_endpoint(&parameters.build().unwrap()).await.unwrap();
        (endpoint(&aws, &url), format!("{}/", of_sdk.url()))
    }

    #[tokio::test]
    async fn the_endpoint_is_the_one_that_the_sdk_would_take_or_left_to_the_sdk() {
        let (here, there) = ("https://sqs.us-east-1.amazonaws.com", "https://sqs.cn-north-1.amazonaws.com.cn");
        let plain = SdkConfig::builder;
        for (shared, host, is_direct) in [
            (plain(), here, true),
            (plain(), there, true),
            (plain(), "https://sqs.us-gov-west-1.amazonaws.com", true),
            (plain().endpoint_url("http://localhost:4566"), here, true),
            (plain().use_fips(true), here, false),
            (plain().use_dual_stack(true), here, false),
            (plain(), "http://sqs.us-east-1.amazonaws.com", false),
            (plain(), "https://sqs.us-east-1.amazonaws.com.example.com", false),
            (plain(), "https://us-east-1.queue.amazonaws.com", false),
            (plain(), "https://vpce-0a-b.sqs.us-east-2.vpce.amazonaws.com", false),
            (plain(), "http://localhost:4566", false),
        ] {
            let (endpoint, of_sdk) = endpoints(shared, &format!("{host}/123456789012/events.fifo")).await;
            assert_eq!(endpoint, is_direct.then_some(of_sdk), "{host}");
        }
    }
}
