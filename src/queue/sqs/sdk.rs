//! A queue by the SDK: for what the direct attempt did not settle. Its errors are the ones that count.

use std::{collections::HashMap, sync::LazyLock, time::Duration};

use aws_sdk_sqs::{
    Client,
    config::{Region, retry::RetryConfig, timeout::TimeoutConfig},
    types::{
        MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue, QueueAttributeName,
        SendMessageBatchRequestEntry,
    },
};

use super::{confirmed, error::classify, places};
use crate::{
    aws::Aws,
    queue::{Message, QueueError, QueueUrl, Sent, message::STRING},
};

/// A queue, reached by the SDK.
pub(super) struct SdkQueue {
    url: String,
    /// Made when it is first needed, which costs time and memory.
    client: LazyLock<Client, Box<dyn FnOnce() -> Client + Send>>,
}

impl std::fmt::Debug for SdkQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SdkQueue").field("url", &self.url).finish_non_exhaustive()
    }
}

impl SdkQueue {
    pub(super) fn new(aws: &Aws, url: QueueUrl) -> Self {
        let (aws, text) = (aws.clone(), url.as_str().to_owned());
        // Timeouts and retries are ours, because the SDK's have a quota and know no deadline.
        let client = move || client(&aws, &url, RetryConfig::disabled(), TimeoutConfig::disabled());
        Self { url: text, client: LazyLock::new(Box::new(client)) }
    }

    pub(super) async fn send(&self, message: &Message) -> Result<Sent, QueueError> {
        let message = message.clone();
        let request = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_group_id(message.group_id)
            .set_message_deduplication_id(message.deduplication_id)
            .set_message_attributes(attributes(message.attributes)?)
            .set_message_system_attributes(system_attributes(message.trace_header)?)
            .message_body(message.body);
        let answer = Box::pin(request.send()).await.map_err(classify)?;
        confirmed(answer.message_id).ok_or_else(|| QueueError::Unreachable("the answer has no message id".to_owned()))
    }

    /// A place for each message, in their order: `None` where the queue did not take that one.
    pub(super) async fn send_batch(&self, messages: &[&Message]) -> Result<Vec<Option<Sent>>, QueueError> {
        let entries = messages.iter().enumerate().map(|(place, message)| entry(place, (*message).clone()));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let request = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let answer = Box::pin(request.send()).await.map_err(classify)?;
        let taken = answer.successful.into_iter().map(|entry| (entry.id, entry.message_id));
        Ok(places(messages.len(), taken, answer.failed.into_iter().map(|entry| entry.id)))
    }

    /// Asks for something that changes nothing: whether the queue answers.
    pub(super) async fn contact(&self) -> Result<(), QueueError> {
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        let request = request.attribute_names(QueueAttributeName::QueueArn);
        Box::pin(request.send()).await.map(drop).map_err(classify)
    }
}

/// With the SDK's own retries.
pub(super) fn retrying_client(aws: &Aws, url: &QueueUrl, timeout: Duration) -> Client {
    let timeouts = TimeoutConfig::builder().operation_timeout(timeout).build();
    client(aws, url, RetryConfig::standard(), timeouts)
}

fn client(aws: &Aws, url: &QueueUrl, retries: RetryConfig, timeouts: TimeoutConfig) -> Client {
    let mut config = aws_sdk_sqs::config::Builder::from(aws.shared())
        .region(region(aws, url))
        .timeout_config(timeouts)
        .retry_config(retries);
    config.set_endpoint_url(aws.endpoint_url("SQS"));
    Client::from_conf(config.build())
}

/// The one that the queue's URL names, else the one of the configuration.
pub(super) fn region(aws: &Aws, url: &QueueUrl) -> Option<Region> {
    let of_url = url.region().map(|region| Region::new(region.to_owned()));
    of_url.or_else(|| aws.shared().region().cloned())
}

fn entry(place: usize, message: Message) -> Result<SendMessageBatchRequestEntry, QueueError> {
    SendMessageBatchRequestEntry::builder()
        .id(place.to_string())
        .message_group_id(message.group_id)
        .set_message_deduplication_id(message.deduplication_id)
        .set_message_attributes(attributes(message.attributes)?)
        .set_message_system_attributes(system_attributes(message.trace_header)?)
        .message_body(message.body)
        .build()
        .map_err(invalid)
}

type Attributes = HashMap<String, MessageAttributeValue>;
type SystemAttributes = HashMap<MessageSystemAttributeNameForSends, MessageSystemAttributeValue>;

fn attributes(attributes: Vec<(&'static str, String)>) -> Result<Option<Attributes>, QueueError> {
    let value = |value| MessageAttributeValue::builder().data_type(STRING).string_value(value).build();
    let attributes = attributes.into_iter().map(|(name, text)| Ok((name.to_owned(), value(text).map_err(invalid)?)));
    attributes.collect::<Result<_, _>>().map(Some)
}

fn system_attributes(trace_header: Option<String>) -> Result<Option<SystemAttributes>, QueueError> {
    let Some(header) = trace_header else { return Ok(None) };
    let value = MessageSystemAttributeValue::builder().data_type(STRING).string_value(header).build();
    let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
    Ok(Some(HashMap::from([(name, value.map_err(invalid)?)])))
}

fn invalid(error: aws_sdk_sqs::error::BuildError) -> QueueError {
    QueueError::Rejected(error.to_string())
}
