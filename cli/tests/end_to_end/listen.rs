//! `voicehook listen`, as a person runs it, on the queues of an emulator that the local receiver filled; and `trigger`
//! with an AppID from its Secrets Manager.

use std::{
    collections::{BTreeMap, HashSet},
    io::{BufRead as _, BufReader},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{
    aws_emulator::AwsEmulator,
    process::{free_port, run},
    tool::{Dev, on_a_terminal, printed, typing, voicehook},
    tools::Tools,
};

/// Events of the sample call.
const EVENTS: usize = 9;

fn emulator() -> Option<AwsEmulator> {
    Some(AwsEmulator::start(&Tools::without_the_function()?))
}

/// Puts the events of so many sample calls on a queue.
fn fill(aws: &AwsEmulator, queue_url: &str, calls: usize) {
    for _ in 0..calls {
        let mut dev = voicehook();
        dev.args(["dev", "--once", "--listen", "127.0.0.1:0", "--queue-url", queue_url]);
        run(aws.client_environment(&mut dev));
    }
}

fn listen(aws: &AwsEmulator, queue_url: &str, arguments: &[&str]) -> Command {
    let mut command = voicehook();
    command.args(["listen", "--queue-url", queue_url]).args(arguments);
    aws.client_environment(&mut command);
    command
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

fn json_lines(output: &Output) -> Vec<Value> {
    lines(output).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The states of each call, in the order in which they were printed.
fn states(events: &[Value]) -> BTreeMap<String, Vec<String>> {
    let mut calls: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events {
        let attribute = |name: &str| event["attributes"][name].as_str().unwrap().to_owned();
        calls.entry(attribute("voice_id")).or_default().push(attribute("event_type"));
    }
    calls
}

/// Waits until a listener has printed so many lines, and leaves the rest unread.
fn wait_for_lines(child: &mut Child, count: usize) -> Vec<String> {
    let output = BufReader::new(child.stdout.as_mut().unwrap());
    output.lines().take(count).map(Result::unwrap).collect()
}

fn interrupt(child: &Child) {
    assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn peek_shows_what_is_on_the_queue_and_leaves_it_there() {
    let Some(aws) = emulator() else { return };
    let queue = aws.create_standard_queue("events").await;
    fill(&aws, &queue, 2);
    let output = listen(&aws, &queue, &["--max", "18", "--idle-exit", "20"]).output().unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    let shown = lines(&output);
    assert_eq!(shown.len(), 2 * EVENTS, "{shown:?}");
    assert!(
        shown.iter().any(|line| line.contains("call.connected") && line.contains("from=+12025550123")),
        "{shown:?}"
    );
    assert!(!shown.iter().any(|line| line.contains('\u{1b}')), "colours in a pipe: {shown:?}");
    assert!(printed(&output).contains("18 messages are visible to other readers again"), "{}", printed(&output));
    assert_eq!((aws.messages_on(&queue).await, aws.messages_in_flight(&queue).await), (18, 0));
    let again = listen(&aws, &queue, &["--json", "--max", "18", "--idle-exit", "20"]).output().unwrap();
    let again = json_lines(&again);
    let distinct: HashSet<String> = again.iter().map(|message| message["message_id"].to_string()).collect();
    assert_eq!(distinct.len(), 18);
    assert!(again.iter().all(|message| message["receive_count"] == 2 && message["body"].is_object()), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn delete_takes_the_events_of_a_filter_off_the_queue_in_their_order_and_leaves_the_others() {
    let Some(aws) = emulator() else { return };
    let queue = aws.create_fifo_queue("events.fifo").await;
    fill(&aws, &queue, 3);
    let first = listen(&aws, &queue, &["--json", "--delete", "--max", "1"]).output().unwrap();
    let voice_id = json_lines(&first)[0]["attributes"]["voice_id"].as_str().unwrap().to_owned();
    let filters = ["--filter", &format!("voice_id={voice_id}"), "--filter", "app=def*", "--delete", "--json"];
    let output = listen(&aws, &queue, &filters).args(["--max", "8", "--idle-exit", "30"]).output().unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    let calls = states(&json_lines(&output));
    let of_the_call = &calls[&voice_id];
    assert_eq!((calls.len(), of_the_call.len()), (1, EVENTS - 1), "{calls:?}");
    assert_eq!(of_the_call.last().unwrap(), "call.disconnected");
    assert_eq!((aws.messages_on(&queue).await, aws.messages_in_flight(&queue).await), (2 * EVENTS, 0));
    let missing = listen(&aws, &queue, &["--delete", "--max", "100", "--idle-exit", "1"]).output().unwrap();
    assert_eq!((missing.status.code(), lines(&missing).len()), (Some(1), 2 * EVENTS), "{}", printed(&missing));
    assert_eq!(aws.messages_on(&queue).await, 0);
}

/// A web application that refuses the first event of some type, and remembers what it was posted.
#[derive(Clone, Default)]
struct Application {
    posted: Arc<Mutex<Vec<(HeaderMap, String)>>>,
}

impl Application {
    async fn start(&self) -> String {
        let port = free_port();
        self.start_on(port).await;
        port.to_string()
    }

    async fn start_on(&self, port: u16) {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let take = |State(application): State<Self>, headers: HeaderMap, body: String| async move {
            let mut posted = application.posted.lock().unwrap();
            let is_first = !posted.iter().any(|(_, known)| *known == body);
            let refuse = is_first && headers["x-voicehook-event-type"] == "call.bridged";
            posted.push((headers, body));
            if refuse { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::NO_CONTENT }
        };
        let router = Router::new().fallback(take).with_state(self.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forward_to_posts_each_call_in_its_order_and_gives_back_what_is_refused() {
    let Some(aws) = emulator() else { return };
    let queue = aws.create_fifo_queue("events.fifo").await;
    fill(&aws, &queue, 2);
    let application = Application::default();
    let port = application.start().await;
    let forward = ["--forward-to", &port, "--json", "--max", "18", "--idle-exit", "30"];
    let output = tokio::task::block_in_place(|| listen(&aws, &queue, &forward).output().unwrap());
    assert!(output.status.success(), "{}", printed(&output));
    assert_eq!(aws.messages_on(&queue).await + aws.messages_in_flight(&queue).await, 0);

    let shown = json_lines(&output);
    let (taken, refused): (Vec<Value>, Vec<Value>) =
        shown.into_iter().partition(|event| event["forwarded"]["status"] == 204);
    assert_eq!((taken.len(), refused.len()), (18, 2));
    assert!(refused.iter().all(|event| event["forwarded"]["again_in_seconds"] == 1), "{refused:?}");
    for (voice_id, states) in states(&taken) {
        assert_eq!((states[0].as_str(), states[8].as_str()), ("call.incomingcall", "call.disconnected"));
        let posted = application.posted.lock().unwrap();
        let of_the_call: Vec<_> =
            posted.iter().filter(|(headers, _)| headers["x-voicehook-voice-id"] == voice_id.as_str()).collect();
        let types: Vec<&str> =
            of_the_call.iter().map(|(headers, _)| headers["x-voicehook-event-type"].to_str().unwrap()).collect();
        let bridged = types.iter().position(|name| *name == "call.bridged").unwrap();
        assert_eq!((types.len(), types[bridged + 1]), (10, "call.bridged"), "nothing overtakes it: {types:?}");
        let (headers, body) = of_the_call[0];
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["x-voicehook-receive-count"], "1");
        assert!(body.starts_with(&format!(r#"{{"voice_id":"{voice_id}","state":"#)), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_is_not_there_costs_no_event_and_no_receive() {
    let Some(aws) = emulator() else { return };
    let queue = aws.create_fifo_queue("events.fifo").await;
    fill(&aws, &queue, 1);
    let forward = ["--forward-to", "http://127.0.0.1:9/", "--idle-exit", "3"];
    let output = tokio::task::block_in_place(|| listen(&aws, &queue, &forward).output().unwrap());
    let shown = printed(&output);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("did not answer") && shown.contains("0 events."), "{shown}");
    assert!(shown.contains("not taken by the application"), "{shown}");
    assert_eq!((aws.messages_on(&queue).await, aws.messages_in_flight(&queue).await), (EVENTS, 0));
    let again = ["--max", "1", "--json", "--idle-exit", "20"];
    let output = tokio::task::block_in_place(|| listen(&aws, &queue, &again).output().unwrap());
    assert_eq!(json_lines(&output)[0]["receive_count"], 2, "one receive for all tries");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_starts_later_gets_every_event_once() {
    let Some(aws) = emulator() else { return };
    let queue = aws.create_fifo_queue("events.fifo").await;
    fill(&aws, &queue, 1);
    let port = free_port();
    let max = EVENTS.to_string();
    let forward = ["--forward-to", &port.to_string(), "--json", "--max", &max, "--idle-exit", "30"];
    let mut child = listen(&aws, &queue, &forward).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut notes = BufReader::new(child.stderr.take().unwrap()).lines();
    notes.by_ref().map(Result::unwrap).find(|note| note.contains("did not answer")).unwrap();
    let application = Application::default();
    application.start_on(port).await;
    let output = tokio::task::block_in_place(|| child.wait_with_output().unwrap());
    assert!(output.status.success(), "{}", printed(&output));
    let first = &json_lines(&output)[0];
    assert_eq!((&first["attributes"]["event_type"], &first["receive_count"]), (&"call.incomingcall".into(), &1.into()));
    assert_eq!(aws.messages_left(&queue).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_it_gives_everything_back() {
    let Some(aws) = emulator() else { return };
    let queue = aws.create_standard_queue("events").await;
    fill(&aws, &queue, 1);
    let mut listener = listen(&aws, &queue, &["--filter", "type=call.*", "--idle-exit", "30"]);
    let mut child = listener.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let shown = wait_for_lines(&mut child, 7);
    assert!(shown.iter().all(|line| line.contains("  call.")), "{shown:?}");
    assert!(aws.messages_in_flight(&queue).await >= 7);
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && printed(&output).contains("7 events"), "{}", printed(&output));
    assert_eq!((aws.messages_on(&queue).await, aws.messages_in_flight(&queue).await), (EVENTS, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_costs_no_event() {
    let Some(aws) = emulator() else { return };
    let queue = aws.create_standard_queue("events").await;
    fill(&aws, &queue, 2);
    let mut listener = listen(&aws, &queue, &["--delete", "--idle-exit", "20"]);
    let mut child = listener.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    assert_eq!((aws.messages_on(&queue).await, aws.messages_in_flight(&queue).await), (2 * EVENTS, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_there_are_colours_unless_no_color_is_set() {
    let Some(aws) = emulator() else { return };
    let queue = aws.create_standard_queue("events").await;
    fill(&aws, &queue, 1);
    let command = listen(&aws, &queue, &["--max", "9", "--idle-exit", "20"]);
    let Some(mut terminal) = on_a_terminal(&command) else { return };
    let coloured = printed(&terminal.output().unwrap());
    assert!(coloured.contains("\u{1b}[") && coloured.contains("call.connected"), "{coloured:?}");
    let plain = printed(&terminal.env("NO_COLOR", "1").output().unwrap());
    assert!(!plain.contains('\u{1b}') && plain.contains("call.connected"), "{plain:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_on_its_terminal_ends_it_and_gives_everything_back() {
    let Some(aws) = emulator() else { return };
    let queue = aws.create_standard_queue("events").await;
    fill(&aws, &queue, 1);
    let command = listen(&aws, &queue, &["--idle-exit", "30"]);
    let Some(mut terminal) = typing(&command, 200, "call.disconnected", "\\x03") else { return };
    let output = terminal.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{:?}", printed(&output));
    assert_eq!((aws.messages_on(&queue).await, aws.messages_in_flight(&queue).await), (EVENTS, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_queue_is_named_with_the_next_step() {
    let Some(aws) = emulator() else { return };
    let existing = aws.create_standard_queue("events").await;
    let missing = format!("{existing}-of-nobody");
    for (url, says) in [
        (missing.as_str(), "aws sqs list-queues"),
        ("arn:aws:sqs:us-east-1:1:events", "https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"),
    ] {
        let output = listen(&aws, url, &[]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", printed(&output));
        assert!(printed(&output).contains(says), "{}", printed(&output));
    }
    let nobody = listen(&aws, &existing, &[]).env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").output().unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    assert!(printed(&nobody).contains("SQS request failed"), "{}", printed(&nobody));
    let both = listen(&aws, &existing, &["--peek", "--delete"]).output().unwrap();
    assert_eq!(both.status.code(), Some(2), "{}", printed(&both));
}

#[tokio::test(flavor = "multi_thread")]
async fn trigger_encrypts_with_the_app_id_of_a_secret() {
    let Some(aws) = emulator() else { return };
    aws.create_secret("enablex", r#"{"apps":{"sales":"app-id-of-sales"}}"#).await;
    let dev = Dev::start_with(voicehook().env("ENABLEX_APP_ID", "app-id-of-sales"));
    let trigger = |secret: &str, app: &[&str], url: &str| {
        let mut command = voicehook();
        command.args(["trigger", "connected", "--url", url, "--app-id-secret", secret]).args(app);
        aws.client_environment(&mut command).output().unwrap()
    };
    let sent = trigger("enablex", &["--app", "sales"], &format!("{}/default", dev.url));
    assert!(sent.status.success() && !printed(&sent).contains("app-id-of-sales"), "{}", printed(&sent));
    // The receiver has no app of that name; a URL that ends in /webhook gets it.
    let elsewhere = trigger("enablex", &["--app", "sales"], &dev.url);
    assert!(printed(&elsewhere).contains("answered  404"), "{}", printed(&elsewhere));
    let unnamed = trigger("enablex", &[], &dev.url);
    assert!(!unnamed.status.success() && printed(&unnamed).contains("--app"), "{}", printed(&unnamed));
    let missing = trigger("nothing", &["--app", "sales"], &dev.url);
    assert!(!missing.status.success() && printed(&missing).contains("does not exist"), "{}", printed(&missing));
}
