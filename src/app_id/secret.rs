//! Reads the text of a secret: the [`Apps`] that it names, or what is wrong with it.
//!
//! Three forms: the bare AppID; `{"app_id": "…"}`; `{"apps": {"name": "AppID", …}}`. The JSON forms may carry a
//! `"token"` and may be used together. Other fields are left alone, so that one secret may serve others too.

use std::collections::BTreeMap;

use serde::{Deserialize, de::IgnoredAny};
use thiserror::Error;
use zeroize::Zeroize;

use super::{
    AppId, Apps, DEFAULT_APP, Token, is_path_segment,
    typo::{trimmed, typos},
};

/// The segment of every webhook's path that an app's name comes after. An app of that name could not be told from it.
const WEBHOOK: &str = "webhook";

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
    /// A JSON string: the quotes would become part of the key.
    #[error("it is a JSON string, in quotes; store the AppID without the quotes, or {{\"app_id\": \"...\"}}")]
    JsonString,
    /// A JSON array.
    #[error("it is a JSON array; expected the AppID, {{\"app_id\": \"...\"}} or {{\"apps\": {{\"name\": \"AppID\"}}}}")]
    JsonArray,
    /// JSON without an AppID.
    #[error("it has neither a field app_id nor a field apps with at least one app")]
    NoAppId,
    /// An AppID is empty.
    #[error("the AppID of app {0:?} is empty")]
    EmptyAppId(String),
    /// An app's name cannot be part of a URL.
    #[error("the app name {0:?} cannot be part of a URL; use letters, digits and -._~ only")]
    AppName(String),
    /// An app is called `webhook`, which is the segment of the path that apps come after.
    #[error("an app is called webhook, which the path of every webhook has before the app; give it another name")]
    AppNamedWebhook,
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

/// Reads the text of a secret. White space and a byte order mark around an AppID are cut off.
pub(super) fn read(text: &str) -> Result<Apps, SecretError> {
    let text = trimmed(text);
    match text.chars().next() {
        None => Err(SecretError::Empty),
        Some('{') => {
            let mut fields: Fields = serde_json::from_str(text).map_err(|_| SecretError::NotTheJson)?;
            let apps = fields.read();
            fields.wipe();
            apps
        }
        Some('"') if is_json(text) => Err(SecretError::JsonString),
        Some('[') if is_json(text) => Err(SecretError::JsonArray),
        Some(_) => Ok(Apps::bare(text)),
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
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
        let app_ids = || self.apps.iter().map(|(name, app_id)| (name.as_str(), trimmed(app_id)));
        let by_name = app_ids().map(|(name, app_id)| app(name, app_id)).collect::<Result<_, _>>()?;
        let token = self.token.as_deref().map(Token::new).transpose().map_err(SecretError::Token)?;
        Ok(Apps { by_name, token, typos: app_ids().flat_map(|(name, app_id)| typos(name, app_id)).collect() })
    }

    fn wipe(&mut self) {
        self.apps.values_mut().chain(&mut self.app_id).chain(&mut self.token).for_each(Zeroize::zeroize);
    }
}

fn app(name: &str, app_id: &str) -> Result<(String, AppId), SecretError> {
    if !is_path_segment(name) {
        return Err(SecretError::AppName(name.to_owned()));
    }
    if name == WEBHOOK {
        return Err(SecretError::AppNamedWebhook);
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
        assert_eq!(names("[abc"), Ok(vec!["default".to_owned()]), "no JSON, so it is the AppID itself");
        assert_eq!(names(r#"{"app_id": "abc", "note": 1}"#), Ok(vec!["default".to_owned()]));
        assert_eq!(names(r#"{"apps": {"sales": "a", "care": "b"}}"#), Ok(vec!["care".to_owned(), "sales".to_owned()]));
    }

    #[test]
    fn white_space_and_a_byte_order_mark_around_an_app_id_make_no_other_key() {
        let usual = read("abc").unwrap();
        for text in ["abc\n", "\u{feff}abc", "\u{feff}{\"app_id\": \"abc\"}", "{\"app_id\": \" \u{feff}abc \"}"] {
            let apps = read(text).unwrap();
            assert!(apps.is_same(&usual) && apps.typos().is_empty(), "{text:?}");
        }
    }

    #[test]
    fn slips_in_app_ids_are_named_with_their_app() {
        let typos = |text| read(text).unwrap().typos().iter().map(ToString::to_string).collect::<Vec<_>>();
        for (text, app, what) in [
            ("'abc'", "app default", "quotation mark"),
            (r#"{"app_id": "\"abc\""}"#, "app default", "quotation mark"),
            (r#"{"apps": {"sales": "a\u200bb", "care": "abc"}}"#, "app sales", "invisible"),
            ("a\nb", "app default", "line break"),
            // No JSON, so it is the AppID itself.
            ("\"abc", "app default", "quotation mark"),
        ] {
            let typos = typos(text);
            assert_eq!(typos.len(), 1, "{typos:?}");
            assert!(typos[0].contains(app) && typos[0].contains(what) && !typos[0].contains("abc"), "{typos:?}");
        }
    }

    #[test]
    fn mistakes_are_named_without_the_secret() {
        let cases = [
            ("", SecretError::Empty),
            ("{\"app_id\": 5}", SecretError::NotTheJson),
            ("{\"app_id\": \"x\"", SecretError::NotTheJson),
            ("{}", SecretError::NoAppId),
            ("\u{feff} ", SecretError::Empty),
            (r#""abc""#, SecretError::JsonString),
            (r#"["abc"]"#, SecretError::JsonArray),
            (r#"{"apps": {"webhook": "x"}}"#, SecretError::AppNamedWebhook),
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
