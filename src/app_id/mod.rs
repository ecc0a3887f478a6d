//! Which AppIDs may open a webhook: from the environment or from Secrets Manager, cached.
//!
//! [`Apps`] is one version of them: the apps' names, each with its AppID, and a token. A source ([`AppIdSource`]) says
//! where they come from. [`AppIds`] keeps what it said of both versions ([`Known`]), asks it again after a while in the
//! background, and goes on with what it has where the source fails. A rotation loses no webhook: one that does
//! not open is judged by both versions as they are at that time.

mod cache;
mod known;
mod secret;
mod secrets_manager;
mod token;
mod typo;

use std::{collections::BTreeMap, fmt, future::Future, time::Duration};

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{aws::Aws, decrypt::KeyAndIv};

pub(crate) use self::token::is_path_segment;
pub use self::{
    cache::AppIds,
    known::{Known, KnownApp},
    secret::SecretError,
    secrets_manager::{SecretsManager, SecretsManagerError},
    token::Token,
    typo::{Typo, TypoKind, trimmed},
};

/// The app of the paths that name none, and of a configuration with a single AppID.
pub const DEFAULT_APP: &str = "default";

/// The longest wait for an answer of an [`AppIdSource`], in the function and in the tool. Longer than a webhook can wait: a
/// source that is slower than that still serves the webhooks after it.
const LONGEST_REQUEST: Duration = Duration::from_secs(10);

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

    /// The key material.
    #[must_use]
    pub const fn key_and_iv(&self) -> &KeyAndIv {
        &self.key_and_iv
    }
}

impl fmt::Debug for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppId(secret)")
    }
}

/// Everything that a source of AppIDs knows at one time.
#[derive(Debug)]
pub struct Apps {
    by_name: BTreeMap<String, AppId>,
    /// The token that a webhook's URL must carry, where the secret names one.
    pub token: Option<Token>,
    typos: Vec<Typo>,
}

impl Apps {
    /// A single AppID, under the name of the default app.
    #[must_use]
    pub fn single(app_id: AppId) -> Self {
        Self { by_name: BTreeMap::from([(DEFAULT_APP.to_owned(), app_id)]), token: None, typos: Vec::new() }
    }

    /// A single AppID as somebody wrote it. White space and a byte order mark around it are cut off.
    #[must_use]
    pub fn bare(app_id: &str) -> Self {
        let app_id = trimmed(app_id);
        Self { typos: typo::typos(DEFAULT_APP, app_id).collect(), ..Self::single(AppId::new(app_id)) }
    }

    /// No app at all.
    #[must_use]
    pub const fn none() -> Self {
        Self { by_name: BTreeMap::new(), token: None, typos: Vec::new() }
    }

    /// Reads the text of a secret, in one of its three forms. White space and a byte order mark around an AppID are cut
    /// off.
    ///
    /// # Errors
    /// [`SecretError`], which names fields and never their values.
    pub fn from_secret(text: &str) -> Result<Self, SecretError> {
        secret::read(text)
    }

    /// Whether there is no app at all, as in a version that does not exist.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The names of all apps, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// What looks wrong in the AppIDs, and was kept as it is.
    #[must_use]
    pub fn typos(&self) -> &[Typo] {
        &self.typos
    }

    /// Whether the others are the same apps, with the same AppIDs and token.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.by_name.len() == other.by_name.len()
            && self.by_name.iter().zip(&other.by_name).all(|((name, app_id), (other_name, other_id))| {
                name == other_name && app_id.key_and_iv.is_same(&other_id.key_and_iv)
            })
            && self.token == other.token
    }

    /// The AppID of the app of that name. Every name is compared, and in constant time, so that the time of an answer
    /// does not spell the names.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&AppId> {
        self.by_name.iter().fold(None, |found, (known, app_id)| {
            if bool::from(known.as_bytes().ct_eq(name.as_bytes())) { Some(app_id) } else { found }
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

impl Version {
    /// Secrets Manager's name of it.
    #[must_use]
    pub const fn stage(self) -> &'static str {
        match self {
            Self::Current => "AWSCURRENT",
            Self::Previous => "AWSPREVIOUS",
        }
    }
}

/// Where AppIDs come from.
pub trait AppIdSource: Send + Sync + 'static {
    /// Asks once for all AppIDs of one version; without a previous version, the answer is [`Apps::none`]. [`AppIds`]
    /// decides how long to wait and whether to ask again.
    fn fetch(&self, version: Version) -> impl Future<Output = Result<Apps, AppIdUnavailable>> + Send;

    /// The AppIDs of a source that never changes and need not be asked.
    fn fixed(&self) -> Option<Apps> {
        None
    }
}

/// The AppIDs could not be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppIdUnavailable {
    /// Secrets Manager did not answer, or refused.
    #[error(transparent)]
    SecretsManager(#[from] SecretsManagerError),
    /// The secret is there, but is not written as voicehook needs it.
    #[error("the secret of ENABLEX_APP_ID_SECRET cannot be used: {0}")]
    Secret(#[from] SecretError),
    /// The source did not answer before the caller's deadline, and has not failed either.
    #[error("Secrets Manager did not answer in time for this webhook")]
    OutOfTime,
    /// The current version was read, and the previous one could not be.
    #[error("previous version (AWSPREVIOUS): {0}")]
    Previous(Box<Self>),
}

impl AppIdUnavailable {
    /// Whether the source may well answer if it is asked again in a moment.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::SecretsManager(error) => error.is_transient(),
            Self::Secret(_) => false,
            Self::OutOfTime => true,
            Self::Previous(error) => error.is_transient(),
        }
    }
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
            Version::Current => Apps::bare(&self.0),
            Version::Previous => Apps::none(),
        })
    }

    fn fixed(&self) -> Option<Apps> {
        Some(Apps::bare(&self.0))
    }
}

/// Where the configuration says that the AppIDs come from.
#[derive(Clone, PartialEq, Eq)]
pub enum AppIdSetting {
    /// `ENABLEX_APP_ID`: the AppID itself.
    Environment(Zeroizing<String>),
    /// `ENABLEX_APP_ID_SECRET`: name or ARN of a secret in Secrets Manager.
    Secret(String),
}

impl fmt::Debug for AppIdSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(_) => f.write_str("Environment(secret)"),
            Self::Secret(name) => f.debug_tuple("Secret").field(name).finish(),
        }
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

    fn fixed(&self) -> Option<Apps> {
        match self {
            Self::Environment(source) => source.fixed(),
            Self::Secret(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = r#"{"apps": {"sales": "app-id-0123456789"}, "token": "token-0123456789"}"#;

    #[test]
    fn what_is_printed_for_debugging_says_what_it_is_and_shows_no_secret() {
        let app_id = "app-id-0123456789";
        for (printed, expected) in [
            (format!("{:?}", Apps::from_secret(SECRET).unwrap()), &["sales", "AppId(secret)", "Token(secret)"][..]),
            (format!("{:?}", FixedAppId::new(app_id)), &["FixedAppId(secret)"]),
            (format!("{:?}", AppIdSetting::Environment(app_id.to_owned().into())), &["Environment(secret)"]),
            (format!("{:?}", AppIdSetting::Secret("its-name".to_owned())), &[r#"Secret("its-name")"#]),
        ] {
            assert!(expected.iter().all(|part| printed.contains(part)), "{printed}");
            assert!(!printed.contains("0123456789"), "{printed}");
        }
    }

    #[test]
    fn an_app_id_of_the_environment_is_known_without_asking() {
        let source = FixedAppId::new("app-id-0123456789");
        let time_to_live = Duration::from_secs(300);
        // Without a runtime, nobody could be asked.
        assert!(AppIds::new(source.clone(), time_to_live).known().current().is_some());
        assert!(AppIds::new(ConfiguredSource::Environment(source), time_to_live).known().current().is_some());
    }

    #[test]
    fn apps_are_the_same_only_with_the_same_names_app_ids_and_token() {
        let apps = Apps::from_secret(SECRET).unwrap();
        assert!(apps.is_same(&Apps::from_secret(SECRET).unwrap()));
        for (part, other) in [
            ("sales", "support"),
            ("app-id-0123456789", "app-id-9876543210"),
            ("token-0123456789", "token-9876543210"),
            (r#", "token": "token-0123456789""#, ""),
            (r#"{"sales""#, r#"{"more": "app-id-0123456789", "sales""#),
        ] {
            let other = Apps::from_secret(&SECRET.replace(part, other)).unwrap();
            assert!(!apps.is_same(&other) && !other.is_same(&apps), "{part}");
        }
    }
}
