//! Tests of the inspector of `voicehook dev`: who may access it and, in headless Chromium, what it shows.
//!
//! The browser tests are in `browser.mjs`, run by Node's test runner; screenshots are kept in
//! `target/tmp/inspector/screenshots`.

mod forward;
#[cfg(unix)]
mod history;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use serde_json::{Value, json};
use voicehook_test_support::aws_stub::{AwsStub, error};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tool/inspector");
const PATH: &str = "/_inspect";
const API: &str = "/_inspect/api";
/// A local receiver on a free port, stopped when the test ends.
struct Dev {
    child: Child,
    /// Host and port.
    host: String,
    /// The token of the printed URL.
    token: String,
    lines: Vec<String>,
}

impl Dev {
    fn start(more: &[&str]) -> Self {
        Self::start_with(more, &[])
    }

    fn start_with(more: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_voicehook"));
        for name in ["ENABLEX_APP_ID", "WEBHOOK_TOKEN", "EVENT_FORMAT", "CARGO", "VOICEHOOK_INSPECT_TOKEN"] {
            command.env_remove(name);
        }
        command.args(["dev", "--listen", "127.0.0.1:0"]).args(more).envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            lines.push(line.unwrap());
            if lines.last().is_some_and(|line| line.starts_with("Listening")) {
                break;
            }
        }
        let host = lines[0].split('/').nth(2).unwrap().to_owned();
        let token = lines.iter().find_map(|line| line.strip_prefix("inspector: ")?.split_once("?token="));
        let token = token.map(|(_, token)| token.to_owned()).unwrap_or_default();
        Self { child, host, token, lines }
    }

    /// Sends a request with only these headers, and returns the whole answer.
    fn ask(&self, line: &str, headers: &[(&str, &str)]) -> String {
        self.ask_with_body(line, headers, "")
    }

    fn ask_with_body(&self, line: &str, headers: &[(&str, &str)], body: &str) -> String {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut connection = TcpStream::connect(&self.host).unwrap();
        let length = body.len();
        let end = format!("connection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        write!(connection, "{line} HTTP/1.1\r\n{headers}{end}").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Sends a request as a script does, with the token in a header.
    fn ask_with_token(&self, line: &str, headers: &[(&str, &str)]) -> String {
        self.ask(line, &[headers, &[("x-voicehook-inspect-token", &self.token)]].concat())
    }

    fn get(&self, path: &str) -> String {
        self.ask_with_token(&format!("GET {path}"), &[("host", &self.host)])
    }

    fn post(&self, path: &str) -> String {
        self.ask_with_token(&format!("POST {path}"), &[("host", &self.host)])
    }

    /// Sends a request as the page does, with the cookie and its origin.
    fn ask_as_the_page(&self, line: &str) -> String {
        let cookie = self.cookie();
        let origin = format!("http://{}", self.host);
        self.ask(line, &[("host", self.host.as_str()), ("cookie", &cookie), ("origin", &origin)])
    }

    /// The cookie that the printed URL gives a browser.
    fn cookie(&self) -> String {
        let answer = self.ask(&format!("GET {PATH}?token={}", self.token), &[("host", &self.host)]);
        let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")?.split(';').next());
        cookie.unwrap().to_owned()
    }

    /// The inspector's details of a webhook.
    fn details(&self, id: u64) -> Value {
        let answer = self.get(&format!("{API}/webhooks/{id}"));
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }

    /// What an endpoint answers a script: the status and the document.
    fn api(&self, line: &str, body: &str) -> (u16, Value) {
        let (method, path) = line.split_once(' ').unwrap();
        let token = ("x-voicehook-inspect-token", self.token.as_str());
        let answer = self.ask_with_body(&format!("{method} {API}{path}"), &[("host", &self.host), token], body);
        let (_, document) = answer.split_once("\r\n\r\n").unwrap();
        (status(&answer).parse().unwrap(), serde_json::from_str(document).unwrap())
    }

    /// The numbers of the webhooks that a search finds.
    fn found(&self, query: &str) -> Vec<u64> {
        let (status, found) = self.api(&format!("GET /webhooks?{query}"), "");
        assert_eq!(status, 200, "{query}: {found}");
        found["webhooks"].as_array().unwrap().iter().map(|webhook| webhook["id"].as_u64().unwrap()).collect()
    }

    /// The number of the newest webhook.
    fn newest(&self) -> u64 {
        *self.found("").last().unwrap()
    }

    /// Sends a request that is no webhook, with a header and a body.
    fn knock(&self, line: &str, header: (&str, &str), body: &str) -> String {
        self.ask_with_body(line, &[("host", self.host.as_str()), header], body)
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The headers of a webhook's request, without the length of its body.
fn headers(details: &Value) -> Vec<&Value> {
    let headers = details["request"]["headers"].as_array().unwrap();
    headers.iter().filter(|header| header[0] != "content-length").collect()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn the_page_needs_nothing_from_elsewhere_and_its_policy_allows_nothing_else() {
    let dev = Dev::start(&[]);
    let page = dev.get(PATH);
    assert_eq!(status(&page), "200", "{page}");
    let policy = page.lines().find_map(|line| line.strip_prefix("content-security-policy: ")).unwrap();
    for part in
        ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"]
    {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    let folders = ["dev/inspector/page", "inspect/page", "page/files"];
    let folders = folders.map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder));
    for file in folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()) {
        let file = file.unwrap().path();
        let text = fs::read_to_string(&file).unwrap().replace("http://www.w3.org/", "");
        assert!(!text.contains("http://") && !text.contains("https://"), "{}", file.display());
        assert!(!text.contains("innerHTML") && !text.contains("eval("), "{}", file.display());
    }
}

#[test]
fn a_page_of_another_name_that_resolves_to_loopback_learns_nothing() {
    let dev = Dev::start(&[]);
    for path in ["", "/inspector.js", "/api", "/api/setup", "/api/events", "/api/webhooks/1", "/api/export/har"] {
        let answer = dev.ask_with_token(&format!("GET {PATH}{path}"), &[("host", "rebound.example:3000")]);
        assert_eq!(status(&answer), "403", "{path}: {answer}");
        assert!(answer.contains("answers only under 127.0.0.1") && !answer.contains("voice_id"), "{path}: {answer}");
    }
}

#[test]
fn what_comes_through_a_tunnel_finds_no_inspector() {
    let dev = Dev::start(&[]);
    let nowhere = dev.get("/nowhere");
    for path in ["", "/api/setup", "/api/webhooks/1", "/unknown"] {
        let headers = [("host", dev.host.as_str()), ("x-forwarded-for", "192.0.2.1")];
        let answer = dev.ask_with_token(&format!("GET {PATH}{path}"), &headers);
        assert_eq!(status(&answer), "404", "{answer}");
        assert_eq!(answer.lines().last(), nowhere.lines().last());
    }
}

#[test]
fn nothing_that_belongs_to_the_inspector_is_journalled() {
    let dev = Dev::start(&[]);
    let nowhere = dev.get("/nowhere").lines().last().unwrap().to_owned();
    let last = dev.newest();
    let through_a_proxy = [("host", "hooks.example"), ("x-forwarded-for", "192.0.2.1")];
    for path in ["", "/", "/api/webhooks/1", "/unknown", "/unknown/webhook"] {
        for method in ["GET", "POST", "PUT"] {
            let line = format!("{method} {PATH}{path}?token={}", dev.token);
            let answer = dev.ask_with_token(&line, &through_a_proxy);
            assert!(status(&answer) == "404" && answer.ends_with(&nowhere), "{line}: {answer}");
            let answer = dev.ask_with_token(&line, &[("host", &dev.host)]);
            assert!(!answer.contains(&dev.token), "{line}: {answer}");
        }
    }
    for path in ["//_inspect", "/dev/_inspect", "/%5Finspect", "/_INSPECT"] {
        let answer = dev.get(&format!("{path}?token={}", dev.token));
        assert!(status(&answer) == "404" && answer.ends_with(&nowhere), "{path}: {answer}");
    }
    assert_eq!(dev.newest(), last, "{}", dev.details(dev.newest()));
}

#[test]
fn tokens_are_masked_in_what_is_shown_of_a_webhook() {
    let dev = Dev::start_with(&[], &[("WEBHOOK_TOKEN", "the-token-of-the-webhooks")]);
    let cookie = dev.cookie();
    for line in [
        "POST /webhook/default/the-token-of-the-webhooks",
        "POST /webhook/default/an-older-token-of-the-webhooks",
        "POST /webhok/default/the-token-of-the-webhooks",
        "POST /webhook?token=the-token-of-the-webhooks",
        "POST /webhook/the-token-of-the-webhooks",
        &format!("GET /?token={}", dev.token),
    ] {
        let headers = [("host", dev.host.as_str()), ("cookie", cookie.as_str()), ("x-format", "hex")];
        dev.ask_with_token(line, &headers);
        let details = dev.details(dev.newest());
        let shown = details.to_string();
        assert!(shown.contains("***") && shown.contains("x-format"), "{line}: {shown}");
        for secret in ["-token-of-the-webhooks", &dev.token, "voicehook-inspect"] {
            assert!(!shown.contains(secret), "{line}: {shown}");
        }
    }
}

#[test]
fn a_page_of_another_origin_changes_nothing() {
    let dev = Dev::start(&[]);
    let cookie = dev.cookie();
    let own = [("host", dev.host.as_str()), ("cookie", cookie.as_str())];
    for path in [
        "/clear",
        "/restore",
        "/webhooks/1/replay",
        "/webhooks/1/edit",
        "/samples/call.ringing",
        "/scenarios/no-answer",
    ] {
        for headers in [own.to_vec(), [&own[..], &[("origin", "http://localhost:8080")]].concat()] {
            let answer = dev.ask(&format!("POST {API}{path}"), &headers);
            assert_eq!(status(&answer), "403", "{path}: {answer}");
        }
    }
    let replayed = dev.ask_as_the_page(&format!("POST {API}/webhooks/1/replay"));
    assert!(status(&replayed) == "200", "{replayed}");
    assert!(replayed.ends_with(r#"{"id":10,"outcome":"queued","status":200}"#), "{replayed}");
}

#[test]
fn a_tunnel_that_forwards_bytes_reads_and_changes_nothing_without_the_token() {
    let dev = Dev::start(&[]);
    let port = dev.host.split(':').nth(1).unwrap();
    let wrong_cookie = format!("voicehook-inspect-{port}={}", "0".repeat(48));
    let own = [("host", dev.host.as_str())];
    for more in [vec![], vec![("cookie", wrong_cookie.as_str())], vec![("authorization", "Bearer 0123456789abcdef")]] {
        let headers = [&own[..], &more].concat();
        for path in [
            "",
            "?token=0123456789abcdef",
            "/api",
            "/api/setup",
            "/api/webhooks/1",
            "/api/export/ndjson",
            "/inspector.js",
        ] {
            let answer = dev.ask(&format!("GET {PATH}{path}"), &headers);
            assert_eq!(status(&answer), "401", "{path}: {answer}");
            assert!(answer.contains("www-authenticate: Bearer") && !answer.contains("voice_id"), "{path}: {answer}");
        }
        assert_eq!(status(&dev.ask(&format!("POST {API}/clear"), &headers)), "401");
    }
    let page = dev.ask(&format!("GET {PATH}"), &own);
    assert!(page.contains("Open the whole URL that <code>voicehook</code> printed"), "{page}");
    assert!(!page.contains(&dev.token) && page.contains("content-security-policy: "), "{page}");
    assert_eq!(status(&dev.ask("GET /webhook", &own)), "200", "webhooks need no token");
}

#[test]
fn the_printed_url_is_exchanged_for_a_cookie_and_the_token_leaves_the_address_bar() {
    let dev = Dev::start(&[]);
    assert_eq!(dev.token.len(), 48);
    let opened = dev.ask(&format!("GET {PATH}?token={}", dev.token), &[("host", &dev.host)]);
    assert_eq!(status(&opened), "200", "{opened}");
    assert!(opened.contains("; Path=/_inspect; HttpOnly; SameSite=Strict\r\n"), "{opened}");
    assert!(
        opened.contains(r#"content="0; url=/_inspect""#) && opened.contains("referrer-policy: no-referrer"),
        "{opened}"
    );
    let page = dev.ask_as_the_page(&format!("GET {PATH}"));
    assert!(status(&page) == "200" && page.contains("inspector.js") && !page.contains(&dev.token), "{page}");
    let again = dev.ask_as_the_page(&format!("GET {PATH}?token={}", dev.token));
    assert!(status(&again) == "303" && again.contains("location: /_inspect\r\n"), "{again}");
}

#[test]
fn a_script_sends_the_token_in_a_header() {
    let dev = Dev::start(&[]);
    let bearer = format!("Bearer {}", dev.token);
    for (name, value) in [("x-voicehook-inspect-token", dev.token.as_str()), ("authorization", &bearer)] {
        let headers = [("host", dev.host.as_str()), (name, value)];
        assert_eq!(status(&dev.ask(&format!("GET {API}/webhooks/1"), &headers)), "200", "{name}");
        assert_eq!(status(&dev.ask(&format!("POST {API}/webhooks/1/replay"), &headers)), "200", "{name}");
        let in_a_page = [&headers[..], &[("origin", "http://localhost:8080")]].concat();
        assert_eq!(status(&dev.ask(&format!("POST {API}/webhooks/1/replay"), &in_a_page)), "403", "{name}");
    }
}

#[test]
fn a_token_of_ones_own_outlasts_a_restart_and_must_be_long() {
    let token = [("VOICEHOOK_INSPECT_TOKEN", "a-token-of-my-own")];
    let dev = Dev::start_with(&[], &token);
    assert_eq!(dev.token, "a-token-of-my-own");
    assert_eq!(status(&dev.get(&format!("{API}/webhooks/1"))), "200");
    let mut command = Command::new(env!("CARGO_BIN_EXE_voicehook"));
    let output = command.args(["dev", "--listen", "127.0.0.1:0", "--inspect-token", "short"]).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--inspect-token must have at least 16 characters"), "{said}");
}

#[test]
fn what_was_cleared_comes_back_once() {
    let dev = Dev::start(&[]);
    assert_eq!(status(&dev.post(&format!("{API}/clear"))), "200");
    assert_eq!(status(&dev.get(&format!("{API}/webhooks/1"))), "404");
    assert_eq!(status(&dev.post(&format!("{API}/restore"))), "200");
    assert_eq!(dev.details(1)["event_type"], "call.incomingcall");
    assert_eq!(status(&dev.post(&format!("{API}/restore"))), "404");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_queue_does_not_have_is_shown_with_the_reason() {
    let sqs = AwsStub::start(|operation, _| match operation {
        "GetQueueAttributes" => (200, json!({"Attributes": {}})),
        _ => error("InternalError"),
    });
    let sqs = sqs.await;
    let mut command = Command::new("");
    sqs.point(&mut command).env("PUBLISH_DEADLINE_MS", "300");
    let variables = command.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)));
    let dev = Dev::start_with(&["--queue-url", "http://127.0.0.1:9/0/events.fifo"], &variables.collect::<Vec<_>>());
    let details = dev.details(1);
    assert_eq!(details["failure"]["step"], "Queue");
    assert!(details["failure"]["why"].as_str().unwrap().starts_with("Decrypted, but the queue"), "{details}");
    assert!(details["failure"]["next"].to_string().contains("--queue-url"), "{details}");
    assert_eq!(details["event_type"], "call.incomingcall");
    assert!(details["plaintext"].as_str().unwrap().contains(r#""state":"incomingcall""#), "{details}");
}

#[test]
fn equal_bytes_are_a_duplicate_only_where_the_event_proves_its_identity() {
    let dev = Dev::start(&[]);
    let replayed = |id: u64| {
        let answer = dev.post(&format!("{API}/webhooks/{id}/replay"));
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let again = serde_json::from_str::<Value>(body).unwrap()["id"].as_u64().unwrap();
        (dev.details(id), dev.details(again))
    };
    for (id, event_type, is_one_event) in [(1, "call.incomingcall", true), (4, "play.digitcollected", false)] {
        let (first, second) = replayed(id);
        assert_eq!((&first["event_type"], &first["plaintext"]), (&event_type.into(), &second["plaintext"]));
        assert_eq!(first["event_id"] == second["event_id"], is_one_event, "{event_type}");
        assert_eq!(second["message"]["deduplication_id"], second["event_id"]);
        assert_eq!(second["message"]["message_id"], "in memory");
    }
}

#[test]
fn of_a_cloud_event_both_the_event_and_the_body_are_shown() {
    let details = Dev::start(&["--event-format", "cloudevents"]).details(1);
    assert!(details["plaintext"].as_str().unwrap().starts_with(r#"{"voice_id":"#), "{details}");
    let body = details["message"]["body"].as_str().unwrap();
    assert!(body.contains(r#""specversion":"1.0""#) && body.contains(details["plaintext"].as_str().unwrap()));
}

#[test]
fn the_inspector_can_be_switched_off() {
    let dev = Dev::start(&["--no-inspect"]);
    assert!(dev.lines.iter().all(|line| !line.contains("_inspect")), "{:?}", dev.lines);
    assert_eq!(status(&dev.get(PATH)), "404");
    assert_eq!(status(&dev.get("/webhook")), "200");
}

#[test]
fn what_is_unknown_or_no_longer_kept_is_not_there() {
    let dev = Dev::start(&[]);
    assert_eq!(status(&dev.get("/_inspect/api/webhooks/99")), "404");
    assert_eq!(status(&dev.post("/_inspect/api/scenarios/none")), "404");
    assert_eq!(status(&dev.post("/_inspect/api/clear")), "200");
    let replayed = dev.post("/_inspect/api/webhooks/1/replay");
    assert!(status(&replayed) == "404" && replayed.contains("it is no longer kept"), "{replayed}");
}

#[test]
fn scripts_search_with_the_words_of_the_page() {
    let dev = Dev::start(&[]);
    assert_eq!(dev.found(""), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let (_, all) = dev.api("GET /webhooks", "");
    assert_eq!(all["webhooks"][3]["event_type"], "play.digitcollected");
    assert_eq!(dev.found("q=type:play.*+digit:1"), [4]);
    assert_eq!(dev.found("q=-type:play.*,call.b*&after=1&limit=2"), [8, 9]);
    assert_eq!(dev.found("q=event.prompt_ref:*&limit=1").len(), 1);
    assert_eq!(dev.found("q=status:4xx"), [0; 0]);
    let (_, only) = dev.api("GET /webhooks?q=incomingcall&only=ids", "");
    assert_eq!(only, serde_json::json!({ "ids": [1], "words": ["incomingcall"] }));
    for (query, why) in [
        ("q=colour:red", "colour: is not a filter"),
        ("after=x", "after=x is not a number"),
        ("only=names", "expected only=ids"),
    ] {
        let (status, said) = dev.api(&format!("GET /webhooks?{query}"), "");
        assert!(status == 400 && said["error"].as_str().unwrap().contains(why), "{query}: {said}");
    }
}

#[test]
fn a_script_waits_for_a_webhook() {
    let dev = Dev::start(&[]);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| dev.found("q=method:put&wait=60"));
        assert_eq!(dev.found("q=method:put&wait=0"), [0; 0]);
        dev.knock("PUT /webhook", ("x-format", "hex"), "");
        assert_eq!(waiting.join().unwrap(), [10]);
    });
}

#[test]
fn an_edited_event_is_encrypted_again_and_the_difference_is_told() {
    let dev = Dev::start(&[]);
    let before = dev.details(4);
    let (status, dry) = dev.api("POST /webhooks/4/edit", r#"{"set": {"digit": "7"}, "send": false}"#);
    let digit = before["event"]["digit"].to_string();
    let expected = serde_json::json!([{ "path": "digit", "before": digit, "after": "\"7\"" }]);
    assert_eq!((status, &dry["changes"], &dry["problem"], &dry["id"]), (200, &expected, &Value::Null, &Value::Null));
    let (status, sent) = dev.api("POST /webhooks/4/edit", r#"{"set": {"digit": "7"}}"#);
    assert_eq!((status, &sent["id"], &sent["outcome"]), (200, &10.into(), &"queued".into()), "{sent}");
    let after = dev.details(10);
    assert_eq!(
        (&after["edited_from"], &after["changes"], &after["event"]["digit"]),
        (&4.into(), &expected, &"7".into())
    );
    assert_ne!(after["request"]["body"], before["request"]["body"]);
    assert_eq!(headers(&after), headers(&before));
    assert_eq!(dev.found("q=is:edited"), [10]);
    let (_, sent) = dev.api("POST /webhooks/4/edit", r#"{"event": "[1,"}"#);
    assert!(sent["status"] == 400 && sent["problem"].as_str().unwrap().contains("not JSON"), "{sent}");
    let (status, said) = dev.api("POST /webhooks/11/edit", "{}");
    assert!(status == 409 && said["error"].as_str().unwrap().contains("could not be decrypted"), "{said}");
    let (status, said) = dev.api("POST /webhooks/4/edit", "{}");
    assert!(status == 400 && said["error"].as_str().unwrap().starts_with("expected {\"event\""), "{said}");
    assert_eq!(dev.api("POST /webhooks/99/edit", "{}").0, 404);
}

#[test]
fn an_edited_event_keeps_cipher_format_and_encoding_of_the_original() {
    let dev = Dev::start_with(&[], &[("ALLOWED_ALGORITHMS", "all"), ("ALLOW_PLAINTEXT", "true")]);
    let event = r#"{"voice_id":"1","state":"hold"}"#;
    let ciphers =
        [("aes-128-ctr", "base64", "utf16le"), ("AES256", "hex", "utf8"), ("aes-192-cfb", "latin1", "latin1")];
    for (algorithm, format, encoding) in ciphers {
        let mut command = Command::new(env!("CARGO_BIN_EXE_voicehook"));
        let url = format!("http://{}/webhook", dev.host);
        let how = ["--algorithm", algorithm, "--format", format, "--encoding", encoding];
        let output = command.args(["trigger", "hold", "--url", &url]).args(how).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    dev.ask_with_body("POST /webhook", &[("host", &dev.host), ("content-type", "application/json")], event);
    for id in 10..14 {
        let (_, sent) = dev.api(&format!("POST /webhooks/{id}/edit"), r#"{"set": {"state": "joined"}}"#);
        let edited = dev.details(sent["id"].as_u64().unwrap());
        assert_eq!((&edited["event_type"], &edited["status"]), (&"call.joined".into(), &200.into()), "{edited}");
        assert_eq!(headers(&edited), headers(&dev.details(id)));
    }
    assert_eq!(dev.details(17)["request"]["body"], r#"{"voice_id":"1","state":"joined"}"#);
}

#[test]
fn what_is_found_is_exported_without_any_token() {
    let dev = Dev::start_with(&[], &[("WEBHOOK_TOKEN", "the-token-of-the-webhooks")]);
    let path = "/webhook/default/the-token-of-the-webhooks";
    let referer = format!("http://{}/_inspect?token={}", dev.host, dev.token);
    dev.knock(&format!("POST {path}"), ("referer", &referer), "{}");
    dev.knock("POST /webhook?token=the-token-of-the-webhooks", ("cookie", &dev.cookie()), "{}");
    dev.knock("POST /webhook/default/an-older-token-of-the-webhooks", ("x-voicehook-inspect-token", &dev.token), "{}");
    for format in ["ndjson", "har"] {
        let whole = dev.get(&format!("{API}/export/{format}"));
        for secret in ["-token-of-the-webhooks", &dev.token, "voicehook-inspect"] {
            assert!(!whole.replace("voicehook-inspect-token", "").contains(secret), "{format}: {whole}");
        }
    }
    let answer = dev.get(&format!("{API}/export/ndjson?q=type:call.*"));
    assert!(
        answer
            .contains("content-type: application/x-ndjson\r\ncontent-disposition: attachment; filename=\"voicehook-2")
    );
    let (_, lines) = answer.split_once("\r\n\r\n").unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), dev.found("q=type:call.*").len());
    assert_eq!(lines[0], dev.details(1));
    let (_, har) = dev.api("GET /export/har?ids=2,1,10", "");
    let entries = har["log"]["entries"].as_array().unwrap();
    assert_eq!(entries.iter().map(|entry| &entry["_voicehook"]["id"]).collect::<Vec<_>>(), [1, 2, 10]);
    assert_eq!(entries[0]["request"]["url"], format!("http://{}/webhook/default/***", dev.host));
    assert_eq!(entries[0]["response"]["status"], 200);
    assert_eq!(entries[0]["_event"], dev.details(1)["plaintext"]);
    assert_eq!(dev.api("GET /export/har?ids=a", "").0, 400);
    assert_eq!(dev.api("GET /export/csv", "").0, 404);
}

#[test]
fn an_exported_archive_is_read_by_decrypt() {
    let dev = Dev::start(&[]);
    let (_, har) = dev.api("GET /export/har?q=type:play.digitcollected", "");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("exported-{}.har", dev.host.replace(':', "-")));
    fs::write(&file, har.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_voicehook"));
    let output = command.args(["decrypt", "--app-id", "voicehook-dev"]).arg(&file).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("digitcollected"), "{said}");
}

#[test]
fn the_endpoints_are_those_of_the_documentation() {
    let dev = Dev::start(&[]);
    let (_, index) = dev.api("GET ", "");
    for endpoint in index["endpoints"].as_array().unwrap() {
        let (method, path) = (endpoint["method"].as_str().unwrap(), endpoint["path"].as_str().unwrap());
        let row = format!("| `{method} {path}` |");
        assert!(include_str!("../../../../docs/cli.md").contains(&row), "docs/cli.md does not have {row}");
        let other = if method == "GET" { "POST" } else { "GET" };
        let answer = dev.ask_with_token(&format!("{other} {path}"), &[("host", &dev.host)]);
        assert_eq!(status(&answer), "405", "{path}: {answer}");
    }
}

#[test]
fn the_filters_are_those_of_the_documentation() {
    let dev = Dev::start(&[]);
    for (wrong, before, after) in [("colour:red", "the filters are ", " and event."), ("is:blue", "values are ", "")] {
        let (_, said) = dev.api(&format!("GET /webhooks?q={wrong}"), "");
        let (_, names) = said["error"].as_str().unwrap().split_once(before).unwrap();
        let names = if after.is_empty() { names } else { names.split_once(after).unwrap().0 };
        for name in names.split(", ") {
            let name = if after.is_empty() { format!("`{name}`") } else { format!("`{name}:`") };
            assert!(include_str!("../../../../docs/cli.md").contains(&name), "docs/cli.md does not have {name}");
        }
    }
}

#[test]
fn a_person_with_a_browser_can_use_it() {
    let Some((browser, folder)) = install() else { return };
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=spec", "browser.mjs"]).current_dir(&folder);
    let output = node.env("VOICEHOOK", env!("CARGO_BIN_EXE_voicehook")).env("CHROMIUM", browser).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_pictures_of_the_documents_are_small() {
    for name in ["webhooks", "call", "edit"] {
        let path = format!("images/{name}.png");
        assert!(include_str!("../../../../docs/cli.md").contains(&path));
        let bytes = fs::metadata(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(path)).unwrap().len();
        assert!(bytes < 150_000, "{name} has {bytes} bytes");
    }
}

/// The browser, and the folder with the tests and their dependencies. Without a browser, CI fails; elsewhere the test is
/// skipped.
pub(crate) fn install() -> Option<(PathBuf, PathBuf)> {
    static INSTALLED: OnceLock<Option<(PathBuf, PathBuf)>> = OnceLock::new();
    INSTALLED.get_or_init(install_once).clone()
}

fn install_once() -> Option<(PathBuf, PathBuf)> {
    let browsers = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let browser = browsers.into_iter().map(PathBuf::from).find(|path| path.exists());
    let has_npm = Command::new("npm").arg("--version").output().is_ok_and(|npm| npm.status.success());
    let Some(browser) = browser.filter(|_| has_npm) else {
        assert!(std::env::var_os("CI").is_none(), "continuous integration needs Chromium, Node and npm");
        let _ = writeln!(std::io::stderr(), "skipped: the inspector's test in a browser needs Chromium, Node and npm");
        return None;
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("inspector");
    fs::create_dir_all(&folder).unwrap();
    for name in ["browser.mjs", "chromium.mjs", "local_receiver.mjs", "looks.mjs", "package.json", "production.mjs"] {
        fs::copy(Path::new(FILES).join(name), folder.join(name)).unwrap();
    }
    let install = ["install", "--no-audit", "--no-fund", "--no-save", "--silent"];
    let output = Command::new("npm").args(install).current_dir(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some((browser, folder))
}
