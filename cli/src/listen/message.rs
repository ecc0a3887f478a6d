//! Formats a queue message as a line for people or as a line of JSON.
//!
//! Nothing is hidden, because this is the developer's own terminal, but control characters in an event are escaped.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use anstyle::{AnsiColor, Style};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    forward::{Application, Delivery, Reply, backoff},
    json_text::Fields,
    printable::one_line,
};

/// The longest value that a line shows whole, in characters.
const LONGEST_VALUE: usize = 300;
/// Fields that a line has elsewhere, in all their spellings: the call and the event's type.
const SHOWN_ELSEWHERE: [&str; 6] = ["voice_id", "voiceId", "voice_Id", "state", "playstate", "event"];

/// A message that was received.
#[derive(Clone, Debug, Default)]
pub(super) struct Received {
    pub(super) id: String,
    pub(super) body: String,
    pub(super) attributes: BTreeMap<String, String>,
    /// On a FIFO queue: what it is ordered with.
    pub(super) group_id: Option<String>,
    /// How often it was received, this time included.
    pub(super) receive_count: u32,
    sent_at: Option<Timestamp>,
}

/// What became of a message that was posted to an application.
#[derive(Clone, Debug)]
pub(super) struct Forwarded {
    pub(super) answer: Result<u16, String>,
    pub(super) took: Duration,
    /// Seconds until the queue gives it out again; `None` where it was taken.
    pub(super) again_in: Option<u32>,
}

impl Received {
    /// Reads what SQS gave, without the receipt.
    pub(super) fn read(message: Message) -> Self {
        let system = message.attributes.unwrap_or_default();
        let number = |name| system.get(&name).and_then(|text| text.parse::<i64>().ok());
        let attributes = message.message_attributes.unwrap_or_default();
        Self {
            id: message.message_id.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
            attributes: attributes.into_iter().filter_map(|(name, value)| Some((name, value.string_value?))).collect(),
            group_id: system.get(&MessageSystemAttributeName::MessageGroupId).cloned(),
            receive_count: number(MessageSystemAttributeName::ApproximateReceiveCount)
                .and_then(|count| count.try_into().ok())
                .unwrap_or(1),
            sent_at: number(MessageSystemAttributeName::SentTimestamp)
                .and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok()),
        }
    }

    #[cfg(test)]
    pub(super) fn with_attributes(attributes: &[(&str, &str)]) -> Self {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { attributes, ..Self::default() }
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// Posts it to an application, and waits for the answer.
    pub(super) async fn forward(&self, application: &Application) -> Forwarded {
        let attributes = self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let delivery = Delivery::new(&self.id, self.receive_count, attributes, self.body.clone());
        let start = Instant::now();
        let reply = application.post(Arc::new(delivery)).await;
        let is_taken = reply.as_ref().is_ok_and(Reply::is_taken);
        let again_in = (!is_taken).then(|| backoff(self.receive_count));
        let answer = reply.map(|reply| reply.status.as_u16()).map_err(|no_answer| no_answer.to_string());
        Forwarded { answer, took: start.elapsed(), again_in }
    }

    /// One line, with colours.
    pub(super) fn line(&self, now: Timestamp, forwarded: Option<&Forwarded>) -> String {
        let dimmed = Style::new().dimmed();
        let event_type = self.attribute("event_type").unwrap_or("no event type");
        let style = style(event_type);
        let mut line = format!(
            "{dimmed}{}{dimmed:#}  {style}{:<24}{style:#}  {}  {}  {dimmed}{}{dimmed:#}",
            self.time(now),
            one_line(event_type),
            one_line(self.attribute("app").unwrap_or("-")),
            one_line(self.attribute("voice_id").or_else(|| self.attribute("broadcast_id")).unwrap_or("-")),
            self.summary(),
        );
        if let Some(Forwarded { answer, took, again_in }) = forwarded {
            let style = AnsiColor::Green.on_default();
            let style = if again_in.is_some() { AnsiColor::Red.on_default() } else { style };
            let answer = answer.as_ref().map_or_else(|error| one_line(error), |status| format!("answered {status}"));
            let _ = write!(line, "  {style}{answer} in {} ms", took.as_millis());
            if let Some(seconds) = again_in {
                let _ = write!(line, "; back on the queue, again in {seconds} s");
            }
            let _ = write!(line, "{style:#}");
        }
        line
    }

    /// When voicehook received it, in UTC: the time of day, with the date where that is not today.
    fn time(&self, now: Timestamp) -> String {
        let received_at = self.attribute("received_at").and_then(|time| time.parse::<Timestamp>().ok());
        let time = received_at.or(self.sent_at).unwrap_or(now);
        let (time, now) = (format!("{time:.3}"), format!("{now:.3}"));
        match (time.split_once('T'), now.split_once('T')) {
            (Some((date, time_of_day)), Some((today, _))) if date == today => time_of_day.to_owned(),
            _ => time,
        }
    }

    /// The event's other fields, in their order.
    fn summary(&self) -> String {
        let Some(Fields(fields)) = self.event() else { return shortened(one_line(&self.body)) };
        let fields = fields.iter().filter(|(name, _)| !SHOWN_ELSEWHERE.contains(&name.as_str()));
        let fields: Vec<String> =
            fields.map(|(name, value)| format!("{}={}", one_line(name), readable(value))).collect();
        fields.join(" ")
    }

    /// The event's fields, also those of one in a CloudEvent.
    fn event(&self) -> Option<Fields> {
        let fields: Fields = serde_json::from_str(&self.body).ok()?;
        if self.attribute("content_type").is_some_and(|content| content.starts_with("application/cloudevents+json")) {
            let (_, data) = fields.0.iter().find(|(name, _)| name == "data")?;
            return serde_json::from_str(data.get()).ok();
        }
        Some(fields)
    }

    /// One line of JSON. The body is in it as JSON, with its numbers and the order of its fields, where it is JSON.
    pub(super) fn json(&self, forwarded: Option<&Forwarded>) -> String {
        // Between the parts of a JSON text a line break is white space, and inside strings there are none.
        let body = RawValue::from_string(self.body.replace(['\n', '\r'], " "));
        let line = Line {
            message_id: &self.id,
            group_id: self.group_id.as_deref(),
            receive_count: self.receive_count,
            sent_at: self.sent_at,
            attributes: &self.attributes,
            body: body.as_deref().map_or(Body::Text(&self.body), Body::Json),
            forwarded: forwarded.map(|Forwarded { answer, took, again_in }| ForwardedLine {
                status: answer.as_ref().ok().copied(),
                error: answer.as_ref().err().map(String::as_str),
                milliseconds: took.as_millis(),
                again_in_seconds: *again_in,
            }),
        };
        serde_json::to_string(&line).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Line<'a> {
    message_id: &'a str,
    group_id: Option<&'a str>,
    receive_count: u32,
    sent_at: Option<Timestamp>,
    attributes: &'a BTreeMap<String, String>,
    body: Body<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forwarded: Option<ForwardedLine<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Json(&'a RawValue),
    Text(&'a str),
}

#[derive(Serialize)]
struct ForwardedLine<'a> {
    status: Option<u16>,
    error: Option<&'a str>,
    milliseconds: u128,
    again_in_seconds: Option<u32>,
}

/// What begins is blue, what works green, what ends yellow, what fails red, prompts are cyan.
fn style(event_type: &str) -> Style {
    let color = match event_type {
        "call.incomingcall" | "call.initiated" | "call.ringing" | "call.bridging" => AnsiColor::Blue,
        "call.disconnected" | "call.bridge_disconnected" | "call.stream_stopped" => AnsiColor::Yellow,
        "call.stream_failed" => AnsiColor::Red,
        other if other.starts_with("call.") => AnsiColor::Green,
        other if other.starts_with("play.") => AnsiColor::Cyan,
        _ => AnsiColor::Magenta,
    };
    color.on_default().bold()
}

/// A JSON value: a word as it is, anything else as JSON.
fn readable(value: &RawValue) -> String {
    let word = serde_json::from_str::<String>(value.get()).ok();
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=';
    let word = word.filter(|word| !word.is_empty() && word.chars().all(plain));
    shortened(word.unwrap_or_else(|| one_line(value.get())))
}

fn shortened(text: String) -> String {
    let length = text.chars().count();
    if length <= LONGEST_VALUE {
        return text;
    }
    let start: String = text.chars().take(LONGEST_VALUE).collect();
    format!("{start}… ({length} characters; --json has them)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(body: &str) -> Received {
        let mut received = Received::with_attributes(&[
            ("event_type", "call.connected"),
            ("app", "sales"),
            ("voice_id", "5f2d"),
            ("received_at", "2026-11-24T10:52:06.123Z"),
        ]);
        body.clone_into(&mut received.body);
        received
    }

    fn plain(received: &Received) -> String {
        let now = "2026-11-24T11:00:00Z".parse().unwrap();
        anstream::adapter::strip_str(&received.line(now, None)).to_string()
    }

    #[test]
    fn a_line_names_time_type_app_call_and_the_other_fields() {
        let received = received(r#"{"voice_id":"5f2d","state":"connected","from":"+12025550123","n":1.50,"s":"a b"}"#);
        assert_eq!(
            plain(&received),
            r#"10:52:06.123Z  call.connected            sales  5f2d  from=+12025550123 n=1.50 s="a b""#
        );
    }

    #[test]
    fn no_spelling_of_the_call_and_the_type_is_shown_twice() {
        let received = received(r#"{"event":"connected","voice_Id":"5f2d","digit":"1"}"#);
        assert!(plain(&received).ends_with("  5f2d  digit=1"), "{}", plain(&received));
    }

    #[test]
    fn a_message_of_another_day_has_its_date() {
        let mut received = received("{}");
        received.attributes.insert("received_at".to_owned(), "2026-11-23T10:52:06.123Z".to_owned());
        assert!(plain(&received).starts_with("2026-11-23T10:52:06.123Z"));
    }

    #[test]
    fn no_event_steers_the_terminal() {
        for body in
            ["{\"a\": \"\\u001b[2J\", \"\\u009b2J\": 1, \"b\": \"\u{9b}2J\"}", "\u{1b}[2J no JSON", "line\nline"]
        {
            let mut received = received(body);
            received.attributes.insert("voice_id".to_owned(), "\u{9b}2J".to_owned());
            let line = plain(&received);
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }

    #[test]
    fn the_event_of_a_cloud_event_is_shown_and_a_long_value_is_cut_with_a_word() {
        let mut received = received(&format!(r#"{{"specversion":"1.0","data":{{"text":"{}"}}}}"#, "x".repeat(1000)));
        let content_type = "application/cloudevents+json; charset=UTF-8".to_owned();
        received.attributes.insert("content_type".to_owned(), content_type);
        let line = plain(&received);
        assert!(line.contains("text=xxx") && line.contains("1000 characters; --json"), "{line}");
        assert!(!line.contains("specversion"), "{line}");
    }

    #[test]
    fn a_line_of_json_has_the_body_as_it_is_in_one_line() {
        let line = received("{\n \"n\": 12345678901234567890.0,\n \"a\": 1}").json(None);
        assert!(line.contains(r#""body":{  "n": 12345678901234567890.0,  "a": 1}"#), "{line}");
        assert_eq!(line.lines().count(), 1);
        assert!(received("no JSON").json(None).contains(r#""body":"no JSON""#));
    }
}
