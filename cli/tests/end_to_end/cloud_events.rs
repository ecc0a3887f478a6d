//! `EVENT_FORMAT=cloudevents`: what the function, a redrive and the local receiver send, read by the CloudEvents SDK.

use std::process::Command;

use serde_json::Value;
use voicehook_lambda::{
    decrypt::{Algorithm, Encoding, Format},
    sender,
};

use crate::{
    aws_emulator::{AwsEmulator, Received},
    lambda_emulator::LambdaEmulator,
    process::run,
    tools::Tools,
};

const EVENT: &str =
    r#"{"voice_id":"call-1", "state":"connected", "timestamp":"2026-11-23T10:52:06Z", "n":1.50, "text":"नमस्ते"}"#;
const QUARANTINED: &str = r#"{"voice_id":"call-2","playstate":"digitcollected","digit":"1"}"#;

fn body(event: &str, app_id: &str) -> String {
    let algorithm = Algorithm::named("aes-256-cbc").unwrap();
    format!(r#"{{"encrypted_data":"{}"}}"#, sender::encrypt(event, app_id, algorithm, Format::Hex, Encoding::Utf8))
}

/// Everything on a queue, as the SDK reads it.
async fn read(tools: &Tools, aws: &AwsEmulator, queue_url: &str, expected: usize) -> Vec<(Received, Value)> {
    let messages = aws.receive_all(queue_url, expected).await;
    let mut reader = tools.command("python");
    reader.arg("cli/tests/end_to_end/read_cloud_events.py");
    for message in &messages {
        assert_eq!(message.attributes["content_type"], "application/cloudevents+json");
        reader.args([&message.attributes["content_type"], &message.body]);
    }
    let events: Vec<Value> = serde_json::from_str(&run(&mut reader)).unwrap();
    assert_eq!(events.len(), expected);
    messages.into_iter().zip(events).collect()
}

#[tokio::test]
async fn the_function_and_a_redrive_send_what_the_cloud_events_sdk_reads() {
    let Some(tools) = Tools::install() else { return };
    let aws = AwsEmulator::start(&tools);
    let queue = aws.create_fifo_queue("events.fifo").await;
    let quarantine = aws.create_standard_queue("quarantine").await;
    aws.create_secret("enablex", r#"{"apps":{"sales":"right"}}"#).await;
    let variables = [
        ("QUEUE_URL", queue.as_str()),
        ("QUARANTINE_QUEUE_URL", &quarantine),
        ("ENABLEX_APP_ID_SECRET", "enablex"),
        ("EVENT_FORMAT", "cloudevents"),
    ];
    let function = LambdaEmulator::start(&tools, &aws, &variables);
    assert_eq!(function.invoke("/webhook/sales", &body(EVENT, "right"))["statusCode"], 200);
    assert_eq!(function.invoke("/webhook/sales", &body(QUARANTINED, "new"))["statusCode"], 200);

    aws.put_secret("enablex", r#"{"apps":{"sales":"new"}}"#).await;
    let mut redrive = Command::new(env!("CARGO_BIN_EXE_voicehook"));
    redrive.args(["redrive", "--from", &quarantine, "--to", &queue, "--event-format", "cloudevents"]);
    redrive.env_remove("ENABLEX_APP_ID").env("ENABLEX_APP_ID_SECRET", "enablex");
    run(aws.client_environment(&mut redrive));

    let received = read(&tools, &aws, &queue, 2).await;
    for (event, kind, call) in [(EVENT, "call.connected", "call-1"), (QUARANTINED, "play.digitcollected", "call-2")] {
        let of_call = |(message, _): &&(Received, Value)| message.attributes["voice_id"] == call;
        let (message, read) = received.iter().find(of_call).unwrap();
        assert!(message.body.ends_with(&format!(",\"data\":{event}}}")), "{}", message.body);
        assert_eq!(read["data"], serde_json::from_str::<Value>(event).unwrap());
        assert_eq!(read["id"], message.attributes["event_id"]);
        assert_eq!((&read["source"], &read["subject"]), (&"/voicehook/sales".into(), &call.into()));
        assert_eq!(read["type"], format!("io.enablex.voice.{kind}"));
    }
}

#[tokio::test]
async fn the_local_receiver_sends_its_sample_call_as_cloud_events() {
    let Some(tools) = Tools::install() else { return };
    let aws = AwsEmulator::start(&tools);
    let queue = aws.create_fifo_queue("events.fifo").await;
    let mut dev = Command::new(env!("CARGO_BIN_EXE_voicehook"));
    dev.args(["dev", "--once", "--listen", "127.0.0.1:0", "--queue-url", &queue, "--event-format", "cloudevents"]);
    run(aws.client_environment(&mut dev));
    for (message, event) in read(&tools, &aws, &queue, 9).await {
        assert_eq!(event["type"], format!("io.enablex.voice.{}", message.attributes["event_type"]));
        assert_eq!(event["data"]["voice_id"], message.attributes["voice_id"].as_str());
    }
}
