//! Checks the queues for `doctor`: whether they exist, and whether their settings suit the events.

use std::{collections::HashMap, time::Duration};

use aws_sdk_sqs::{Client, error::ProvideErrorMetadata as _, types::QueueAttributeName as Name};
use serde_json::Value;
use voicehook_lambda::{
    aws::{Aws, described},
    queue::{MAX_MESSAGE_BYTES, QueueKind, QueueUrl, Sqs},
};

use crate::{checks::Checks, queue};

/// Timeout for one request to SQS, long polling included.
const DEADLINE: Duration = Duration::from_secs(30);
/// Shorter retention than this may lose the events of a weekend before Monday.
const SHORT_RETENTION: u64 = 3 * 24 * 3600;

/// What a queue is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Events,
    Failover,
    Quarantine,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Events => "queue",
            Self::Failover => "failover queue",
            Self::Quarantine => "quarantine",
        }
    }

    const fn variable(self) -> &'static str {
        match self {
            Self::Events => "QUEUE_URL",
            Self::Failover => "FAILOVER_QUEUE_URL",
            Self::Quarantine => "QUARANTINE_QUEUE_URL",
        }
    }
}

/// A client for a queue, in the region of its URL.
fn client(aws: &Aws, url: &QueueUrl) -> Client {
    Sqs::client(aws, url, DEADLINE)
}

type Attributes = HashMap<Name, String>;

/// Checks one queue. Returns whether its attributes could be read.
pub(super) async fn check(aws: &Aws, url: &QueueUrl, purpose: Purpose, checks: &mut Checks) -> bool {
    let client = client(aws, url);
    let request = client.get_queue_attributes().queue_url(url.as_str()).attribute_names(Name::All);
    let attributes = match request.send().await {
        Ok(answer) => answer.attributes.unwrap_or_default(),
        Err(error) => {
            let code = error.code().unwrap_or_default().to_owned();
            unreadable(purpose, url, &code, &described(&error), checks);
            return false;
        }
    };
    describe(purpose, url, &attributes, checks);
    if purpose == Purpose::Quarantine {
        let waiting = number(&attributes, &Name::ApproximateNumberOfMessages);
        if waiting > 0 {
            let next = "Fix what their reason attribute names, then run voicehook redrive";
            checks.warning("quarantine", format!("{waiting} webhooks are waiting in it"), next);
        }
    } else {
        dead_letters(&client, &attributes, purpose, checks).await;
    }
    true
}

fn unreadable(purpose: Purpose, url: &QueueUrl, code: &str, error: &str, checks: &mut Checks) {
    let (name, variable) = (purpose.name(), purpose.variable());
    if code.contains("NonExistentQueue") || code.contains("QueueDoesNotExist") {
        let next =
            format!("Fix {variable}: the queue was deleted, or is in another account or region. Or deploy again");
        checks.failed(name, format!("{} does not exist", url.as_str()), next);
    } else if code.contains("Denied") {
        let next = "Use credentials that allow sqs:GetQueueAttributes; the test webhook shows what the function may do";
        checks.warning(name, format!("you are not allowed to read the attributes of {}: {error}", url.as_str()), next);
    } else {
        let next = format!("Check {variable}, AWS_REGION and your credentials, and that SQS is reachable");
        checks.failed(name, format!("{} cannot be read: {error}", url.as_str()), next);
    }
}

fn number(attributes: &Attributes, name: &Name) -> u64 {
    attributes.get(name).and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn describe(purpose: Purpose, url: &QueueUrl, attributes: &Attributes, checks: &mut Checks) {
    let name = purpose.name();
    let kind = if url.kind() == QueueKind::Fifo { "FIFO" } else { "standard" };
    let retention = number(attributes, &Name::MessageRetentionPeriod);
    let limit = number(attributes, &Name::MaximumMessageSize);
    let encryption = match attributes.get(&Name::KmsMasterKeyId).filter(|key| !key.is_empty()) {
        Some(_) => Some("encrypted with a KMS key"),
        None => attributes.get(&Name::SqsManagedSseEnabled).filter(|on| *on == "true").map(|_| "encrypted by SQS"),
    };
    checks.ok(
        name,
        format!(
            "{}: {kind}, retention {}, visibility timeout {} s, {} waiting, {}",
            url.name(),
            days(retention),
            number(attributes, &Name::VisibilityTimeout),
            number(attributes, &Name::ApproximateNumberOfMessages),
            encryption.unwrap_or("not encrypted at rest"),
        ),
    );
    if limit < MAX_MESSAGE_BYTES as u64 {
        let next = format!("Set the queue's MaximumMessageSize to {MAX_MESSAGE_BYTES}");
        checks.warning(name, format!("it accepts messages of at most {limit} bytes; larger events are refused"), next);
    }
    if retention < SHORT_RETENTION {
        let next = "Set the queue's MessageRetentionPeriod to 345600 (4 days) or more";
        checks.warning(name, format!("messages that no one receives are lost after {}", days(retention)), next);
    }
    if encryption.is_none() {
        checks.warning(name, "messages are not encrypted at rest", "Set the queue's SqsManagedSseEnabled to true");
    }
}

fn days(seconds: u64) -> String {
    if seconds.is_multiple_of(86_400) { format!("{} days", seconds / 86_400) } else { format!("{seconds} s") }
}

/// Checks where events go that a subscriber cannot handle.
async fn dead_letters(client: &Client, attributes: &Attributes, purpose: Purpose, checks: &mut Checks) {
    const NAME: &str = "dead-letter queue";
    let policy: Value =
        attributes.get(&Name::RedrivePolicy).and_then(|policy| serde_json::from_str(policy).ok()).unwrap_or_default();
    let Some(arn) = policy["deadLetterTargetArn"].as_str() else {
        let next = "Give the queue a RedrivePolicy, or an event that a subscriber cannot handle is redelivered forever";
        checks.warning(NAME, format!("the {} has none", purpose.name()), next);
        return;
    };
    let queue = arn.rsplit(':').next().unwrap_or_default();
    let url = queue::url_of(client, arn).await.map_err(|error| described(&error));
    let counted = match url {
        Err(error) => Err(error),
        Ok(url) => {
            let request =
                client.get_queue_attributes().queue_url(url).attribute_names(Name::ApproximateNumberOfMessages);
            request.send().await.map_err(|error| described(&error))
        }
    };
    match counted.map(|answer| number(&answer.attributes.unwrap_or_default(), &Name::ApproximateNumberOfMessages)) {
        Err(error) => {
            let next = "Create it again under that name, or fix the queue's RedrivePolicy";
            checks.warning(NAME, format!("{queue} cannot be read: {error}"), next);
        }
        Ok(0) => checks.ok(NAME, format!("{queue} is empty")),
        Ok(waiting) => {
            let next = format!("Fix the subscriber, then run: aws sqs start-message-move-task --source-arn {arn}");
            checks.warning(NAME, format!("{waiting} events are in {queue}"), next);
        }
    }
}
