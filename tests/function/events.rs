//! Every file of `events/`, through the handler: the status and the message that its name promises.

use std::{fs, path::PathBuf};

use http::HeaderName;
use voicehook_event::CallState;
use voicehook_lambda::queue::QueueKind;
use voicehook_test_support::{TestQueue, receiver, request_of};

fn files() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/events");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

fn status(outcome: &str) -> u16 {
    match outcome {
        "queued" | "probe" => 200,
        "malformed" | "undecryptable" => 400,
        "not_found" => 404,
        "method_not_allowed" => 405,
        "unsupported_media_type" => 415,
        other => panic!("events/: no such outcome: {other}"),
    }
}

/// The type of the event in a file: `play-<playstate>`, or `<state>`, and after it how the event is written. All others
/// are of one call that is connected.
fn event_type(scenario: &str) -> String {
    let (subject, name) = scenario.strip_prefix("play-").map_or(("call", scenario), |name| ("play", name));
    let name = name.split('-').next().unwrap_or_default();
    let is_known = subject == "play" || CallState::NAMES.contains(&name);
    if is_known { format!("{subject}.{name}") } else { "call.connected".to_owned() }
}

#[tokio::test]
async fn every_file_of_events_gets_the_answer_that_its_name_promises() {
    let files = files();
    assert!(files.len() >= 55, "only {} files", files.len());
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let (outcome, scenario) = name.split_once('-').unwrap();
        let request = request_of(&fs::read_to_string(&file).unwrap());
        let queue = TestQueue::new(QueueKind::Fifo);
        let response = receiver(&queue).respond(&request).await;
        assert_eq!(response.status(), status(outcome), "{name}");
        let messages = queue.messages();
        assert_eq!(messages.len(), usize::from(outcome == "queued"), "{name}");
        if let Some(message) = messages.first() {
            assert_eq!(message.attribute("event_type"), Some(event_type(scenario).as_str()), "{name}");
            let is_of_a_call = !event_type(scenario).starts_with("call.broadcast");
            assert_eq!(message.attribute("voice_id").is_some(), is_of_a_call, "{name}");
        }
    }
}

#[tokio::test]
async fn with_a_quarantine_whatever_is_kept_gets_the_same_answer() {
    for file in files() {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let (queue, quarantine) = (TestQueue::new(QueueKind::Fifo), TestQueue::new(QueueKind::Standard));
        let request = request_of(&fs::read_to_string(&file).unwrap());
        let response = receiver(&queue).with_quarantine(Some(quarantine.clone())).respond(&request).await;
        let kept = queue.messages().len() + quarantine.messages().len();
        let is_expected = ["queued-", "undecryptable-", "malformed-", "unsupported_media_type-"];
        assert_eq!(kept > 0, is_expected.iter().any(|outcome| name.starts_with(outcome)), "{name}");
        if kept > 0 {
            assert_eq!((response.status().as_u16(), response.body().as_ref()), (200, &b"{}"[..]), "{name}");
            let names: Vec<&str> = response.headers().keys().map(HeaderName::as_str).collect();
            assert_eq!(names, ["content-type", "x-request-id"], "{name}");
        }
    }
}

#[tokio::test]
async fn one_event_has_one_id_and_one_body_through_every_gateway() {
    let mut seen = Vec::new();
    for gateway in ["connected", "through-a-stage", "through-a-rest-api", "through-a-function-url", "through-an-alb"] {
        let file = format!("{}/events/queued-{gateway}.json", env!("CARGO_MANIFEST_DIR"));
        let queue = TestQueue::new(QueueKind::Fifo);
        let request = request_of(&fs::read_to_string(file).unwrap());
        receiver(&queue).respond(&request).await;
        let message = queue.messages().remove(0);
        seen.push((message.attribute("event_id").unwrap().to_owned(), message.group_id, message.body));
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
}
