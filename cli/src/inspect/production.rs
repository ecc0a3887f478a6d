//! The queues of a deployment, what the last look at each of them saw, and the only place where messages are received.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::sync::OnceCell;
use voicehook_lambda::{
    app_id::AppIdSetting,
    aws::Aws,
    queue::{QueueUrl, Sqs},
};

use super::{
    dead_letters,
    deployment::Deployment,
    look::{self, look},
    plan::Plan,
    quarantined::{self, Item, Openers},
    redrive::{self, Letters, Selection, Webhooks},
};
use crate::{
    known_app_ids::KnownAppIds,
    quarantine::{Assembly, Reopener},
    queue::QueueReader,
};

/// For one request that sends a dead letter, with its retries.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What a queue has that was not handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Quarantine,
    DeadLetters,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Quarantine, Self::DeadLetters];

    /// In paths and documents of the API.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::DeadLetters => "dead-letters",
        }
    }

    pub(super) fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.key() == key)
    }
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The request says nothing that can be done.
    Invalid(String),
    /// There is no such queue, or nothing of the kind in what the last look saw.
    NotFound(String),
    /// It is not allowed here.
    Forbidden(String),
    /// AWS did not do it.
    Failed(String),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invalid(why) | Self::NotFound(why) | Self::Forbidden(why) | Self::Failed(why) => f.write_str(why),
        }
    }
}

/// What the last look at a queue saw.
struct Seen {
    look: Value,
    items: Vec<Item>,
}

impl Seen {
    fn json(&self) -> Value {
        let mut seen = self.look.clone();
        seen["messages"] = self.items.iter().map(Item::summary).collect::<Vec<_>>().into();
        seen
    }
}

/// A deployment's queues.
pub(super) struct Production {
    aws: Aws,
    deployment: Deployment,
    max: usize,
    allow_redrive: bool,
    reopener: OnceCell<Arc<Reopener>>,
    seen: Mutex<HashMap<Kind, Seen>>,
    /// One look or redrive at a time: two would hide messages from each other.
    busy: tokio::sync::Mutex<()>,
    is_stopped: AtomicBool,
}

impl Production {
    pub(super) fn new(aws: Aws, deployment: Deployment, max: usize, allow_redrive: bool) -> Self {
        let (reopener, seen, busy, is_stopped) = Default::default();
        Self { aws, deployment, max, allow_redrive, reopener, seen, busy, is_stopped }
    }

    pub(super) const fn url(&self, kind: Kind) -> Option<&QueueUrl> {
        match kind {
            Kind::Quarantine => self.deployment.quarantine.as_ref(),
            Kind::DeadLetters => self.deployment.dead_letters.as_ref(),
        }
    }

    /// The queues' names.
    pub(super) fn names(&self) -> [(&'static str, Option<&str>); 3] {
        let Deployment { quarantine, dead_letters, events, .. } = &self.deployment;
        [("quarantine", quarantine), ("dead letters", dead_letters), ("event queue", events)]
            .map(|(label, url)| (label, url.as_ref().map(QueueUrl::name)))
    }

    /// Why nothing is moved, if so.
    pub(super) fn redrive_is_off(&self) -> Option<&'static str> {
        if !self.allow_redrive {
            Some("start again with --allow-redrive to move messages")
        } else if self.deployment.events.is_none() {
            Some("the event queue is unknown; name it with --queue-url")
        } else {
            None
        }
    }

    /// Ends a look or a redrive after the messages that it is at.
    pub(super) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    /// Waits until all that was received is given back.
    pub(super) async fn idle(&self) {
        drop(self.busy.lock().await);
    }

    /// What the queues say of themselves. Receives nothing.
    pub(super) async fn about(&self) -> Value {
        let mut queues = json!({
            "events": self.deployment.events.as_ref().map(QueueUrl::name),
            "redrive_is_off": self.redrive_is_off(),
            "max": self.max,
        });
        for kind in Kind::ALL {
            let Some(url) = self.url(kind) else { continue };
            let about = QueueReader::new(&self.aws, url.clone(), look::HIDDEN).about().await;
            let (about, error) = match about {
                Ok(about) => (about, None),
                Err(failure) => (None, Some(failure.to_string())),
            };
            queues[kind.key()] = json!({
                "name": url.name(),
                "waiting": about.as_ref().map(|about| about.waiting),
                "in_flight": about.as_ref().map(|about| about.in_flight),
                "max_receive_count": about.and_then(|about| about.max_receive_count),
                "error": error,
            });
        }
        queues
    }

    /// Looks at a queue, and keeps what it saw.
    pub(super) async fn look(&self, kind: Kind) -> Result<Value, Refused> {
        let url = self.url_or_not_found(kind)?;
        let _busy = self.busy.lock().await;
        let reader = QueueReader::new(&self.aws, url.clone(), look::HIDDEN);
        let look = look(&reader, self.max, &self.is_stopped).await;
        let look = look.map_err(|failure| Refused::Failed(failure.to_string()))?;
        let mut items = match kind {
            Kind::Quarantine => quarantined::items(&look, &self.openers().await).await,
            Kind::DeadLetters => dead_letters::items(&look, self.deployment.max_receive_count.as_deref(), url.kind()),
        };
        // The newest first, as in the inspector of `dev`.
        items.sort_by_key(|item| std::cmp::Reverse(item.summary["arrived"].as_i64()));
        let seen = Seen { look: look.json(), items };
        let document = seen.json();
        self.seen().insert(kind, seen);
        Ok(document)
    }

    /// What the last look saw.
    pub(super) fn last(&self, kind: Kind) -> Result<Value, Refused> {
        self.url_or_not_found(kind)?;
        self.seen().get(&kind).map(Seen::json).ok_or_else(|| Refused::NotFound(not_looked(kind)))
    }

    /// The details of something that the last look saw.
    pub(super) fn details(&self, kind: Kind, id: &str) -> Result<Value, Refused> {
        self.with_items(kind, |items| {
            items.iter().find(|item| item.id == id).map(Item::details).ok_or_else(|| not_seen(id))
        })
    }

    /// What a redrive of these would do. Asks no queue.
    pub(super) fn plan(&self, kind: Kind, ids: &[String]) -> Result<Value, Refused> {
        let from = self.url_or_not_found(kind)?;
        self.with_items(kind, |items| {
            let selected = selected(items, ids)?;
            let Deployment { events, max_receive_count, .. } = &self.deployment;
            let plan = Plan { kind, from, to: events.as_ref(), selected, max: self.max, max_receive_count };
            let mut document = plan.json();
            document["redrive_is_off"] = self.redrive_is_off().into();
            Ok(document)
        })
    }

    /// Redrives these.
    pub(super) async fn redrive(&self, kind: Kind, ids: &[String]) -> Result<Value, Refused> {
        let from = self.url_or_not_found(kind)?;
        if let Some(why) = self.redrive_is_off() {
            return Err(Refused::Forbidden(format!("Nothing is moved: {why}.")));
        }
        let to = self.deployment.events.as_ref().ok_or_else(|| Refused::Forbidden("no event queue".to_owned()))?;
        let selection = self.with_items(kind, |items| {
            let selected = selected(items, ids)?;
            Ok(Selection::new(selected.into_iter().map(|item| (item.id.as_str(), item.messages.as_slice()))))
        })?;
        let _busy = self.busy.lock().await;
        let reader = QueueReader::new(&self.aws, from.clone(), redrive::HIDDEN);
        let outcomes = match kind {
            Kind::Quarantine => {
                let reopener = self.reopener().await.map_err(Refused::Failed)?;
                let mover = Webhooks { reopener, assembly: Assembly::default() };
                redrive::run(&reader, mover, selection, self.max, &self.is_stopped).await
            }
            Kind::DeadLetters => {
                let client = Sqs::client(&self.aws, to, TIMEOUT);
                let mover = Letters { client, to: to.clone(), waiting: Vec::new() };
                redrive::run(&reader, mover, selection, self.max, &self.is_stopped).await
            }
        };
        if let Some(seen) = self.seen().get_mut(&kind) {
            let is_moved =
                |item: &Item| outcomes.iter().any(|outcome| outcome.result == "moved" && outcome.id == item.id);
            seen.items.retain(|item| !is_moved(item));
        }
        let count = |result: &str| outcomes.iter().filter(|outcome| outcome.result == result).count();
        Ok(json!({
            "moved": count("moved"),
            "left": outcomes.len() - count("moved"),
            "outcomes": outcomes.iter().map(redrive::Outcome::json).collect::<Vec<_>>(),
        }))
    }

    async fn openers(&self) -> Openers {
        // A secret is read again for each look: it may have been put right meanwhile.
        let known = match (self.deployment.has_app_ids, &self.deployment.config.app_id) {
            (false, _) => KnownAppIds::default(),
            (true, AppIdSetting::Environment(app_id)) => KnownAppIds::single(app_id),
            (true, setting) => KnownAppIds::load(setting, &self.aws).await.unwrap_or_default(),
        };
        Openers { reopener: self.reopener().await, known }
    }

    async fn reopener(&self) -> Result<Arc<Reopener>, String> {
        if !self.deployment.has_app_ids {
            return Err("No AppID is configured, so webhooks are listed but not decrypted.".to_owned());
        }
        let reopener = async || Reopener::new(self.deployment.config.clone(), &self.aws).await.map(Arc::new);
        let reopener = self.reopener.get_or_try_init(reopener).await;
        reopener.map(Arc::clone).map_err(|error| format!("The AppIDs cannot be read: {error}."))
    }

    fn url_or_not_found(&self, kind: Kind) -> Result<&QueueUrl, Refused> {
        self.url(kind).ok_or_else(|| Refused::NotFound(format!("No queue is configured for {}.", kind.key())))
    }

    fn with_items<T>(&self, kind: Kind, work: impl FnOnce(&[Item]) -> Result<T, Refused>) -> Result<T, Refused> {
        self.url_or_not_found(kind)?;
        match self.seen().get(&kind) {
            Some(seen) => work(&seen.items),
            None => Err(Refused::NotFound(not_looked(kind))),
        }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<Kind, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_looked(kind: Kind) -> String {
    format!("Nobody has looked yet: POST to {}/look first.", kind.key())
}

fn not_seen(id: &str) -> Refused {
    Refused::NotFound(format!("The last look saw no message {id}."))
}

fn selected<'i>(items: &'i [Item], ids: &[String]) -> Result<Vec<&'i Item>, Refused> {
    if ids.is_empty() {
        return Err(Refused::Invalid("Nothing is selected: name messages in \"ids\".".to_owned()));
    }
    let mut selected: Vec<&Item> = Vec::new();
    for id in ids {
        let item = items.iter().find(|item| item.id == *id).ok_or_else(|| not_seen(id))?;
        if !selected.iter().any(|known| known.id == item.id) {
            selected.push(item);
        }
    }
    Ok(selected)
}
