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
mod runner;
mod secrets;
mod sender;
mod services;
mod shrink;
mod sqs;
mod wire;
mod world;

/// Since the beginning of a simulation.
type Milliseconds = u64;

/// Seeds that have broken a promise before. They run first.
const SEEDS: &str = include_str!("seeds.txt");

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |number| number.parse().unwrap())
}

#[test]
fn no_fault_breaks_a_promise() {
    if let Ok(seed) = std::env::var("SIMULATION_SEED") {
        println!("{}", runner::explain(seed.parse().unwrap()));
        return;
    }
    let known = SEEDS.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok());
    let first = number("SIMULATION_FIRST", 1);
    let seeds: Vec<u64> = known.chain(first..first + number("SIMULATION_SEEDS", 300)).collect();
    let totals = runner::simulate_all(&seeds);
    if let Some(seed) = totals.failed.iter().min() {
        let place = seeds.iter().position(|known| known == seed).unwrap() + 1;
        println!("seed {seed}, the {place}. of {}, breaks a promise", seeds.len());
        panic!(
            "{}",
            if std::env::var_os("SIMULATION_BRIEF").is_some() { String::new() } else { runner::explain(*seed) }
        );
    }
}

#[test]
fn a_seed_decides_everything_that_happens() {
    if let Ok(seed) = std::env::var("SIMULATION_TWICE") {
        for n in 0..6 {
            std::fs::write(
                format!("/tmp/wt/trace-{n}"),
                runner::simulate(seed.parse().unwrap(), true).trace.join("\n"),
            )
            .unwrap();
        }
        return;
    }
    let traces = || (0..100).map(|seed| runner::simulate(seed, true).trace);
    let again = std::thread::spawn(move || traces().collect::<Vec<_>>());
    let once: Vec<_> = traces().collect();
    for (seed, (once, again)) in once.into_iter().zip(again.join().unwrap()).enumerate() {
        let differs = once.iter().zip(&again).position(|(once, again)| once != again);
        assert!(
            differs.is_none() && once.len() == again.len(),
            "seed {seed}: {:?}",
            differs.map(|at| (&once[at], &again[at]))
        );
    }
}
