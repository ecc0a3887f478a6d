//! `voicehook inspect` on a stub of SQS: what a look shows and changes, and what a redrive moves.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use voicehook_test_support::aws_stub::{AwsStub, error};

use crate::{
    inspector::install,
    redrive::{APP_ID, EVENT, encrypted, encrypted_with, part, record, with},
    tool::{Inspect, printed, voicehook},
};

/// Within an event: no output but the page may have it.
const PHONE_NUMBER: &str = "+12025550123";

/// A message of a queue.
#[derive(Clone, Default)]
struct Message {
    id: String,
    body: String,
    attributes: Value,
    system: BTreeMap<&'static str, String>,
    receives: u32,
    is_hidden: bool,
}

#[derive(Default)]
struct Queue {
    messages: Vec<Message>,
    attributes: Value,
    /// Messages that another reader has.
    in_flight: usize,
}

/// What SQS has, by the queue's name.
#[derive(Default)]
struct Sqs {
    queues: BTreeMap<String, Queue>,
    /// Operations that are refused from now on, with the code.
    refused: Option<(&'static str, &'static str)>,
    /// All operations, in order.
    operations: Vec<String>,
}

impl Sqs {
    fn answer(&mut self, operation: &str, request: &Value) -> (u16, Value) {
        self.operations.push(operation.to_owned());
        if let Some((refused, code)) = self.refused
            && refused == operation
        {
            return error(code);
        }
        if operation == "GetQueueUrl" {
            return (
                200,
                json!({"QueueUrl": format!("http://127.0.0.1:9/000000000000/{}", request["QueueName"].as_str().unwrap())}),
            );
        }
        let name = request["QueueUrl"].as_str().unwrap_or_default().rsplit('/').next().unwrap().to_owned();
        let count = self.queues.values().map(|queue| queue.messages.len()).sum::<usize>();
        let Some(queue) = self.queues.get_mut(&name) else { return error("AWS.SimpleQueueService.NonExistentQueue") };
        let entries = request["Entries"].as_array().cloned().unwrap_or_default();
        let receipts: Vec<&str> = entries.iter().filter_map(|entry| entry["ReceiptHandle"].as_str()).collect();
        let done: Vec<Value> = entries.iter().map(|entry| json!({"Id": entry["Id"]})).collect();
        match operation {
            "GetQueueAttributes" => (200, json!({"Attributes": queue.described()})),
            "ReceiveMessage" => {
                (200, json!({"Messages": queue.receive(request["MaxNumberOfMessages"].as_u64().unwrap())}))
            }
            "DeleteMessageBatch" => {
                queue.messages.retain(|message| !receipts.contains(&message.receipt().as_str()));
                (200, json!({"Successful": done, "Failed": []}))
            }
            "ChangeMessageVisibilityBatch" => {
                let is_visible = entries.iter().all(|entry| entry["VisibilityTimeout"] == 0);
                for message in
                    queue.messages.iter_mut().filter(|message| receipts.contains(&message.receipt().as_str()))
                {
                    message.is_hidden = !is_visible;
                }
                (200, json!({"Successful": done, "Failed": []}))
            }
            "SendMessage" => {
                let text = |name: &str| request[name].as_str().map(str::to_owned);
                let system = [
                    ("MessageGroupId", text("MessageGroupId")),
                    ("MessageDeduplicationId", text("MessageDeduplicationId")),
                    (
                        "AWSTraceHeader",
                        request["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"].as_str().map(str::to_owned),
                    ),
                ];
                let id = format!("sent-{count}");
                queue.messages.push(Message {
                    id: id.clone(),
                    body: text("MessageBody").unwrap(),
                    attributes: request["MessageAttributes"].clone(),
                    system: system.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
                    ..Message::default()
                });
                (200, json!({"MessageId": id}))
            }
            _ => error("UnsupportedOperation"),
        }
    }
}

impl Message {
    /// Of the last receive: an earlier one deletes nothing.
    fn receipt(&self) -> String {
        format!("{} {}", self.id, self.receives)
    }
}

impl Queue {
    fn of(messages: Vec<Message>) -> Self {
        Self { messages, attributes: json!({}), in_flight: 0 }
    }

    fn described(&self) -> Value {
        let mut attributes = self.attributes.clone();
        let visible = self.messages.iter().filter(|message| !message.is_hidden).count();
        attributes["ApproximateNumberOfMessages"] = visible.to_string().into();
        attributes["ApproximateNumberOfMessagesNotVisible"] =
            (self.messages.len() - visible + self.in_flight).to_string().into();
        attributes["MessageRetentionPeriod"] = "1209600".into();
        attributes
    }

    fn receive(&mut self, max: u64) -> Vec<Value> {
        let visible = self.messages.iter_mut().filter(|message| !message.is_hidden);
        let received = visible.take(usize::try_from(max).unwrap()).map(|message| {
            message.is_hidden = true;
            message.receives += 1;
            let mut system = json!(message.system);
            system["ApproximateReceiveCount"] = message.receives.to_string().into();
            json!({
                "MessageId": message.id, "ReceiptHandle": message.receipt(), "Body": message.body, "Attributes": system,
                "MessageAttributes": message.attributes,
            })
        });
        received.collect()
    }
}

/// A deployment with these queues, and SQS under it.
struct Deployment {
    aws: AwsStub,
    sqs: Arc<Mutex<Sqs>>,
    is_fifo: bool,
}

impl Deployment {
    async fn of(quarantine: Vec<Value>, dead_letters: Vec<Message>, is_fifo: bool) -> Self {
        Self::slow(Duration::ZERO, quarantine, dead_letters, is_fifo).await
    }

    /// The same, where each answer of SQS takes so long.
    async fn slow(takes: Duration, quarantine: Vec<Value>, dead_letters: Vec<Message>, is_fifo: bool) -> Self {
        let suffix = if is_fifo { ".fifo" } else { "" };
        let quarantine = quarantine.into_iter().enumerate().map(|(number, record)| Message {
            id: format!("quarantined-{number}"),
            body: record.to_string(),
            system: BTreeMap::from([("SentTimestamp", now_less(3600).to_string())]),
            ..Message::default()
        });
        let policy = json!({"deadLetterTargetArn": format!("arn:aws:sqs:us-east-1:000000000000:dead{suffix}"), "maxReceiveCount": 5});
        let mut events = Queue::of(Vec::new());
        events.attributes = json!({"RedrivePolicy": policy.to_string()});
        let queues = BTreeMap::from([
            ("quarantine".to_owned(), Queue::of(quarantine.collect())),
            (format!("dead{suffix}"), Queue::of(dead_letters)),
            (format!("events{suffix}"), events),
        ]);
        let sqs = Arc::new(Mutex::new(Sqs { queues, ..Sqs::default() }));
        let answering = Arc::clone(&sqs);
        let answer = move |operation: &str, request: &Value| answering.lock().unwrap().answer(operation, request);
        let aws = AwsStub::start_slow(takes, answer).await;
        Self { aws, sqs, is_fifo }
    }

    fn sqs(&self) -> MutexGuard<'_, Sqs> {
        self.sqs.lock().unwrap()
    }

    fn name(&self, name: &str) -> String {
        if self.is_fifo && name != "quarantine" { format!("{name}.fifo") } else { name.to_owned() }
    }

    fn messages(&self, name: &str) -> Vec<Message> {
        self.sqs().queues[&self.name(name)].messages.clone()
    }

    fn command(&self) -> Command {
        let mut command = voicehook();
        let url = |name: &str| format!("{}/000000000000/{}", self.aws.endpoint, self.name(name));
        self.aws.point(&mut command).env("ENABLEX_APP_ID", APP_ID);
        command.envs([("QUARANTINE_QUEUE_URL", url("quarantine")), ("QUEUE_URL", url("events"))]);
        command
    }

    fn inspect(&self, options: &[&str]) -> Inspect {
        Inspect::start(&mut self.command(), options)
    }
}

fn now_less(seconds: u64) -> u128 {
    (SystemTime::now() - Duration::from_secs(seconds)).duration_since(UNIX_EPOCH).unwrap().as_millis()
}

/// A dead letter of so many seconds ago.
fn dead_letter(id: &str, group: &str, seconds: u64) -> Message {
    let attribute = |value: &str| json!({"DataType": "String", "StringValue": value});
    Message {
        id: id.to_owned(),
        body: format!(r#"{{"voice_id":"{group}","state":"hold","from":"{PHONE_NUMBER}","n":1.50}}"#),
        attributes: json!({
            "event_id": attribute(&format!("event of {id}")), "event_type": attribute("call.hold"),
            "voice_id": attribute(group), "app": attribute("default"), "content_type": attribute("application/json"),
            "received_at": attribute("2026-11-23T10:52:06.007Z"), "of_its_own": {"DataType": "Number", "StringValue": "7"},
        }),
        system: BTreeMap::from([
            ("MessageGroupId", format!("default:{group}")),
            ("MessageDeduplicationId", format!("event of {id}")),
            ("AWSTraceHeader", "Root=1-5759e988-bd862e3fe1be46a994272793".to_owned()),
            ("DeadLetterQueueSourceArn", "arn:aws:sqs:us-east-1:000000000000:events.fifo".to_owned()),
            ("SentTimestamp", now_less(seconds).to_string()),
        ]),
        ..Message::default()
    }
}

fn ids(list: &Value) -> Vec<String> {
    list["messages"].as_array().unwrap().iter().map(|message| message["id"].as_str().unwrap().to_owned()).collect()
}

fn item<'l>(list: &'l Value, id: &str) -> &'l Value {
    list["messages"].as_array().unwrap().iter().find(|message| message["id"] == id).unwrap_or_else(|| panic!("{list}"))
}

fn result<'r>(redriven: &'r Value, id: &str) -> &'r Value {
    let mut outcomes = redriven["outcomes"].as_array().unwrap().iter();
    outcomes.find(|outcome| outcome["id"] == id).unwrap_or_else(|| panic!("{redriven}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_received_before_a_person_asks_for_it() {
    let deployment =
        Deployment::of(vec![record("a", &encrypted(EVENT))], vec![dead_letter("d", "v1", 600)], false).await;
    let inspect = deployment.inspect(&["--allow-redrive"]);
    let (status, queues) = inspect.ask("queues");
    assert_eq!(status, 200);
    assert_eq!((&queues["quarantine"]["name"], &queues["quarantine"]["waiting"]), (&json!("quarantine"), &json!(1)));
    assert_eq!((&queues["dead-letters"]["name"], &queues["events"]), (&json!("dead"), &json!("events")));
    for path in ["quarantine", "dead-letters", "quarantine/messages/quarantined-0"] {
        assert_eq!(inspect.ask(path).0, 404, "{path}");
    }
    assert_eq!(inspect.post("quarantine/redrive", &json!({"ids": ["quarantined-0"]})).0, 404);
    assert!(!deployment.sqs().operations.contains(&"ReceiveMessage".to_owned()), "{:?}", deployment.sqs().operations);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_explains_each_webhook_and_gives_everything_back() {
    let whole = encrypted(EVENT);
    let (first, second) = whole.split_at(50);
    let deployment = Deployment::of(
        vec![
            record("opens", &whole),
            record("foreign", &encrypted_with("another", EVENT)),
            with(record("of sales", &whole), json!({"app": "sales"})),
            part("in parts", 2, 2, second),
            part("in parts", 1, 2, first),
            part("half", 1, 2, first),
            json!({"Type": "Notification"}),
            with(record("plain", EVENT.as_bytes()), json!({"reason": "app_id_unavailable", "headers": {}})),
        ],
        vec![],
        false,
    )
    .await;
    deployment.sqs().queues.get_mut("quarantine").unwrap().in_flight = 2;
    let inspect = deployment.inspect(&[]);
    let (status, seen) = inspect.post("quarantine/look", &json!({}));
    assert_eq!(status, 200, "{seen}");
    assert_eq!(
        (&seen["seen"], &seen["in_flight"], &seen["unseen"], &seen["is_cut"]),
        (&json!(8), &json!(2), &json!(0), &json!(false))
    );
    assert!(deployment.messages("quarantine").iter().all(|message| !message.is_hidden && message.receives == 1));
    assert_eq!(ids(&seen).len(), 7);
    for (id, failed, step) in [
        ("quarantined-0", Value::Null, None),
        ("quarantined-1", json!("Wrong AppID: decryption failed"), Some("Decrypt")),
        ("quarantined-2", json!("No AppID is configured for its app"), Some("AppID")),
        ("quarantined-4", Value::Null, None),
        ("quarantined-5", json!("Parts are missing"), None),
        ("quarantined-6", json!("not written by voicehook"), None),
        ("quarantined-7", json!("Not encrypted, and its token could not be checked"), Some("Route")),
    ] {
        let summary = item(&seen, id);
        assert_eq!((&summary["failed"], summary["stays"].is_null()), (&failed, failed.is_null()), "{summary}");
        assert!(!summary.to_string().contains("\"state\""), "the list has the event: {summary}");
        let (status, details) = inspect.ask(&format!("quarantine/messages/{id}"));
        assert_eq!((status, details["failure"]["step"].as_str()), (200, step), "{details}");
    }
    let (_, opens) = inspect.ask("quarantine/messages/quarantined-0");
    assert_eq!((&opens["plaintext"], &opens["event_type"]), (&json!(EVENT), &json!("call.connected")));
    assert_eq!(opens["message"]["attributes"][0][0], "event_id");
    let (_, foreign) = inspect.ask("quarantine/messages/quarantined-1");
    let next = foreign["failure"]["next"].to_string();
    assert!(next.contains("store it in the deployment's secret") && !next.contains("--app-id"), "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_app_id_webhooks_are_listed_and_dead_letters_can_be_moved() {
    let deployment =
        Deployment::of(vec![record("a", &encrypted(EVENT))], vec![dead_letter("d", "v1", 600)], false).await;
    let mut command = deployment.command();
    command.env_remove("ENABLEX_APP_ID");
    let inspect = Inspect::start(&mut command, &["--allow-redrive"]);
    let (_, seen) = inspect.post("quarantine/look", &json!({}));
    let summary = item(&seen, "quarantined-0");
    assert_eq!((&summary["reason"], &summary["request_id"]), (&json!("undecryptable"), &json!("request of a")));
    assert_eq!(summary["failed"], "No AppID to decrypt it with");
    let (status, refused) = inspect.post("quarantine/redrive", &json!({"ids": ["quarantined-0"]}));
    assert!(status == 502 && refused["error"].as_str().unwrap().contains("No AppID is configured"), "{refused}");
    inspect.post("dead-letters/look", &json!({}));
    assert_eq!(inspect.post("dead-letters/redrive", &json!({"ids": ["d"]})).1["moved"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_moved_without_the_option_and_the_plan_says_so() {
    let deployment =
        Deployment::of(vec![record("a", &encrypted(EVENT))], vec![dead_letter("d", "v1", 600)], false).await;
    let inspect = deployment.inspect(&[]);
    assert!(inspect.lines.iter().any(|line| line.starts_with("redrive: off")), "{:?}", inspect.lines);
    for (kind, id) in [("quarantine", "quarantined-0"), ("dead-letters", "d")] {
        inspect.post(&format!("{kind}/look"), &json!({}));
        let (status, plan) = inspect.post(&format!("{kind}/plan"), &json!({"ids": [id]}));
        assert_eq!((status, &plan["move"]), (200, &json!(1)), "{plan}");
        assert!(plan["redrive_is_off"].as_str().unwrap().contains("--allow-redrive"), "{plan}");
        let (status, refused) = inspect.post(&format!("{kind}/redrive"), &json!({"ids": [id]}));
        assert!(status == 403 && refused["error"].as_str().unwrap().contains("--allow-redrive"), "{refused}");
    }
    assert_eq!((deployment.messages("quarantine").len(), deployment.messages("dead").len()), (1, 1));
    assert!(deployment.messages("events").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_selected_of_the_quarantine_is_sent_and_everything_else_stays() {
    let whole = encrypted(EVENT);
    let (first, second) = whole.split_at(50);
    let deployment = Deployment::of(
        vec![
            record("selected", &whole),
            record("not selected", &encrypted(&EVENT.replace("connected", "hold"))),
            record("foreign", &encrypted_with("another", EVENT)),
            part("in parts", 1, 2, first),
            part("in parts", 2, 2, second),
            part("in parts", 2, 2, second),
        ],
        vec![],
        true,
    )
    .await;
    let inspect = deployment.inspect(&["--allow-redrive"]);
    inspect.post("quarantine/look", &json!({}));
    let selected = json!({"ids": ["quarantined-0", "quarantined-2", "quarantined-3", "quarantined-0"]});
    let (_, plan) = inspect.post("quarantine/plan", &selected);
    assert_eq!((&plan["move"], &plan["stay"], &plan["to"]), (&json!(2), &json!(1), &json!("events.fifo")), "{plan}");
    let said = plan["sentences"].to_string();
    for part in [
        "2 webhooks are decrypted with the current AppIDs",
        "sent to events.fifo: 2 call.connected",
        "and only then",
        "1 of the selection will stay in quarantine: undecryptable",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (status, redriven) = inspect.post("quarantine/redrive", &selected);
    assert_eq!((status, &redriven["moved"], &redriven["left"]), (200, &json!(2), &json!(1)), "{redriven}");
    assert_eq!(result(&redriven, "quarantined-2")["why"], "undecryptable");
    let events = deployment.messages("events");
    assert_eq!(events.iter().map(|message| message.body.as_str()).collect::<Vec<_>>(), [EVENT, EVENT]);
    assert_eq!(events[0].attributes["received_at"]["StringValue"], "2026-11-23T10:52:06.000Z");
    let left = deployment.messages("quarantine");
    let left_ids: Vec<&str> = left.iter().map(|message| message.id.as_str()).collect();
    assert_eq!(
        left_ids,
        ["quarantined-1", "quarantined-2"],
        "all copies of what was sent are deleted, and nothing else"
    );
    assert!(left.iter().all(|message| !message.is_hidden), "what was not moved is not given back");
    assert!(!ids(&inspect.ask("quarantine").1).contains(&"quarantined-0".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_go_back_as_they_are_in_the_order_of_their_call() {
    for is_fifo in [true, false] {
        let letters = [("d1", "v1"), ("d2", "v2"), ("d3", "v1")].map(|(id, call)| dead_letter(id, call, 600));
        let deployment = Deployment::of(vec![], letters.to_vec(), is_fifo).await;
        let inspect = deployment.inspect(&["--allow-redrive"]);
        let (_, seen) = inspect.post("dead-letters/look", &json!({}));
        assert_eq!(item(&seen, "d1")["event_type"], "call.hold");
        let (_, details) = inspect.ask("dead-letters/messages/d1");
        assert_eq!(details["failure"]["step"], "Subscriber");
        let why = details["failure"]["why"].as_str().unwrap();
        assert!(why.contains("5 times (maxReceiveCount)") && why.contains("events.fifo"), "{why}");
        assert!(details["plaintext"].as_str().unwrap().contains(PHONE_NUMBER));
        let (_, plan) = inspect.post("dead-letters/plan", &json!({"ids": ["d3", "d1"]}));
        assert!(plan["sentences"].to_string().contains("2 dead letters are sent to events"), "{plan}");

        let (_, redriven) = inspect.post("dead-letters/redrive", &json!({"ids": ["d3", "d1"]}));
        assert_eq!((&redriven["moved"], &redriven["left"]), (&json!(2), &json!(0)), "{redriven}");
        for (moved, original) in deployment.messages("events").iter().zip([&letters[0], &letters[2]]) {
            assert_eq!((&moved.body, &moved.attributes), (&original.body, &original.attributes));
            let kept = |name| moved.system.get(name) == original.system.get(name);
            assert!(kept("MessageGroupId") && kept("AWSTraceHeader"), "{:?}", moved.system);
            assert_eq!(kept("MessageDeduplicationId"), is_fifo);
        }
        let left = deployment.messages("dead");
        assert!(left.len() == 1 && left[0].id == "d2" && !left[0].is_hidden);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_sqs_would_drop_as_a_duplicate_waits_and_no_later_one_of_its_call_overtakes_it() {
    let letters =
        vec![dead_letter("early", "v1", 60), dead_letter("later", "v1", 600), dead_letter("other", "v2", 600)];
    let deployment = Deployment::of(vec![], letters, true).await;
    let inspect = deployment.inspect(&["--allow-redrive"]);
    let (_, seen) = inspect.post("dead-letters/look", &json!({}));
    assert!(item(&seen, "early")["stays"].as_str().unwrap().contains("deduplication id"), "{seen}");
    let selected = json!({"ids": ["early", "later", "other"]});
    let (_, redriven) = inspect.post("dead-letters/redrive", &selected);
    assert_eq!((&redriven["moved"], &redriven["left"]), (&json!(1), &json!(2)), "{redriven}");
    assert!(result(&redriven, "later")["why"].as_str().unwrap().contains("an earlier event"), "{redriven}");
    assert_eq!(result(&redriven, "other")["result"], "moved");
    assert_eq!(deployment.messages("dead").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sqs_does_not_accept_stays_where_it_is() {
    let deployment = Deployment::of(
        vec![record("a", &encrypted(EVENT)), record("b", &encrypted(EVENT))],
        vec![dead_letter("d", "v1", 600), dead_letter("e", "v1", 600)],
        false,
    )
    .await;
    let inspect = deployment.inspect(&["--allow-redrive"]);
    for (kind, queue, ids) in
        [("quarantine", "quarantine", ["quarantined-0", "quarantined-1"]), ("dead-letters", "dead", ["d", "e"])]
    {
        inspect.post(&format!("{kind}/look"), &json!({}));
        deployment.sqs().refused = Some(("SendMessage", "AccessDenied"));
        let (status, redriven) = inspect.post(&format!("{kind}/redrive"), &json!({"ids": ids}));
        deployment.sqs().refused = None;
        assert_eq!((status, &redriven["moved"], &redriven["left"]), (200, &json!(0), &json!(2)), "{redriven}");
        assert!(result(&redriven, ids[0])["why"].as_str().unwrap().contains("AccessDenied"), "{redriven}");
        assert!(deployment.messages(queue).iter().all(|message| !message.is_hidden), "not given back");
        assert_eq!(deployment.messages(queue).len(), 2);

        deployment.sqs().refused = Some(("DeleteMessageBatch", "AccessDenied"));
        let (_, redriven) = inspect.post(&format!("{kind}/redrive"), &json!({"ids": ids[..1]}));
        deployment.sqs().refused = None;
        assert_eq!(result(&redriven, ids[0])["result"], "not_deleted", "{redriven}");
        assert_eq!(deployment.messages(queue).len(), 2);
    }
    assert_eq!(deployment.messages("events").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_ends_at_its_limit_and_says_how_many_it_did_not_see() {
    let letters: Vec<Message> = (0..25).map(|number| dead_letter(&format!("d{number}"), "v1", 600)).collect();
    let deployment = Deployment::of(vec![], letters, false).await;
    let inspect = deployment.inspect(&["--max", "12"]);
    let (_, seen) = inspect.post("dead-letters/look", &json!({}));
    assert_eq!((&seen["seen"], &seen["unseen"], &seen["is_cut"]), (&json!(12), &json!(13), &json!(true)), "{seen}");
    assert_eq!(deployment.messages("dead").iter().filter(|message| message.receives > 0).count(), 12);
    assert!(deployment.messages("dead").iter().all(|message| !message.is_hidden));
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_during_a_look_gives_back_what_was_received() {
    let letters: Vec<Message> = (0..60).map(|number| dead_letter(&format!("d{number}"), "v1", 600)).collect();
    let deployment = Deployment::slow(Duration::from_millis(100), vec![], letters, false).await;
    let inspect = deployment.inspect(&[]);
    let looking = std::thread::spawn({
        let request = inspect.request("dead-letters/look");
        move || request.send("{}").is_ok()
    });
    while !deployment.sqs().operations.contains(&"ReceiveMessage".to_owned()) {
        std::thread::yield_now();
    }
    assert_eq!(tokio::task::block_in_place(|| inspect.interrupt()), (Some(0), String::new()));
    let letters = deployment.messages("dead");
    assert!(letters.iter().all(|message| !message.is_hidden), "left hidden");
    assert!(letters.iter().any(|message| message.receives == 0), "it went on to the end");
    looking.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_looks_wrong_in_an_app_id_is_said_where_a_webhook_does_not_open() {
    let deployment = Deployment::of(vec![record("a", &encrypted(EVENT))], vec![], false).await;
    let mut command = deployment.command();
    let inspect = Inspect::start(command.env("ENABLEX_APP_ID", format!("\"{APP_ID}\"")), &[]);
    inspect.post("quarantine/look", &json!({}));
    let (_, details) = inspect.ask("quarantine/messages/quarantined-0");
    let next = details["failure"]["next"][0].as_str().unwrap();
    assert!(next.starts_with("The AppID of app default") && next.ends_with("correct it, and look again."), "{next}");
    assert!(!details.to_string().contains(APP_ID), "{details}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_events_say_and_the_token_are_in_no_output_but_the_page() {
    let event = EVENT.replace("1.50", &format!("\"{PHONE_NUMBER}\""));
    let deployment =
        Deployment::of(vec![record("a", &encrypted(&event))], vec![dead_letter("d", "v1", 600)], false).await;
    let inspect = deployment.inspect(&["--allow-redrive"]);
    let printed_lines = inspect.lines.join("\n");
    for kind in ["quarantine", "dead-letters"] {
        let (_, seen) = inspect.post(&format!("{kind}/look"), &json!({}));
        assert!(!seen.to_string().contains(PHONE_NUMBER));
        inspect.post(&format!("{kind}/redrive"), &json!({"ids": ids(&seen)}));
    }
    let (status, errors) = inspect.interrupt();
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    assert!(!printed_lines.contains(PHONE_NUMBER) && !printed_lines.contains(APP_ID), "{printed_lines}");

    let deployment =
        Deployment::of(vec![record("a", &encrypted(&event))], vec![dead_letter("d", "v1", 600)], false).await;
    let output = tokio::task::block_in_place(|| deployment.command().args(["inspect", "--json"]).output().unwrap());
    let text = printed(&output);
    assert!(output.status.success() && !text.contains(PHONE_NUMBER) && !text.contains(APP_ID), "{text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(item(&report["quarantine"], "quarantined-0")["event_type"], "call.connected");
    assert_eq!(item(&report["dead-letters"], "d")["event_id"], "event of d");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_need_the_token_and_say_what_is_wrong_with_them() {
    let deployment = Deployment::of(vec![record("a", &encrypted(EVENT))], vec![], false).await;
    let mut inspect = deployment.inspect(&["--allow-redrive"]);
    for (path, document, status, why) in [
        ("quarantine/redrive", json!({}), 400, "missing field `ids`"),
        ("quarantine/redrive", json!({"ids": [], "all": true}), 400, "unknown field `all`"),
        ("elsewhere/look", json!({}), 404, "quarantine and dead-letters"),
        ("quarantine/plan", json!({"ids": ["x"]}), 404, "POST to quarantine/look first"),
    ] {
        let (answered, said) = inspect.post(path, &document);
        assert!(answered == status && said["error"].as_str().unwrap().contains(why), "{path}: {answered} {said}");
    }
    inspect.post("quarantine/look", &json!({}));
    assert_eq!(inspect.post("quarantine/redrive", &json!({"ids": []})).0, 400);
    assert_eq!(inspect.post("quarantine/redrive", &json!({"ids": ["x"]})).0, 404);
    inspect.url.push('0');
    assert_eq!(inspect.ask("queues").0, 401);
    assert_eq!(inspect.post("quarantine/look", &json!({})).0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_with_a_browser_can_look_and_redrive() {
    let Some((browser, folder)) = tokio::task::block_in_place(install) else { return };
    let quarantine = || {
        let call = |state: &str| encrypted(&EVENT.replace("connected", state));
        vec![
            record("opens", &call("connected")),
            record("foreign", &encrypted_with("another", EVENT)),
            with(record("another app", &call("hold")), json!({"app": "an-app-with-a-long-name"})),
            with(
                record("came while the secret could not be read", &call("bridge_disconnected")),
                json!({"reason": "app_id_unavailable"}),
            ),
            json!({"Type": "Notification"}),
        ]
    };
    let letters = || {
        vec![
            dead_letter("d1", "v1", 600),
            dead_letter("d2", "8d0c7a44-1b5e-4d7f-9f62-2f6f0d1f3a10", 14 * 86_400 - 7200),
            dead_letter("d3", "v1", 60),
        ]
    };
    let (to_read, to_move) =
        (Deployment::of(quarantine(), letters(), true).await, Deployment::of(quarantine(), letters(), true).await);
    to_read.sqs().queues.get_mut("quarantine").unwrap().in_flight = 2;
    let (read_only, moving) = (to_read.inspect(&[]), to_move.inspect(&["--allow-redrive"]));
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=spec", "production.mjs"]).current_dir(&folder).env("CHROMIUM", browser);
    node.envs([("READ_ONLY", &read_only.url), ("MOVING", &moving.url)]);
    let output = tokio::task::block_in_place(|| node.output().unwrap());
    assert!(output.status.success(), "{}", printed(&output));
    assert!(to_read.messages("events").is_empty() && to_read.messages("dead").len() == 3);
    let left = |name| to_move.messages(name).into_iter().map(|message| message.id).collect::<Vec<_>>();
    assert_eq!(left("dead"), ["d3"]);
    assert_eq!(left("quarantine"), ["quarantined-1", "quarantined-2", "quarantined-4"]);
    assert_eq!(to_move.messages("events").len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_command_line_says_what_would_be_right() {
    let deployment = Deployment::of(vec![], vec![], false).await;
    let run = |options: &[&str], variables: &[(&str, &str)]| {
        let mut command = voicehook();
        deployment.aws.point(&mut command).args(["inspect"]).args(options).envs(variables.iter().copied());
        let output = tokio::task::block_in_place(|| command.output().unwrap());
        assert!(!output.status.success());
        printed(&output)
    };
    let queue = format!("{}/000000000000/quarantine", deployment.aws.endpoint);
    for (options, says) in [
        (vec![], "--quarantine-url"),
        (vec!["--quarantine-url", "quarantine"], "--quarantine-url is not the URL of an SQS queue"),
        (vec!["--quarantine-url", &queue, "--dead-letter-url", &queue], "are the same queue"),
        (vec!["--quarantine-url", &queue, "--listen", "0.0.0.0:0"], "use 127.0.0.1"),
        (vec!["--quarantine-url", &queue, "--queue-url", "http://127.0.0.1:9/0/nowhere"], "does not exist"),
        (vec!["--stack", "voicehook", "--queue-url", &queue], "cannot be used with"),
    ] {
        let text = run(&options, &[]);
        assert!(text.contains(says), "{options:?}: {text}");
    }
    let text = run(
        &["--dead-letter-url", "http://127.0.0.1:9/0/dead.fifo"],
        &[("QUEUE_URL", &format!("{}/0/events", deployment.aws.endpoint))],
    );
    assert!(text.contains("dead.fifo is a FIFO queue and events is a standard queue"), "{text}");
}
