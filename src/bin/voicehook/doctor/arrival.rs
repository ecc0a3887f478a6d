//! What became of the test webhook: the answer does not tell, so the queues are read.
//!
//! Only what is the test webhook's own is taken off. What else is received on the way is made visible again at once.

use std::time::{Duration, Instant};

use aws_sdk_sqs::{
    Client,
    types::{ChangeMessageVisibilityBatchRequestEntry, Message},
};
use voicehook::{
    aws::{Aws, described},
    config::Config,
    queue::{Quarantined, QueueUrl},
};

use super::{checks::Checks, queues, test_webhook::Posted};

/// How many messages of others are held at most while looking for the own one. Each counts as received.
const MOST_OTHERS: usize = 100;
/// The most messages in one request.
const BATCH: i32 = 10;
/// For how long they are hidden where this program is killed meanwhile, in seconds.
const HIDDEN: i32 = 20;
/// For how long an empty queue is waited at, in seconds.
const WAIT_FOR_A_MESSAGE: i32 = 1;
/// How long the failover queue is looked at, which is read only after the others.
const WAIT_AT_FAILOVER: Duration = Duration::from_secs(5);
/// How often the rest of a webhook is looked for that is in quarantine in several parts.
const LOOKS_FOR_OTHER_PARTS: usize = 5;

/// Looks for the test webhook, and says where it is.
pub(super) async fn check(aws: &Aws, config: &Config, posted: &Posted, wait: Duration, checks: &mut Checks) {
    let search = |url| Search { client: queues::client(aws, url), url, others: Vec::new() };
    let mut events = search(&config.queue_url);
    let mut quarantine = config.quarantine_queue_url.as_ref().map(search);
    let found = find(posted, &mut events, quarantine.as_mut(), wait).await;
    let others = events.others.len();
    events.give_back().await;
    if let Some(quarantine) = &mut quarantine {
        quarantine.give_back().await;
    }
    match found {
        Ok(Some(Place::Queue)) if others == 0 => {
            checks.ok("event", "call.doctor came to the queue, and was taken off again");
        }
        Ok(Some(Place::Queue)) => {
            let detail = format!("call.doctor came to the queue behind {others} others, and was taken off again");
            checks.ok("event", detail);
        }
        Ok(Some(Place::Quarantine { reason })) => {
            let detail = format!("it is in quarantine, and was taken off again: {reason}");
            checks.failed("event", detail, next_for_the_reason(&reason));
        }
        Ok(None) => nowhere(aws, config, posted, wait, checks).await,
        Err(error) => {
            let next = "Use credentials with sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility, or \
                        give --no-receive";
            checks.failed("event", error, next);
        }
    }
}

/// Where the test webhook was found.
enum Place {
    Queue,
    Quarantine { reason: String },
}

/// Looks at both queues in turn: a webhook that was answered 200 is on one of them.
async fn find(
    posted: &Posted,
    events: &mut Search<'_>,
    mut quarantine: Option<&mut Search<'_>>,
    wait: Duration,
) -> Result<Option<Place>, String> {
    let (start, mut unreadable) = (Instant::now(), None);
    while start.elapsed() < wait {
        let has_event = |message: &Message| posted.is_event(message).then_some(());
        let own = events.take(has_event).await.map_err(|error| format!("the queue cannot be read: {error}"))?;
        if !own.is_empty() {
            return Ok(Some(Place::Queue));
        }
        if let Some(readable) = &mut quarantine {
            match in_quarantine(posted, readable).await {
                Ok(Some(record)) => return Ok(Some(Place::Quarantine { reason: record.reason })),
                Ok(None) => {}
                Err(error) => {
                    // The event may come to the queue all the same.
                    unreadable = Some(format!("the quarantine cannot be read: {error}"));
                    quarantine = None;
                }
            }
        }
        if events.is_over() && quarantine.as_ref().is_none_or(|quarantine| quarantine.is_over()) {
            break;
        }
    }
    unreadable.map_or(Ok(None), Err)
}

/// Takes the test webhook out of the quarantine, all parts of it.
async fn in_quarantine(posted: &Posted, quarantine: &mut Search<'_>) -> Result<Option<Quarantined>, String> {
    let own_record = |message: &Message| {
        let record: Quarantined = serde_json::from_str(message.body.as_deref()?).ok()?;
        posted.is_quarantined_as(&record).then_some(record)
    };
    let mut own = quarantine.take(own_record).await?;
    for _ in 0..LOOKS_FOR_OTHER_PARTS {
        if own.first().is_none_or(|record| own.len() >= record.parts) {
            break;
        }
        own.extend(quarantine.take(own_record).await?);
    }
    Ok(own.into_iter().next())
}

/// A queue that is being looked through.
struct Search<'q> {
    client: Client,
    url: &'q QueueUrl,
    /// What is not the test webhook's.
    others: Vec<Message>,
}

impl Search<'_> {
    fn is_over(&self) -> bool {
        self.others.len() >= MOST_OTHERS
    }

    /// Receives once, and takes off the queue what is the test webhook's.
    async fn take<T>(&mut self, own: impl Fn(&Message) -> Option<T>) -> Result<Vec<T>, String> {
        if self.is_over() {
            return Ok(Vec::new());
        }
        let receive = self.client.receive_message().queue_url(self.url.as_str()).message_attribute_names("voice_id");
        let most = i32::try_from(MOST_OTHERS - self.others.len()).unwrap_or(BATCH).min(BATCH);
        let receive = receive.max_number_of_messages(most).visibility_timeout(HIDDEN);
        let received = receive.wait_time_seconds(WAIT_FOR_A_MESSAGE).send().await;
        let messages = received.map_err(|error| described(&error))?.messages.unwrap_or_default();
        let (mut taken, mut undeleted) = (Vec::new(), Ok(()));
        for message in messages {
            let Some(found) = own(&message) else {
                self.others.push(message);
                continue;
            };
            let delete = self.client.delete_message().queue_url(self.url.as_str());
            if let Err(error) = delete.set_receipt_handle(message.receipt_handle).send().await {
                undeleted = Err(format!("it came, but cannot be deleted: {}", described(&error)));
            }
            taken.push(found);
        }
        undeleted.map(|()| taken)
    }

    /// Makes the messages of others visible to their readers again.
    async fn give_back(&mut self) {
        for batch in self.others.chunks(10) {
            let entries = batch.iter().enumerate().filter_map(|(index, message)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(index.to_string());
                entry.visibility_timeout(0).set_receipt_handle(message.receipt_handle.clone()).build().ok()
            });
            let request = self.client.change_message_visibility_batch().queue_url(self.url.as_str());
            // Where this fails they become visible by themselves, after HIDDEN.
            let _ = request.set_entries(Some(entries.collect())).send().await;
        }
    }
}

/// It is on neither of the two queues.
async fn nowhere(aws: &Aws, config: &Config, posted: &Posted, wait: Duration, checks: &mut Checks) {
    if let Some(url) = &config.failover_queue_url {
        let mut failover = Search { client: queues::client(aws, url), url, others: Vec::new() };
        let found = find(posted, &mut failover, None, WAIT_AT_FAILOVER).await;
        failover.give_back().await;
        if let Ok(Some(_)) = found {
            let next = "Read the function's log: it says why the first queue failed";
            return checks.warning("event", "call.doctor came to the failover queue", next);
        }
    }
    let queues = if config.quarantine_queue_url.is_some() {
        "neither on the queue nor in quarantine"
    } else {
        "not on the queue"
    };
    let detail = format!("it was answered 200 but is {queues} within {} s", wait.as_secs());
    let next = format!(
        "If a subscriber reads this queue, it was faster: look for voice_id {} there, and give --no-receive next time. Else \
         the function's log says what became of request id {}; or the URL is that of another deployment, with other queues; \
         or many messages wait in front of it",
        posted.voice_id, posted.request_id
    );
    checks.failed("event", detail, next);
}

/// What to do about a webhook that is in quarantine.
fn next_for_the_reason(reason: &str) -> &'static str {
    match reason {
        "undecryptable" => {
            "The function has another AppID. A changed secret is in use within seconds: look again then. Else see that --app \
             and the URL name the same app, and, without --stack, that this environment has the function's AppID"
        }
        "malformed" => {
            "See that ALLOWED_ALGORITHMS is the same here and in the function; the function's log says in detail what it \
             does not take"
        }
        "too_old" => {
            "Set the clock of this machine, or raise MAX_EVENT_AGE_SECONDS: the test event was made a moment ago"
        }
        "app_id_unavailable" => {
            "The function could not read every version of the secret, so it kept the webhook undecided: read its log, which is \
             often about a missing permission of its role, and run voicehook redrive for the others"
        }
        _ => "Read the function's log: it says why",
    }
}
