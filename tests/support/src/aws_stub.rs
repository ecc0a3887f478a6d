//! AWS services that answer as a test wants: one HTTP server, asked by the name of the operation.

use std::{process::Command, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

type Answers = dyn Fn(&str, &Value) -> (u16, Value) + Send + Sync;

/// The server. It ends with the test.
pub struct AwsStub {
    pub endpoint: String,
}

impl AwsStub {
    /// Answers each operation (`GetSecretValue`), and every other request by method and path (`POST /webhook`).
    pub async fn start(answers: impl Fn(&str, &Value) -> (u16, Value) + Send + Sync + 'static) -> Self {
        Self::start_slow(Duration::ZERO, answers).await
    }

    /// The same, and each answer takes so long.
    pub async fn start_slow(
        takes: Duration,
        answers: impl Fn(&str, &Value) -> (u16, Value) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let answers: Arc<Answers> = Arc::new(answers);
        let router = Router::new().fallback(answer).with_state((answers, takes));
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { endpoint }
    }

    /// Points the tool at the server, with credentials that nobody checks.
    pub fn point<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.envs([
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ])
    }
}

async fn answer(
    State((answers, takes)): State<(Arc<Answers>, Duration)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.rsplit('.').next()).map(str::to_owned);
    let operation = operation.unwrap_or_else(|| format!("{method} {}", uri.path()));
    let (status, body) = answers(&operation, &serde_json::from_str(&body).unwrap_or_default());
    if !takes.is_zero() {
        tokio::time::sleep(takes).await;
    }
    (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response()
}

/// An error as these services write it.
pub fn error(code: &str) -> (u16, Value) {
    error_with(400, code)
}

/// An error with another status.
pub fn error_with(status: u16, code: &str) -> (u16, Value) {
    (status, json!({"__type": code, "message": "said the service"}))
}
