//! Records webhooks with `voicehook dev --record` and `voicehook decrypt --record`, and plays them with
//! `voicehook trigger scenario --file`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::{Value, json};

use crate::tool::{Dev, given, printed, voicehook};

/// A folder of one test, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("record").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn recording_to(file: &Path, more: &[&str]) -> Dev {
    Dev::start_with_options(&mut voicehook(), &[&["--record", file.to_str().unwrap()], more].concat())
}

fn trigger(arguments: &[&str], dev: &Dev) -> Output {
    let output = voicehook().arg("trigger").args(arguments).args(["--url", &dev.url]).output().unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    output
}

fn play(file: &Path, more: &[&str], url: &str) -> Output {
    let file = file.to_str().unwrap();
    voicehook().args(["trigger", "scenario", "--file", file, "--url", url]).args(more).output().unwrap()
}

fn lines(file: &Path) -> Vec<Value> {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/recording.schema.json");
    let schema = jsonschema::validator_for(&serde_json::from_slice(&fs::read(schema).unwrap()).unwrap()).unwrap();
    let text = fs::read_to_string(file).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        schema.validate(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    lines
}

#[test]
fn a_recorded_call_is_played_back_event_by_event() {
    let file = folder("play").join("call.jsonl");
    let dev = recording_to(&file, &[]);
    trigger(&["scenario", "inbound-ivr", "--fast"], &dev);
    let recorded = lines(&file);
    assert_eq!(recorded[0]["at_ms"], 0);
    assert!(recorded.is_sorted_by_key(|line| line["at_ms"].as_u64()), "{recorded:?}");
    assert!(recorded.iter().all(|line| line["outcome"] == "queued" && line["status"] == 200));
    assert!(recorded[0]["body"].as_str().unwrap().contains("encrypted_data"), "{}", recorded[0]);
    assert_eq!(recorded[0]["headers"]["x-algoritm"], "aes-256-cbc");

    let another = Dev::start_with(voicehook().env("ENABLEX_APP_ID", "another"));
    let output = play(&file, &["--fast", "--json", "--app-id", "another"], &another.url);
    assert!(output.status.success(), "{}", printed(&output));
    let event = |line: &Value| serde_json::from_str::<Value>(line["event"].as_str().unwrap()).unwrap();
    let played = String::from_utf8(output.stdout).unwrap();
    let played: Vec<Value> = played.lines().map(|line| event(&serde_json::from_str(line).unwrap())).collect();
    let recorded: Vec<Value> = recorded.iter().map(|line| line["event"].clone()).collect();
    assert!(played.len() == recorded.len() && played.iter().all(|event| recorded.contains(event)), "{played:?}");
}

#[test]
fn the_pauses_of_a_recording_are_kept_unless_it_is_to_be_fast() {
    let file = folder("pauses").join("call.jsonl");
    let line = |at_ms: u64| format!("{{\"version\":1,\"at_ms\":{at_ms},\"event\":{{\"state\":\"hold\"}}}}\n");
    fs::write(&file, line(5000) + &line(5400)).unwrap();
    let dev = Dev::start();
    let seconds = |more: &[&str]| {
        let output = play(&file, &[&["--json"], more].concat(), &dev.url);
        let text = printed(&output);
        let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        last["seconds"].as_f64().unwrap()
    };
    assert!(seconds(&[]) >= 0.4);
    assert!(seconds(&["--fast"]) < 0.4);
}

#[test]
fn a_recording_holds_neither_the_sample_call_nor_the_token_and_goes_on_after_a_restart() {
    let file = folder("append").join("call.jsonl");
    let token = "0123456789abcdef";
    for _ in 0..2 {
        let mut command = voicehook();
        let options = ["--record", file.to_str().unwrap()];
        let dev = Dev::start_with_options(command.env("WEBHOOK_TOKEN", token), &options);
        trigger(&["connected"], &dev);
        for nothing in ["empty", "unknown-path", "wrong-method"] {
            trigger(&["connected", "--corrupt", nothing], &dev);
        }
        trigger(&["connected", "--corrupt", "tampered"], &dev);
    }
    let recorded = lines(&file);
    let outcomes: Vec<&str> = recorded.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["queued", "refused", "queued", "refused"]);
    assert!(recorded.iter().all(|line| line["path"] == "/webhook"));
    assert_eq!(recorded[1]["at_ms"], recorded[2]["at_ms"], "no pause between two runs");
    assert!(!fs::read_to_string(&file).unwrap().contains(token));
    let output = play(&file, &["--fast"], &Dev::start().url);
    let text = printed(&output);
    assert!(output.status.success() && text.contains("2 of 2 events were kept"), "{text}");
    assert!(text.contains("line 2 is not sent") && text.contains("line 4 is not sent"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_recording_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = folder("owner").join("call.jsonl");
    let _dev = recording_to(&file, &[]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_redacted_recording_keeps_calls_together_and_tells_nobody() {
    let file = folder("redact").join("call.jsonl");
    let dev = recording_to(&file, &["--redact"]);
    for event in ["ringing", "connected"] {
        trigger(&[event, "--voice-id", "my-call", "--set", "custom_data=my order", "--set", "text=my words"], &dev);
    }
    let text = fs::read_to_string(&file).unwrap();
    for part in ["my-call", "2025550", "my order", "encrypted_data"] {
        assert!(!text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("my words"), "{text}");
    let recorded = lines(&file);
    for field in ["voice_id", "from", "to", "custom_data"] {
        assert_eq!(recorded[0]["event"][field], recorded[1]["event"][field], "{field}");
    }
    assert!(recorded[0]["event"]["from"].as_str().unwrap().starts_with("+999"));
    assert!(play(&file, &["--fast"], &dev.url).status.success());
}

#[test]
fn a_line_that_cannot_be_read_is_named_and_nothing_is_sent() {
    let file = folder("unreadable").join("call.jsonl");
    let good = "{\"version\":1,\"at_ms\":0,\"event\":{\"state\":\"hold\"}}\n";
    fs::write(&file, format!("{good}{{\"version\":1,\n")).unwrap();
    let output = play(&file, &["--fast"], "http://127.0.0.1:9/webhook");
    let text = printed(&output);
    assert!(output.status.code() == Some(1) && text.contains("call.jsonl: line 2: "), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    let output = voicehook().args(["dev", "--listen", "127.0.0.1:0", "--record", file.to_str().unwrap()]).output();
    let output = output.unwrap();
    assert!(!output.status.success() && printed(&output).contains("line 2"), "{}", printed(&output));
}

#[test]
fn a_recording_from_standard_input_is_played_and_one_without_events_is_an_error() {
    let dev = Dev::start();
    let play = ["trigger", "scenario", "--file", "-", "--url", &dev.url];
    let event = b"{\"version\":1,\"at_ms\":7,\"event\":{\"state\":\"hold\",\"voice_id\":\"1\"}}";
    let output = given(voicehook().args(play), event);
    assert!(output.status.success() && printed(&output).contains("call.hold"), "{}", printed(&output));
    let output = given(voicehook().args(play), b"");
    assert!(!output.status.success() && printed(&output).contains("no line has an \"event\""), "{}", printed(&output));
}

#[test]
fn a_played_event_that_is_refused_ends_it_with_1() {
    let file = folder("refused").join("call.jsonl");
    fs::write(&file, "{\"version\":1,\"at_ms\":0,\"event\":{\"state\":\"hold\"}}\n").unwrap();
    let output = play(&file, &["--app-id", "another"], &Dev::start().url);
    assert_eq!(output.status.code(), Some(1), "{}", printed(&output));
}

const EVENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../events");

/// Decrypts a capture into a recording.
fn decrypted(input: &[&str], given_input: &[u8], file: &Path, more: &[&str]) -> Output {
    let mut command = voicehook();
    command.arg("decrypt").args(input).args(["--app-id", "voicehook-dev", "--record", file.to_str().unwrap()]);
    given(command.args(more), given_input)
}

/// A HAR file with the webhooks of a recording, in another order, and with another request between them.
fn har(recorded: &[Value]) -> Vec<u8> {
    let entry = |line: &Value| {
        let second = line["at_ms"].as_u64().unwrap();
        let headers = line["headers"].as_object().unwrap().iter();
        let headers: Vec<Value> = headers.map(|(name, value)| json!({"name": name, "value": value})).collect();
        json!({
            "startedDateTime": format!("2026-11-23T10:52:{second:02}.500+01:00"),
            "request": {
                "method": "POST", "url": "https://hooks.example.com/prod/webhook", "headers": headers,
                "postData": {"mimeType": "application/json", "text": line["body"]},
            },
            "response": {"status": 200},
        })
    };
    let mut entries: Vec<Value> = recorded.iter().rev().map(entry).collect();
    entries.insert(
        1,
        json!({"startedDateTime": "2026-11-23T10:00:00Z", "request": {"method": "GET", "url": "https://a.example/"}}),
    );
    json!({"log": {"entries": entries}}).to_string().into_bytes()
}

#[test]
fn a_har_file_becomes_a_recording_with_its_times_and_statuses() {
    let folder = folder("har");
    let (first, file) = (folder.join("first.jsonl"), folder.join("call.jsonl"));
    let dev = recording_to(&first, &[]);
    for event in ["ringing", "connected", "disconnected"] {
        trigger(&[event, "--set", "text=my words"], &dev);
    }
    let mut recorded = lines(&first);
    recorded.iter_mut().zip([3, 5, 20]).for_each(|(line, second)| line["at_ms"] = second.into());
    let output = decrypted(&[], &har(&recorded), &file, &[]);
    assert!(output.status.success(), "{}", printed(&output));
    assert!(printed(&output).contains("3 webhooks are recorded in"), "{}", printed(&output));
    let read = lines(&file);
    assert_eq!(read.iter().map(|line| line["at_ms"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 2000, 17000]);
    for (read, recorded) in read.iter().zip(&recorded) {
        for name in ["event", "body", "headers", "method", "path", "app", "status"] {
            assert_eq!(read[name], recorded[name], "{name}");
        }
        assert!(read["outcome"].is_null(), "nobody knows it: {read}");
    }
    let played = play(&file, &["--fast"], &dev.url);
    assert!(played.status.success() && printed(&played).contains("3 of 3 events were kept"), "{}", printed(&played));

    let redacted = folder.join("redacted.jsonl");
    let output = decrypted(&[], &har(&recorded), &redacted, &["--redact"]);
    assert!(printed(&output).contains("the text in \"text\" is recorded as it is"), "{}", printed(&output));
    let text = fs::read_to_string(&redacted).unwrap();
    let voice_id = recorded[0]["event"]["voice_id"].as_str().unwrap();
    assert!(!text.contains("2025550") && !text.contains(voice_id) && !text.contains("encrypted_data"), "{text}");
}

#[test]
fn events_of_lambda_become_one_recording_from_several_files_or_one_after_the_other() {
    let folder = folder("lambda");
    let event = |name: &str, more: i64| {
        let mut event: Value = serde_json::from_slice(&fs::read(format!("{EVENTS}/{name}")).unwrap()).unwrap();
        let time = event["requestContext"]["timeEpoch"].as_i64().unwrap() + more;
        event["requestContext"]["timeEpoch"] = time.into();
        event.to_string()
    };
    let later = event("queued-disconnected.json", 2500);
    let all = [later.clone(), event("queued-connected.json", 0), event("undecryptable-cut-ciphertext.json", 1000)];
    let [one, array, several] = ["one.jsonl", "array.jsonl", "several.jsonl"].map(|name| folder.join(name));
    let names: Vec<String> =
        (0..all.len()).map(|number| folder.join(format!("{number}.json")).display().to_string()).collect();
    names.iter().zip(&all).for_each(|(name, event)| fs::write(name, event).unwrap());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (file, input, given_input) in [
        (&one, &[][..], all.join("\n")),
        (&array, &[], format!("[{}]", all.join(","))),
        (&several, &names, String::new()),
    ] {
        let output = decrypted(input, given_input.as_bytes(), file, &[]);
        let text = printed(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("3 webhooks are recorded") && text.contains("1 of them without an event"), "{text}");
        let read = lines(file);
        let states: Vec<_> =
            read.iter().map(|line| (line["at_ms"].as_u64().unwrap(), line["event"]["state"].as_str())).collect();
        assert_eq!(states, [(0, Some("connected")), (1000, None), (2500, Some("disconnected"))]);
    }
}

#[test]
fn what_is_no_webhook_is_not_in_a_recording_and_a_file_that_is_none_is_left_alone() {
    let folder = folder("none");
    let file = folder.join("call.jsonl");
    let (probe, unknown) = (format!("{EVENTS}/probe-get.json"), format!("{EVENTS}/not_found-unknown-path.json"));
    let output = decrypted(&[&probe, &unknown, &format!("{EVENTS}/queued-hold.json")], b"", &file, &[]);
    assert!(printed(&output).contains("1 webhook is recorded"), "{}", printed(&output));
    assert_eq!(lines(&file)[0]["event"]["state"], "hold");
    let other = folder.join("notes.txt");
    fs::write(&other, "my notes\n").unwrap();
    let output = decrypted(&[&format!("{EVENTS}/queued-hold.json")], b"", &other, &[]);
    assert!(output.status.code() == Some(1) && printed(&output).contains("line 1"), "{}", printed(&output));
    assert_eq!(fs::read_to_string(&other).unwrap(), "my notes\n");
}

#[cfg(unix)]
#[test]
fn a_recording_of_a_capture_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = folder("capture-owner").join("call.jsonl");
    decrypted(&[&format!("{EVENTS}/queued-hold.json")], b"", &file, &[]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}
