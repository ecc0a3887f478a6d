//! The AppIDs of a secret in Secrets Manager, through the SDK: what each answer means, and how often it is asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::Instant;
use voicehook_lambda::app_id::{
    AppIdSource as _, AppIdUnavailable, AppIds, SecretError, SecretsManager, SecretsManagerError, Version,
};
use voicehook_test_support::aws_stub::{AwsStub, error, error_with};

const TIME_TO_LIVE: Duration = Duration::from_secs(300);

fn right() -> (u16, Value) {
    (200, json!({"SecretString": r#"{"apps": {"sales": "abc"}}"#}))
}

fn secret(stub: &AwsStub) -> SecretsManager {
    SecretsManager::new(&voicehook_test_support::aws(&stub.endpoint), "enablex")
}

/// What is told of an answer, and how many requests there were.
async fn told(version: Version, answer: (u16, Value)) -> (Result<usize, AppIdUnavailable>, usize) {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let stub = AwsStub::start(move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        answer.clone()
    })
    .await;
    let told = secret(&stub).fetch(version).await.map(|apps| apps.names().count());
    (told, requests.load(Ordering::SeqCst))
}

#[tokio::test]
async fn every_answer_is_named_and_asked_for_once() {
    use SecretsManagerError::{Credentials, DeletionScheduled, Denied, Key, NotFound, Throttled, Unreachable};
    let code = str::to_owned;
    let cases = [
        (Version::Current, right(), Ok(1)),
        (Version::Current, error("ResourceNotFoundException"), Err(NotFound.into())),
        (Version::Previous, error("ResourceNotFoundException"), Ok(0)),
        (Version::Current, error("InvalidRequestException"), Err(DeletionScheduled.into())),
        (Version::Previous, error("InvalidRequestException"), Err(DeletionScheduled.into())),
        (Version::Current, error("AccessDeniedException"), Err(Denied(code("AccessDeniedException")).into())),
        (Version::Current, error("DecryptionFailure"), Err(Key(code("DecryptionFailure")).into())),
        (Version::Current, error("KMSDisabledException"), Err(Key(code("KMSDisabledException")).into())),
        (Version::Current, error("ThrottlingException"), Err(Throttled(code("ThrottlingException")).into())),
        (Version::Previous, error("KMSThrottlingException"), Err(Throttled(code("KMSThrottlingException")).into())),
        (
            Version::Current,
            error_with(500, "InternalServiceError"),
            Err(Unreachable(code("InternalServiceError")).into()),
        ),
        (Version::Current, error("ExpiredTokenException"), Err(Credentials(code("ExpiredTokenException")).into())),
        (Version::Current, (200, json!({"SecretBinary": "AAAA"})), Err(SecretError::Binary.into())),
        (Version::Current, (200, json!({"SecretString": r#"["abc"]"#})), Err(SecretError::JsonArray.into())),
        (Version::Current, (200, json!({"SecretString": "\u{feff}abc"})), Ok(1)),
    ];
    for (version, answer, expected) in cases {
        assert_eq!(told(version, answer.clone()).await, (expected, 1), "{version:?} {answer:?}");
    }
}

#[tokio::test]
async fn what_passes_is_asked_again_and_what_does_not_pass_is_told_at_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let stub = AwsStub::start(move |_, _| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => error("ThrottlingException"),
        _ => right(),
    })
    .await;
    let app_ids = AppIds::new(secret(&stub), TIME_TO_LIVE);
    let known = app_ids.first(Instant::now() + Duration::from_secs(60)).await.unwrap();
    assert_eq!(known.current().unwrap().names().collect::<Vec<_>>(), ["sales"]);

    let stub = AwsStub::start(|_, _| error("InvalidRequestException")).await;
    let app_ids = AppIds::new(secret(&stub), TIME_TO_LIVE);
    let told = app_ids.first(Instant::now() + Duration::from_secs(3600)).await.unwrap_err();
    assert_eq!(told, SecretsManagerError::DeletionScheduled.into());
    assert!(told.to_string().contains("restore-secret"), "{told}");
}

#[tokio::test]
async fn a_secrets_manager_that_takes_a_while_is_not_down() {
    let stub = AwsStub::start_slow(Duration::from_millis(1200), |_, _| right()).await;
    let app_ids = AppIds::new(secret(&stub), TIME_TO_LIVE);
    let in_vain = app_ids.first(Instant::now() + Duration::from_millis(100)).await;
    assert_eq!(in_vain.unwrap_err(), AppIdUnavailable::OutOfTime);
    // The request goes on without the one who wanted it.
    assert!(app_ids.first(Instant::now() + Duration::from_secs(60)).await.is_ok());
}

#[tokio::test]
async fn both_versions_are_fresh_where_there_is_no_previous_one() {
    let stub = AwsStub::start(|_, request| match request["VersionStage"].as_str() {
        Some("AWSPREVIOUS") => error("ResourceNotFoundException"),
        _ => right(),
    })
    .await;
    let app_ids = AppIds::new(secret(&stub), TIME_TO_LIVE);
    let arrived = Instant::now();
    let until = arrived + Duration::from_secs(60);
    let mut known = app_ids.first(until).await.unwrap();
    while !known.is_fresh(arrived) {
        known = app_ids.fresher(&known, arrived, until).await.unwrap();
    }
    assert_eq!(known.versions().map(|apps| apps.names().count()).collect::<Vec<_>>(), [1, 0]);
}
