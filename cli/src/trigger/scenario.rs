//! `voicehook trigger scenario`: sends the events of a whole call, with the pauses of a real one.

use std::{
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
    scenarios::{self, RECIPIENTS, SCENARIOS, Scenario},
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
  voicehook trigger scenario recording-race --fast --json"
)]
pub(super) struct PlayScenario {
    /// The scenario
    #[arg(required_unless_present = "list", value_parser = SCENARIOS.iter().map(|scenario| scenario.name).collect::<Vec<_>>())]
    name: Option<String>,
    /// List the scenarios with a description, and exit
    #[arg(long)]
    list: bool,
    /// Send without delays; the events keep their timestamps, and the last one is now
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

/// A sent event and its answer.
struct Sent {
    event: String,
    answer: anyhow::Result<Answer>,
}

impl PlayScenario {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Some(scenario) = self.name.as_deref().and_then(Scenario::from_name) else {
            for scenario in SCENARIOS {
                let moments = scenario.moments(Timestamp::now(), RECIPIENTS);
                let seconds = scenarios::duration(&moments).as_secs_f64();
                console::line(format_args!("{:<16} {seconds:>3.0} s  {}", scenario.name, scenario.about));
            }
            return Ok(ExitCode::SUCCESS);
        };
        self.play(scenario)
    }

    #[tokio::main]
    async fn play(&self, scenario: &Scenario) -> anyhow::Result<ExitCode> {
        let target = self.target.resolve().await?;
        let mut moments = scenario.moments(Timestamp::now(), self.recipients);
        if self.fast {
            let begin = Timestamp::now() - scenarios::duration(&moments);
            moments = scenario.moments(begin, self.recipients);
        }
        let connections = (0..MAX_CONCURRENCY).map(|_| Connection::new(&target.url));
        let connections = connections.collect::<anyhow::Result<Vec<_>>>()?;
        let start = Instant::now();
        let (mut kept, mut all) = (0, 0);
        for moment in moments {
            if !self.fast {
                tokio::time::sleep(moment.delay).await;
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
