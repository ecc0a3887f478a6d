//! Explains a failed webhook to a developer: which step failed, why, and what to do next.
//!
//! What is wrong with the webhook itself is said by [`explain`](crate::explain); here are the steps, and what concerns
//! this receiver and its queue. A quarantined webhook counts as failed here, although its answer is 200.

use serde_json::{Value, json};
use voicehook_lambda::{
    app_id::DEFAULT_APP,
    queue::QueueError,
    receiver::{MAX_BODY_BYTES, Outcome, Refusal},
};

use super::Exchange;
use crate::{
    explain::{GIVE_IT, Refused, Step, step_that_refused},
    known_app_ids::KnownAppIds,
};

/// What went wrong.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) step: Step,
    /// A short description, for the list.
    pub(super) title: String,
}

/// Each step and its result: `passed`, `failed` or `skipped`; that of the application may be `waiting`.
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
    let application = exchange.forwarding.as_ref().map(|forwarding| json!(["Application", forwarding.step()]));
    all.chain(application).collect()
}

/// What went wrong, if anything did.
pub(super) fn failure(exchange: &Exchange) -> Option<Failure> {
    let (step, title) = match &exchange.outcome {
        _ if exchange.opens_only_now() => (Step::Decrypt, "It could not be decrypted when it arrived"),
        Outcome::Queued { .. } | Outcome::Probe => return None,
        Outcome::MethodNotAllowed => (Step::Route, "Webhooks must be sent with POST"),
        Outcome::BodyTooLarge => (Step::Route, "The request is too large"),
        Outcome::NotQueued(_) => (Step::Queue, "The event is not on the queue"),
        Outcome::Refused(refusal) | Outcome::Quarantined(refusal) | Outcome::NotQuarantined(refusal, _) => {
            step_that_refused(refusal)
        }
        _ => (Step::Route, "voicehook itself failed"),
    };
    Some(Failure { step, title: title.to_owned() })
}

impl Failure {
    /// The failure with its reason and what to do next.
    pub(super) fn json(&self, exchange: &Exchange, webhook_url: &str) -> Value {
        let (why, next) = advice(exchange, webhook_url);
        let kept = quarantine(&exchange.outcome).or_else(|| another_app_id(exchange));
        json!({ "step": self.step.name(), "title": self.title, "why": why, "next": next, "kept": kept })
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

/// Of a webhook that was decrypted in an earlier run.
fn another_app_id(exchange: &Exchange) -> Option<&'static str> {
    let is_lost = exchange.earlier.as_ref().is_some_and(|earlier| earlier.has_changed) && !exchange.opens_only_now();
    is_lost.then_some("When it arrived, it could be decrypted: voicehook dev was started with another AppID then.")
}

type Advice = (String, Vec<String>);

fn say<const N: usize>(why: impl Into<String>, next: [&str; N]) -> Advice {
    (why.into(), next.into_iter().map(str::to_owned).collect())
}

fn advice(exchange: &Exchange, webhook_url: &str) -> Advice {
    match &exchange.outcome {
        _ if exchange.opens_only_now() => say(
            "With the present AppID it can be decrypted: voicehook dev was started with another one then.",
            ["Replay it to put the event on the queue."],
        ),
        Outcome::MethodNotAllowed => {
            say(format!("The request method was {}.", exchange.request.method()), ["Send it with POST."])
        }
        Outcome::BodyTooLarge => say(
            format!("The body is larger than {MAX_BODY_BYTES} bytes, the most that Lambda accepts."),
            ["Check the sender: a voice event has a few hundred bytes."],
        ),
        Outcome::NotQueued(error) => not_queued(error),
        Outcome::Refused(refusal) | Outcome::Quarantined(refusal) | Outcome::NotQuarantined(refusal, _) => {
            refused_here(exchange, refusal, webhook_url)
        }
        _ => say(
            "This is a bug in voicehook, not in your webhook. The terminal shows where in the code.",
            ["Copy the request as curl, and report it with the line from the terminal."],
        ),
    }
}

fn refused_here(exchange: &Exchange, refusal: &Refusal, webhook_url: &str) -> Advice {
    if let Refusal::NotFound = refusal {
        return say(
            format!(
                "No webhooks are received at {}: the path, the name of the app or the token is wrong.",
                exchange.path()
            ),
            [&format!("Send to {webhook_url}, the URL of this receiver.")],
        );
    }
    let (headers, body) = (exchange.request.headers(), exchange.request.body().as_slice());
    let app = exchange.app.as_deref().unwrap_or(DEFAULT_APP);
    // The receiver does not keep its AppID as text; the sample AppID is known all the same.
    let known = &KnownAppIds::default();
    Refused { headers, body, app, refusal, known, remedy: GIVE_IT }.explain().in_sentences()
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
