//! Opens quarantined webhooks with the current AppIDs and sends their events as the function would have: what `redrive` and
//! `inspect` have in common.
//!
//! Who uses it deletes a webhook from the quarantine after [`send`](Reopener::send) succeeded, and only then. If the process
//! is killed in between, the next run sends the event again with the same deduplication id, and a FIFO queue drops it within
//! five minutes.

mod parts;

use std::time::Duration;

use tokio::time::Instant;
use voicehook_lambda::{
    app_id::{AppIdUnavailable, AppIds, Apps, ConfiguredSource, Typo},
    aws::Aws,
    config::Config,
    event::Event,
    queue::{Delivery, EventFormat, EventMessage, Quarantined, Queue as _, QueueError, Sent, Sqs},
    receiver::{Opener, Refusal, Times},
    telemetry::Stages,
    webhook::{ALGORITHM_HEADER, ALGORITHM_HEADER_AS_DOCUMENTED},
};

pub(crate) use self::parts::{Assembly, Complete, Meaning};

/// Time for one webhook to be opened, or for its event to reach its queue.
const DEADLINE: Duration = Duration::from_secs(10);
/// The reason of webhooks whose app and token could not be checked.
pub(crate) const APP_ID_UNAVAILABLE: &str = "app_id_unavailable";
/// The reason of webhooks that no AppID can decrypt.
pub(crate) const UNDECRYPTABLE: &str = "undecryptable";

/// Why a webhook stays in quarantine.
#[derive(Debug)]
pub(crate) enum Left {
    /// It is not encrypted, and nobody checked its token.
    Unchecked,
    /// No AppID is configured for its app.
    NoSuchApp,
    /// It does not open.
    Refused(Refusal),
}

/// Opens webhooks with the current AppIDs, and sends their events.
pub(crate) struct Reopener {
    opener: Opener<ConfiguredSource>,
    event_format: EventFormat,
    to: Sqs,
}

impl Reopener {
    /// Reads the AppIDs.
    pub(crate) async fn new(config: Config, aws: &Aws) -> Result<Self, AppIdUnavailable> {
        let app_ids = AppIds::new(ConfiguredSource::new(config.app_id, aws), config.app_id_ttl);
        app_ids.first(Instant::now() + DEADLINE).await?;
        // Events are meant to be sent however old they are.
        let opener = Opener { accept: config.settings.accept, max_event_age: None, app_ids };
        Ok(Self { opener, event_format: config.settings.event_format, to: Sqs::new(aws, config.queue_url) })
    }

    /// What looks wrong in the AppIDs: the most likely cause if webhooks cannot be decrypted.
    pub(crate) fn typos(&self) -> Vec<Typo> {
        self.opener.app_ids.known().versions().flat_map(Apps::typos).cloned().collect()
    }

    /// Whether an AppID is configured for an app, now or before.
    pub(crate) fn has_app(&self, app: &str) -> bool {
        self.opener.app_ids.known().versions().any(|apps| apps.get(app).is_some())
    }

    /// The event of a webhook, or why it is left in quarantine.
    pub(crate) async fn open(&self, webhook: &Complete) -> Result<Event, Left> {
        let Complete { record, body, .. } = webhook;
        let headers = record.header_map();
        let is_encrypted =
            [ALGORITHM_HEADER, ALGORITHM_HEADER_AS_DOCUMENTED].iter().any(|name| headers.contains_key(*name));
        // Only encryption or a token tells an event of EnableX, and of the token nothing is known here.
        if record.reason == APP_ID_UNAVAILABLE && !is_encrypted {
            return Err(Left::Unchecked);
        }
        // The app of an encrypted webhook is checked where it is opened.
        if !is_encrypted && !self.has_app(&record.app) {
            return Err(Left::NoSuchApp);
        }
        let arrived = Instant::now();
        let times = Times { arrived, deadline: arrived + DEADLINE };
        let opened = self.opener.open(&headers, body, &record.app, times, &mut Stages::default()).await;
        opened.map_err(|refusal| match refusal {
            Refusal::NotFound => Left::NoSuchApp,
            refusal => Left::Refused(refusal),
        })
    }

    /// The message that the function would have made when the webhook came.
    pub(crate) fn message(&self, event: Event, record: &Quarantined) -> EventMessage {
        let Quarantined { app, received_at, request_id, .. } = record;
        let invocation_id = record.invocation_id();
        let delivery = Delivery { app, received_at: *received_at, request_id, invocation_id, trace_header: None };
        self.event_format.message(event, &delivery, self.to.kind())
    }

    /// Sends that message.
    pub(crate) async fn send(&self, event: Event, record: &Quarantined) -> Result<Sent, QueueError> {
        self.to.send(self.message(event, record).message, Instant::now() + DEADLINE).await
    }
}
