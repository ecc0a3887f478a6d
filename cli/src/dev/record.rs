//! `voicehook dev --record`: appends each webhook that arrives to a file.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use anyhow::Context as _;
use clap::Args;
use http::{Request, StatusCode};
use serde_json::value::RawValue;
use voicehook_lambda::{
    app_id::DEFAULT_APP,
    receiver::{Outcome, named_app},
    webhook::kept_headers,
};

use super::redact::Redactor;
use crate::{
    console,
    recording::{Entry, Recording, VERSION},
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
        let redactor = self.redact.then(Redactor::new).transpose()?;
        Recorder::open(path, redactor).with_context(|| format!("--record {}", path.display())).map(Some)
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

/// Writes a recording.
#[derive(Debug)]
pub(crate) struct Recorder {
    is_on: AtomicBool,
    has_failed: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    redactor: Option<Redactor>,
    /// When the first webhook of this run arrived.
    first: Option<Instant>,
    /// The time in the recording at which this run begins.
    begin_ms: u64,
}

impl Recorder {
    fn open(path: &Path, redactor: Option<Redactor>) -> anyhow::Result<Self> {
        let mut begin_ms = 0;
        let mut is_complete = true;
        if path.is_file() {
            let text = std::fs::read_to_string(path)?;
            begin_ms = Recording::parse(&text)?.last_ms().unwrap_or(0);
            is_complete = text.is_empty() || text.ends_with('\n');
        }
        let mut file = open_for_owner(path)?;
        if !is_complete {
            file.write_all(b"\n")?;
        }
        let state = Mutex::new(State { file, redactor, first: None, begin_ms });
        Ok(Self { is_on: AtomicBool::new(false), has_failed: AtomicBool::new(false), state })
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
        let is_webhook = !matches!(received.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
            && !matches!(received.outcome, Outcome::Probe);
        let Some(app) = named_app(received.request.uri().path(), None).filter(|_| is_webhook) else { return };
        if !self.is_on.load(Ordering::Relaxed) {
            return;
        }
        let written = self.state.lock().unwrap_or_else(PoisonError::into_inner).write(received, app);
        if let Err(error) = written
            && !self.has_failed.swap(true, Ordering::Relaxed)
        {
            console::error(format_args!("--record: a webhook could not be recorded: {error}"));
        }
    }
}

impl State {
    fn write(&mut self, received: &Received<'_>, app: &str) -> io::Result<()> {
        let first = *self.first.get_or_insert(received.arrived);
        let since = received.arrived.saturating_duration_since(first).as_millis();
        let event = received.event.map(|event| match &mut self.redactor {
            Some(redactor) => redactor.redact(event),
            None => event.to_owned(),
        });
        // A line break in JSON is white space: strings have none.
        let event = event.map(|event| event.replace(['\n', '\r'], " "));
        let body = received.request.body();
        let (text, base64) = match std::str::from_utf8(body) {
            _ if self.redactor.is_some() => (None, None),
            Ok(text) => (Some(text.to_owned()), None),
            Err(_) => (None, Some(base64_simd::STANDARD.encode_to_string(body))),
        };
        let entry = Entry {
            version: VERSION,
            at_ms: self.begin_ms.saturating_add(since.try_into().unwrap_or(u64::MAX)),
            method: Some(received.request.method().to_string()),
            path: Some(if app == DEFAULT_APP { "/webhook".to_owned() } else { format!("/webhook/{app}") }),
            headers: kept_headers(received.request.headers()),
            body: text,
            body_base64: base64,
            event: event.map(RawValue::from_string).transpose()?,
            app: Some(app.to_owned()),
            outcome: Some(received.outcome.name().to_owned()),
            status: Some(received.status.as_u16()),
        };
        self.file.write_all(format!("{}\n", serde_json::to_string(&entry)?).as_bytes())
    }
}

/// Opens a file to append to. A new one is for its owner alone.
fn open_for_owner(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        let metadata = file.metadata()?;
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
        if metadata.is_file() && mode & 0o077 != 0 {
            let path = path.display();
            console::note(format_args!(
                "{path} can be read by others on this machine; `chmod 600 {path}` prevents it."
            ));
        }
    }
    Ok(file)
}
