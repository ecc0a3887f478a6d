//! An SQS that fails on command: a real HTTP server, byte by byte, that remembers what it accepted.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test uses a part, and fails by panicking")]

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

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
    /// 200 with a body that is no JSON.
    Nonsense,
    /// 200 with JSON that has no message id.
    NoMessageId,
    /// Reads the request and never answers.
    Stall,
    /// Closes the connection before it has read the request.
    DropRequest,
    /// Closes the connection in the middle of the answer.
    DropAnswer,
    /// Takes the message and closes the connection in the middle of the answer.
    AcceptAndDropAnswer,
}

struct State {
    script: VecDeque<Reaction>,
    otherwise: Reaction,
    /// A fault, and at which of how many requests it comes.
    every: Option<(Reaction, usize)>,
    accepted: Vec<String>,
    requests: usize,
}

/// The server.
#[derive(Clone)]
pub struct SqsStub {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    /// While it is closed, requests are read and not answered.
    gate: Arc<watch::Sender<bool>>,
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
        };
        let stub = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::new(Mutex::new(state)),
            gate: Arc::new(watch::Sender::new(true)),
        };
        let serving = stub.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(connection));
            }
        });
        stub
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

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn queue_url(&self) -> String {
        format!("{}/000000000000/events.fifo", self.endpoint())
    }

    /// The `SendMessage` requests that were taken, as JSON.
    pub fn accepted(&self) -> Vec<serde_json::Value> {
        self.state.lock().unwrap().accepted.iter().map(|body| serde_json::from_str(body).unwrap()).collect()
    }

    pub fn requests(&self) -> usize {
        self.state.lock().unwrap().requests
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
        let mut read = Vec::new();
        loop {
            let Some(head) = read_until_blank_line(&mut connection, &mut read).await else {
                return;
            };
            let reaction = self.next();
            if reaction == Reaction::DropRequest {
                return;
            }
            let Some(body) = read_body(&mut connection, &mut read, &head).await else {
                return;
            };
            self.gate.subscribe().wait_for(|is_open| *is_open).await.unwrap();
            if !self.react(reaction, &mut connection, body).await {
                return;
            }
        }
    }

    /// Whether the connection stays open.
    async fn react(&self, reaction: Reaction, connection: &mut TcpStream, body: String) -> bool {
        const ACCEPTED: &str = r#"{"MessageId":"5fea7756-0ea4-451a-a703-a558b933e274"}"#;
        let error = |code: &str| format!(r#"{{"__type":"com.amazonaws.sqs#{code}","message":"injected"}}"#);
        let (status, answer) = match reaction {
            Reaction::Accept | Reaction::AcceptAndClose => {
                self.state.lock().unwrap().accepted.push(body);
                (200, ACCEPTED.to_owned())
            }
            Reaction::InternalError => (500, error("InternalError")),
            Reaction::Unavailable => (503, error("ServiceUnavailable")),
            Reaction::Throttle => (400, error("ThrottlingException")),
            Reaction::NoSuchQueue => (400, error("QueueDoesNotExist")),
            Reaction::Denied => (403, error("AccessDeniedException")),
            Reaction::Nonsense => (200, "<html>".to_owned()),
            Reaction::NoMessageId => (200, "{}".to_owned()),
            Reaction::Stall => std::future::pending().await,
            Reaction::DropRequest => return false,
            Reaction::DropAnswer | Reaction::AcceptAndDropAnswer => {
                if reaction == Reaction::AcceptAndDropAnswer {
                    self.state.lock().unwrap().accepted.push(body);
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

/// The request's head, taken off the front of what was read.
async fn read_until_blank_line(connection: &mut TcpStream, read: &mut Vec<u8>) -> Option<String> {
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

async fn read_body(connection: &mut TcpStream, read: &mut Vec<u8>, head: &str) -> Option<String> {
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
