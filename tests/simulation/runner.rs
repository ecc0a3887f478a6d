//! Runs many seeds side by side, and says what is to say about the first that breaks a promise.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use super::{
    ledger::Rule,
    plan::Plan,
    shrink::shrunk,
    world::{Outcome, World},
};

/// What many simulations came to.
#[derive(Default)]
pub struct Totals {
    pub seeds: usize,
    pub webhooks: usize,
    pub faults: usize,
    pub statuses: BTreeMap<u16, usize>,
    /// The seeds that broke a promise, and which.
    pub failed: Vec<(u64, Rule)>,
}

impl Totals {
    fn add(&mut self, seed: u64, outcome: &Outcome) {
        self.seeds += 1;
        self.webhooks += outcome.webhooks;
        self.faults += outcome.faults;
        for (status, number) in &outcome.statuses {
            *self.statuses.entry(*status).or_default() += number;
        }
        self.failed.extend(outcome.violation.as_ref().map(|violation| (seed, violation.rule)));
    }
}

/// A simulation by its seed.
pub fn simulate(seed: u64, is_traced: bool) -> Outcome {
    let outcome = catch_unwind(AssertUnwindSafe(|| World::run(&Plan::new(seed), is_traced)));
    outcome.unwrap_or_else(|_| panic!("the simulation of seed {seed} panicked"))
}

/// Runs seeds until one fails, side by side.
pub fn simulate_all(seeds: &[u64]) -> Totals {
    let (totals, next, began) = (Mutex::new(Totals::default()), AtomicUsize::new(0), Instant::now());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = simulate(*seed, false);
                    let mut totals = totals.lock().unwrap();
                    totals.add(*seed, &outcome);
                    if !totals.failed.is_empty() {
                        return;
                    }
                }
            });
        }
    });
    let totals = totals.into_inner().unwrap();
    let Totals { seeds, webhooks, faults, statuses, .. } = &totals;
    println!("{seeds} seeds, {webhooks} webhooks, {faults} faults met, statuses {statuses:?}, {:?}", began.elapsed());
    totals
}

/// Everything about a seed that broke a promise: its faults, and the shortest trace that was found.
pub fn explain(seed: u64) -> String {
    let plan = Plan::new(seed);
    let Some(violation) = World::run(&plan, false).violation else { return format!("seed {seed} is fine") };
    let smallest = shrunk(&plan, violation.rule);
    let outcome = World::run(&smallest, true);
    let faults = smallest.faults.iter().map(|fault| format!("  {fault:?}\n")).collect::<String>();
    let webhooks = smallest.webhooks.iter().map(|webhook| format!("  {webhook:?}\n")).collect::<String>();
    format!(
        "seed {seed} breaks a promise: {violation}\n\nof {} faults and {} webhooks these are enough:\n{faults}{webhooks}\n{:?}\n\n{}\n\n{}",
        plan.faults.len(),
        plan.webhooks.len(),
        smallest.setup,
        outcome.trace.join("\n"),
        outcome.violation.map(|violation| violation.to_string()).unwrap_or_default(),
    )
}
