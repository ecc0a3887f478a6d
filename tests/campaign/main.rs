//! A campaign against the real binary: processes of the function under a Runtime API, real sockets, and faults of every kind,
//! picked at random. Whatever was answered 200 is on a queue or in quarantine, and nowhere else; whatever is there was sent.
//!
//! Eight configurations run side by side: a standard and a FIFO queue, 1 and 64 webhooks at once in an environment, with and
//! without a failover queue, all with a quarantine, half of them with the AppID in Secrets Manager. What goes wrong:
//!
//! | where | what |
//! | --- | --- |
//! | requests to AWS | cut at any byte, delayed, taken after the client has gone |
//! | answers of AWS | cut at any byte (closed, reset, silent), dripped, delayed, lost after the message was taken; errors with and without taking it; nonsense; parts of batches; batches that contradict themselves |
//! | AWS as a whole | connections refused and reset, silent, idle connections dead; one queue unavailable, throttled or silent |
//! | the environment | SIGKILL, SIGTERM, frozen between webhooks as Lambda does it and in the middle of them, a log that nobody reads |
//! | the sender | sends again what was not answered with 200; 3 of 100 webhooks do not open |
//!
//! What is checked: each message against what was sent, byte for byte, with the `event_id` that docs/events.md promises,
//! computed anew; each 200 against the queues, before and after; order in a call; the deadline; every line of the log; that
//! no process ends by itself; memory, descriptors and sockets of an environment that lives through all of it.
//!
//! `CAMPAIGN_SECONDS` and `CAMPAIGN_SEED` make it longer and another one; `.ci/nightly campaign` does. What it does not show:
//! it is not AWS, all queues are behind one address, and clocks do not jump (the simulation has that).
#![cfg(target_os = "linux")]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod environment;
mod ledger;
mod report;
mod scenario;
mod sqs;
mod webhooks;

use std::time::Duration;

use tokio::{task::JoinSet, time::Instant};

use crate::{
    report::print,
    scenario::{Ran, Scenario},
    sqs::Faults,
};

const FAULTS: Faults = Faults { percent: 12, lies: None };
/// Measurements of memory in a run.
const SAMPLES: u32 = 200;

fn variable(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |number| number.parse().unwrap())
}

/// The binary of the function: the one of this build, or the one that `VOICEHOOK_LAMBDA` names.
fn lambda_binary() -> String {
    std::env::var("VOICEHOOK_LAMBDA").unwrap_or_else(|_| env!("CARGO_BIN_EXE_lambda").to_owned())
}

fn scenarios(seed: u64) -> impl Iterator<Item = Scenario> {
    (0..8).map(move |number: u64| Scenario {
        fifo: number & 1 == 1,
        at_once: if number & 2 == 2 { 64 } else { 1 },
        has_failover: number & 4 == 4,
        // Half of the configurations, and each of the three above in both halves.
        has_secret: number.count_ones() % 2 == 1,
        faults: FAULTS,
        seed: seed * 8 + number,
    })
}

async fn run(scenarios: impl Iterator<Item = Scenario>, seconds: u64) -> Vec<Ran> {
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut running = JoinSet::new();
    for scenario in scenarios {
        running.spawn(scenario.run(until, SAMPLES));
    }
    let mut ran = running.join_all().await;
    ran.sort_by_key(|ran| ran.scenario.seed);
    ran
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_webhook_answered_200_is_on_a_queue_or_in_quarantine_whatever_fails() {
    let (seconds, seed) = (variable("CAMPAIGN_SECONDS", 30), variable("CAMPAIGN_SEED", 1));
    let ran = run(scenarios(seed), seconds).await;
    print(&ran, seconds, seed);
    let broken: Vec<String> = ran.iter().flat_map(Ran::violations).collect();
    assert!(broken.is_empty(), "seed {seed}:\n{}", broken.join("\n"));
}

/// The control: what the campaign is for, it does notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_queue_that_drops_one_message_in_fifty_is_noticed() {
    let faults = Faults { lies: Some(50), ..FAULTS };
    let scenario = scenarios(1).map(|scenario| Scenario { faults, ..scenario }).nth(3);
    let ran = run(scenario.into_iter(), 3).await;
    assert!(ran[0].summary.lost > 0, "{} webhooks, and none lost", ran[0].summary.webhooks);
}
