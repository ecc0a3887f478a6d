//! The AWS configuration of the user: profile, environment, single sign-on.

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use voicehook_lambda::aws;

/// Loads it.
pub(crate) async fn configuration() -> aws_config::SdkConfig {
    aws_config::defaults(aws::behavior_version())
        .http_client(aws::http_client(SharedHttpConnector::new(aws::Connections::new(aws::TrustRoots::System))))
        .load()
        .await
}
