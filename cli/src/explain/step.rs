//! The steps in which a webhook is handled, and the one at which it is refused.

use voicehook_lambda::{decrypt::Fault, receiver::Refusal, webhook::Malformed};

/// A step in handling a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Route,
    Envelope,
    AppId,
    Decrypt,
    Event,
    Queue,
}

impl Step {
    /// All, with their names.
    pub(crate) const ALL: [(Self, &str); 6] = [
        (Self::Route, "Route"),
        (Self::Envelope, "Envelope"),
        (Self::AppId, "AppID"),
        (Self::Decrypt, "Decrypt"),
        (Self::Event, "Event"),
        (Self::Queue, "Queue"),
    ];

    /// Its name.
    pub(crate) fn name(self) -> Option<&'static str> {
        Self::ALL.iter().find(|(step, _)| *step == self).map(|(_, name)| *name)
    }
}

/// The step at which a webhook is refused, and a short description of what went wrong.
pub(crate) const fn step_that_refused(refusal: &Refusal) -> (Step, &'static str) {
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
