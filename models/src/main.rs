//! Model checking of voicehook: `models [schedules for each scenario]`, `models replay SCENARIO SEED`.
//!
//! Prints what was covered, and fails where a property does not hold, or where a planted fault is not found.

mod faults;
mod function;
mod scenarios;
mod schedules;
mod services;

use std::{process::ExitCode, time::Instant};

pub(crate) use function::*;
use scenarios::SCENARIOS;
use schedules::{Choice, Covered, explore};

fn main() -> ExitCode {
    // What a property says is printed once, in the table.
    std::panic::set_hook(Box::new(|_| {}));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [replay, scenario, seed, fault @ ..] = &*arguments
        && replay == "replay"
    {
        let scenario = SCENARIOS.iter().find(|known| known.name == scenario).expect("a scenario");
        let fault = fault.first().map(|fault| faults::FAULTS.iter().find(|known| known.name == *fault).expect("a fault").name);
        let seed = seed.parse().expect("a seed");
        println!("{:?}", faults::with(fault, || explore(scenario, Choice::Random, seed, 1, true)));
        return ExitCode::SUCCESS;
    }
    let schedules = arguments.first().and_then(|schedules| schedules.parse().ok()).unwrap_or(2000);
    let ok = hold(schedules) & all_faults_are_found(schedules);
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn hold(schedules: usize) -> bool {
    let mut ok = true;
    for scenario in &SCENARIOS {
        for choice in [Choice::Random, Choice::Priorities(3)] {
            let began = Instant::now();
            let Covered { schedules, different, steps, failure } = explore(scenario, choice, 1, schedules, false);
            let seconds = began.elapsed().as_secs_f64();
            if let Choice::Random = choice {
                println!("{}: {}", scenario.name, scenario.holds);
            }
            println!("  {choice:?}: {schedules} schedules, {different} different, {steps} steps, {seconds:.1} s");
            if let Some((seed, property)) = failure {
                println!("  FAILED with seed {seed}: {property}");
                ok = false;
            }
        }
    }
    ok
}

fn all_faults_are_found(schedules: usize) -> bool {
    let mut ok = true;
    for fault in faults::FAULTS {
        let found = SCENARIOS.iter().find_map(|scenario| {
            let Covered { schedules, failure, .. } =
                faults::with(Some(fault.name), || explore(scenario, Choice::Random, 1, schedules, false));
            failure.map(|(_, property)| (scenario.name, schedules, property))
        });
        match found {
            Some((scenario, schedules, property)) => {
                println!("{}: found by {scenario} in schedule {schedules}: {property}", fault.name);
            }
            None => {
                println!("NOT FOUND: {}", fault.name);
                ok = false;
            }
        }
    }
    ok
}
