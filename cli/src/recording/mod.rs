//! Recordings: webhooks in a file, one line of JSON for each. `dev --record`, `decrypt --record` and `redrive --record` write
//! them, and `trigger scenario --file` plays them.
//!
//! A recording can be edited or written by hand: a line needs `version`, `at_ms` and `event`. The format is that of
//! `schemas/recording.schema.json`.

mod redact;
mod writer;

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub(crate) use self::writer::{Webhook, Writer};
use crate::{files, json_text::Fields, printable::excerpt, scenarios::Moment};

/// The version of the format.
const VERSION: u32 = 1;

/// A webhook in a recording.
#[derive(Debug, Deserialize, Serialize)]
struct Entry {
    version: u32,
    /// When it arrived: milliseconds since the first webhook of the recording.
    at_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    /// The path without the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// The headers that say how to decrypt it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    /// The body as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// The same in base64, if it is not text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    /// The decrypted event. Absent if the webhook could not be decrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    /// The status of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
}

/// The webhooks of a recording in the order of their arrival, with the numbers of their lines.
#[derive(Debug)]
pub(crate) struct Recording(Vec<(usize, Entry)>);

impl Recording {
    /// Reads a file; `-` is standard input.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let shown = file.display();
        let bytes = files::read(Some(file), "type the lines of a recording, then press Ctrl-D")?;
        let text = files::text(bytes).map_err(|_| anyhow!("{shown} is neither UTF-8 nor UTF-16"))?;
        Self::parse(&text).with_context(|| shown.to_string())
    }

    /// Reads the lines of a recording. Empty lines do not count.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let lines = text.split('\n').enumerate().filter(|(_, line)| !line.trim().is_empty());
        let entries = lines.map(|(index, line)| {
            let entry = Entry::parse(line.trim()).with_context(|| format!("line {}", index + 1))?;
            anyhow::Ok((index + 1, entry))
        });
        let mut entries = entries.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(|(_, entry)| entry.at_ms);
        Ok(Self(entries))
    }

    /// When the last webhook arrived, in milliseconds.
    pub(crate) fn last_ms(&self) -> Option<u64> {
        self.0.last().map(|(_, entry)| entry.at_ms)
    }

    /// The numbers of the lines without an event, which cannot be played.
    pub(crate) fn without_event(&self) -> Vec<usize> {
        self.0.iter().filter(|(_, entry)| entry.event.is_none()).map(|(line, _)| *line).collect()
    }

    /// What to send, and when. Events of the same millisecond are sent together.
    pub(crate) fn moments(&self) -> Vec<Moment> {
        let mut moments: Vec<Moment> = Vec::new();
        let mut last = None;
        for (_, Entry { at_ms, event, .. }) in &self.0 {
            let Some(event) = event else { continue };
            let event = event.get().to_owned();
            match moments.last_mut() {
                Some(moment) if last == Some(*at_ms) => moment.events.push(event),
                _ => {
                    let delay = Duration::from_millis(last.map_or(0, |last| at_ms - last));
                    moments.push(Moment { delay, events: vec![event] });
                }
            }
            last = Some(*at_ms);
        }
        moments
    }
}

impl Entry {
    fn parse(json: &str) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_str(json).map_err(not_an_entry)?;
        if version != VERSION {
            return Err(anyhow!("has version {version}, and this voicehook reads version {VERSION} only"));
        }
        let entry: Self = serde_json::from_str(json).map_err(not_an_entry)?;
        if let Some(event) = &entry.event {
            serde_json::from_str::<Fields>(event.get()).map_err(|_| anyhow!("\"event\" is not a JSON object"))?;
        }
        Ok(entry)
    }
}

/// Without the line number of the parser, which counts within the line.
fn not_an_entry(error: serde_json::Error) -> anyhow::Error {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    anyhow!("is not a webhook of a recording: {}, at column {}", excerpt(text), error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(lines: &str) -> Vec<(u64, usize)> {
        let moments = Recording::parse(lines).unwrap().moments();
        moments.iter().map(|moment| (moment.delay.as_millis().try_into().unwrap(), moment.events.len())).collect()
    }

    fn line(at_ms: u64, more: &str) -> String {
        format!("{{\"version\":1,\"at_ms\":{at_ms}{more}}}\n")
    }

    #[test]
    fn lines_are_played_in_the_order_of_their_times() {
        let event = r#","event":{"state":"hold"}"#;
        let lines = line(500, event) + &line(100, event) + "\r\n" + &line(500, event) + &line(600, "");
        assert_eq!(delays(&lines), [(0, 1), (400, 2)]);
        assert_eq!(delays(""), []);
    }

    #[test]
    fn an_event_keeps_its_bytes() {
        let event = r#"{"n": 1.50,  "big": 12345678901234567890}"#;
        let recording = Recording::parse(&line(0, &format!(",\"event\": {event}"))).unwrap();
        assert_eq!(recording.moments()[0].events, [event]);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        let good = line(0, "");
        for (bad, why) in [
            ("{\"version\":1,\"at_ms\":0", "EOF"),
            ("{\"version\":2,\"at_ms\":0}", "version 2"),
            ("{\"at_ms\":0}", "missing field `version`"),
            ("{\"version\":1}", "missing field `at_ms`"),
            ("{\"version\":1,\"at_ms\":-1}", "invalid value"),
            ("{\"version\":1,\"at_ms\":0,\"event\":\"text\"}", "not a JSON object"),
            ("no JSON", "expected"),
            (&format!("{{\"version\":\"{}\"}}", "x".repeat(6000)), "invalid type"),
        ] {
            let error = format!("{:#}", Recording::parse(&format!("{good}\n{bad}\n")).unwrap_err());
            assert!(error.starts_with("line 3: ") && error.contains(why) && error.len() < 500, "{error}");
        }
    }
}
