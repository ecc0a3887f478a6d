//! `voicehook dev --record`: appends each webhook that arrives to a recording.

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use clap::Args;
use http::{Request, StatusCode};
use voicehook_lambda::{
    receiver::{Outcome, named_app},
    webhook::kept_headers,
};

use crate::{
    console,
    recording::{Webhook, Writer},
};

/// The options.
#[derive(Args, Debug)]
pub(crate) struct RecordArgs {
    /// Append each webhook that arrives after the sample call to this file, with its timing, its body and its event.
    /// `voicehook trigger scenario --file` plays it back
    #[arg(long, value_name = "FILE", conflicts_with = "once")]
    record: Option<PathBuf>,
    /// Replace phone numbers, ids, URLs and `custom_data` in the recording, equal ones by the same replacement, and leave the
    /// bodies out. Other text stays; its fields are named on standard error
    #[arg(long, requires = "record")]
    redact: bool,
}

impl RecordArgs {
    /// The file.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.record.as_deref()
    }

    /// Opens the file.
    pub(crate) fn open(&self) -> anyhow::Result<Option<Recorder>> {
        let Some(path) = &self.record else { return Ok(None) };
        Ok(Some(Recorder::new(Writer::open(path, self.redact)?)))
    }
}

/// What became of a webhook that is recorded.
pub(crate) struct Received<'a> {
    pub(crate) arrived: Instant,
    pub(crate) request: &'a Request<Vec<u8>>,
    pub(crate) event: Option<&'a str>,
    pub(crate) outcome: &'a Outcome,
    pub(crate) status: StatusCode,
}

/// Writes a recording of what arrives.
#[derive(Debug)]
pub(crate) struct Recorder {
    is_on: AtomicBool,
    has_failed: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    writer: Writer,
    /// When the first webhook of this run arrived.
    first: Option<Instant>,
}

impl Recorder {
    const fn new(writer: Writer) -> Self {
        let state = Mutex::new(State { writer, first: None });
        Self { is_on: AtomicBool::new(false), has_failed: AtomicBool::new(false), state }
    }

    /// Records from now on.
    pub(crate) fn start(&self) {
        self.is_on.store(true, Ordering::Relaxed);
    }

    /// Whether a webhook could not be written.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    /// Writes a webhook, unless the request is none: a probe, or a path or method of no webhook.
    pub(crate) fn record(&self, received: &Received<'_>) {
        let Received { arrived, request, event, outcome, status } = received;
        let is_webhook = !matches!(*status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
            && !matches!(outcome, Outcome::Probe);
        let Some(app) = named_app(request.uri().path(), None).filter(|_| is_webhook) else { return };
        if !self.is_on.load(Ordering::Relaxed) {
            return;
        }
        let webhook = Webhook {
            method: request.method().to_string(),
            app: app.to_owned(),
            headers: kept_headers(request.headers()),
            body: request.body().clone(),
            event: event.map(str::to_owned),
            outcome: Some(outcome.name().to_owned()),
            status: Some(status.as_u16()),
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let first = *state.first.get_or_insert(*arrived);
        let written = state.writer.write(arrived.saturating_duration_since(first), webhook);
        drop(state);
        if let Err(error) = written
            && !self.has_failed.swap(true, Ordering::Relaxed)
        {
            console::error(format_args!("--record: a webhook could not be recorded: {error}"));
        }
    }
}
