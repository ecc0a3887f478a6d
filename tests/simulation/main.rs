//! The function in a deterministic simulation: nothing that fails breaks a promise, and a seed that does is repeated by its
//! number. What is simulated, what is checked, and how to run it for longer is in docs/simulation.md.
//!
//! To find one's way: a [`plan`] says which webhooks are sent and which [`faults`] there are. The [`world`] lets it happen,
//! with one [`environment`] of the function or several, whose connections are those of [`network`]. [`services`] answer
//! their requests, [`sqs`] and [`secrets`] are what they keep, and [`wire`] how they speak; [`sender`] is `EnableX`. The
//! [`ledger`] notes what was sent and what became of it, and [`checks`] hold that against what was promised. A [`runner`]
//! runs many seeds, and [`shrink`] makes one that fails as small as it can be.
//!
//! Two rules keep it deterministic. Nothing in it waits for real time, and every environment runs on the thread of its
//! world. And nothing in it may depend on the order of a `HashMap`: what is iterated over is a `BTreeMap` or a `Vec`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

use std::process::Command;

mod checks;
mod environment;
mod faults;
mod ledger;
mod network;
mod plan;
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
    // For a mutant, how many seeds it takes; those that are known to find it would hide that.
    let is_brief = std::env::var_os("SIMULATION_BRIEF").is_some();
    let known = SEEDS.lines().filter(|_| !is_brief).filter_map(|line| line.split_whitespace().next()?.parse().ok());
    let first = number("SIMULATION_FIRST", 1);
    let seeds: Vec<u64> = known.chain(first..first + number("SIMULATION_SEEDS", 300)).collect();
    let totals = runner::simulate_all(&seeds);
    let place = |seed: u64| seeds.iter().position(|known| *known == seed).unwrap() + 1;
    let Some((seed, rule)) = totals.failed.iter().copied().min_by_key(|(seed, _)| place(*seed)) else { return };
    println!("seed {seed}, the {}. of {}, breaks {rule:?}", place(seed), seeds.len());
    panic!("{}", if is_brief { String::new() } else { runner::explain(seed) });
}

#[test]
fn a_seed_decides_everything_that_happens() {
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

/// `.ci/mutants` builds each of them; that takes too long here.
#[test]
fn every_mutant_still_applies_and_says_which_promise_it_breaks() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/simulation/mutants");
    let patches: Vec<_> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(patches.len() >= 12, "{patches:?}");
    for patch in patches {
        let text = std::fs::read_to_string(&patch).unwrap();
        assert!(text.lines().next().is_some_and(|line| line.contains(": ") && line.ends_with('.')), "{patch:?}");
        let mut git = Command::new("git");
        let applies = git.args(["apply", "--check"]).arg(&patch).current_dir(env!("CARGO_MANIFEST_DIR")).status();
        assert!(applies.unwrap().success(), "{patch:?} does not apply any more");
    }
}
