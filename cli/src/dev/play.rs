//! Stands in for EnableX: sends encrypted events and whole calls to the local receiver over HTTP.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::anyhow;
use jiff::Timestamp;

use crate::{
    console,
    samples::{self, Call, INBOUND_CALL},
    scenarios::{Moment, RECIPIENTS, Scenario},
    send::{Answer, DEV_APP_ID, EncryptionArgs, WebhookRequest},
};

/// Sends to one receiver.
#[derive(Clone, Debug)]
pub(crate) struct Player {
    /// The URL to send webhooks to.
    pub(crate) url: String,
    app_id: String,
}

impl Player {
    pub(crate) const fn new(url: String, app_id: String) -> Self {
        Self { url, app_id }
    }

    /// Sends the events of a call one by one, and returns how many did not reach the queue. `queued` counts the messages
    /// that the queue has accepted.
    pub(crate) async fn inbound_call(&self, queued: &AtomicUsize) -> anyhow::Result<usize> {
        let call = Call::random();
        let mut missing = 0;
        for name in INBOUND_CALL {
            let event = samples::event(name, &call).ok_or_else(|| anyhow!("no sample {name}"))?;
            let before = queued.load(Ordering::Relaxed);
            let Answer { status, body, .. } = self.send(event).await?;
            if status != 200 {
                missing += 1;
                console::error(format_args!("{name} is missing: the receiver answered {status} {body}"));
            } else if queued.load(Ordering::Relaxed) == before {
                missing += 1;
                console::error(format_args!("{name} is missing: it is in quarantine"));
            }
        }
        let arrived = INBOUND_CALL.len() - missing;
        console::line(format_args!("{arrived} of {} events reached the queue.", INBOUND_CALL.len()));
        Ok(missing)
    }

    /// Sends a sample event, of the given call or of a new one.
    pub(crate) async fn sample(&self, name: &str, voice_id: Option<String>) -> anyhow::Result<Answer> {
        let call = voice_id.map_or_else(Call::random, Call::new);
        let event = samples::event(name, &call).ok_or_else(|| anyhow!("no sample event {name:?}"))?;
        self.send(event).await
    }

    /// Sends the events of a whole call, without delays or in real time.
    pub(crate) async fn scenario(&self, scenario: &Scenario, fast: bool) -> anyhow::Result<()> {
        for Moment { delay, events } in scenario.moments(Timestamp::now(), RECIPIENTS) {
            if !fast {
                tokio::time::sleep(delay).await;
            }
            let sent: Vec<_> = events.into_iter().map(|event| tokio::spawn(self.clone().send_owned(event))).collect();
            for answer in sent {
                answer.await??;
            }
        }
        Ok(())
    }

    async fn send(&self, event: String) -> anyhow::Result<Answer> {
        self.clone().send_owned(event).await
    }

    async fn send_owned(self, event: String) -> anyhow::Result<Answer> {
        let post = move || WebhookRequest::new(&event, &self.app_id, &EncryptionArgs::default())?.post(&self.url);
        tokio::task::spawn_blocking(post).await?
    }

    /// The request of a webhook with this event.
    pub(crate) fn encrypt(&self, event: &str, encryption: &EncryptionArgs) -> anyhow::Result<WebhookRequest> {
        WebhookRequest::new(event, &self.app_id, encryption)
    }

    /// The command that sends another event.
    pub(crate) fn trigger_line(&self) -> String {
        let app_id = if self.app_id == DEV_APP_ID { "" } else { " --app-id \"$ENABLEX_APP_ID\"" };
        format!("{} trigger disconnected --url {}{app_id}", console::program(), self.url)
    }

    /// The same without voicehook.
    pub(crate) fn curl_line(&self) -> anyhow::Result<String> {
        let event = samples::event("call.ringing", &Call::random()).unwrap_or_default();
        Ok(WebhookRequest::new(&event, &self.app_id, &EncryptionArgs::default())?.as_curl(&self.url))
    }
}
