//! Decrypts the webhooks of a history at the start, with the present AppID.

use std::collections::HashMap;

use http::{Request, Uri};
use voicehook_lambda::{
    app_id::{AppIds, FixedAppId},
    config::Config,
    queue::{Message, NotQuarantined, QueueKind},
    receiver::{self, Answer, Outcome, Receiver, Refusal, Settings, named_app},
};

use super::{
    super::{Exchange, Origin, exchange::Earlier, masks::MASK},
    Entry,
};
use crate::dev::local_queue::{self, LocalQueue};

/// Receives webhooks of earlier runs again. Nothing is sent, counted or printed.
pub(crate) struct Reopener {
    receiver: Receiver<FixedAppId, LocalQueue>,
    /// What `***` in a URL stands for.
    token: Option<String>,
}

impl Reopener {
    pub(crate) fn new(config: &Config, kind: QueueKind, app_id: &str, token: Option<&str>) -> Self {
        // A webhook that was admitted and young enough when it came stays so.
        let settings = Settings { token: None, max_event_age: None, ..config.settings.clone() };
        let app_ids = AppIds::new(FixedAppId::new(app_id), config.app_id_ttl);
        let receiver = Receiver::new(settings, app_ids, LocalQueue::for_history(kind));
        Self { receiver, token: token.map(str::to_owned) }
    }

    /// The webhooks of a history, with their numbers.
    pub(crate) async fn reopen(&self, entries: Vec<Entry>) -> Vec<(u64, Exchange)> {
        let mut exchanges = Vec::new();
        let mut last = 0;
        for entry in entries {
            let Some(exchange) = self.exchange(&entry).await else { continue };
            last = entry.id.max(last + 1);
            exchanges.push((last, exchange));
        }
        with_originals(exchanges)
    }

    async fn exchange(&self, entry: &Entry) -> Option<Exchange> {
        let (request, answer) = (entry.request()?, entry.answer()?);
        let (outcome, message) = self.outcome(entry, &request).await;
        let has_changed = outcome.name() != entry.fate.outcome;
        let request = if entry.fate.outcome == "not_found" { request } else { self.with_token(request) };
        let exchange = Exchange::new(entry.arrived, entry.origin(), request, message, &answer, outcome);
        let earlier = Some(Earlier { fate: entry.fate.clone(), has_changed });
        Some(Exchange { app: entry.app.clone(), stages: entry.stages(), earlier, ..exchange })
    }

    /// What became of the webhook. If that cannot be, because the AppID is another one now, what would become of it.
    async fn outcome(&self, entry: &Entry, request: &Request<Vec<u8>>) -> (Outcome, Option<Message>) {
        let refused = |refusal| (wrapped(entry, refusal), None);
        match (entry.fate.outcome.as_str(), entry.fate.reason.as_deref()) {
            ("probe", _) => (Outcome::Probe, None),
            ("method_not_allowed", _) => (Outcome::MethodNotAllowed, None),
            ("body_too_large", _) => (Outcome::BodyTooLarge, None),
            ("panicked", _) => (Outcome::Panicked, None),
            ("not_found", _) | (_, Some("not_found")) => refused(Refusal::NotFound),
            (_, Some("too_old")) => refused(Refusal::TooOld),
            _ => {
                let (outcome, mut message) = self.receive(entry, request).await;
                let received_at = message.iter_mut().flat_map(|message| &mut message.attributes);
                for (_, value) in received_at.filter(|(name, _)| *name == "received_at") {
                    *value = format!("{:.3}", entry.arrived);
                }
                (as_it_was(entry, outcome), message)
            }
        }
    }

    async fn receive(&self, entry: &Entry, request: &Request<Vec<u8>>) -> (Outcome, Option<Message>) {
        let app = named_app(request.uri().path(), None).unwrap_or_default();
        let again = receiver::Request {
            path: format!("/webhook/{app}"),
            token: None,
            origin: receiver::Origin::local(&entry.key),
            ..request.clone().into()
        };
        let (Answer { outcome, .. }, message) = local_queue::watched(self.receiver.receive(&again)).await;
        (outcome, message)
    }

    /// The request with the present token in its URL, so that it can be replayed.
    fn with_token(&self, mut request: Request<Vec<u8>>) -> Request<Vec<u8>> {
        if let Some(token) = &self.token
            && let Ok(uri) = request.uri().to_string().replace(MASK, token).parse::<Uri>()
        {
            *request.uri_mut() = uri;
        }
        request
    }
}

/// The outcome that it had, if the webhook still opens, or still does not.
fn as_it_was(entry: &Entry, outcome: Outcome) -> Outcome {
    match (entry.fate.outcome.as_str(), outcome) {
        ("queued", Outcome::Queued { action, failover, .. }) => {
            Outcome::Queued { action, failover, message_id: entry.fate.message_id.clone().unwrap_or_default() }
        }
        ("not_queued", Outcome::Queued { .. }) => Outcome::NotQueued(entry.queue_error()),
        (_, Outcome::Refused(refusal)) => wrapped(entry, refusal),
        (_, outcome) => outcome,
    }
}

/// A refusal with what was done about it.
fn wrapped(entry: &Entry, refusal: Refusal) -> Outcome {
    match entry.fate.outcome.as_str() {
        "quarantined" => Outcome::Quarantined(refusal),
        "quarantine_limited" => Outcome::NotQuarantined(refusal, NotQuarantined::Limited),
        "not_quarantined" => Outcome::NotQuarantined(refusal, NotQuarantined::Queue(entry.queue_error())),
        _ => Outcome::Refused(refusal),
    }
}

/// Gives edited webhooks the events that they were made of, which the file does not have in plain text.
fn with_originals(exchanges: Vec<(u64, Exchange)>) -> Vec<(u64, Exchange)> {
    let edited = |exchange: &Exchange| if let Origin::Edited { of, .. } = exchange.origin { Some(of) } else { None };
    let wanted: Vec<u64> = exchanges.iter().filter_map(|(_, exchange)| edited(exchange)).collect();
    let originals = exchanges.iter().filter(|(id, _)| wanted.contains(id));
    let originals: HashMap<u64, String> =
        originals.filter_map(|(id, exchange)| Some((*id, exchange.event()?.to_owned()))).collect();
    let with_original = |(id, exchange): (u64, Exchange)| match edited(&exchange) {
        Some(of) => {
            let before = originals.get(&of).map(|event| event.as_str().into());
            (id, Exchange { origin: Origin::Edited { of, before }, ..exchange })
        }
        None => (id, exchange),
    };
    exchanges.into_iter().map(with_original).collect()
}
