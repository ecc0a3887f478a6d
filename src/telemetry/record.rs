//! What is known of one request by the time it is answered.

use std::{
    fmt,
    time::{Duration, Instant},
};

use tracing::Level;

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
    pub summary: Summary,
    /// The HTTP status of the answer.
    pub status: u16,
}

/// What became of a request, in the words of the log.
#[derive(Debug)]
pub struct Summary {
    /// A stable name.
    pub outcome: &'static str,
    /// Why it did not become a message: a stable code. `None` where nothing is wrong.
    pub reason: Option<&'static str>,
    /// How urgent it is.
    pub level: Level,
    /// What an operator may know beyond the reason.
    pub detail: Option<String>,
    /// What went wrong on the operator's side.
    pub error: Option<String>,
    /// Where its event is, if it is on a queue.
    pub sent: Option<SentRecord>,
    /// The metrics that count it.
    pub metrics: [Option<&'static str>; 2],
}

/// Where an event is.
#[derive(Debug)]
pub struct SentRecord {
    /// The id that the queue gave it.
    pub message_id: String,
    /// Whether it was the failover queue that took it.
    pub failover: bool,
}

impl Default for Summary {
    /// Nothing is known yet.
    fn default() -> Self {
        let (outcome, reason, detail, error, sent, metrics) = Default::default();
        Self { outcome, reason, level: Level::INFO, detail, error, sent, metrics }
    }
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
    /// A request that has just come in.
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
            summary: Summary::default(),
            status: 0,
        }
    }
}

/// For a person's terminal: `200 queued call.connected, 1234 bytes in 5678 µs`.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { outcome, reason, detail, error, .. } = &self.summary;
        write!(f, "{} {outcome}", self.status)?;
        if let Some(event_type) = &self.event_type {
            write!(f, " {event_type}")?;
        }
        for text in [*reason, detail.as_deref(), error.as_deref()].into_iter().flatten() {
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
