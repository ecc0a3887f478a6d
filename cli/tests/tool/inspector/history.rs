//! Tests of `voicehook dev --history`: what is in the file, and what comes back from it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use super::{API, Dev};

const TOKEN: (&str, &str) = ("WEBHOOK_TOKEN", "the-token-of-the-webhooks");
const PATH: &str = "/webhook/default/the-token-of-the-webhooks";

/// A file that does not exist yet.
fn file(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("history");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{name}.jsonl"));
    let _ = fs::remove_file(&file);
    file
}

fn start(file: &Path, more: &[&str], variables: &[(&str, &str)]) -> Dev {
    Dev::start_with(&[&["--history", file.to_str().unwrap()], more].concat(), variables)
}

/// Starts it where it must refuse to.
fn refused(file: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voicehook"));
    let output: Output = command.args(["dev", "--listen", "127.0.0.1:0", "--history"]).arg(file).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

/// Sends an event, encrypted with the AppID of `dev` or another one.
fn send(dev: &Dev, event: &str, app_id: &str, path: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voicehook"));
    let url = format!("http://{}{path}", dev.host);
    let event_file = file(&format!("event-{}", dev.host));
    fs::write(&event_file, event).unwrap();
    let output = command.args(["trigger", "--app-id", app_id, "--url", &url, "--file"]).arg(&event_file).output();
    assert!(String::from_utf8_lossy(&output.unwrap().stdout).contains("answered"), "it was not sent");
}

fn hold(note: &str) -> String {
    format!(r#"{{"voice_id":"8d0c7a44","state":"hold","from":"+12025550123","note":"{note}"}}"#)
}

/// The webhooks that came after the sample call, as the inspector shows them, without their numbers.
fn all(dev: &Dev, query: &str) -> Vec<Value> {
    let details = dev.found(query).into_iter().map(|id| {
        let mut details = dev.details(id);
        details.as_object_mut().unwrap().remove("earlier");
        details
    });
    details.collect()
}

fn lines(file: &Path) -> Vec<String> {
    fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn webhooks_of_earlier_runs_are_shown_as_they_were() {
    let file = file("restart");
    let dev = start(&file, &["--quarantine"], &[TOKEN]);
    send(&dev, &hold("first"), "voicehook-dev", PATH);
    send(&dev, &hold("second"), "another", PATH);
    send(&dev, &hold("third"), "voicehook-dev", "/webhook/default/a-wrong-token-of-the-webhooks");
    dev.knock(&format!("PUT {PATH}"), ("x-note", "caf\u{e9}"), "\u{1}");
    dev.knock(&format!("GET {PATH}"), ("x-voicehook-inspect-token", &dev.token), "");
    dev.api("POST /webhooks/10/replay", "");
    dev.api("POST /webhooks/10/edit", r#"{"set": {"state": "joined"}}"#);
    let before = all(&dev, "after=9");
    assert_eq!(before.len(), 7);
    drop(dev);

    let text = fs::read_to_string(&file).unwrap();
    for secret in ["hold", "joined", "+1202", "first", "of-the-webhooks", "voicehook-inspect"] {
        assert!(!text.replace("voicehook_history", "").contains(secret), "{secret}: {text}");
    }
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    for _ in 0..2 {
        let dev = start(&file, &["--quarantine"], &[TOKEN]);
        assert!(dev.lines.iter().any(|line| line.ends_with("7 webhooks")), "{:?}", dev.lines);
        let after = all(&dev, "q=is:earlier");
        let host = |details: &Value| details.to_string().replace(&dev.host, "HOST");
        for (before, after) in before.iter().zip(&after) {
            let (mut before, mut after) = (before.clone(), after.clone());
            for details in [&mut before, &mut after] {
                // It names the present URL.
                details["failure"]["next"].take();
            }
            assert_eq!(host(&after), host(&before));
        }
        assert_eq!(after.len(), before.len());
        assert_eq!(dev.found("q=-is:earlier").first(), Some(&17), "the sample call of this run follows");
    }
    let dev = start(&file, &["--quarantine"], &[TOKEN]);
    let (_, replayed) = dev.api("POST /webhooks/10/replay", "");
    assert_eq!(replayed["outcome"], "queued", "{replayed}");
    let key = before[0]["key"].as_str().unwrap();
    assert_eq!(dev.api(&format!("GET /webhooks/{key}"), "").1["id"], 10, "a link leads to the same webhook");
}

#[test]
fn a_line_that_is_cut_or_damaged_costs_only_its_webhook() {
    let file = file("damaged");
    let dev = start(&file, &[], &[]);
    for note in ["a", "b", "c"] {
        send(&dev, &hold(note), "voicehook-dev", "/webhook");
    }
    drop(dev);
    let whole = fs::read(&file).unwrap();
    let mut cut = whole[..whole.len() - 40].to_vec();
    let second = whole.split_inclusive(|byte| *byte == b'\n').take(2).map(<[u8]>::len).sum::<usize>();
    cut[second + 5] = 0xff;
    fs::write(&file, &cut).unwrap();
    let dev = start(&file, &[], &[]);
    assert_eq!(dev.found("q=is:earlier"), [10]);
    send(&dev, &hold("d"), "voicehook-dev", "/webhook");
    drop(dev);
    assert_eq!(start(&file, &[], &[]).found("q=is:earlier").len(), 2);
    for empty in ["", "{\"voice"] {
        fs::write(&file, empty).unwrap();
        let dev = start(&file, &[], &[]);
        assert_eq!(dev.found("q=is:earlier"), [0; 0]);
        drop(dev);
        assert_eq!(lines(&file), [r#"{"voicehook_history":1}"#]);
    }
}

#[test]
fn a_file_that_is_no_history_is_left_alone() {
    let file = file("other");
    for (text, why) in [
        ("{\"version\":1,\"at_ms\":0}\n", "is not a history of `voicehook dev`"),
        (&"x".repeat(100_000), "is not a history"),
        ("{\"voicehook_history\":2}\n", "has version 2"),
    ] {
        fs::write(&file, text).unwrap();
        let said = refused(&file);
        assert!(said.contains(why) && said.contains("other.jsonl"), "{said}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    assert!(refused(Path::new(env!("CARGO_TARGET_TMPDIR"))).contains("is not a file"));
    fs::remove_file(&file).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_voicehook"));
    command.args(["dev", "--listen", "127.0.0.1:0", "--record"]).arg(&file).arg("--history").arg(&file);
    let said = String::from_utf8(command.output().unwrap().stderr).unwrap();
    assert!(said.contains("cannot share a file"), "{said}");
}

#[test]
fn two_processes_do_not_write_to_the_same_history() {
    let file = file("in-use");
    let dev = start(&file, &[], &[]);
    assert!(refused(&file).contains("is in use by another"));
    dev.api("POST /clear", "");
    assert!(refused(&file).contains("is in use by another"), "after it was rewritten");
}

#[test]
fn what_is_cleared_leaves_the_file_and_comes_back_with_undo() {
    let file = file("clear");
    let dev = start(&file, &[], &[]);
    send(&dev, &hold("a"), "voicehook-dev", "/webhook");
    assert_eq!(lines(&file).len(), 2);
    dev.post(&format!("{API}/clear"));
    assert_eq!(lines(&file).len(), 1);
    dev.post(&format!("{API}/restore"));
    assert_eq!(lines(&file).len(), 2, "without the sample call");
    drop(dev);
    assert_eq!(start(&file, &[], &[]).found("q=is:earlier"), [10]);
}

#[test]
fn another_app_id_is_explained_and_nothing_is_lost() {
    let file = file("app-id");
    let dev = start(&file, &[], &[]);
    send(&dev, &hold("a"), "voicehook-dev", "/webhook");
    send(&dev, &hold("b"), "another", "/webhook");
    drop(dev);
    let dev = start(&file, &["--app-id", "another"], &[]);
    let (lost, won) = (dev.details(10), dev.details(11));
    assert_eq!((&lost["outcome"], &lost["status"], &lost["plaintext"]), (&"queued".into(), &200.into(), &Value::Null));
    assert!(lost["failure"]["kept"].as_str().unwrap().contains("started with another AppID then"), "{lost}");
    assert_eq!(
        (&won["outcome"], &won["status"], &won["event"]["state"]),
        (&"refused".into(), &400.into(), &"hold".into())
    );
    assert!(won["failure"]["next"][0].as_str().unwrap().starts_with("Replay it"), "{won}");
    dev.api("POST /clear", "");
    dev.api("POST /restore", "");
    drop(dev);
    let dev = start(&file, &[], &[]);
    let again = dev.details(10);
    assert_eq!((&again["message"]["message_id"], &again["failure"]), (&"in memory".into(), &Value::Null));
}

#[test]
fn the_file_does_not_grow_without_bound() {
    let file = file("bound");
    let dev = start(&file, &[], &[]);
    for _ in 0..1100 {
        dev.ask("GET /webhook", &[("host", &dev.host)]);
    }
    assert!(lines(&file).len() <= 1001, "{}", lines(&file).len());
    drop(dev);
    assert_eq!(start(&file, &[], &[]).found("q=is:earlier").len(), 500 - 9);
    assert!(lines(&file).len() <= 1001);
}

#[test]
fn others_lose_access_to_a_history_that_they_could_read() {
    let file = file("mode");
    drop(start(&file, &[], &[]));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    drop(start(&file, &[], &[]));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}
