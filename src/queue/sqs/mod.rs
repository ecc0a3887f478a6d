//! Amazon SQS.
//!
//! In come messages; out comes the queue's word that it has them. The first attempt goes [directly](direct), and what
//! does not come back well from it is sent by the SDK, with its retries.

mod direct;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
    time::Duration,
};

use aws_sdk_sqs::{
    Client,
    config::{Region, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    operation::send_message::builders::SendMessageFluentBuilder,
    types::{
        MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue, QueueAttributeName,
        SendMessageBatchRequestEntry,
    },
};
use tokio::time::Instant;

use self::direct::DirectQueue;
use super::{MAX_MESSAGE_BYTES, Message, Queue, QueueError, QueueKind, QueueUrl, Sent, message::STRING};
use crate::aws::{Aws, described};

/// Longest wait of the first contact during a cold start.
const WARM_UP: Duration = Duration::from_secs(2);
/// One attempt gets this part of the whole deadline, so that an answer that never comes leaves time for another try.
const ATTEMPTS_IN_A_DEADLINE: u32 = 3;
/// By the SDK.
const MAX_ATTEMPTS: u32 = 5;
/// The most messages in one request.
pub(super) const MAX_ENTRIES: usize = 10;
const INITIAL_BACKOFF: Duration = Duration::from_millis(40);
const MAX_BACKOFF: Duration = Duration::from_millis(500);

/// A queue in SQS.
#[derive(Clone, Debug)]
pub struct Sqs {
    url: QueueUrl,
    direct: Option<Arc<DirectQueue>>,
    /// Made when it is first needed, which costs time and memory.
    sdk: Arc<LazyLock<Client, Box<dyn FnOnce() -> Client + Send>>>,
}

impl Sqs {
    /// Prepares to send to a queue. `deadline` is the longest time that [`Queue::send`] will be given.
    #[must_use]
    pub fn new(aws: &Aws, url: QueueUrl, deadline: Duration) -> Self {
        let direct = DirectQueue::new(aws, &url, deadline / ATTEMPTS_IN_A_DEADLINE).map(Arc::new);
        let (aws, of_sdk) = (aws.clone(), url.clone());
        let sdk = LazyLock::new(Box::new(move || Self::client(&aws, &of_sdk, deadline)) as Box<_>);
        Self { url, direct, sdk: Arc::new(sdk) }
    }

    /// A client for a queue, in the region that its URL names, else the one of the configuration, with retries and
    /// time-outs inside of a deadline.
    #[must_use]
    pub fn client(aws: &Aws, url: &QueueUrl, deadline: Duration) -> Client {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(deadline / ATTEMPTS_IN_A_DEADLINE)
            .operation_timeout(deadline)
            .build();
        let retries = RetryConfig::standard()
            .with_max_attempts(MAX_ATTEMPTS)
            .with_initial_backoff(INITIAL_BACKOFF)
            .with_max_backoff(MAX_BACKOFF);
        let mut config = aws_sdk_sqs::config::Builder::from(aws.shared())
            .region(region(aws, url))
            .timeout_config(timeouts)
            .retry_config(retries);
        config.set_endpoint_url(aws.endpoint_url("SQS"));
        Client::from_conf(config.build())
    }

    fn request(&self, message: Message) -> Result<SendMessageFluentBuilder, QueueError> {
        Ok(self
            .sdk
            .send_message()
            .queue_url(self.url.as_str())
            .message_group_id(message.group_id)
            .set_message_deduplication_id(message.deduplication_id)
            .set_message_attributes(attributes(message.attributes)?)
            .set_message_system_attributes(system_attributes(message.trace_header)?)
            .message_body(message.body))
    }

    /// Sends up to [`MAX_ENTRIES`] messages, of [`MAX_MESSAGE_BYTES`] in all, in one request. What comes back has a
    /// place for each, in their order: `None` where the queue did not take that one.
    pub(super) async fn send_batch<'m>(
        &self,
        messages: impl Iterator<Item = &'m Message> + Clone,
        deadline: Instant,
    ) -> Result<Vec<Option<Sent>>, QueueError> {
        if let Some(direct) = &self.direct {
            if let Some(places) = direct.send_batch(messages.clone(), deadline).await {
                return Ok(places);
            }
            pause().await;
        }
        let entries = messages.cloned().enumerate().map(|(place, message)| entry(place, message));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let mut places = vec![None; entries.len()];
        let request = self.sdk.send_message_batch().queue_url(self.url.as_str()).set_entries(Some(entries));
        let answer = tokio::time::timeout_at(deadline, Box::pin(request.send())).await;
        let answer = answer.map_err(|_| QueueError::OutOfTime)?.map_err(classify)?;
        for taken in answer.successful {
            put(&mut places, &taken.id, Some(Sent { message_id: taken.message_id, failover: false }));
        }
        Ok(places)
    }
}

/// The one that the queue's URL names, else the one of the configuration.
fn region(aws: &Aws, url: &QueueUrl) -> Option<Region> {
    let of_url = url.region().map(|region| Region::new(region.to_owned()));
    of_url.or_else(|| aws.shared().region().cloned())
}

/// Puts what became of a batch's entry in its place; an id that nobody gave is passed over.
fn put(places: &mut [Option<Sent>], id: &str, sent: Option<Sent>) {
    if let Some(place) = id.parse().ok().and_then(|place: usize| places.get_mut(place)) {
        *place = sent;
    }
}

/// Before the second attempt, as the SDK does it before the ones after it.
async fn pause() {
    tokio::time::sleep(INITIAL_BACKOFF / 2).await;
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
    QueueError::Refused(error.to_string())
}

impl Queue for Sqs {
    fn kind(&self) -> QueueKind {
        self.url.kind()
    }

    async fn warm_up(&self) {
        let deadline = Instant::now() + WARM_UP;
        if let Some(direct) = &self.direct
            && direct.look_at(deadline).await
        {
            return;
        }
        let contact = self
            .sdk
            .get_queue_attributes()
            .queue_url(self.url.as_str())
            .attribute_names(QueueAttributeName::QueueArn)
            .send();
        match tokio::time::timeout_at(deadline, Box::pin(contact)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(error = %classify(error), "the queue could not be looked at"),
            Err(_) => tracing::warn!(error = %QueueError::OutOfTime, "the queue could not be looked at"),
        }
    }

    async fn send(&self, message: Message, deadline: Instant) -> Result<Sent, QueueError> {
        let bytes = message.bytes();
        if bytes > MAX_MESSAGE_BYTES {
            return Err(QueueError::TooLarge { bytes, limit: MAX_MESSAGE_BYTES });
        }
        if let Some(direct) = &self.direct {
            if let Some(sent) = direct.send(&message, deadline).await {
                return Ok(sent);
            }
            pause().await;
        }
        let answer = tokio::time::timeout_at(deadline, Box::pin(self.request(message)?.send())).await;
        let sent = answer.map_err(|_| QueueError::OutOfTime)?.map_err(|error| match classify(error) {
            QueueError::TooLarge { limit, .. } => QueueError::TooLarge { bytes, limit },
            other => other,
        })?;
        // Without an id there is no proof that SQS has it.
        let message_id =
            sent.message_id.ok_or_else(|| QueueError::Unreachable("the answer has no message id".to_owned()))?;
        Ok(Sent { message_id, failover: false })
    }
}

/// What an operator must know of an error. SQS's own message is repeated only where it cannot quote the event.
fn classify<
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
>(
    error: SdkError<E, R>,
) -> QueueError {
    let SdkError::ServiceError(answer) = &error else {
        return match error {
            SdkError::TimeoutError(_) => QueueError::OutOfTime,
            other => QueueError::Unreachable(described(&other)),
        };
    };
    let code = answer.err().code().unwrap_or("no error code").to_owned();
    let limit = answer.err().message().and_then(size_limit);
    match code.rsplit(['.', '#']).next().unwrap_or_default() {
        "NonExistentQueue" | "QueueDoesNotExist" => QueueError::NoSuchQueue,
        "InvalidParameterValue" if limit.is_some() => {
            QueueError::TooLarge { bytes: 0, limit: limit.unwrap_or_default() }
        }
        name if name.contains("Denied") || name.contains("Signature") || name.contains("Token") => {
            QueueError::Denied(code)
        }
        name if name.contains("Throttl") || name.contains("Exceeded") || name == "OverLimit" => {
            QueueError::Throttled(code)
        }
        name if name.starts_with("Invalid") || name.contains("Unsupported") || name.contains("TooLong") => {
            QueueError::Refused(code)
        }
        _ => QueueError::Unreachable(code),
    }
}

/// The limit in «One or more parameters are invalid. Reason: Message must be shorter than 262144 bytes.»
fn size_limit(message: &str) -> Option<usize> {
    message.split_once("must be shorter than ")?.1.split(' ').next()?.parse().ok()
}
