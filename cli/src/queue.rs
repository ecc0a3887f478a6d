//! Reads an SQS queue on behalf of a person: receives messages, hides them from other readers while they are looked at, and
//! then deletes them or gives them back.
//!
//! A received message stays hidden until it is deleted, given back, or released. If the process is killed, it reappears
//! after the visibility timeout. Each receive counts towards the queue's `maxReceiveCount`.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::anyhow;
use aws_sdk_sqs::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::get_queue_url::GetQueueUrlError,
    types::{
        ChangeMessageVisibilityBatchRequestEntry as Change, DeleteMessageBatchRequestEntry as Deletion, Message,
        MessageSystemAttributeName, QueueAttributeName as Attribute,
    },
};
use aws_smithy_runtime_api::http::Response as HttpResponse;
use thiserror::Error;
use voicehook_lambda::{
    aws::{Aws, described},
    queue::{QueueKind, QueueUrl, Sqs},
};

use crate::setting;

/// For a request with its retries: each may wait twenty seconds for a message.
const DEADLINE: Duration = Duration::from_secs(90);
/// The most messages in one request.
pub(crate) const BATCH: usize = 10;

/// The queue that an option or its variable names, read as the function reads its variables.
pub(crate) fn named(option: &str, variable: &str, value: Option<&str>) -> anyhow::Result<QueueUrl> {
    match value.and_then(setting::given) {
        Some(url) => QueueUrl::new(url).map_err(|error| anyhow!("{option} {error}")),
        None => Err(anyhow!("no queue given; give {option} URL, or set {variable}")),
    }
}

/// A queue that is read.
pub(crate) struct QueueReader {
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
pub(crate) struct About {
    /// Messages that a reader could receive, about.
    pub(crate) waiting: u64,
    /// Messages that some reader has received and neither deleted nor given back, about.
    pub(crate) in_flight: u64,
    /// After how many receives a message goes to the dead-letter queue.
    pub(crate) max_receive_count: Option<String>,
    /// The ARN of that queue.
    pub(crate) dead_letter_arn: Option<String>,
    /// How long a message is kept.
    pub(crate) retention: Duration,
}

/// What one receive gave.
#[derive(Default)]
pub(crate) struct Batch {
    /// Messages that are not held yet; from now on they are.
    pub(crate) new: Vec<Message>,
    /// How many came again whose visibility timeout is over. Their later receipts count.
    pub(crate) again: usize,
}

/// Why SQS did not do what was asked of it.
#[derive(Debug, Error)]
#[error("{message}")]
pub(crate) struct Failure {
    /// What is wrong, and what to do.
    pub(crate) message: String,
    /// Whether it may pass by itself.
    pub(crate) is_passing: bool,
}

impl QueueReader {
    /// Prepares to read. Messages stay hidden for `visibility` seconds after each receive or [`extend`](Self::extend).
    pub(crate) fn new(aws: &Aws, url: QueueUrl, visibility: i32) -> Self {
        Self { client: Sqs::client(aws, &url, DEADLINE), url, visibility, held: Mutex::default() }
    }

    pub(crate) fn name(&self) -> &str {
        self.url.name()
    }

    pub(crate) fn is_fifo(&self) -> bool {
        self.url.kind() == QueueKind::Fifo
    }

    /// How many messages are held.
    pub(crate) fn held_count(&self) -> usize {
        self.held().len()
    }

    /// What the queue says of itself; `None` where one may not ask.
    pub(crate) async fn about(&self) -> Result<Option<About>, Failure> {
        let names = [
            Attribute::ApproximateNumberOfMessages,
            Attribute::ApproximateNumberOfMessagesNotVisible,
            Attribute::RedrivePolicy,
            Attribute::MessageRetentionPeriod,
        ];
        let ask =
            self.client.get_queue_attributes().queue_url(self.url.as_str()).set_attribute_names(Some(names.into()));
        let attributes = match ask.send().await {
            Ok(answer) => answer.attributes.unwrap_or_default(),
            Err(error) if error.code().is_some_and(|code| code.contains("Denied")) => return Ok(None),
            Err(error) => return Err(failure(&error)),
        };
        let number = |name| attributes.get(&name).and_then(|number| number.parse().ok()).unwrap_or_default();
        let policy = attributes.get(&Attribute::RedrivePolicy);
        let policy = policy.and_then(|policy| serde_json::from_str::<serde_json::Value>(policy).ok());
        let field = |name| policy.as_ref().and_then(|policy| policy.get(name));
        Ok(Some(About {
            waiting: number(Attribute::ApproximateNumberOfMessages),
            in_flight: number(Attribute::ApproximateNumberOfMessagesNotVisible),
            max_receive_count: field("maxReceiveCount").map(|count| count.to_string().replace('"', "")),
            dead_letter_arn: field("deadLetterTargetArn").and_then(|arn| arn.as_str().map(str::to_owned)),
            retention: Duration::from_secs(number(Attribute::MessageRetentionPeriod)),
        }))
    }

    /// The URL of a queue in the same region, by its ARN.
    pub(crate) async fn url_of(&self, arn: &str) -> Result<QueueUrl, Failure> {
        let url = url_of(&self.client, arn).await.map_err(|error| failure(&error))?;
        QueueUrl::new(&url).map_err(|error| Failure { message: format!("{url} {error}"), is_passing: false })
    }

    /// The next messages, at most so many, after a wait of at most so many seconds.
    pub(crate) async fn receive(&self, max: usize, wait: i32) -> Result<Batch, Failure> {
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
        let mut batch = Batch::default();
        for message in received.messages.unwrap_or_default() {
            let group_id = message
                .attributes
                .as_ref()
                .and_then(|attributes| attributes.get(&MessageSystemAttributeName::MessageGroupId).cloned());
            let held = Held { receipt: message.receipt_handle.clone().unwrap_or_default(), group_id };
            match self.held().entry(message.message_id.clone().unwrap_or_default()) {
                Entry::Occupied(mut known) => {
                    known.insert(held);
                    batch.again += 1;
                }
                Entry::Vacant(new) => {
                    new.insert(held);
                    batch.new.push(message);
                }
            }
        }
        Ok(batch)
    }

    /// Takes held messages off the queue, in as few requests as possible.
    pub(crate) async fn delete(&self, ids: &[String]) -> Result<(), Failure> {
        let receipts: Vec<String> = ids.iter().filter_map(|id| Some(self.held().remove(id)?.receipt)).collect();
        for batch in receipts.chunks(BATCH) {
            let deletion = |(index, receipt): (usize, &String)| {
                Deletion::builder().id(index.to_string()).receipt_handle(receipt).build().ok()
            };
            let deletions = batch.iter().enumerate().filter_map(deletion).collect();
            let request = self.client.delete_message_batch().queue_url(self.url.as_str());
            let deleted = request.set_entries(Some(deletions)).send().await.map_err(|error| failure(&error))?;
            if let Some(failed) = deleted.failed.first() {
                let message = format!("a message that was handled cannot be deleted: {}", failed.code);
                return Err(Failure { message, is_passing: false });
            }
        }
        Ok(())
    }

    /// Gives a message back to the queue, which delivers it again after so many seconds. On a FIFO queue all that is
    /// held of its group goes back with it: while one message of a group is held, SQS delivers no other one.
    pub(crate) async fn give_back(&self, id: &str, seconds: u32) -> Result<(), Failure> {
        let receipts = self.let_go(id);
        self.hide_for(receipts, i32::try_from(seconds).unwrap_or(i32::MAX)).await
    }

    /// Holds a message, and on a FIFO queue its group, no longer. Returns the receipts.
    fn let_go(&self, id: &str) -> Vec<String> {
        let mut held = self.held();
        let group_id = held.get(id).filter(|_| self.is_fifo()).and_then(|held| held.group_id.clone());
        let goes = |other: &String, held: &Held| other == id || (group_id.is_some() && held.group_id == group_id);
        held.extract_if(|id, held| goes(id, held)).map(|(_, held)| held.receipt).collect()
    }

    /// Keeps everything that is held hidden, for as long as this runs.
    pub(crate) async fn keep_hidden(&self) {
        let half = Duration::from_millis(500 * u64::from(self.visibility.unsigned_abs()));
        loop {
            tokio::time::sleep(half).await;
            let receipts = self.held().values().map(|held| held.receipt.clone()).collect();
            // What fails here comes again, which the next receive sees.
            let _ = self.hide_for(receipts, self.visibility).await;
        }
    }

    /// Makes everything that is held visible to other readers, and says how many messages that were.
    pub(crate) async fn release(&self) -> Result<usize, Failure> {
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

/// Asks for the URL of a queue by its ARN.
pub(crate) async fn url_of(client: &Client, arn: &str) -> Result<String, SdkError<GetQueueUrlError, HttpResponse>> {
    let mut parts = arn.rsplit(':');
    let (queue, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let answer = client.get_queue_url().queue_name(queue).queue_owner_aws_account_id(account).send().await?;
    Ok(answer.queue_url.unwrap_or_default())
}

/// What is wrong where SQS refused a request, and what to do.
pub(crate) fn failure<E, R>(error: &SdkError<E, R>) -> Failure
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
            "{code}: you need sqs:ReceiveMessage, sqs:ChangeMessageVisibility and sqs:DeleteMessage on the queue, and kms:Decrypt if it has its own key; `aws sts get-caller-identity` says who you are"
        )
    } else if ["Expired", "InvalidClientTokenId", "UnrecognizedClient", "Signature"]
        .iter()
        .any(|part| code.contains(part))
    {
        format!("{code}: sign in again (`aws sso login`), or set AWS_PROFILE")
    } else if text.contains("credentials") && code.is_empty() {
        "No AWS credentials found; set AWS_PROFILE, or sign in with `aws sso login`".to_owned()
    } else {
        format!("SQS request failed: {text}")
    };
    let is_passing = matches!(error, SdkError::DispatchFailure(_) | SdkError::TimeoutError(_))
        || code.contains("Throttl")
        || code.contains("Unavailable")
        || code.contains("InternalError");
    Failure { message, is_passing }
}
