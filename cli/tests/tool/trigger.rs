//! Runs `voicehook trigger` against the local receiver.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read as _, Write as _},
    net::TcpListener,
    process::{Command, Output, Stdio},
};

use crate::tool::{Dev, on_a_terminal, printed, voicehook};
use serde_json::Value;

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
        let field = match kind {
            "play" => "playstate",
            "event" => "event",
            _ => "state",
        };
        if !["play.speech", "play.timestamped", "old.incomingcall"].contains(&name) {
            assert_eq!(event[field], state, "{name}");
        }
        let ids = ["voice_id", "voice_Id", "broadcast_id"];
        assert!(ids.iter().any(|id| event[*id].is_string()), "{event}");
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

/// The corruptions, and the expected statuses that `--help` lists for each.
fn promised() -> Vec<(String, String)> {
    let help = printed(&trigger(&["--help"]).output().unwrap());
    let (_, list) = help.split_once("Possible values:\n").unwrap();
    // Help wraps long lines.
    let list: Vec<&str> = list.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let list = list.join(" ");
    let entries = list.trim_start_matches("- ").split(" - ").map(|entry| entry.split_once(':').unwrap());
    entries.map(|(name, about)| (name.to_owned(), about.rsplit_once(": ").unwrap().1.to_owned())).collect()
}

/// Sends each corruption and counts the statuses. Each must be one that `--help` lists, with exit status 0.
fn statuses(dev: &Dev, is_right: impl Fn(&str, u64) -> bool) -> BTreeMap<u64, usize> {
    let mut statuses = BTreeMap::new();
    for (name, promised) in promised() {
        let output = trigger(&["connected", "--corrupt", &name, "--url", &dev.url, "--json"]).output().unwrap();
        assert!(output.status.success(), "{name}: {}", printed(&output));
        let answer = json(&output);
        let status = answer["status"].as_u64().unwrap();
        assert!(is_right(&promised, status), "{name}: {status} instead of {promised}");
        assert_eq!(answer["kept"], status == 200 && name != "empty", "{name}: {answer}");
        *statuses.entry(status).or_insert(0) += 1;
    }
    statuses
}

#[test]
fn each_corruption_gets_the_answer_that_help_promises() {
    let dev = Dev::start_with(voicehook().env("MAX_EVENT_AGE_SECONDS", "3600"));
    // Without a quarantine and without plaintext: the first status listed.
    let expected = BTreeMap::from([(200, 1), (400, 19), (404, 1), (405, 1), (413, 2), (415, 1)]);
    assert_eq!(statuses(&dev, |promised, status| promised.starts_with(&status.to_string())), expected);
    let unexpected = Dev::start_with(voicehook().env("ALLOW_PLAINTEXT", "true"));
    let plain = trigger(&["connected", "--corrupt", "plain", "--url", &unexpected.url]).output().unwrap();
    assert!(plain.status.success() && printed(&plain).contains("answered  200"), "{}", printed(&plain));
}

#[test]
fn with_a_quarantine_whatever_can_be_kept_is_answered_with_200_and_the_receiver_says_where_it_is() {
    let mut command = voicehook();
    command.env("MAX_EVENT_AGE_SECONDS", "3600").env("ALLOW_PLAINTEXT", "true");
    let dev = Dev::start_with_options(&mut command, &["--quarantine"]);
    let statuses = statuses(&dev, |promised, status| promised.contains(&status.to_string()));
    // A wrong path, method or size is rejected before there is a webhook to keep.
    assert_eq!(statuses.keys().collect::<Vec<_>>(), [&200, &404, &405, &413], "{statuses:?}");
    assert_eq!((statuses[&404], statuses[&405], statuses[&413]), (1, 1, 1));
    // All but those three and the probe. Plaintext is accepted as an event here.
    let lines = dev.wait_for_lines(statuses[&200] - 1);
    let of = |what: &str| lines.iter().filter(|line| line.starts_with(what)).count();
    assert!(of("queued  ") > 0 && of("queued  ") + of("quarantined  ") == lines.len(), "{lines:#?}");
    for reason in ["undecryptable", "malformed", "too_old", "too_large"] {
        assert!(lines.iter().any(|line| line.starts_with(&format!("quarantined  {reason} "))), "{reason}: {lines:#?}");
    }
}

#[test]
fn what_is_kept_is_reported_with_its_request_id_and_where_to_see_what_became_of_it() {
    let dev = Dev::start_with_options(&mut voicehook(), &["--quarantine"]);
    for arguments in [&["connected"][..], &["connected", "--corrupt", "tampered"]] {
        let output = trigger(&[arguments, &["--url", &dev.url]].concat()).output().unwrap();
        let text = printed(&output);
        let line = text.lines().find(|line| line.starts_with("kept ")).unwrap_or_else(|| panic!("{text}"));
        let id = line.split("request id ").nth(1).unwrap().split(';').next().unwrap();
        assert!(id.starts_with("local-") && line.contains("the output of `voicehook dev` says which"), "{line}");
        if arguments.len() > 1 {
            assert!(dev.wait_for_lines(1)[0].ends_with(&format!("request id {id}")), "{line}");
        } else {
            dev.wait_for_lines(1);
        }
    }
    // The answer does not reveal which of the two it is.
    let answer = |arguments: &[&str]| {
        let mut answer = json(&trigger(&[arguments, &["--json", "--url", &dev.url]].concat()).output().unwrap());
        answer["event"].take();
        assert!(answer["request_id"].take().as_str().unwrap().starts_with("local-"));
        answer
    };
    assert_eq!(answer(&["connected"]), answer(&["connected", "--corrupt", "tampered"]));
}

#[test]
fn every_way_of_writing_is_opened_by_the_receiver_and_an_unknown_one_is_refused_with_the_list() {
    let dev = Dev::start_with(voicehook().env("ALLOWED_ALGORITHMS", "aes-128-ctr,aes192,aes-256-ecb"));
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
        assert!(events.iter().all(|event| event["status"] == 200 && event["kept"] == true), "{name}: {events:?}");
        let ids: BTreeSet<&str> = events.iter().map(|event| event["request_id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), events.len(), "{name}: each has an id of its own");
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
    assert!(printed(&refused).contains("0 of 4 events were kept"), "{}", printed(&refused));
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
    for part in [
        "200 webhooks sent",
        "4 at a time",
        "answered 200",
        "200  kept, on the queue or in quarantine",
        "p50",
        "p99.9",
        "█",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('\r') && !text.contains('\u{1b}'), "a progress bar in a pipe: {text:?}");
    let summary = json(&trigger(&load).args(["--rate", "2000", "--json"]).output().unwrap());
    assert_eq!((&summary["sent"], &summary["statuses"]["200"]), (&200.into(), &200.into()));
    assert_eq!(summary["kept"], 200);
    let micros = &summary["latency_micros"];
    assert!(micros["p50"].as_u64() > Some(10) && micros["p50"].as_u64() <= micros["max"].as_u64(), "{summary}");
}

#[test]
fn a_load_with_wrong_answers_ends_with_1_and_one_that_expects_them_with_0() {
    let dev = Dev::start();
    let load = ["connected", "--count", "20", "--url", &dev.url];
    let wrong = trigger(&load).args(["--app-id", "another"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    let text = printed(&wrong);
    assert!(text.contains("20  not as expected") && !text.contains("kept"), "{text}");
    assert!(trigger(&load).args(["--corrupt", "tampered"]).output().unwrap().status.success());
    let nobody = trigger(&["connected", "--count", "20", "--url", "http://127.0.0.1:9/webhook"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    assert!(printed(&nobody).contains("20  unanswered"), "{}", printed(&nobody));
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
    assert!(
        text.contains("Interrupted after ") && text.contains(" of 1000000 webhooks") && text.contains("p50"),
        "{text}"
    );
}

/// A server that sends every request somewhere else.
fn redirecting_to(url: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = format!("http://{}/webhook", listener.local_addr().unwrap());
    let answer =
        format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {url}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut read = [0; 65_536];
            let _ = connection.read(&mut read);
            let _ = connection.write_all(answer.as_bytes());
        }
    });
    here
}

#[test]
fn a_redirect_is_not_followed_and_is_a_failure() {
    let dev = Dev::start();
    let output = trigger(&["connected", "--url", &redirecting_to(&dev.url)]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", printed(&output));
    let shown = printed(&output);
    assert!(shown.contains("answered  307") && shown.contains("not followed"), "{shown}");
}

#[test]
fn what_goes_to_this_machine_goes_through_no_proxy() {
    let dev = Dev::start();
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"] {
        let output = trigger(&["connected", "--url", &dev.url]).env(name, "http://127.0.0.1:9").output().unwrap();
        assert!(output.status.success(), "{name}: {}", printed(&output));
    }
}
