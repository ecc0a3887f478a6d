//! Which AppIDs may open a webhook: from the environment or from Secrets Manager, cached.
//!
//! In comes the name of an app; out come the [`Apps`] that are configured right now, each with the AppIDs to try. A
//! source ([`AppIdSource`]) says where they come from; [`AppIds`] keeps what it said, asks it again after a while, in
//! one flight, and goes on with what it has where the source does not answer.

mod cache;
mod key_derivation;
mod secret;
mod secrets_manager;

use std::{collections::BTreeMap, fmt, future::Future};

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{aws::Aws, config::AppIdSetting};

pub use self::{
    cache::AppIds,
    key_derivation::KeyAndIv,
    secret::SecretError,
    secrets_manager::{SecretsManager, SecretsManagerError},
};

/// The app of the paths that name none, and of a configuration with a single AppID.
pub const DEFAULT_APP: &str = "default";

/// An EnableX project's AppID, in the one form in which voicehook needs it: the key material derived from it.
pub struct AppId {
    key_and_iv: KeyAndIv,
}

impl AppId {
    /// Takes an AppID as the EnableX portal shows it. Its UTF-8 bytes are what the key is derived from.
    #[must_use]
    pub fn new(app_id: &str) -> Self {
        Self { key_and_iv: KeyAndIv::derive(app_id) }
    }

    pub(crate) const fn key_and_iv(&self) -> &KeyAndIv {
        &self.key_and_iv
    }
}

impl fmt::Debug for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppId(secret)")
    }
}

/// The unguessable part of the webhook's URL.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// The fewest characters that make a token unguessable: 16 of 64 possible characters are 96 bits.
    pub const SHORTEST: usize = 16;

    /// Takes a token.
    ///
    /// # Errors
    /// What is wrong with it, without repeating it.
    pub fn new(token: &str) -> Result<Self, &'static str> {
        if token.len() < Self::SHORTEST {
            Err("must have at least 16 characters; `openssl rand -hex 16` makes a good one")
        } else if !is_path_segment(token) {
            Err("must consist of letters, digits and -._~ only, because it is part of a URL")
        } else {
            Ok(Self(Zeroizing::new(token.to_owned())))
        }
    }

    /// Compares in a time that depends on nothing but the two lengths.
    #[must_use]
    pub fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(secret)")
    }
}

/// Everything that a source of AppIDs knows at one time.
#[derive(Debug)]
pub struct Apps {
    by_name: BTreeMap<String, AppId>,
    /// The token that a webhook's URL must carry, where the secret names one.
    pub token: Option<Token>,
}

impl Apps {
    /// A single AppID, under the name of the default app.
    #[must_use]
    pub fn single(app_id: AppId) -> Self {
        Self { by_name: BTreeMap::from([(DEFAULT_APP.to_owned(), app_id)]), token: None }
    }

    /// No app at all.
    #[must_use]
    pub const fn none() -> Self {
        Self { by_name: BTreeMap::new(), token: None }
    }

    /// Reads the text of a secret, in one of its three forms. White space around an AppID is cut off.
    ///
    /// # Errors
    /// [`SecretError`], which names fields and never their values.
    pub fn from_secret(text: &str) -> Result<Self, SecretError> {
        secret::read(text)
    }

    /// The names of all apps, in the order of the alphabet.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The app of that name: its name as it is configured, and its AppID. Every name is compared, and in constant
    /// time, so that the time of an answer does not spell the names.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<(&str, &AppId)> {
        self.by_name.iter().fold(None, |found, (known, app_id)| {
            if bool::from(known.as_bytes().ct_eq(name.as_bytes())) { Some((known.as_str(), app_id)) } else { found }
        })
    }
}

/// Which version of the AppIDs: Secrets Manager keeps two while a secret is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The one in use (`AWSCURRENT`).
    Current,
    /// The one before it (`AWSPREVIOUS`), with which webhooks may still be on their way.
    Previous,
}

/// Where AppIDs come from.
pub trait AppIdSource: Send + Sync + 'static {
    /// Fetches all AppIDs of one version; without a previous version, [`Apps::none`]. Must end by itself, in an error
    /// if need be.
    fn fetch(&self, version: Version) -> impl Future<Output = Result<Apps, AppIdUnavailable>> + Send;
}

/// No AppID is to be had: the webhook must come again.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AppIdUnavailable {
    /// Secrets Manager did not answer, or refused.
    #[error(transparent)]
    SecretsManager(#[from] SecretsManagerError),
    /// The secret is there, but is not written as voicehook needs it.
    #[error("the secret of ENABLEX_APP_ID_SECRET cannot be used: {0}")]
    Secret(#[from] SecretError),
    /// An earlier fetch failed a moment ago, and the next one is not due yet.
    #[error("the last fetch of the secret failed; it is tried again in a moment")]
    NotYet,
}

/// The AppID of `ENABLEX_APP_ID`: always there, never renewed.
#[derive(Clone)]
pub struct FixedAppId(Zeroizing<String>);

impl FixedAppId {
    /// Takes the AppID as it stands in the environment.
    #[must_use]
    pub fn new(app_id: &str) -> Self {
        Self(Zeroizing::new(app_id.to_owned()))
    }
}

impl fmt::Debug for FixedAppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FixedAppId(secret)")
    }
}

impl AppIdSource for FixedAppId {
    async fn fetch(&self, version: Version) -> Result<Apps, AppIdUnavailable> {
        Ok(match version {
            Version::Current => Apps::single(AppId::new(&self.0)),
            Version::Previous => Apps::none(),
        })
    }
}

/// The source that the configuration names.
#[derive(Clone, Debug)]
pub enum ConfiguredSource {
    /// `ENABLEX_APP_ID`.
    Environment(FixedAppId),
    /// `ENABLEX_APP_ID_SECRET`.
    Secret(SecretsManager),
}

impl ConfiguredSource {
    /// Prepares the source.
    #[must_use]
    pub fn new(setting: AppIdSetting, aws: &Aws) -> Self {
        match setting {
            AppIdSetting::Environment(app_id) => Self::Environment(FixedAppId::new(&app_id)),
            AppIdSetting::Secret(secret_id) => Self::Secret(SecretsManager::new(aws, &secret_id)),
        }
    }
}

impl AppIdSource for ConfiguredSource {
    async fn fetch(&self, version: Version) -> Result<Apps, AppIdUnavailable> {
        match self {
            Self::Environment(source) => source.fetch(version).await,
            Self::Secret(source) => source.fetch(version).await,
        }
    }
}

/// Whether a text can stand in a URL's path as it is (the unreserved characters of RFC 3986).
pub(crate) fn is_path_segment(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}
