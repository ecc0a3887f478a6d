//! The receiver that `trigger` sends to, and the AppID to encrypt with. AppIDs and tokens are never printed.

use std::net::IpAddr;

use anyhow::anyhow;
use clap::Args;
use voicehook_lambda::app_id::{AppId, AppIdSource as _, Apps, DEFAULT_APP, SecretsManager, Version};

use crate::{
    aws,
    send::{DEV_APP_ID, shell_word},
    setting,
};

/// Options that name the receiver.
#[allow(clippy::doc_markdown, reason = "the lines are the text of --help")]
#[derive(Args, Debug)]
pub(super) struct Target {
    /// The receiver's URL
    #[arg(long, default_value = "http://127.0.0.1:3000/webhook")]
    url: String,
    /// The AppID to encrypt with [env: ENABLEX_APP_ID] [default: that of `voicehook dev`]
    #[arg(long)]
    app_id: Option<String>,
    /// Name or ARN of a Secrets Manager secret with the AppID, read with your AWS credentials [env: ENABLEX_APP_ID_SECRET]
    #[arg(long, value_name = "SECRET", conflicts_with = "app_id")]
    app_id_secret: Option<String>,
    /// Which app to use, if the secret has several; appended to a URL that ends in /webhook
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// The webhook token, if the receiver requires one and the URL does not include it
    #[arg(long, env = "WEBHOOK_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// A receiver, with the AppID that it decrypts webhooks with.
pub(super) struct Resolved {
    /// The URL without the token, for output.
    pub(super) shown: String,
    /// The URL with the token.
    pub(super) url: String,
    /// The URL as a shell word, with the token as a variable.
    pub(super) in_shell: String,
    apps: Apps,
    app: String,
}

impl Target {
    pub(super) async fn resolve(&self) -> anyhow::Result<Resolved> {
        let (apps, app) = self.apps().await?;
        if apps.get(&app).is_none() {
            return Err(anyhow!("the secret has no app {app:?}; choose one of its apps with --app"));
        }
        let app_in_path = self.app.as_ref().filter(|_| self.url.ends_with("/webhook"));
        let shown = app_in_path.map_or_else(|| self.url.clone(), |app| format!("{}/{app}", self.url));
        let token = self.token.as_deref().and_then(setting::given).filter(|token| !shown.contains(token));
        let (url, in_shell) = match token {
            None => (shown.clone(), shell_word(&shown)),
            Some(token) => {
                let with = format!("{shown}{}token=", if shown.contains('?') { '&' } else { '?' });
                (format!("{with}{token}"), format!("{}\"$WEBHOOK_TOKEN\"", shell_word(&with)))
            }
        };
        Ok(Resolved { shown, url, in_shell, apps, app })
    }

    /// Reads the AppIDs, and chooses the app.
    async fn apps(&self) -> anyhow::Result<(Apps, String)> {
        let (app_id, secret) = match (&self.app_id, &self.app_id_secret) {
            (None, None) => (setting::read("ENABLEX_APP_ID"), setting::read("ENABLEX_APP_ID_SECRET")),
            (app_id, secret) => (app_id.clone(), secret.clone()),
        };
        let single = |app_id: &str| (Apps::bare(app_id), DEFAULT_APP.to_owned());
        match (app_id, secret) {
            (Some(_), Some(_)) => Err(anyhow::Error::msg(
                "ENABLEX_APP_ID and ENABLEX_APP_ID_SECRET are both set; unset one, or give --app-id",
            )),
            (Some(app_id), None) => Ok(single(&app_id)),
            (None, Some(secret)) => {
                let aws = aws::connect(aws::region_of(&secret)).await?;
                let source = SecretsManager::retrying(&aws, &secret);
                let apps = source.fetch(Version::Current).await.map_err(|error| {
                    anyhow!("{error}. Check the name, AWS_PROFILE and AWS_REGION; `aws sts get-caller-identity` shows which credentials you use")
                })?;
                Ok((apps, self.app.clone().unwrap_or_else(|| DEFAULT_APP.to_owned())))
            }
            (None, None) => Ok(single(DEV_APP_ID)),
        }
    }
}

impl Resolved {
    /// Whether the receiver is on this machine.
    pub(super) fn is_local(&self) -> bool {
        let rest = self.shown.split_once("://").map_or(self.shown.as_str(), |(_, rest)| rest);
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        let without_port = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let ip = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>();
        without_port == "localhost" || ip(without_port).or_else(|_| ip(host)).is_ok_and(|ip| ip.is_loopback())
    }

    /// The AppID to encrypt with.
    pub(super) fn app_id(&self) -> anyhow::Result<&AppId> {
        self.apps.get(&self.app).ok_or_else(|| anyhow!("there is no app {:?}", self.app))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_on_this_machine_is_told_from_others_by_its_host() {
        for (url, is_local) in [
            ("http://127.0.0.1:3000/webhook", true),
            ("http://localhost:3000", true),
            ("http://[::1]:3000/webhook?x=1", true),
            ("http://[::1]", true),
            ("https://abc.execute-api.us-east-1.amazonaws.com/webhook", false),
            ("https://localhost.example.com/127.0.0.1", false),
        ] {
            let apps = Apps::single(AppId::new("a"));
            let (shown, app) = (url.to_owned(), DEFAULT_APP.to_owned());
            let target = Resolved { url: shown.clone(), in_shell: String::new(), shown, apps, app };
            assert_eq!(target.is_local(), is_local, "{url}");
        }
    }
}
