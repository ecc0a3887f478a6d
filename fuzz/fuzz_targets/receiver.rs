//! The receiver: whatever the gateway hands over, the request is answered, the queue has the event, or the quarantine the
//! whole webhook; and the events of all four kinds of gateway mean the same request.
//!
//! An input is the AppID in one line, and then a request as one writes it down: a line for each header, an empty line, the
//! body. With `VOICEHOOK_ANSWERS` set to a file, what became of each input is appended there, one JSON object a line;
//! `fuzz/node.cjs` opens the same webhooks with Node's `createDecipher` and compares.
#![no_main]

use std::{
    collections::BTreeMap,
    fs::File,
    io::Write as _,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Map, Value, json};
use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};
use voicehook_lambda::{
    app_id::{AppIds, FixedAppId, trimmed},
    lambda::GatewayEvent,
    queue::{Message, Quarantined, Queue, QueueError, QueueKind, Sent},
    receiver::{Origin, Receiver, Request, Settings},
    webhook::{Accept, HEADERS},
};

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
}

static ANSWERS: LazyLock<Option<Mutex<File>>> = LazyLock::new(|| {
    let file = std::env::var_os("VOICEHOOK_ANSWERS")?;
    Some(Mutex::new(File::options().append(true).create(true).open(file).expect("a file for the answers")))
});

fuzz_target!(|input: &[u8]| -> Corpus {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let Ok(app_id) = std::str::from_utf8(&input[..end]) else { return Corpus::Reject };
    let rest = input.get(end + 1..).unwrap_or_default();
    let (head, body) = match rest.windows(2).position(|pair| pair == b"\n\n") {
        Some(end) => (&rest[..end], &rest[end + 2..]),
        None => (&[][..], rest),
    };
    let headers = headers(head);
    let request = the_one_request(&headers, body);
    let first = receive(app_id, &request);
    assert_eq!(receive(app_id, &request), first, "the same request got another answer");
    first.check(&request);
    if let Some(record) = &first.quarantined {
        let (kept, body) = (record.header_map(), record.body().expect("base64"));
        // What is redriven is judged as it was, unless it has a header of kilobytes, which is not kept.
        if kept.keys_len() == request.headers.keys_len() {
            let redriven = receive(app_id, &Request { headers: kept, body, ..request.clone() });
            assert_eq!((redriven.status, redriven.event, redriven.reason), (first.status, None, first.reason.clone()));
        }
    }
    if let Some(answers) = &*ANSWERS {
        let line = first.line(app_id, &request);
        writeln!(answers.lock().expect("no panic"), "{line}").expect("the answers can be written");
    }
    Corpus::Keep
});

/// What can be a header becomes one, if the function looks at it. Several of one name stay several.
fn headers(head: &[u8]) -> Vec<(HeaderName, HeaderValue)> {
    let lines = head.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok().filter(|name| HEADERS.contains(name))?;
        let value = std::str::from_utf8(line[colon + 1..].trim_ascii()).ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    });
    lines.take(64).collect()
}

/// The request that the events of all gateways mean.
fn the_one_request(headers: &[(HeaderName, HeaderValue)], body: &[u8]) -> Request {
    let is_base64 = std::str::from_utf8(body).is_err();
    let text = if is_base64 { base64(body) } else { String::from_utf8_lossy(body).into_owned() };
    let single = |headers: &[(HeaderName, HeaderValue)]| {
        let pairs =
            headers.iter().map(|(name, value)| (name.to_string(), json!(String::from_utf8_lossy(value.as_bytes()))));
        Value::Object(pairs.collect::<Map<_, _>>())
    };
    let mut multiple: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        multiple.entry(name.to_string()).or_default().push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    let elb = json!({"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/a/b"}});
    let rest = json!({"requestId": "r", "httpMethod": "POST", "stage": "prod", "path": "/webhook"});
    let http = json!({"requestId": "r", "stage": "$default", "http": {"method": "POST", "path": "/webhook"}});
    let several = multiple.values().any(|values| values.len() > 1);
    let mut events = vec![
        json!({"httpMethod": "POST", "path": "/webhook", "multiValueHeaders": multiple, "requestContext": rest,
            "headers": single(headers), "body": text, "isBase64Encoded": is_base64}),
        json!({"httpMethod": "POST", "path": "/webhook", "multiValueHeaders": multiple, "requestContext": elb,
            "body": text, "isBase64Encoded": is_base64}),
    ];
    if !several {
        // With one value for each header, these two gateways say the same.
        events.push(json!({"version": "2.0", "rawPath": "/webhook", "rawQueryString": "", "headers": single(headers),
            "requestContext": http, "body": text, "isBase64Encoded": is_base64}));
        events
            .push(json!({"httpMethod": "POST", "path": "/webhook", "headers": single(headers), "requestContext": elb,
            "body": text, "isBase64Encoded": is_base64}));
    }
    let mut requests = events.iter().map(|event| {
        let event: GatewayEvent = serde_json::from_str(&event.to_string()).expect("JSON of every shape can be read");
        event.into_captured_request().expect("a gateway's event")
    });
    let first = requests.next().expect("there are events");
    assert_eq!(first.body, body);
    for request in requests {
        assert_eq!((&request.method, &request.path, &request.token), (&first.method, &first.path, &first.token));
        assert_eq!(sorted(&request.headers), sorted(&first.headers));
        assert!(request.body == first.body, "the gateways' bodies differ");
    }
    Request { origin: Origin::local("request"), ..first }
}

fn sorted(headers: &HeaderMap) -> BTreeMap<&str, Vec<&HeaderValue>> {
    headers.keys().map(|name| (name.as_str(), headers.get_all(name).iter().collect())).collect()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) & 63;
            text.push(if digit <= chunk.len() { char::from(DIGITS[value as usize]) } else { '=' });
        }
    }
    text
}

/// What became of a request.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    body: String,
    reason: Option<String>,
    event: Option<String>,
    quarantined: Option<Quarantined>,
}

/// A queue that keeps what it gets.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<Message>>>);

impl Queue for Memory {
    fn kind(&self) -> QueueKind {
        QueueKind::Fifo
    }

    async fn send(&self, message: Message, _: Instant) -> Result<Sent, QueueError> {
        self.0.lock().expect("no panic").push(message);
        Ok(Sent { message_id: "m".to_owned(), failover: false })
    }
}

fn receive(app_id: &str, request: &Request) -> Answer {
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let (queue, quarantine) = (Memory::default(), Memory::default());
            let settings = Settings { accept: Accept { plaintext: false, ..Accept::all() }, ..Settings::default() };
            let app_ids = AppIds::new(FixedAppId::new(app_id), Duration::from_secs(300));
            let receiver = Receiver::new(settings, app_ids, queue.clone()).with_quarantine(Some(quarantine.clone()));
            let answer = receiver.receive(request).await;
            let take = |queue: Memory| queue.0.lock().expect("no panic").pop();
            let quarantined = take(quarantine).map(|message| {
                let mut record: Quarantined = serde_json::from_str(&message.body).expect("a record");
                // These hold the time.
                record.id.clear();
                record.received_at = jiff::Timestamp::UNIX_EPOCH;
                record
            });
            Answer {
                status: answer.response.status().as_u16(),
                body: answer.response.into_body(),
                reason: answer.outcome.reason().map(str::to_owned),
                event: take(queue).map(|message| message.body),
                quarantined,
            }
        })
    })
}

impl Answer {
    fn check(&self, request: &Request) {
        let Self { status, body, event, quarantined, reason } = self;
        assert!([200, 400, 415].contains(status), "status {status}");
        assert!(serde_json::from_str::<Value>(body).is_ok_and(|body| body.is_object()), "the answer is {body}");
        let is_kept = event.is_some() || quarantined.is_some();
        let is_probe = request.body.is_empty();
        assert!(event.is_none() || quarantined.is_none(), "kept twice");
        assert_eq!(*status == 200, is_kept || is_probe, "200 means kept: {reason:?}");
        if *status == 200 {
            assert_eq!(body, "{}");
        }
        if let Some(record) = quarantined {
            assert!(record.body().is_some_and(|body| body == request.body), "the quarantine has another body");
        }
    }

    fn line(&self, app_id: &str, request: &Request) -> Value {
        let headers: BTreeMap<_, Vec<_>> = sorted(&request.headers)
            .into_iter()
            .map(|(name, values)| {
                (name, values.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect())
            })
            .collect();
        json!({"appId": trimmed(app_id), "headers": headers, "body": base64(&request.body), "event": self.event,
            "reason": self.reason})
    }
}
