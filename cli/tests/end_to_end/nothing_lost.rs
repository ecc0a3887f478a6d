//! Quarantine, redrive and rotation, with the built function and a real queue: webhooks in, messages out, counted.

use std::{
    collections::HashSet,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use voicehook_lambda::{
    decrypt::{Algorithm, Encoding, Format},
    sender,
};

use crate::{
    assert_every_event_arrived_whole,
    aws_emulator::AwsEmulator,
    events,
    lambda_emulator::{LambdaEmulator, http_api_event},
    process::{kill, run},
    tools::Tools,
};

const PATH: &str = "/webhook";
/// Longest wait for a visibility timeout to pass.
const PATIENCE: Duration = Duration::from_secs(60);

fn body(event: &str, app_id: &str) -> String {
    let algorithm = Algorithm::named("aes-256-cbc").unwrap();
    format!(r#"{{"encrypted_data":"{}"}}"#, sender::encrypt(event, app_id, algorithm, Format::Hex, Encoding::Utf8))
}

fn status(function: &LambdaEmulator, event: &str, app_id: &str) -> u64 {
    let response = function.invoke(PATH, &body(event, app_id));
    response["statusCode"].as_u64().unwrap_or_else(|| panic!("no response: {response}"))
}

/// Queues, the secret `enablex` and the function that uses them.
struct Stack {
    aws: AwsEmulator,
    queue: String,
    quarantine: String,
    tools: Tools,
}

impl Stack {
    async fn new(app_id: &str) -> Option<Self> {
        let tools = Tools::install()?;
        let aws = AwsEmulator::start(&tools);
        let queue = aws.create_fifo_queue("events.fifo").await;
        let quarantine = aws.create_standard_queue("quarantine").await;
        if !app_id.is_empty() {
            aws.create_secret("enablex", app_id).await;
        }
        Some(Self { aws, queue, quarantine, tools })
    }

    fn function(&self) -> LambdaEmulator {
        let variables = [
            ("QUEUE_URL", self.queue.as_str()),
            ("QUARANTINE_QUEUE_URL", &self.quarantine),
            ("ENABLEX_APP_ID_SECRET", "enablex"),
        ];
        LambdaEmulator::start(&self.tools, &self.aws, &variables)
    }

    fn redrive(&self, arguments: &[&str]) -> Command {
        let mut redrive = Command::new(env!("CARGO_BIN_EXE_voicehook"));
        redrive.args(["redrive", "--from", &self.quarantine, "--to", &self.queue, "--visibility-timeout", "4"]);
        redrive.args(arguments).env_remove("ENABLEX_APP_ID").env("ENABLEX_APP_ID_SECRET", "enablex");
        self.aws.client_environment(&mut redrive);
        redrive
    }
}

#[tokio::test]
async fn a_hundred_webhooks_under_a_wrong_app_id_reach_the_queue_after_a_redrive_that_was_killed_once() {
    let Some(stack) = Stack::new("wrong").await else { return };
    let mut events = events(12);
    events.extend((0..3).map(|number| format!(r#"{{"voice_id":"other-{number}","state":"connected"}}"#)));
    // One that needs several messages.
    events.push(format!(r#"{{"voice_id":"large","state":"transcript","text":"{}"}}"#, "x".repeat(900_000)));
    assert_eq!(events.len(), 100);
    let function = stack.function();
    for event in &events {
        assert_eq!(status(&function, event, "right"), 200);
    }
    assert_eq!(stack.aws.messages_on(&stack.queue).await, 0);
    assert_eq!(stack.aws.messages_on(&stack.quarantine).await, 102, "the large one in three parts");

    let hopeless = stack.redrive(&[]).output().unwrap();
    assert!(String::from_utf8_lossy(&hopeless.stderr).contains("left: undecryptable: request id "), "{hopeless:?}");
    assert!(String::from_utf8_lossy(&hopeless.stdout).contains("100  left: undecryptable"), "{hopeless:?}");
    assert!(!hopeless.status.success());

    stack.aws.put_secret("enablex", "right").await;
    assert_eq!(stack.aws.messages_on(&stack.quarantine).await, 102, "given back at once");
    let would = run(&mut stack.redrive(&["--dry-run"]));
    assert!(would.contains("100  would be sent to the queue"), "{would}");
    assert_eq!(stack.aws.messages_on(&stack.queue).await, 0);

    assert_eq!(stack.aws.messages_on(&stack.quarantine).await, 102, "given back at once");
    let mut killed = stack.redrive(&[]).stdout(Stdio::null()).spawn().unwrap();
    while stack.aws.messages_on(&stack.queue).await < 20 {
        assert!(killed.try_wait().unwrap().is_none(), "it was to be killed in the middle");
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let left = until_all_visible(&stack).await;
    assert!(left > 0, "killed too late to show anything");
    let printed = run(&mut stack.redrive(&[]));
    assert!(printed.contains("sent to the queue"), "{printed}");

    let messages = stack.aws.receive_all(&stack.queue, events.len()).await;
    assert_every_event_arrived_whole(&messages, &events);
    assert_eq!(until_all_visible(&stack).await, 0, "nothing is left in quarantine");
}

/// As many messages as the quarantine has once nobody holds any of them.
async fn until_all_visible(stack: &Stack) -> usize {
    let waited = async { while stack.aws.messages_in_flight(&stack.quarantine).await > 0 {} };
    tokio::time::timeout(PATIENCE, waited).await.unwrap();
    stack.aws.messages_on(&stack.quarantine).await
}

#[tokio::test]
async fn a_rotation_in_a_mixed_stream_loses_nothing_and_quarantines_nothing() {
    let Some(stack) = Stack::new("old").await else { return };
    let mut events = events(12);
    let stream = events.len();
    let function = stack.function();
    for number in 0..stream {
        if number == stream / 3 {
            stack.aws.put_secret("enablex", "new").await;
            // The new AppID counts once it has been current for a second; until then EnableX goes on with the old one.
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_secs(2) {
                let event = format!(r#"{{"voice_id":"meanwhile-{}","state":"connected"}}"#, events.len());
                assert_eq!(status(&function, &event, "old"), 200, "a webhook after the rotation");
                events.push(event);
            }
        }
        // EnableX changes over at its own time: first old, then both in turn, then new.
        let app_id = match number * 3 / stream {
            0 => "old",
            1 => ["new", "old"][number % 2],
            _ => "new",
        };
        assert_eq!(status(&function, &events[number], app_id), 200, "webhook {number}, {app_id}");
    }
    let messages = stack.aws.receive_all(&stack.queue, events.len()).await;
    assert_every_event_arrived_whole(&messages, &events);
    assert_eq!(stack.aws.messages_on(&stack.quarantine).await, 0);
}

#[tokio::test]
async fn without_a_secret_at_the_start_webhooks_get_503_until_there_is_one() {
    let Some(stack) = Stack::new("").await else { return };
    let event = events(1).remove(0);
    let function = stack.function();
    assert_eq!(status(&function, &event, "late"), 503);
    stack.aws.create_secret("enablex", "late").await;
    let mut answers = std::iter::repeat_with(|| status(&function, &event, "late"));
    assert_eq!(answers.find(|status| *status != 503), Some(200));
    let messages = stack.aws.receive_all(&stack.queue, 1).await;
    assert_every_event_arrived_whole(&messages, &[event]);
}

#[tokio::test]
async fn a_function_killed_in_the_middle_of_a_thousand_webhooks_answers_200_only_for_what_is_queued() {
    let Some(stack) = Stack::new("app").await else { return };
    let events: Vec<String> =
        (0..1000).map(|number| format!(r#"{{"voice_id":"call-{number}","state":"connected"}}"#)).collect();
    let mut function = stack.function();
    let mut answered = HashSet::new();
    let mut kills = 0;
    for (number, event) in events.iter().enumerate() {
        if number % 250 == 125 {
            // From another thread, at whatever moment of the invocation it happens to be.
            let process = function.function();
            let kill = std::thread::spawn(move || kill(process));
            if function
                .try_invoke(&http_api_event(PATH, &body(event, "app")))
                .is_ok_and(|answer| answer["statusCode"] == 200)
            {
                answered.insert(event.clone());
            }
            kill.join().unwrap();
            kills += 1;
            function = stack.function();
        } else {
            assert_eq!(status(&function, event, "app"), 200);
            answered.insert(event.clone());
        }
    }
    let messages = stack.aws.receive_all(&stack.queue, answered.len()).await;
    let queued: HashSet<String> = messages.into_iter().map(|message| message.body).collect();
    assert!(answered.is_subset(&queued), "a webhook was answered 200 without its message");
    assert!(kills == 4 && queued.len() + kills >= events.len() && queued.len() - answered.len() <= kills);
}

#[tokio::test]
async fn six_megabytes_of_the_worst_json_take_less_than_64_mebibytes_of_memory() {
    let Some(stack) = Stack::new("app").await else { return };
    let function = stack.function();
    // What Lambda takes, with the quotes and backslashes of a body escaped once more in its event.
    let room = 5_900_000;
    let inner = |text: String| body(&text, "app");
    let bodies = [
        ("one long hex text", format!(r#"{{"encrypted_data":"{}"}}"#, "0".repeat(room))),
        ("an event that is too large", inner(format!(r#"{{"text":"{}"}}"#, "x".repeat(room / 2 - 100)))),
        (
            "an event of nothing but brackets",
            inner(format!(r#"{{"a":{}{}}}"#, "[".repeat(room / 4 - 100), "]".repeat(room / 4 - 100))),
        ),
        ("brackets around nothing", "[".repeat(room)),
        ("many fields", format!("{{{}\"encrypted_data\":\"\"}}", "\"a\":1,".repeat(room / 8))),
        ("escapes", format!(r#"{{"encrypted_data":"{}"}}"#, "\\u0000".repeat(room / 7))),
    ];
    for (what, body) in bodies {
        let response = function.invoke(PATH, &body);
        assert!(matches!(response["statusCode"].as_u64(), Some(200 | 400 | 413)), "{what}: {response}");
        let peak = function.peak_memory();
        println!("{what}: peak of {peak} KiB so far");
        assert!(peak < 64 * 1024, "{what}: {peak} KiB");
    }
}
