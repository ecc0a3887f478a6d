//! A subscriber of voicehook as a Lambda function: each voice event of an SQS queue, once, and in order on a FIFO queue.
//!
//! It returns which messages of a batch failed, and SQS delivers those again. Put your own work into [`handle`].

mod once;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_dynamodb::config::BehaviorVersion;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use lambda_runtime::{LambdaEvent, service_fn};
use once::{Claim, Once, TableError};
use serde_json::json;
use thiserror::Error;
use voicehook_event::{CallState, PlayState, VoiceEvent};

/// Why an event failed. SQS delivers it again, and after `MaxReceiveCount` times moves it to the dead-letter queue.
#[derive(Debug, Error)]
enum Failure {
    #[error("the message has no body or no event_id; did voicehook send it?")]
    NotFromVoicehook,
    #[error("the body is not an event: {0}")]
    NoEvent(#[from] serde_json::Error),
    #[error("another invocation is at work on it")]
    Busy,
    #[error(transparent)]
    Table(#[from] TableError),
    #[error("a recording without its URL")]
    NoRecording,
}

/// What your application does with an event. What it returns is logged: no numbers, digits or links to recordings.
async fn handle(event: &VoiceEvent) -> Result<String, Failure> {
    Ok(match event {
        VoiceEvent::Call(call) => match &call.state {
            CallState::Disconnected => format!("over after {} s", call.call_duration.unwrap_or_default()),
            CallState::RecordingComplete => {
                let url = call.recording_url.as_deref().ok_or(Failure::NoRecording)?;
                format!("recorded at {}", url.split('/').nth(2).unwrap_or_default())
            }
            state => state.to_string(),
        },
        VoiceEvent::Play(play) if play.playstate == PlayState::DigitCollected => {
            format!("{} digits", play.digit.as_deref().unwrap_or_default().len())
        }
        other => other.event_type(),
    })
}

/// Handles the messages of a batch, one after the other. On a FIFO queue the first failure fails the rest of the batch
/// too, so that no event of a call overtakes an earlier one:
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
async fn handle_batch(once: &Once, batch: LambdaEvent<SqsEvent>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for message in batch.payload.records {
        let fifo = message.event_source_arn.as_deref().is_some_and(|arn| arn.ends_with(".fifo"));
        let behind_a_failure = fifo && !response.batch_item_failures.is_empty();
        if behind_a_failure || !handle_message(once, &message, batch.context.deadline).await {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = message.message_id.unwrap_or_default();
            response.batch_item_failures.push(failure);
        }
    }
    response
}

/// Handles a message and logs a line about it. Returns whether it is done with.
async fn handle_message(once: &Once, message: &SqsMessage, deadline: u64) -> bool {
    let event_id = message.message_attributes.get("event_id").and_then(|attribute| attribute.string_value.as_deref());
    let (result, error) = match handle_once(once, message, event_id, deadline).await {
        Ok(result) => (result, None),
        Err(error) => (None, Some(error.to_string())),
    };
    println!("{}", json!({ "event_id": event_id, "result": result, "error": error }));
    error.is_none()
}

/// Handles a message, unless that is done already: then there is no result.
async fn handle_once(
    once: &Once,
    message: &SqsMessage,
    event_id: Option<&str>,
    deadline: u64,
) -> Result<Option<String>, Failure> {
    let (Some(event_id), Some(body)) = (event_id, &message.body) else { return Err(Failure::NotFromVoicehook) };
    let event: VoiceEvent = body.parse()?;
    match once.claim(event_id, deadline).await? {
        Claim::Done => return Ok(None),
        Claim::Busy => return Err(Failure::Busy),
        Claim::Ours => {}
    }
    match handle(&event).await {
        Ok(result) => {
            once.done(event_id).await?;
            Ok(Some(result))
        }
        Err(failure) => {
            once.release(event_id).await?;
            Err(failure)
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let tls = Provider::Rustls(CryptoMode::Ring);
    let http_client = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client).load().await;
    let once = Once::new(aws_sdk_dynamodb::Client::new(&config), std::env::var("EVENTS_TABLE")?);
    let once = &once;
    let serve = |batch| async move { Ok::<_, lambda_runtime::Error>(handle_batch(once, batch).await) };
    lambda_runtime::run(service_fn(serve)).await
}
