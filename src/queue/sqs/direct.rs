//! The first attempt at each request to SQS: without the SDK around it.
//!
//! It either has the queue's answer that the messages are there, or an error that says nothing: then the SDK sends them
//! once more, and its error counts. A FIFO queue keeps a message once, since both have the same deduplication id.

use aws_smithy_runtime_api::box_error::BoxError;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::{
    confirmed, places,
    sdk::region,
    wire::{AttributesInput, BatchOutput, Output, batch_input, message_input},
};
use crate::{
    aws::{Aws, Direct, causes},
    queue::{Message, QueueError, QueueUrl, Sent},
};

/// A queue, reached without the SDK.
#[derive(Debug)]
pub(super) struct DirectQueue {
    aws: Direct,
    url: String,
}

impl DirectQueue {
    /// `None` where the SDK must do it all.
    pub(super) fn new(aws: &Aws, url: &QueueUrl) -> Option<Self> {
        let region = region(aws, url)?;
        let aws = aws.direct("sqs", region.as_ref(), &endpoint(aws, url)?)?;
        Some(Self { aws, url: url.as_str().to_owned() })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<Sent, QueueError> {
        let output: Output = self.call("AmazonSQS.SendMessage", message_input(&self.url, message)).await?;
        confirmed(Some(output.message_id)).ok_or_else(failed)
    }

    /// A place for each message, in their order: `None` where the queue did not take that one.
    pub(super) async fn send_batch(&self, messages: &[&Message]) -> Result<Vec<Option<Sent>>, QueueError> {
        let output: BatchOutput = self.call("AmazonSQS.SendMessageBatch", batch_input(&self.url, messages)).await?;
        let taken = output.successful.into_iter().map(|entry| (entry.id, entry.message_id));
        Ok(places(messages.len(), taken, output.failed.into_iter().map(|entry| entry.id)))
    }

    /// Whether the queue is there.
    pub(super) async fn queue_exists(&self) -> bool {
        let input = AttributesInput { queue_url: &self.url, attribute_names: ["QueueArn"] };
        self.call::<IgnoredAny>("AmazonSQS.GetQueueAttributes", serde_json::to_vec(&input)).await.is_ok()
    }

    /// One attempt. Why it failed is for the log's `DEBUG`: the SDK's error is the one that counts.
    async fn call<O: DeserializeOwned>(
        &self,
        target: &'static str,
        input: serde_json::Result<Vec<u8>>,
    ) -> Result<O, QueueError> {
        let attempt =
            async { Ok::<O, BoxError>(serde_json::from_slice(self.aws.call(target, input?).await?.as_ref())?) };
        attempt.await.map_err(|error| {
            let error = causes(error.as_ref());
            tracing::debug!(target: "voicehook", error, "the direct attempt failed; the SDK takes over");
            failed()
        })
    }
}

/// Of an attempt after which the SDK takes over.
fn failed() -> QueueError {
    QueueError::Unreachable("the first attempt failed".to_owned())
}

/// The one that the SDK would take, where that is plain: the configured one, or the region's if the queue's URL has it.
/// All else takes the SDK's rules, which cost a cold start a third of a millisecond.
fn endpoint(aws: &Aws, url: &QueueUrl) -> Option<String> {
    let shared = aws.shared();
    if shared.use_fips() == Some(true) || shared.use_dual_stack() == Some(true) {
        return None;
    }
    let endpoint = aws.endpoint_url("SQS").or_else(|| url.regional_endpoint())?;
    Some(format!("{}/", endpoint.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
    use aws_types::{SdkConfig, region::Region, sdk_config::Builder};

    use super::*;

    /// The endpoint here, and the SDK's.
    async fn endpoints(shared: Builder, queue_url: &str) -> (Option<String>, String) {
        let url = QueueUrl::new(queue_url).unwrap();
        let aws = Aws::new(shared.region(Region::new("eu-west-1")).build());
        let parameters = Params::builder()
            .region(url.region().unwrap_or("eu-west-1"))
            .use_fips(aws.shared().use_fips().unwrap_or_default())
            .use_dual_stack(aws.shared().use_dual_stack().unwrap_or_default())
            .set_endpoint(aws.endpoint_url("SQS"));
        let of_sdk = DefaultResolver::new().resolve_endpoint(&parameters.build().unwrap()).await.unwrap();
        (endpoint(&aws, &url), format!("{}/", of_sdk.url()))
    }

    #[tokio::test]
    async fn the_endpoint_is_the_one_that_the_sdk_would_take_or_left_to_the_sdk() {
        let (here, there) = ("https://sqs.us-east-1.amazonaws.com", "https://sqs.cn-north-1.amazonaws.com.cn");
        let plain = SdkConfig::builder;
        for (shared, host, is_direct) in [
            (plain(), here, true),
            (plain(), there, true),
            (plain(), "https://sqs.eusc-de-east-1.amazonaws.eu", true),
            (plain(), "https://sqs.us-gov-west-1.amazonaws.com", true),
            (plain().endpoint_url("http://localhost:4566"), here, true),
            (plain().use_fips(true), here, false),
            (plain().use_dual_stack(true), here, false),
            (plain(), "http://sqs.us-east-1.amazonaws.com", false),
            (plain(), "https://sqs.us-east-1.amazonaws.com.example.com", false),
            (plain(), "https://us-east-1.queue.amazonaws.com", false),
            (plain(), "https://vpce-0a-b.sqs.us-east-2.vpce.amazonaws.com", false),
            (plain(), "http://localhost:4566", false),
        ] {
            let (endpoint, of_sdk) = endpoints(shared, &format!("{host}/123456789012/events.fifo")).await;
            assert_eq!(endpoint, is_direct.then_some(of_sdk), "{host}");
        }
    }
}
