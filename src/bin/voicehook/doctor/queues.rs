//! The queues: whether they are there, and whether they are set up as the events need it.

use std::{collections::HashMap, time::Duration};

use aws_sdk_sqs::{Client, error::ProvideErrorMetadata as _, types::QueueAttributeName as Name};
use serde_json::Value;
use voicehook::{
    aws::{Aws, described},
    queue::{MAX_MESSAGE_BYTES, QueueKind, QueueUrl, Sqs},
};

use super::checks::Checks;

/// Time for one answer of SQS, its waiting for messages included.
const DEADLINE: Duration = Duration::from_secs(30);
/// Events that nobody takes over a weekend should still be there on Monday.
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
pub(super) fn client(aws: &Aws, url: &QueueUrl) -> Client {
    Sqs::client(aws, url, DEADLINE)
}

type Attributes = HashMap<Name, String>;

/// Checks one queue. Says whether it can be read from.
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
            let next = "Put right what their reason attribute says, and run voicehook redrive";
            checks.warning("quarantine", format!("{waiting} webhooks wait in it"), next);
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
            format!("Correct {variable}: the queue was deleted, or is in another account or region; or deploy again");
        checks.failed(name, format!("{} does not exist", url.as_str()), next);
    } else if code.contains("Denied") {
        let next = "Use credentials with sqs:GetQueueAttributes; what the function may do shows the test webhook";
        checks.warning(name, format!("you may not look at {}: {error}", url.as_str()), next);
    } else {
        let next =
            format!("See that {variable}, AWS_REGION and your credentials are right, and that SQS can be reached");
        checks.failed(name, format!("{} cannot be looked at: {error}", url.as_str()), next);
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
        Some(_) => Some("with a KMS key"),
        None => attributes.get(&Name::SqsManagedSseEnabled).filter(|on| *on == "true").map(|_| "by SQS"),
    };
    checks.ok(
        name,
        format!(
            "{}: {kind}, kept {}, hidden {} s while a subscriber works, {} waiting, encrypted {}",
            url.name(),
            days(retention),
            number(attributes, &Name::VisibilityTimeout),
            number(attributes, &Name::ApproximateNumberOfMessages),
            encryption.unwrap_or("not at all"),
        ),
    );
    if limit < MAX_MESSAGE_BYTES as u64 {
        let next = format!("Set the queue's MaximumMessageSize to {MAX_MESSAGE_BYTES}");
        checks.warning(
            name,
            format!("it takes messages of {limit} bytes at most, and larger events are refused"),
            next,
        );
    }
    if retention < SHORT_RETENTION {
        let next = "Set the queue's MessageRetentionPeriod to 345600 (4 days) or more";
        checks.warning(name, format!("what nobody takes is lost after {}", days(retention)), next);
    }
    if encryption.is_none() {
        checks.warning(name, "messages are not encrypted at rest", "Set the queue's SqsManagedSseEnabled to true");
    }
}

fn days(seconds: u64) -> String {
    if seconds.is_multiple_of(86_400) { format!("{} days", seconds / 86_400) } else { format!("{seconds} s") }
}

/// What becomes of events that a subscriber cannot handle.
async fn dead_letters(client: &Client, attributes: &Attributes, purpose: Purpose, checks: &mut Checks) {
    const NAME: &str = "dead-letter queue";
    let policy: Value =
        attributes.get(&Name::RedrivePolicy).and_then(|policy| serde_json::from_str(policy).ok()).unwrap_or_default();
    let Some(arn) = policy["deadLetterTargetArn"].as_str() else {
        let next = "Give the queue a RedrivePolicy, or an event that a subscriber cannot handle comes again and again";
        checks.warning(NAME, format!("the {} has none", purpose.name()), next);
        return;
    };
    let mut parts = arn.rsplit(':');
    let (queue, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let request = client.get_queue_url().queue_name(queue).queue_owner_aws_account_id(account);
    let url = request.send().await.map_err(|error| described(&error));
    let counted = match url.map(|answer| answer.queue_url.unwrap_or_default()) {
        Err(error) => Err(error),
        Ok(url) => {
            let request =
                client.get_queue_attributes().queue_url(url).attribute_names(Name::ApproximateNumberOfMessages);
            request.send().await.map_err(|error| described(&error))
        }
    };
    match counted.map(|answer| number(&answer.attributes.unwrap_or_default(), &Name::ApproximateNumberOfMessages)) {
        Err(error) => {
            let next = "Create it again with that name, or correct the queue's RedrivePolicy";
            checks.warning(NAME, format!("{queue} cannot be looked at: {error}"), next);
        }
        Ok(0) => checks.ok(NAME, format!("{queue} is empty")),
        Ok(waiting) => {
            let next = format!("Mend the subscriber, then: aws sqs start-message-move-task --source-arn {arn}");
            checks.warning(NAME, format!("{waiting} events are in {queue}"), next);
        }
    }
}
