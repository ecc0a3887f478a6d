//! `voicehook dev --forward-to` with an application that listens on this machine, and what the inspector shows of it.

use std::{
    net::SocketAddr,
    process::Output,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Response},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Dev, status};
use crate::tool::{printed, voicehook};

/// Events of the sample call.
const EVENTS: usize = 9;
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// An answer to the post of an event, which has this type and was posted so often before. `None` is never an answer.
type Behaviour = fn(&str, usize) -> Option<Response<Body>>;

#[derive(Clone)]
struct Application {
    behaviour: Behaviour,
    posted: Arc<Mutex<Vec<Posted>>>,
}

struct Posted {
    path: String,
    headers: HeaderMap,
    body: String,
}

impl Posted {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

impl Application {
    async fn start(behaviour: Behaviour) -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (Self::on(listener, behaviour), address)
    }

    fn on(listener: TcpListener, behaviour: Behaviour) -> Self {
        let application = Self { behaviour, posted: Arc::default() };
        let router = Router::new().fallback(Self::answer).with_state(application.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        application
    }

    async fn answer(State(application): State<Self>, request: Request) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let answer = {
            let mut posted = application.posted();
            let before = posted.iter().filter(|other| other.body == body).count();
            let event_type = parts.headers["x-voicehook-event-type"].to_str().unwrap();
            let answer = (application.behaviour)(event_type, before);
            posted.push(Posted { path: parts.uri.path().to_owned(), headers: parts.headers, body });
            answer
        };
        match answer {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    fn posted(&self) -> MutexGuard<'_, Vec<Posted>> {
        self.posted.lock().unwrap()
    }

    /// The types of the events in the order in which they came.
    fn event_types(&self) -> Vec<String> {
        self.posted().iter().map(|posted| posted.header("x-voicehook-event-type").to_owned()).collect()
    }
}

fn answered(status: u16, body: &str) -> Option<Response<Body>> {
    Some(Response::builder().status(status).body(Body::from(body.to_owned())).unwrap())
}

/// A run that ends after the sample call.
fn once(to: &str, more: &[&str]) -> Output {
    let mut command = voicehook();
    command.args(["dev", "--listen", "127.0.0.1:0", "--once", "--forward-to", to]).args(more);
    tokio::task::block_in_place(|| command.env("HTTP_PROXY", "http://127.0.0.1:9").output().unwrap())
}

/// The forwarding of a webhook, once it is settled.
fn settled(dev: &Dev, id: u64) -> Value {
    let end = Instant::now() + LONGEST_WAIT;
    loop {
        let forwarding = tokio::task::block_in_place(|| dev.details(id))["forwarding"].take();
        if forwarding["state"] != "open" {
            return forwarding;
        }
        assert!(Instant::now() < end, "never settled: {forwarding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_call_are_posted_in_their_order_and_again_until_they_are_taken() {
    let refuse_once: Behaviour =
        |event_type, before| answered(if event_type == "call.connected" && before == 0 { 500 } else { 204 }, "");
    let (application, address) = Application::start(refuse_once).await;
    let output = once(&format!("localhost:{}/events", address.port()), &[]);
    let text = printed(&output);
    assert!(output.status.success(), "{text}");
    let types = application.event_types();
    assert_eq!(types.len(), EVENTS + 1);
    assert_eq!(types[..4], ["call.incomingcall", "call.connected", "call.connected", "play.initiated"]);
    assert_eq!(types.last().unwrap(), "call.disconnected");
    let posted = application.posted();
    let counts: Vec<&str> = posted[..3].iter().map(|posted| posted.header("x-voicehook-receive-count")).collect();
    assert_eq!(counts, ["1", "1", "2"]);
    assert_eq!(posted[1].header("x-voicehook-event-id"), posted[2].header("x-voicehook-event-id"));
    assert_eq!((posted[0].path.as_str(), posted[0].header("content-type")), ("/events", "application/json"));
    assert!(posted[0].body.starts_with(r#"{"voice_id":""#), "{}", posted[0].body);
    assert!(text.contains("answered 500") && text.contains("again in 1 s"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_the_webhook_is_never_that_of_the_application_and_does_not_wait_for_it() {
    let (application, address) = Application::start(|_, _| None).await;
    let dev = Dev::start(&["--forward-to", &address.port().to_string()]);
    let details = dev.details(1);
    assert_eq!((&details["status"], &details["answer"]["body"]), (&200.into(), &"{}".into()));
    assert_eq!(details["forwarding"]["state"], "open");
    assert_eq!(details["steps"].as_array().unwrap().last().unwrap(), &json!(["Application", "waiting"]));
    assert!(application.posted().len() <= 1, "the later events of the call wait");
    assert_eq!(dev.details(9)["forwarding"]["attempts"], 0);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_does_not_answer_does_not_hold_up_the_end() {
    let (_application, address) = Application::start(|_, _| None).await;
    let mut dev = Dev::start(&["--forward-to", &address.port().to_string()]);
    let kill = format!("kill -INT {}", dev.child.id());
    let start = Instant::now();
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let ended = tokio::task::block_in_place(|| dev.child.wait().unwrap());
    assert_eq!(ended.code(), Some(1), "events that were not taken");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_what_is_refused_too_often_is_given_up() {
    let elsewhere: Behaviour =
        |_, _| Some(Response::builder().status(302).header("location", "/elsewhere").body(Body::empty()).unwrap());
    let (application, address) = Application::start(elsewhere).await;
    let output = once(&address.port().to_string(), &["--forward-attempts", "1"]);
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("answered 302, a redirect to /elsewhere, which is not followed"), "{text}");
    assert!(text.contains("given up after 1 attempt") && text.contains("9 events were not taken"), "{text}");
    assert!(application.posted().iter().all(|posted| posted.path == "/"));
    assert_eq!(application.posted().len(), EVENTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_of_the_application_is_shown_with_the_variable_that_would_give_it() {
    let play: Behaviour = |event_type, _| match event_type {
        "call.connected" => {
            answered(200, "{\n \"play\": {\"text\": \"it's me\", \"volume\": 1.50},\n \"voice_id\": \"x\"\n}")
        }
        "play.initiated" => answered(200, "OK"),
        _ => answered(404, r#"{"error": "no such event"}"#),
    };
    let (_application, address) = Application::start(play).await;
    let dev = Dev::start(&["--forward-to", &address.port().to_string(), "--forward-attempts", "1"]);
    let (first, connected, initiated) = (settled(&dev, 1), settled(&dev, 2), settled(&dev, 3));
    assert_eq!((&first["state"], &first["status"], &first["action"]), (&"given_up".into(), &404.into(), &Value::Null));
    assert_eq!(first["reply"]["body"], r#"{"error": "no such event"}"#);
    assert!(first["advice"].as_str().unwrap().contains("the path of --forward-to"), "{first}");
    assert_eq!(dev.details(1)["steps"].as_array().unwrap().last().unwrap(), &json!(["Application", "failed"]));
    assert_eq!((&connected["state"], &connected["attempts"]), (&"taken".into(), &1.into()));
    assert_eq!(connected["reply"]["status"], "200 OK");
    assert!(initiated["action"]["why_not"].as_str().unwrap().contains("not a JSON object"), "{initiated}");
    assert_eq!(dev.details(2)["answer"]["body"], "{}");

    let actions = connected["action"]["value"].as_str().unwrap();
    assert_eq!(actions, r#"{"call.connected":{"play":{"text":"it's me","volume":1.50}}}"#);
    let with_actions = Dev::start_with(&[], &[("ACTIONS", actions), ("WEBHOOK_TOKEN", "0123456789abcdef")]);
    let answer: Value = serde_json::from_str(with_actions.details(2)["answer"]["body"].as_str().unwrap()).unwrap();
    assert_eq!(answer["play"], json!({"text": "it's me", "volume": 1.5}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_starts_later_gets_every_event_once() {
    let reserved = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let dev = Dev::start(&["--forward-to", &address.port().to_string(), "--forward-attempts", "1"]);
    let application = Application::on(TcpListener::bind(address).await.unwrap(), |_, _| answered(200, ""));
    let last = settled(&dev, 9);
    assert_eq!((&last["state"], &last["status"]), (&"taken".into(), &200.into()));
    assert_eq!(application.event_types().len(), EVENTS);
    let posted = application.posted();
    assert!(posted.iter().all(|posted| posted.header("x-voicehook-receive-count") == "1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rehearsed_timeouts_are_posted_twice_and_rehearsed_errors_once() {
    for (fault, posts) in [("timeout", 13), ("503,refused", EVENTS)] {
        let (application, address) = Application::start(|_, _| answered(200, "")).await;
        let fail = ["--forward-fail", "1/3", "--forward-fail-as", fault];
        let output = once(&address.port().to_string(), &fail);
        let text = printed(&output);
        assert!(output.status.success(), "{text}");
        assert_eq!((text.matches("(rehearsed)").count(), application.posted().len()), (4, posts), "{text}");
        assert!(
            text.contains(&format!("rehearsed failures: 1/3 of the posts, as {}", fault.replace(',', ", "))),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_webhook_is_posted_again_and_one_that_cannot_be_decrypted_is_not() {
    let (application, address) = Application::start(|_, _| answered(200, "")).await;
    let dev = Dev::start(&["--forward-to", &address.port().to_string()]);
    settled(&dev, 9);
    assert_eq!(status(&dev.post("/_inspect/api/webhooks/2/replay")), "200");
    assert_eq!(settled(&dev, 10)["state"], "taken");
    assert_eq!(application.event_types()[9..], ["call.connected"]);
    let url = format!("http://{}/webhook", dev.host);
    let wrong = ["trigger", "connected", "--url", &url, "--corrupt", "tampered"];
    assert!(voicehook().args(wrong).output().unwrap().status.success());
    let details = dev.details(11);
    assert_eq!((&details["forwarding"], &details["outcome"]), (&Value::Null, &"refused".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_a_fixture_for_a_test_of_the_application() {
    let events = [
        r#"{"voice_id":"fixture","state":"incomingcall","from":"+999000000001"}"#,
        r#"{"voice_id":"fixture","state":"connected"}"#,
        r#"{"voice_id":"fixture","playstate":"digitcollected","digit":"7"}"#,
    ];
    let line =
        |(number, event): (usize, &&str)| format!("{{\"version\":1,\"at_ms\":{},\"event\":{event}}}\n", number * 1000);
    let fixture = format!("{}/fixture-{}.jsonl", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    std::fs::write(&fixture, events.iter().enumerate().map(line).collect::<String>()).unwrap();
    let (application, address) = Application::start(|_, _| answered(200, "")).await;
    let dev = Dev::start(&["--forward-to", &address.port().to_string()]);
    // The sample call is another call, and is posted at the same time otherwise.
    settled(&dev, 9);
    let url = format!("http://{}/webhook", dev.host);
    let play = ["trigger", "scenario", "--file", &fixture, "--fast", "--url", &url];
    let output = voicehook().args(play).output().unwrap();
    std::fs::remove_file(&fixture).unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    let last = settled(&dev, u64::try_from(EVENTS + events.len()).unwrap());
    assert_eq!(last["state"], "taken");
    let posted: Vec<String> = application.posted()[EVENTS..].iter().map(|posted| posted.body.clone()).collect();
    assert_eq!(posted, events);
}

#[test]
fn what_cannot_be_forwarded_to_is_named() {
    for (arguments, why) in [
        (&["--forward-to", "localhost"][..], "expected http://127.0.0.1:8080/events"),
        (&["--forward-to", "3001", "--forward-fail", "often"], "1/3 or 20%"),
        (&["--forward-to", "3001", "--forward-fail", "1/3", "--forward-fail-as", "200"], "300 to 599"),
        (&["--forward-to", "3001", "--forward-fail-as", "timeout"], "--forward-fail <SHARE>"),
        (&["--forward-fail", "1/3"], "--forward-to <URL>"),
    ] {
        let output = voicehook().args(["dev", "--once", "--listen", "127.0.0.1:0"]).args(arguments).output().unwrap();
        let text = printed(&output);
        assert!(output.status.code() == Some(2) && text.contains(why), "{text}");
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let itself = ["dev", "--once", "--listen", &format!("127.0.0.1:{port}"), "--forward-to", &port];
    let output = voicehook().args(itself).output().unwrap();
    assert!(printed(&output).contains("is this receiver itself"), "{}", printed(&output));
    assert_eq!(output.status.code(), Some(1));
}
