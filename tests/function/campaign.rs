//! Webhooks under faults of every kind, picked at random: whatever was answered 200 is on a queue.
//!
//! `CAMPAIGN_WEBHOOKS` makes it longer; `.ci/nightly campaign` sets it.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use voicehook_lambda::{
    app_id::{AppIds, FixedAppId},
    queue::{BatchingQueue, Failover, Queue, QueueUrl, Sqs},
    receiver::{Receiver, Settings},
};
use voicehook_test_support::sqs_stub::SqsStub;
use voicehook_test_support::{APP_ID, aws, request, with_id};

const IN_FLIGHT: usize = 64;
const FAULTS_PERCENT: u64 = 20;
const DEADLINE: Duration = Duration::from_secs(4);

/// One webhook, and what became of it.
struct Delivery {
    event: String,
    status: u16,
    took: Duration,
}

fn event(number: usize) -> String {
    let (call, filler) = (number % 23, "x".repeat(if number.is_multiple_of(7) { 20_000 } else { 5 }));
    format!(r#"{{"voice_id":"call-{call}","state":"connected","number":{number},"filler":"{filler}"}}"#)
}

async fn deliver<Q: Queue>(queue: Q, webhooks: usize) -> Vec<Delivery> {
    let settings = Settings { publish_deadline: DEADLINE, ..Settings::default() };
    let app_ids = AppIds::new(FixedAppId::new(APP_ID), Duration::from_secs(300));
    let receiver = Arc::new(Receiver::new(settings, app_ids, queue));
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (receiver, next) = (Arc::clone(&receiver), Arc::clone(&next));
        workers.spawn(async move {
            let mut deliveries = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= webhooks {
                    return deliveries;
                }
                let event = event(number);
                let request = with_id(request(&event), &format!("invocation-{number}"));
                let begin = Instant::now();
                let status = receiver.respond(&request).await.status().as_u16();
                deliveries.push(Delivery { event, status, took: begin.elapsed() });
            }
        });
    }
    workers.join_all().await.into_iter().flatten().collect()
}

/// The bodies on the queues. A message that was sent again has the deduplication id that it had: the queue drops it.
fn on_the_queues(queues: &[SqsStub]) -> (HashSet<String>, HashSet<String>) {
    let text = |message: &serde_json::Value, name: &str| message[name].as_str().unwrap().to_owned();
    let accepted: Vec<_> = queues.iter().flat_map(SqsStub::accepted).collect();
    (
        accepted.iter().map(|message| text(message, "MessageBody")).collect(),
        accepted.iter().map(|message| text(message, "MessageDeduplicationId")).collect(),
    )
}

async fn campaign(has_failover: bool, seed: u64) {
    let webhooks = std::env::var("CAMPAIGN_WEBHOOKS").map_or(1_000, |number| number.parse().unwrap());
    let queues = [
        SqsStub::start_with_random_faults(FAULTS_PERCENT, seed).await,
        SqsStub::start_with_random_faults(FAULTS_PERCENT, seed + 1).await,
    ];
    let queue = |stub: &SqsStub| {
        BatchingQueue::new(Sqs::new(&aws(&stub.endpoint()), QueueUrl::new(&stub.queue_url()).unwrap()))
    };
    let failover = has_failover.then(|| queue(&queues[1]));
    let deliveries = deliver(Failover::new(queue(&queues[0]), failover), webhooks).await;

    let (bodies, deduplication_ids) = on_the_queues(&queues);
    let lost = deliveries.iter().filter(|delivery| delivery.status == 200 && !bodies.contains(&delivery.event)).count();
    let refused = deliveries.iter().filter(|delivery| delivery.status != 200).count();
    let slowest = deliveries.iter().map(|delivery| delivery.took).max().unwrap();
    let requests: usize = queues.iter().map(SqsStub::requests).sum();
    println!(
        "{webhooks} webhooks, failover {has_failover}, seed {seed}: {requests} requests to SQS, {lost} lost, \
         {refused} refused, slowest {slowest:?}"
    );
    assert_eq!(deliveries.len(), webhooks);
    assert_eq!(lost, 0, "seed {seed}");
    assert_eq!(deduplication_ids.len(), bodies.len(), "seed {seed}: an event has two ids, or two events have one");
    assert!(deliveries.iter().all(|delivery| matches!(delivery.status, 200 | 503)), "seed {seed}");
    assert!(refused < webhooks / 2, "seed {seed}: a campaign of refusals shows nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_answered_200_is_on_the_queue_whatever_fails() {
    campaign(false, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_answered_200_is_on_one_of_the_queues_whatever_fails() {
    campaign(true, 3).await;
}
