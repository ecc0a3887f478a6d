//! The queue that `listen` reads, and the messages it is holding.
//!
//! A received message stays hidden from other readers until it is deleted, given back, or released on exit. If the process
//! is killed, messages reappear after the visibility timeout.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_sdk_sqs::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{ChangeMessageVisibilityBatchRequestEntry as Change, MessageSystemAttributeName, QueueAttributeName},
};
use voicehook_lambda::{
    aws::{Aws, described},
    queue::{QueueKind, QueueUrl, Sqs},
};

use super::message::Received;
use crate::aws;

/// For a request with its retries: each may wait twenty seconds for a message.
const DEADLINE: Duration = Duration::from_secs(90);
/// The most messages in one request.
const BATCH: usize = 10;

/// A queue.
pub(super) struct Source {
    client: Client,
    url: QueueUrl,
    /// Seconds.
    visibility: i32,
    /// By the message's id.
    held: Mutex<HashMap<String, Held>>,
}

/// A message that is hidden from other readers.
struct Held {
    receipt: String,
    group_id: Option<String>,
}

/// What a queue says of itself.
pub(super) struct About {
    pub(super) waiting: String,
    /// After how many receives a message goes to the dead-letter queue.
    pub(super) max_receive_count: Option<String>,
}

/// Why SQS did not do what was asked of it.
pub(super) struct Failure {
    /// What is wrong, and what to do.
    pub(super) message: String,
    /// Whether it may pass by itself.
    pub(super) is_passing: bool,
}

impl Source {
    pub(super) async fn new(url: QueueUrl, visibility: i32) -> Self {
        let client = Sqs::client(&Aws::new(aws::configuration().await), &url, DEADLINE);
        Self { client, url, visibility, held: Mutex::default() }
    }

    pub(super) fn name(&self) -> &str {
        self.url.name()
    }

    pub(super) fn is_fifo(&self) -> bool {
        self.url.kind() == QueueKind::Fifo
    }

    /// Half of the visibility timeout: how often [`Self::extend`] is due.
    pub(super) fn half_time(&self) -> Duration {
        Duration::from_millis(500 * u64::from(self.visibility.unsigned_abs()))
    }

    /// What the queue says of itself, where one may ask.
    pub(super) async fn about(&self) -> Result<Option<About>, Failure> {
        let names = [QueueAttributeName::ApproximateNumberOfMessages, QueueAttributeName::RedrivePolicy];
        let ask =
            self.client.get_queue_attributes().queue_url(self.url.as_str()).set_attribute_names(Some(names.into()));
        let attributes = match ask.send().await {
            Ok(answer) => answer.attributes.unwrap_or_default(),
            Err(error) if error.code().is_some_and(|code| code.contains("Denied")) => return Ok(None),
            Err(error) => return Err(failure(&error)),
        };
        let policy = attributes.get(&QueueAttributeName::RedrivePolicy);
        let policy = policy.and_then(|policy| serde_json::from_str::<serde_json::Value>(policy).ok());
        let max_receive_count = policy.as_ref().and_then(|policy| policy.get("maxReceiveCount"));
        Ok(Some(About {
            waiting: attributes.get(&QueueAttributeName::ApproximateNumberOfMessages).cloned().unwrap_or_default(),
            max_receive_count: max_receive_count.map(|count| count.to_string().replace('"', "")),
        }))
    }

    /// The next messages, at most so many, after a wait of so many seconds; those that are held already are left out.
    pub(super) async fn receive(&self, max: usize, wait: i32) -> Result<Vec<Received>, Failure> {
        let receive = self
            .client
            .receive_message()
            .queue_url(self.url.as_str())
            .max_number_of_messages(i32::try_from(max.clamp(1, BATCH)).unwrap_or(1))
            .visibility_timeout(self.visibility)
            .wait_time_seconds(wait)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All);
        let received = receive.send().await.map_err(|error| failure(&error))?;
        let mut messages = Vec::new();
        for mut message in received.messages.unwrap_or_default() {
            let receipt = message.receipt_handle.take().unwrap_or_default();
            let message = Received::read(message);
            let held = Held { receipt, group_id: message.group_id.clone() };
            match self.held().entry(message.id.clone()) {
                Entry::Occupied(mut known) => _ = known.insert(held),
                Entry::Vacant(new) => {
                    new.insert(held);
                    messages.push(message);
                }
            }
        }
        Ok(messages)
    }

    /// Takes a message off the queue.
    pub(super) async fn delete(&self, message: &Received) -> Result<(), Failure> {
        let Some(Held { receipt, .. }) = self.held().remove(&message.id) else { return Ok(()) };
        let delete = self.client.delete_message().queue_url(self.url.as_str()).receipt_handle(receipt);
        delete.send().await.map(drop).map_err(|error| failure(&error))
    }

    /// Gives a message back to the queue, which gives it out again after so many seconds. On a FIFO queue all that is
    /// held of its group goes back with it: while one message of a group is held, SQS gives out no other one.
    pub(super) async fn give_back(&self, message: &Received, seconds: u32) -> Result<(), Failure> {
        let goes_back =
            |id: &String, held: &Held| *id == message.id || (self.is_fifo() && held.group_id == message.group_id);
        let receipts = self.held().extract_if(|id, held| goes_back(id, held)).map(|(_, held)| held.receipt).collect();
        self.hide_for(receipts, i32::try_from(seconds).unwrap_or(i32::MAX)).await
    }

    /// Keeps everything that is held hidden.
    pub(super) async fn extend(&self) {
        let receipts = self.held().values().map(|held| held.receipt.clone()).collect();
        // What fails here comes again, which the next receive sees.
        let _ = self.hide_for(receipts, self.visibility).await;
    }

    /// Makes everything that is held visible to other readers, and says how many messages that were.
    pub(super) async fn release(&self) -> Result<usize, Failure> {
        let receipts: Vec<String> = self.held().drain().map(|(_, held)| held.receipt).collect();
        let count = receipts.len();
        self.hide_for(receipts, 0).await.map(|()| count)
    }

    async fn hide_for(&self, receipts: Vec<String>, seconds: i32) -> Result<(), Failure> {
        for batch in receipts.chunks(BATCH) {
            let change = |(index, receipt): (usize, &String)| {
                let entry = Change::builder().id(index.to_string()).receipt_handle(receipt);
                entry.visibility_timeout(seconds).build().ok()
            };
            let changes = batch.iter().enumerate().filter_map(change).collect();
            let request = self.client.change_message_visibility_batch().queue_url(self.url.as_str());
            request.set_entries(Some(changes)).send().await.map_err(|error| failure(&error))?;
        }
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failure<E, R>(error: &SdkError<E, R>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let code = error.code().unwrap_or_default();
    let text = described(error);
    let message = if code.contains("NonExistentQueue") || code.contains("QueueDoesNotExist") {
        "The queue does not exist in this account and region; list your queues with `aws sqs list-queues`".to_owned()
    } else if code.contains("Denied") {
        format!(
            "{code}: you need sqs:ReceiveMessage, sqs:ChangeMessageVisibility and sqs:DeleteMessage on the queue, and kms:Decrypt where it has a key of its own; `aws sts get-caller-identity` says who you are"
        )
    } else if ["Expired", "InvalidClientTokenId", "UnrecognizedClient", "Signature"]
        .iter()
        .any(|part| code.contains(part))
    {
        format!("{code}: sign in again (`aws sso login`), or set AWS_PROFILE")
    } else if text.contains("credentials") && code.is_empty() {
        "No AWS credentials found; set AWS_PROFILE, or sign in with `aws sso login`".to_owned()
    } else if text.contains("region") && code.is_empty() {
        "No AWS region found; set AWS_REGION".to_owned()
    } else {
        format!("SQS request failed: {text}")
    };
    let is_passing = matches!(error, SdkError::DispatchFailure(_) | SdkError::TimeoutError(_))
        || code.contains("Throttl")
        || code.contains("Unavailable")
        || code.contains("InternalError");
    Failure { message, is_passing }
}
