//! What the AWS clients share: region, credentials, endpoints, TLS.
//!
//! An [`Aws`] is made once, from the `AWS_*` variables that Lambda sets or from a developer's configuration. Every client is
//! made from it, and so is the way to SQS that does without the SDK.

mod credentials;
mod direct;
mod error;
mod http;
mod signature;

use std::{fmt, sync::Arc};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_sqs::config::{BehaviorVersion, IdentityCache, Region, StalledStreamProtectionConfig};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_types::SdkConfig;
use hyper_util::client::legacy::connect::Connect;
use thiserror::Error;

use self::http::Renew;
pub use self::{
    credentials::CredentialsHealth,
    error::described,
    http::{Connections, Tcp, TrustRoots, http_client},
};
pub(crate) use self::{direct::Direct, error::causes};
use crate::clock::WallClock;

/// The defaults of the SDK that voicehook was written against, pinned so that an update of the SDK changes none of them.
#[must_use]
pub fn behavior_version() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// The function reads an answer of AWS up to this size, in bytes. Those of SQS that it asks for have some hundred bytes, a
/// secret has 64 KiB at most.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// The variables of Lambda that are not set. Elsewhere they are set as for any AWS client.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("not set: {}", .0.join(", "))]
pub struct MissingVariables(pub Vec<&'static str>);

/// Region, credentials and HTTP client of all AWS clients.
#[derive(Clone, Debug)]
pub struct Aws {
    shared: SdkConfig,
    /// What [`Direct`] needs.
    direct: Option<(SharedHttpConnector, Credentials)>,
    /// Those of the HTTP client, where they can be renewed.
    connections: Option<Arc<dyn Renew>>,
    credentials: CredentialsHealth,
}

impl Aws {
    /// From the environment that Lambda gives to a function: static credentials and a region, and nothing else. The
    /// chain of sources that a developer's machine needs would cost size and time in each cold start.
    ///
    /// # Errors
    /// Every variable that is missing.
    pub fn from_lambda_environment() -> Result<Self, MissingVariables> {
        let mut missing = MissingVariables(Vec::new());
        let mut needed = |name| {
            variable(name).unwrap_or_else(|| {
                missing.0.push(name);
                String::new()
            })
        };
        let region = needed("AWS_REGION");
        let credentials = Credentials::new(
            needed("AWS_ACCESS_KEY_ID"),
            needed("AWS_SECRET_ACCESS_KEY"),
            variable("AWS_SESSION_TOKEN"),
            None,
            "LambdaEnvironment",
        );
        if !missing.0.is_empty() {
            return Err(missing);
        }
        let connections = Connections::new(TrustRoots::from_environment());
        Ok(Self::in_lambda(region, credentials, connections))
    }

    /// What the function has in Lambda, with connections of any kind.
    #[must_use]
    pub fn in_lambda<C: Connect + Clone + fmt::Debug + Send + Sync + 'static>(
        region: String,
        credentials: Credentials,
        connections: Connections<C>,
    ) -> Self {
        let connections = connections.with_limit(LARGEST_ANSWER);
        let connector = SharedHttpConnector::new(connections.clone());
        let shared = SdkConfig::builder()
            .behavior_version(behavior_version())
            .region(Region::new(region))
            .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
            .http_client(http_client(connector.clone()))
            // What neither expires nor is loaded need not be kept with a clock beside it.
            .identity_cache(IdentityCache::no_cache())
            // A request as a whole has a timeout, and none is streamed.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .sleep_impl(TokioSleep::new())
            .time_source(WallClock)
            .use_fips(flag("AWS_USE_FIPS_ENDPOINT"))
            .use_dual_stack(flag("AWS_USE_DUALSTACK_ENDPOINT"))
            .build();
        Self::new(shared).sending_directly(connector, credentials).over(connections)
    }

    /// From a configuration that the caller loaded, for instance with `aws_config`.
    #[must_use]
    pub fn new(shared: SdkConfig) -> Self {
        Self { shared, direct: None, connections: None, credentials: CredentialsHealth::default() }
    }

    /// Names the connections of the HTTP client, so that they can be renewed after one of them did not answer.
    #[must_use]
    pub fn over<C: fmt::Debug + Send + Sync + 'static>(mut self, connections: Connections<C>) -> Self {
        self.connections = Some(Arc::new(connections));
        self
    }

    /// Whether AWS accepts the credentials.
    #[must_use]
    pub const fn credentials(&self) -> &CredentialsHealth {
        &self.credentials
    }

    /// Lets the next request open a new connection: one that did not answer may be dead, and so may the idle ones
    /// beside it, which the same freeze of the environment has left.
    pub(crate) fn renew_connections(&self) {
        if let Some(connections) = &self.connections {
            connections.renew();
        }
    }

    /// Makes the first attempt of what a webhook needs without the SDK. The credentials must be good for as long as
    /// the process lives, as those are that Lambda gives.
    #[must_use]
    pub fn sending_directly(mut self, connector: SharedHttpConnector, credentials: Credentials) -> Self {
        self.direct = Some((connector, credentials));
        self
    }

    /// A way to a service of AWS without the SDK, where there is one. `endpoint` is the URL of its root.
    pub(crate) fn direct(&self, service: &'static str, region: &str, endpoint: &str) -> Option<Direct> {
        let (connector, credentials) = self.direct.clone()?;
        Direct::new(connector, credentials, service, region, endpoint)
    }

    /// What all clients share.
    #[must_use]
    pub const fn shared(&self) -> &SdkConfig {
        &self.shared
    }

    /// `AWS_ENDPOINT_URL_<SERVICE>`, else `AWS_ENDPOINT_URL`, else what the caller's configuration says.
    #[must_use]
    pub fn endpoint_url(&self, service: &str) -> Option<String> {
        variable(&format!("AWS_ENDPOINT_URL_{service}"))
            .or_else(|| variable("AWS_ENDPOINT_URL"))
            .or_else(|| self.shared.endpoint_url().map(str::to_owned))
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn flag(name: &str) -> bool {
    variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}
