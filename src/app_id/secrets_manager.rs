//! AppIDs from AWS Secrets Manager.

use std::time::Duration;

use aws_sdk_secretsmanager::{
    Client, config::retry::RetryConfig, config::timeout::TimeoutConfig, error::ProvideErrorMetadata,
};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{AppIdSource, AppIdUnavailable, Apps, SecretError, Version};
use crate::{
    aws::{Aws, described},
    telemetry,
};

/// The longest wait for a secret, retries included: a webhook has five seconds in all, and needs some for the queue.
const DEADLINE: Duration = Duration::from_millis(1500);
/// The longest wait for one answer, so that a lost packet leaves time for a second attempt.
const ATTEMPT: Duration = Duration::from_millis(700);

/// A secret, or a version of it, that does not exist.
const NOT_FOUND: &str = "ResourceNotFoundException";

/// One secret in AWS Secrets Manager.
#[derive(Clone, Debug)]
pub struct SecretsManager {
    client: Client,
    secret_id: String,
}

/// Why Secrets Manager did not give the secret.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SecretsManagerError {
    /// There is no such secret in this account and region.
    #[error(
        "the secret of ENABLEX_APP_ID_SECRET does not exist in this account and region, or was never given a value"
    )]
    NotFound,
    /// The role may not read the secret.
    #[error(
        "the role may not read the secret of ENABLEX_APP_ID_SECRET (secretsmanager:GetSecretValue, kms:Decrypt): {0}"
    )]
    Denied(String),
    /// Secrets Manager was not reached in time, or failed.
    #[error("Secrets Manager did not answer: {0}")]
    Unreachable(String),
}

impl SecretsManager {
    /// Prepares to read the secret of that name or ARN.
    #[must_use]
    pub fn new(aws: &Aws, secret_id: &str) -> Self {
        let mut config = aws_sdk_secretsmanager::config::Builder::from(aws.shared())
            .timeout_config(
                TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(DEADLINE).build(),
            )
            .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(50)));
        config.set_endpoint_url(aws.endpoint_url("SECRETS_MANAGER"));
        Self { client: Client::from_conf(config.build()), secret_id: secret_id.to_owned() }
    }
}

impl SecretsManager {
    /// The text of a version of the secret; `None` where there is no previous version.
    ///
    /// # Errors
    /// [`AppIdUnavailable`]: Secrets Manager does not give it, or it is binary.
    pub async fn text(&self, version: Version) -> Result<Option<Zeroizing<String>>, AppIdUnavailable> {
        let stage = match version {
            Version::Current => "AWSCURRENT",
            Version::Previous => "AWSPREVIOUS",
        };
        telemetry::count("AppIdRefresh");
        let request = self.client.get_secret_value().secret_id(&self.secret_id).version_stage(stage);
        let answer = Box::pin(request.send()).await;
        if version == Version::Previous && answer.as_ref().is_err_and(|error| error.code() == Some(NOT_FOUND)) {
            return Ok(None);
        }
        let answer = answer.map_err(|error| match error.code() {
            Some(NOT_FOUND) => SecretsManagerError::NotFound,
            Some(code @ ("AccessDeniedException" | "DecryptionFailure" | "KMSAccessDeniedException")) => {
                SecretsManagerError::Denied(code.to_owned())
            }
            Some(code) => SecretsManagerError::Unreachable(code.to_owned()),
            None => SecretsManagerError::Unreachable(described(&error)),
        })?;
        Ok(Some(Zeroizing::new(answer.secret_string.ok_or(SecretError::Binary)?)))
    }
}

impl AppIdSource for SecretsManager {
    async fn fetch(&self, version: Version) -> Result<Apps, AppIdUnavailable> {
        let text = self.text(version).await?;
        Ok(text.map_or_else(|| Ok(Apps::none()), |text| Apps::from_secret(&text))?)
    }
}
