//! Records webhooks with `voicehook dev --record`, and plays them with `voicehook trigger scenario --file`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::Value;

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
