//! Explains a failed webhook to a developer: which step failed, why, and what to do next.
//!
//! The function never reveals which step of a decryption failed, because that would make it a padding oracle. At the local
//! receiver it is safe to tell. A quarantined webhook counts as failed here, although its answer is 200.

use serde_json::{Value, json};
use voicehook_lambda::{
    decrypt::{self, Algorithm, Envelope, Fault, Format, KeyAndIv, Plaintext},
    queue::QueueError,
    receiver::{MAX_BODY_BYTES, Outcome, Refusal},
    webhook::{Accept, Malformed, Webhook},
};

use super::Exchange;
use crate::send::DEV_APP_ID;

/// A step in handling a webhook.
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
    /// A short description, for the list.
    pub(super) title: String,
}

/// Each step and its result: `passed`, `failed` or `skipped`.
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
        Outcome::MethodNotAllowed => (Step::Route, "Webhooks must be sent with POST"),
        Outcome::BodyTooLarge => (Step::Route, "The request is too large"),
        Outcome::NotQueued(_) => (Step::Queue, "The event is not on the queue"),
        Outcome::Refused(refusal) | Outcome::Quarantined(refusal) | Outcome::NotQuarantined(refusal, _) => {
            refused(refusal)
        }
        _ => (Step::Route, "voicehook itself failed"),
    };
    Some(Failure { step, title: title.to_owned() })
}

const fn refused(refusal: &Refusal) -> (Step, &'static str) {
    match refusal {
        Refusal::NotFound => (Step::Route, "No webhooks are received at this path"),
        Refusal::Malformed(malformed) => (
            Step::Envelope,
            match malformed {
                Malformed::MissingHeader { .. } => "A header is missing",
                Malformed::UnsupportedValue { .. } => "A header has an unsupported value",
                Malformed::NotAllowed { .. } => "The algorithm is not allowed here",
                Malformed::PlainEvent => "The event is not encrypted",
                Malformed::AmbiguousHeader(_) => "A header was sent twice",
                Malformed::UnsupportedContentEncoding(_) => "The body is compressed",
                Malformed::UnsupportedMediaType(_) => "The body is neither JSON nor a form",
                Malformed::NotJson { .. } => "The body is not valid JSON",
                Malformed::PlainNotAnEvent(_) => "The body is not a JSON object",
                _ => "The body has no encrypted_data",
            },
        ),
        Refusal::Undecryptable(Fault::Format) => {
            (Step::Decrypt, "The ciphertext is not in the format named by x-format")
        }
        Refusal::Undecryptable(Fault::Length) => (Step::Decrypt, "Invalid ciphertext length"),
        Refusal::Undecryptable(Fault::Padding) => (Step::Decrypt, "Wrong AppID: decryption failed"),
        Refusal::Undecryptable(Fault::Text) => (Step::Decrypt, "The decrypted bytes are not text"),
        Refusal::Undecryptable(Fault::Json) => (Step::Event, "The decrypted text is not JSON"),
        Refusal::Undecryptable(_) => (Step::Event, "The decrypted JSON is not an object"),
        Refusal::TooOld => (Step::Event, "The event is too old"),
        Refusal::TooLarge { .. } => (Step::Queue, "The event is too large for the queue"),
        Refusal::AppIdUnavailable(_) => (Step::AppId, "No AppID available"),
        _ => (Step::Envelope, "The request was refused"),
    }
}

impl Failure {
    /// The failure with its reason and what to do next.
    pub(super) fn json(&self, exchange: &Exchange, webhook_url: &str) -> Value {
        let step = Step::ALL.iter().find(|(step, _)| *step == self.step).map(|(_, name)| *name);
        let (why, next) = advice(exchange, webhook_url);
        let kept = quarantine(&exchange.outcome);
        json!({ "step": step, "title": self.title, "why": why, "next": next, "kept": kept })
    }
}

/// With a quarantine: whether it has the webhook, and why the answer has this status.
const fn quarantine(outcome: &Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Quarantined(_) => Some(
            "The webhook is kept in quarantine, so the answer is 200, as if it had been decrypted: the sender learns \
             nothing. Once the cause is fixed, voicehook redrive puts the event on its queue.",
        ),
        Outcome::NotQuarantined(..) => {
            Some("The quarantine did not accept the webhook either, so the answer is 503: the sender may try again.")
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
        Outcome::MethodNotAllowed => {
            say(format!("The request method was {}.", exchange.request.method()), ["Send it with POST."])
        }
        Outcome::BodyTooLarge => say(
            format!("The body is larger than {MAX_BODY_BYTES} bytes, the most that Lambda accepts."),
            ["Check the sender: a voice event has a few hundred bytes."],
        ),
        Outcome::NotQueued(error) => not_queued(error),
        Outcome::Refused(refusal) | Outcome::Quarantined(refusal) | Outcome::NotQuarantined(refusal, _) => {
            match refusal {
                Refusal::NotFound => say(
                    format!(
                        "No webhooks are received at {}: the path, the name of the app or the token is wrong.",
                        exchange.request.uri().path()
                    ),
                    [&format!("Send to {webhook_url}, the URL of this receiver.")],
                ),
                Refusal::AppIdUnavailable(error) => {
                    say(error.to_string(), ["Start voicehook dev with --app-id or ENABLEX_APP_ID."])
                }
                Refusal::Malformed(malformed) => malformed_advice(malformed),
                Refusal::Undecryptable(fault) => undecryptable(exchange, *fault),
                Refusal::TooOld => say(
                    "The event's timestamp is older than MAX_EVENT_AGE_SECONDS allows.",
                    ["Compare the clocks of sender and receiver.", "Unset or raise MAX_EVENT_AGE_SECONDS."],
                ),
                Refusal::TooLarge { limit } => say(
                    format!("With its attributes, the message is larger than the {limit} bytes that SQS accepts."),
                    ["Check which field of the event is so long."],
                ),
                _ => say("", []),
            }
        }
        _ => say(
            "This is a bug in voicehook, not in your webhook. The terminal shows where in the code.",
            ["Copy the request as curl, and report it with the line from the terminal."],
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
            "Check that the queue or its emulator is running at --queue-url, and check AWS_ENDPOINT_URL.",
            "Omit --queue-url to keep the events in memory.",
        ],
        QueueError::Throttled(_) => &["Send less, or try again: EnableX would."],
        _ => &["Check what SQS rejects in the message below."],
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
                "Or start voicehook dev with ALLOW_PLAINTEXT=true to accept plaintext events.",
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
                "Or start voicehook dev with ALLOW_PLAINTEXT=true to accept plaintext events.",
                "If a proxy or a tunnel forwards the request, check that it keeps all headers.",
            ],
        ),
        Malformed::MissingHeader { header, .. } => {
            say(why, [&format!("Send {header}: EnableX always does. A proxy may have dropped it.")])
        }
        Malformed::UnsupportedValue { header, .. } => say(why, [&format!("Send a supported value in {header}.")]),
        Malformed::AmbiguousHeader(_) => say(why, ["Check what forwards the request: it has added the header again."]),
        Malformed::UnsupportedMediaType(_) => say(why, ["Send content-type: application/json."]),
        Malformed::PlainNotAnEvent(_) => {
            say(why, ["Send a JSON object, or encrypt the event and name the cipher in x-algoritm."])
        }
        _ => say(
            why,
            [
                "Compare the body below with what EnableX sends: {\"encrypted_data\": \"…\"}.",
                "With curl, put the body in single quotes, so that the shell does not change it.",
            ],
        ),
    }
}

fn undecryptable(exchange: &Exchange, fault: Fault) -> Advice {
    let accept = Accept::all();
    let webhook = Webhook::read(exchange.request.headers(), exchange.request.body(), &accept);
    let Ok(Webhook::Encrypted(envelope)) = webhook else { return say("", []) };
    match fault {
        Fault::Format => wrong_format(&envelope),
        Fault::Length => say(
            format!(
                "The ciphertext has {} characters, and its length is not a multiple of 16 bytes, as this cipher requires.",
                envelope.encrypted_data.len()
            ),
            [
                "Send the complete ciphertext: it was probably cut off on the way.",
                "If it is complete, x-algoritm names a different cipher than the one it was encrypted with.",
            ],
        ),
        Fault::Padding => wrong_app_id(&envelope, "The padding at the end of the decrypted text is invalid."),
        Fault::Text | Fault::Json if !envelope.algorithm.mode.is_padded() => {
            wrong_app_id(&envelope, "In this mode decryption succeeds with any AppID, but the result is not JSON.")
        }
        Fault::Text => say(
            "Decryption succeeded, but the bytes are not text in the encoding named by x-encoding.",
            ["Name the encoding of the text in x-encoding; EnableX uses utf8."],
        ),
        Fault::Json => say(
            "Decryption with the AppID succeeded, but the text is not JSON.",
            [
                "Encrypt the JSON of one event and nothing else.",
                "If the text has a different encoding than x-encoding names, correct x-encoding.",
            ],
        ),
        _ => say(
            "Decryption succeeded, but the JSON is not an object: it is an array, a string or a number.",
            ["Encrypt the JSON object of one event."],
        ),
    }
}

fn wrong_app_id(envelope: &Envelope<'_>, why: &str) -> Advice {
    let opens = |app_id| decrypt::open(envelope, &KeyAndIv::derive(app_id)).and_then(Plaintext::into_event).is_ok();
    if opens(DEV_APP_ID) {
        return say(
            format!("{why} It was encrypted with voicehook's sample AppID, but this receiver has a different one."),
            ["Send with this receiver's AppID: voicehook trigger --app-id \"$ENABLEX_APP_ID\"."],
        );
    }
    say(
        format!("{why} The usual cause is that it was encrypted with a different AppID than this receiver's."),
        [
            "Copy the AppID from the EnableX portal (the project's App ID, not its App Key) and start voicehook dev with --app-id or ENABLEX_APP_ID.",
            "If the AppID is right, x-algoritm may name a different cipher than the one it was encrypted with.",
            "If both are right, the ciphertext was changed on the way.",
        ],
    )
}

fn wrong_format(envelope: &Envelope<'_>) -> Advice {
    let text = String::from_utf8_lossy(&envelope.encrypted_data);
    let given = Format::NAMES.iter().find(|(_, format)| *format == envelope.format).map_or("", |(name, _)| *name);
    let fits = |wanted: Format| {
        let envelope = Envelope { format: wanted, algorithm: stream_cipher(envelope.algorithm), ..envelope.clone() };
        !matches!(decrypt::open(&envelope, &KeyAndIv::derive("")), Err(Fault::Format))
    };
    let other = [("hex", Format::Hex), ("base64", Format::Base64)].into_iter().find(|(_, format)| fits(*format));
    let first_wrong = text.char_indices().find(|(_, c)| envelope.format == Format::Hex && !c.is_ascii_hexdigit());
    let why = match first_wrong {
        Some((place, c)) => format!("x-format says hex, but character {} of encrypted_data is {c:?}.", 1 + place),
        None if envelope.format == Format::Hex => {
            format!("x-format says hex, but {} is an odd number of digits: one is missing.", text.len())
        }
        None => format!("x-format says {given}, but encrypted_data is not valid {given}."),
    };
    match other {
        Some((name, _)) => say(why, [&format!("It is valid {name}: send x-format: {name}.")]),
        None => say(
            why,
            [
                "Send the complete ciphertext, unchanged.",
                "Check that it is not encoded twice, and that a + in a form is sent as %2B.",
            ],
        ),
    }
}

/// A cipher that accepts any length, so that only the format is tested.
fn stream_cipher(otherwise: Algorithm) -> Algorithm {
    Algorithm::named("aes-256-ctr").unwrap_or(otherwise)
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
