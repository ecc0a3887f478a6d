//! Whom a webhook's URL lets in: whether there is such an app, and whether the token is right.

use super::route::Route;
use crate::app_id::{Known, KnownApp, Token};

/// The app that a route names, if one of the versions has it and accepts the token: that version's own token or the
/// configured one. Whether a URL may go without a token is up to the current version, so that a token that is added to a
/// secret counts at once.
pub(super) fn admitted<'k>(route: Route<'_>, known: &'k Known, configured: Option<&Token>) -> Option<KnownApp<'k>> {
    let newest = known.versions().next();
    let is_open = configured.is_none() && newest.is_some_and(|apps| apps.token.is_none());
    let app = known.app(route.app);
    let is_admitted = app.tokens().any(|token| match route.token {
        None => is_open && token.is_none(),
        Some(given) => configured.into_iter().chain(token).any(|token| token.matches(given)),
    });
    is_admitted.then_some(app)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_id::{AppId, Apps, DEFAULT_APP};

    #[test]
    fn a_token_must_be_right_where_one_is_configured_and_absent_where_none_is() {
        let known = Known::fixed(Apps::single(AppId::new("abc")));
        let token = Token::new("0123456789abcdef").unwrap();
        let is_admitted = |given, configured: Option<&Token>| {
            admitted(Route { app: DEFAULT_APP, token: given }, &known, configured).is_some()
        };
        assert!(is_admitted(Some("0123456789abcdef"), Some(&token)));
        assert!(!is_admitted(Some("0123456789abcdeF"), Some(&token)));
        assert!(!is_admitted(None, Some(&token)));
        assert!(!is_admitted(Some("anything"), None));
        assert!(is_admitted(None, None));
    }
}
