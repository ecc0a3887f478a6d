//! One redrive run: decides what happens to each webhook and prints the summary.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
};

use anyhow::anyhow;
use jiff::Timestamp;
use voicehook_lambda::{
    app_id::Token,
    queue::{Quarantined, QueueError},
    receiver::Refusal,
};

use super::Redrive;
use crate::{
    console,
    printable::one_line,
    quarantine::{APP_ID_UNAVAILABLE, Assembly, Complete, Left, Meaning, Reopener, UNDECRYPTABLE},
    queue::{BATCH, QueueReader},
    recording::{Webhook, Writer},
};

/// A run that takes longer than the visibility timeout meets what it left behind again. After so many batches of
/// nothing else, it has seen everything.
const BATCHES_WITH_NOTHING_NEW: u32 = 3;
/// The most apps that the summary names: what is in quarantine may have been written by a stranger.
const MOST_APPS_NAMED: usize = 20;
/// The most webhooks that are named one by one.
const MOST_WEBHOOKS_NAMED: usize = 20;

/// Results that are as they should be. All others are left in quarantine, and named.
const SENT: &str = "sent to the queue";
const WOULD_SEND: &str = "would be sent to the queue";
const SKIPPED: &str = "skipped (different reason)";
const INCOMPLETE: &str = "incomplete: parts missing";

/// One run.
pub(super) struct Run<'r> {
    options: &'r Redrive,
    quarantine: QueueReader,
    reopener: Reopener,
    assembly: Assembly,
    /// How many webhooks have which result.
    results: BTreeMap<String, usize>,
    apps_named: BTreeSet<String>,
    /// How many of the webhooks that are left were named.
    named: usize,
    /// With `--record`: what was read.
    recorded: Vec<(Option<Timestamp>, Webhook)>,
}

impl<'r> Run<'r> {
    pub(super) fn new(options: &'r Redrive, quarantine: QueueReader, reopener: Reopener) -> Self {
        let (assembly, results, apps_named, named, recorded) = Default::default();
        Self { options, quarantine, reopener, assembly, results, apps_named, named, recorded }
    }

    /// Works through the quarantine, writes the recording and prints the table, also of a run that an error ended.
    pub(super) async fn finish(mut self, writer: Option<Writer>) -> anyhow::Result<ExitCode> {
        let worked = self.work().await;
        // Where this fails they become visible by themselves.
        let _ = self.quarantine.release().await;
        let incomplete = self.assembly.incomplete();
        if matches!(worked, Ok(true)) && incomplete > 0 {
            self.results.insert(INCOMPLETE.to_owned(), incomplete);
        }
        console::table("webhooks", &self.results);
        self.warn_about_messages_in_flight().await;
        self.warn_about_app_ids();
        let recorded = std::mem::take(&mut self.recorded);
        if let Some((path, mut writer)) = self.options.record.as_deref().zip(writer) {
            writer.write_all(path, recorded)?;
        }
        worked?;
        let is_fine = |result: &String| [SENT, WOULD_SEND, SKIPPED, INCOMPLETE].contains(&result.as_str());
        Ok(if self.results.keys().all(is_fine) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// An AppID that looks wrong is the most likely cause if webhooks cannot be decrypted.
    fn warn_about_app_ids(&self) {
        if self.results.keys().any(|result| result.starts_with(&format!("left: {UNDECRYPTABLE}"))) {
            for typo in self.reopener.typos() {
                console::line(format_args!("{typo}; fix the AppID and redrive again"));
            }
        }
    }

    /// Nothing was received, and that need not mean that nothing is there.
    async fn warn_about_messages_in_flight(&self) {
        if self.results.is_empty()
            && let Ok(Some(about)) = self.quarantine.about().await
            && about.in_flight > 0
        {
            console::note(format_args!(
                "{} messages of the quarantine are hidden, because another reader has received them. They become visible when \
                 it gives them back, or after its visibility timeout.",
                about.in_flight
            ));
        }
    }

    /// Works through the quarantine. True where that was to its end, false where `--max` ended it.
    async fn work(&mut self) -> anyhow::Result<bool> {
        let (mut nothing_new, mut taken) = (0, 0);
        while nothing_new < BATCHES_WITH_NOTHING_NEW {
            let batch = self.quarantine.receive(BATCH, 1).await.map_err(|failure| anyhow!("--from: {failure}"))?;
            if batch.new.is_empty() && batch.again == 0 {
                break;
            }
            nothing_new = if batch.new.is_empty() { nothing_new + 1 } else { 0 };
            for message in batch.new {
                let message_id = message.message_id.unwrap_or_default();
                let meaning = self.assembly.add(&message_id, &message.body.unwrap_or_default());
                let result = match meaning {
                    Meaning::Nothing => continue,
                    Meaning::Superfluous => {
                        self.delete(&[message_id]).await?;
                        continue;
                    }
                    Meaning::Unreadable(why) => why.to_owned(),
                    Meaning::Complete(webhook) => self.redrive(&webhook).await?,
                };
                taken += usize::from(result != SKIPPED);
                *self.results.entry(result).or_default() += 1;
                console::progress(format_args!("{taken} webhooks"));
                if self.options.max.is_some_and(|max| taken >= max) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    async fn delete(&mut self, message_ids: &[String]) -> anyhow::Result<()> {
        self.quarantine.delete(message_ids).await.map_err(|failure| anyhow!("--from: {failure}"))?;
        self.assembly.deleted(message_ids);
        Ok(())
    }

    /// Names a webhook that is left. Of the line, only the request id can have been chosen by the sender.
    fn name(&mut self, record: &Quarantined, why: &str) {
        self.named += 1;
        match self.named.cmp(&(MOST_WEBHOOKS_NAMED + 1)) {
            Ordering::Less => {
                let request_id = one_line(&record.request_id);
                console::note(format_args!("{why}: request id {request_id}, received {}", record.received_at));
            }
            Ordering::Equal => console::note("More are left; they are counted below."),
            Ordering::Greater => {}
        }
    }

    /// Sends a webhook's event and returns the result for the summary.
    async fn redrive(&mut self, webhook: &Complete) -> anyhow::Result<String> {
        let record = &webhook.record;
        if self.options.reason.as_ref().is_some_and(|reason| *reason != record.reason) {
            return Ok(SKIPPED.to_owned());
        }
        let opened = self.reopener.open(webhook).await;
        // The name of an app that is not configured may be a token in the wrong place of a URL.
        if self.options.record.is_some() && self.reopener.has_app(&record.app) {
            let event = opened.as_ref().ok().map(|event| event.text().to_owned());
            self.recorded.push((Some(record.received_at), recorded(webhook, event)));
        }
        let event = match opened {
            Ok(event) => event,
            Err(why) => {
                let why = self.left(why, record);
                self.name(record, &why);
                return Ok(why);
            }
        };
        if self.options.dry_run {
            return Ok(WOULD_SEND.to_owned());
        }
        match self.reopener.send(event, record).await {
            Ok(_) => {
                self.assembly.sent(webhook);
                self.delete(&webhook.messages).await?;
                Ok(SENT.to_owned())
            }
            Err(QueueError::TooLarge { limit }) => Ok(left_for(Refusal::TooLarge { limit }.reason(), record)),
            Err(error) => Err(anyhow!("--to: {error}; what was not sent is still in quarantine")),
        }
    }

    /// Why a webhook is left in quarantine, for the summary.
    fn left(&mut self, why: Left, record: &Quarantined) -> String {
        match why {
            Left::Unchecked => "left: not encrypted, and its token could not be checked".to_owned(),
            Left::NoSuchApp => self.app_not_configured(&record.app),
            Left::Refused(Refusal::AppIdUnavailable(error)) => {
                tracing::warn!(%error, request_id = record.request_id, "left: a version of the secret that may open it could not be read");
                left_for(APP_ID_UNAVAILABLE, record)
            }
            Left::Refused(refusal) => left_for(refusal.reason(), record),
        }
    }

    /// Names the app, unless it could be a token in the wrong place of a URL.
    fn app_not_configured(&mut self, app: &str) -> String {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let may_be_shown = app.len() < Token::SHORTEST && app.chars().all(is_plain);
        let is_known = self.apps_named.contains(app);
        if may_be_shown && (is_known || self.apps_named.len() < MOST_APPS_NAMED) {
            self.apps_named.insert(app.to_owned());
            return format!("left: app {app} is not configured");
        }
        "left: its app is not configured".to_owned()
    }
}

/// A webhook as it is recorded. What is kept in quarantine was answered with 200.
fn recorded(webhook: &Complete, event: Option<String>) -> Webhook {
    let Quarantined { app, headers, .. } = &webhook.record;
    Webhook {
        method: "POST".to_owned(),
        app: app.clone(),
        headers: headers.clone(),
        body: webhook.body.clone(),
        event,
        outcome: Some("quarantined".to_owned()),
        status: Some(200),
    }
}

/// A webhook that did not open: for which reason, and for which other one it came into quarantine.
fn left_for(reason: &str, record: &Quarantined) -> String {
    if reason == record.reason {
        format!("left: {reason}")
    } else {
        format!("left: {reason} (was {:?})", record.reason)
    }
}
