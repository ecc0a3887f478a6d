//! A failed webhook in full words: which step failed, why, and what to do next.
//!
//! The function tells nobody which step of a decryption failed, because that would make it a padding oracle; a developer
//! at the local receiver may know. With a quarantine it answers such a webhook with 200, like one that opened: that is
//! still a failure here.

use serde_json::{Value, json};
use voicehook::{
    app_id::AppId,
    decrypt::{self, Fault},
    event::Event,
    gateway::{MAX_BODY_BYTES, Outcome, Refusal},
    queue::QueueError,
    webhook::{Accept, Algorithm, Envelope, Format, Malformed, Webhook},
};

use super::Exchange;
use crate::send::DEV_APP_ID;

/// A step on the way of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Route,
    Envelope,
    AppId,
    Decrypt,
    Event,
    Queue,
}

impl Step {
    const ALL: [(Self, &str); 6] = [
        (Self::Route, "Route"),
        (Self::Envelope, "Envelope"),
        (Self::AppId, "AppID"),
        (Self::Decrypt, "Decrypt"),
        (Self::Event, "Event"),
        (Self::Queue, "Queue"),
    ];
}

/// What went wrong.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) step: Step,
    /// In a few words, for the list.
    pub(super) title: String,
}

/// Each step and what became of it: `passed`, `failed` or `skipped`.
pub(super) fn steps(exchange: &Exchange) -> Vec<Value> {
    let failed = failure(exchange).map(|failure| failure.step);
    let mut state = "passed";
    let all = Step::ALL.iter().map(|(step, name)| {
        if failed == Some(*step) {
            state = "skipped";
            return json!([name, "failed"]);
        }
        if *step == Step::Envelope && matches!(exchange.outcome, Outcome::Probe) {
            state = "skipped";
        }
        json!([name, state])
    });
    all.collect()
}

/// What went wrong, if anything did.
pub(super) fn failure(exchange: &Exchange) -> Option<Failure> {
    let (step, title) = match &exchange.outcome {
        Outcome::Queued { .. } | Outcome::Probe => return None,
        Outcome::NotFound => (Step::Route, "No webhook is received under this path"),
        Outcome::MethodNotAllowed => (Step::Route, "Webhooks come by POST"),
        Outcome::BodyTooLarge => (Step::Route, "The request is too large"),
        Outcome::AppIdUnavailable(_) => (Step::AppId, "No AppID available"),
        Outcome::NotQueued(_) => (Step::Queue, "The queue does not have the event"),
        Outcome::Refused(refusal) | Outcome::Quarantined(refusal) | Outcome::NotQuarantined(refusal, _) => {
            refused(refusal)
        }
        _ => (Step::Route, "voicehook itself failed"),
    };
    Some(Failure { step, title: title.to_owned() })
}

const fn refused(refusal: &Refusal) -> (Step, &'static str) {
    match refusal {
        Refusal::Malformed(malformed) => (
            Step::Envelope,
            match malformed {
                Malformed::MissingHeader { .. } => "A header is missing",
                Malformed::UnsupportedValue { .. } => "A header names something that is not supported",
                Malformed::NotAllowed { .. } => "The algorithm is not allowed here",
                Malformed::PlainEvent => "The event is not encrypted",
                Malformed::AmbiguousHeader(_) => "A header was sent twice",
                Malformed::UnsupportedContentEncoding(_) => "The body is compressed",
                Malformed::UnsupportedMediaType(_) => "The body is neither JSON nor a form",
                Malformed::NotJson { .. } => "The body is not valid JSON",
                _ => "The body has no encrypted_data",
            },
        ),
        Refusal::Undecryptable(Fault::Format) => {
            (Step::Decrypt, "The ciphertext is not in the format that x-format names")
        }
        Refusal::Undecryptable(Fault::Length) => (Step::Decrypt, "Invalid ciphertext length"),
        Refusal::Undecryptable(Fault::Padding) => (Step::Decrypt, "Wrong AppID: decryption failed"),
        Refusal::Undecryptable(Fault::Text) => (Step::Decrypt, "The decrypted bytes are not text"),
        Refusal::Undecryptable(Fault::Json) => (Step::Event, "The decrypted text is not JSON"),
        Refusal::Undecryptable(_) => (Step::Event, "The decrypted JSON is not an object"),
        Refusal::TooOld => (Step::Event, "The event is too old"),
        Refusal::TooLarge { .. } => (Step::Queue, "The event is too large for the queue"),
        Refusal::AppIdUnavailable(_) => (Step::AppId, "No AppID available to check it with"),
        _ => (Step::Envelope, "The request was refused"),
    }
}

impl Failure {
    /// With the reason and what to do next.
    pub(super) fn json(&self, exchange: &Exchange, webhook_url: &str) -> Value {
        let step = Step::ALL.iter().find(|(step, _)| *step == self.step).map(|(_, name)| *name);
        let (why, next) = advice(exchange, webhook_url);
        let kept = quarantine(&exchange.outcome);
        json!({ "step": step, "title": self.title, "why": why, "next": next, "kept": kept })
    }
}

/// Where a quarantine is configured, what it has of the webhook, and why the answer has this status.
const fn quarantine(outcome: &Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Quarantined(_) => Some(
            "The webhook is kept in quarantine, so the answer is 200, as if it had opened: the sender learns nothing. \
             Once the cause is fixed, voicehook redrive puts the event on its queue.",
        ),
        Outcome::NotQuarantined(..) => {
            Some("The quarantine did not take the webhook either, so the answer is 503: the sender may try again.")
        }
        _ => None,
    }
}

type Advice = (String, Vec<String>);

fn say<const N: usize>(why: impl Into<String>, next: [&str; N]) -> Advice {
    (why.into(), next.into_iter().map(str::to_owned).collect())
}

fn advice(exchange: &Exchange, webhook_url: &str) -> Advice {
    match &exchange.outcome {
        Outcome::NotFound => say(
            format!(
                "Nothing is received under {}: the path, the name of the app or the token is wrong.",
                exchange.request.uri().path()
            ),
            [&format!("Send to {webhook_url}, the URL of this receiver.")],
        ),
        Outcome::MethodNotAllowed => {
            say(format!("The request came by {}.", exchange.request.method()), ["Send it by POST."])
        }
        Outcome::BodyTooLarge => say(
            format!("The body is larger than {MAX_BODY_BYTES} bytes, the most that Lambda takes."),
            ["Look at what sends it: a voice event has a few hundred bytes."],
        ),
        Outcome::AppIdUnavailable(error) => {
            say(error.to_string(), ["Start voicehook dev with --app-id or ENABLEX_APP_ID."])
        }
        Outcome::NotQueued(error) => not_queued(error),
        Outcome::Refused(refusal) | Outcome::Quarantined(refusal) | Outcome::NotQuarantined(refusal, _) => {
            match refusal {
                Refusal::Malformed(malformed) => malformed_advice(malformed),
                Refusal::Undecryptable(fault) => undecryptable(exchange, *fault),
                Refusal::TooOld => say(
                    "The event's own timestamp is further back than MAX_EVENT_AGE_SECONDS allows.",
                    ["Compare the clocks of sender and receiver.", "Unset MAX_EVENT_AGE_SECONDS, or set it to more."],
                ),
                Refusal::TooLarge { limit } => say(
                    format!("The message, with its attributes, has more than the {limit} bytes that SQS takes."),
                    ["Look at the event: which field is so long?"],
                ),
                _ => say("", []),
            }
        }
        _ => say(
            "A mistake in voicehook, not in your webhook. The terminal has the place in the code.",
            ["Copy the request as curl and report it with the line from the terminal."],
        ),
    }
}

fn not_queued(error: &QueueError) -> Advice {
    let next: &[&str] = match error {
        QueueError::NoSuchQueue => &["Check --queue-url, the account and the region (AWS_REGION)."],
        QueueError::Denied(_) => &[
            "Check which credentials you use: aws sts get-caller-identity.",
            "Allow them sqs:SendMessage on this queue.",
        ],
        QueueError::Unreachable(_) | QueueError::OutOfTime => &[
            "Check that the queue or its emulator runs under --queue-url, and AWS_ENDPOINT_URL.",
            "Leave --queue-url out to keep the events in memory.",
        ],
        QueueError::Throttled(_) => &["Send less, or try again: EnableX would."],
        _ => &["Look at the message below: what in it does SQS refuse?"],
    };
    (format!("Decrypted, but {error}."), next.iter().map(|next| (*next).to_owned()).collect())
}

fn malformed_advice(malformed: &Malformed) -> Advice {
    let why = capitalized(&format!("{malformed}."));
    match malformed {
        Malformed::PlainEvent => say(
            why,
            [
                "Turn on webhook encryption for the project in the EnableX portal.",
                "Or start voicehook dev with ALLOW_PLAINTEXT=true to take plain events.",
            ],
        ),
        Malformed::NotAllowed { .. } => {
            say(why, ["Add it to ALLOWED_ALGORITHMS, or set that to all; read SECURITY.md first."])
        }
        Malformed::UnsupportedContentEncoding(_) => say(why, ["Send the body without compression."]),
        Malformed::MissingHeader { header, .. } if header.starts_with("x-algorit") => say(
            why,
            [
                "Turn on webhook encryption for the project in the EnableX portal: without it, events come as plain JSON.",
                "Or start voicehook dev with ALLOW_PLAINTEXT=true to take plain events.",
                "If something between sends the request on (a proxy, a tunnel), check that it keeps all headers.",
            ],
        ),
        Malformed::MissingHeader { header, .. } => {
            say(why, [&format!("Send {header}: EnableX always does. A proxy may have dropped it.")])
        }
        Malformed::UnsupportedValue { header, .. } => say(why, [&format!("Send a supported value in {header}.")]),
        Malformed::AmbiguousHeader(_) => {
            say(why, ["Look at what sends the request on: it has added a header of its own."])
        }
        Malformed::UnsupportedMediaType(_) => say(why, ["Send content-type: application/json."]),
        _ => say(
            why,
            [
                "Compare the body below with what EnableX sends: {\"encrypted_data\": \"…\"}.",
                "curl: single quotes around the body keep the shell from changing it.",
            ],
        ),
    }
}

fn undecryptable(exchange: &Exchange, fault: Fault) -> Advice {
    let accept = Accept::all();
    let webhook = Webhook::read(exchange.request.headers(), exchange.request.body(), &accept);
    let Ok(Webhook::Encrypted(envelope)) = webhook else {
        return say(
            "The request has no header x-algoritm, so its body was taken as the event itself.",
            ["Send a JSON object."],
        );
    };
    match fault {
        Fault::Format => wrong_format(&envelope),
        Fault::Length => say(
            format!(
                "The ciphertext has {} characters: its length is not a multiple of 16 bytes, which this cipher produces.",
                envelope.encrypted_data.len()
            ),
            [
                "Send the ciphertext whole: it was probably cut off on the way.",
                "If it is whole, x-algoritm names another cipher than the one that it was made with.",
            ],
        ),
        Fault::Padding => wrong_app_id(&envelope, "The padding at the end of the decrypted text is wrong."),
        Fault::Text | Fault::Json if !envelope.algorithm.mode.is_padded() => {
            wrong_app_id(&envelope, "In this mode any AppID decrypts to something, but the result is not JSON.")
        }
        Fault::Text => say(
            "It was decrypted, but the bytes are not text in the encoding that x-encoding names.",
            ["Send the encoding of the text in x-encoding: EnableX sends utf8."],
        ),
        Fault::Json => say(
            "It was decrypted to text with the AppID, but the text is not JSON.",
            [
                "Encrypt the JSON of one event, and nothing else.",
                "If the text has another encoding than x-encoding names, name that one.",
            ],
        ),
        _ => say(
            "It was decrypted to JSON, but the JSON is not an object: it is a list, a text or a number.",
            ["Encrypt the JSON object of one event."],
        ),
    }
}

fn wrong_app_id(envelope: &Envelope<'_>, why: &str) -> Advice {
    let opens = |app_id| decrypt::open(envelope, &AppId::new(app_id)).and_then(Event::read).is_ok();
    if opens(DEV_APP_ID) {
        return say(
            format!("{why} It was encrypted with voicehook's sample AppID, and this receiver has another one."),
            ["Send with this receiver's AppID: voicehook trigger --app-id \"$ENABLEX_APP_ID\"."],
        );
    }
    say(
        format!("{why} Almost always it was encrypted with another AppID than this receiver's."),
        [
            "Copy the AppID from the EnableX portal (the project's App ID, not its App Key) and start voicehook dev with --app-id or ENABLEX_APP_ID.",
            "If the AppID is right, x-algoritm may name another cipher than the one that it was made with.",
            "If both are right, the ciphertext was changed on the way.",
        ],
    )
}

fn wrong_format(envelope: &Envelope<'_>) -> Advice {
    let text = String::from_utf8_lossy(&envelope.encrypted_data);
    let given = Format::NAMES.iter().find(|(_, format)| *format == envelope.format).map_or("", |(name, _)| *name);
    let fits = |wanted: Format| {
        let envelope = Envelope { format: wanted, algorithm: stream_cipher(envelope.algorithm), ..envelope.clone() };
        !matches!(decrypt::open(&envelope, &AppId::new("")), Err(Fault::Format))
    };
    let other = [("hex", Format::Hex), ("base64", Format::Base64)].into_iter().find(|(_, format)| fits(*format));
    let first_wrong = text.char_indices().find(|(_, c)| envelope.format == Format::Hex && !c.is_ascii_hexdigit());
    let why = match first_wrong {
        Some((place, c)) => format!("x-format says hex, but character {} of encrypted_data is {c:?}.", 1 + place),
        None if envelope.format == Format::Hex => {
            format!("x-format says hex, but {} digits are an odd number: one is missing.", text.len())
        }
        None => format!("x-format says {given}, and encrypted_data is not written like that."),
    };
    match other {
        Some((name, _)) => say(why, [&format!("It would be valid {name}: send x-format: {name}.")]),
        None => say(
            why,
            [
                "Send the ciphertext whole and unchanged.",
                "Check that nothing encodes it twice (a + in a form must be %2B).",
            ],
        ),
    }
}

/// A cipher that takes every length, so that nothing but the format is tested.
fn stream_cipher(otherwise: Algorithm) -> Algorithm {
    Algorithm::named("aes-256-ctr").unwrap_or(otherwise)
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
