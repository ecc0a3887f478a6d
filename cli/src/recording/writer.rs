//! Appends webhooks to a recording. The file is for its owner alone, because it holds what was said in calls.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::value::RawValue;
use voicehook_lambda::app_id::DEFAULT_APP;

use super::{Entry, Recording, VERSION, redact::Redactor};
use crate::console;

/// A webhook that is recorded.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    pub(crate) method: String,
    /// The app that its path names.
    pub(crate) app: String,
    /// The headers that say how to decrypt it.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// The decrypted event. Without one, the webhook is recorded, and cannot be played.
    pub(crate) event: Option<String>,
    /// What became of it, if that is known.
    pub(crate) outcome: Option<String>,
    /// The status of the answer, if that is known.
    pub(crate) status: Option<u16>,
}

/// A recording that is written.
#[derive(Debug)]
pub(crate) struct Writer {
    file: File,
    redactor: Option<Redactor>,
    /// The time in the recording at which this run begins.
    begin_ms: u64,
}

impl Writer {
    /// Opens the file of `--record`, and reads what it already contains.
    pub(crate) fn open(path: &Path, redact: bool) -> anyhow::Result<Self> {
        let redactor = redact.then(Redactor::new).transpose()?;
        Self::append_to(path, redactor).with_context(|| format!("--record {}", path.display()))
    }

    fn append_to(path: &Path, redactor: Option<Redactor>) -> anyhow::Result<Self> {
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
        Ok(Self { file, redactor, begin_ms })
    }

    /// Writes a webhook that arrived so long after the first one of this run.
    pub(crate) fn write(&mut self, after: Duration, webhook: Webhook) -> io::Result<()> {
        let Webhook { method, app, headers, body, event, outcome, status } = webhook;
        let event = event.map(|event| match &mut self.redactor {
            Some(redactor) => redactor.redact(&event),
            None => event,
        });
        // A line break in JSON is white space: strings have none.
        let event = event.map(|event| event.replace(['\n', '\r'], " "));
        let (text, base64) = match String::from_utf8(body) {
            _ if self.redactor.is_some() => (None, None),
            Ok(text) => (Some(text), None),
            Err(error) => (None, Some(base64_simd::STANDARD.encode_to_string(error.as_bytes()))),
        };
        let entry = Entry {
            version: VERSION,
            at_ms: self.begin_ms.saturating_add(after.as_millis().try_into().unwrap_or(u64::MAX)),
            method: Some(method),
            path: Some(if app == DEFAULT_APP { "/webhook".to_owned() } else { format!("/webhook/{app}") }),
            headers,
            body: text,
            body_base64: base64,
            event: event.map(RawValue::from_string).transpose()?,
            app: Some(app),
            outcome,
            status,
        };
        self.file.write_all(format!("{}\n", serde_json::to_string(&entry)?).as_bytes())
    }

    /// Writes webhooks in the order of their times. One without a time comes a millisecond after the one before it. Says on
    /// standard error how many there are, and how many of them cannot be played.
    pub(crate) fn write_all(&mut self, path: &Path, webhooks: Vec<(Option<Timestamp>, Webhook)>) -> anyhow::Result<()> {
        let count = webhooks.len();
        let unplayable = webhooks.iter().filter(|(_, webhook)| webhook.event.is_none()).count();
        for (after, webhook) in timed(webhooks) {
            self.write(after, webhook).with_context(|| format!("--record {}", path.display()))?;
        }
        let webhooks = if count == 1 { "1 webhook is".to_owned() } else { format!("{count} webhooks are") };
        let without_event = if unplayable == 0 {
            String::new()
        } else {
            format!("; {unplayable} of them without an event, because decryption failed")
        };
        console::note(format_args!("{webhooks} recorded in {}{without_event}.", path.display()));
        Ok(())
    }
}

/// The webhooks in their order, each with the time since the first one.
fn timed(webhooks: Vec<(Option<Timestamp>, Webhook)>) -> Vec<(Duration, Webhook)> {
    let mut last: Option<i64> = None;
    let mut all: Vec<(i64, Webhook)> = Vec::with_capacity(webhooks.len());
    for (at, webhook) in webhooks {
        let at = at.map_or_else(|| last.map_or(0, |last| last + 1), Timestamp::as_millisecond);
        last = Some(at);
        all.push((at, webhook));
    }
    all.sort_by_key(|(at, _)| *at);
    let first = all.first().map_or(0, |(at, _)| *at);
    all.into_iter().map(|(at, webhook)| (Duration::from_millis(at.abs_diff(first)), webhook)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhooks_are_ordered_by_their_times_and_those_without_one_stay_behind_the_one_before() {
        let webhook = |app: &str| Webhook {
            method: "POST".to_owned(),
            app: app.to_owned(),
            headers: BTreeMap::new(),
            body: Vec::new(),
            event: None,
            outcome: None,
            status: None,
        };
        let at = |milliseconds| Timestamp::from_millisecond(milliseconds).ok();
        let all =
            vec![(at(5000), webhook("c")), (None, webhook("d")), (at(-1000), webhook("a")), (at(0), webhook("b"))];
        let order: Vec<_> = timed(all).into_iter().map(|(after, webhook)| (webhook.app, after.as_millis())).collect();
        let expected = [("a", 0), ("b", 1000), ("c", 6000), ("d", 6001)];
        assert_eq!(order, expected.map(|(app, after)| (app.to_owned(), after)));
        let without: Vec<_> = timed(vec![(None, webhook("a")), (None, webhook("b"))]);
        assert_eq!(without.iter().map(|(after, _)| after.as_millis()).collect::<Vec<_>>(), [0, 1]);
    }
}
