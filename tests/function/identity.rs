//! One event, one identity: on the queue, by way of the failover queue, and by way of the quarantine.

use std::collections::HashSet;

use voicehook_lambda::receiver::Request;
use voicehook_lambda::{
    app_id::{AppIds, FixedAppId},
    event::Event,
    queue::{Failover, Message, Quarantined, QueueError, QueueKind},
    receiver::{Receiver, Settings},
};
use voicehook_test_support::{APP_ID, TestQueue, receiver, request, with_id};

/// A key that is pressed: EnableX sends no timestamp with it, so that two presses have the same bytes.
const KEY_PRESS: &str =
    r#"{"voice_id":"v1","playstate":"digitcollected","prompt_ref":"menu","play_id":"1","digit":"4"}"#;
/// The same with a timestamp in whole seconds, within which a key can be pressed twice.
const KEY_PRESS_WITH_SECONDS: &str =
    r#"{"voice_id":"v1","playstate":"digitcollected","digit":"4","timestamp":"2026-11-23T10:52:00Z"}"#;
/// What happens to a call once.
const CONNECTED: &str = r#"{"voice_id":"v1","state":"connected","timestamp":"2026-11-23T10:52:00Z"}"#;

fn delivered(event: &str, invocation: &str) -> Request {
    with_id(request(event), invocation)
}

fn event_ids(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.attribute("event_id").unwrap()).collect()
}

#[tokio::test]
async fn a_queue_that_deduplicates_keeps_every_key_press_and_one_of_two_deliveries_of_one_event() {
    for (event, messages) in [(KEY_PRESS, 3), (KEY_PRESS_WITH_SECONDS, 3), (CONNECTED, 1)] {
        let queue = TestQueue::new(QueueKind::Fifo);
        let receiver = receiver(&queue);
        for invocation in ["1", "2", "3"] {
            assert_eq!(receiver.respond(&delivered(event, invocation)).await.status(), 200);
        }
        let queued = queue.messages();
        assert!(
            queued
                .iter()
                .all(|message| message.deduplication_id.as_deref() == Some(message.attribute("event_id").unwrap()))
        );
        let kept: HashSet<&str> = event_ids(&queued).into_iter().collect();
        assert_eq!(kept.len(), messages, "{event}");
    }
}

#[tokio::test]
async fn an_event_has_the_same_id_on_the_failover_queue() {
    for event in [KEY_PRESS, CONNECTED] {
        let (first, second) = (TestQueue::failing(QueueError::NoSuchQueue), TestQueue::new(QueueKind::Fifo));
        let queue = Failover::new(first, Some(second.clone()));
        let app_ids = AppIds::new(FixedAppId::new(APP_ID), std::time::Duration::from_secs(300));
        let failing_over = Receiver::new(Settings::default(), app_ids, queue);
        assert_eq!(failing_over.respond(&delivered(event, "1")).await.status(), 200);

        let without = TestQueue::new(QueueKind::Fifo);
        receiver(&without).respond(&delivered(event, "1")).await;
        assert_eq!(event_ids(&second.messages()), event_ids(&without.messages()), "{event}");
    }
}

#[tokio::test]
async fn an_event_keeps_its_id_through_the_quarantine() {
    for event in [KEY_PRESS, CONNECTED] {
        let (queue, quarantine) = (TestQueue::new(QueueKind::Fifo), TestQueue::new(QueueKind::Standard));
        let another_app_id = AppIds::new(FixedAppId::new("another"), std::time::Duration::from_secs(300));
        let cannot_open = Receiver::new(Settings::default(), another_app_id, queue.clone());
        let cannot_open = cannot_open.with_quarantine(Some(quarantine.clone()));
        assert_eq!(cannot_open.respond(&delivered(event, "1")).await.status(), 200);
        let record: Quarantined = serde_json::from_str(&quarantine.messages()[0].body).unwrap();
        assert_eq!(record.invocation_id(), "1");

        receiver(&queue).respond(&delivered(event, "1")).await;
        let redriven = Event::from_json(event.to_owned()).unwrap().id(&record.app, event, record.invocation_id());
        assert_eq!(event_ids(&queue.messages()), [redriven], "{event}");
    }
}
