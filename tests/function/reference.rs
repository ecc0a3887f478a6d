//! The 410 webhooks of `tests/vectors/reference.jsonl`, judged by Node's own `createDecipher`.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use std::collections::BTreeMap;
use voicehook_lambda::{
    decrypt::{self, KeyAndIv, Plaintext},
    webhook::{Accept, Webhook},
};

#[derive(Deserialize)]
struct Case {
    name: String,
    app_id: String,
    headers: BTreeMap<String, String>,
    body: String,
    expect: Expect,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(rename_all = "lowercase")]
enum Expect {
    Event(String),
    Refuse(String),
}

fn judge(case: &Case) -> Expect {
    let headers: HeaderMap = case
        .headers
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect();
    let envelope = match Webhook::read(&headers, case.body.as_bytes(), &Accept::all()) {
        Ok(Webhook::Encrypted(envelope)) => envelope,
        Ok(Webhook::Plain(_)) => panic!("{}: taken as plain text", case.name),
        Err(_) => return Expect::Refuse("malformed".to_owned()),
    };
    decrypt::open(&envelope, &KeyAndIv::derive(&case.app_id))
        .and_then(Plaintext::into_event)
        .map_or_else(|_| Expect::Refuse("undecryptable".to_owned()), |mut event| Expect::Event(event.take_text()))
}

#[test]
fn every_reference_webhook_is_opened_or_refused_as_node_does() {
    let cases: Vec<Case> = include_str!("../vectors/reference.jsonl")
        .split('\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(cases.len(), 410);
    let wrong: Vec<&str> =
        cases.iter().filter(|case| judge(case) != case.expect).map(|case| case.name.as_str()).collect();
    assert_eq!(wrong, Vec::<&str>::new());
}
