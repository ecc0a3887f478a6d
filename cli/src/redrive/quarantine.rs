//! Reads the quarantine queue.

use anyhow::anyhow;
use aws_sdk_sqs::{
    Client,
    types::{ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry},
};
use voicehook_lambda::{aws::described, queue::QueueUrl};

use super::parts::{Assembly, Received};

/// The most messages in one request.
const BATCH: usize = 10;

/// The queue, and for how long it hides from others what is being looked at.
pub(super) struct QuarantineQueue {
    client: Client,
    url: QueueUrl,
    visibility_timeout: i32,
}

impl QuarantineQueue {
    pub(super) const fn new(client: Client, url: QueueUrl, visibility_timeout: i32) -> Self {
        Self { client, url, visibility_timeout }
    }

    /// The next messages.
    pub(super) async fn receive(&self) -> anyhow::Result<Vec<Received>> {
        let receive = self.client.receive_message().queue_url(self.url.as_str()).max_number_of_messages(10);
        let received = receive.visibility_timeout(self.visibility_timeout).wait_time_seconds(1).send().await;
        let received = received.map_err(|error| anyhow!("--from: {}", described(&error)))?;
        let messages = received.messages.unwrap_or_default().into_iter().filter_map(|message| {
            let (message_id, receipt) = (message.message_id?, message.receipt_handle?);
            Some(Received { message_id, receipt, body: message.body.unwrap_or_default() })
        });
        Ok(messages.collect())
    }

    /// Deletes messages: those of one webhook in as few requests as can be, so that hardly ever some of its parts are
    /// left alone.
    pub(super) async fn delete(&self, message_ids: &[String], assembly: &mut Assembly) -> anyhow::Result<()> {
        for batch in message_ids.chunks(BATCH) {
            let entries = batch.iter().enumerate().filter_map(|(index, id)| {
                let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
                entry.receipt_handle(assembly.receipt(id)?).build().ok()
            });
            let delete = self.client.delete_message_batch().queue_url(self.url.as_str());
            let deleted = delete.set_entries(Some(entries.collect())).send().await;
            let deleted = deleted.map_err(|error| anyhow!("--from: {}", described(&error)))?;
            if let Some(failed) = deleted.failed.first() {
                return Err(anyhow!("--from: a message that was sent on cannot be deleted: {}", failed.code));
            }
        }
        assembly.deleted(message_ids);
        Ok(())
    }

    /// Makes what is left visible again, so that the next run does not have to wait for it.
    pub(super) async fn give_back(&self, assembly: &Assembly) {
        let receipts: Vec<&str> = assembly.left().collect();
        for batch in receipts.chunks(BATCH) {
            let entries = batch.iter().enumerate().filter_map(|(index, receipt)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(index.to_string());
                entry.visibility_timeout(0).receipt_handle(*receipt).build().ok()
            });
            let request = self.client.change_message_visibility_batch().queue_url(self.url.as_str());
            // Where this fails they become visible by themselves.
            let _ = request.set_entries(Some(entries.collect())).send().await;
        }
    }
}
