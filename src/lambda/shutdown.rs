//! The end of an execution environment: what is in flight is answered first.
//!
//! Lambda sends SIGTERM only to a function that has registered an extension, and where it serves one invocation at a
//! time, it ends an environment that is idle anyway. So only a function with several at once registers one; it wants no
//! events. <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown>

use http::{Request, header::HeaderName};
use lambda_http::Error;
use lambda_runtime_api_client::{Client, body::Body};

const NAME: &str = "voicehook";
const EXTENSION_NAME: HeaderName = HeaderName::from_static("lambda-extension-name");
const EXTENSION_ID: HeaderName = HeaderName::from_static("lambda-extension-identifier");

/// Registers an extension, so that Lambda sends SIGTERM. Must be done before the first invocation is asked for.
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>
///
/// # Errors
/// Where the Extensions API refuses, or is not there.
pub(super) async fn ask_for_sigterm() -> Result<(), Error> {
    let client = Client::builder().build()?;
    let register = Request::post("/2020-01-01/extension/register").header(EXTENSION_NAME, NAME);
    let registered = client.call(register.body(Body::from(r#"{"events":[]}"#))?).await?;
    let id = registered.headers().get(EXTENSION_ID).ok_or_else(|| format!("the answer is {}", registered.status()))?;
    let next = Request::get("/2020-01-01/extension/event/next").header(EXTENSION_ID, id).body(Body::empty())?;
    // Lambda takes an extension for ready once it asks for an event. None ever comes.
    tokio::spawn(async move { client.call(next).await.map(drop) });
    Ok(())
}

/// Waits for SIGTERM.
#[cfg(unix)]
pub(super) async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};

    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            terminate.recv().await;
        }
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be waited for");
            std::future::pending::<()>().await;
        }
    }
}

/// Lambda runs on Unix only, and other systems have no SIGTERM.
#[cfg(not(unix))]
pub(super) async fn terminated() {
    std::future::pending().await
}
