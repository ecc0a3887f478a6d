//! Webhooks as Lambda gets them from an HTTP API, encrypted by OpenSSL and not by what is measured.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use axum::body::Bytes;
use serde_json::json;

/// The AppID of all functions.
pub const APP_ID: &str = "voicehook-dev";

/// So many different calls' events, each of `bytes` bytes of JSON.
pub fn create(bytes: usize, count: usize) -> Vec<Bytes> {
    (0..count).map(|number| webhook(&encrypt(&event(bytes, number)))).collect()
}

/// A transcript; every 80 characters there is a quotation mark, which JSON escapes.
fn event(bytes: usize, number: usize) -> String {
    const WORDS: &str = r#"thank you for calling, your call is important to us and will be answered \"soon\", "#;
    let mut event =
        format!(r#"{{"voice_id":"5f2d8a66-3b1c-4d0e-9a7f-{number:012}","from":"+12025550123","to":"+12025550199","#);
    event.push_str(r#""channel_id":"a1b2c3d4e5f6","timestamp":"2026-11-23T10:53:06Z","state":"transcript","text":""#);
    let end = bytes - 2;
    while event.len() + WORDS.len() <= end {
        event.push_str(WORDS);
    }
    event.extend(std::iter::repeat_n('.', end - event.len()));
    event + "\"}"
}

fn encrypt(event: &str) -> String {
    let mut openssl = Command::new("openssl");
    openssl.args(["enc", "-aes-256-cbc", "-md", "md5", "-nosalt", "-k", APP_ID]);
    let mut openssl =
        openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("openssl");
    let mut input = openssl.stdin.take().expect("a pipe");
    let event = event.to_owned();
    let writing = std::thread::spawn(move || input.write_all(event.as_bytes()));
    let output = openssl.wait_with_output().expect("openssl");
    writing.join().expect("a thread").expect("openssl reads all");
    assert!(output.status.success(), "openssl enc fails");
    output.stdout.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An HTTP API's event, payload 2.0.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
fn webhook(data: &str) -> Bytes {
    let event = json!({
        "version": "2.0", "routeKey": "ANY /webhook", "rawPath": "/webhook", "rawQueryString": "",
        "headers": {
            "accept": "application/json, text/plain, */*", "content-length": (data.len() + 21).to_string(),
            "content-type": "application/json", "host": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
            "user-agent": "axios/0.21.1", "x-algoritm": "aes-256-cbc", "x-format": "hex", "x-encoding": "utf8",
            "x-amzn-trace-id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700", "x-forwarded-for": "203.0.113.7",
            "x-forwarded-port": "443", "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "123456789012", "apiId": "a1b2c3d4e5",
            "domainName": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com", "domainPrefix": "a1b2c3d4e5",
            "http": {
                "method": "POST", "path": "/webhook", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7",
                "userAgent": "axios/0.21.1",
            },
            "requestId": "JKJaXmPLvHcESHA=", "routeKey": "ANY /webhook", "stage": "$default",
            "time": "23/Nov/2026:10:53:06 +0000", "timeEpoch": 1_795_431_186_000_u64,
        },
        "body": format!(r#"{{"encrypted_data":"{data}"}}"#), "isBase64Encoded": false,
    });
    event.to_string().into()
}
