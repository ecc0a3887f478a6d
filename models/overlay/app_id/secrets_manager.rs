//! Why Secrets Manager did not give the secret: of its errors, those that the models name.

use thiserror::Error;

use super::{AppIdSource, AppIdUnavailable, Apps, Version};
use crate::aws::Aws;

#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretsManagerError {
    #[error("Secrets Manager is throttled: {0}")]
    Throttled(String),
    #[error("Secrets Manager did not answer: {0}")]
    Unreachable(String),
}

impl SecretsManagerError {
    pub const fn is_transient(&self) -> bool {
        true
    }
}

/// Nothing makes one: the models have a source of their own.
#[derive(Clone, Debug)]
pub struct SecretsManager(());

impl SecretsManager {
    pub(super) fn new(_: &Aws, _: &str) -> Self {
        Self(())
    }
}

impl AppIdSource for SecretsManager {
    async fn fetch(&self, _: Version) -> Result<Apps, AppIdUnavailable> {
        Ok(Apps::none())
    }
}
