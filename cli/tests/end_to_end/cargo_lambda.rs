//! cargo-lambda, as docs/deploy.md describes it: `watch` with `invoke` of every event of `events/`, and `deploy` over the
//! code of a stack's function.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::{
    APP_ID,
    aws_emulator::AwsEmulator,
    encrypted_by_node,
    process::{Process, free_port, run},
    tools::{Tools, architecture},
};

const EVENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../events");

/// Starts `cargo lambda watch`, with cargo's own home and without waiting for changes of the source. What it would build
/// on the first invocation is built before, so that a test does not wait for a compiler.
fn watch(tools: &Tools, aws: &AwsEmulator, port: u16, queue_url: Option<&str>) -> Process {
    let mut build = tools.command(env!("CARGO"));
    run(build.args(["build", "--quiet", "--manifest-path", "Cargo.toml", "--bin", "lambda"]));
    let mut watch = tools.command("cargo-lambda");
    watch.args(["lambda", "watch", "--ignore-changes", "-A", "127.0.0.1", "-P", &port.to_string()]);
    let home = std::env::var("HOME").unwrap_or_default();
    aws.client_environment(&mut watch).env("HOME", home).env("ENABLEX_APP_ID", "voicehook-dev");
    if let Some(queue_url) = queue_url {
        watch.env("QUEUE_URL", queue_url);
    }
    Process::start(watch, port)
}

fn invoke(tools: &Tools, port: u16, file: &Path) -> Command {
    let mut invoke = tools.command("cargo-lambda");
    invoke.args(["lambda", "invoke", "lambda", "-A", "127.0.0.1", "-P", &port.to_string(), "--data-file"]).arg(file);
    invoke
}

/// What the name of an event's file says that it is answered with, without a quarantine.
fn expected(name: &str) -> u64 {
    match name.split('-').next() {
        Some("queued" | "probe") => 200,
        Some("malformed" | "undecryptable") => 400,
        Some("not_found") => 404,
        Some("method_not_allowed") => 405,
        Some("unsupported_media_type") => 415,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_event_of_the_repository_can_be_invoked_under_cargo_lambda_watch() {
    let Some(tools) = Tools::without_the_function() else { return };
    let aws = AwsEmulator::start(&tools);
    let queue = aws.create_standard_queue("events").await;
    let port = free_port();
    let mut server = watch(&tools, &aws, port, Some(&queue));
    let mut queued = 0;
    for entry in fs::read_dir(EVENTS).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let answer: Value = serde_json::from_str(&run(&mut invoke(&tools, port, &path))).unwrap();
        assert_eq!(answer["statusCode"], expected(&name), "{name}: {answer}\n{}", server.printed());
        queued += usize::from(name.starts_with("queued"));
    }
    assert!(queued > 30);
    assert_eq!(aws.messages_on(&queue).await, queued);
}

#[tokio::test]
async fn a_missing_variable_is_named_at_once_under_cargo_lambda_watch() {
    let Some(tools) = Tools::without_the_function() else { return };
    let aws = AwsEmulator::start(&tools);
    let port = free_port();
    let mut server = watch(&tools, &aws, port, None);
    let file = Path::new(EVENTS).join("queued-connected.json");
    let mut waiting = Process::spawn(invoke(&tools, port, &file));
    server.wait_until("it names the variable", |printed| printed.contains("QUEUE_URL is not set; set it to the URL"));
    assert!(!waiting.printed().contains("statusCode"));
}

#[tokio::test]
async fn a_deployed_code_replaces_the_stacks_and_leaves_its_configuration() {
    let Some(tools) = Tools::install() else { return };
    let event = r#"{"voice_id":"a-call","state":"connected"}"#.to_owned();
    let Some(webhooks) = encrypted_by_node(APP_ID, std::slice::from_ref(&event)) else {
        return;
    };
    let aws = AwsEmulator::start(&tools);
    let outputs = tools.deploy(&aws, "replaced", &format!("AppId={APP_ID}"));
    let before = tools.describe(&aws, "replaced", "");
    // As `cargo lambda build` leaves it.
    let built = tools.built().parent().unwrap().join("cargo-lambda-build");
    fs::create_dir_all(built.join("lambda")).unwrap();
    fs::copy(tools.bootstrap(), built.join("lambda/bootstrap")).unwrap();
    let mut deploy = tools.command("cargo-lambda");
    deploy.args(["lambda", "deploy", "--lambda-dir"]).arg(&built).arg(&outputs["FunctionName"]);
    run(aws.client_environment(&mut deploy));

    let after = tools.describe(&aws, "replaced", "");
    for part in ["Environment", "Role", "Timeout", "MemorySize", "Architectures"] {
        assert_eq!(after["function"][part], before["function"][part], "{part} on {}", architecture());
    }
    let host = format!("{}.execute-api.localhost", outputs["api_id"]);
    assert_eq!(aws.post(&host, "/webhook", &webhooks[0].body()), (200, "{}".to_owned()));
    assert_eq!(aws.receive_all(&outputs["QueueUrl"], 1).await[0].body, event);
}
