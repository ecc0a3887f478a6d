//! How many instructions a webhook takes, counted by valgrind: a number that another run on a busy machine gives as
//! well, so it can fail continuous integration where a time cannot.
//!
//!     cargo bench --bench instructions               # compare with benches/instructions.json
//!     cargo bench --bench instructions -- --update   # write it anew, and say why in the commit
//!
//! A webhook (aes-256-cbc, hex, UTF-8) goes each of the [ways](support::ways::WAYS). The profiles of the runs stay in
//! `target/callgrind`, for `callgrind_annotate`.
//!
//! The processor that valgrind shows to a program has AES-NI and AVX2, and neither AVX-512 nor the SHA extensions. So
//! here SHA-256 (`event_id`, and the request's signature) counts for far more than it costs, and would hide the rest of
//! a large webhook: that is why opening is counted alone as well. The committed numbers are those of x86-64 and of the
//! Rust version in `.github/workflows/ci.yml`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark fails by panicking")]

mod support;

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use support::guard::{compare, is_parent, of_a_webhook};

/// What another allocator or `memcpy` of the C library changes is less.
const TOLERANCE: f64 = 0.05;

fn main() {
    if is_parent() {
        compare("instructions.json", TOLERANCE, || {
            let counts = of_a_webhook(|name, arguments| [instructions(name, arguments)]).into_iter();
            counts.map(|(case, [count])| (case, count)).collect()
        });
    }
}

/// All instructions of a process of this program.
fn instructions(name: &str, arguments: [String; 4]) -> u64 {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/callgrind");
    fs::create_dir_all(&directory).unwrap();
    let profile = directory.join(name);
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", profile.display()));
    // The log is written, and nobody reads it.
    valgrind.arg(env::current_exe().unwrap()).args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
    let valgrind = valgrind.spawn().unwrap_or_else(|error| panic!("valgrind does not start: {error}"));
    let output = valgrind.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let profile = fs::read_to_string(profile).unwrap();
    let total =
        profile.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    total.unwrap().trim().parse().unwrap()
}
