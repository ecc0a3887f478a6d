//! What a webhook costs as a Lambda function, from outside of the process: voicehook and what it is compared with run
//! in turns under a Runtime API and an SQS of this program's own. `benches/run` builds all of them and starts this.
//!
//! In come the built functions below `target/bench`; out go two tables, with the ratios and the targets, and all
//! numbers of all rounds in `target/bench/process.json`.

mod function;
mod report;
mod runtime_api;
mod sqs;
mod tls;
mod webhooks;

use std::{path::PathBuf, time::Duration};

use axum::body::Bytes;

use crate::{
    function::{Function, Process},
    report::{Metric, Report},
    runtime_api::RuntimeApi,
    sqs::Sqs,
};

/// Starts in each round; the last one goes on.
const STARTS: usize = 5;
/// As many webhooks at once as one environment of Lambda Managed Instances takes in the comparison.
const CONCURRENCY: usize = 32;
/// The pause of the queue in that comparison.
const QUEUE_LATENCY: Duration = Duration::from_millis(5);

/// A size of event: its bytes, how many different ones, webhooks to warm up with, and webhooks to measure.
struct Load {
    name: &'static str,
    bytes: usize,
    different: usize,
    warm_up: usize,
    measured: usize,
}

const SMALL: Load = Load { name: "300 B", bytes: 300, different: 64, warm_up: 500, measured: 2000 };
const LARGE: Load = Load { name: "700 KiB", bytes: 700 * 1024, different: 4, warm_up: 20, measured: 100 };

struct Bench {
    directory: PathBuf,
    sqs: Sqs,
    small: Vec<Bytes>,
    large: Vec<Bytes>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments = Arguments::parse();
    tls::create(&arguments.directory);
    let bench = Bench {
        sqs: Sqs::start(&arguments.directory).await,
        small: webhooks::create(SMALL.bytes, SMALL.different),
        large: webhooks::create(LARGE.bytes, LARGE.different),
        directory: arguments.directory.clone(),
    };
    let mut report = Report::new(&arguments);
    for round in 1..=arguments.rounds {
        eprintln!("round {round} of {}", arguments.rounds);
        report.start_round();
        for function in &arguments.functions {
            bench.one_at_a_time(function, &mut report).await;
        }
        for function in arguments.functions.iter().filter(|function| function.is_voicehook) {
            bench.side_by_side(function, &mut report).await;
        }
    }
    report.print();
    report.write(&bench.directory.join("process.json"));
}

impl Bench {
    async fn one_at_a_time(&self, function: &Function, report: &mut Report<'_>) {
        self.sqs.set_latency(Duration::ZERO);
        for start in 1..=STARTS {
            let (api, process) = self.started(function, report).await;
            if start == STARTS {
                self.steady(function, &SMALL, &api, &process, report).await;
            }
            process.end().await;
        }
        let api = RuntimeApi::start(self.large.clone()).await;
        let process = self.spawn(function, &api, 1);
        self.steady(function, &LARGE, &api, &process, report).await;
        process.end().await;
    }

    fn spawn(&self, function: &Function, api: &RuntimeApi, concurrency: usize) -> Process {
        function.start(&api.address.to_string(), self.sqs.port, &self.directory, concurrency)
    }

    /// From the start of the process to its first answer.
    async fn started(&self, function: &Function, report: &mut Report<'_>) -> (RuntimeApi, Process) {
        let api = RuntimeApi::start(self.small.clone()).await;
        let process = self.spawn(function, &api, 1);
        let init = api.first_asked().await - process.started;
        let first = api.invoke(1).await[0];
        report.add(function, Metric::Init, milliseconds(init));
        report.add(function, Metric::First, milliseconds(first));
        report.add(function, Metric::InitAndFirst, milliseconds(init + first));
        report.add(function, Metric::StartCpu, milliseconds(process.cpu()));
        (api, process)
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
        let (messages, _) = self.sqs.taken();
        let before = process.cpu();
        let took = api.invoke(load.measured).await;
        let cpu = process.cpu() - before;
        let sent = self.sqs.taken().0 - messages;
        assert_eq!(sent, if function.sends { load.measured } else { 0 }, "messages of {}", function.name);
        let percentile = |percent: usize| microseconds(took[(took.len() - 1) * percent / 100]);
        report.add(function, Metric::P50(load.name), percentile(50));
        report.add(function, Metric::P99(load.name), percentile(99));
        report.add(function, Metric::Cpu(load.name), microseconds(cpu) / load.measured as f64);
        report.add(function, Metric::Memory(load.name), process.peak_memory() as f64 / f64::from(1 << 20));
    }

    /// The same binary with one webhook at a time and with many, before a queue that takes its time.
    async fn side_by_side(&self, function: &Function, report: &mut Report<'_>) {
        self.sqs.set_latency(QUEUE_LATENCY);
        for (concurrency, measured) in [(1, 400), (CONCURRENCY, 200 * CONCURRENCY)] {
            let api = RuntimeApi::start(self.small.clone()).await;
            let process = self.spawn(function, &api, concurrency);
            api.invoke(10 * concurrency).await;
            let (messages, requests) = self.sqs.taken();
            let before = process.cpu();
            let start = std::time::Instant::now();
            api.invoke(measured).await;
            let took = start.elapsed();
            let cpu = process.cpu() - before;
            let (messages, requests) = (self.sqs.taken().0 - messages, self.sqs.taken().1 - requests);
            assert_eq!(messages, measured, "messages of {}", function.name);
            report.add(function, Metric::CpuAt(concurrency), microseconds(cpu) / measured as f64);
            report.add(function, Metric::ThroughputAt(concurrency), measured as f64 / took.as_secs_f64());
            report.add(function, Metric::BatchAt(concurrency), messages as f64 / requests as f64);
            report.add(function, Metric::MemoryAt(concurrency), process.peak_memory() as f64 / f64::from(1 << 20));
            process.end().await;
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// `DIRECTORY [--rounds N] [--only NAME]… [--also NAME=BOOTSTRAP]…`
struct Arguments {
    directory: PathBuf,
    rounds: usize,
    functions: Vec<Function>,
}

impl Arguments {
    fn parse() -> Self {
        let mut arguments = std::env::args().skip(1);
        let directory = PathBuf::from(arguments.next().expect("the directory with the built functions"));
        let built = |name: &str, files: &[&str], sends, is_voicehook| Function {
            name: name.to_owned(),
            files: files.iter().map(|file| directory.join(file)).collect(),
            sends,
            is_voicehook,
        };
        let mut functions = vec![
            built("voicehook", &["voicehook/bootstrap"], true, true),
            built("naive Rust", &["peers/release/naive-rust"], true, false),
            built("Node 20", &["node/bootstrap.cjs", "node/index.cjs"], true, false),
            built("hello", &["peers/release/hello"], false, false),
        ];
        let (mut rounds, mut only) = (7, Vec::new());
        while let Some(argument) = arguments.next() {
            let value = arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
            match argument.as_str() {
                "--rounds" => rounds = value.parse().expect("a number of rounds"),
                "--only" => only.push(value),
                "--also" => {
                    let (name, file) = value.split_once('=').expect("NAME=BOOTSTRAP");
                    functions.push(built(name, &[file], true, true));
                }
                _ => panic!("{argument} is not known; known are --rounds, --only and --also"),
            }
        }
        functions.retain(|function| only.is_empty() || only.contains(&function.name));
        Self { directory, rounds, functions }
    }
}
