//! The AppIDs in plain text, for commands that do more than decrypt a webhook: `decrypt` tries other key derivations, and
//! `doctor` encrypts a test webhook.
//!
//! They are wiped on drop and cannot be printed.

use serde_json::Value;
use voicehook_lambda::{
    app_id::{AppIdSetting, AppIdUnavailable, Apps, DEFAULT_APP, SecretsManager, Typo, Version, trimmed},
    aws::Aws,
};
use zeroize::Zeroizing;

/// An AppID and where it stands.
pub(crate) struct KnownAppId {
    /// The app's name.
    pub(crate) app: String,
    /// Which version of the secret it is of.
    pub(crate) version: Version,
    /// The AppID.
    pub(crate) text: Zeroizing<String>,
}

impl KnownAppId {
    /// As an explanation names it.
    pub(crate) fn name(&self) -> String {
        let version = if self.version == Version::Current { "current" } else { "previous" };
        format!("the {version} AppID of app {}", self.app)
    }
}

/// All that the configuration knows.
#[derive(Default)]
pub(crate) struct KnownAppIds {
    /// First the current ones, then the previous ones.
    pub(crate) app_ids: Vec<KnownAppId>,
    /// The token that the current secret names.
    pub(crate) token: Option<Zeroizing<String>>,
    /// What looks wrong in the current AppIDs.
    pub(crate) typos: Vec<Typo>,
}

impl KnownAppIds {
    /// Reads the setting, and of a secret both versions. A previous version that cannot be read is skipped.
    pub(crate) async fn load(setting: &AppIdSetting, aws: &Aws) -> Result<Self, AppIdUnavailable> {
        match setting {
            AppIdSetting::Environment(app_id) => Ok(Self::single(app_id)),
            AppIdSetting::Secret(secret_id) => {
                let secret = SecretsManager::retrying(aws, secret_id);
                let mut known = Self::default();
                let current = secret.text(Version::Current).await?;
                known.add(Version::Current, current.as_deref().map_or("", String::as_str))?;
                if let Ok(Some(text)) = secret.text(Version::Previous).await {
                    let _ = known.add(Version::Previous, &text);
                }
                Ok(known)
            }
        }
    }

    /// The one AppID of `ENABLEX_APP_ID`.
    pub(crate) fn single(app_id: &str) -> Self {
        let text = Zeroizing::new(trimmed(app_id).to_owned());
        let only = KnownAppId { app: DEFAULT_APP.to_owned(), version: Version::Current, text };
        Self { app_ids: vec![only], token: None, typos: Apps::bare(app_id).typos().to_vec() }
    }

    /// The current AppID of an app.
    pub(crate) fn current(&self, app: &str) -> Option<&KnownAppId> {
        self.app_ids.iter().find(|known| known.version == Version::Current && known.app == app)
    }

    /// The apps that have a current AppID.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let current = self.app_ids.iter().filter(|known| known.version == Version::Current);
        current.map(|known| known.app.as_str())
    }

    fn add(&mut self, version: Version, secret: &str) -> Result<(), AppIdUnavailable> {
        // The library decides what the secret says and whether it is right.
        let apps = Apps::from_secret(secret)?;
        let secret = trimmed(secret);
        let fields: Value = serde_json::from_str(secret).unwrap_or_default();
        for app in apps.names() {
            let written = fields["apps"][app].as_str().or_else(|| fields["app_id"].as_str()).unwrap_or(secret);
            let text = Zeroizing::new(trimmed(written).to_owned());
            self.app_ids.push(KnownAppId { app: app.to_owned(), version, text });
        }
        if version == Version::Current {
            self.typos = apps.typos().to_vec();
            self.token = fields["token"].as_str().map(|token| Zeroizing::new(token.to_owned()));
        }
        Ok(())
    }
}
