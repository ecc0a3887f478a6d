//! How the receiver treats a request, as the operator wants it.

use std::time::Duration;

use super::Actions;
use crate::{app_id::Token, queue::EventFormat, webhook::Accept};

/// EnableX waits five seconds; one of them is left to the network and the gateway.
const PUBLISH_DEADLINE: Duration = Duration::from_millis(4000);

/// How the receiver treats a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which webhooks are taken (`ALLOWED_ALGORITHMS`, `ALLOW_PLAINTEXT`).
    pub accept: Accept,
    /// What a webhook's URL must carry (`WEBHOOK_TOKEN`). A token in the secret counts as well.
    pub token: Option<Token>,
    /// How old an event may be (`MAX_EVENT_AGE_SECONDS`).
    pub max_event_age: Option<Duration>,
    /// How a message carries its event (`EVENT_FORMAT`).
    pub event_format: EventFormat,
    /// What senders are answered with (`ACTIONS`), where a token is asked for.
    pub actions: Actions,
    /// Time from a webhook's arrival to the answer (`PUBLISH_DEADLINE_MS`).
    pub publish_deadline: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            accept: Accept::default(),
            token: None,
            max_event_age: None,
            event_format: EventFormat::default(),
            actions: Actions::default(),
            publish_deadline: PUBLISH_DEADLINE,
        }
    }
}
