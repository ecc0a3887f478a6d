//! The function in a deterministic simulation.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod checks;
mod environment;
mod faults;
mod ledger;
mod network;
mod plan;
mod random;
mod secrets;
mod sender;
mod services;
mod sqs;
mod wire;
mod world;

/// Since the beginning of a simulation.
type Milliseconds = u64;

#[test]
fn first() {
    let from = std::env::var("SIMULATION_FIRST").map_or(1, |n| n.parse().unwrap());
    let n: u64 = std::env::var("SIMULATION_SEEDS").map_or(20, |n| n.parse().unwrap());
    let start = std::time::Instant::now();
    let (mut bad, mut webhooks, mut faults) = (0, 0, 0);
    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
    for seed in from..from + n {
        let plan = plan::Plan::new(seed);
        let traced = n == 1;
        let outcome = world::World::run(&plan, traced);
        webhooks += outcome.webhooks;
        faults += outcome.faults;
        for (s, c) in outcome.statuses {
            *statuses.entry(s).or_default() += c;
        }
        if traced {
            println!("{:?}\n{:#?}\n{}", plan.setup, plan.faults, outcome.trace.join("\n"));
        }
        if let Some(v) = outcome.violation {
            bad += 1;
            println!("seed {seed}: {v}");
        }
    }
    println!("{n} seeds {webhooks} webhooks {faults} faults {statuses:?} {:?} {bad} bad", start.elapsed());
}
