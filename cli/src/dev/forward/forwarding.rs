//! What became of an event that is posted to the application, as the inspector shows it.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ::http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Value, json};
use voicehook_lambda::queue::Message;

use super::action;
use crate::forward::{NoAnswer, Reply};

/// How many attempts are kept; of more, the latest.
const MOST_ATTEMPTS: usize = 50;

/// A post.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) at: Timestamp,
    pub(super) took: Duration,
    pub(super) result: Result<Reply, NoAnswer>,
    pub(super) is_rehearsed: bool,
}

/// Where an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is posted, behind another event of its group, or waits for the next attempt.
    Open,
    Taken,
    GivenUp,
}

/// An event that is posted.
#[derive(Debug)]
pub(crate) struct Forwarding {
    url: String,
    event_type: String,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    state: State,
    /// How many attempts there were.
    count: usize,
    attempts: VecDeque<Attempt>,
}

impl Attempt {
    pub(super) fn is_taken(&self) -> bool {
        self.result.as_ref().is_ok_and(Reply::is_taken)
    }

    /// Whether the application may have seen the event. It counts as a receive then.
    pub(super) fn counts(&self) -> bool {
        self.result.as_ref().map_or_else(|error| error.was_reached, |_| true)
    }

    /// What came of it.
    pub(super) fn text(&self) -> String {
        let text = match &self.result {
            Ok(Reply { status, headers, .. }) if status.is_redirection() => {
                let to = headers.get("location").and_then(|location| location.to_str().ok());
                let to = to.map_or_else(String::new, |to| format!(" to {to}"));
                format!("answered {}, a redirect{to}, which is not followed", status.as_u16())
            }
            Ok(reply) => format!("answered {}", reply.status.as_u16()),
            Err(error) => error.why.clone(),
        };
        if self.is_rehearsed { format!("{text} (rehearsed)") } else { text }
    }

    /// What to do about it.
    fn advice(&self) -> Option<&'static str> {
        let status = match &self.result {
            _ if self.is_rehearsed => return Some("This failure was rehearsed: --forward-fail asks for it."),
            Err(error) if error.was_reached => {
                return Some(
                    "Let your application answer first, and then do what takes long. Its log may say what failed.",
                );
            }
            Err(_) => return Some("Start your application, or correct the host and the port of --forward-to."),
            Ok(reply) => reply.status,
        };
        Some(match status.as_u16() {
            200..300 => return None,
            300..400 => {
                "Give --forward-to the address that your application redirects to. It may want a slash at the end."
            }
            401 | 403 => {
                "Let your application accept POST requests at this path without a login and without a CSRF token."
            }
            404 | 405 | 410 => "Correct the path of --forward-to, and let your application accept POST requests there.",
            400 | 413 | 415 | 422 => {
                "Let your application accept this body and this content type. Its answer or its log may say why not."
            }
            _ => "Look at the log of your application.",
        })
    }

    fn json(&self) -> Value {
        json!({
            "at": self.at.as_millisecond(),
            "status": self.result.as_ref().ok().map(|reply| reply.status.as_u16()),
            "result": self.text(),
            "micros": u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX),
            "rehearsed": self.is_rehearsed,
        })
    }
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Taken => "taken",
            Self::GivenUp => "given_up",
        }
    }
}

impl Forwarding {
    /// At most so many bytes are kept of an event's answers: the body of the last one, and its headers.
    pub(crate) const BYTES: usize = 80 << 10;

    pub(super) fn new(url: &str, message: &Message) -> Self {
        let event_type = message.attribute("event_type").unwrap_or("unknown").to_owned();
        let progress = Progress { state: State::Open, count: 0, attempts: VecDeque::new() };
        Self { url: url.to_owned(), event_type, progress: Mutex::new(progress) }
    }

    /// Adds an attempt. Of the earlier ones, only the statuses are kept.
    pub(super) fn add(&self, attempt: Attempt) {
        let mut progress = self.progress();
        if let Some(Attempt { result: Ok(earlier), .. }) = progress.attempts.back_mut() {
            earlier.body = Vec::new();
        }
        if progress.attempts.len() == MOST_ATTEMPTS {
            progress.attempts.pop_front();
        }
        progress.count += 1;
        progress.attempts.push_back(attempt);
    }

    pub(super) fn end(&self, state: State) {
        self.progress().state = state;
    }

    /// The result of the step, as `explain` names results.
    pub(crate) fn step(&self) -> &'static str {
        match self.progress().state {
            State::Open => "waiting",
            State::Taken => "passed",
            State::GivenUp => "failed",
        }
    }

    /// For the list and the call view.
    pub(crate) fn summary(&self) -> Value {
        let progress = self.progress();
        let last = progress.attempts.back();
        json!({
            "state": progress.state.name(),
            "attempts": progress.count,
            "result": last.map(Attempt::text),
            "status": last.and_then(|attempt| attempt.result.as_ref().ok()).map(|reply| reply.status.as_u16()),
            "micros": last.map(|attempt| u64::try_from(attempt.took.as_micros()).unwrap_or(u64::MAX)),
        })
    }

    /// The full details. `headers` and `text` present what the application answered.
    pub(crate) fn details(&self, headers: impl Fn(&HeaderMap) -> Value, text: impl Fn(&[u8]) -> Value) -> Value {
        let mut details = self.summary();
        let progress = self.progress();
        let reply = progress.attempts.back().and_then(|attempt| attempt.result.as_ref().ok());
        let action = reply.and_then(|reply| action::entry(reply, &self.event_type));
        details["url"] = self.url.as_str().into();
        details["advice"] = progress.attempts.back().and_then(Attempt::advice).into();
        details["each"] = progress.attempts.iter().map(Attempt::json).collect();
        details["reply"] = reply.map_or(Value::Null, |reply| {
            json!({
                "status": reply.status.to_string(),
                "headers": headers(&reply.headers),
                "bytes": reply.body.len(),
                "whole": reply.is_whole,
                "body": text(&reply.body),
            })
        });
        details["action"] = action.map_or(Value::Null, |action| match action {
            Ok(value) => json!({ "value": value }),
            Err(why) => json!({ "why_not": why }),
        });
        details
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
