//! What the tool is given in a file: captured webhooks in every form (`decrypt`, `inspect`) and recordings (`trigger
//! scenario --file`): each is read or refused with a message, and what was read has a request in it.
//!
//! An input is a byte that chooses the form, and the text of the file. The parsers are compiled from the tool's own
//! sources, with the few things that they take from the rest of the tool beside them here.
#![no_main]
#![allow(dead_code, unused_imports)]

use libfuzzer_sys::fuzz_target;
use voicehook_lambda::webhook::{ALGORITHM_HEADER, Accept, Webhook};

use self::{input::Form, recording::Recording, send::EncryptionArgs};

#[path = "../../cli/src/decrypt/curl.rs"]
mod curl;
#[path = "../../cli/src/decrypt/http_request.rs"]
mod http_request;
#[path = "../../cli/src/decrypt/input.rs"]
mod input;
#[path = "../../cli/src/json_text.rs"]
mod json_text;
#[path = "../../cli/src/printable.rs"]
mod printable;
#[path = "../../cli/src/recording/mod.rs"]
mod recording;
#[path = "../../cli/src/decrypt/shell.rs"]
mod shell;

mod explain {
    /// What a report says.
    pub(crate) struct Finding;

    impl Finding {
        pub(crate) fn new(_: impl Into<String>, _: impl Into<String>) -> Self {
            Self
        }
    }
}

mod send {
    /// The options that stand in for headers.
    pub(crate) struct EncryptionArgs {
        pub(crate) algorithm: String,
        pub(crate) format: String,
        pub(crate) encoding: String,
    }
}

mod scenarios {
    pub(crate) struct Moment {
        pub(crate) delay: std::time::Duration,
        pub(crate) events: Vec<String>,
    }
}

mod console {
    pub(crate) fn note(_: impl std::fmt::Display) {}
}

mod files {
    use std::path::Path;

    pub(crate) fn read(_: Option<&Path>, _: &str) -> anyhow::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    pub(crate) fn text(bytes: Vec<u8>) -> Result<String, std::string::FromUtf8Error> {
        String::from_utf8(bytes)
    }
}

/// A message may quote what it is about, and not a whole file.
const LONGEST_MESSAGE: usize = 4096;

fuzz_target!(|given: &[u8]| {
    let Some((form, text)) = given.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let form = match form % 9 {
        0 => None,
        1 => Some(Form::Event),
        2 => Some(Form::Http),
        3 => Some(Form::Curl),
        4 => Some(Form::Har),
        5 => Some(Form::Quarantine),
        6 => Some(Form::Body),
        7 => Some(Form::Ciphertext),
        _ => return recording(text),
    };
    let [algorithm, format, encoding] = ["aes-256-cbc", "hex", "utf8"].map(str::to_owned);
    match input::read(text, form, &EncryptionArgs { algorithm, format, encoding }) {
        Ok(captured) => {
            assert!(!captured.is_empty(), "neither a request nor an error");
            for captured in captured {
                let request = &captured.request;
                if captured.is_without_headers() {
                    assert!(request.headers().contains_key(ALGORITHM_HEADER), "options stand in for headers");
                }
                let _ = Webhook::read(request.headers(), request.body(), &Accept::all());
            }
        }
        Err(error) => is_short(&error),
    }
});

fn recording(text: &str) {
    match Recording::parse(text) {
        Ok(recording) => {
            let moments = recording.moments();
            let events: usize = moments.iter().map(|moment| moment.events.len()).sum();
            let lines = text.split('\n').filter(|line| !line.trim().is_empty()).count();
            assert_eq!(events + recording.without_event().len(), lines, "a line is neither played nor named");
            let whole: std::time::Duration = moments.iter().map(|moment| moment.delay).sum();
            assert!(whole.as_millis() <= u128::from(recording.last_ms().unwrap_or(0)), "it takes longer than it took");
        }
        Err(error) => is_short(&error),
    }
}

fn is_short(error: &anyhow::Error) {
    let message = format!("{error:#}");
    assert!(!message.is_empty() && message.len() <= LONGEST_MESSAGE, "{} bytes: {:.200}", message.len(), message);
}
