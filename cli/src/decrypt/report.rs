//! The result of `decrypt`, as text or as JSON.

use serde::Serialize;

use crate::{explain::Finding, printable::printable};

/// The report on one webhook.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Report {
    /// Whether it opened as the function would open it.
    pub(super) opened: bool,
    /// The form in which it was given.
    pub(super) input: &'static str,
    /// The app that it was sent to.
    pub(super) app: String,
    /// Why the function would not have opened it: `malformed`, `undecryptable` or `not_found`.
    pub(super) reason: Option<&'static str>,
    /// The function's own words for it.
    pub(super) detail: Option<String>,
    /// What the headers say.
    pub(super) algorithm: Option<String>,
    pub(super) format: Option<String>,
    pub(super) encoding: Option<String>,
    /// Length of the ciphertext, where it can be read in that format.
    pub(super) ciphertext_bytes: Option<usize>,
    pub(super) event_type: Option<String>,
    pub(super) voice_id: Option<String>,
    /// The event's text; where it did not open, the text that another reading of the webhook gives.
    pub(super) event: Option<String>,
    pub(super) findings: Vec<Finding>,
}

impl Report {
    /// The explanation for a person.
    pub(super) fn explanation(&self) -> String {
        let or_missing = |value: &Option<String>| value.clone().unwrap_or_else(|| "missing".to_owned());
        let size = self.ciphertext_bytes.map_or_else(String::new, |bytes| format!(", {bytes} bytes of ciphertext"));
        let mut text = format!(
            "this webhook cannot be decrypted: {}\n\n  read as    {} for app {}\n  headers    algorithm {}, format {}, encoding {}{size}\n",
            self.detail.as_deref().unwrap_or_default(),
            self.input,
            self.app,
            or_missing(&self.algorithm),
            or_missing(&self.format),
            or_missing(&self.encoding),
        );
        for finding in &self.findings {
            text += &format!("\n{}.\n  Next: {}.\n", finding.problem, finding.next.join(".\n        "));
        }
        if let Some(event_type) = &self.event_type {
            let of_call = self.voice_id.as_ref().map_or_else(String::new, |id| format!(" of call {id}"));
            text += &format!("\nRead that way, it is the event {event_type}{of_call}; --anyway prints it.\n");
        }
        printable(&text)
    }
}
