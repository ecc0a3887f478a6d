//! Opens webhooks: from a request's headers and body to its event, with every AppID that may open it.
//!
//! The function and `voicehook redrive` open webhooks with the same [`Opener`]. [`Opener::open_known`] takes what is known
//! and never waits. [`Opener::judge_fresh`] is where a webhook waits for fresher AppIDs; nothing is refused for good by
//! AppIDs that are older than the webhook.

use std::{sync::Arc, time::Duration};

use http::HeaderMap;
use tokio::time::Instant;

use super::Refusal;
use crate::{
    app_id::{AppIdSource, AppIdUnavailable, AppIds, Known, KnownApp},
    clock,
    decrypt::{self, Envelope, Plaintext},
    event::{Event, NotAnEvent},
    telemetry::Stages,
    webhook::{Accept, Malformed, Webhook},
};

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

/// When a webhook arrived, and when its answer must be on its way.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// It is refused for good only by AppIDs that are fresh for this time.
    pub arrived: Instant,
    /// The end of all waiting.
    pub deadline: Instant,
}

/// A judgement of a webhook by the AppIDs that are known.
pub(super) trait Judgement {
    /// Whether other AppIDs could change it.
    fn depends_on_app_ids(&self) -> bool;

    /// Whether it stands, without waiting for anything.
    fn is_settled_by(&self, known: &Known, times: Times) -> bool {
        !self.depends_on_app_ids() || known.is_fresh(times.arrived)
    }
}

/// It could not be decided whether to refuse a webhook for good.
#[derive(Debug)]
pub(super) struct Unjudged<J> {
    /// What the AppIDs that are known say.
    pub(super) judgement: J,
    /// Those AppIDs.
    pub(super) known: Arc<Known>,
    /// Why there are no fresher ones.
    pub(super) error: AppIdUnavailable,
}

impl Judgement for Result<Event, Refusal> {
    fn depends_on_app_ids(&self) -> bool {
        self.as_ref().is_err_and(Refusal::depends_on_app_ids)
    }
}

impl<S: AppIdSource> Opener<S> {
    /// Opens a webhook of an app with the AppIDs that are known. Never waits. Adds to `stages` how long it took.
    ///
    /// # Errors
    /// [`Refusal`]: other AppIDs may open it.
    pub fn open_known(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        app: KnownApp<'_>,
        stages: &mut Stages,
    ) -> Result<Event, Refusal> {
        let webhook = Stages::time(&mut stages.parse, || Webhook::read(headers, body, &self.accept));
        let event = match webhook.map_err(Refusal::Malformed)? {
            Webhook::Encrypted(envelope) => Stages::time(&mut stages.decrypt, || decrypt(&envelope, app))?,
            Webhook::Plain(text) => plain(text).map_err(Refusal::Malformed)?,
        };
        if self.max_event_age.is_some_and(|max| event.age(clock::now()).is_some_and(|age| age > max)) {
            return Err(Refusal::TooOld);
        }
        Ok(event)
    }

    /// Opens a webhook of an app with the AppIDs that are known, else with fresher ones. May wait until the deadline.
    ///
    /// # Errors
    /// [`Refusal`], and that for good.
    pub async fn open(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        app: &str,
        times: Times,
        stages: &mut Stages,
    ) -> Result<Event, Refusal> {
        let known = self.app_ids.known();
        let mut judge = |known: &Known| self.open_known(headers, body, known.app(app), stages);
        let first = judge(&known);
        let judged = self.judge_fresh(known, first, times, judge).await;
        judged.unwrap_or_else(|unjudged| Err(Refusal::AppIdUnavailable(unjudged.error)))
    }

    /// The judgement by the AppIDs that are `known` stands, unless it depends on them and they are not fresh: then this
    /// waits for fresher ones, and judges by them. For a first version it waits until the deadline; for fresher ones
    /// until half of the time that is left, because the other half is for the queue or the quarantine.
    ///
    /// # Errors
    /// [`Unjudged`]: not all of the versions could be read, and those that were do not decide it.
    pub(super) async fn judge_fresh<J: Judgement>(
        &self,
        mut known: Arc<Known>,
        mut judgement: J,
        times: Times,
        mut judge: impl FnMut(&Known) -> J,
    ) -> Result<J, Unjudged<J>> {
        let mut half = None;
        while !judgement.is_settled_by(&known, times) {
            let until = match known.is_empty() {
                true => times.deadline,
                false => *half.get_or_insert_with(|| halfway_to(times.deadline)),
            };
            match self.app_ids.fresher(&known, times.arrived, until).await {
                Err(error) => return Err(Unjudged { judgement, known, error }),
                Ok(fresher) if fresher.has_the_apps_of(&known) => known = fresher,
                Ok(fresher) => {
                    judgement = judge(&fresher);
                    known = fresher;
                }
            }
        }
        Ok(judgement)
    }
}

fn halfway_to(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / 2
}

/// Tries the app's AppIDs, the current one first. Where none opens it, the first one's fault is told.
fn decrypt(envelope: &Envelope<'_>, app: KnownApp<'_>) -> Result<Event, Refusal> {
    let mut first_fault = None;
    for app_id in app.app_ids() {
        match decrypt::open(envelope, app_id.key_and_iv()).and_then(Plaintext::into_event) {
            Ok(event) => return Ok(event),
            Err(fault) if !fault.depends_on_app_id() => return Err(Refusal::Undecryptable(fault)),
            Err(fault) => first_fault = first_fault.or(Some(fault)),
        }
    }
    Err(first_fault.map_or(Refusal::NotFound, Refusal::Undecryptable))
}

fn plain(text: &[u8]) -> Result<Event, Malformed> {
    let text = String::from_utf8(text.to_vec()).map_err(|_| NotAnEvent::NotJson);
    text.and_then(Event::from_json).map_err(Malformed::PlainNotAnEvent)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    };

    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::{
        app_id::{Apps, DEFAULT_APP, Version},
        decrypt::{
            Algorithm, Fault, KeyAndIv,
            cipher::{self, BLOCK},
        },
    };

    const EVENT: &str = r#"{"state":"connected","voice_id":"5f2d8a66"}"#;

    /// A secret that may be changed, and how often its current version was read.
    #[derive(Clone)]
    struct Secret(Arc<(Mutex<&'static str>, AtomicUsize)>);

    impl AppIdSource for Secret {
        async fn fetch(&self, version: Version) -> Result<Apps, AppIdUnavailable> {
            if version == Version::Previous {
                return Ok(Apps::none());
            }
            self.0.1.fetch_add(1, Ordering::Relaxed);
            Ok(Apps::bare(*self.0.0.lock().unwrap()))
        }
    }

    async fn open(opener: &Opener<Secret>, app_id: &str) -> Result<String, Refusal> {
        let headers = [
            ("content-type", "application/json"),
            ("x-algoritm", "aes-256-cbc"),
            ("x-format", "hex"),
            ("x-encoding", "utf8"),
        ];
        let headers = headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let headers = headers.into_iter().collect();
        let algorithm = Algorithm::named("aes-256-cbc").unwrap();
        let padding = BLOCK - EVENT.len() % BLOCK;
        let mut data = [EVENT.as_bytes(), &vec![padding as u8; padding]].concat();
        cipher::encrypt(algorithm, &KeyAndIv::derive(app_id), &mut data);
        let data = hex_simd::encode_to_string(data, hex_simd::AsciiCase::Lower);
        let body = format!(r#"{{"encrypted_data":"{data}"}}"#);
        let times = Times { arrived: Instant::now(), deadline: Instant::now() + Duration::from_secs(4) };
        let event = opener.open(&headers, body.as_bytes(), DEFAULT_APP, times, &mut Stages::default()).await?;
        Ok(event.text().to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn what_opens_asks_for_no_app_ids_and_what_does_not_open_asks_for_fresher_ones() {
        let secret = Secret(Arc::new((Mutex::new("old"), AtomicUsize::new(0))));
        let app_ids = AppIds::new(secret.clone(), Duration::from_secs(300));
        let opener = Opener { accept: Accept::default(), max_event_age: None, app_ids };
        let asked = || secret.0.1.load(Ordering::Relaxed);
        assert_eq!((open(&opener, "old").await.as_deref(), asked()), (Ok(EVENT), 1));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!((open(&opener, "old").await.as_deref(), asked()), (Ok(EVENT), 1));
        *secret.0.0.lock().unwrap() = "new";
        assert_eq!((open(&opener, "new").await.as_deref(), asked()), (Ok(EVENT), 2));
        tokio::time::advance(Duration::from_secs(60)).await;
        let refused = open(&opener, "neither").await.unwrap_err();
        assert!(matches!(refused, Refusal::Undecryptable(Fault::Padding | Fault::Text | Fault::Json)), "{refused:?}");
        assert_eq!(asked(), 3);
    }
}
