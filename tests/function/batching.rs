//! Webhooks that come together share requests to SQS, and each gets the word on its own message.

use std::time::Duration;

use tokio::{task::JoinSet, time::Instant};
use voicehook_lambda::queue::{BatchingQueue, MAX_MESSAGE_BYTES, Message, Queue as _, QueueError, QueueUrl, Sent, Sqs};
use voicehook_test_support::sqs_stub::{Reaction, SqsStub};
use voicehook_test_support::{aws, aws_by_the_sdk, fifo_message};

/// So long that no attempt is given up while the stub is told to wait.
const DEADLINE: Duration = Duration::from_secs(240);

fn batching_queue(stub: &SqsStub) -> BatchingQueue {
    BatchingQueue::new(Sqs::new(&aws(&stub.endpoint()), QueueUrl::new(&stub.queue_url()).unwrap()))
}

fn message(call: &str, number: usize, bytes: usize) -> Message {
    let event = format!(r#"{{"voice_id":"{call}","number":{number},"filler":"{}"}}"#, "x".repeat(bytes));
    fifo_message(&event)
}

type InFlight = JoinSet<(usize, Result<Sent, QueueError>)>;

/// Sends messages side by side, in their order.
fn send_all(queue: &BatchingQueue, messages: impl IntoIterator<Item = Message>) -> InFlight {
    let mut in_flight = JoinSet::new();
    for (number, message) in messages.into_iter().enumerate() {
        let queue = queue.clone();
        in_flight.spawn(async move { (number, queue.send(message, Instant::now() + DEADLINE).await) });
    }
    in_flight
}

fn numbers_of(stub: &SqsStub, call: &str) -> Vec<u64> {
    let bodies = stub.accepted().into_iter().map(|message| message["MessageBody"].as_str().unwrap().to_owned());
    let events = bodies.map(|body| serde_json::from_str::<serde_json::Value>(&body).unwrap());
    events.filter(|event| event["voice_id"] == call).map(|event| event["number"].as_u64().unwrap()).collect()
}

async fn assert_all_sent(mut in_flight: InFlight) {
    while let Some(done) = in_flight.join_next().await {
        let (number, sent) = done.unwrap();
        assert!(sent.is_ok(), "{number}: {sent:?}");
    }
}

/// Sends messages side by side while nothing is answered, and lets everything be answered once so many requests are there.
async fn send_together(
    stub: &SqsStub,
    queue: &BatchingQueue,
    messages: impl IntoIterator<Item = Message>,
    requests: usize,
) {
    stub.open(false);
    let in_flight = send_all(queue, messages);
    stub.read(requests).await;
    stub.open(true);
    assert_all_sent(in_flight).await;
}

#[tokio::test]
async fn a_message_that_comes_alone_goes_at_once_and_by_itself() {
    let stub = SqsStub::start(&[], Reaction::Accept).await;
    let queue = batching_queue(&stub);
    for number in 0..3 {
        queue.send(message("call", number, 0), Instant::now() + DEADLINE).await.unwrap();
    }
    assert_eq!((stub.requests(), stub.batches()), (3, vec![]));
    send_together(&stub, &queue, [message("call-3", 3, 0), message("call-4", 4, 0)], 4).await;
    assert!(stub.batches().is_empty(), "nothing is on its way any more, so the first waits for no others");
}

#[tokio::test]
async fn a_batch_without_the_sdk_says_what_one_of_the_sdk_says() {
    let messages: Vec<Message> = (0..3).map(|number| message(&format!("call-{number}"), number, 0)).collect();
    let mut said = Vec::new();
    for aws in [aws, aws_by_the_sdk] {
        let stub = SqsStub::start(&[], Reaction::Accept).await;
        let url = QueueUrl::new("https://sqs.us-east-1.amazonaws.com/123456789012/events.fifo").unwrap();
        let queue = BatchingQueue::new(Sqs::new(&aws(&stub.endpoint()), url));
        send_together(&stub, &queue, messages.clone(), 2).await;
        let (_, body) = stub.last_request();
        said.push((stub.batches(), serde_json::from_str::<serde_json::Value>(&body).unwrap()));
    }
    assert_eq!(said[0].0, [2]);
    assert_eq!(said[0], said[1]);
}

#[tokio::test]
async fn messages_that_come_during_a_request_share_the_next_ones_though_the_first_is_not_back() {
    let stub = SqsStub::start(&[], Reaction::Accept).await;
    let queue = batching_queue(&stub);
    // One alone, ten and ten that filled a request, and five that had waited long enough.
    send_together(&stub, &queue, (0..26).map(|number| message(&format!("call-{number}"), number, 0)), 4).await;
    let mut batches = stub.batches();
    batches.sort_unstable();
    assert_eq!((stub.requests(), batches), (4, vec![5, 10, 10]));
    assert_eq!(stub.accepted().len(), 26);
}

#[tokio::test]
async fn the_messages_of_a_call_keep_their_order_through_faults() {
    for fault in [Reaction::Accept, Reaction::InternalError, Reaction::Throttle, Reaction::DropAnswer] {
        let stub = SqsStub::start_with_fault(fault, 2).await;
        let queue = batching_queue(&stub);
        let calls = ["a", "b", "c"];
        let messages = (0..24).map(|number| message(calls[number % 3], number, 0));
        assert_all_sent(send_all(&queue, messages)).await;
        for (place, call) in calls.into_iter().enumerate() {
            let expected: Vec<u64> = (0..8).map(|number| number * 3 + place as u64).collect();
            assert_eq!(numbers_of(&stub, call), expected, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn what_has_gathered_of_a_call_goes_together_and_in_order() {
    let stub = SqsStub::start(&[], Reaction::Accept).await;
    let queue = batching_queue(&stub);
    send_together(&stub, &queue, (0..32).map(|number| message("call", number, 0)), 1).await;
    assert_eq!(stub.batches(), [10, 10, 10], "after the first one alone, and before the last one");
    assert_eq!(numbers_of(&stub, "call"), (0..32).collect::<Vec<u64>>());
}

#[tokio::test]
async fn two_messages_with_one_deduplication_id_never_share_a_batch() {
    let stub = SqsStub::start(&[], Reaction::Accept).await;
    let queue = batching_queue(&stub);
    let twice = message("call", 1, 0);
    send_together(&stub, &queue, [message("call", 0, 0), twice.clone(), twice, message("call", 2, 0)], 1).await;
    assert_eq!(stub.batches(), [2], "the second of the two, with the one behind it");
    assert_eq!(numbers_of(&stub, "call"), [0, 1, 1, 2]);
}

#[tokio::test]
async fn an_entry_that_was_not_taken_holds_up_its_own_call_and_no_other() {
    let stub = SqsStub::start(&[Reaction::Accept, Reaction::AcceptHalf], Reaction::Accept).await;
    stub.open(false);
    let queue = batching_queue(&stub);
    let mut first = send_all(&queue, (0..11).map(|number| message(&format!("call-{number}"), 0, 0)));
    stub.read(2).await;
    // Of the batch of call-1 to call-10, those at even places are taken; the others are sent again, and never answered.
    stub.never_answer([2, 4, 6, 8, 10].map(|number| format!("default:call-{number}")));
    stub.open(true);
    for _ in 0..6 {
        assert!(first.join_next().await.unwrap().unwrap().1.is_ok());
    }
    stub.read(2 + 5).await;
    // Nothing else is on its way, and yet it has to wait.
    let mut held_up = send_all(&queue, [message("call-2", 1, 0)]);
    tokio::task::yield_now().await;
    queue.send(message("call-0", 1, 0), Instant::now() + DEADLINE).await.unwrap();
    assert_eq!(stub.requests(), 2 + 5 + 1, "the next message of a call overtakes the one that is sent again");
    assert_all_sent(send_all(&queue, [1, 3, 5, 7, 9].map(|number| message(&format!("call-{number}"), 1, 0)))).await;
    assert!(held_up.try_join_next().is_none(), "its call's first message is not there yet");
}

#[tokio::test]
async fn a_message_that_was_not_taken_is_sent_again_before_the_next_ones_of_its_call() {
    let stub = SqsStub::start(&[Reaction::Accept, Reaction::AcceptHalf], Reaction::Accept).await;
    let queue = batching_queue(&stub);
    send_together(&stub, &queue, (0..12).map(|number| message("call", number, 0)), 1).await;
    assert_eq!(numbers_of(&stub, "call"), [0, 1, 3, 5, 7, 9, 2, 4, 6, 8, 10, 11]);
}

#[tokio::test]
async fn an_entry_that_was_taken_and_failed_counts_as_failed() {
    for aws in [aws, aws_by_the_sdk] {
        let stub = SqsStub::start(&[Reaction::Accept, Reaction::Contradict], Reaction::Accept).await;
        let url = QueueUrl::new("https://sqs.us-east-1.amazonaws.com/123456789012/events.fifo").unwrap();
        let queue = BatchingQueue::new(Sqs::new(&aws(&stub.endpoint()), url));
        send_together(&stub, &queue, (0..3).map(|number| message("call", number, 0)), 1).await;
        assert_eq!(numbers_of(&stub, "call"), [0, 1, 2, 1, 2], "each sent again, under its own id");
    }
}

#[tokio::test]
async fn what_the_queue_does_not_take_of_a_batch_is_tried_alone() {
    let stub = SqsStub::start(&[], Reaction::AcceptHalf).await;
    let queue = batching_queue(&stub);
    send_together(&stub, &queue, (0..11).map(|number| message(&format!("call-{number}"), number, 0)), 2).await;
    assert_eq!((stub.batches(), stub.requests()), (vec![10], 1 + 1 + 5));
    assert_eq!(stub.accepted().len(), 11, "each once");
}

#[tokio::test]
async fn a_batch_that_the_queue_refuses_costs_no_message_that_it_takes_alone() {
    let stub = SqsStub::start(&[Reaction::Accept, Reaction::Refused, Reaction::Refused], Reaction::Accept).await;
    let queue = batching_queue(&stub);
    send_together(&stub, &queue, (0..4).map(|number| message(&format!("call-{number}"), number, 0)), 2).await;
    assert_eq!(stub.batches(), [3, 3], "without the SDK, and by the SDK, whose error counts");
    assert_eq!((stub.requests(), stub.accepted().len()), (1 + 2 + 3, 4));
}

#[tokio::test]
async fn a_batch_is_never_larger_than_sqs_takes() {
    let stub = SqsStub::start(&[], Reaction::Accept).await;
    let queue = batching_queue(&stub);
    let large = (0..7).map(|number| message(&format!("call-{number}"), number, 400_000));
    // One alone, and then two at a time: three would have more than 1 MiB.
    send_together(&stub, &queue, large, 4).await;
    assert_eq!(stub.batches(), [2, 2, 2]);
}

#[tokio::test]
async fn messages_that_just_fit_into_one_request_share_it() {
    let half = (MAX_MESSAGE_BYTES / 2) - message("call-0", 0, 0).bytes();
    for (more, batches) in [(0, vec![2]), (1, vec![])] {
        let stub = SqsStub::start(&[], Reaction::Accept).await;
        let queue = batching_queue(&stub);
        let sizes = [0, half, half + more];
        let messages =
            sizes.into_iter().enumerate().map(|(number, bytes)| message(&format!("call-{number}"), number, bytes));
        send_together(&stub, &queue, messages, 3 - batches.len()).await;
        assert_eq!(stub.batches(), batches);
    }
}

#[tokio::test]
async fn messages_gather_also_while_one_that_had_to_wait_is_on_its_way_alone() {
    let stub = SqsStub::start(&[Reaction::Accept, Reaction::Stall], Reaction::Accept).await;
    let queue = batching_queue(&stub);
    let _stalled = send_all(&queue, [message("call-0", 0, 0), message("call-1", 1, 0)]);
    stub.read(2).await;
    assert_all_sent(send_all(&queue, (2..5).map(|number| message(&format!("call-{number}"), number, 0)))).await;
    assert_eq!(stub.batches(), [3]);
}

#[tokio::test]
async fn a_message_as_large_as_sqs_takes_is_sent_and_one_byte_more_is_too_large() {
    let stub = SqsStub::start(&[], Reaction::Accept).await;
    let queue = batching_queue(&stub);
    let by_itself = Sqs::new(&aws(&stub.endpoint()), QueueUrl::new(&stub.queue_url()).unwrap());
    let room = MAX_MESSAGE_BYTES - message("call", 0, 0).bytes();
    let too_large = Err(QueueError::TooLarge { limit: MAX_MESSAGE_BYTES });
    for (more, expected) in [(0, Ok(())), (1, too_large.clone()), (100, too_large)] {
        let (message, deadline) = (message("call", 0, room + more), Instant::now() + DEADLINE);
        assert_eq!(queue.send(message.clone(), deadline).await.map(drop), expected, "{more}");
        assert_eq!(by_itself.send(message, deadline).await.map(drop), expected, "{more}");
    }
    assert_eq!(stub.accepted().len(), 2);
}

#[tokio::test]
async fn a_request_that_is_never_answered_holds_up_only_its_own_messages() {
    let stub = SqsStub::start(&[Reaction::Stall], Reaction::Accept).await;
    let queue = batching_queue(&stub);
    let mut stalled = send_all(&queue, [message("stalled", 0, 0)]);
    stub.read(1).await;
    let others = send_all(&queue, (1..5).map(|number| message(&format!("call-{number}"), number, 0)));
    assert_all_sent(others).await;
    assert_eq!(stub.accepted().len(), 4);
    assert!(stalled.try_join_next().is_none());
}

#[tokio::test]
async fn nobody_waits_past_the_deadline() {
    let stub = SqsStub::start(&[], Reaction::Stall).await;
    let queue = batching_queue(&stub);
    let mut in_flight = JoinSet::new();
    // Of one call, so that all but the first wait for their turn.
    for number in 0..5 {
        let queue = queue.clone();
        let deadline = Instant::now() + Duration::from_millis(300);
        in_flight.spawn(async move { queue.send(message("call", number, 0), deadline).await });
    }
    let all = tokio::time::timeout(Duration::from_secs(10), in_flight.join_all()).await.unwrap();
    assert!(all.into_iter().all(|result| result == Err(QueueError::OutOfTime)));
}

#[tokio::test]
async fn a_message_that_nobody_waits_for_any_more_is_not_sent() {
    let stub = SqsStub::start(&[], Reaction::Accept).await;
    stub.open(false);
    let queue = batching_queue(&stub);
    let first = send_all(&queue, [message("call", 0, 0)]);
    stub.read(1).await;
    // It takes its place when this is called.
    drop(queue.send(message("call", 1, 0), Instant::now() + DEADLINE));
    stub.open(true);
    assert_all_sent(first).await;
    queue.send(message("call", 2, 0), Instant::now() + DEADLINE).await.unwrap();
    assert_eq!(numbers_of(&stub, "call"), [0, 2]);
}

#[tokio::test]
async fn without_any_time_left_a_message_waits_for_no_others() {
    let stub = SqsStub::start(&[], Reaction::Stall).await;
    let queue = batching_queue(&stub);
    let ahead = {
        let queue = queue.clone();
        let deadline = Instant::now() + Duration::from_secs(10);
        tokio::spawn(async move { queue.send(message("call", 0, 0), deadline).await })
    };
    stub.read(1).await;
    // On this clock, time passes only where somebody waits.
    tokio::time::pause();
    let now = Instant::now();
    assert_eq!(queue.send(message("call", 1, 0), now).await, Err(QueueError::OutOfTime));
    assert!(now.elapsed() <= Duration::from_millis(1), "{:?}", now.elapsed());
    ahead.abort();
}
