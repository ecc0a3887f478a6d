//! The order in which the events of a call reach the queue: that in which their invocations arrived.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use lambda_http::Context;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use voicehook_lambda::{
    app_id::{AppId, AppIdSource, AppIdUnavailable, AppIds, Apps, FixedAppId, Version},
    lambda::GatewayEvent,
    queue::{BatchingQueue, Queue, QueueKind, QueueUrl, Sqs},
    receiver::{Receiver, Settings},
};
use voicehook_test_support::sqs_stub::{Reaction, SqsStub};
use voicehook_test_support::{APP_ID, aws, encrypted_body};

const IN_FLIGHT: usize = 64;

/// The event of a gateway with a webhook of a call: each third one is large.
fn gateway_event(call: usize, number: u64) -> String {
    let filler = "x".repeat(if number.is_multiple_of(3) { 60_000 } else { 10 });
    let event =
        json!({"voice_id": format!("call-{call}"), "playstate": "digitcollected", "number": number, "f": filler});
    json!({
        "version": "2.0", "rawPath": "/webhook", "rawQueryString": "",
        "headers": {"content-type": "application/json", "x-algoritm": "aes-256-cbc", "x-format": "hex", "x-encoding": "utf8"},
        "requestContext": {"http": {"method": "POST"}, "requestId": format!("r-{call}-{number}"), "stage": "$default"},
        "body": encrypted_body(&event.to_string()),
    })
    .to_string()
}

/// Delivers so many webhooks of some calls, 64 at a time, as `lambda_runtime`'s workers do. Returns the numbers of each
/// call's events in the order in which their places were taken, and how many were answered 200.
async fn deliver<S: AppIdSource, Q: Queue>(
    receiver: Arc<Receiver<S, Q>>,
    calls: usize,
    webhooks: u64,
) -> (HashMap<String, Vec<u64>>, usize) {
    let events: Vec<_> = (0..webhooks).flat_map(|number| (0..calls).map(move |call| (call, number))).collect();
    let events = Arc::new(Mutex::new(
        events
            .into_iter()
            .map(|(call, number)| (call, number, gateway_event(call, number)))
            .collect::<std::collections::VecDeque<_>>(),
    ));
    let mut workers = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (receiver, events) = (Arc::clone(&receiver), Arc::clone(&events));
        workers.spawn(async move {
            let mut arrived = Vec::new();
            let mut queued = 0;
            loop {
                let (place, (call, number, event)) = {
                    let mut events = events.lock().unwrap();
                    let Some(event) = events.pop_front() else { break };
                    (receiver.arrivals().take_place(), event)
                };
                arrived.push((place.number(), call, number));
                let mut context = Context::default();
                context.request_id = format!("invocation-{call}-{number}");
                let event: GatewayEvent = serde_json::from_str(&event).unwrap();
                let (request, _) = event.into_request(context).unwrap();
                queued += usize::from(receiver.respond_in(Some(place), &request).await.status() == 200);
            }
            (arrived, queued)
        });
    }
    let (mut arrived, mut queued) = (Vec::new(), 0);
    for (of_worker, queued_by_worker) in workers.join_all().await {
        arrived.extend(of_worker);
        queued += queued_by_worker;
    }
    arrived.sort_unstable();
    let mut order: HashMap<String, Vec<u64>> = HashMap::new();
    for (_, call, number) in arrived {
        order.entry(format!("call-{call}")).or_default().push(number);
    }
    (order, queued)
}

fn by_call(bodies: impl Iterator<Item = String>) -> HashMap<String, Vec<u64>> {
    let mut order: HashMap<String, Vec<u64>> = HashMap::new();
    for body in bodies {
        let event: Value = serde_json::from_str(&body).unwrap();
        let numbers = order.entry(event["voice_id"].as_str().unwrap().to_owned()).or_default();
        let number = event["number"].as_u64().unwrap();
        // Sent again: a FIFO queue keeps the first one.
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    order
}

fn settings() -> Settings {
    Settings { publish_deadline: Duration::from_secs(25), ..Settings::default() }
}

fn app_ids() -> AppIds<FixedAppId> {
    AppIds::new(FixedAppId::new(APP_ID), Duration::from_secs(300))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_events_of_a_call_are_queued_in_the_order_of_their_arrival_whatever_their_sizes() {
    let queue = voicehook_test_support::TestQueue::new(QueueKind::Fifo);
    let receiver = Arc::new(Receiver::new(settings(), app_ids(), queue.clone()));
    let (arrived, queued) = deliver(receiver, 4, 250).await;
    assert_eq!(queued, 1000);
    assert_eq!(by_call(queue.messages().into_iter().map(|message| message.body)), arrived);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn they_are_so_on_sqs_too_while_every_fifth_request_fails() {
    for fault in [
        Reaction::Accept,
        Reaction::InternalError,
        Reaction::Throttle,
        Reaction::DropRequest,
        Reaction::AcceptAndDropAnswer,
        Reaction::AcceptAndClose,
    ] {
        let stub = SqsStub::start_with_fault(fault, 5).await;
        let queue = BatchingQueue::new(Sqs::new(&aws(&stub.endpoint()), QueueUrl::new(&stub.queue_url()).unwrap()));
        let receiver = Arc::new(Receiver::new(settings(), app_ids(), queue));
        let (arrived, queued) = deliver(receiver, 4, 50).await;
        assert_eq!(queued, 200, "{fault:?}");
        let bodies = stub.accepted().into_iter().map(|message| message["MessageBody"].as_str().unwrap().to_owned());
        assert_eq!(by_call(bodies), arrived, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_waits_for_a_secret_holds_up_nobody() {
    /// Has one AppID, and never says whether there is a previous one.
    struct Silent;
    impl AppIdSource for Silent {
        async fn fetch(&self, version: Version) -> Result<Apps, AppIdUnavailable> {
            match version {
                Version::Current => Ok(Apps::single(AppId::new(APP_ID))),
                Version::Previous => std::future::pending().await,
            }
        }
    }
    let queue = voicehook_test_support::TestQueue::new(QueueKind::Fifo);
    let app_ids = AppIds::new(Silent, Duration::from_secs(300));
    let receiver = Arc::new(Receiver::new(settings(), app_ids, queue.clone()));
    receiver.warm_up().await;
    let garbage = voicehook_test_support::headers()
        .body(format!(r#"{{"encrypted_data":"{}"}}"#, "00".repeat(32)))
        .unwrap()
        .into();
    let waiting = tokio::spawn({
        let receiver = Arc::clone(&receiver);
        async move { receiver.respond(&garbage).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(receiver.respond(&voicehook_test_support::request(voicehook_test_support::EVENT)).await.status(), 200);
    assert!(!waiting.is_finished());
}
