//! Many webhooks at once in one environment, while the queue takes its time, and sometimes very long.

use std::time::Duration;

use crate::{
    Arguments, Bench, Environment,
    aws::{Aws, Latency},
    distribution::{header, row},
    function::Kind,
};

/// The most that an environment of Lambda Managed Instances takes for each of its CPUs.
const CONCURRENCY: usize = 64;
/// Webhooks of each row without `--rounds`, in hundreds.
const ROUNDS: usize = 100;

pub async fn run(bench: &Bench<'_>, arguments: &Arguments) {
    let measured = 100 * arguments.rounds.unwrap_or(ROUNDS);
    for function in arguments.voicehooks() {
        header(&format!("{}: {CONCURRENCY} at once, by the queue's latency", function.name));
        for slow in [None, Some(Duration::from_secs(1))] {
            for milliseconds in [5, 20, 100] {
                let aws = Aws::start(bench.directory).await;
                aws.set_latency(Latency { queue: Duration::from_millis(milliseconds), slow, ..Latency::default() });
                let kind = Kind::Concurrent(CONCURRENCY);
                let Environment { api, process: _process } = bench.environment(function, &aws, kind).await;
                api.invoke(2 * CONCURRENCY).await;
                let (messages, requests) = aws.taken();
                let times = api.invoke(measured).await;
                let (messages, requests) = (aws.taken().0 - messages, aws.taken().1 - requests);
                let one_percent = if slow.is_some() { ", 1 % of 1 s" } else { "" };
                let remark = format!("{:.1} messages a request", messages as f64 / requests as f64);
                row(&format!("{milliseconds} ms{one_percent}"), times, &remark);
            }
        }
    }
}
