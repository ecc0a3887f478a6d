//! The command-line tool and the function's start, as a person or Lambda would run them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/tool.rs"]
mod tool;

use std::{net::TcpListener, process::Command};

use tool::{Dev, clean, printed, voicehook};

#[test]
fn dev_once_plays_a_call_of_different_events_and_ends_with_0() {
    let output = voicehook().args(["dev", "--once", "--listen", "127.0.0.1:0"]).output().unwrap();
    let text = printed(&output);
    assert!(output.status.success(), "{text}");
    let events: Vec<&str> = text.lines().filter(|line| line.starts_with("queued")).collect();
    assert_eq!(events.len(), 9, "{text}");
    let types: std::collections::HashSet<&str> =
        events.iter().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(types.len(), 9, "{text}");
    assert!(events[0].contains("call.incomingcall") && events[8].contains("call.disconnected"), "{text}");
    assert!(text.contains("9 of 9 events reached the queue"), "{text}");
}

#[test]
fn dev_once_ends_with_1_where_events_do_not_reach_the_queue() {
    let mut command = voicehook();
    command.args(["dev", "--once", "--listen", "127.0.0.1:0", "--queue-url", "http://127.0.0.1:9/0/events.fifo"]).envs(
        [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("PUBLISH_DEADLINE_MS", "300"),
        ],
    );
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("0 of 9 events reached the queue"), "{}", printed(&output));
}

#[test]
fn the_curl_line_that_dev_prints_and_trigger_both_reach_the_queue() {
    let dev = Dev::start();
    let curl = dev.lines.iter().find(|line| line.trim_start().starts_with("curl ")).unwrap();
    if Command::new("curl").arg("--version").output().is_ok() {
        let output = Command::new("sh").args(["-c", curl.trim()]).output().unwrap();
        assert!(printed(&output).starts_with("HTTP/1.1 200 OK"), "{}", printed(&output));
    }
    assert!(dev.lines.iter().any(|line| line.trim() == format!("voicehook trigger disconnected --url {}", dev.url)));
    for event in ["disconnected", "play.digitcollected"] {
        let output = voicehook().args(["trigger", event, "--url", &dev.url, "--format", "base64"]).output().unwrap();
        assert!(output.status.success() && printed(&output).contains("answered  200"), "{}", printed(&output));
    }
    let output = voicehook().args(["trigger", "hold", "--url", &dev.url, "--app-id", "another"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("answered  400"), "{}", printed(&output));
}

#[test]
fn a_port_that_is_taken_is_named_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = voicehook().args(["dev", "--listen", &address]).output().unwrap();
    let text = printed(&output);
    assert!(!output.status.success() && text.contains(&address) && text.contains("--listen"), "{text}");
}

#[test]
fn trigger_names_the_events_that_there_are_and_says_when_nobody_listens() {
    let list = printed(&voicehook().args(["trigger", "--list"]).output().unwrap());
    let unknown = voicehook().args(["trigger", "conected"]).output().unwrap();
    assert!(!unknown.status.success());
    for event in list.lines().map(|line| line.split_whitespace().next().unwrap()) {
        assert!(printed(&unknown).contains(event), "{event}");
    }
    let nobody = voicehook().args(["trigger", "connected", "--url", "http://127.0.0.1:9/webhook"]).output().unwrap();
    assert!(!nobody.status.success() && printed(&nobody).contains("Is the receiver running"), "{}", printed(&nobody));
}

#[test]
fn the_function_does_not_start_with_a_wrong_configuration_and_names_every_mistake_in_one_line() {
    let mut function = clean(Command::new(env!("CARGO_BIN_EXE_lambda")));
    for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        function.env_remove(name);
    }
    let output = function.env("QUEUE_URL", "events").env("WEBHOOK_TOKEN", "too-short").output().unwrap();
    assert!(!output.status.success());
    let text = printed(&output);
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["level"], "ERROR");
    for variable in ["ENABLEX_APP_ID", "QUEUE_URL", "WEBHOOK_TOKEN", "AWS_REGION", "AWS_ACCESS_KEY_ID"] {
        assert!(line["error"].as_str().unwrap().contains(variable), "{variable}: {text}");
    }
    assert!(!text.contains("too-short"), "{text}");
}
