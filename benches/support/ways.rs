//! The ways of a webhook whose instructions and allocations are counted.
#![allow(unreachable_pub, clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use futures_util::future::join_all;
use lambda_http::Context;
use tokio::runtime::Runtime;
use voicehook_lambda::{
    app_id::{AppIdSource, DEFAULT_APP},
    lambda::GatewayEvent,
    queue::{BatchingQueue, Failover, Queue},
    receiver::{Receiver, Request},
    telemetry::{self, Stages},
};
use voicehook_test_support::runtime_api::webhook_event;

use super::{
    NoQueue, Rotated, app_ids, body, event, event_of, opener, receiver, receiver_with, request, runtime, sqs,
    sqs_that_waits,
};

/// Events in bytes, each with the webhooks of the short and of the long run.
pub const CASES: [(usize, [usize; 2]); 2] = [(300, [100, 600]), (64 << 10, [5, 25])];

/// - `open`: from the request to the event.
/// - `handler`: that, and all the rest of the receiver, without input and output.
/// - `rotated`: the same for a webhook that the previous AppID opens and the current one does not.
/// - `send`: the handler with the request to SQS.
/// - `whole`: from the text of Lambda's event to the answer, through the queues that the function has, with its log.
/// - `batched`: the same with many at once, which share requests.
pub const WAYS: [&str; 6] = ["open", "handler", "rotated", "send", "whole", "batched"];

/// Webhooks on their way at once, where they share requests.
const fn at_once(bytes: usize) -> usize {
    if bytes < 4096 { 50 } else { 5 }
}

/// Takes so many webhooks in one of the ways.
pub fn take(way: &str, bytes: usize, webhooks: usize) {
    let runtime = runtime();
    let request = || request(bytes);
    match way {
        "open" => open(&request(), webhooks),
        "handler" => respond(&runtime, &receiver(NoQueue), &request(), webhooks),
        "rotated" => respond(&runtime, &receiver_with(app_ids(Rotated), NoQueue), &request(), webhooks),
        "send" => respond(&runtime, &receiver(sqs()), &request(), webhooks),
        "whole" => invoke(&runtime, BatchingQueue::new(sqs()), &[event(bytes)], webhooks),
        _ => {
            let events: Vec<String> = (0..at_once(bytes)).map(|call| event_of(call, bytes)).collect();
            invoke(&runtime, BatchingQueue::new(sqs_that_waits()), &events, webhooks);
        }
    }
}

fn open(request: &Request, webhooks: usize) {
    let opener = opener();
    for _ in 0..webhooks {
        let mut stages = Stages::default();
        let known = opener.app_ids.known();
        let opened = opener.open_known(&request.headers, &request.body, known.app(DEFAULT_APP), &mut stages);
        assert!(opened.is_ok());
    }
}

fn respond<S: AppIdSource, Q: Queue>(runtime: &Runtime, receiver: &Receiver<S, Q>, request: &Request, webhooks: usize) {
    for _ in 0..webhooks {
        let answer = runtime.block_on(receiver.receive(request));
        assert_eq!(answer.response.status(), 200);
    }
}

/// Invokes the function as `main` puts it together. As many webhooks are on their way at once as there are events.
fn invoke(runtime: &Runtime, queue: BatchingQueue, events: &[String], webhooks: usize) {
    telemetry::start();
    let receiver = receiver(Failover::new(queue, None));
    let events: Vec<String> =
        events.iter().map(|event| webhook_event("/webhook", "", &body(event)).to_string()).collect();
    let respond = async |event: &String| {
        let mut context = Context::default();
        "8476a536-e9f4-11e8-9739-2dfe598c3fcd".clone_into(&mut context.request_id);
        let place = receiver.arrivals().take_place();
        let (request, _) = serde_json::from_str::<GatewayEvent>(event).unwrap().into_request(context).unwrap();
        assert_eq!(receiver.respond_in(Some(place), &request).await.status(), 200);
    };
    for _ in 0..webhooks.div_ceil(events.len()) {
        runtime.block_on(join_all(events.iter().map(respond)));
    }
}
