//! `voicehook redrive`: opens quarantined webhooks with today's AppIDs and sends their events to the queue.
//!
//! A message leaves the quarantine only after SQS took its event. Killed in between, the event is sent again by the next
//! run, with the same deduplication id: within five minutes a FIFO queue drops it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    process::ExitCode,
    time::Duration,
};

use aws_sdk_sqs::Client;
use clap::Args;
use tokio::time::Instant;
use voicehook::{
    app_id::{AppIds, Apps, ConfiguredSource},
    aws::{Aws, described},
    config::Config,
    event::Event,
    gateway::{Opener, Refusal, Times, Unopened},
    queue::{Delivery, EventFormat, Quarantined, Queue, QueueError, QueueUrl, Sent, Sqs},
    telemetry::{self, Stages},
};

use crate::{aws_configuration, console};

/// A run that takes longer than the visibility time-out meets what it left behind again. After so many batches of
/// nothing else, it has seen everything.
const BATCHES_WITH_NOTHING_NEW: u32 = 3;
/// Time for one event to reach its queue.
const DEADLINE: Duration = Duration::from_secs(10);

/// Sends quarantined webhooks to the queue, after what was wrong has been put right
#[derive(Args)]
#[command(after_help = "The AppIDs come from ENABLEX_APP_ID or ENABLEX_APP_ID_SECRET, as for the function.

Examples:
  voicehook redrive --from https://sqs.us-east-1.amazonaws.com/123456789012/voicehook-quarantine --dry-run
  voicehook redrive --from QUARANTINE_URL --to QUEUE_URL --reason undecryptable --max 100")]
pub(crate) struct Redrive {
    /// URL of the quarantine queue
    #[arg(long, env = "QUARANTINE_QUEUE_URL")]
    from: String,
    /// URL of the queue that the events go to
    #[arg(long, env = "QUEUE_URL")]
    to: String,
    /// How the messages carry their events: raw, the default, or cloudevents
    #[arg(long, env = "EVENT_FORMAT", value_name = "FORMAT")]
    event_format: Option<String>,
    /// Opens the webhooks and says what would happen; sends and deletes nothing
    #[arg(long)]
    dry_run: bool,
    /// Only webhooks that are in quarantine for this reason
    #[arg(long, value_parser = ["undecryptable", "malformed", "too_old", "too_large", "app_id_unavailable"])]
    reason: Option<String>,
    /// Ends after this many webhooks
    #[arg(long)]
    max: Option<usize>,
    /// Seconds for which a message that was looked at stays hidden from other readers. Less than the five minutes of
    /// FIFO deduplication, so that a run that was killed can be repeated in time
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(i32).range(1..=240))]
    visibility_timeout: i32,
}

/// A message as it was received, and the receipt to delete it with.
struct Part {
    record: Quarantined,
    receipt: String,
}

impl Redrive {
    /// Works through the quarantine; success is that every webhook that was meant is on the queue.
    #[tokio::main]
    pub(crate) async fn run(self) -> Result<ExitCode, String> {
        telemetry::start_for_a_terminal();
        let aws = Aws::new(aws_configuration().await);
        let variable = |name: &str| match name {
            "QUEUE_URL" => Some(self.to.clone()),
            "FAILOVER_QUEUE_URL" | "QUARANTINE_QUEUE_URL" => None,
            "EVENT_FORMAT" => self.event_format.clone(),
            _ => std::env::var(name).ok(),
        };
        let config = Config::read(variable).map_err(|error| error.to_string())?;
        let app_ids = AppIds::new(ConfiguredSource::new(config.app_id, &aws), config.app_id_ttl);
        app_ids.first(Instant::now() + DEADLINE).await.map_err(|error| error.to_string())?;
        // Whoever redrives wants the events however old they are.
        let opener = Opener { accept: config.settings.accept, max_event_age: None, app_ids };
        let event_format = config.settings.event_format;
        let to = Destination { queue: Sqs::new(&aws, config.queue_url, DEADLINE), event_format };
        let from = QueueUrl::new(&self.from).map_err(|error| format!("--from {error}"))?;
        let quarantine = Source {
            client: Sqs::client(&aws, &from, DEADLINE),
            url: self.from.clone(),
            visibility: self.visibility_timeout,
        };

        let results = self.work(&quarantine, &opener, &to).await?;
        console::table("webhooks", &results);
        if results.contains_key(UNDECRYPTABLE) {
            let known = opener.app_ids.known();
            for slip in known.versions().flat_map(Apps::slips) {
                console::line(format_args!("{slip}; correct the AppID and redrive again"));
            }
        }
        let done = results.keys().all(|result| matches!(*result, SENT | WOULD_SEND | PASSED_OVER));
        Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn work(
        &self,
        quarantine: &Source,
        opener: &Opener<ConfiguredSource>,
        to: &Destination,
    ) -> Result<BTreeMap<&'static str, usize>, String> {
        let mut results = BTreeMap::new();
        let mut incomplete: HashMap<String, Vec<Part>> = HashMap::new();
        let mut left = HashSet::new();
        let mut taken = 0;
        let mut nothing_new = 0;
        'all: while nothing_new < BATCHES_WITH_NOTHING_NEW {
            let batch = quarantine.receive().await?;
            if batch.is_empty() {
                break;
            }
            nothing_new += 1;
            for part in batch {
                let Some(part) = part else {
                    *results.entry(NOT_OURS).or_default() += 1;
                    continue;
                };
                let id = part.record.id.clone();
                if left.contains(&id) {
                    continue;
                }
                nothing_new = 0;
                let parts = incomplete.entry(id.clone()).or_default();
                // The same part once more, after its visibility ran out: the later receipt is the one that counts.
                parts.retain(|known| known.record.part != part.record.part);
                parts.push(part);
                if parts.len() < parts[0].record.parts {
                    continue;
                }
                let parts = incomplete.remove(&id).unwrap_or_default();
                let result = self.redrive(parts, quarantine, opener, to).await?;
                *results.entry(result).or_default() += 1;
                if result != SENT {
                    left.insert(id);
                }
                taken += usize::from(result != PASSED_OVER);
                console::progress(format_args!("{taken} webhooks"));
                if self.max.is_some_and(|max| taken >= max) {
                    break 'all;
                }
            }
        }
        if !incomplete.is_empty() {
            *results.entry(INCOMPLETE).or_default() += incomplete.len();
        }
        Ok(results)
    }

    async fn redrive(
        &self,
        mut parts: Vec<Part>,
        quarantine: &Source,
        opener: &Opener<ConfiguredSource>,
        to: &Destination,
    ) -> Result<&'static str, String> {
        parts.sort_by_key(|part| part.record.part);
        let record = &parts[0].record;
        if self.reason.as_ref().is_some_and(|reason| *reason != record.reason) {
            return Ok(PASSED_OVER);
        }
        let Some(bodies) = parts.iter().map(|part| part.record.body()).collect::<Option<Vec<_>>>() else {
            return Ok(NOT_OURS);
        };
        let arrived = Instant::now();
        let times = Times { arrived, deadline: arrived + DEADLINE };
        let (headers, body) = (record.header_map(), bodies.concat());
        let event = match opener.open(&headers, &body, &record.app, times, &mut Stages::default()).await {
            Ok(event) => event,
            Err(Unopened::AppIdUnavailable(error)) => {
                tracing::warn!(%error, request_id = record.request_id, "left: it may open with a version of the secret that could not be read");
                return Ok(Refusal::AppIdUnavailable(error).reason());
            }
            Err(Unopened::Malformed(malformed)) => return Ok(Refusal::Malformed(malformed).reason()),
            Err(Unopened::Undecryptable(_) | Unopened::Unreadable(_)) => return Ok(UNDECRYPTABLE),
            Err(Unopened::NoSuchApp) => return Ok(NO_SUCH_APP),
            Err(_) => return Ok(Refusal::TooOld.reason()),
        };
        if self.dry_run {
            return Ok(WOULD_SEND);
        }
        match to.send(event, record).await {
            Ok(_) => {
                quarantine.delete(&parts).await?;
                Ok(SENT)
            }
            Err(QueueError::TooLarge { limit, .. }) => Ok(Refusal::TooLarge { limit }.reason()),
            Err(error) => Err(format!("--to: {error}; what was not sent is still in quarantine")),
        }
    }
}

const SENT: &str = "sent to the queue";
const WOULD_SEND: &str = "would be sent to the queue";
const PASSED_OVER: &str = "passed over (another reason)";
const UNDECRYPTABLE: &str = "undecryptable";
const NO_SUCH_APP: &str = "left: no app of that name";
const NOT_OURS: &str = "left: not written by voicehook";
const INCOMPLETE: &str = "left: parts are missing";

/// The queue that the events go to.
struct Destination {
    queue: Sqs,
    event_format: EventFormat,
}

impl Destination {
    /// Sends the message that the function would have made when the webhook came.
    async fn send(&self, event: Event, record: &Quarantined) -> Result<Sent, QueueError> {
        let Quarantined { app, received_at, request_id, .. } = record;
        let delivery = Delivery { app, received_at: *received_at, request_id, trace_header: None };
        let message = self.event_format.message(event, &delivery, self.queue.kind());
        self.queue.send(message, Instant::now() + DEADLINE).await
    }
}

/// The quarantine queue.
struct Source {
    client: Client,
    url: String,
    visibility: i32,
}

impl Source {
    /// The next messages; `None` for one that is no quarantined webhook.
    async fn receive(&self) -> Result<Vec<Option<Part>>, String> {
        let receive = self.client.receive_message().queue_url(&self.url).max_number_of_messages(10);
        let received = receive.visibility_timeout(self.visibility).wait_time_seconds(1).send().await;
        let received = received.map_err(|error| format!("--from: {}", described(&error)))?;
        let parts = received.messages.unwrap_or_default().into_iter().map(|message| {
            let record: Quarantined = serde_json::from_str(&message.body?).ok()?;
            (record.version == 1).then_some(Part { record, receipt: message.receipt_handle? })
        });
        Ok(parts.collect())
    }

    async fn delete(&self, parts: &[Part]) -> Result<(), String> {
        for part in parts {
            let delete = self.client.delete_message().queue_url(&self.url).receipt_handle(&part.receipt);
            delete.send().await.map_err(|error| format!("--from: {}", described(&error)))?;
        }
        Ok(())
    }
}
