//! Tests of the inspector of `voicehook dev`: who may access it and, in headless Chromium, what it shows.
//!
//! The browser tests are in `browser.mjs`, run by Node's test runner; screenshots are kept in
//! `target/tmp/inspector/screenshots`.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use voicehook_test_support::aws_stub::{AwsStub, error};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tool/inspector");
const PATH: &str = "/_inspect";
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
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut connection = TcpStream::connect(&self.host).unwrap();
        write!(connection, "{line} HTTP/1.1\r\n{headers}connection: close\r\ncontent-length: 0\r\n\r\n").unwrap();
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
        let answer = self.get(&format!("{PATH}/webhooks/{id}"));
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }

    /// The number of the newest webhook.
    fn newest(&self) -> u64 {
        let is_kept = |id: &u64| status(&self.get(&format!("{PATH}/webhooks/{id}"))) == "200";
        (1..).take_while(is_kept).last().unwrap()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/dev/inspector/page")).unwrap() {
        let file = file.unwrap().path();
        let text = fs::read_to_string(&file).unwrap().replace("http://www.w3.org/", "");
        assert!(!text.contains("http://") && !text.contains("https://"), "{}", file.display());
        assert!(!text.contains("innerHTML") && !text.contains("eval("), "{}", file.display());
    }
}

#[test]
fn a_page_of_another_name_that_resolves_to_loopback_learns_nothing() {
    let dev = Dev::start(&[]);
    for path in ["", "/inspector.js", "/setup", "/events", "/webhooks/1"] {
        let answer = dev.ask_with_token(&format!("GET {PATH}{path}"), &[("host", "rebound.example:3000")]);
        assert_eq!(status(&answer), "403", "{path}: {answer}");
        assert!(answer.contains("answers only under 127.0.0.1") && !answer.contains("voice_id"), "{path}: {answer}");
    }
}

#[test]
fn what_comes_through_a_tunnel_finds_no_inspector() {
    let dev = Dev::start(&[]);
    let nowhere = dev.get("/nowhere");
    for path in ["", "/setup", "/webhooks/1"] {
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
    for path in ["", "/", "/webhooks/1", "/unknown", "/unknown/webhook"] {
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
    for path in ["/clear", "/restore", "/webhooks/1/replay", "/samples/call.ringing", "/scenarios/no-answer"] {
        for headers in [own.to_vec(), [&own[..], &[("origin", "http://localhost:8080")]].concat()] {
            let answer = dev.ask(&format!("POST {PATH}{path}"), &headers);
            assert_eq!(status(&answer), "403", "{path}: {answer}");
        }
    }
    let replayed = dev.ask_as_the_page(&format!("POST {PATH}/webhooks/1/replay"));
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
        for path in ["", "?token=0123456789abcdef", "/setup", "/events", "/webhooks/1", "/inspector.js"] {
            let answer = dev.ask(&format!("GET {PATH}{path}"), &headers);
            assert_eq!(status(&answer), "401", "{path}: {answer}");
            assert!(answer.contains("www-authenticate: Bearer") && !answer.contains("voice_id"), "{path}: {answer}");
        }
        assert_eq!(status(&dev.ask(&format!("POST {PATH}/clear"), &headers)), "401");
    }
    let page = dev.ask(&format!("GET {PATH}"), &own);
    assert!(page.contains("Open the whole URL that <code>voicehook dev</code> printed"), "{page}");
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
        assert_eq!(status(&dev.ask(&format!("GET {PATH}/webhooks/1"), &headers)), "200", "{name}");
        assert_eq!(status(&dev.ask(&format!("POST {PATH}/webhooks/1/replay"), &headers)), "200", "{name}");
        let in_a_page = [&headers[..], &[("origin", "http://localhost:8080")]].concat();
        assert_eq!(status(&dev.ask(&format!("POST {PATH}/webhooks/1/replay"), &in_a_page)), "403", "{name}");
    }
}

#[test]
fn a_token_of_ones_own_outlasts_a_restart_and_must_be_long() {
    let token = [("VOICEHOOK_INSPECT_TOKEN", "a-token-of-my-own")];
    let dev = Dev::start_with(&[], &token);
    assert_eq!(dev.token, "a-token-of-my-own");
    assert_eq!(status(&dev.get(&format!("{PATH}/webhooks/1"))), "200");
    let mut command = Command::new(env!("CARGO_BIN_EXE_voicehook"));
    let output = command.args(["dev", "--listen", "127.0.0.1:0", "--inspect-token", "short"]).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--inspect-token must have at least 16 characters"), "{said}");
}

#[test]
fn what_was_cleared_comes_back_once() {
    let dev = Dev::start(&[]);
    assert_eq!(status(&dev.post(&format!("{PATH}/clear"))), "200");
    assert_eq!(status(&dev.get(&format!("{PATH}/webhooks/1"))), "404");
    assert_eq!(status(&dev.post(&format!("{PATH}/restore"))), "200");
    assert_eq!(dev.details(1)["event_type"], "call.incomingcall");
    assert_eq!(status(&dev.post(&format!("{PATH}/restore"))), "404");
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
        let answer = dev.post(&format!("{PATH}/webhooks/{id}/replay"));
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
    assert_eq!(status(&dev.get("/_inspect/webhooks/99")), "404");
    assert_eq!(status(&dev.post("/_inspect/scenarios/none")), "404");
    assert_eq!(status(&dev.post("/_inspect/clear")), "200");
    let replayed = dev.post("/_inspect/webhooks/1/replay");
    assert!(status(&replayed) == "404" && replayed.contains("it is no longer kept"), "{replayed}");
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
    for name in ["webhooks", "call"] {
        let path = format!("images/{name}.png");
        assert!(include_str!("../../../../docs/cli.md").contains(&path));
        let bytes = fs::metadata(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(path)).unwrap().len();
        assert!(bytes < 150_000, "{name} has {bytes} bytes");
    }
}

/// The browser, and the folder with the tests and their dependencies. Without a browser, CI fails; elsewhere the test is
/// skipped.
fn install() -> Option<(PathBuf, PathBuf)> {
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
    for name in ["browser.mjs", "local_receiver.mjs", "package.json"] {
        fs::copy(Path::new(FILES).join(name), folder.join(name)).unwrap();
    }
    let install = ["install", "--no-audit", "--no-fund", "--no-save", "--silent"];
    let output = Command::new("npm").args(install).current_dir(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some((browser, folder))
}
