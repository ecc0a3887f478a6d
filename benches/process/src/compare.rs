//! What a webhook costs: a cold start, one webhook after the other at two sizes, and many at once.

use std::time::{Duration, Instant};

use axum::body::Bytes;

use crate::{
    Arguments, Bench, Environment, LARGE, Load, SMALL,
    aws::{Aws, Latency},
    function::{Function, Kind, Process},
    microseconds, milliseconds,
    report::{Metric, Report},
    runtime_api::RuntimeApi,
    webhooks,
};

/// Rounds without `--rounds`.
const ROUNDS: usize = 7;
/// Starts in each round; the last one goes on.
const STARTS: usize = 5;
/// As many webhooks at once as one environment of Lambda Managed Instances takes in the comparison.
pub const CONCURRENCY: usize = 32;
/// The pause of the queue in that comparison.
pub const QUEUE_LATENCY: Duration = Duration::from_millis(5);

struct Compare<'a> {
    bench: &'a Bench<'a>,
    aws: Aws,
    large: Vec<Bytes>,
}

pub async fn run(bench: &Bench<'_>, arguments: &Arguments) {
    let large = webhooks::create(LARGE.bytes, LARGE.different);
    let compare = Compare { bench, aws: Aws::start(bench.directory).await, large };
    let mut report = Report::new(arguments);
    let rounds = arguments.rounds.unwrap_or(ROUNDS);
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        report.start_round();
        for function in &arguments.functions {
            compare.one_at_a_time(function, &mut report).await;
        }
        for function in arguments.voicehooks() {
            compare.side_by_side(function, &mut report).await;
        }
    }
    report.print();
    report.write(&bench.directory.join("process.json"));
}

impl Compare<'_> {
    async fn one_at_a_time(&self, function: &Function, report: &mut Report<'_>) {
        self.aws.set_latency(Latency::default());
        for start in 1..=STARTS {
            let Environment { api, process } = self.started(function, report).await;
            if start == STARTS {
                self.steady(function, &SMALL, &api, &process, report).await;
            }
        }
        let api = RuntimeApi::start(self.large.clone()).await;
        let process = function.start(&self.bench.setup(&api, &self.aws, Kind::Plain));
        self.steady(function, &LARGE, &api, &process, report).await;
    }

    /// From the start of the process to its first answer.
    async fn started(&self, function: &Function, report: &mut Report<'_>) -> Environment {
        let environment = self.bench.environment(function, &self.aws, Kind::Plain).await;
        let Environment { api, process } = &environment;
        let init = api.first_asked().await - process.started;
        let first = api.invoke(1).await[0];
        report.add(function, Metric::Init, milliseconds(init));
        report.add(function, Metric::First, milliseconds(first));
        report.add(function, Metric::InitAndFirst, milliseconds(init + first));
        report.add(function, Metric::StartCpu, milliseconds(process.cpu()));
        environment
    }

    /// One webhook after the other.
    async fn steady(
        &self,
        function: &Function,
        load: &Load,
        api: &RuntimeApi,
        process: &Process,
        report: &mut Report<'_>,
    ) {
        api.invoke(load.warm_up).await;
        let (messages, _) = self.aws.taken();
        let before = process.cpu();
        let took = api.invoke(load.measured).await;
        let cpu = process.cpu() - before;
        let sent = self.aws.taken().0 - messages;
        check(function, sent, if function.sends { load.measured } else { 0 });
        let percentile = |percent: usize| microseconds(took[(took.len() - 1) * percent / 100]);
        report.add(function, Metric::P50(load.name), percentile(50));
        report.add(function, Metric::P99(load.name), percentile(99));
        report.add(function, Metric::Cpu(load.name), microseconds(cpu) / load.measured as f64);
        report.add(function, Metric::Memory(load.name), process.peak_memory() as f64 / f64::from(1 << 20));
    }

    /// The same binary with one webhook at a time and with many, before a queue that takes its time.
    async fn side_by_side(&self, function: &Function, report: &mut Report<'_>) {
        self.aws.set_latency(Latency { queue: QUEUE_LATENCY, ..Latency::default() });
        for (concurrency, measured) in [(1, 400), (CONCURRENCY, 200 * CONCURRENCY)] {
            let kind = if concurrency == 1 { Kind::Plain } else { Kind::Concurrent(concurrency) };
            let Environment { api, process } = self.bench.environment(function, &self.aws, kind).await;
            api.invoke(10 * concurrency).await;
            let (messages, requests) = self.aws.taken();
            let before = process.cpu();
            let start = Instant::now();
            api.invoke(measured).await;
            let took = start.elapsed();
            let cpu = process.cpu() - before;
            let (messages, requests) = (self.aws.taken().0 - messages, self.aws.taken().1 - requests);
            check(function, messages, measured);
            report.add(function, Metric::CpuAt(concurrency), microseconds(cpu) / measured as f64);
            report.add(function, Metric::ThroughputAt(concurrency), measured as f64 / took.as_secs_f64());
            report.add(function, Metric::BatchAt(concurrency), messages as f64 / requests as f64);
            report.add(function, Metric::MemoryAt(concurrency), process.peak_memory() as f64 / f64::from(1 << 20));
        }
    }
}

/// Every webhook was answered 200, so each has its message. Some have two, where the machine stood still for so long that an
/// attempt was given up.
fn check(function: &Function, messages: usize, webhooks: usize) {
    assert!(messages >= webhooks, "{messages} messages of {webhooks} webhooks from {}", function.name);
    if messages > webhooks {
        eprintln!(
            "{} messages of {} are there twice: something else runs on this machine",
            messages - webhooks,
            function.name
        );
    }
}
