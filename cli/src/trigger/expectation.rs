//! Compares a receiver's answer with the expected one, for all modes of `trigger`.

use clap::ValueEnum as _;

use super::corrupt::Corruption;
use crate::send::Answer;

/// The answer that a webhook should get.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Expectation(pub(super) Option<Corruption>);

impl Expectation {
    /// Whether a status is among the expected ones.
    pub(super) fn is_met(self, status: u16) -> bool {
        self.0.map_or(status == 200, |corruption| corruption.expected().contains(&status))
    }

    /// Whether the receiver kept the webhook, on the queue or in quarantine; a 200 does not say which. There is nothing
    /// to keep of a probe.
    pub(super) fn is_kept(self, status: u16) -> bool {
        status == 200 && self.0 != Some(Corruption::Empty)
    }

    /// What was sent, unless it was an intact event.
    pub(super) fn description(self) -> Option<String> {
        let corruption = self.0?;
        let statuses: Vec<String> = corruption.expected().iter().map(ToString::to_string).collect();
        let value = corruption.to_possible_value();
        let name = value.as_ref().map_or("", |value| value.get_name());
        Some(format!("{name}; expected status: {}", statuses.join(" or ")))
    }

    /// Tells where to find a webhook that was kept.
    pub(super) fn kept_line(self, answer: &Answer, is_local: bool) -> Option<String> {
        if !self.is_kept(answer.status) {
            return None;
        }
        let id = answer.request_id.as_ref().map_or_else(String::new, |id| format!(", request id {id}"));
        let place =
            if is_local { "the output of `voicehook dev` says which" } else { "the function's log has the outcome" };
        Some(format!("kept      on the queue or in quarantine{id}; {place}"))
    }
}
