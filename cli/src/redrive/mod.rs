//! `voicehook redrive`: decrypts quarantined webhooks with the current AppIDs and sends their events to the queue.
//!
//! A message is deleted from the quarantine only after SQS has accepted its event. If the process is killed in between, the
//! next run sends the event again with the same deduplication id, and a FIFO queue drops it within five minutes.

mod run;

use std::{path::PathBuf, process::ExitCode};

use anyhow::anyhow;
use clap::Args;
use voicehook_lambda::{config::Config, telemetry};

use self::run::Run;
use crate::{
    aws,
    quarantine::{APP_ID_UNAVAILABLE, Reopener},
    queue::{self, QueueReader},
    recording::Writer,
    setting,
};

/// Placeholder for the queue of the events, where nothing is sent.
const NO_QUEUE: &str = "http://localhost/no/queue";

/// Sends quarantined webhooks to the queue once the cause is fixed
#[derive(Args)]
#[command(after_help = "The AppIDs come from ENABLEX_APP_ID or ENABLEX_APP_ID_SECRET, as for the function.

Prints a summary of what happened to the webhooks, and names those that are left, each with its request id and reason. They \
stay in quarantine, and are visible again at once; so do webhooks with missing parts. With ALLOW_PLAINTEXT=true, events that were not encrypted \
(reason malformed) are sent too.

Exit status: 0 if every complete webhook was sent, 1 if some were left, 2 if the command line is invalid.

Examples:
  voicehook redrive --from $QUARANTINE_QUEUE_URL --to $QUEUE_URL --dry-run
  voicehook redrive --from $QUARANTINE_QUEUE_URL --to $QUEUE_URL --max 100
  voicehook redrive --from $QUARANTINE_QUEUE_URL --dry-run --record quarantine.jsonl --redact")]
pub(crate) struct Redrive {
    /// URL of the quarantine queue
    #[arg(long, env = "QUARANTINE_QUEUE_URL", value_name = "URL")]
    from: Option<String>,
    /// URL of the queue that the events go to; not needed for a recording
    #[arg(long, env = "QUEUE_URL", value_name = "URL")]
    to: Option<String>,
    /// How the messages carry their events: raw, the default, or cloudevents
    #[arg(long, env = "EVENT_FORMAT", value_name = "FORMAT")]
    event_format: Option<String>,
    /// Decrypts the webhooks and reports what would happen, without sending or deleting anything
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: appends the webhooks to a recording, which voicehook trigger scenario --file plays back
    #[arg(long, value_name = "FILE", requires = "dry_run")]
    record: Option<PathBuf>,
    /// Replaces phone numbers, ids, URLs and `custom_data` in the recording, equal ones by the same replacement, and leaves
    /// the bodies out. Other text stays; its fields are named on standard error
    #[arg(long, requires = "record")]
    redact: bool,
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
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        telemetry::start_for_a_terminal();
        let from = queue::named("--from", "QUARANTINE_QUEUE_URL", self.from.as_deref())?;
        let is_given = self.to.as_deref().and_then(setting::given).is_some();
        let to = if self.record.is_some() && !is_given { Some(NO_QUEUE) } else { self.to.as_deref() };
        let to = queue::named("--to", "QUEUE_URL", to)?;
        if from == to {
            return Err(anyhow!(
                "--from and --to are the same queue; --from is the quarantine, --to the queue of the events"
            ));
        }
        let variable = |name: &str| match name {
            "QUEUE_URL" => Some(to.as_str().to_owned()),
            "FAILOVER_QUEUE_URL" | "QUARANTINE_QUEUE_URL" | "ACTIONS" => None,
            "EVENT_FORMAT" => self.event_format.clone(),
            _ => std::env::var(name).ok(),
        };
        let config = Config::read(variable)?;
        let aws = aws::connect(config.queue_url.region().or(from.region())).await?;
        let reopener = Reopener::new(config, &aws).await?;
        let writer = self.record.as_deref().map(|path| Writer::open(path, self.redact)).transpose()?;
        let quarantine = QueueReader::new(&aws, from, self.visibility_timeout);
        Run::new(&self, quarantine, reopener).finish(writer).await
    }
}
