//! Runs `voicehook doctor` on the deployed template: it reads the stack and its function, sends a webhook through the API
//! and finds the event on the queue. Then parts of the deployment are broken, and it reports them.

use serde_json::Value;

use crate::{APP_ID, aws_emulator::AwsEmulator, tool::printed, tool::voicehook, tools::Tools};

const TOKEN: &str = "0123456789abcdef";

/// Runs it, and returns its exit status and its checks.
fn doctor(aws: &AwsEmulator, arguments: &[&str]) -> (i32, Vec<Value>) {
    let mut command = voicehook();
    let output = aws.client_environment(command.args(["doctor", "--json"]).args(arguments)).output().unwrap();
    let text = printed(&output);
    assert!(!text.contains(APP_ID) && !text.contains(TOKEN), "a secret is echoed: {text}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {text}"));
    (output.status.code().unwrap(), report["checks"].as_array().unwrap().clone())
}

fn assert_has(checks: &[Value], name: &str, status: &str, says: &str) {
    let is_it = |check: &&Value| check["name"] == name && check["status"] == status && check.to_string().contains(says);
    assert!(checks.iter().any(|check| is_it(&check)), "{name}: {status}: {says}: {checks:#?}");
}

#[tokio::test]
async fn doctor_follows_a_webhook_through_the_deployed_stack_and_names_what_was_broken_afterwards() {
    let Some(tools) = Tools::install() else { return };
    let aws = AwsEmulator::start(&tools);
    let secret = |app_id: &str| format!(r#"{{"app_id":"{app_id}","token":"{TOKEN}"}}"#);
    aws.create_secret("enablex", &secret(APP_ID)).await;
    let parameters = format!("AppIdSecretArn={}", aws.secret_arn("enablex").await);
    let outputs = tools.deploy(&aws, "to-examine", &parameters);
    let url = aws.url_of_api(&outputs["api_id"], &format!("/webhook/default/{TOKEN}"));
    let through_the_api = ["--stack", "to-examine", "--url", &url];

    let (status, checks) = doctor(&aws, &through_the_api);
    assert_eq!(status, 0, "{checks:#?}");
    for (name, says) in [
        ("stack", "to-examine is CREATE_COMPLETE"),
        ("function", "is active"),
        ("variables", "ENABLEX_APP_ID_SECRET, QUEUE_URL, QUARANTINE_QUEUE_URL, ALLOWED_ALGORITHMS"),
        ("secret", "AppIDs of default"),
        ("queue", "FIFO"),
        ("dead-letter queue", "is empty"),
        ("url", "/webhook/default/… answers"),
        ("test webhook", "answered 200"),
        ("event", "call.doctor reached the queue and was deleted"),
    ] {
        assert_has(&checks, name, "ok", says);
    }
    assert_eq!(aws.messages_left(&outputs["QueueUrl"]).await, 0, "the test webhook's event is left on the queue");

    // The stack's output is an AWS host name, which does not exist here; its token is not shown.
    let (status, checks) = doctor(&aws, &["--stack", "to-examine"]);
    assert_eq!(status, 1);
    assert_has(&checks, "url", "failed", "execute-api");
    let (status, checks) = doctor(&aws, &["--stack", "to-examin"]);
    assert_eq!((status, checks.len()), (1, 1), "{checks:#?}");
    assert_has(&checks, "stack", "failed", "AWS_REGION");

    // The function still has the old AppID. It reads the secret again for a webhook that it cannot decrypt, unless it did so
    // within the last second.
    aws.put_secret("enablex", &secret("another")).await;
    let mut runs = (0..20).map(|_| doctor(&aws, &through_the_api));
    let Some((_, checks)) = runs.find(|(status, _)| *status == 0) else {
        panic!("the new AppID never opens a webhook")
    };
    assert_has(&checks, "secret", "ok", "previous version");
    assert_has(&checks, "event", "ok", "call.doctor reached the queue");

    aws.delete_queue(&outputs["QueueUrl"]).await;
    let (status, checks) = doctor(&aws, &through_the_api);
    assert_eq!(status, 1);
    assert_has(&checks, "queue", "failed", "Fix QUEUE_URL: the queue was deleted");
    assert_has(&checks, "test webhook", "failed", "answered 503");

    aws.put_secret("enablex", r#"{"appid":"misspelt"}"#).await;
    let (status, checks) = doctor(&aws, &through_the_api);
    assert_eq!(status, 1);
    assert_has(&checks, "secret", "failed", "neither a field app_id nor a field apps");
    assert_has(&checks, "test webhook", "skipped", "Fix the secret");
}
