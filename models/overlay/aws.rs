//! AWS, as the models have it: an SQS in the process, reached by both ways.

use std::sync::Arc;

use crate::services;

/// Nothing makes one.
#[derive(Clone, Debug)]
pub struct Client;

/// A way to SQS.
#[derive(Clone, Debug)]
pub struct Aws(pub Arc<services::Sqs>);

impl Aws {
    pub(crate) fn credentials(&self) -> CredentialsHealth {
        CredentialsHealth
    }

    pub(crate) fn renew_connections(&self) {}
}

pub(crate) struct CredentialsHealth;

impl CredentialsHealth {
    pub(crate) fn accepted(&self) {}

    pub(crate) fn refused(&self) {}
}
