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
//! Nothing is asserted: what another machine measures depends on that machine.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

use std::{io, time::Duration};

use tokio::time::Instant;
use voicehook_lambda::{
    app_id::{AppIds, FixedAppId},
    decrypt::{Algorithm, Encoding, Format},
    queue::{Message, Queue, QueueError, QueueKind, Sent},
    receiver::{Receiver, Request, Settings},
    sender,
};

const APP_ID: &str = "voicehook-dev";
const BLOCK: usize = 16;
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
enum Refused {
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

/// Xorshift64*: the same webhooks in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn block(&mut self) -> [u8; BLOCK] {
        std::array::from_fn(|_| self.next() as u8)
    }
}

#[derive(Clone, Copy)]
enum Padding {
    Wrong,
    Right,
}

#[derive(Clone, Copy)]
enum Kind {
    WrongAppId,
    /// Vaudenay's query behind an event that is cut short in the middle of a string.
    Query(Padding, &'static str),
    /// An event that is whole up to its end, with padding that is wrong.
    WholeButPadding,
    NoText,
    NoJson,
    NoObject,
    WrongFormat,
    WrongLength,
    /// Nothing is wrong with it.
    Opens,
}

const ROWS: [(&str, Kind); 19] = [
    ("wrong AppID", Kind::WrongAppId),
    ("wrong AppID (again)", Kind::WrongAppId),
    ("query utf8: padding wrong", Kind::Query(Padding::Wrong, "utf8")),
    ("query utf8: padding wrong (again)", Kind::Query(Padding::Wrong, "utf8")),
    ("query utf8: padding right", Kind::Query(Padding::Right, "utf8")),
    ("query latin1: padding wrong", Kind::Query(Padding::Wrong, "latin1")),
    ("query latin1: padding wrong (again)", Kind::Query(Padding::Wrong, "latin1")),
    ("query latin1: padding right", Kind::Query(Padding::Right, "latin1")),
    ("query utf16le: padding wrong", Kind::Query(Padding::Wrong, "utf16le")),
    ("query utf16le: padding wrong (again)", Kind::Query(Padding::Wrong, "utf16le")),
    ("query utf16le: padding right", Kind::Query(Padding::Right, "utf16le")),
    ("no text", Kind::NoText),
    ("no JSON", Kind::NoJson),
    ("no object", Kind::NoObject),
    ("a whole event but its padding", Kind::WholeButPadding),
    ("wrong format", Kind::WrongFormat),
    ("wrong length", Kind::WrongLength),
    ("an event that opens", Kind::Opens),
    ("an event that opens (again)", Kind::Opens),
];

/// A receiver's quarantine takes 500 webhooks at once.
const ROUNDS_OF_A_RECEIVER: usize = 500 / ROWS.len();

/// An event's text of that many bytes.
fn event(length: usize) -> Vec<u8> {
    let mut text = br#"{"voice_id":"5f2d8a66","state":"transcript","from":"+12025550123","text":""#.to_vec();
    text.resize(length - 2, b'a');
    text.extend(b"\"}");
    text
}

fn as_utf16(text: &[u8]) -> Vec<u8> {
    text.iter().flat_map(|byte| [*byte, 0]).collect()
}

/// Encrypts bytes; the cipher adds a padding of 1 to 16 bytes.
fn encrypted(plaintext: &[u8], app_id: &str) -> String {
    let text: String = plaintext.iter().copied().map(char::from).collect();
    let algorithm = Algorithm::named("aes-256-cbc").unwrap();
    sender::encrypt(&text, app_id, algorithm, Format::Hex, Encoding::Latin1)
}

/// Encrypts whole blocks, with whatever padding is in them.
fn encrypted_blocks(plaintext: &[u8]) -> String {
    let mut data = encrypted(plaintext, APP_ID);
    data.truncate(2 * plaintext.len());
    data
}

impl Kind {
    /// A new webhook of this kind, with a ciphertext of `size` bytes.
    fn request(self, size: usize, random: &mut Random) -> Request {
        // As long as it can be with one block of padding at the end.
        let whole = size - 1 - random.below(BLOCK);
        // Anywhere in the long string.
        let place = whole / 4 + random.below(whole / 2);
        let data = match self {
            Self::WrongAppId => encrypted(&event(whole), &random.next().to_string()),
            Self::Query(padding, encoding) => {
                let mut blocks = match encoding {
                    "utf16le" => as_utf16(&event(size)),
                    _ => event(size),
                };
                blocks.truncate(size - 2 * BLOCK);
                blocks.extend(random.block());
                blocks.extend(random.block());
                // The last byte of a random block: 1 is always a padding, and what is above 16 never.
                blocks[size - 1] = match padding {
                    Padding::Right => 1,
                    Padding::Wrong => (BLOCK + 1 + random.below(255 - BLOCK)) as u8,
                };
                encrypted_blocks(&blocks)
            }
            Self::WholeButPadding => {
                let mut blocks = event(whole);
                blocks.resize(size, b' ');
                encrypted_blocks(&blocks)
            }
            Self::NoText => {
                let mut text = event(whole);
                text[place] = 0xFF;
                encrypted(&text, APP_ID)
            }
            Self::NoJson => {
                let mut text = event(whole);
                text[place] = 1;
                encrypted(&text, APP_ID)
            }
            Self::NoObject => {
                let mut text = event(whole);
                text[0] = b'[';
                encrypted(&text, APP_ID)
            }
            Self::WrongFormat => {
                let mut data = encrypted(&event(whole), APP_ID);
                data.replace_range(place..=place, "g");
                data
            }
            Self::Opens => encrypted(&event(whole), APP_ID),
            Self::WrongLength => {
                let mut data = encrypted(&event(whole), APP_ID);
                data.truncate(2 * size - BLOCK);
                data
            }
        };
        let encoding = if let Self::Query(_, encoding) = self { encoding } else { "utf8" };
        http::Request::builder()
            .method("POST")
            .uri("/webhook")
            .header("content-type", "application/json")
            .header("x-algoritm", "aes-256-cbc")
            .header("x-format", "hex")
            .header("x-encoding", encoding)
            .body(format!(r#"{{"encrypted_data":"{data}"}}"#))
            .unwrap()
            .into()
    }
}

/// Posts in rounds; the times of each row in nanoseconds, sorted.
async fn measure(refused: Refused, size: usize, rounds: usize) -> Vec<Vec<u64>> {
    let rows = refused.rows();
    let mut receiver = refused.receiver();
    let mut random = Random(0x5EED);
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

fn main() {
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
}
