//! Finds out where the test webhook ended up, for `doctor`. The receiver answers 200 either way, so this reads the queues.
//!
//! Deletes only the test webhook's own messages. All other messages received on the way are made visible again at once.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use aws_sdk_sqs::types::Message;
use voicehook_lambda::{
    aws::Aws,
    config::Config,
    queue::{Quarantined, QueueUrl},
};

use super::test_webhook::Posted;
use crate::{
    checks::Checks,
    queue::{BATCH, QueueReader},
};

/// How many other messages are held at most during the search. SQS counts a receive for each.
const MOST_OTHERS: usize = 100;
/// How long received messages stay hidden if this program is killed, in seconds.
const HIDDEN: i32 = 20;
/// Long-poll time on an empty queue, in seconds.
const WAIT_FOR_A_MESSAGE: i32 = 1;
/// How long to search the failover queue, which is read only after the others.
const WAIT_AT_FAILOVER: Duration = Duration::from_secs(5);
/// How many times to look for the remaining parts of a webhook that was quarantined in several parts.
const LOOKS_FOR_OTHER_PARTS: usize = 5;

/// Looks for the test webhook and reports where it is.
pub(super) async fn check(aws: &Aws, config: &Config, posted: &Posted, wait: Duration, checks: &mut Checks) {
    let reader = |url: &QueueUrl| QueueReader::new(aws, url.clone(), HIDDEN);
    let events = reader(&config.queue_url);
    let quarantine = config.quarantine_queue_url.as_ref().map(reader);
    let found = find(posted, &events, quarantine.as_ref(), wait).await;
    let others = events.held_count();
    // If this fails, they become visible again after HIDDEN.
    let _ = events.release().await;
    if let Some(quarantine) = &quarantine {
        let _ = quarantine.release().await;
    }
    match found {
        Ok(Some(Place::Queue)) if others == 0 => {
            checks.ok("event", "call.doctor reached the queue and was deleted");
        }
        Ok(Some(Place::Queue)) => {
            let detail = format!("call.doctor reached the queue behind {others} other messages and was deleted");
            checks.ok("event", detail);
        }
        Ok(Some(Place::Quarantine { reason })) => {
            let detail = format!("it was in quarantine, and was deleted: {reason}");
            checks.failed("event", detail, next_for_the_reason(&reason));
        }
        Ok(None) => nowhere(aws, config, posted, wait, checks).await,
        Err(error) => {
            let next = "Use credentials that allow sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility, or \
                        give --no-receive";
            checks.failed("event", error.to_string(), next);
        }
    }
}

/// Where the test webhook was found.
enum Place {
    Queue,
    Quarantine { reason: String },
}

/// Polls both queues in turn. A webhook that was answered with 200 is on one of them.
async fn find(
    posted: &Posted,
    events: &QueueReader,
    mut quarantine: Option<&QueueReader>,
    wait: Duration,
) -> anyhow::Result<Option<Place>> {
    let (start, mut unreadable) = (Instant::now(), None);
    while start.elapsed() < wait {
        let has_event = |message: &Message| posted.is_event(message).then_some(());
        let own = take(events, has_event).await.map_err(|error| anyhow!("the queue cannot be read: {error}"))?;
        if !own.is_empty() {
            return Ok(Some(Place::Queue));
        }
        if let Some(readable) = quarantine {
            match in_quarantine(posted, readable).await {
                Ok(Some(record)) => return Ok(Some(Place::Quarantine { reason: record.reason })),
                Ok(None) => {}
                Err(error) => {
                    // The event may still reach the queue.
                    unreadable = Some(format!("the quarantine cannot be read: {error}"));
                    quarantine = None;
                }
            }
        }
        if is_over(events) && quarantine.is_none_or(is_over) {
            break;
        }
    }
    unreadable.map_or(Ok(None), |why| Err(anyhow::Error::msg(why)))
}

/// Takes all parts of the test webhook out of the quarantine.
async fn in_quarantine(posted: &Posted, quarantine: &QueueReader) -> anyhow::Result<Option<Quarantined>> {
    let own_record = |message: &Message| {
        let record: Quarantined = serde_json::from_str(message.body.as_deref()?).ok()?;
        posted.is_quarantined_as(&record).then_some(record)
    };
    let mut own = take(quarantine, own_record).await?;
    for _ in 0..LOOKS_FOR_OTHER_PARTS {
        if own.first().is_none_or(|record| own.len() >= record.parts) {
            break;
        }
        own.extend(take(quarantine, own_record).await?);
    }
    Ok(own.into_iter().next())
}

/// Whether enough other messages were received: SQS counts a receive for each.
fn is_over(queue: &QueueReader) -> bool {
    queue.held_count() >= MOST_OTHERS
}

/// Receives once, and deletes the messages that belong to the test webhook.
async fn take<T>(queue: &QueueReader, own: impl Fn(&Message) -> Option<T>) -> anyhow::Result<Vec<T>> {
    if is_over(queue) {
        return Ok(Vec::new());
    }
    let most = BATCH.min(MOST_OTHERS - queue.held_count());
    let (mut taken, mut ids) = (Vec::new(), Vec::new());
    for message in queue.receive(most, WAIT_FOR_A_MESSAGE).await?.new {
        if let Some(found) = own(&message) {
            taken.push(found);
            ids.extend(message.message_id);
        }
    }
    queue.delete(&ids).await.map_err(|error| anyhow!("it arrived, but cannot be deleted: {error}"))?;
    Ok(taken)
}

/// Reports a webhook that is on neither of the two queues.
async fn nowhere(aws: &Aws, config: &Config, posted: &Posted, wait: Duration, checks: &mut Checks) {
    if let Some(url) = &config.failover_queue_url {
        let failover = QueueReader::new(aws, url.clone(), HIDDEN);
        let found = find(posted, &failover, None, WAIT_AT_FAILOVER).await;
        let _ = failover.release().await;
        if let Ok(Some(_)) = found {
            let next = "Check the function's log: it says why the first queue failed";
            return checks.warning("event", "call.doctor reached the failover queue", next);
        }
    }
    let queues = if config.quarantine_queue_url.is_some() {
        "neither on the queue nor in quarantine"
    } else {
        "not on the queue"
    };
    let detail = format!("it was answered with 200, but was {queues} within {} s", wait.as_secs());
    let next = format!(
        "If a subscriber reads this queue, it was probably faster: look for voice_id {} there, and use --no-receive next \
         time. Otherwise look up request id {} in the function's log. The URL may also belong to another deployment with \
         other queues, or many messages may be waiting in front of it",
        posted.voice_id, posted.request_id
    );
    checks.failed("event", detail, next);
}

/// What to do if the test webhook is in quarantine.
fn next_for_the_reason(reason: &str) -> &'static str {
    match reason {
        "undecryptable" => {
            "The function has a different AppID. A changed secret takes effect within seconds: try again. Otherwise check that \
             --app and the URL name the same app and, without --stack, that this environment has the function's AppID"
        }
        "malformed" => {
            "Check that ALLOWED_ALGORITHMS is the same here and in the function; the function's log says in detail what it \
             rejects"
        }
        "too_old" => "Set this machine's clock, or raise MAX_EVENT_AGE_SECONDS: the test event was created moments ago",
        "app_id_unavailable" => {
            "The function could not read every version of the secret, so it kept the webhook undecided. Check its log; often \
             its role lacks a permission. Then run voicehook redrive for the other webhooks"
        }
        _ => "Check the function's log: it says why",
    }
}
