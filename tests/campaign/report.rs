//! What a campaign prints, and what it fails for.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    environment::Usage,
    scenario::{DEADLINE, Ran},
};

/// An answer may come so long after the deadline: from the function to the test.
const SLACK: Duration = Duration::from_millis(500);
/// How much more memory the last quarter may have than the second, in KiB: the first one warms up.
const GROWTH_KIB: u64 = 6 * 1024;
/// The same for sockets, of which there are more after an outage.
const GROWTH_SOCKETS: usize = 24;
/// Descriptors that are no sockets: standard streams, and those of tokio.
const OTHER_DESCRIPTORS: usize = 16;
/// A run with fewer webhooks in a scenario shows nothing.
const FEWEST: usize = 20;

impl Ran {
    /// What is not as it should be.
    pub fn violations(&self) -> Vec<String> {
        let summary = &self.summary;
        let mut broken = summary.violations.clone();
        if summary.latest > DEADLINE + SLACK {
            broken.push(format!("an answer after {:?}, and the deadline is {DEADLINE:?}", summary.latest));
        }
        if summary.webhooks < FEWEST || summary.kept < summary.webhooks / 10 {
            broken.push(format!("{} of {} webhooks kept: that shows nothing", summary.kept, summary.webhooks));
        }
        if let Some((second, last)) = self.quarters() {
            if last.resident_kib > second.resident_kib + GROWTH_KIB {
                broken.push(format!("memory grows from {} to {} KiB", second.resident_kib, last.resident_kib));
            }
            if last.sockets > second.sockets + GROWTH_SOCKETS {
                broken.push(format!("sockets grow from {} to {}", second.sockets, last.sockets));
            }
            if last.descriptors > last.sockets + OTHER_DESCRIPTORS {
                broken.push(format!("{} descriptors, of which {} are sockets", last.descriptors, last.sockets));
            }
        }
        broken.into_iter().map(|what| format!("{}: {what}", self.scenario.name())).collect()
    }

    /// The medians of the second and of the last quarter.
    fn quarters(&self) -> Option<(Usage, Usage)> {
        let quarter = self.usage.len() / 4;
        (quarter > 0).then(|| {
            let median = |samples: &[Usage]| {
                let of = |value: fn(&Usage) -> u64| {
                    let mut values: Vec<u64> = samples.iter().map(value).collect();
                    values.sort_unstable();
                    values[values.len() / 2]
                };
                Usage {
                    resident_kib: of(|usage| usage.resident_kib),
                    descriptors: of(|usage| usage.descriptors as u64) as usize,
                    sockets: of(|usage| usage.sockets as u64) as usize,
                    threads: of(|usage| usage.threads as u64) as usize,
                }
            };
            (median(&self.usage[quarter..2 * quarter]), median(&self.usage[self.usage.len() - quarter..]))
        })
    }
}

/// Two tables, for docs/tested.md.
pub fn print(ran: &[Ran], seconds: u64, seed: u64) {
    let sum = |value: fn(&Ran) -> usize| ran.iter().map(value).sum::<usize>();
    println!(
        "\n{} webhooks in {seconds} s, seed {seed}: {} kept, {} lost; {} requests to AWS, {} faults, {} processes killed",
        sum(|ran| ran.summary.webhooks),
        sum(|ran| ran.summary.kept),
        sum(|ran| ran.summary.lost),
        sum(|ran| ran.requests),
        sum(|ran| ran.injected.iter().map(|(_, count)| count).sum()),
        sum(|ran| ran.killed),
    );
    print_outcomes(ran);
    print_usage(ran);
    let mut faults: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, count) in ran.iter().flat_map(|ran| &ran.injected) {
        *faults.entry(name).or_default() += count;
    }
    println!(
        "\nfaults: {}",
        faults.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
    );
}

fn print_outcomes(ran: &[Ran]) {
    println!(
        "\n| configuration | webhooks | 200 | 503 | no answer | queue | failover | quarantine | lost | kept without 200 | \
         duplicates | swapped of overlapping | requests | killed | frozen | p50, p99, longest (ms) |\n|{}",
        " --- |".repeat(16)
    );
    for ran in ran {
        let summary = &ran.summary;
        let percentile = |percent: usize| {
            let place = summary.times.len().saturating_sub(1) * percent / 100;
            summary.times.get(place).map_or(0, Duration::as_millis)
        };
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} of {} | {} | {} | {} | {}, {}, {} |",
            ran.scenario.name(),
            summary.webhooks,
            summary.kept,
            summary.refused,
            summary.unanswered,
            summary.at[0],
            summary.at[1],
            summary.at[2],
            summary.lost,
            summary.more_than_promised,
            summary.duplicates,
            summary.swapped,
            summary.overlapped,
            ran.requests,
            ran.killed,
            ran.frozen,
            percentile(50),
            percentile(99),
            percentile(100),
        );
    }
}

fn print_usage(ran: &[Ran]) {
    println!("\nAn environment that lived through it, medians of the second and of the last quarter of the time:\n");
    println!("| configuration | memory (KiB) | descriptors | sockets | threads |\n|{}", " --- |".repeat(5));
    for ran in ran {
        let Some((second, last)) = ran.quarters() else { continue };
        println!(
            "| {} | {}, {} | {}, {} | {}, {} | {}, {} |",
            ran.scenario.name(),
            second.resident_kib,
            last.resident_kib,
            second.descriptors,
            last.descriptors,
            second.sockets,
            last.sockets,
            second.threads,
            last.threads,
        );
    }
}
