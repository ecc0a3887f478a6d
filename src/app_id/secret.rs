//! The text of a secret to the [`Apps`] that it names.
//!
//! Three forms: the bare AppID; `{"app_id": "…"}`; `{"apps": {"name": "AppID", …}}`. The JSON forms may carry a
//! `"token"` and may be used together. Other fields are left alone, so that one secret may serve others too.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;
use zeroize::Zeroize;

use super::{AppId, Apps, DEFAULT_APP, Token, is_path_segment};

/// What is wrong with a secret. Names fields, never their values.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretError {
    /// The secret has no text.
    #[error("it is empty; expected the AppID, {{\"app_id\": \"...\"}} or {{\"apps\": {{\"name\": \"AppID\"}}}}")]
    Empty,
    /// The secret is binary.
    #[error("it is binary; store the AppID as text (SecretString)")]
    Binary,
    /// It starts like JSON and is none, or a field is of the wrong type.
    #[error(
        "it starts with {{ but is not the JSON that is expected: {{\"app_id\": \"...\"}} or {{\"apps\": {{\"name\": \"AppID\"}}}}"
    )]
    NotTheJson,
    /// JSON without an AppID.
    #[error("it has neither a field app_id nor a field apps with at least one app")]
    NoAppId,
    /// An AppID is empty.
    #[error("the AppID of app {0:?} is empty")]
    EmptyAppId(String),
    /// An app's name cannot be part of a URL.
    #[error("the app name {0:?} cannot be part of a URL; use letters, digits and -._~ only")]
    AppName(String),
    /// `app_id` and an app called `default` are the same app.
    #[error("it names app default twice, in app_id and in apps")]
    DefaultTwice,
    /// The token is too short or cannot be part of a URL.
    #[error("its token {0}")]
    Token(&'static str),
}

#[derive(Deserialize)]
struct Fields {
    app_id: Option<String>,
    #[serde(default)]
    apps: BTreeMap<String, String>,
    token: Option<String>,
}

/// Reads the text of a secret. White space around an AppID is a slip of the editor or the shell, and is cut off.
pub(super) fn read(text: &str) -> Result<Apps, SecretError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(SecretError::Empty);
    }
    if !text.starts_with('{') {
        return Ok(Apps::single(AppId::new(text)));
    }
    let mut fields: Fields = serde_json::from_str(text).map_err(|_| SecretError::NotTheJson)?;
    let apps = fields.read();
    fields.wipe();
    apps
}

impl Fields {
    fn read(&mut self) -> Result<Apps, SecretError> {
        if let Some(app_id) = self.app_id.take()
            && let Some(mut twice) = self.apps.insert(DEFAULT_APP.to_owned(), app_id)
        {
            twice.zeroize();
            return Err(SecretError::DefaultTwice);
        }
        if self.apps.is_empty() {
            return Err(SecretError::NoAppId);
        }
        let by_name = self.apps.iter().map(|(name, app_id)| app(name, app_id.trim())).collect::<Result<_, _>>()?;
        let token = self.token.as_deref().map(Token::new).transpose().map_err(SecretError::Token)?;
        Ok(Apps { by_name, token })
    }

    fn wipe(&mut self) {
        self.apps.values_mut().chain(&mut self.app_id).chain(&mut self.token).for_each(Zeroize::zeroize);
    }
}

fn app(name: &str, app_id: &str) -> Result<(String, AppId), SecretError> {
    if !is_path_segment(name) {
        return Err(SecretError::AppName(name.to_owned()));
    }
    if app_id.is_empty() {
        return Err(SecretError::EmptyAppId(name.to_owned()));
    }
    Ok((name.to_owned(), AppId::new(app_id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Result<Vec<String>, SecretError> {
        read(text).map(|apps| apps.by_name.into_keys().collect())
    }

    #[test]
    fn the_three_forms_name_their_apps() {
        assert_eq!(names(" abc\n"), Ok(vec!["default".to_owned()]));
        assert_eq!(names(r#"{"app_id": "abc", "note": 1}"#), Ok(vec!["default".to_owned()]));
        assert_eq!(names(r#"{"apps": {"sales": "a", "care": "b"}}"#), Ok(vec!["care".to_owned(), "sales".to_owned()]));
    }

    #[test]
    fn white_space_around_an_app_id_makes_no_other_key() {
        let bare = read("abc\n").unwrap();
        let json = read(r#"{"app_id": " abc "}"#).unwrap();
        let key =
            |apps: &Apps| apps.get("default").unwrap().1.key_and_iv().split(crate::webhook::KeySize::Aes256).0.to_vec();
        assert_eq!(key(&bare), key(&json));
    }

    #[test]
    fn mistakes_are_named_without_the_secret() {
        let cases = [
            ("", SecretError::Empty),
            ("{\"app_id\": 5}", SecretError::NotTheJson),
            ("{\"app_id\": \"x\"", SecretError::NotTheJson),
            ("{}", SecretError::NoAppId),
            (r#"{"apps": {}}"#, SecretError::NoAppId),
            (r#"{"app_id": " "}"#, SecretError::EmptyAppId("default".to_owned())),
            (r#"{"apps": {"a/b": "x"}}"#, SecretError::AppName("a/b".to_owned())),
            (r#"{"app_id": "x", "apps": {"default": "y"}}"#, SecretError::DefaultTwice),
        ];
        for (text, error) in cases {
            assert_eq!(names(text), Err(error), "{text}");
        }
        assert!(matches!(names(r#"{"app_id": "x", "token": "short"}"#), Err(SecretError::Token(_))));
    }
}
