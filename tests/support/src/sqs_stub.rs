//! An SQS that fails on command: a real HTTP server, byte by byte, that remembers what it accepted.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What the server does with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Takes the message.
    Accept,
    /// Takes the message and closes the connection a moment after the answer, as an idle timeout does.
    AcceptAndClose,
    /// 500.
    InternalError,
    /// 503.
    Unavailable,
    /// 400 with SQS's throttling error.
    Throttle,
    /// 400 with SQS's error for a queue that is gone.
    NoSuchQueue,
    /// 403.
    Denied,
    /// 400 with SQS's error for a message that it does not take.
    Refused,
    /// 200 with a body that is no JSON.
    Nonsense,
    /// 200 with JSON that has no message id.
    NoMessageId,
    /// 200 with a message id that is empty.
    EmptyMessageId,
    /// 400 with the error for credentials that have expired.
    ExpiredToken,
    /// 400 with SQS's error for a KMS key that is asked for too often.
    KmsThrottle,
    /// 200 with an answer of more than a mebibyte, whose end says that the message was taken.
    Endless,
    /// Reads the request and never answers.
    Stall,
    /// Closes the connection before it has read the request.
    DropRequest,
    /// Closes the connection in the middle of the answer.
    DropAnswer,
    /// Takes the message and closes the connection in the middle of the answer.
    AcceptAndDropAnswer,
    /// Of a batch, takes the messages at even places and says that it failed on the others. Takes a message alone.
    AcceptHalf,
    /// Of a batch, takes every message and says of each both that it took it and that it did not.
    Contradict,
}

struct State {
    script: VecDeque<Reaction>,
    otherwise: Reaction,
    /// A fault, and at which of how many requests it comes.
    every: Option<(Reaction, usize)>,
    accepted: Vec<Value>,
    requests: usize,
    batches: Vec<usize>,
    /// The last request that was read to its end: head and body.
    last: (String, String),
    /// Message groups of which messages that come alone are never answered.
    unanswered_groups: Vec<String>,
    /// How long each answer takes.
    latency: Duration,
    connections: usize,
    dead_connections: usize,
    requests_on_dead_connections: usize,
}

/// The server.
#[derive(Clone)]
pub struct SqsStub {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    /// While it is closed, requests are read and not answered.
    gate: Arc<watch::Sender<bool>>,
    read: Arc<watch::Sender<usize>>,
}

impl SqsStub {
    /// Starts a server that goes through a script and then does the same with every request.
    pub async fn start(script: &[Reaction], otherwise: Reaction) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = State {
            script: script.iter().copied().collect(),
            otherwise,
            every: None,
            accepted: Vec::new(),
            requests: 0,
            batches: Vec::new(),
            last: Default::default(),
            unanswered_groups: Vec::new(),
            latency: Duration::ZERO,
            connections: 0,
            dead_connections: 0,
            requests_on_dead_connections: 0,
        };
        let stub = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::new(Mutex::new(state)),
            gate: Arc::new(watch::Sender::new(true)),
            read: Arc::default(),
        };
        let serving = stub.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(connection));
            }
        });
        stub
    }

    /// Takes so long for each answer from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.state.lock().unwrap().latency = latency;
    }

    /// Goes through another script from now on.
    pub fn script(&self, script: &[Reaction], otherwise: Reaction) {
        let mut state = self.state.lock().unwrap();
        (state.script, state.otherwise) = (script.iter().copied().collect(), otherwise);
    }

    /// Starts a server that does something else with every n-th request.
    pub async fn start_with_fault(fault: Reaction, every: usize) -> Self {
        let stub = Self::start(&[], Reaction::Accept).await;
        stub.state.lock().unwrap().every = Some((fault, every));
        stub
    }

    /// Answers nothing from now on, or goes on answering.
    pub fn open(&self, is_open: bool) {
        self.gate.send_replace(is_open);
    }

    /// All connections that are open now die silently, as those of an environment that was frozen.
    pub fn kill_connections(&self) {
        let mut state = self.state.lock().unwrap();
        state.dead_connections = state.connections;
    }

    /// Waits until so many requests came on dead connections.
    pub async fn lost(&self, count: usize) {
        let mut read = self.read.subscribe();
        let reached = read.wait_for(|_| self.requests_on_dead_connections() >= count);
        assert!(tokio::time::timeout(Duration::from_secs(60), reached).await.is_ok(), "no {count} requests were lost");
    }

    pub fn requests_on_dead_connections(&self) -> usize {
        self.state.lock().unwrap().requests_on_dead_connections
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn queue_url(&self) -> String {
        format!("{}/000000000000/events.fifo", self.endpoint())
    }

    /// The messages that were taken: `SendMessage` requests and entries of `SendMessageBatch` requests, as JSON.
    pub fn accepted(&self) -> Vec<Value> {
        self.state.lock().unwrap().accepted.clone()
    }

    /// How many entries each `SendMessageBatch` request had that was read to its end.
    pub fn batches(&self) -> Vec<usize> {
        self.state.lock().unwrap().batches.clone()
    }

    /// Waits until so many requests were read to their end.
    pub async fn read(&self, count: usize) {
        let mut read = self.read.subscribe();
        let reached = read.wait_for(|number| *number >= count);
        assert!(tokio::time::timeout(Duration::from_secs(60), reached).await.is_ok(), "no {count} requests came");
    }

    pub fn requests(&self) -> usize {
        self.state.lock().unwrap().requests
    }

    /// Head and body of the last request that was read to its end.
    pub fn last_request(&self) -> (String, String) {
        self.state.lock().unwrap().last.clone()
    }

    fn next(&self) -> Reaction {
        let mut state = self.state.lock().unwrap();
        state.requests += 1;
        let otherwise = match state.every {
            Some((fault, every)) if state.requests.is_multiple_of(every) => fault,
            _ => state.otherwise,
        };
        state.script.pop_front().unwrap_or(otherwise)
    }

    async fn serve(self, mut connection: TcpStream) {
        let number = {
            let mut state = self.state.lock().unwrap();
            state.connections += 1;
            state.connections
        };
        let mut read = Vec::new();
        loop {
            let Some(head) = read_until_blank_line(&mut connection, &mut read).await else {
                return;
            };
            if self.is_dead(number) {
                return std::future::pending().await;
            }
            let reaction = self.next();
            if reaction == Reaction::DropRequest {
                return;
            }
            let Some(body) = read_body(&mut connection, &mut read, &head).await else {
                return;
            };
            self.state.lock().unwrap().last = (head, body.clone());
            let body: Value = serde_json::from_str(&body).unwrap();
            if let Some(entries) = body["Entries"].as_array() {
                self.state.lock().unwrap().batches.push(entries.len());
            }
            self.read.send_modify(|number| *number += 1);
            if let Some(group) = body["MessageGroupId"].as_str()
                && self.state.lock().unwrap().unanswered_groups.iter().any(|unanswered| unanswered == group)
            {
                return std::future::pending().await;
            }
            self.gate.subscribe().wait_for(|is_open| *is_open).await.unwrap();
            let latency = self.state.lock().unwrap().latency;
            if !latency.is_zero() {
                tokio::time::sleep(latency).await;
            }
            if !self.react(reaction, &mut connection, body).await {
                return;
            }
        }
    }

    /// Never answers a message of such a group that comes alone.
    pub fn never_answer(&self, groups: impl IntoIterator<Item = String>) {
        self.state.lock().unwrap().unanswered_groups.extend(groups);
    }

    fn is_dead(&self, connection: usize) -> bool {
        let mut state = self.state.lock().unwrap();
        let is_dead = connection <= state.dead_connections;
        state.requests_on_dead_connections += usize::from(is_dead);
        drop(state);
        self.read.send_modify(|_| {});
        is_dead
    }

    /// Takes a message, or of a batch those at some places, and returns the answer.
    fn accept(&self, mut body: Value, takes: impl Fn(usize) -> bool) -> String {
        const MESSAGE_ID: &str = "5fea7756-0ea4-451a-a703-a558b933e274";
        let mut state = self.state.lock().unwrap();
        let Some(entries) = body.get_mut("Entries").map(Value::take) else {
            state.accepted.push(body);
            return json!({"MessageId": MESSAGE_ID}).to_string();
        };
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for (place, entry) in entries.as_array().unwrap().iter().enumerate() {
            if takes(place) {
                successful.push(json!({"Id": entry["Id"], "MessageId": MESSAGE_ID, "MD5OfMessageBody": ""}));
                state.accepted.push(entry.clone());
            } else {
                failed.push(json!({"Id": entry["Id"], "Code": "InternalError", "SenderFault": false}));
            }
        }
        json!({"Successful": successful, "Failed": failed}).to_string()
    }

    /// Whether the connection stays open.
    async fn react(&self, reaction: Reaction, connection: &mut TcpStream, body: Value) -> bool {
        let error = |code: &str| format!(r#"{{"__type":"com.amazonaws.sqs#{code}","message":"injected"}}"#);
        let (status, answer) = match reaction {
            Reaction::Accept | Reaction::AcceptAndClose => (200, self.accept(body, |_| true)),
            Reaction::AcceptHalf => (200, self.accept(body, |place| place.is_multiple_of(2))),
            Reaction::InternalError => (500, error("InternalError")),
            Reaction::Unavailable => (503, error("ServiceUnavailable")),
            Reaction::Throttle => (400, error("ThrottlingException")),
            Reaction::NoSuchQueue => (400, error("QueueDoesNotExist")),
            Reaction::Denied => (403, error("AccessDeniedException")),
            Reaction::Refused => (400, error("InvalidMessageContents")),
            Reaction::Nonsense => (200, "<html>".to_owned()),
            Reaction::NoMessageId => (200, "{}".to_owned()),
            Reaction::EmptyMessageId => (200, r#"{"MessageId":""}"#.to_owned()),
            Reaction::ExpiredToken => (400, error("ExpiredTokenException")),
            Reaction::KmsThrottle => (400, error("KmsThrottled")),
            Reaction::Endless => (200, " ".repeat(1024 * 1024) + r#"{"MessageId":"1"}"#),
            Reaction::Contradict => (200, contradiction(&self.accept(body, |_| true))),
            Reaction::Stall => std::future::pending().await,
            Reaction::DropRequest => return false,
            Reaction::DropAnswer | Reaction::AcceptAndDropAnswer => {
                if reaction == Reaction::AcceptAndDropAnswer {
                    self.accept(body, |_| true);
                }
                let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"Mess").await;
                return false;
            }
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        connection.write_all((head + &answer).as_bytes()).await.is_ok() && reaction != Reaction::AcceptAndClose
    }
}

/// The answer to a batch, with everything that it took among what failed as well.
fn contradiction(answer: &str) -> String {
    let mut answer: Value = serde_json::from_str(answer).unwrap();
    answer["Failed"] = answer.get("Successful").cloned().unwrap_or_default();
    answer.to_string()
}

/// The request's head, taken off the front of what was read.
pub async fn read_until_blank_line(connection: &mut TcpStream, read: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = read.split_off(end + 4);
            return String::from_utf8(std::mem::replace(read, rest)).ok();
        }
        if connection.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
}

/// The request's body, likewise.
pub async fn read_body(connection: &mut TcpStream, read: &mut Vec<u8>, head: &str) -> Option<String> {
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let length: usize = length.unwrap_or(0);
    while read.len() < length {
        if connection.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
    let rest = read.split_off(length);
    String::from_utf8(std::mem::replace(read, rest)).ok()
}
