//! How many instructions the handler takes for a webhook, counted by valgrind: a number that another run on a busy
//! machine gives as well, so it can fail continuous integration where a time cannot.
//!
//!     cargo bench --no-default-features --features receiver --bench instructions               # compare with benches/instructions.json
//!     cargo bench --no-default-features --features receiver --bench instructions -- --update   # write it anew, and say why in the commit
//!
//! A webhook (aes-256-cbc, hex, UTF-8) goes through the receiver without input and output, once more only through the
//! part of it that opens the envelope, and once more up to the request that would go to SQS. The count is the difference
//! between many webhooks and few, so that what is done once does not count. The profiles of the runs stay in
//! `target/callgrind`, for `callgrind_annotate`.
//!
//! The processor that valgrind shows to a program has AES-NI and AVX2, and neither AVX-512 nor the SHA extensions. So
//! here SHA-256 (`event_id`, and the request's signature) counts for far more than it costs, and would hide the rest of a
//! large webhook: that is why opening is counted alone as well. The committed numbers are those of x86-64 and of the Rust
//! version in `.github/workflows/ci.yml`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark prints, and fails by panicking"
)]

mod support;

use std::{collections::BTreeMap, env, fs, path::PathBuf, process::Command};

use support::{NoQueue, opener, receiver, request, runtime, sqs};
use tokio::runtime::Runtime;
use voicehook_lambda::{
    app_id::{DEFAULT_APP, FixedAppId},
    queue::Queue,
    receiver::{Receiver, Request},
    telemetry::Stages,
};

/// Events in bytes, each with the webhooks of the short and of the long run.
const CASES: [(usize, [usize; 2]); 2] = [(300, [100, 600]), (64 << 10, [5, 25])];
/// How far a count may be from the committed one, as a part of it: what another allocator or `memcpy` of the C library
/// changes is less. A fall asks for an update as well, or else what was won could be lost again unseen.
const TOLERANCE: f64 = 0.05;
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.json");

/// What is counted: the handler, the part of it from the request to the event, and the handler with the request to SQS.
const WAYS: [&str; 3] = ["handler", "open", "send"];

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--take", way, bytes, webhooks] => take(way, bytes.parse().unwrap(), webhooks.parse().unwrap()),
        _ if arguments.iter().any(|argument| argument == "--update") => update(),
        _ if arguments.iter().any(|argument| argument == "--bench") => compare(),
        // A test of the benchmark: no valgrind.
        _ => WAYS.into_iter().for_each(|way| take(way, 300, 1)),
    }
}

fn take(way: &str, bytes: usize, webhooks: usize) {
    let runtime = runtime();
    let request = request(bytes);
    match way {
        "handler" => respond(&runtime, &receiver(NoQueue), &request, webhooks),
        "send" => respond(&runtime, &receiver(sqs()), &request, webhooks),
        _ => {
            let opener = opener();
            for _ in 0..webhooks {
                let mut stages = Stages::default();
                let known = opener.app_ids.known();
                let opened = opener.open_known(&request.headers, &request.body, known.app(DEFAULT_APP), &mut stages);
                assert!(opened.is_ok());
            }
        }
    }
}

fn respond<Q: Queue>(runtime: &Runtime, receiver: &Receiver<FixedAppId, Q>, request: &Request, webhooks: usize) {
    for _ in 0..webhooks {
        let answer = runtime.block_on(receiver.receive(request));
        assert_eq!(answer.response.status(), 200);
    }
}

fn count_all() -> BTreeMap<String, u64> {
    let cases = WAYS.into_iter().flat_map(|way| CASES.map(|(bytes, webhooks)| (way, bytes, webhooks)));
    cases
        .map(|(way, bytes, [few, many])| {
            let instructions = (count(way, bytes, many) - count(way, bytes, few)) / (many - few) as u64;
            (format!("{way}, {bytes} bytes"), instructions)
        })
        .collect()
}

/// All instructions of a process that takes so many webhooks.
fn count(way: &str, bytes: usize, webhooks: usize) -> u64 {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/callgrind");
    fs::create_dir_all(&directory).unwrap();
    let profile = directory.join(format!("{way}-{bytes}-bytes-{webhooks}-webhooks"));
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", profile.display()));
    valgrind.arg(env::current_exe().unwrap()).args(["--take", way, &bytes.to_string(), &webhooks.to_string()]);
    let output = valgrind.output().unwrap_or_else(|error| panic!("valgrind does not start: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let profile = fs::read_to_string(profile).unwrap();
    let total =
        profile.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    total.unwrap().trim().parse().unwrap()
}

fn update() {
    fs::write(COMMITTED, serde_json::to_string_pretty(&count_all()).unwrap() + "\n").unwrap();
    println!("wrote {COMMITTED}");
}

fn compare() {
    let committed: BTreeMap<String, u64> = serde_json::from_str(&fs::read_to_string(COMMITTED).unwrap()).unwrap();
    let mut differs = false;
    for (case, instructions) in count_all() {
        let expected = committed[&case];
        let change = instructions as f64 / expected as f64 - 1.0;
        differs |= change.abs() > TOLERANCE;
        println!("{case}: {instructions} instructions, committed {expected}, {:+.1} %", 100.0 * change);
    }
    let limit = 100.0 * TOLERANCE;
    assert!(!differs, "more than {limit} % away; if that is meant, run this again with -- --update");
}
