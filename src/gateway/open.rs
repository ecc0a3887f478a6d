//! From a request's headers and body to its event, with every AppID that may open it.
//!
//! In come headers, body and the app's name; out comes an [`Event`], or [`Unopened`], which says why there is none.
//! The function and `voicehook redrive` open webhooks with the same [`Opener`].

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use lambda_http::http::HeaderMap;

use crate::{
    app_id::{AppIdSource, AppIdUnavailable, AppIds, Apps},
    decrypt::{self, Fault},
    event::Event,
    telemetry::Stages,
    webhook::{Accept, Envelope, Malformed, Webhook},
};

/// The longest search for another AppID: a webhook must be answered in time, and into quarantine it needs some too.
const SEARCH: Duration = Duration::from_millis(1500);

/// Opens webhooks.
#[derive(Debug)]
pub struct Opener<S> {
    /// Which webhooks are taken.
    pub accept: Accept,
    /// How old an event may be (`MAX_EVENT_AGE_SECONDS`).
    pub max_event_age: Option<Duration>,
    /// The AppIDs to open them with.
    pub app_ids: AppIds<S>,
}

/// Why there is no event.
#[derive(Debug)]
#[non_exhaustive]
pub enum Unopened {
    /// The request is no webhook.
    Malformed(Malformed),
    /// None of the app's AppIDs opens it.
    Undecryptable(Fault),
    /// The event's own time stamp is older than the operator allows.
    TooOld,
    /// There is no AppID to open it with at the moment.
    AppIdUnavailable(AppIdUnavailable),
}

impl<S: AppIdSource> Opener<S> {
    /// Opens a webhook of an app, and adds to `stages` how long that took. An app that there is not opens nothing.
    ///
    /// # Errors
    /// [`Unopened`].
    pub async fn open(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        app: &str,
        stages: &mut Stages,
    ) -> Result<Event, Unopened> {
        let webhook = Stages::time(&mut stages.parse, || Webhook::read(headers, body, &self.accept));
        let event = match webhook.map_err(Unopened::Malformed)? {
            Webhook::Encrypted(envelope) => self.decrypt(&envelope, app, stages).await?,
            Webhook::Plain(text) => plain(text).map_err(Unopened::Undecryptable)?,
        };
        if self.max_event_age.is_some_and(|max| event.age(Timestamp::now()).is_some_and(|age| age > max)) {
            return Err(Unopened::TooOld);
        }
        Ok(event)
    }

    async fn decrypt(&self, envelope: &Envelope<'_>, app: &str, stages: &mut Stages) -> Result<Event, Unopened> {
        let current = Stages::wait(&mut stages.app_id, self.app_ids.current()).await;
        let current = current.map_err(Unopened::AppIdUnavailable)?;
        match attempt(envelope, &current, app, stages) {
            Err(fault) if fault.depends_on_app_id() => {
                let search = tokio::time::timeout(SEARCH, self.search(envelope, app, current, stages)).await;
                search.ok().flatten().ok_or(Unopened::Undecryptable(fault))
            }
            decided => decided.map_err(Unopened::Undecryptable),
        }
    }

    /// What the current AppID does not open: tries the previous one, and then, where Secrets Manager has newer ones,
    /// both again, so that a rotation loses nothing on either side of it.
    async fn search(
        &self,
        envelope: &Envelope<'_>,
        app: &str,
        mut current: Arc<Apps>,
        stages: &mut Stages,
    ) -> Option<Event> {
        loop {
            if let Ok(previous) = Stages::wait(&mut stages.app_id, self.app_ids.previous()).await
                && let Ok(event) = attempt(envelope, &previous, app, stages)
            {
                return Some(event);
            }
            current = Stages::wait(&mut stages.app_id, self.app_ids.renewed(&current)).await?;
            if let Ok(event) = attempt(envelope, &current, app, stages) {
                return Some(event);
            }
        }
    }
}

fn attempt(envelope: &Envelope<'_>, apps: &Apps, app: &str, stages: &mut Stages) -> Result<Event, Fault> {
    let (_, app_id) = apps.get(app).ok_or(Fault::Padding)?;
    Stages::time(&mut stages.decrypt, || decrypt::open(envelope, app_id).and_then(Event::read))
}

fn plain(text: &[u8]) -> Result<Event, Fault> {
    Event::from_json(String::from_utf8(text.to_vec()).map_err(|_| Fault::Text)?)
}
