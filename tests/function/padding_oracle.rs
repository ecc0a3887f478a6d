//! Not an oracle: whichever step of a decryption fails, the caller gets the same status, headers and body.
//!
//! Each test tampers with webhooks in one way, 2,000 times for each cipher, and posts them like a stranger. All answers
//! are compared with one and the same answer, so they are also equal between the tests. That a tampering fails in the
//! step that it is meant for is checked apart from the answer, with the library's own functions.
//!
//! The events are arrays of numbers, because a tampered webhook that still is a JSON object is an event, and is
//! accepted: a garbled block can be text inside of a string, but it is no list of numbers.

use std::{borrow::Cow, collections::BTreeSet, time::Duration};

use http::{HeaderValue, Response};
use tokio::time::advance;
use voicehook_lambda::receiver::Request;
use voicehook_lambda::{
    app_id::{AppId, FixedAppId},
    decrypt::{self, Algorithm, Encoding, Envelope, Fault, Format, Plaintext},
    queue::QueueKind,
    receiver::{Receiver, Settings},
    sender,
    webhook::Accept,
};
use voicehook_test_support::{APP_ID, Random, TestQueue, headers, receiver_with, with_id};

const BLOCK: usize = 16;
/// How many webhooks of each kind are posted for each cipher.
const POSTS: usize = 2000;

/// A receiver that takes every mode.
fn receiver(queue: &TestQueue) -> Receiver<FixedAppId, TestQueue> {
    let settings = Settings { accept: Accept::all(), ..Settings::default() };
    receiver_with(settings, FixedAppId::new(APP_ID), queue)
}

const CBC: &str = "aes-256-cbc";
const ECB: &str = "aes-128-ecb";
const CTR: &str = "aes-256-ctr";

/// An event of 5 to 8 blocks, with every length of padding.
fn event(random: &mut Random) -> Vec<u8> {
    let length = 4 * BLOCK + random.below(3 * BLOCK);
    let mut event = br#"{"n":[1"#.to_vec();
    while event.len() < length {
        event.extend([b',', b'1' + random.byte() % 9]);
    }
    event.truncate(length - length % 2 + 1);
    event.extend(&b" ]}"[random.below(2)..]);
    event
}

/// A webhook in the three headers' terms.
struct Sent {
    algorithm: &'static str,
    format: &'static str,
    encoding: &'static str,
    data: String,
}

impl Sent {
    /// In hexadecimal, and as UTF-8.
    fn hex(algorithm: &'static str, ciphertext: &[u8]) -> Self {
        let data = hex_simd::encode_to_string(ciphertext, hex_simd::AsciiCase::Lower);
        Self { algorithm, format: "hex", encoding: "utf8", data }
    }

    fn request(&self) -> Request {
        let body = format!(r#"{{"encrypted_data":{}}}"#, serde_json::Value::from(self.data.as_str()));
        let mut request: Request = headers().body(body).unwrap().into();
        for (header, name) in [("x-algoritm", self.algorithm), ("x-format", self.format), ("x-encoding", self.encoding)]
        {
            request.headers.insert(header, HeaderValue::from_static(name));
        }
        request
    }

    /// The name of the fault that the library finds; `opened` where it finds none.
    fn fault(&self, app_id: &AppId) -> &'static str {
        let envelope = Envelope {
            algorithm: Algorithm::named(self.algorithm).unwrap(),
            format: Format::named(self.format).unwrap(),
            encoding: Encoding::named(self.encoding).unwrap(),
            encrypted_data: Cow::Borrowed(self.data.as_bytes()),
        };
        decrypt::open(&envelope, app_id.key_and_iv())
            .and_then(Plaintext::into_event)
            .map_or_else(Fault::name, |_| "opened")
    }
}

/// Any bytes as EnableX would encrypt them, padded where the cipher pads.
fn encrypt(algorithm: &str, plaintext: &[u8], app_id: &str) -> Vec<u8> {
    let plaintext: String = plaintext.iter().copied().map(char::from).collect();
    let algorithm = Algorithm::named(algorithm).unwrap();
    let ciphertext = sender::encrypt(&plaintext, app_id, algorithm, Format::Latin1, Encoding::Latin1);
    ciphertext.chars().map(|character| u8::try_from(character).unwrap()).collect()
}

/// A webhook as it should be.
fn encrypted_event(algorithm: &str, random: &mut Random) -> Vec<u8> {
    encrypt(algorithm, &event(random), APP_ID)
}

/// Everything of a response that a caller can read.
fn answer(response: &Response<String>) -> String {
    format!("{:?} {} {:?} {}", response.version(), response.status(), response.headers(), response.body())
}

/// Posts what `tamper` makes, and finds one answer and no message. Gives the faults that there were, behind the
/// answers.
async fn one_answer_to(count: usize, mut tamper: impl FnMut(usize, &mut Random) -> Sent) -> BTreeSet<&'static str> {
    let queue = TestQueue::new(QueueKind::Fifo);
    let receiver = receiver(&queue);
    let the_answer = the_answer(&receiver).await;
    let app_id = AppId::new(APP_ID);
    let mut random = Random::new(0xC0FFEE);
    let mut faults = BTreeSet::new();
    for index in 0..count {
        let sent = tamper(index, &mut random);
        let fault = sent.fault(&app_id);
        let answered = answer(&receiver.respond(&sent.request()).await);
        assert_eq!(answered, the_answer, "{fault}: {} {} {}", sent.algorithm, sent.format, sent.data);
        assert!(queue.messages().is_empty(), "{fault}: {} {} {}", sent.algorithm, sent.format, sent.data);
        faults.insert(fault);
    }
    faults
}

/// What all are compared with: the answer to the webhook of somebody else's project.
async fn the_answer(receiver: &Receiver<FixedAppId, TestQueue>) -> String {
    let others = encrypt(CBC, br#"{"state":"connected"}"#, "the AppID of somebody else");
    let response = receiver.respond(&Sent::hex(CBC, &others).request()).await;
    assert_eq!(response.status(), 400);
    answer(&response)
}

#[tokio::test]
async fn what_is_not_tampered_with_is_accepted() {
    let queue = TestQueue::new(QueueKind::Fifo);
    let receiver = receiver(&queue);
    let mut random = Random::new(0xC0FFEE);
    for algorithm in [CBC, ECB, CTR].into_iter().cycle().take(300) {
        let response =
            receiver.respond(&Sent::hex(algorithm, &encrypted_event(algorithm, &mut random)).request()).await;
        assert_eq!(response.status(), 200);
    }
    assert_eq!(queue.messages().len(), 300);
}

#[tokio::test]
async fn a_wrong_app_id_gets_the_one_answer() {
    for (algorithm, expected) in [(CBC, "padding"), (ECB, "padding"), (CTR, "text")] {
        let faults = one_answer_to(POSTS, |index, random| {
            Sent::hex(algorithm, &encrypt(algorithm, &event(random), &format!("AppID {index}")))
        })
        .await;
        assert!(faults.contains(expected), "{algorithm}: {faults:?}");
    }
}

#[tokio::test]
async fn a_change_of_the_last_byte_gets_the_one_answer() {
    for (algorithm, expected) in [(CBC, "padding"), (ECB, "padding"), (CTR, "text")] {
        let faults = one_answer_to(POSTS, |index, random| {
            let mut data = encrypted_event(algorithm, random);
            // Every bit; in a stream mode the highest alone, because ASCII is text, and may be JSON, with any other.
            *data.last_mut().unwrap() ^= if algorithm == CTR { 0x80 } else { 1 << (index % 8) };
            Sent::hex(algorithm, &data)
        })
        .await;
        assert!(faults.contains(expected), "{algorithm}: {faults:?}");
    }
}

#[tokio::test]
async fn a_changed_byte_in_the_first_a_middle_the_next_to_last_or_the_last_block_gets_the_one_answer() {
    for algorithm in [CBC, ECB, CTR] {
        for from_the_end in [None, Some(3), Some(2), Some(1)] {
            let faults = one_answer_to(POSTS, |_, random| {
                let mut data = encrypted_event(algorithm, random);
                let blocks = data.len() / BLOCK;
                let block = from_the_end.map_or(0, |distance| blocks - distance);
                data[block * BLOCK + random.below(BLOCK)] ^=
                    if algorithm == CTR { 0x80 } else { 1 + random.byte() / 2 };
                Sent::hex(algorithm, &data)
            })
            .await;
            assert!(faults.contains("text"), "{algorithm} {from_the_end:?}: {faults:?}");
            // Of a garbled last block, most have no padding; in CBC the block before it decides as well.
            let decides = if algorithm == CBC { 2 } else { 1 };
            let has_padding = algorithm != CTR && from_the_end.is_some_and(|distance| distance <= decides);
            assert_eq!(faults.contains("padding"), has_padding, "{algorithm} {from_the_end:?}: {faults:?}");
        }
    }
}

#[tokio::test]
async fn every_value_of_the_byte_that_decides_the_padding_gets_the_one_answer() {
    // Vaudenay's query: what is asked about is the last block, and the byte before it runs through all values. Among
    // 256 of them, one or two make the padding sound. The caller names the text encoding, and in Latin-1 all is text.
    for encoding in ["utf8", "latin1", "utf16le", "ascii"] {
        let mut query = Vec::new();
        let faults = one_answer_to(8 * 256, |index, random| {
            let value = u8::try_from(index % 256).unwrap();
            if value == 0 {
                let asked_about = encrypted_event(CBC, random);
                let before = BLOCK * (1 + random.below(5));
                query = random.bytes(before);
                query.extend(&asked_about[asked_about.len() - BLOCK..]);
            }
            let decides = query.len() - BLOCK - 1;
            query[decides] = value;
            Sent { encoding, ..Sent::hex(CBC, &query) }
        })
        .await;
        assert!(faults.contains("padding") && faults.len() > 1, "{encoding}: {faults:?}");
    }
}

#[tokio::test]
async fn sound_and_unsound_padding_behind_an_event_cut_short_get_the_one_answer() {
    // The same query behind blocks of a real event, so that text and JSON are right up to the block before the last.
    for algorithm in [CBC, ECB] {
        let mut query = Vec::new();
        let faults = one_answer_to(8 * 256, |index, random| {
            let value = u8::try_from(index % 256).unwrap();
            if value == 0 {
                query = encrypted_event(algorithm, random);
                query.truncate(3 * BLOCK);
                query.extend(random.bytes(2 * BLOCK));
            }
            // In ECB no byte decides; there the last block is another one each time.
            let decides = query.len() - if algorithm == CBC { BLOCK + 1 } else { 1 };
            query[decides] = value;
            Sent::hex(algorithm, &query)
        })
        .await;
        assert!(faults.contains("padding") && faults.contains("text"), "{algorithm}: {faults:?}");
    }
}

#[tokio::test]
async fn sound_padding_around_what_is_no_text_gets_the_one_answer() {
    for algorithm in [CBC, ECB, CTR] {
        let faults = one_answer_to(POSTS, |_, random| {
            let mut plaintext = event(random);
            let place = random.below(plaintext.len());
            // No first byte of a character, so it is no text behind ASCII.
            plaintext[place] = 0x80 | random.byte() >> 2;
            Sent::hex(algorithm, &encrypt(algorithm, &plaintext, APP_ID))
        })
        .await;
        assert_eq!(faults, ["text"].into(), "{algorithm}");
    }
}

#[tokio::test]
async fn text_that_is_no_json_gets_the_one_answer() {
    for algorithm in [CBC, ECB, CTR] {
        let faults = one_answer_to(POSTS, |index, random| {
            let mut plaintext = event(random);
            match index % 3 {
                0 => plaintext.truncate(1 + random.below(plaintext.len() - 1)),
                1 => plaintext.push(b'x'),
                _ => plaintext[1] = b'n',
            }
            Sent::hex(algorithm, &encrypt(algorithm, &plaintext, APP_ID))
        })
        .await;
        assert_eq!(faults, ["json"].into(), "{algorithm}");
    }
}

#[tokio::test]
async fn json_that_is_no_object_gets_the_one_answer() {
    for algorithm in [CBC, ECB, CTR] {
        let faults = one_answer_to(POSTS, |index, random| {
            let event = String::from_utf8(event(random)).unwrap();
            let plaintext = match index % 4 {
                0 => format!("[{event}]"),
                1 => serde_json::Value::from(event).to_string(),
                2 => random.next().to_string(),
                _ => ["null", "true", "false"][random.below(3)].to_owned(),
            };
            Sent::hex(algorithm, &encrypt(algorithm, plaintext.as_bytes(), APP_ID))
        })
        .await;
        assert_eq!(faults, ["not_an_object"].into(), "{algorithm}");
    }
}

#[tokio::test]
async fn a_ciphertext_cut_by_whole_or_parts_of_blocks_gets_the_one_answer() {
    for (algorithm, whole, parts) in [(CBC, "padding", "length"), (ECB, "padding", "length"), (CTR, "json", "json")] {
        let blocks = one_answer_to(POSTS, |_, random| {
            let mut data = encrypted_event(algorithm, random);
            data.truncate(data.len() - BLOCK * (1 + random.below(3)));
            Sent::hex(algorithm, &data)
        })
        .await;
        assert_eq!(blocks, [whole].into(), "{algorithm}");
        let half_blocks = one_answer_to(POSTS, |index, random| {
            let mut data = encrypted_event(algorithm, random);
            data.truncate(data.len() / BLOCK * BLOCK - if index % 2 == 0 { BLOCK / 2 } else { 1 + random.below(15) });
            Sent::hex(algorithm, &data)
        })
        .await;
        assert_eq!(half_blocks, [parts].into(), "{algorithm}");
    }
}

#[tokio::test]
async fn a_ciphertext_that_is_not_in_the_named_format_gets_the_one_answer() {
    for algorithm in [CBC, ECB, CTR] {
        let faults = one_answer_to(POSTS, |index, random| {
            let ciphertext = encrypted_event(algorithm, random);
            let hex = Sent::hex(algorithm, &ciphertext).data;
            let base64 = base64_simd::STANDARD.encode_to_string(&ciphertext);
            let place = random.below(hex.len());
            let (format, data) = match index % 4 {
                0 => ("hex", hex[1..].to_owned()),
                1 => ("hex", format!("{}g{}", &hex[..place], &hex[place + 1..])),
                2 => ("base64", format!("!{}", &base64[1..])),
                _ => ("latin1", format!("\u{20ac}{}", ciphertext.into_iter().map(char::from).collect::<String>())),
            };
            Sent { format, data, ..Sent::hex(algorithm, &[]) }
        })
        .await;
        assert_eq!(faults, ["format"].into(), "{algorithm}");
    }
}

#[tokio::test]
async fn an_empty_ciphertext_gets_the_one_answer_under_every_name() {
    let (formats, encodings) = (Format::NAMES.len(), Encoding::NAMES.len());
    let names = Algorithm::NAMES.len() * formats * encodings;
    let faults = one_answer_to(POSTS.next_multiple_of(names), |index, _| Sent {
        algorithm: Algorithm::NAMES[index / formats / encodings % Algorithm::NAMES.len()].0,
        format: Format::NAMES[index % formats].0,
        encoding: Encoding::NAMES[index / formats % encodings].0,
        data: String::new(),
    })
    .await;
    assert_eq!(faults, ["length", "json"].into());
}

#[tokio::test(start_paused = true)]
async fn with_a_quarantine_what_does_not_open_is_answered_like_what_opens_and_when_that_is_full_all_alike() {
    let (queue, quarantine) = (TestQueue::new(QueueKind::Fifo), TestQueue::new(QueueKind::Standard));
    let receiver = receiver(&queue).with_quarantine(Some(quarantine.clone()));
    let app_id = AppId::new(APP_ID);
    let mut random = Random::new(0xC0FFEE);
    let mut faults = BTreeSet::new();
    let mut post = async |random: &mut Random, kind| {
        let sent = tampered(kind, random);
        faults.insert(sent.fault(&app_id));
        let request = with_id(sent.request(), "request-1");
        answer(&receiver.respond(&request).await)
    };
    let opened = post(&mut random, 6).await;
    assert!(opened.contains(" 200 ") && opened.contains("request-1"), "{opened}");
    for kind in 0..KINDS {
        for _ in 0..POSTS {
            // Below the rate that the quarantine takes.
            advance(Duration::from_millis(100)).await;
            assert_eq!(post(&mut random, kind).await, opened, "{kind}");
        }
    }
    assert_eq!((queue.messages().len(), quarantine.messages().len()), (1 + POSTS, (KINDS - 1) * POSTS));

    // The clock stands still from here on.
    let mut refused = BTreeSet::new();
    for number in 0..1000 {
        refused.insert(post(&mut random, number % (KINDS - 1)).await);
    }
    refused.remove(&opened);
    assert!(refused.len() == 1 && refused.iter().all(|answer| answer.contains(" 503 ")), "{refused:?}");
    assert!(faults.len() >= 6, "{faults:?}");
}

const KINDS: usize = 7;

/// A webhook that fails in some step, or, of the last kind, opens.
fn tampered(kind: usize, random: &mut Random) -> Sent {
    let event = event(random);
    match kind {
        0 => Sent::hex(CBC, &encrypt(CBC, &event, "another")),
        1 => Sent::hex(CBC, &encrypt(CBC, &[event.as_slice(), b"\xff"].concat(), APP_ID)),
        2 => Sent::hex(CBC, &encrypt(CBC, &event[..event.len() - 1], APP_ID)),
        3 => Sent::hex(CBC, &encrypt(CBC, &[b"[", event.as_slice(), b"]"].concat(), APP_ID)),
        4 => Sent::hex(CBC, &event[..BLOCK + 1]),
        5 => Sent { data: "no digits".to_owned(), ..Sent::hex(CBC, &[]) },
        _ => Sent::hex(CBC, &encrypt(CBC, &event, APP_ID)),
    }
}
