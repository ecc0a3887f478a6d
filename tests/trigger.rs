//! `voicehook trigger`, as a person runs it, against the local receiver.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/tool.rs"]
mod tool;

use std::{
    collections::BTreeMap,
    io::Write as _,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tool::{Dev, on_a_terminal, printed, voicehook};

fn trigger(arguments: &[&str]) -> Command {
    let mut command = voicehook();
    command.arg("trigger").args(arguments);
    command
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", printed(output)))
}

fn json_lines(output: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The event of an answer in JSON.
fn event(answer: &Value) -> Value {
    serde_json::from_str(answer["event"].as_str().unwrap()).unwrap()
}

#[test]
fn every_kind_of_event_reaches_the_queue_under_its_full_name_and_under_its_last_part() {
    let dev = Dev::start();
    let list = printed(&trigger(&["--list"]).output().unwrap());
    assert!(list.lines().count() >= 20, "{list}");
    for line in list.lines() {
        let (name, meaning) = line.split_once(' ').unwrap();
        assert!(!meaning.trim().is_empty(), "{line}");
        let (kind, state) = name.split_once('.').unwrap();
        let answer = json(&trigger(&[name, "--url", &dev.url, "--json"]).output().unwrap());
        assert_eq!(answer["status"], 200, "{name}: {answer}");
        let event = event(&answer);
        if name != "play.speech" {
            assert_eq!(event[if kind == "play" { "playstate" } else { "state" }], state);
        }
        assert!(event["voice_id"].is_string() || event["broadcast_id"].is_string(), "{event}");
        assert!(trigger(&[state, "--url", &dev.url]).output().unwrap().status.success(), "{state}");
    }
}

#[test]
fn fields_are_set_by_their_path_and_a_value_that_is_no_json_is_text() {
    let dev = Dev::start();
    let sets = ["--set", "digit=\"7\"", "--set", "a.b=plain text", "--set", "n=1.50", "--set", "empty="];
    let output = trigger(&["digitcollected", "--voice-id", "it's", "--url", &dev.url, "--json"]).args(sets).output();
    let answer = json(&output.unwrap());
    let event = event(&answer);
    assert_eq!((&event["voice_id"], &event["digit"]), (&"it's".into(), &"7".into()));
    assert_eq!((&event["a"]["b"], &event["empty"]), (&"plain text".into(), &"".into()));
    assert!(answer["event"].as_str().unwrap().contains("\"n\":1.50"), "{answer}");
    let output = trigger(&["connected", "--set", "state.x=1", "--url", &dev.url]).output().unwrap();
    assert!(!output.status.success() && printed(&output).contains("--set state.x"), "{}", printed(&output));
}

#[test]
fn an_event_from_standard_input_is_sent_byte_for_byte() {
    let dev = Dev::start();
    let given = "{\"z\": 1.50,  \"state\":\"new\", \"n\": 12345678901234567890}";
    let send = |text: &str| {
        let mut child = trigger(&["--file", "-", "--url", &dev.url, "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let answer = json(&send(&format!("{given}\n")));
    assert_eq!((&answer["status"], &answer["event"]), (&200.into(), &given.into()));
    let refused = send("[1, 2]");
    assert!(!refused.status.success() && printed(&refused).contains("JSON object"), "{}", printed(&refused));
}

#[test]
fn each_corruption_gets_the_answer_that_help_promises() {
    let dev = Dev::start_with(voicehook().env("MAX_EVENT_AGE_SECONDS", "3600"));
    let help = printed(&trigger(&["--help"]).output().unwrap());
    let mut statuses = BTreeMap::new();
    for line in help.lines().filter_map(|line| line.trim().strip_prefix("- ")) {
        let (name, about) = line.split_once(':').unwrap();
        let Some((_, promised)) = about.rsplit_once(": ") else { continue };
        let output = trigger(&["connected", "--corrupt", name, "--url", &dev.url, "--json"]).output().unwrap();
        assert!(output.status.success(), "{name}: {}", printed(&output));
        let status = json(&output)["status"].as_u64().unwrap();
        // Without a quarantine and without plain text: the first one that is named.
        assert!(promised.trim().starts_with(&status.to_string()), "{name}: {status} instead of {promised}");
        *statuses.entry(status).or_insert(0) += 1;
    }
    let expected = BTreeMap::from([(200, 1), (400, 19), (404, 1), (405, 1), (413, 2), (415, 1)]);
    assert_eq!(statuses, expected);
    let unexpected = Dev::start_with(voicehook().env("ALLOW_PLAINTEXT", "true"));
    let plain = trigger(&["connected", "--corrupt", "plain", "--url", &unexpected.url]).output().unwrap();
    assert!(plain.status.success() && printed(&plain).contains("answered  200"), "{}", printed(&plain));
}

#[test]
fn every_way_of_writing_is_opened_by_the_receiver_and_an_unknown_one_is_refused_with_the_list() {
    let dev = Dev::start();
    for (algorithm, format, encoding, spelling) in [
        ("AES-128-CTR", "base64", "utf16le", "algorithm"),
        ("aes192", "latin1", "latin1", "algoritm"),
        ("aes-256-ecb", "base64url", "ascii", "algorithm"),
    ] {
        let writing = ["--algorithm", algorithm, "--format", format, "--encoding", encoding];
        let output = trigger(&["hold", "--url", &dev.url, "--header-spelling", spelling]).args(writing).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{algorithm}: {}", printed(&output));
    }
    let refused = trigger(&["hold", "--url", &dev.url, "--algorithm", "rot13"]).output().unwrap();
    assert!(!refused.status.success() && printed(&refused).contains("aes-256-cbc"), "{}", printed(&refused));
}

#[test]
fn the_curl_line_sends_the_webhook_and_shows_no_token() {
    let token = "0123456789abcdef";
    let dev = Dev::start_with(voicehook().env("WEBHOOK_TOKEN", token));
    let url = dev.url.strip_suffix(&format!("/default/{token}")).unwrap();
    let curl = |format: &str| {
        let output = trigger(&["connected", "--url", url, "--voice-id", "it's", "--format", format, "--curl"]);
        printed(&{ output }.env("WEBHOOK_TOKEN", token).output().unwrap())
    };
    for format in ["hex", "latin1"] {
        let line = curl(format);
        assert!(line.starts_with("curl ") && line.lines().count() == 1 && !line.contains(token), "{line}");
        if Command::new("curl").arg("--version").output().is_ok() {
            let output = Command::new("sh").args(["-c", &line]).env("WEBHOOK_TOKEN", token).output().unwrap();
            assert!(printed(&output).starts_with("HTTP/1.1 200 OK"), "{}", printed(&output));
        }
    }
    let output = trigger(&["connected", "--url", url, "--token", token]).output().unwrap();
    assert!(output.status.success() && !printed(&output).contains(token), "{}", printed(&output));
    let without = trigger(&["connected", "--url", url]).output().unwrap();
    assert!(printed(&without).contains("answered  404"), "{}", printed(&without));
}

#[test]
fn two_sources_of_the_app_id_are_a_mistake_and_an_option_decides() {
    let dev = Dev::start();
    let both = [("ENABLEX_APP_ID", "one"), ("ENABLEX_APP_ID_SECRET", "two")];
    let output = trigger(&["connected", "--url", &dev.url]).envs(both).output().unwrap();
    assert!(!output.status.success() && printed(&output).contains("both set"), "{}", printed(&output));
    let decided = trigger(&["connected", "--url", &dev.url, "--app-id", "voicehook-dev"]).envs(both).output().unwrap();
    assert!(decided.status.success(), "{}", printed(&decided));
    let wrong = trigger(&["connected", "--url", &dev.url]).env("ENABLEX_APP_ID", "secret-app-id").output().unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(!printed(&wrong).contains("secret-app-id"), "{}", printed(&wrong));
}

#[test]
fn every_scenario_is_played_to_its_end() {
    let dev = Dev::start();
    let list = printed(&voicehook().args(["trigger", "scenario", "--list"]).output().unwrap());
    assert!(list.lines().count() >= 6, "{list}");
    for name in list.lines().map(|line| line.split_whitespace().next().unwrap()) {
        let play = ["trigger", "scenario", name, "--fast", "--json", "--recipients", "60", "--url", &dev.url];
        let output = voicehook().args(play).output().unwrap();
        let events = json_lines(&output);
        assert!(output.status.success() && events.len() >= 3, "{name}: {}", printed(&output));
        assert!(events.iter().all(|event| event["status"] == 200), "{name}: {events:?}");
        if name == "broadcast" {
            let last = event(events.last().unwrap());
            assert_eq!(last["broadcast_call_info"].as_array().unwrap().len(), 60);
        }
    }
}

#[test]
fn a_scenario_that_is_refused_ends_with_1_and_one_that_nobody_hears_says_so() {
    let dev = Dev::start();
    let play = |url: &str| {
        let scenario = ["trigger", "scenario", "recording-race", "--fast", "--app-id", "another", "--url", url];
        voicehook().args(scenario).output().unwrap()
    };
    let refused = play(&dev.url);
    assert_eq!(refused.status.code(), Some(1));
    assert!(printed(&refused).contains("0 of 4 events were taken"), "{}", printed(&refused));
    let nobody = play("http://127.0.0.1:9/webhook");
    assert!(!nobody.status.success() && printed(&nobody).contains("Is the receiver running"), "{}", printed(&nobody));
}

#[test]
fn a_load_is_summed_up_with_a_histogram_percentiles_and_statuses() {
    let dev = Dev::start();
    let load = ["connected", "--count", "200", "--concurrency", "4", "--url", &dev.url];
    let output = trigger(&load).output().unwrap();
    let text = printed(&output);
    assert!(output.status.success(), "{text}");
    for part in ["200 webhooks sent", "4 at a time", "answered 200", "p50", "p99.9", "█"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('\r') && !text.contains('\u{1b}'), "a progress bar in a pipe: {text:?}");
    let summary = json(&trigger(&load).args(["--rate", "2000", "--json"]).output().unwrap());
    assert_eq!((&summary["sent"], &summary["statuses"]["200"]), (&200.into(), &200.into()));
    let micros = &summary["latency_micros"];
    assert!(micros["p50"].as_u64() > Some(10) && micros["p50"].as_u64() <= micros["max"].as_u64(), "{summary}");
}

#[test]
fn a_load_with_wrong_answers_ends_with_1_and_one_that_expects_them_with_0() {
    let dev = Dev::start();
    let load = ["connected", "--count", "20", "--url", &dev.url];
    let wrong = trigger(&load).args(["--app-id", "another"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(printed(&wrong).contains("20  not as expected"), "{}", printed(&wrong));
    assert!(trigger(&load).args(["--corrupt", "tampered"]).output().unwrap().status.success());
    let nobody = trigger(&["connected", "--count", "20", "--url", "http://127.0.0.1:9/webhook"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    assert!(printed(&nobody).contains("20  without an answer"), "{}", printed(&nobody));
}

#[test]
fn on_a_terminal_a_load_shows_its_progress() {
    let dev = Dev::start();
    let mut load = trigger(&["connected", "--count", "100", "--rate", "400", "--url", &dev.url]);
    let Some(mut terminal) = on_a_terminal(&load) else { return };
    let output = terminal.output().unwrap();
    let text = printed(&output);
    assert!(output.status.success() && text.contains("of 100 sent"), "{text:?}");
    assert!(text.contains("100 webhooks sent"), "{text:?}");
    let plain = printed(&on_a_terminal(load.env("NO_COLOR", "1")).unwrap().output().unwrap());
    assert!(plain.contains("of 100 sent") && !plain.contains("\u{1b}[3"), "coloured: {plain:?}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_load_says_how_far_it_came() {
    let dev = Dev::start();
    let mut load = trigger(&["connected", "--count", "1000000", "--rate", "100", "--url", &dev.url]);
    let child = load.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    dev.wait_for_lines(20);
    let interrupt = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &interrupt]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("of 1000000, then interrupted") && text.contains("p50"), "{text}");
}
