//! How long each step of a webhook takes, and the whole handler without input and output.
//!
//!     cargo bench --bench micro                 # all of it
//!     cargo bench --bench micro -- handler      # what has that in its name
//!
//! Sizes are those of the event's text, in bytes. At the end the handler is compared with its floor, which is hex
//! decoding, AES-256-CBC and the check that the text is UTF-8, with the fastest crates and nothing else; and the handler
//! that sends, with that floor and the SDK of SQS, up to the request that would be sent.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark prints, and fails by panicking"
)]

mod support;

use std::{borrow::Cow, hint::black_box, time::Instant};

use aes::Aes256;
use aws_sdk_sqs::Client;
use cipher::{Array, BlockModeDecrypt as _, KeyIvInit as _};
use divan::{Bencher, counter::BytesCount};
use support::{APP_ID, NoQueue, QUEUE_URL, aws, encrypted, event, receiver, request, runtime, sqs};
use voicehook_lambda::{
    app_id::AppId,
    decrypt::{self, Algorithm, Encoding, Envelope, Format, KeyAndIv, KeySize},
    event::Event,
};

const SIZES: [usize; 4] = [300, 4 << 10, 64 << 10, 700 << 10];
const MODES: [&str; 6] = ["aes-256-cbc", "aes-256-ctr", "aes-256-cfb", "aes-256-cfb8", "aes-256-ofb", "aes-256-ecb"];
const FORMATS: [&str; 3] = ["hex", "base64", "latin1"];

fn main() {
    divan::main();
    // Without cargo's own flag, this is a test of the benchmark.
    let is_benchmark = std::env::args().any(|argument| argument == "--bench");
    print_ratios(if is_benchmark { 200 } else { 1 });
}

#[divan::bench]
fn key_derivation() -> AppId {
    AppId::new(black_box(APP_ID))
}

#[divan::bench(args = MODES, consts = SIZES)]
fn cipher_mode<const BYTES: usize>(bencher: Bencher<'_, '_>, algorithm: &str) {
    open(bencher, algorithm, "hex", BYTES);
}

#[divan::bench(args = FORMATS, consts = SIZES)]
fn format<const BYTES: usize>(bencher: Bencher<'_, '_>, format: &str) {
    open(bencher, "aes-256-cbc", format, BYTES);
}

/// From `encrypted_data` to text.
fn open(bencher: Bencher<'_, '_>, algorithm: &str, format: &str, bytes: usize) {
    let format = Format::named(format).unwrap();
    let data = encrypted(&event(bytes), algorithm, format);
    let envelope = Envelope {
        algorithm: Algorithm::named(algorithm).unwrap(),
        format,
        encoding: Encoding::Utf8,
        encrypted_data: Cow::Borrowed(data.as_bytes()),
    };
    let app_id = AppId::new(APP_ID);
    bencher.counter(BytesCount::new(bytes)).bench(|| decrypt::open(black_box(&envelope), app_id.key_and_iv()));
}

#[divan::bench(consts = SIZES)]
fn event_parse<const BYTES: usize>(bencher: Bencher<'_, '_>) {
    let text = event(BYTES);
    bencher.counter(BytesCount::new(BYTES)).with_inputs(|| text.clone()).bench_values(Event::from_json);
}

#[divan::bench(consts = SIZES)]
fn handler<const BYTES: usize>(bencher: Bencher<'_, '_>) {
    let (runtime, receiver) = (runtime(), receiver(NoQueue));
    let request = request(BYTES);
    bencher.counter(BytesCount::new(BYTES)).bench(|| runtime.block_on(receiver.receive(black_box(&request))));
}

/// Up to the request that would go to SQS.
#[divan::bench(consts = SIZES)]
fn handler_that_sends<const BYTES: usize>(bencher: Bencher<'_, '_>) {
    let (runtime, receiver) = (runtime(), receiver(sqs()));
    let request = request(BYTES);
    bencher.counter(BytesCount::new(BYTES)).bench(|| runtime.block_on(receiver.receive(black_box(&request))));
}

#[divan::bench(consts = SIZES)]
fn floor<const BYTES: usize>(bencher: Bencher<'_, '_>) {
    let floor = Floor::new(BYTES);
    bencher.counter(BytesCount::new(BYTES)).bench(|| floor.open());
}

/// The least that must be done with a webhook, whoever does it.
struct Floor {
    data: String,
    key: KeyAndIv,
}

impl Floor {
    fn new(bytes: usize) -> Self {
        Self { data: encrypted(&event(bytes), "aes-256-cbc", Format::Hex), key: KeyAndIv::derive(APP_ID) }
    }

    fn open(&self) -> Vec<u8> {
        let mut bytes = hex_simd::decode_to_vec(black_box(&self.data)).unwrap();
        let (key, iv) = self.key.split(KeySize::Aes256);
        cbc::Decryptor::<Aes256>::new_from_slices(key, iv)
            .unwrap()
            .decrypt_blocks(Array::slice_as_chunks_mut(&mut bytes).0);
        let padding = usize::from(*bytes.last().unwrap());
        bytes.truncate(bytes.len() - padding);
        assert!(simdutf8::basic::from_utf8(&bytes).is_ok());
        bytes
    }
}

/// Each pair in turns, so that whatever slows the machine down slows both down; medians, in microseconds.
fn print_ratios(rounds: usize) {
    println!("\n| bytes | handler | floor | ratio | handler that sends | floor + SDK | ratio |");
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let runtime = runtime();
    let (receiver, sending) = (receiver(NoQueue), receiver(sqs()));
    let sqs = Client::new(aws().shared());
    for bytes in SIZES {
        let (request, text, floor) = (request(bytes), event(bytes), Floor::new(bytes));
        let send = || {
            let message = sqs.send_message().queue_url(QUEUE_URL).message_body(black_box(&text));
            runtime.block_on(message.message_group_id("call").message_deduplication_id("event").send()).unwrap()
        };
        let repeated = 1 + (100 << 10) / bytes;
        let mut times = [(); 4].map(|()| Vec::with_capacity(rounds));
        for _ in 0..rounds {
            times[0].push(time(repeated, || runtime.block_on(receiver.receive(black_box(&request)))));
            times[1].push(time(repeated, || floor.open()));
            times[2].push(time(repeated, || runtime.block_on(sending.receive(black_box(&request)))));
            times[3].push(time(repeated, send));
        }
        let [handler, floor, handler_that_sends, sdk] = times.map(|mut times| {
            times.sort_unstable_by(f64::total_cmp);
            times[times.len() / 2]
        });
        let (ratio, ratio_that_sends) = (handler / floor, handler_that_sends / (floor + sdk));
        println!(
            "| {bytes} | {handler:.1} | {floor:.1} | {ratio:.2} | {handler_that_sends:.1} | {floor:.1} + {sdk:.1} | {ratio_that_sends:.2} |"
        );
    }
}

/// Microseconds of one of several calls.
fn time<T>(repeated: usize, mut call: impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    for _ in 0..repeated {
        black_box(call());
    }
    start.elapsed().as_secs_f64() * 1e6 / repeated as f64
}
