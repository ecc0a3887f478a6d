//! `voicehook redrive`: opens quarantined webhooks with today's AppIDs and sends their events to the queue.
//!
//! A message leaves the quarantine only after SQS took its event. Killed in between, the event is sent again by the next
//! run, with the same deduplication id: within five minutes a FIFO queue drops it.

mod parts;
mod quarantine;

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use tokio::time::Instant;
use voicehook::{
    app_id::{AppIds, Apps, ConfiguredSource, Token},
    aws::Aws,
    config::Config,
    event::Event,
    gateway::{Opener, Refusal, Times, Unopened},
    queue::{Delivery, EventFormat, Quarantined, Queue, QueueError, QueueUrl, Sent, Sqs},
    telemetry::{self, Stages},
    webhook::{ALGORITHM_HEADER, ALGORITHM_HEADER_AS_DOCUMENTED},
};

use self::{
    parts::{Assembly, Complete, Meaning},
    quarantine::QuarantineQueue,
};
use crate::{aws_configuration, console};

/// A run that takes longer than the visibility timeout meets what it left behind again. After so many batches of
/// nothing else, it has seen everything.
const BATCHES_WITH_NOTHING_NEW: u32 = 3;
/// The most apps that the summary names: what is in quarantine may have been written by a stranger.
const MOST_APPS_NAMED: usize = 20;
/// The reason of webhooks whose app and token nobody could check.
const APP_ID_UNAVAILABLE: &str = "app_id_unavailable";
/// The reason of webhooks that no AppID opens.
const UNDECRYPTABLE: &str = "undecryptable";
/// Time for one event to reach its queue.
const DEADLINE: Duration = Duration::from_secs(10);

/// Sends quarantined webhooks to the queue, after what was wrong has been put right
#[derive(Args)]
#[command(after_help = "The AppIDs come from ENABLEX_APP_ID or ENABLEX_APP_ID_SECRET, as for the function.

It ends with a table of what became of the webhooks. What did not open is named by its reason and left in quarantine, visible \
again for the next run; so are webhooks of which parts are missing. With ALLOW_PLAINTEXT=true, events that were not encrypted \
(reason malformed) are sent too.

Status: 0 if everything that is complete was sent, 1 if something was left, 2 if the command line is wrong.

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
    #[arg(long, value_parser = ["undecryptable", "malformed", "too_old", "too_large", APP_ID_UNAVAILABLE])]
    reason: Option<String>,
    /// Ends after this many webhooks
    #[arg(long)]
    max: Option<usize>,
    /// Seconds for which a message that was looked at stays hidden from other readers. Less than the five minutes of
    /// FIFO deduplication, so that a run that was killed can be repeated in time
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(i32).range(1..=240))]
    visibility_timeout: i32,
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
        let from = QueueUrl::new(&self.from).map_err(|error| format!("--from {error}"))?;
        let quarantine = QuarantineQueue::new(Sqs::client(&aws, &from, DEADLINE), from, self.visibility_timeout);
        let run = Run {
            options: &self,
            quarantine,
            // Whoever redrives wants the events however old they are.
            opener: Opener { accept: config.settings.accept, max_event_age: None, app_ids },
            event_format: config.settings.event_format,
            to: Sqs::new(&aws, config.queue_url),
            assembly: Assembly::default(),
            results: BTreeMap::new(),
            apps_named: BTreeSet::new(),
        };
        run.to_its_end().await
    }
}

/// Results that are as they should be. All others are left in quarantine, and named.
const SENT: &str = "sent to the queue";
const WOULD_SEND: &str = "would be sent to the queue";
const PASSED_OVER: &str = "passed over (another reason)";
const INCOMPLETE: &str = "incomplete: parts missing";

/// One run.
struct Run<'r> {
    options: &'r Redrive,
    quarantine: QuarantineQueue,
    opener: Opener<ConfiguredSource>,
    event_format: EventFormat,
    to: Sqs,
    assembly: Assembly,
    /// How many webhooks have which result.
    results: BTreeMap<String, usize>,
    apps_named: BTreeSet<String>,
}

impl Run<'_> {
    async fn to_its_end(mut self) -> Result<ExitCode, String> {
        let worked = self.work().await;
        self.quarantine.give_back(&self.assembly).await;
        let incomplete = self.assembly.incomplete();
        if worked == Ok(true) && incomplete > 0 {
            self.results.insert(INCOMPLETE.to_owned(), incomplete);
        }
        console::table("webhooks", &self.results);
        self.name_slips();
        worked?;
        let is_fine = |result: &String| [SENT, WOULD_SEND, PASSED_OVER, INCOMPLETE].contains(&result.as_str());
        Ok(if self.results.keys().all(is_fine) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// An AppID that looks wrong explains best why nothing opens.
    fn name_slips(&self) {
        if self.results.keys().any(|result| result.starts_with(&format!("left: {UNDECRYPTABLE}"))) {
            for slip in self.opener.app_ids.known().versions().flat_map(Apps::slips) {
                console::line(format_args!("{slip}; correct the AppID and redrive again"));
            }
        }
    }

    /// Works through the quarantine. True where that was to its end, false where `--max` ended it.
    async fn work(&mut self) -> Result<bool, String> {
        let (mut nothing_new, mut taken) = (0, 0);
        while nothing_new < BATCHES_WITH_NOTHING_NEW {
            let batch = self.quarantine.receive().await?;
            if batch.is_empty() {
                break;
            }
            nothing_new += 1;
            for message in batch {
                let message_id = message.message_id.clone();
                let (is_new, meaning) = self.assembly.add(message);
                nothing_new = if is_new { 0 } else { nothing_new };
                let result = match meaning {
                    Meaning::Nothing => continue,
                    Meaning::Superfluous => {
                        self.quarantine.delete(&[message_id], &mut self.assembly).await?;
                        continue;
                    }
                    Meaning::Unreadable(why) => why.to_owned(),
                    Meaning::Complete(webhook) => self.redrive(&webhook).await?,
                };
                taken += usize::from(result != PASSED_OVER);
                *self.results.entry(result).or_default() += 1;
                console::progress(format_args!("{taken} webhooks"));
                if self.options.max.is_some_and(|max| taken >= max) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Sends a webhook's event, and says what became of it.
    async fn redrive(&mut self, webhook: &Complete) -> Result<String, String> {
        let record = &webhook.record;
        if self.options.reason.as_ref().is_some_and(|reason| *reason != record.reason) {
            return Ok(PASSED_OVER.to_owned());
        }
        let event = match self.open(webhook).await? {
            Ok(event) => event,
            Err(why) => return Ok(why),
        };
        if self.options.dry_run {
            return Ok(WOULD_SEND.to_owned());
        }
        match self.send(event, record).await {
            Ok(_) => {
                self.assembly.sent(webhook);
                self.quarantine.delete(&webhook.messages, &mut self.assembly).await?;
                Ok(SENT.to_owned())
            }
            Err(QueueError::TooLarge { limit, .. }) => Ok(left(Refusal::TooLarge { limit }.reason(), record)),
            Err(error) => Err(format!("--to: {error}; what was not sent is still in quarantine")),
        }
    }

    /// The event, or why the webhook is left in quarantine.
    async fn open(&mut self, webhook: &Complete) -> Result<Result<Event, String>, String> {
        let Complete { record, body, .. } = webhook;
        let headers = record.header_map();
        let is_encrypted =
            [ALGORITHM_HEADER, ALGORITHM_HEADER_AS_DOCUMENTED].iter().any(|name| headers.contains_key(*name));
        // Only encryption or a token tells an event of EnableX, and of the token nothing is known here.
        if record.reason == APP_ID_UNAVAILABLE && !is_encrypted {
            return Ok(Err("left: not encrypted, and its token could not be checked".to_owned()));
        }
        let arrived = Instant::now();
        let times = Times { arrived, deadline: arrived + DEADLINE };
        let reason = match self.opener.open(&headers, body, &record.app, times, &mut Stages::default()).await {
            Ok(event) => return Ok(Ok(event)),
            Err(Unopened::AppIdUnavailable(error)) => return Err(error.to_string()),
            Err(Unopened::Malformed(malformed)) => Refusal::Malformed(malformed).reason(),
            Err(Unopened::NoSuchApp) => return Ok(Err(self.app_not_configured(&record.app))),
            Err(Unopened::Undecryptable(fault) | Unopened::Unreadable(fault)) => Refusal::Undecryptable(fault).reason(),
            Err(Unopened::TooOld) => Refusal::TooOld.reason(),
            Err(_) => "not opened",
        };
        Ok(Err(left(reason, record)))
    }

    /// Names the app, unless it could be a token in the wrong place of a URL.
    fn app_not_configured(&mut self, app: &str) -> String {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let may_be_shown = app.len() < Token::SHORTEST && app.chars().all(is_plain);
        let is_known = self.apps_named.contains(app);
        if may_be_shown && (is_known || self.apps_named.len() < MOST_APPS_NAMED) {
            self.apps_named.insert(app.to_owned());
            return format!("left: app {app} is not configured");
        }
        "left: its app is not configured".to_owned()
    }

    /// Sends the message that the function would have made when the webhook came.
    async fn send(&self, event: Event, record: &Quarantined) -> Result<Sent, QueueError> {
        let Quarantined { app, received_at, request_id, .. } = record;
        let invocation_id = record.invocation_id();
        let delivery = Delivery { app, received_at: *received_at, request_id, invocation_id, trace_header: None };
        let message = self.event_format.message(event, &delivery, self.to.kind());
        self.to.send(message, Instant::now() + DEADLINE).await
    }
}

/// A webhook that did not open: for which reason, and for which other one it came into quarantine.
fn left(reason: &str, record: &Quarantined) -> String {
    if reason == record.reason {
        format!("left: {reason}")
    } else {
        format!("left: {reason} (was {:?})", record.reason)
    }
}
