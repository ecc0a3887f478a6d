//! The further attempts, at the models' SQS.

use std::{sync::Arc, time::Duration};

use crate::{
    aws::{Aws, Client},
    queue::{Message, QueueError, QueueUrl, Sent},
    services,
};

#[derive(Debug)]
pub(super) struct SdkQueue(Arc<services::Sqs>);

impl SdkQueue {
    pub(super) fn new(aws: &Aws, _: QueueUrl) -> Self {
        Self(Arc::clone(&aws.0))
    }

    pub(super) async fn send(&self, message: &Message) -> Result<Sent, QueueError> {
        self.0.send(message).await
    }

    pub(super) async fn send_batch(&self, messages: &[&Message]) -> Result<Vec<Option<Sent>>, QueueError> {
        self.0.send_batch(messages).await
    }

    pub(super) async fn contact(&self) -> Result<(), QueueError> {
        Ok(())
    }
}

pub(super) fn retrying_client(_: &Aws, _: &QueueUrl, _: Duration) -> Client {
    Client
}
