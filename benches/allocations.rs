//! How often a webhook asks for memory, and for how much of it.
//!
//!     cargo bench --bench allocations               # compare with benches/allocations.json
//!     cargo bench --bench allocations -- --update   # write it anew, and say why in the commit
//!
//! A webhook (aes-256-cbc, hex, UTF-8) goes each of the [ways](support::ways::WAYS). Making an allocation larger counts
//! like a new one.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a benchmark prints, and fails by panicking")]

mod support;

use std::{
    alloc::System,
    env,
    process::{Command, Stdio},
};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::guard::{Counts, compare, is_parent, of_a_webhook};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Hash tables grow at other times from run to run; nothing else differs.
const TOLERANCE: f64 = 0.05;

fn main() {
    let region = Region::new(ALLOCATOR);
    if is_parent() {
        compare("allocations.json", TOLERANCE, count);
    } else {
        let taken = region.change();
        eprintln!("{} {}", taken.allocations + taken.reallocations, taken.bytes_allocated);
    }
}

fn count() -> Counts {
    let counts = of_a_webhook(|_, arguments| median_of_processes(&arguments)).into_iter();
    let named = |(case, [allocations, bytes]): (String, [u64; 2])| {
        [(format!("{case}: allocations"), allocations), (format!("{case}: bytes"), bytes)]
    };
    counts.flat_map(named).collect()
}

/// Of nine processes, because one that stands still for some milliseconds shares its requests in another way.
fn median_of_processes(arguments: &[String; 4]) -> [u64; 2] {
    let counts = [(); 9].map(|()| of_a_process(arguments));
    [0, 1].map(|place| {
        let mut of_place = counts.map(|counts| counts[place]);
        of_place.sort_unstable();
        of_place[4]
    })
}

/// Allocations and bytes of a process of this program, which prints them last of all.
fn of_a_process(arguments: &[String; 4]) -> [u64; 2] {
    let mut process = Command::new(env::current_exe().unwrap());
    // The log is written, and nobody reads it.
    let process = process.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let output = process.wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    let (allocations, bytes) = errors.lines().last().unwrap().split_once(' ').unwrap();
    [allocations, bytes].map(|number| number.parse().unwrap())
}
