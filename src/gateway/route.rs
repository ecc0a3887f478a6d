//! Which app a request's path names.
//!
//! Stages and base paths of custom domains stand before `/webhook`, in any number and order, depending on the gateway and
//! on how it is configured. So the last segment `webhook` counts; no app has that name, and a token is longer. Whether there
//! is such an app, and whether the token is right, is decided by [`Route::is_in`].

use crate::app_id::{DEFAULT_APP, Known, Token, is_path_segment};

/// A path that could be a webhook's: `/`, `/webhook`, `/webhook/{app}` or `/webhook/{app}/{token}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route<'r> {
    app: &'r str,
    token: Option<&'r str>,
}

impl<'r> Route<'r> {
    /// Reads a path. `stage` is the stage that the gateway names; `token` is the one of the query.
    pub(super) fn parse(path: &'r str, stage: Option<&str>, token: Option<&'r str>) -> Option<Self> {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let Some(webhook) = segments.iter().rposition(|segment| *segment == "webhook") else {
            let is_root = segments.is_empty() || stage.is_some_and(|stage| segments == [stage]);
            return is_root.then_some(Self { app: DEFAULT_APP, token });
        };
        match segments[webhook + 1..] {
            [] => Some(Self { app: DEFAULT_APP, token }),
            [app] => Some(Self { app, token }),
            [app, in_path] => Some(Self { app, token: Some(in_path) }),
            _ => None,
        }
    }

    /// The app's name, whether there is one of that name or not.
    pub(super) const fn app(&self) -> &'r str {
        self.app
    }

    /// Whether app and token are such that a version of the AppIDs could have them.
    pub(super) fn is_possible(&self) -> bool {
        is_path_segment(self.app) && self.token.is_none_or(|token| Token::check(token).is_ok())
    }

    /// Whether one of the versions has the app and accepts the token: its own one or the configured one. Whether a URL
    /// may go without a token is up to the current version, so that one that is added to a secret counts at once.
    pub(super) fn is_in(&self, known: &Known, configured: Option<&Token>) -> bool {
        let newest = known.versions().next();
        let is_open = configured.is_none() && newest.is_some_and(|apps| apps.token.is_none());
        known.versions().filter(|apps| apps.get(self.app).is_some()).any(|apps| match self.token {
            None => is_open && apps.token.is_none(),
            Some(given) => configured.into_iter().chain(&apps.token).any(|token| token.matches(given)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_id::{AppId, Apps};

    fn route(path: &str, stage: Option<&str>) -> Option<(String, Option<String>)> {
        let route = Route::parse(path, stage, None)?;
        Some((route.app.to_owned(), route.token.map(str::to_owned)))
    }

    #[test]
    fn a_stage_or_a_base_path_before_the_root_changes_nothing() {
        for (path, stage) in [
            ("/", None),
            ("", None),
            ("/prod", Some("prod")),
            ("/prod/", Some("prod")),
            ("/webhook", None),
            ("/webhook/", None),
            ("/prod/webhook", Some("prod")),
            ("/prod/webhook", None),
            ("/webhook", Some("prod")),
            ("/webhook/webhook", Some("webhook")),
            ("/webhook", Some("webhook")),
            ("/hooks/prod/webhook", Some("prod")),
            ("/prod/hooks/v1/webhook", Some("prod")),
            ("/a/b/webhook", None),
            ("/webhook/webhook", None),
            ("/webhook/sales/webhook/", None),
        ] {
            assert_eq!(route(path, stage), Some((DEFAULT_APP.to_owned(), None)), "{path} {stage:?}");
        }
    }

    #[test]
    fn an_app_and_a_token_are_the_segments_after_the_root() {
        assert_eq!(route("/webhook/sales", None), Some(("sales".to_owned(), None)));
        assert_eq!(route("/webhook/webhook/sales", Some("webhook")), Some(("sales".to_owned(), None)));
        assert_eq!(route("/a/b/c/webhook/sales", None), Some(("sales".to_owned(), None)));
        assert_eq!(route("/prod/webhook/sales/t0k", Some("prod")), Some(("sales".to_owned(), Some("t0k".to_owned()))));
    }

    #[test]
    fn other_paths_are_no_routes() {
        for path in ["/webhooks", "/webhook/a/b/c", "/a/b", "/a/webhook/b/c/d", "/favicon.ico", "/hooks/prod"] {
            assert_eq!(route(path, None), None, "{path}");
        }
    }

    #[test]
    fn a_token_must_be_right_where_one_is_configured_and_absent_where_none_is() {
        let known = Known::fixed(Apps::single(AppId::new("abc")));
        let token = Token::new("0123456789abcdef").unwrap();
        let found =
            |given, configured: Option<&Token>| Route { app: DEFAULT_APP, token: given }.is_in(&known, configured);
        assert!(found(Some("0123456789abcdef"), Some(&token)));
        assert!(!found(Some("0123456789abcdeF"), Some(&token)));
        assert!(!found(None, Some(&token)));
        assert!(!found(Some("anything"), None));
        assert!(found(None, None));
    }

    #[test]
    fn what_no_secret_can_name_is_not_possible() {
        let possible = |app, token| Route { app, token }.is_possible();
        assert!(possible("sales", None) && possible("sales", Some("0123456789abcdef")));
        assert!(!possible("sa les", None) && !possible("sales", Some("short")) && !possible("sales", Some("")));
    }
}
