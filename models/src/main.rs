//! Model checking of voicehook: `voicehook-models [SCHEDULES] [MESSAGES]`, or `voicehook-models replay SCENARIO SEED
//! [FAULT]`, which prints what happened in one schedule.
//!
//! Prints what was covered, and fails where a property does not hold, or where a planted fault is not found.

mod faults;
mod function;
mod order;
mod scenarios;
mod schedules;
mod services;

use std::{process::ExitCode, time::Instant};

pub(crate) use function::*;
use order::Batching;
use scenarios::{SCENARIOS, Scenario};
use schedules::{Choice, Covered, explore};

/// How many schedules a planted fault may take.
const FAULT_SCHEDULES: usize = 200_000;

fn main() -> ExitCode {
    // What a property says is printed once, below.
    std::panic::set_hook(Box::new(|_| {}));
    clock::supply(schedules::time_of_day);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [replay, scenario, seed, fault @ ..] = &*arguments
        && replay == "replay"
    {
        return replayed(scenario, seed, fault.first());
    }
    let number = |at: usize| arguments.get(at).and_then(|number| number.parse().ok());
    let (schedules, messages) = (number(0).unwrap_or(5000), number(1).unwrap_or(8));
    let messages = u8::try_from(messages).unwrap_or(u8::MAX);
    let all_hold = all_states_are_right(messages) & all_left_out_rules_are_missed(messages.min(5));
    let all_hold = all_hold & all_schedules_are_right(schedules) & all_faults_are_found();
    if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replayed(scenario: &str, seed: &str, fault: Option<&String>) -> ExitCode {
    let fault = fault.map(|fault| faults::FAULTS.iter().find(|known| known.name == *fault).map(|known| known.name));
    let (Some(scenario), Ok(seed), Some(fault)) =
        (named(scenario), seed.parse(), fault.map_or(Some(None), |fault| fault.map(Some)))
    else {
        eprintln!("no such scenario, seed or fault");
        return ExitCode::FAILURE;
    };
    println!("{:?}", faults::with(fault, || explore(scenario, Choice::Random, seed, 1, true)));
    ExitCode::SUCCESS
}

fn named(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

/// The bounds of the model with so many messages.
fn bounds(messages: u8) -> Batching {
    Batching { messages, groups: 2, entries: 2, refusals: 2, lost: 1, fault: None }
}

fn all_states_are_right(messages: u8) -> bool {
    let (model, began) = (bounds(messages), Instant::now());
    let checked = order::check(&model);
    let seconds = began.elapsed().as_secs_f64();
    println!("model of group order: {model:?}");
    println!("  {} states, {} steps deep, {seconds:.1} s", checked.states, checked.depth);
    for (property, how) in &checked.failures {
        println!("  FAILED: {property}: {how}");
    }
    checked.failures.is_empty()
}

fn all_left_out_rules_are_missed(messages: u8) -> bool {
    let mut all = true;
    for (fault, property) in order::FAULTS {
        let checked = order::check(&Batching { fault: Some(fault), ..bounds(messages) });
        let is_found = checked.failures.iter().any(|(failed, _)| *failed == property);
        let found = if is_found { "found" } else { "NOT FOUND" };
        println!("  without a rule ({fault:?}): {found}, {} states: not so that {property}", checked.states);
        all &= is_found;
    }
    all
}

fn all_schedules_are_right(schedules: usize) -> bool {
    let mut all = true;
    for scenario in &SCENARIOS {
        println!("{}, {} webhooks, {:?}: {}", scenario.name, scenario.webhooks, scenario.time, scenario.holds);
        for choice in [Choice::Random, Choice::Priorities(3)] {
            let began = Instant::now();
            let Covered { schedules, different, steps, failure } = explore(scenario, choice, 1, schedules, false);
            let seconds = began.elapsed().as_secs_f64();
            println!("  {choice:?}: {schedules} schedules, {different} different ones, {steps} steps, {seconds:.1} s");
            if let Some((seed, property)) = failure {
                println!("  FAILED with seed {seed}: {property}");
                all = false;
            }
        }
    }
    all
}

fn all_faults_are_found() -> bool {
    println!("planted faults");
    let mut all = true;
    for fault in faults::FAULTS {
        let found = named(fault.scenario).and_then(|scenario| {
            let run = || explore(scenario, Choice::Random, 1, FAULT_SCHEDULES, false);
            let Covered { schedules, failure, .. } = faults::with(Some(fault.name), run);
            failure.map(|(_, property)| (schedules, property))
        });
        all &= found.is_some();
        match found {
            Some((schedules, property)) => {
                // A deadlock lists all tasks.
                let property = property.split(':').next().unwrap_or_default();
                println!("  {}: schedule {schedules} of {:?}: {property}", fault.name, fault.scenario);
            }
            None => println!("  NOT FOUND by {:?}: {}", fault.scenario, fault.name),
        }
    }
    all
}
