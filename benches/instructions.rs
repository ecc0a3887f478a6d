//! How many instructions the handler takes for a webhook, counted by valgrind: a number that another run on a busy
//! machine gives as well, so it can fail continuous integration where a time cannot.
//!
//!     cargo bench --bench instructions               # compare with benches/instructions.json
//!     cargo bench --bench instructions -- --update   # write it anew; the reason belongs into the commit
//!
//! A webhook goes through the receiver without input and output: aes-256-cbc, hex, UTF-8. The count is the difference
//! between many webhooks and few, so that what is done once does not count. The profiles of the runs stay in
//! `target/callgrind`, for `callgrind_annotate`. valgrind has AES-NI and AVX2, but no AVX-512: the processor takes the
//! widest instructions that it has, the count those of valgrind.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark prints, and fails by panicking"
)]

mod support;

use std::{collections::BTreeMap, env, fs, path::PathBuf, process::Command};

use support::{receiver, request};

/// Events in bytes, each with the webhooks of the short and of the long run.
const CASES: [(usize, [usize; 2]); 2] = [(300, [100, 600]), (64 << 10, [5, 25])];
/// How far a count may be from the committed one, as a part of it. Below it, a fall asks for an update as well: what
/// was won would otherwise be lost again unseen.
const TOLERANCE: f64 = 0.05;
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.json");

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--handle", bytes, webhooks] => handle(bytes.parse().unwrap(), webhooks.parse().unwrap()),
        _ if arguments.iter().any(|argument| argument == "--update") => update(),
        _ if arguments.iter().any(|argument| argument == "--bench") => compare(),
        // A test of the benchmark: no valgrind.
        _ => handle(300, 1),
    }
}

/// What is counted.
fn handle(bytes: usize, webhooks: usize) {
    let (runtime, receiver) = receiver();
    let request = request(bytes);
    for _ in 0..webhooks {
        let (response, _) = runtime.block_on(receiver.receive(&request));
        assert_eq!(response.status(), 200);
    }
}

fn count_all() -> BTreeMap<String, u64> {
    CASES
        .into_iter()
        .map(|(bytes, [few, many])| {
            let instructions = (count(bytes, many) - count(bytes, few)) / (many - few) as u64;
            (format!("aes-256-cbc hex utf8, {bytes} bytes"), instructions)
        })
        .collect()
}

/// All instructions of a process that handles so many webhooks.
fn count(bytes: usize, webhooks: usize) -> u64 {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/callgrind");
    fs::create_dir_all(&directory).unwrap();
    let profile = directory.join(format!("{bytes}-bytes-{webhooks}-webhooks"));
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", profile.display()));
    valgrind.arg(env::current_exe().unwrap()).args(["--handle", &bytes.to_string(), &webhooks.to_string()]);
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
    assert!(!differs, "more than {limit} % away; if that is meant: cargo bench --bench instructions -- --update");
}
