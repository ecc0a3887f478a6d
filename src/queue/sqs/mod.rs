//! Amazon SQS, for messages that must be on a queue before a deadline.
//!
//! Two ways lead there, on purpose. The first attempt of each request goes [directly](direct), because all that the SDK
//! does around an operation is most of a small webhook's CPU (75 us instead of 193, measured on one CPU at 300 bytes,
//! where a function that does nothing takes 29). Whatever does not come back well is sent again by [the SDK](sdk), which
//! knows what each error means. [`attempts`] says when, and for how long.
//!
//! Elsewhere: what a direct request looks like on the wire is in [`wire`], its signature in `aws::signature`, and the
//! connections that both ways share in `aws::http`.

mod attempts;
mod direct;
mod error;
mod sdk;
mod wire;

use std::{sync::Arc, time::Duration};

use aws_sdk_sqs::Client;
use tokio::time::{Instant, timeout_at};

pub(super) use self::attempts::Hurry;
use self::{direct::DirectQueue, sdk::SdkQueue};
use super::{MAX_MESSAGE_BYTES, Message, Queue, QueueError, QueueKind, QueueUrl, Sent};
use crate::aws::Aws;

/// Longest wait of the first contact during a cold start.
const WARM_UP: Duration = Duration::from_secs(1);
/// The most messages in one request.
pub(super) const MAX_ENTRIES: usize = 10;

/// A queue in SQS.
#[derive(Clone, Debug)]
pub struct Sqs {
    aws: Aws,
    kind: QueueKind,
    /// `None` where only the SDK can reach the queue.
    direct: Option<Arc<DirectQueue>>,
    sdk: Arc<SdkQueue>,
}

/// What an attempt is made with.
enum Way {
    Direct(Arc<DirectQueue>),
    Sdk(Arc<SdkQueue>),
}

impl Sqs {
    /// Prepares to send to a queue.
    #[must_use]
    pub fn new(aws: &Aws, url: QueueUrl) -> Self {
        let direct = DirectQueue::new(aws, &url).map(Arc::new);
        Self { aws: aws.clone(), kind: url.kind(), direct, sdk: Arc::new(SdkQueue::new(aws, url)) }
    }

    /// A client for a queue, in the region that its URL names, else the one of the configuration, with the SDK's own
    /// retries. `timeout` is the longest time for an operation.
    #[must_use]
    pub fn client(aws: &Aws, url: &QueueUrl, timeout: Duration) -> Client {
        sdk::retrying_client(aws, url, timeout)
    }

    /// The policy: tries a request until the queue has taken it or the deadline has passed, the first time directly.
    async fn until<T, F>(
        &self,
        deadlines: &[Instant],
        hurry: &Hurry,
        attempt: impl Fn(Way) -> F,
    ) -> Result<T, QueueError>
    where
        F: Future<Output = Result<T, QueueError>>,
    {
        let direct = |number| self.direct.clone().filter(|_| number == 0).map(Way::Direct);
        let way = |number| direct(number).unwrap_or_else(|| Way::Sdk(Arc::clone(&self.sdk)));
        let timed_out = || {
            tracing::debug!(target: "voicehook", "SQS did not answer in time; the next attempt uses a new connection");
            self.aws.renew_connections();
        };
        let result = attempts::until(deadlines, hurry, |number| attempt(way(number)), timed_out).await;
        match &result {
            Ok(_) => self.aws.credentials().accepted(),
            Err(error) if error::is_about_credentials(error) => self.aws.credentials().refused(),
            Err(_) => {}
        }
        result
    }

    /// Sends a message. Whoever waits behind it can [hurry](Hurry) it up.
    pub(super) async fn send_one(
        &self,
        message: Message,
        deadline: Instant,
        hurry: &Hurry,
    ) -> Result<Sent, QueueError> {
        if message.bytes() > MAX_MESSAGE_BYTES {
            return Err(QueueError::TooLarge { limit: MAX_MESSAGE_BYTES });
        }
        let message = &message;
        let attempt = |way| async move {
            match way {
                Way::Direct(queue) => queue.send(message).await,
                Way::Sdk(queue) => queue.send(message).await,
            }
        };
        self.until(&[deadline], hurry, attempt).await
    }

    /// Sends up to [`MAX_ENTRIES`] messages, of [`MAX_MESSAGE_BYTES`] in all, in one request, which is the same each
    /// time it is tried. Each has a deadline. The answer has a place for each, in their order: `None` where the queue did
    /// not take that one.
    pub(super) async fn send_batch(
        &self,
        messages: &[&Message],
        deadlines: &[Instant],
        hurry: &Hurry,
    ) -> Result<Vec<Option<Sent>>, QueueError> {
        let attempt = |way| async move {
            match way {
                Way::Direct(queue) => queue.send_batch(messages).await,
                Way::Sdk(queue) => queue.send_batch(messages).await,
            }
        };
        self.until(deadlines, hurry, attempt).await
    }
}

impl Queue for Sqs {
    fn kind(&self) -> QueueKind {
        self.kind
    }

    async fn warm_up(&self) {
        let deadline = Instant::now() + WARM_UP;
        if let Some(direct) = &self.direct
            && timeout_at(deadline, direct.queue_exists()).await.unwrap_or(false)
        {
            return;
        }
        let contact = timeout_at(deadline, self.sdk.contact()).await;
        if let Err(error) = contact.unwrap_or(Err(QueueError::OutOfTime)) {
            tracing::warn!(%error, "the queue did not answer at the start; the first webhook tries again");
        }
    }

    async fn send(&self, message: Message, deadline: Instant) -> Result<Sent, QueueError> {
        self.send_one(message, deadline, &Hurry::default()).await
    }
}

/// The queue's confirmation of a message. Without an id there is no proof that SQS has it.
fn confirmed(message_id: Option<String>) -> Option<Sent> {
    message_id.filter(|id| !id.is_empty()).map(|message_id| Sent { message_id, failover: false })
}

/// What became of each entry of a batch. An id that nobody gave is passed over, and an entry without a message id, or
/// one that failed as well, was not taken: in doubt it is sent again.
fn places(
    entries: usize,
    taken: impl Iterator<Item = (String, String)>,
    failed: impl Iterator<Item = String>,
) -> Vec<Option<Sent>> {
    let mut places = vec![None; entries];
    let taken = taken.map(|(id, message_id)| (id, confirmed(Some(message_id))));
    for (id, sent) in taken.chain(failed.map(|id| (id, None))) {
        if let Some(place) = id.parse().ok().and_then(|place: usize| places.get_mut(place)) {
            *place = sent;
        }
    }
    places
}
