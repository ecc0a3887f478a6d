//! Webhooks in quarantine as `inspect` shows them: each with the event, or why it does not open and what to do.

use std::{collections::HashMap, sync::Arc};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as Name};
use http::HeaderMap;
use serde_json::{Value, json};
use voicehook_lambda::{
    queue::{EventMessage, MAX_MESSAGE_BYTES, Quarantined},
    receiver::Refusal,
};

use super::look::{Look, body, id, number};
use crate::{
    explain::{self, Refused, Step, step_that_refused},
    json_text::event_in,
    known_app_ids::KnownAppIds,
    page::{as_hex, as_text},
    quarantine::{Assembly, Complete, Left, Meaning, Reopener},
};

/// What a look found: a webhook, whole or in parts, or a dead letter.
pub(super) struct Item {
    /// The id of its first message.
    pub(super) id: String,
    /// The ids of its messages.
    pub(super) messages: Vec<String>,
    pub(super) event_type: Option<String>,
    /// Why a redrive would leave it where it is.
    pub(super) stays: Option<String>,
    /// For the list.
    pub(super) summary: Value,
    /// What only the details have.
    pub(super) more: Value,
}

impl Item {
    pub(super) fn summary(&self) -> Value {
        let mut summary = self.summary.clone();
        summary["id"] = self.id.as_str().into();
        summary["event_type"] = self.event_type.as_deref().into();
        summary["stays"] = self.stays.as_deref().into();
        summary
    }

    pub(super) fn details(&self) -> Value {
        let mut details = self.summary();
        for (name, value) in self.more.as_object().into_iter().flatten() {
            details[name] = value.clone();
        }
        details["messages"] = self.messages.clone().into();
        details
    }
}

/// What webhooks are opened with.
pub(super) struct Openers {
    /// Or why there is none.
    pub(super) reopener: Result<Arc<Reopener>, String>,
    /// The same AppIDs, to find out which other one opens a webhook.
    pub(super) known: KnownAppIds,
}

/// What went wrong with a webhook, in the form of the inspector of `dev`.
struct Failure {
    step: Option<&'static str>,
    title: String,
    why: String,
    next: Vec<String>,
    /// For a redrive, in a few words.
    stays: String,
}

impl Failure {
    fn json(&self) -> Value {
        let Self { step, title, why, next, .. } = self;
        json!({ "step": step, "title": title, "why": why, "next": next })
    }
}

/// The webhooks of a look.
pub(super) async fn items(look: &Look, openers: &Openers) -> Vec<Item> {
    let messages: HashMap<&str, &Message> = look.messages.iter().map(|message| (id(message), message)).collect();
    let of =
        |ids: &[String]| -> Vec<&Message> { ids.iter().filter_map(|id| messages.get(id.as_str()).copied()).collect() };
    let mut assembly = Assembly::default();
    let mut items = Vec::new();
    for message in &look.messages {
        match assembly.add(id(message), body(message)) {
            Meaning::Nothing | Meaning::Superfluous => {}
            Meaning::Unreadable(why) => items.push(unreadable(look, message, why)),
            Meaning::Complete(webhook) => {
                let base = base(look, &of(&webhook.messages));
                items.push(complete(base, *webhook, openers).await);
            }
        }
    }
    items.extend(assembly.incomplete_webhooks().map(|(record, ids)| {
        let ids: Vec<String> = ids.into_iter().map(str::to_owned).collect();
        incomplete(base(look, &of(&ids)), record, ids)
    }));
    items
}

/// What SQS says of the messages.
fn base(look: &Look, messages: &[&Message]) -> Value {
    json!({
        "receive_count": messages.iter().filter_map(|message| number(message, &Name::ApproximateReceiveCount)).max(),
        "expires": messages.iter().filter_map(|message| look.expiry(message)).min(),
        "arrived": messages.iter().filter_map(|message| number(message, &Name::SentTimestamp)).min(),
    })
}

fn describe(summary: &mut Value, record: &Quarantined) {
    summary["arrived"] = record.received_at.as_millisecond().into();
    summary["reason"] = record.reason.as_str().into();
    summary["app"] = record.app.as_str().into();
    summary["request_id"] = record.request_id.as_str().into();
    summary["invocation_id"] = record.invocation_id.as_deref().into();
    summary["parts"] = record.parts.into();
}

fn unreadable(look: &Look, message: &Message, why: &str) -> Item {
    let stays = why.strip_prefix("left: ").unwrap_or(why).to_owned();
    let mut summary = base(look, &[message]);
    summary["failed"] = stays.as_str().into();
    let failure = Failure {
        step: None,
        title: "No webhook that this program can read".to_owned(),
        why: format!("The message is {stays}."),
        next: vec![
            "Check what else sends to the quarantine queue; a newer version of voicehook may read it.".to_owned(),
        ],
        stays: stays.clone(),
    };
    Item {
        id: id(message).to_owned(),
        messages: vec![id(message).to_owned()],
        event_type: None,
        stays: Some(stays),
        more: json!({ "failure": failure.json(), "request": { "headers": [], "body": body(message), "bytes": body(message).len() } }),
        summary,
    }
}

fn incomplete(mut summary: Value, record: &Quarantined, messages: Vec<String>) -> Item {
    describe(&mut summary, record);
    let title = "Parts are missing";
    summary["failed"] = title.into();
    let why = format!(
        "The webhook was kept in {} parts, and not all of them were seen: some are in flight or beyond the limit of this \
         look, or the quarantine never took them.",
        record.parts
    );
    let next =
        ["Look again, with a higher --max if the limit was reached.", "What stays incomplete expires with the queue."];
    Item {
        id: messages.first().cloned().unwrap_or_default(),
        messages,
        event_type: None,
        stays: Some("incomplete: parts missing".to_owned()),
        more: json!({ "failure": { "step": null, "title": title, "why": why, "next": next } }),
        summary,
    }
}

async fn complete(mut summary: Value, webhook: Complete, openers: &Openers) -> Item {
    let headers = webhook.record.header_map();
    describe(&mut summary, &webhook.record);
    summary["bytes"] = webhook.body.len().into();
    let mut more = json!({
        "request": {
            "headers": webhook.record.headers.iter().collect::<Vec<_>>(),
            "body": as_text(&webhook.body),
            "body_hex": as_hex(&webhook.body),
            "bytes": webhook.body.len(),
        },
    });
    let opened = match &openers.reopener {
        Err(why) => Err(no_app_id(why)),
        Ok(reopener) => match reopener.open(&webhook).await {
            Ok(event) => Ok(reopener.message(event, &webhook.record)),
            Err(left) => Err(explained(&left, &webhook, &headers, &openers.known)),
        },
    };
    let failure = match opened {
        Err(failure) => Some(failure),
        Ok(sendable) => {
            would_be_sent(&mut summary, &mut more, &sendable);
            (sendable.message.bytes() > MAX_MESSAGE_BYTES).then(|| {
                let refusal = Refusal::TooLarge { limit: MAX_MESSAGE_BYTES };
                explained(&Left::Refused(refusal), &webhook, &headers, &openers.known)
            })
        }
    };
    more["steps"] = steps(failure.as_ref()).into();
    if let Some(failure) = &failure {
        summary["failed"] = failure.title.as_str().into();
        more["failure"] = failure.json();
    }
    let event_type = summary["event_type"].as_str().map(str::to_owned);
    let id = webhook.messages.first().cloned().unwrap_or_default();
    Item { id, messages: webhook.messages, event_type, stays: failure.map(|failure| failure.stays), summary, more }
}

fn would_be_sent(summary: &mut Value, more: &mut Value, sendable: &EventMessage) {
    let EventMessage { message, event_id, event_type, voice_id } = sendable;
    summary["event_type"] = event_type.as_str().into();
    summary["event_id"] = event_id.as_str().into();
    summary["voice_id"] = voice_id.as_deref().into();
    summary["broadcast_id"] = message.attribute("broadcast_id").into();
    more["plaintext"] = event_in(&message.body, message.attribute("content_type")).into();
    more["message"] = json!({
        "body": message.body,
        "attributes": message.attributes,
        "group_id": message.group_id,
        "deduplication_id": message.deduplication_id,
        "bytes": message.bytes(),
    });
}

/// Each step and its result, as the inspector of `dev` has them. The last one is what a redrive would do.
fn steps(failure: Option<&Failure>) -> Vec<Value> {
    let mut state = "passed";
    let all = Step::ALL.iter().map(|(step, name)| {
        if failure.and_then(|failure| failure.step) == Some(*name) {
            state = "skipped";
            return json!([name, "failed"]);
        }
        let is_still_to_do = *step == Step::Queue;
        json!([name, if is_still_to_do { "skipped" } else { state }])
    });
    all.collect()
}

fn no_app_id(why: &str) -> Failure {
    Failure {
        step: Step::AppId.name(),
        title: "No AppID to decrypt it with".to_owned(),
        why: why.to_owned(),
        next: vec![
            "Set ENABLEX_APP_ID or ENABLEX_APP_ID_SECRET, or name the deployment with --stack, and start again."
                .to_owned(),
        ],
        stays: "no AppID".to_owned(),
    }
}

fn explained(left: &Left, webhook: &Complete, headers: &HeaderMap, known: &KnownAppIds) -> Failure {
    let app = &webhook.record.app;
    match left {
        Left::Unchecked => Failure {
            step: Step::Route.name(),
            title: "Not encrypted, and its token could not be checked".to_owned(),
            why: "When it came, the AppIDs and the token could not all be read. Without encryption, only the token tells \
                  that EnableX sent it, and the token is not kept."
                .to_owned(),
            next: vec!["If you know the call, act on it by hand. The webhook expires with the queue.".to_owned()],
            stays: "not encrypted, and its token could not be checked".to_owned(),
        },
        Left::NoSuchApp => Failure {
            step: Step::AppId.name(),
            title: "No AppID is configured for its app".to_owned(),
            why: format!("The webhook was sent to app {app}, which is not configured."),
            next: vec![
                format!("If {app} is an app of yours, add it to \"apps\" in the secret, with its AppID. Then look again."),
                "If it is not, correct the URL in the EnableX portal.".to_owned(),
            ],
            stays: "its app is not configured".to_owned(),
        },
        Left::Refused(Refusal::AppIdUnavailable(error)) => Failure {
            step: Step::AppId.name(),
            title: "A version of the secret cannot be read".to_owned(),
            why: format!("The AppIDs that could be read do not open it, and others may: {error}."),
            next: vec!["Look again once the secret can be read.".to_owned()],
            stays: "a version of the secret that may open it cannot be read".to_owned(),
        },
        Left::Refused(refusal) => {
            let (step, title) = step_that_refused(refusal);
            let remedy = explain::STORE_IT;
            let refused = Refused { headers, body: &webhook.body, app, refusal, known, remedy };
            let mut finding = refused.explain();
            // With a key made of the quotes around an AppID no webhook opens, and nothing else tells why.
            if matches!(refusal, Refusal::Undecryptable(_)) {
                let typos = known.typos.iter().filter(|typo| typo.app == *app);
                finding.next.splice(0..0, typos.map(|typo| format!("{typo}: correct it, and look again")));
            }
            let (why, next) = finding.in_sentences();
            Failure { step: step.name(), title: title.to_owned(), why, next, stays: refusal.reason().to_owned() }
        }
    }
}
