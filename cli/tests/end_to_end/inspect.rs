//! Runs `voicehook inspect --stack` on the deployed template, with webhooks in quarantine and an event among the dead letters:
//! looks at them, gives them back, and redrives what is selected.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use voicehook_lambda::{
    decrypt::{Algorithm, Encoding, Format},
    sender,
};

use crate::{
    APP_ID,
    aws_emulator::AwsEmulator,
    tool::{Inspect, voicehook},
    tools::Tools,
};

const APP_ID_OF_YESTERDAY: &str = "the-app-id-of-yesterday";

fn event(state: &str) -> String {
    format!(r#"{{"voice_id":"v1","state":"{state}","timestamp":"2026-11-23T10:52:06.007Z","from":"+12025550123"}}"#)
}

/// A deployed stack.
struct Stack {
    aws: AwsEmulator,
    outputs: BTreeMap<String, String>,
}

impl Stack {
    async fn deploy(tools: &Tools) -> Self {
        let aws = AwsEmulator::start(tools);
        aws.create_secret("enablex", &json!({"app_id": APP_ID_OF_YESTERDAY}).to_string()).await;
        let secret = aws.secret_arn("enablex").await;
        let parameters = format!("AppIdSecretArn={secret} QueueType=standard MaxReceiveCount=2");
        let outputs = tools.deploy(&aws, "to-inspect", &parameters);
        Self { aws, outputs }
    }

    /// Sends a webhook to the deployed URL.
    fn send(&self, app_id: &str, event: &str) {
        let algorithm = Algorithm::named("aes-256-cbc").unwrap();
        let data = sender::encrypt(event, app_id, algorithm, Format::Hex, Encoding::Utf8);
        let host = format!("{}.execute-api.localhost", self.outputs["api_id"]);
        let answer = self.aws.post(&host, "/webhook", &format!(r#"{{"encrypted_data":"{data}"}}"#));
        assert_eq!(answer, (200, "{}".to_owned()));
    }

    fn inspect(&self, options: &[&str]) -> Inspect {
        let mut command = voicehook();
        Inspect::start(self.aws.client_environment(&mut command), &[&["--stack", "to-inspect"], options].concat())
    }

    /// How many messages are in quarantine, among the dead letters, and on the event queue, all of them visible.
    async fn counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for (count, name) in counts.iter_mut().zip(["QuarantineQueueUrl", "DeadLetterQueueUrl", "QueueUrl"]) {
            let url = &self.outputs[name];
            assert_eq!(self.aws.messages_in_flight(url).await, 0, "{name}");
            *count = self.aws.messages_on(url).await;
        }
        counts
    }
}

/// The ids of what a look saw and a redrive would move.
fn movable(seen: &Value) -> Vec<&str> {
    let messages = seen["messages"].as_array().unwrap().iter();
    messages.filter(|item| item["stays"].is_null()).map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_a_deployment_could_not_handle_is_looked_at_explained_and_redriven_where_that_is_allowed() {
    let Some(tools) = Tools::install() else { return };
    let stack = Stack::deploy(&tools).await;
    stack.send(APP_ID_OF_YESTERDAY, &event("incomingcall"));
    stack.aws.fail_all(&stack.outputs["QueueUrl"]).await;
    stack.send(APP_ID, &event("connected"));
    stack.send(APP_ID, &event("disconnected"));
    stack.send("of somebody else", &event("hold"));
    stack.aws.put_secret("enablex", &json!({"app_id": APP_ID}).to_string()).await;
    assert_eq!(stack.counts().await, [3, 1, 0]);

    let inspect = stack.inspect(&[]);
    let (_, quarantine) = inspect.post("quarantine/look", &json!({}));
    let (_, dead) = inspect.post("dead-letters/look", &json!({}));
    assert_eq!((&quarantine["seen"], &quarantine["unseen"], &dead["seen"]), (&json!(3), &json!(0), &json!(1)));
    assert_eq!(stack.counts().await, [3, 1, 0], "a look gives everything back");
    assert_eq!((movable(&quarantine).len(), movable(&dead).len()), (2, 1), "{quarantine} {dead}");
    let foreign = quarantine["messages"].as_array().unwrap().iter().find(|item| !item["stays"].is_null()).unwrap();
    let (_, foreign) = inspect.ask(&format!("quarantine/messages/{}", foreign["id"].as_str().unwrap()));
    assert_eq!(foreign["failure"]["title"], "Wrong AppID: decryption failed");
    let (_, letter) = inspect.ask(&format!("dead-letters/messages/{}", movable(&dead)[0]));
    assert_eq!(letter["plaintext"], event("incomingcall"));
    assert!(letter["failure"]["why"].as_str().unwrap().contains("2 times (maxReceiveCount)"), "{letter}");
    for (kind, seen) in [("quarantine", &quarantine), ("dead-letters", &dead)] {
        let (status, refused) = inspect.post(&format!("{kind}/redrive"), &json!({"ids": movable(seen)}));
        assert!(status == 403 && refused["error"].as_str().unwrap().contains("--allow-redrive"), "{refused}");
    }
    assert_eq!(stack.counts().await, [3, 1, 0]);
    assert_eq!(inspect.interrupt().0, Some(0));

    let inspect = stack.inspect(&["--allow-redrive"]);
    for (kind, seen, moved) in [("quarantine", &quarantine, 2), ("dead-letters", &dead, 1)] {
        inspect.post(&format!("{kind}/look"), &json!({}));
        let (_, redriven) = inspect.post(&format!("{kind}/redrive"), &json!({"ids": movable(seen)}));
        assert_eq!((&redriven["moved"], &redriven["left"]), (&json!(moved), &json!(0)), "{redriven}");
    }
    assert_eq!(stack.counts().await, [1, 0, 3]);
    let events = stack.aws.receive_all(&stack.outputs["QueueUrl"], 3).await;
    let mut bodies: Vec<&str> = events.iter().map(|message| message.body.as_str()).collect();
    bodies.sort_unstable();
    assert_eq!(bodies, [event("connected"), event("disconnected"), event("incomingcall")]);
    let again = events.iter().find(|message| message.body == event("incomingcall")).unwrap();
    let kept = letter["message"]["attributes"].as_array().unwrap();
    assert_eq!(kept.len(), again.attributes.len());
    assert!(kept.iter().all(|pair| pair[1] == again.attributes[pair[0].as_str().unwrap()]), "{kept:?}");
    let (status, errors) = inspect.interrupt();
    assert_eq!((status, errors.as_str()), (Some(0), ""));
}
