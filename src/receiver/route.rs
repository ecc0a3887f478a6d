//! Which app a request's path names.
//!
//! Stages and base paths of custom domains stand before `/webhook`, in any number and order, depending on the gateway and
//! on how it is configured. So the last segment `webhook` counts; no app has that name, and a token is longer. Whether there
//! is such an app, and whether the token is right, is decided by [`admitted`](super::token::admitted).

use crate::app_id::{DEFAULT_APP, Token, is_path_segment};

/// A path that could be a webhook's: `/`, `/webhook`, `/webhook/{app}` or `/webhook/{app}/{token}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route<'r> {
    /// The app's name, whether there is one of that name or not.
    pub(super) app: &'r str,
    /// The token, right or not.
    pub(super) token: Option<&'r str>,
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

    /// Whether app and token are such that a version of the AppIDs could have them.
    pub(super) fn is_possible(&self) -> bool {
        is_path_segment(self.app) && self.token.is_none_or(|token| Token::check(token).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::named_app;

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
    fn the_app_that_a_path_names_is_known_without_a_token() {
        assert_eq!(named_app("/webhook/sales/0123456789abcdef", None), Some("sales"));
        assert_eq!(named_app("/webhook", None), Some(DEFAULT_APP));
        assert_eq!(named_app("/other", None), None);
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
    fn what_no_secret_can_name_is_not_possible() {
        let possible = |app, token| Route { app, token }.is_possible();
        assert!(possible("sales", None) && possible("sales", Some("0123456789abcdef")));
        assert!(!possible("sa les", None) && !possible("sales", Some("short")) && !possible("sales", Some("")));
    }
}
