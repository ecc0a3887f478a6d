//! Rotation: a webhook is refused for good only by AppIDs that are true now, whatever Secrets Manager does and whatever
//! strangers send. Time is tokio's paused clock.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::{Instant, advance, sleep, sleep_until};
use voicehook_lambda::receiver::Request;
use voicehook_lambda::{
    app_id::{AppIdSource, AppIdUnavailable, AppIds, Apps, SecretError, SecretsManagerError, Version},
    decrypt::{Algorithm, Encoding, Format},
    queue::{Quarantined, QueueKind},
    receiver::{Answer, Receiver, Settings},
    sender,
    webhook::Accept,
};
use voicehook_test_support::{EVENT, TestQueue, headers};

const TIME_TO_LIVE: Duration = Duration::from_secs(300);
const SECOND: Duration = Duration::from_secs(1);

/// What the source says of one version.
#[derive(Clone)]
enum Says {
    /// The text of a secret, after some time.
    Secret(String, Duration),
    NoSuchVersion,
    Fails(AppIdUnavailable),
    Hangs,
    Panics,
}

fn secret(text: &str) -> Says {
    Says::Secret(text.to_owned(), Duration::from_millis(50))
}

/// A Secrets Manager that says what a test wants, and remembers when it was asked. What it says is what it has when the
/// request comes.
#[derive(Clone)]
struct Source(Arc<Mutex<State>>);

struct State {
    current: Says,
    previous: Says,
    asked: Vec<(Version, Instant)>,
}

impl Source {
    fn new(current: Says, previous: Says) -> Self {
        Self(Arc::new(Mutex::new(State { current, previous, asked: Vec::new() })))
    }

    fn says(&self, version: Version, says: Says) {
        let mut state = self.0.lock().unwrap();
        match version {
            Version::Current => state.current = says,
            Version::Previous => state.previous = says,
        }
    }

    fn rotate(&self, new: &str) {
        let mut state = self.0.lock().unwrap();
        state.previous = std::mem::replace(&mut state.current, secret(new));
    }

    fn asked(&self, version: Version) -> Vec<Instant> {
        let state = self.0.lock().unwrap();
        state.asked.iter().filter(|(asked, _)| *asked == version).map(|(_, at)| *at).collect()
    }
}

impl AppIdSource for Source {
    async fn fetch(&self, version: Version) -> Result<Apps, AppIdUnavailable> {
        let says = {
            let mut state = self.0.lock().unwrap();
            state.asked.push((version, Instant::now()));
            match version {
                Version::Current => state.current.clone(),
                Version::Previous => state.previous.clone(),
            }
        };
        match says {
            Says::Secret(text, takes) => {
                sleep(takes).await;
                Ok(Apps::from_secret(&text)?)
            }
            Says::NoSuchVersion if version == Version::Previous => Ok(Apps::none()),
            Says::NoSuchVersion => Err(SecretsManagerError::NotFound.into()),
            Says::Fails(error) => Err(error),
            Says::Hangs => std::future::pending().await,
            Says::Panics => panic!("injected"),
        }
    }
}

/// Everything that can be wrong with a version.
fn faults() -> Vec<(&'static str, Says)> {
    vec![
        ("hangs", Says::Hangs),
        ("throttled", Says::Fails(SecretsManagerError::Throttled("ThrottlingException".to_owned()).into())),
        ("500", Says::Fails(SecretsManagerError::Unreachable("InternalServiceError".to_owned()).into())),
        ("denied", Says::Fails(SecretsManagerError::Denied("AccessDeniedException".to_owned()).into())),
        ("no such version", Says::NoSuchVersion),
        ("deletion scheduled", Says::Fails(SecretsManagerError::DeletionScheduled.into())),
        ("wrong shape", Says::Fails(SecretError::NotTheJson.into())),
        ("panics", Says::Panics),
    ]
}

/// A receiver, with what it put on its queues.
struct Stack {
    receiver: Arc<Receiver<Source, TestQueue>>,
    quarantine: Option<TestQueue>,
}

impl Stack {
    fn new(source: &Source, settings: Settings, with_quarantine: bool) -> Self {
        let events = TestQueue::new(QueueKind::Fifo);
        let quarantine = with_quarantine.then(|| TestQueue::new(QueueKind::Standard));
        let app_ids = AppIds::new(source.clone(), TIME_TO_LIVE);
        let receiver = Receiver::new(settings, app_ids, events).with_quarantine(quarantine.clone());
        Self { receiver: Arc::new(receiver), quarantine }
    }

    /// After a start at which all was well, and an hour of nothing.
    async fn running(source: &Source, with_quarantine: bool) -> Self {
        let stack = Self::new(source, Settings::default(), with_quarantine);
        stack.receiver.warm_up().await;
        advance(3600 * SECOND).await;
        stack
    }

    /// Outcome and reason.
    async fn outcome(&self, request: Request) -> String {
        outcome(&self.receiver, request).await
    }

    fn kept(&self) -> Vec<Quarantined> {
        let messages = self.quarantine.as_ref().unwrap().messages();
        messages.iter().map(|message| serde_json::from_str(&message.body).unwrap()).collect()
    }
}

async fn outcome(receiver: &Receiver<Source, TestQueue>, request: Request) -> String {
    let Answer { outcome, .. } = receiver.receive(&request).await;
    match outcome.reason() {
        Some(reason) if reason != outcome.name() => format!("{} {reason}", outcome.name()),
        _ => outcome.name().to_owned(),
    }
}

fn webhook_to(path: &str, app_id: &str) -> Request {
    let data = sender::encrypt(EVENT, app_id, Algorithm::named("aes-256-cbc").unwrap(), Format::Hex, Encoding::Utf8);
    headers().uri(path).body(format!(r#"{{"encrypted_data":"{data}"}}"#)).unwrap().into()
}

fn webhook(app_id: &str) -> Request {
    webhook_to("/webhook", app_id)
}

fn garbage() -> Request {
    headers().body(format!(r#"{{"encrypted_data":"{}"}}"#, "00".repeat(32))).unwrap().into()
}

fn probe(path: &str) -> Request {
    headers().method("GET").uri(path).body("").unwrap().into()
}

/// Garbage from now on, ten a second, for so long: ciphertexts, apps and tokens that nobody knows.
fn garbage_at_ten_a_second(stack: &Stack, seconds: u32) -> tokio::task::JoinHandle<()> {
    let receiver = Arc::clone(&stack.receiver);
    tokio::spawn(async move {
        let mut next = Instant::now();
        for number in 0..seconds * 10 {
            let receiver = Arc::clone(&receiver);
            let request = match number % 10 {
                0 => garbage(),
                1..5 => probe("/webhook/nobody"),
                _ => probe("/webhook/default/0123456789abcdef"),
            };
            tokio::spawn(async move { receiver.receive(&request).await });
            next += SECOND / 10;
            sleep_until(next).await;
        }
    })
}

#[tokio::test(start_paused = true)]
async fn garbage_is_refused_for_good_once_both_versions_were_asked() {
    for (previous, what) in [(secret("older"), "a previous version"), (Says::NoSuchVersion, "no previous version")] {
        let source = Source::new(secret("today"), previous);
        assert_eq!(Stack::running(&source, false).await.outcome(garbage()).await, "refused undecryptable", "{what}");
        let kept = Stack::running(&source, true).await;
        assert_eq!(kept.outcome(garbage()).await, "quarantined undecryptable", "{what}");
        assert_eq!(kept.outcome(probe("/webhook/sales")).await, "not_found", "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_asked_is_never_refused_for_good() {
    for version in [Version::Current, Version::Previous] {
        for (what, fault) in faults() {
            // Which is an answer.
            if version == Version::Previous && what == "no such version" {
                continue;
            }
            for with_quarantine in [false, true] {
                let source = Source::new(secret("today"), secret("older"));
                let stack = Stack::running(&source, with_quarantine).await;
                source.says(version, fault.clone());
                let expected = if with_quarantine { "quarantined app_id_unavailable" } else { "app_id_unavailable" };
                for _ in 0..3 {
                    let start = Instant::now();
                    assert_eq!(stack.outcome(garbage()).await, expected, "{version:?} {what}");
                    assert!(start.elapsed() <= 2 * SECOND, "half of the time is for the quarantine: {what}");
                    assert_eq!(
                        stack.outcome(webhook_to("/webhook/sales", "new")).await,
                        expected,
                        "{version:?} {what}"
                    );
                    assert_eq!(
                        stack.outcome(probe("/webhook/sales")).await,
                        "app_id_unavailable",
                        "{version:?} {what}"
                    );
                    assert_eq!(stack.outcome(webhook("today")).await, "queued", "{version:?} {what}");
                    sleep(SECOND).await;
                }
                if with_quarantine {
                    let kept = stack.kept();
                    assert!(kept.iter().all(|kept| kept.reason == "app_id_unavailable"));
                    assert!(kept.iter().any(|kept| kept.app == "sales"));
                }
                source.says(Version::Current, secret("new"));
                source.says(Version::Previous, secret("today"));
                sleep(SECOND).await;
                assert_eq!(stack.outcome(webhook("new")).await, "queued", "healthy again: {version:?} {what}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_app_id_opens_at_once_also_where_the_previous_version_cannot_be_read() {
    for (what, fault) in faults() {
        let source = Source::new(secret("today"), secret("older"));
        let stack = Stack::running(&source, false).await;
        source.rotate("new");
        source.says(Version::Previous, fault);
        let start = Instant::now();
        assert_eq!(stack.outcome(webhook("new")).await, "queued", "{what}");
        assert!(start.elapsed() < SECOND, "{what}");
        assert_eq!(stack.outcome(webhook("today")).await, "queued", "what was current opens on: {what}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_previous_app_id_opens_also_where_the_current_version_cannot_be_read() {
    for (what, fault) in faults() {
        let source = Source::new(secret("today"), secret("older"));
        let stack = Stack::running(&source, false).await;
        source.says(Version::Current, fault);
        assert_eq!(stack.outcome(webhook("older")).await, "queued", "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_any_version_everything_gets_503() {
    for (what, fault) in faults() {
        let source = Source::new(fault.clone(), fault);
        let stack = Stack::new(&source, Settings::default(), true);
        for request in [webhook("today"), garbage(), probe("/webhook"), probe("/webhook/sales")] {
            assert_eq!(stack.outcome(request).await, "app_id_unavailable", "{what}");
        }
        assert_eq!(stack.kept().len(), 0, "app and token cannot be checked: {what}");
        source.says(Version::Current, secret("today"));
        sleep(SECOND).await;
        assert_eq!(stack.outcome(webhook("today")).await, "queued", "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn at_a_start_with_a_broken_current_version_the_previous_one_serves() {
    let broken = Says::Fails(SecretError::NotTheJson.into());
    let source = Source::new(broken, secret("older"));
    let stack = Stack::new(&source, Settings::default(), true);
    stack.receiver.warm_up().await;
    assert_eq!(stack.outcome(webhook("older")).await, "queued");
    assert_eq!(stack.outcome(webhook("new")).await, "quarantined app_id_unavailable");
    source.says(Version::Current, secret("new"));
    sleep(10 * SECOND).await;
    assert_eq!(stack.outcome(webhook("older")).await, "queued");
    sleep(SECOND).await;
    let start = Instant::now();
    assert_eq!(stack.outcome(webhook("new")).await, "queued");
    assert_eq!(start.elapsed(), Duration::ZERO, "the current version was asked for again in the background");
}

#[tokio::test(start_paused = true)]
async fn under_garbage_a_webhook_opens_whose_app_id_has_been_current_for_two_seconds() {
    for takes in [Duration::ZERO, Duration::from_millis(50), Duration::from_millis(750)] {
        let source = Source::new(secret("app-id-0"), Says::NoSuchVersion);
        let stack = Stack::running(&source, false).await;
        let garbage = garbage_at_ten_a_second(&stack, 120);
        for rotation in 1..20_u64 {
            sleep(Duration::from_millis(1700 + 230 * rotation)).await;
            source.rotate(&format!("app-id-{rotation}"));
            source.says(Version::Current, Says::Secret(format!("app-id-{rotation}"), takes));
            for _ in 0..20 {
                let old = webhook(&format!("app-id-{}", rotation - 1));
                assert_eq!(stack.outcome(old).await, "queued", "the old one opens all along");
                sleep(SECOND / 10).await;
            }
            let new = webhook(&format!("app-id-{rotation}"));
            assert_eq!(stack.outcome(new).await, "queued", "{takes:?} {rotation}");
        }
        garbage.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_garbage_costs_at_most_a_request_a_second_for_each_version() {
    let down = Says::Fails(SecretsManagerError::Throttled("ThrottlingException".to_owned()).into());
    let denied = Says::Fails(SecretsManagerError::Denied("AccessDeniedException".to_owned()).into());
    for says in [None, Some(down), Some(denied), Some(Says::Hangs)] {
        let source = Source::new(secret("today"), secret("older"));
        let stack = Stack::running(&source, false).await;
        if let Some(says) = says {
            source.says(Version::Current, says.clone());
            source.says(Version::Previous, says);
        }
        let before = source.asked(Version::Current).len();
        garbage_at_ten_a_second(&stack, 3600).await.unwrap();
        for (version, before) in [(Version::Current, before), (Version::Previous, 0)] {
            let asked = source.asked(version);
            assert!(asked[before..].len() <= 3601, "{}", asked.len());
            assert!(asked.windows(2).all(|pair| pair[1] - pair[0] >= SECOND), "strictly");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_garbage_only_the_time_to_live_asks_and_nobody_waits_for_it() {
    let source = Source::new(Says::Secret("today".to_owned(), 3 * SECOND), secret("older"));
    let stack = Stack::new(&source, Settings::default(), false);
    stack.receiver.warm_up().await;
    assert_eq!(stack.outcome(webhook("today")).await, "queued");
    let at_the_start = source.asked(Version::Current).len();
    for _ in 0..3600 {
        let start = Instant::now();
        assert_eq!(stack.outcome(webhook("today")).await, "queued");
        assert_eq!(start.elapsed(), Duration::ZERO);
        sleep(SECOND).await;
    }
    let asked = source.asked(Version::Current).len() - at_the_start;
    assert!((11..=12).contains(&asked), "{asked}");
    assert_eq!(source.asked(Version::Previous).len(), 0);
}

#[tokio::test(start_paused = true)]
async fn while_the_source_fails_the_app_ids_go_on_serving_and_a_rotation_is_seen_after() {
    let source = Source::new(secret("today"), Says::NoSuchVersion);
    let stack = Stack::running(&source, false).await;
    source.says(Version::Current, Says::Fails(SecretsManagerError::Denied("AccessDenied".to_owned()).into()));
    for _ in 0..600 {
        assert_eq!(stack.outcome(webhook("today")).await, "queued");
        sleep(SECOND).await;
    }
    let asked = source.asked(Version::Current).len();
    assert!(asked <= 62, "a source that refuses is not asked every second: {asked}");
    source.rotate("new");
    source.says(Version::Previous, secret("today"));
    for _ in 0..11 {
        stack.outcome(webhook("today")).await;
        sleep(SECOND).await;
    }
    let start = Instant::now();
    assert_eq!(stack.outcome(webhook("new")).await, "queued");
    assert_eq!(start.elapsed(), Duration::ZERO, "the time to live alone has seen it");
}

#[tokio::test(start_paused = true)]
async fn a_slow_source_works() {
    for takes in [750, 1500, 3000].map(Duration::from_millis) {
        let slow = |text: &str| Says::Secret(text.to_owned(), takes);
        let source = Source::new(slow("today"), slow("older"));
        let stack = Stack::new(&source, Settings::default(), true);
        let start = Instant::now();
        assert_eq!(stack.outcome(webhook("today")).await, "queued", "{takes:?}");
        assert_eq!(start.elapsed(), takes);
        advance(3600 * SECOND).await;
        source.says(Version::Current, slow("new"));
        source.says(Version::Previous, slow("today"));
        let first = stack.outcome(webhook("new")).await;
        sleep(2 * SECOND).await;
        assert_eq!(stack.outcome(webhook("new")).await, "queued", "{takes:?}, after {first}");
        if takes < 2 * SECOND {
            assert_eq!(first, "queued", "{takes:?}");
        }
    }
    // Slower than any webhook can wait.
    let source = Source::new(Says::Secret("today".to_owned(), 8 * SECOND), secret("older"));
    let stack = Stack::new(&source, Settings::default(), false);
    for expected in ["app_id_unavailable", "app_id_unavailable", "queued", "queued"] {
        assert_eq!(stack.outcome(webhook("today")).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_blip_at_the_start_costs_no_webhook() {
    let source = Source::new(Says::Fails(SecretsManagerError::Unreachable("blip".to_owned()).into()), secret("older"));
    let stack = Stack::new(&source, Settings::default(), false);
    let first = tokio::spawn({
        let receiver = Arc::clone(&stack.receiver);
        async move { outcome(&receiver, webhook("today")).await }
    });
    sleep(Duration::from_millis(60)).await;
    source.says(Version::Current, secret("today"));
    assert_eq!(first.await.unwrap(), "queued");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_holds_while_the_source_hangs() {
    let deadline = Duration::from_millis(100);
    let settings = || Settings { publish_deadline: deadline, ..Settings::default() };
    let source = Source::new(Says::Hangs, Says::Hangs);
    let stack = Stack::new(&source, settings(), true);
    for request in [webhook("today"), garbage(), probe("/webhook/sales")] {
        let start = Instant::now();
        assert_eq!(stack.outcome(request).await, "app_id_unavailable");
        assert!(start.elapsed() <= deadline, "{:?}", start.elapsed());
    }
    let source = Source::new(secret("today"), secret("older"));
    let stack = Stack::new(&source, settings(), true);
    stack.receiver.warm_up().await;
    advance(3600 * SECOND).await;
    source.says(Version::Current, Says::Hangs);
    source.says(Version::Previous, Says::Hangs);
    for (request, expected) in [
        (garbage(), "quarantined app_id_unavailable"),
        (webhook("today"), "queued"),
        (probe("/webhook/sales"), "app_id_unavailable"),
    ] {
        let start = Instant::now();
        assert_eq!(stack.outcome(request).await, expected);
        assert!(start.elapsed() <= deadline, "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_app_and_a_token_that_were_just_added_are_right() {
    const TOKEN: &str = "0123456789abcdef";
    let source = Source::new(secret("today"), Says::NoSuchVersion);
    let stack = Stack::running(&source, false).await;
    source.rotate(r#"{"apps": {"default": "today", "sales": "s"}}"#);
    assert_eq!(stack.outcome(probe("/webhook/sales")).await, "probe");
    assert_eq!(stack.outcome(webhook_to("/webhook/sales", "s")).await, "queued");
    assert_eq!(stack.outcome(webhook_to("/webhook/care", "s")).await, "not_found");
    advance(2 * SECOND).await;
    source.rotate(&format!(r#"{{"app_id": "today", "token": "{TOKEN}"}}"#));
    assert_eq!(stack.outcome(webhook_to(&format!("/webhook/default/{TOKEN}"), "today")).await, "queued");
    assert_eq!(stack.outcome(webhook_to("/webhook/default", "today")).await, "not_found", "a token counts at once");
    assert_eq!(stack.outcome(probe("/webhook/default/fedcba9876543210")).await, "not_found");
    advance(2 * SECOND).await;
    source.rotate(&format!(r#"{{"app_id": "today", "token": "another-{TOKEN}"}}"#));
    let (old, new) = (format!("/webhook/default/{TOKEN}"), format!("/webhook/default/another-{TOKEN}"));
    assert_eq!(stack.outcome(webhook_to(&new, "today")).await, "queued");
    assert_eq!(stack.outcome(webhook_to(&old, "today")).await, "queued", "the previous version's token is right too");
}

#[tokio::test(start_paused = true)]
async fn what_no_secret_can_name_is_refused_without_asking() {
    let source = Source::new(secret("today"), secret("older"));
    let stack = Stack::running(&source, false).await;
    let before = source.asked(Version::Current).len();
    for path in ["/webhook/default/short", "/webhook/a%20b", "/webhook?token=", "/favicon.ico"] {
        assert_eq!(stack.outcome(probe(path)).await, "not_found", "{path}");
    }
    assert_eq!(source.asked(Version::Current).len(), before);
}

#[tokio::test(start_paused = true)]
async fn where_the_token_could_not_be_checked_only_what_is_encrypted_is_kept() {
    let source = Source::new(secret("today"), secret("older"));
    let accept = Accept { plaintext: true, ..Accept::default() };
    let stack = Stack::new(&source, Settings { accept, ..Settings::default() }, true);
    stack.receiver.warm_up().await;
    advance(3600 * SECOND).await;
    source.says(Version::Current, Says::Fails(SecretsManagerError::DeletionScheduled.into()));
    let mut plain = webhook_to("/webhook/default/0123456789abcdef", "today");
    plain.headers.remove("x-algoritm");
    assert_eq!(stack.outcome(plain).await, "app_id_unavailable", "it would be taken for an event when it is redriven");
    let encrypted = webhook_to("/webhook/default/0123456789abcdef", "today");
    assert_eq!(stack.outcome(encrypted).await, "quarantined app_id_unavailable");
}

#[tokio::test(start_paused = true)]
async fn a_plain_body_that_is_no_event_is_refused_without_asking() {
    let source = Source::new(secret("today"), secret("older"));
    let accept = Accept { plaintext: true, ..Accept::default() };
    let stack = Stack::new(&source, Settings { accept, ..Settings::default() }, false);
    stack.receiver.warm_up().await;
    advance(60 * SECOND).await;
    let mut plain: Request = headers().body("{".to_owned()).unwrap().into();
    plain.headers.remove("x-algoritm");
    assert_eq!(stack.outcome(plain).await, "refused malformed");
    assert_eq!((source.asked(Version::Current).len(), source.asked(Version::Previous).len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn after_two_rotations_at_once_the_app_id_between_them_opens_too_and_the_one_before_is_refused() {
    let source = Source::new(secret("today"), secret("older"));
    let stack = Stack::running(&source, false).await;
    assert_eq!(stack.outcome(garbage()).await, "refused undecryptable");
    // "between" was never current when somebody asked.
    source.rotate("between");
    source.rotate("new");
    sleep(2 * SECOND).await;
    assert_eq!(stack.outcome(webhook("new")).await, "queued");
    assert_eq!(stack.outcome(webhook("between")).await, "queued");
    assert_eq!(stack.outcome(webhook("today")).await, "refused undecryptable");
}

#[tokio::test(start_paused = true)]
async fn fifty_webhooks_at_the_start_cost_one_request() {
    let source = Source::new(secret("today"), secret("older"));
    let stack = Stack::new(&source, Settings::default(), false);
    let all: Vec<_> = (0..50)
        .map(|_| {
            let receiver = Arc::clone(&stack.receiver);
            tokio::spawn(async move { outcome(&receiver, webhook("today")).await })
        })
        .collect();
    for one in all {
        assert_eq!(one.await.unwrap(), "queued");
    }
    assert_eq!((source.asked(Version::Current).len(), source.asked(Version::Previous).len()), (1, 0));
}
