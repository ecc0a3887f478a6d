//! Amazon SQS, for messages that must be on a queue before a deadline.
//!
//! Two ways lead there, on purpose. The first attempt of each request goes [directly](direct), because all that the SDK
//! does around an operation is most of a small webhook's CPU (75 us instead of 193, measured on one CPU at 300 bytes,
//! where a function that does nothing takes 29). Whatever does not come back well is sent again by the SDK, which knows
//! what each error means. [`attempts`] says when, and for how long.

mod attempts;
mod direct;
mod error;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
    time::Duration,
};

use aws_sdk_sqs::{
    Client,
    config::{Region, retry::RetryConfig, timeout::TimeoutConfig},
    operation::send_message::builders::SendMessageFluentBuilder,
    types::{
        MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue, QueueAttributeName,
        SendMessageBatchRequestEntry,
    },
};
use tokio::time::{Instant, timeout_at};

use self::{direct::DirectQueue, error::classify};
use super::{MAX_MESSAGE_BYTES, Message, Queue, QueueError, QueueKind, QueueUrl, Sent, message::STRING};
use crate::aws::Aws;

/// Longest wait of the first contact during a cold start.
const WARM_UP: Duration = Duration::from_secs(1);
/// The most messages in one request.
pub(super) const MAX_ENTRIES: usize = 10;

/// A queue in SQS.
#[derive(Clone, Debug)]
pub struct Sqs {
    aws: Aws,
    url: QueueUrl,
    direct: Option<Arc<DirectQueue>>,
    /// Made when it is first needed, which costs time and memory.
    sdk: Arc<LazyLock<Client, Box<dyn FnOnce() -> Client + Send>>>,
}

/// What an attempt is made with.
enum Way {
    Direct(Arc<DirectQueue>),
    Sdk,
}

impl Sqs {
    /// Prepares to send to a queue.
    #[must_use]
    pub fn new(aws: &Aws, url: QueueUrl) -> Self {
        let direct = DirectQueue::new(aws, &url).map(Arc::new);
        let (for_sdk, of_sdk) = (aws.clone(), url.clone());
        // Timeouts and retries are ours, because the SDK's have a quota and know no deadline.
        let client = move || client(&for_sdk, &of_sdk, RetryConfig::disabled(), TimeoutConfig::disabled());
        let sdk = LazyLock::new(Box::new(client) as Box<_>);
        Self { aws: aws.clone(), url, direct, sdk: Arc::new(sdk) }
    }

    /// A client for a queue, in the region that its URL names, else the one of the configuration, with the SDK's own
    /// retries. `timeout` is the longest time for an operation.
    #[must_use]
    pub fn client(aws: &Aws, url: &QueueUrl, timeout: Duration) -> Client {
        let timeouts = TimeoutConfig::builder().operation_timeout(timeout).build();
        client(aws, url, RetryConfig::standard(), timeouts)
    }

    /// Tries a request until the queue took it or the deadline is there. `attempt` gets what to send it with.
    async fn until<T, F>(&self, deadline: Instant, attempt: impl Fn(Way) -> F) -> Result<T, QueueError>
    where
        F: Future<Output = Result<T, QueueError>>,
    {
        let way = |number| self.direct.clone().filter(|_| number == 0).map_or(Way::Sdk, Way::Direct);
        let timed_out = || {
            tracing::debug!(target: "voicehook", "SQS did not answer in time; the next attempt uses a new connection");
            self.aws.renew_connections();
        };
        let result = attempts::until(deadline, |number| attempt(way(number)), timed_out).await;
        match &result {
            Ok(_) => self.aws.credentials().accepted(),
            Err(error) if error::is_about_credentials(error) => self.aws.credentials().refused(),
            Err(_) => {}
        }
        result
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

    async fn send_once(&self, message: &Message) -> Result<Sent, QueueError> {
        let answer = Box::pin(self.request(message.clone())?.send()).await.map_err(classify)?;
        // Without an id there is no proof that SQS has it.
        let message_id = answer.message_id.filter(|id| !id.is_empty());
        let message_id =
            message_id.ok_or_else(|| QueueError::Unreachable("the answer has no message id".to_owned()))?;
        Ok(Sent { message_id, failover: false })
    }

    /// Sends up to [`MAX_ENTRIES`] messages, of [`MAX_MESSAGE_BYTES`] in all, in one request, which is the same each
    /// time it is tried. The answer has a place for each, in their order: `None` where the queue did not take that one.
    pub(super) async fn send_batch(
        &self,
        messages: &[&Message],
        deadline: Instant,
    ) -> Result<Vec<Option<Sent>>, QueueError> {
        let attempt = |way| async move {
            match way {
                Way::Direct(queue) => queue.send_batch(messages).await,
                Way::Sdk => self.send_batch_once(messages).await,
            }
        };
        self.until(deadline, attempt).await
    }

    async fn send_batch_once(&self, messages: &[&Message]) -> Result<Vec<Option<Sent>>, QueueError> {
        let entries = messages.iter().enumerate().map(|(place, message)| entry(place, (*message).clone()));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let request = self.sdk.send_message_batch().queue_url(self.url.as_str()).set_entries(Some(entries));
        let answer = Box::pin(request.send()).await.map_err(classify)?;
        let taken = answer.successful.into_iter().map(|entry| (entry.id, entry.message_id));
        Ok(places(messages.len(), taken, answer.failed.into_iter().map(|entry| entry.id)))
    }
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
fn region(aws: &Aws, url: &QueueUrl) -> Option<Region> {
    let of_url = url.region().map(|region| Region::new(region.to_owned()));
    of_url.or_else(|| aws.shared().region().cloned())
}

/// What became of each entry of a batch. An id that nobody gave is passed over, and an entry without a message id, or
/// one that failed as well, was not taken: in doubt it is sent again.
fn places(
    entries: usize,
    taken: impl Iterator<Item = (String, String)>,
    failed: impl Iterator<Item = String>,
) -> Vec<Option<Sent>> {
    let mut places = vec![None; entries];
    let taken = taken.map(|(id, message_id)| (id, Some(message_id).filter(|id| !id.is_empty())));
    for (id, message_id) in taken.chain(failed.map(|id| (id, None))) {
        if let Some(place) = id.parse().ok().and_then(|place: usize| places.get_mut(place)) {
            *place = message_id.map(|message_id| Sent { message_id, failover: false });
        }
    }
    places
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
            && timeout_at(deadline, direct.queue_exists()).await.unwrap_or(false)
        {
            return;
        }
        let contact = self
            .sdk
            .get_queue_attributes()
            .queue_url(self.url.as_str())
            .attribute_names(QueueAttributeName::QueueArn)
            .send();
        let error = match timeout_at(deadline, Box::pin(contact)).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => classify(error),
            Err(_) => QueueError::OutOfTime,
        };
        tracing::warn!(%error, "the queue did not answer at the start; the first webhook tries again");
    }

    async fn send(&self, message: Message, deadline: Instant) -> Result<Sent, QueueError> {
        let bytes = message.bytes();
        if bytes > MAX_MESSAGE_BYTES {
            return Err(QueueError::TooLarge { bytes, limit: MAX_MESSAGE_BYTES });
        }
        let message = &message;
        let attempt = |way| async move {
            match way {
                Way::Direct(queue) => queue.send(message).await,
                Way::Sdk => self.send_once(message).await,
            }
        };
        self.until(deadline, attempt).await.map_err(|error| match error {
            QueueError::TooLarge { limit, .. } => QueueError::TooLarge { bytes, limit },
            other => other,
        })
    }
}
