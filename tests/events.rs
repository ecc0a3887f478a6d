//! Every file of `events/`, through the handler: the status and the message that its name promises.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::{fs, path::PathBuf};

use support::{TestQueue, receiver, request_of};
use voicehook::queue::QueueKind;

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

#[tokio::test]
async fn every_file_of_events_gets_the_answer_that_its_name_promises() {
    let files = files();
    assert!(files.len() >= 40, "only {} files", files.len());
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let (outcome, scenario) = name.split_once('-').unwrap();
        let request = request_of(&fs::read_to_string(&file).unwrap());
        let queue = TestQueue::new(QueueKind::Fifo);
        let response = receiver(&queue).respond(request).await;
        assert_eq!(response.status(), status(outcome), "{name}");
        let messages = queue.messages();
        assert_eq!(messages.len(), usize::from(outcome == "queued"), "{name}");
        if let Some(message) = messages.first() {
            let event_type = message.attribute("event_type").unwrap();
            let expected = match scenario.split_once('-') {
                Some(("play", playstate)) => format!("play.{playstate}"),
                Some(_) => "call.connected".to_owned(),
                None => format!("call.{scenario}"),
            };
            assert_eq!(event_type, expected, "{name}");
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
        receiver(&queue).respond(request).await;
        let message = queue.messages().remove(0);
        seen.push((message.event_id().to_owned(), message.group_id, message.body));
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
}
