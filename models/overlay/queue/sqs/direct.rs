//! The first attempt, at the models' SQS.

use std::sync::Arc;

use crate::{
    aws::Aws,
    queue::{Message, QueueError, QueueUrl, Sent},
    services,
};

#[derive(Debug)]
pub(super) struct DirectQueue(Arc<services::Sqs>);

impl DirectQueue {
    pub(super) fn new(aws: &Aws, _: &QueueUrl) -> Option<Self> {
        Some(Self(Arc::clone(&aws.0)))
    }

    pub(super) async fn send(&self, message: &Message) -> Result<Sent, QueueError> {
        self.0.send(message).await
    }

    pub(super) async fn send_batch(&self, messages: &[&Message]) -> Result<Vec<Option<Sent>>, QueueError> {
        self.0.send_batch(messages).await
    }

    pub(super) async fn queue_exists(&self) -> bool {
        true
    }
}
