//! How long the handler takes to refuse a webhook, by the step in which the decryption fails; with a quarantine, beside
//! webhooks that open.
//!
//! Run it on a machine that does nothing else:
//!
//!     cargo bench --bench oracle
//!
//! All kinds are measured in one run, in rounds: each round posts a new webhook of every kind once, in a new order, so
//! that whatever else slows the machine down slows all of them down. All ciphertexts of a table have the same size. The
//! log is written as in the function, but to nowhere.
//!
//! How to read it: a row is a kind; p10, median and p90 are nanoseconds; the last column is the median as a ratio to
//! that of the first row. Rows with `(again)` are the row above them measured a second time: how far those two are
//! apart is the noise, and a smaller difference between two other rows means nothing.
//!
//! - Within each of the groups `query …`, the rows differ in nothing but the padding: blocks of a real event, a garbled
//!   block, and a last block whose padding is wrong or, by one byte, right. That is Vaudenay's query. These rows must
//!   not differ beyond the noise, or the receiver is a padding oracle to whoever can measure so finely.
//! - The rows from `no text` on may differ: how much of a text is text and JSON depends on what the sender wrote, and
//!   the sender of such a webhook knows the key. `no object` ends at the first byte of the text.
//! - `wrong format` and `wrong length` may be faster: what was sent shows both, so they fail before the cipher.
//!
//! - With a quarantine, `an event that opens` is answered with the same bytes as the others, and takes another way: its
//!   message is made and hashed, where the others' records are. What is left of that difference beside the two queues' own
//!   times (5 to 20 ms) is what a caller could measure.
//!
//! Then over loopback, where a caller measures: the rows of a table are compared in pairs, by Welch's t-test without the
//! slowest tenth (as dudect does it) and by Mann and Whitney's test. Above 4.5 standard deviations in both, two kinds are
//! told apart; in one of them, that is in doubt. Two rows are controls: a kind against itself, which must not be told apart,
//! and a kind with one microsecond added to each answer, which must. Webhooks are sent until that is noticed, so the table
//! shows what as many requests tell about the other pairs. If a control fails, so does the benchmark, and says nothing.
//!
//! The queues behind the receiver take no time here. The two queues' own times are what remains: what goes on the queue and
//! what goes to quarantine waits for different queues, in an account perhaps of different kinds, and nobody makes these alike.
//!
//! No time is asserted: what another machine measures depends on that machine. That status, headers and body are the same
//! for all kinds is asserted here for every request, and in `tests/function/padding_oracle.rs` in continuous integration.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and fails by panicking"
)]

mod loopback;
mod statistics;
mod webhooks;

use std::{io, process::ExitCode, time::Duration};

use tokio::time::Instant;
use voicehook_lambda::{
    app_id::{AppIds, FixedAppId},
    queue::{Message, Queue, QueueError, QueueKind, Sent},
    receiver::{Receiver, Settings},
};
use voicehook_test_support::Random;

use crate::webhooks::{APP_ID, Kind, ROWS};

/// Ciphertexts in bytes, and rounds: of an EnableX event, and of a long transcript.
const TABLES: [(usize, usize); 2] = [(512, 100_000), (16 * 1024, 10_000)];

/// A queue that has every message at once: what a real queue takes is the same for an event and for a record of the
/// quarantine of its size, and hides the rest.
struct NoQueue;

impl Queue for NoQueue {
    fn kind(&self) -> QueueKind {
        QueueKind::Fifo
    }

    async fn send(&self, _: Message, _: Instant) -> Result<Sent, QueueError> {
        Ok(Sent { message_id: "5fea7756-0ea4-451a-a703-a558b933e274".to_owned(), failover: false })
    }
}

/// Where a webhook goes that does not open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Back to its sender: 400.
    Answered,
    /// To the quarantine: 200, as for one that opens.
    Kept,
}

impl Refused {
    fn rows(self) -> &'static [(&'static str, Kind)] {
        match self {
            Self::Answered => &ROWS[..ROWS.len() - 2],
            Self::Kept => &ROWS,
        }
    }

    fn receiver(self) -> Receiver<FixedAppId, NoQueue> {
        let app_ids = AppIds::new(FixedAppId::new(APP_ID), Duration::from_secs(86_400));
        let quarantine = (self == Self::Kept).then_some(NoQueue);
        Receiver::new(Settings::default(), app_ids, NoQueue).with_quarantine(quarantine)
    }
}

/// A receiver's quarantine takes 500 webhooks at once.
const ROUNDS_OF_A_RECEIVER: usize = 500 / ROWS.len();

/// Posts in rounds; the times of each row in nanoseconds, sorted.
async fn measure(refused: Refused, size: usize, rounds: usize) -> Vec<Vec<u64>> {
    let rows = refused.rows();
    let mut receiver = refused.receiver();
    let mut random = Random::new(0x5EED);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut times = vec![Vec::with_capacity(rounds); rows.len()];
    let warm_up = rounds / 20;
    for round in 0..warm_up + rounds {
        if round % ROUNDS_OF_A_RECEIVER == 0 {
            receiver = refused.receiver();
        }
        for last in (1..order.len()).rev() {
            order.swap(last, random.below(last + 1));
        }
        for &row in &order {
            let request = rows[row].1.request(size, &mut random);
            let start = std::time::Instant::now();
            let response = receiver.respond(&request).await;
            let took = start.elapsed();
            let expected = if refused == Refused::Kept { 200 } else { 400 };
            assert_eq!(response.status(), expected, "{}", rows[row].0);
            if round >= warm_up {
                times[row].push(took.as_nanos() as u64);
            }
        }
    }
    times.iter_mut().for_each(|times| times.sort_unstable());
    times
}

fn print(refused: Refused, size: usize, rounds: usize, times: &[Vec<u64>]) {
    let quarantine = if refused == Refused::Kept { "with" } else { "without" };
    println!("\n{rounds} webhooks of each kind, {quarantine} a quarantine, ciphertexts of {size} bytes; times in ns");
    println!("{:36} {:>9} {:>9} {:>9} {:>7}", "kind", "p10", "median", "p90", "ratio");
    let percentile = |times: &[u64], percent: usize| times[(times.len() - 1) * percent / 100];
    let first = percentile(&times[0], 50);
    for ((name, _), times) in refused.rows().iter().zip(times) {
        let [p10, median, p90] = [10, 50, 90].map(|percent| percentile(times, percent));
        println!("{name:36} {p10:9} {median:9} {p90:9} {:7.3}", median as f64 / first as f64);
    }
}

fn main() -> ExitCode {
    tracing_subscriber::fmt().json().flatten_event(true).with_writer(io::sink).init();
    // Without cargo's own flag, this is a test of the benchmark: one round.
    let is_benchmark = std::env::args().any(|argument| argument == "--bench");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for (size, rounds) in TABLES {
        let rounds = if is_benchmark { rounds } else { 1 };
        for refused in [Refused::Answered, Refused::Kept] {
            print(refused, size, rounds, &runtime.block_on(measure(refused, size, rounds)));
        }
    }
    let are_valid = [Refused::Answered, Refused::Kept].map(|refused| loopback::run(refused, is_benchmark));
    if are_valid.contains(&false) {
        println!("\nThe planted microsecond was not noticed, or a kind differs from itself: this machine is too busy.");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
