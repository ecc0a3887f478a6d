//! What is known of one request by the time it is answered.

use std::{
    fmt,
    time::{Duration, Instant},
};

use lambda_http::http::StatusCode;
use tracing::Level;

use crate::gateway::{Outcome, Refusal};

/// One request: what it was, how long each stage took, and what became of it. Holds nothing that a log may not show.
#[derive(Debug)]
#[non_exhaustive]
pub struct Record {
    /// The gateway's id of the request, else Lambda's.
    pub request_id: String,
    /// The id of the X-Ray trace: `1-5759e988-bd862e3fe1be46a994272793`.
    pub trace_id: Option<String>,
    /// The app that the path names.
    pub app: Option<String>,
    /// The event's idempotency key, once there is an event.
    pub event_id: Option<String>,
    /// `call.<state>` or `play.<playstate>`, once there is an event.
    pub event_type: Option<String>,
    /// The call's id, once there is an event that has one.
    pub voice_id: Option<String>,
    /// Size of the event's text, in bytes, once there is one.
    pub event_bytes: Option<usize>,
    /// Size of the request's body, in bytes.
    pub bytes: usize,
    /// How long it took.
    pub stages: Stages,
    /// What became of it.
    pub outcome: Outcome,
    /// The status of the answer.
    pub status: StatusCode,
}

/// Time spent in each stage of a webhook's way; zero where it never came there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    /// Headers and body to an envelope.
    pub parse: Duration,
    /// Waiting for AppIDs.
    pub app_id: Duration,
    /// Decryption, and reading the event, with every AppID that was tried.
    pub decrypt: Duration,
    /// Making the message, and waiting for the queue or the quarantine to have it.
    pub publish: Duration,
    /// From the request to the answer.
    pub total: Duration,
}

impl Record {
    /// A request that has just come in. Until somebody says otherwise, what became of it is a mistake in voicehook.
    pub(crate) fn new(request_id: String, trace_header: Option<&str>, bytes: usize) -> Self {
        Self {
            request_id,
            trace_id: trace_header.and_then(trace_id).map(str::to_owned),
            app: None,
            event_id: None,
            event_type: None,
            voice_id: None,
            event_bytes: None,
            bytes,
            stages: Stages::default(),
            outcome: Outcome::Panicked,
            status: StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// How urgent it is.
    pub(crate) const fn level(&self) -> Level {
        match &self.outcome {
            Outcome::Quarantined(Refusal::AppIdUnavailable(_))
            | Outcome::NotQuarantined(..)
            | Outcome::AppIdUnavailable(_)
            | Outcome::NotQueued(_)
            | Outcome::Panicked => Level::ERROR,
            Outcome::Refused(_) | Outcome::Quarantined(_) => Level::WARN,
            _ => Level::INFO,
        }
    }

    /// What an operator may know beyond the reason.
    #[must_use]
    pub fn detail(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Refused(refusal) | Outcome::Quarantined(refusal) | Outcome::NotQuarantined(refusal, _) => {
                Some(match refusal {
                    Refusal::Malformed(malformed) => malformed.to_string(),
                    Refusal::Undecryptable(fault) => fault.name().to_owned(),
                    Refusal::TooOld => "the event's timestamp is older than MAX_EVENT_AGE_SECONDS".to_owned(),
                    Refusal::TooLarge { limit } => format!("the queue takes {limit} bytes"),
                    Refusal::AppIdUnavailable(error) => error.to_string(),
                })
            }
            _ => None,
        }
    }

    /// What went wrong on the operator's side.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        match &self.outcome {
            Outcome::NotQuarantined(_, error) => Some(error.to_string()),
            Outcome::AppIdUnavailable(error) => Some(error.to_string()),
            Outcome::NotQueued(error) => Some(error.to_string()),
            _ => None,
        }
    }
}

/// For a person's terminal: `200 queued call.connected, 1234 bytes in 5678 µs`.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status.as_u16(), self.outcome.name())?;
        if let Some(event_type) = &self.event_type {
            write!(f, " {event_type}")?;
        }
        for text in [self.outcome.reason().map(str::to_owned), self.detail(), self.error()].into_iter().flatten() {
            write!(f, ": {text}")?;
        }
        write!(f, ", {} bytes in {} µs ({})", self.bytes, self.stages.total.as_micros(), self.request_id)
    }
}

impl Stages {
    /// Adds the time of some work to one of the stages.
    pub(crate) fn time<T>(stage: &mut Duration, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        *stage += start.elapsed();
        result
    }

    /// The same for work that waits.
    pub(crate) async fn wait<T>(stage: &mut Duration, work: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let result = work.await;
        *stage += start.elapsed();
        result
    }
}

/// `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`
fn trace_id(header: &str) -> Option<&str> {
    header.split(';').find_map(|field| field.strip_prefix("Root="))
}
