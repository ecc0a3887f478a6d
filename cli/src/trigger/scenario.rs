//! `voicehook trigger scenario`: sends the events of a whole call, or of a recording, with the pauses of a real one.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use voicehook_lambda::event::Event;

use super::{
    expectation::Expectation,
    target::{Resolved, Target},
};
use crate::{
    console,
    printable::one_line,
    recording::Recording,
    scenarios::{self, Moment, RECIPIENTS, SCENARIOS, Scenario},
    send::{Answer, Connection, EncryptionArgs, WebhookRequest},
};

/// How many webhooks are sent at the same time, at most.
const MAX_CONCURRENCY: usize = 50;

/// Play a whole call, with the events and pauses of a real one
#[derive(Args)]
#[command(
    after_help = "Simultaneous events are sent concurrently, as EnableX sends them. A receiver answers 200 to every event that it \
keeps, on the queue or in quarantine. Exit status: 0 if every answer was 200, 1 if not, 2 on a usage error.

Examples:
  voicehook trigger scenario --list
  voicehook trigger scenario inbound-ivr
  voicehook trigger scenario broadcast --recipients 100 --fast
  voicehook trigger scenario recording-race --fast --json
  voicehook trigger scenario --file call.jsonl"
)]
pub(super) struct PlayScenario {
    /// The scenario
    #[arg(required_unless_present_any = ["list", "file"], value_parser = SCENARIOS.iter().map(|scenario| scenario.name).collect::<Vec<_>>())]
    name: Option<String>,
    /// Play a recording of `voicehook dev --record`, with its events encrypted again; - reads standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "list", "recipients"])]
    file: Option<PathBuf>,
    /// List the scenarios with a description, and exit
    #[arg(long)]
    list: bool,
    /// Send without delays; the timestamps of a scenario's events end now, and those of a recording stay as they are
    #[arg(long)]
    fast: bool,
    /// How many numbers the broadcast scenario calls
    #[arg(long, default_value_t = RECIPIENTS, value_parser = recipients)]
    recipients: usize,
    /// Print a line of JSON for each event
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    encryption: EncryptionArgs,
    #[command(flatten)]
    target: Target,
}

fn recipients(text: &str) -> anyhow::Result<usize> {
    text.parse()
        .ok()
        .filter(|number| (1..=10_000).contains(number))
        .ok_or_else(|| anyhow::Error::msg("expected 1 to 10000"))
}

/// The events of a recording. Says which lines have none.
fn recorded(file: &Path) -> anyhow::Result<Vec<Moment>> {
    let recording = Recording::read(file)?;
    let (moments, file) = (recording.moments(), file.display());
    if moments.is_empty() {
        return Err(anyhow!("{file}: no line has an \"event\" to send"));
    }
    for line in recording.without_event() {
        console::note(format_args!("{file}: line {line} is not sent, because it has no \"event\""));
    }
    Ok(moments)
}

/// A sent event and its answer.
struct Sent {
    event: String,
    answer: anyhow::Result<Answer>,
}

impl PlayScenario {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(file) = &self.file {
            let moments = recorded(file)?;
            return self.play(moments);
        }
        let Some(scenario) = self.name.as_deref().and_then(Scenario::from_name) else {
            for scenario in SCENARIOS {
                let moments = scenario.moments(Timestamp::now(), RECIPIENTS);
                let seconds = scenarios::duration(&moments).as_secs_f64();
                console::line(format_args!("{:<16} {seconds:>3.0} s  {}", scenario.name, scenario.about));
            }
            return Ok(ExitCode::SUCCESS);
        };
        let mut moments = scenario.moments(Timestamp::now(), self.recipients);
        if self.fast {
            let begin = Timestamp::now() - scenarios::duration(&moments);
            moments = scenario.moments(begin, self.recipients);
        }
        self.play(moments)
    }

    #[tokio::main]
    async fn play(&self, moments: Vec<Moment>) -> anyhow::Result<ExitCode> {
        let target = self.target.resolve().await?;
        let connections = (0..MAX_CONCURRENCY).map(|_| Connection::new(&target.url));
        let connections = connections.collect::<anyhow::Result<Vec<_>>>()?;
        let start = Instant::now();
        let mut due = Duration::ZERO;
        let (mut kept, mut all) = (0, 0);
        for moment in moments {
            if !self.fast {
                due += moment.delay;
                tokio::time::sleep(due.saturating_sub(start.elapsed())).await;
            }
            for events in moment.events.chunks(MAX_CONCURRENCY) {
                let at = start.elapsed();
                let sent = tokio::task::block_in_place(|| self.send(events, &connections, &target))?;
                for sent in sent {
                    all += 1;
                    kept += usize::from(self.show(at, sent, &target.shown)?);
                }
            }
        }
        if !self.json {
            console::line(format_args!("{kept} of {all} events were kept."));
        }
        Ok(if kept == all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Sends events concurrently and waits for all answers.
    fn send(&self, events: &[String], connections: &[Connection], target: &Resolved) -> anyhow::Result<Vec<Sent>> {
        let encrypted = events.iter().map(|event| WebhookRequest::encrypt(event, target.app_id()?, &self.encryption));
        let webhooks: Vec<WebhookRequest> = encrypted.collect::<Result<_, _>>()?;
        Ok(thread::scope(|scope| {
            let inflight: Vec<_> = webhooks
                .iter()
                .zip(connections)
                .map(|(webhook, connection)| scope.spawn(|| connection.send(webhook)))
                .collect();
            let answers =
                inflight.into_iter().map(|answer| answer.join().unwrap_or_else(|_| Err(anyhow::Error::msg("failed"))));
            events.iter().zip(answers).map(|(event, answer)| Sent { event: event.clone(), answer }).collect()
        }))
    }

    /// Prints the result of an event, and returns whether it was kept. Fails if there was no answer at all.
    fn show(&self, at: Duration, Sent { event, answer }: Sent, shown: &str) -> anyhow::Result<bool> {
        let Answer { status, request_id, body } = answer.map_err(|error| anyhow!("{shown} {error}"))?;
        let kept = Expectation::default().is_kept(status);
        let event_type = Event::from_json(event.clone()).map(|event| event.event_type().into_owned());
        let event_type = event_type.unwrap_or_default();
        let seconds = at.as_secs_f64();
        if self.json {
            console::line(json!({
                "seconds": seconds, "event_type": event_type, "status": status, "kept": kept, "request_id": request_id,
                "event": event,
            }));
        } else {
            let more = if kept { format!("kept  {}", request_id.unwrap_or_default()) } else { body };
            let more = one_line(&more);
            console::line(format_args!("{seconds:>6.1} s  {event_type:<28} {status}  {more}"));
        }
        Ok(kept)
    }
}
