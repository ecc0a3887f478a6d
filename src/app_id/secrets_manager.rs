//! AppIDs from AWS Secrets Manager.

use aws_sdk_secretsmanager::{
    Client, config::retry::RetryConfig, config::timeout::TimeoutConfig, error::ProvideErrorMetadata,
};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{AppIdSource, AppIdUnavailable, Apps, LONGEST_REQUEST, SecretError, Version};
use crate::{
    aws::{Aws, described},
    telemetry,
};

/// A secret, or a version of it, that does not exist.
const NOT_FOUND: &str = "ResourceNotFoundException";

/// One secret in AWS Secrets Manager.
#[derive(Clone, Debug)]
pub struct SecretsManager {
    client: Client,
    secret_id: String,
}

/// Why Secrets Manager did not give the secret.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretsManagerError {
    /// There is no such secret in this account and region.
    #[error(
        "the secret of ENABLEX_APP_ID_SECRET does not exist in this account and region, or was never given a value"
    )]
    NotFound,
    /// The secret is scheduled for deletion.
    #[error(
        "the secret of ENABLEX_APP_ID_SECRET is scheduled for deletion and cannot be read; restore it (aws secretsmanager \
         restore-secret --secret-id NAME), or name another secret"
    )]
    DeletionScheduled,
    /// The role may not read the secret.
    #[error(
        "the role may not read the secret of ENABLEX_APP_ID_SECRET (secretsmanager:GetSecretValue, kms:Decrypt): {0}"
    )]
    Denied(String),
    /// The secret cannot be decrypted.
    #[error(
        "the KMS key of the secret of ENABLEX_APP_ID_SECRET does not decrypt it; see that the key is enabled, and that its \
         policy lets the role use it (kms:Decrypt): {0}"
    )]
    Key(String),
    /// AWS did not accept the credentials.
    #[error("AWS did not accept the credentials: {0}")]
    Credentials(String),
    /// Secrets Manager or KMS asks to slow down.
    #[error("Secrets Manager is throttled: {0}")]
    Throttled(String),
    /// Secrets Manager refused the request for another reason.
    #[error("Secrets Manager refused to give the secret of ENABLEX_APP_ID_SECRET: {0}")]
    Refused(String),
    /// Secrets Manager was not reached in time, or failed.
    #[error("Secrets Manager did not answer: {0}")]
    Unreachable(String),
}

impl SecretsManagerError {
    /// Whether the same request may be answered in a moment.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled(_) | Self::Unreachable(_))
    }

    /// What an error code means. Those of KMS come as they are, with a prefix.
    fn from_code(code: &str, status: Option<u16>) -> Self {
        let told = code.to_owned();
        let is_of_kms = code.get(..3).is_some_and(|prefix| prefix.eq_ignore_ascii_case("kms"));
        match code {
            _ if THROTTLING.iter().any(|throttling| code.contains(throttling)) || status == Some(429) => {
                Self::Throttled(told)
            }
            _ if status.is_some_and(|status| status >= 500) || TRANSIENT.iter().any(|failed| code.contains(failed)) => {
                Self::Unreachable(told)
            }
            NOT_FOUND => Self::NotFound,
            "InvalidRequestException" => Self::DeletionScheduled,
            "DecryptionFailure" | "EncryptionFailure" => Self::Key(told),
            _ if code.contains("AccessDenied") => Self::Denied(told),
            _ if is_of_kms => Self::Key(told),
            "NotAuthorized" => Self::Denied(told),
            _ if CREDENTIALS.iter().any(|credentials| code.contains(credentials)) => Self::Credentials(told),
            _ => Self::Refused(told),
        }
    }
}

/// Parts of the codes with which AWS asks to slow down.
const THROTTLING: [&str; 6] =
    ["Throttl", "TooManyRequests", "RequestLimitExceeded", "LimitExceeded", "SlowDown", "PriorRequestNotComplete"];
/// Parts of the codes of failures that pass, also where the status is not one of a server's error.
const TRANSIENT: [&str; 7] = [
    "InternalServiceError",
    "InternalServerError",
    "InternalFailure",
    "KMSInternal",
    "ServiceUnavailable",
    "DependencyTimeout",
    "RequestTimeout",
];
/// Parts of the codes that are about who asks.
const CREDENTIALS: [&str; 10] = [
    "UnrecognizedClient",
    "InvalidClientTokenId",
    "ExpiredToken",
    "RequestExpired",
    "InvalidSecurity",
    "InvalidSignature",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "OptInRequired",
];

impl SecretsManager {
    /// Prepares to read the secret of that name or ARN. Each request is made once: [`AppIds`](super::AppIds) knows best
    /// when to ask again.
    #[must_use]
    pub fn new(aws: &Aws, secret_id: &str) -> Self {
        Self::with_retries(aws, secret_id, RetryConfig::disabled())
    }

    /// The same for a caller that asks once: the SDK retries where that may help.
    #[must_use]
    pub fn retrying(aws: &Aws, secret_id: &str) -> Self {
        Self::with_retries(aws, secret_id, RetryConfig::standard())
    }

    fn with_retries(aws: &Aws, secret_id: &str, retries: RetryConfig) -> Self {
        let mut config = aws_sdk_secretsmanager::config::Builder::from(aws.shared())
            .timeout_config(TimeoutConfig::builder().operation_timeout(LONGEST_REQUEST).build())
            .retry_config(retries);
        config.set_endpoint_url(aws.endpoint_url("SECRETS_MANAGER"));
        Self { client: Client::from_conf(config.build()), secret_id: secret_id.to_owned() }
    }

    /// The text of a version of the secret; `None` where there is no previous version.
    ///
    /// # Errors
    /// [`AppIdUnavailable`]: Secrets Manager does not give it, or it is binary.
    pub async fn text(&self, version: Version) -> Result<Option<Zeroizing<String>>, AppIdUnavailable> {
        telemetry::count("AppIdRefresh");
        let request = self.client.get_secret_value().secret_id(&self.secret_id).version_stage(version.stage());
        match Box::pin(request.send()).await {
            Ok(answer) => Ok(Some(Zeroizing::new(answer.secret_string.ok_or(SecretError::Binary)?))),
            Err(error) if version == Version::Previous && error.code() == Some(NOT_FOUND) => Ok(None),
            Err(error) => {
                let status = error.raw_response().map(|response| response.status().as_u16());
                Err(match error.code() {
                    Some(code) => SecretsManagerError::from_code(code, status),
                    None => SecretsManagerError::Unreachable(described(&error)),
                }
                .into())
            }
        }
    }
}

impl AppIdSource for SecretsManager {
    async fn fetch(&self, version: Version) -> Result<Apps, AppIdUnavailable> {
        let text = self.text(version).await?;
        Ok(text.map_or_else(|| Ok(Apps::none()), |text| Apps::from_secret(&text))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_means_what_the_operator_must_do() {
        use SecretsManagerError as E;
        type Meaning = fn(String) -> E;
        let meanings: [(&str, u16, Meaning); _] = [
            ("ResourceNotFoundException", 400, |_| E::NotFound),
            ("InvalidRequestException", 400, |_| E::DeletionScheduled),
            ("AccessDeniedException", 400, E::Denied),
            ("NotAuthorized", 400, E::Denied),
            ("KMSAccessDeniedException", 400, E::Denied),
            ("KMS.AccessDeniedException", 400, E::Denied),
            ("DecryptionFailure", 400, E::Key),
            ("KMSDisabledException", 400, E::Key),
            ("KmsInvalidState", 400, E::Key),
            ("KMS.NotFoundException", 400, E::Key),
            ("KMSThrottlingException", 400, E::Throttled),
            ("KmsThrottled", 400, E::Throttled),
            ("ThrottlingException", 400, E::Throttled),
            ("TooManyRequestsException", 429, E::Throttled),
            ("LimitExceededException", 400, E::Throttled),
            ("InternalServiceError", 500, E::Unreachable),
            ("KMSInternalException", 400, E::Unreachable),
            ("AnythingElse", 503, E::Unreachable),
            ("UnrecognizedClientException", 400, E::Credentials),
            ("InvalidClientTokenId", 403, E::Credentials),
            ("ExpiredTokenException", 400, E::Credentials),
            ("RequestExpired", 400, E::Credentials),
            ("InvalidSignatureException", 400, E::Credentials),
            ("OptInRequired", 403, E::Credentials),
            ("InvalidParameterException", 400, E::Refused),
            ("K", 400, E::Refused),
        ];
        for (code, status, meaning) in meanings {
            assert_eq!(E::from_code(code, Some(status)), meaning(code.to_owned()), "{code}");
        }
    }
}
