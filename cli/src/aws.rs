//! The AWS configuration of the user: profile, environment, single sign-on.

use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials as _, error::CredentialsError};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use thiserror::Error;
use voicehook_lambda::aws::{self, Aws};

/// What the user has not configured, and what to do about it.
#[derive(Debug, Error)]
#[error("{what}; {next}")]
pub(crate) struct Missing {
    pub(crate) what: String,
    pub(crate) next: &'static str,
}

/// Loads it. `region` is the one that a queue's URL or a secret's ARN names, for users who have configured none.
///
/// # Errors
/// If there is no region or there are no credentials. Otherwise each command would find out by its first request, after
/// all retries.
pub(crate) async fn connect(region: Option<&str>) -> Result<Aws, Missing> {
    let connections = aws::Connections::new(aws::TrustRoots::System);
    let http_client = aws::http_client(SharedHttpConnector::new(connections));
    let mut config = aws_config::defaults(aws::behavior_version()).http_client(http_client).load().await;
    if config.region().is_none() {
        let Some(region) = region else {
            let next = "set AWS_REGION, or AWS_PROFILE to a profile that has one";
            return Err(Missing { what: "no AWS region found".to_owned(), next });
        };
        config = config.into_builder().region(Region::new(region.to_owned())).build();
    }
    look_for_credentials(&config).await?;
    Ok(Aws::new(config))
}

/// The region in an ARN; none in the name of a secret.
pub(crate) fn region_of(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split(':').nth(2).filter(|region| !region.is_empty())
}

async fn look_for_credentials(config: &SdkConfig) -> Result<(), Missing> {
    let next = "set AWS_PROFILE, or sign in with `aws sso login`";
    let what = match config.credentials_provider() {
        Some(provider) => match provider.provide_credentials().await {
            Ok(_) => return Ok(()),
            Err(CredentialsError::CredentialsNotLoaded(_)) => "no AWS credentials found".to_owned(),
            Err(error) => {
                let causes: Vec<String> = anyhow::Error::new(error).chain().map(ToString::to_string).collect();
                format!("the AWS credentials cannot be loaded: {}", causes.join(": ").replace('\n', " "))
            }
        },
        None => "no AWS credentials found".to_owned(),
    };
    Err(Missing { what, next })
}
