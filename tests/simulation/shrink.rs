//! Makes a plan that breaks a promise as small as possible: without the faults and the webhooks that do not matter.

use std::time::{Duration, Instant};

use super::{ledger::Rule, plan::Plan, world::World};

/// A person waits for it.
const LONGEST: Duration = Duration::from_secs(20);

/// The smallest plan found that breaks the same promise.
pub fn shrunk(plan: &Plan, rule: Rule) -> Plan {
    let end = Instant::now() + LONGEST;
    let fails = |plan: &Plan| {
        Instant::now() < end && World::run(plan, false).violation.is_some_and(|violation| violation.rule == rule)
    };
    let mut smallest = plan.clone();
    loop {
        let size = (smallest.faults.len(), smallest.webhooks.len());
        smallest.faults = without(&smallest.faults, |faults| fails(&Plan { faults, ..smallest.clone() }));
        smallest.webhooks = without(&smallest.webhooks, |webhooks| fails(&Plan { webhooks, ..smallest.clone() }));
        if size == (smallest.faults.len(), smallest.webhooks.len()) {
            return smallest;
        }
    }
}

/// What is left of a list when everything is taken out without which it still fails: halves first, then smaller parts.
fn without<T: Clone>(list: &[T], fails: impl Fn(Vec<T>) -> bool) -> Vec<T> {
    let mut list = list.to_vec();
    let mut part = list.len().div_ceil(2);
    while part > 0 {
        let mut from = 0;
        while from < list.len() {
            let mut shorter = list.clone();
            shorter.drain(from..(from + part).min(list.len()));
            if fails(shorter.clone()) {
                list = shorter;
            } else {
                from += part;
            }
        }
        part /= 2;
    }
    list
}
