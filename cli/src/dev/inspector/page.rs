//! The inspector's page: static files, compiled into the program. The page loads nothing from other hosts.

use axum::http::{HeaderName, HeaderValue, header};

/// A file of the page.
pub(super) struct File {
    /// Its path below the inspector's; empty for the page itself.
    pub(super) path: &'static str,
    pub(super) media_type: &'static str,
    pub(super) text: &'static str,
    /// Whether it needs no token: it is part of the page that says where to find the token.
    pub(super) is_public: bool,
}

pub(super) const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! file {
    ($path:literal, $media_type:expr) => {
        File { path: $path, media_type: $media_type, text: include_str!(concat!("page/", $path)), is_public: false }
    };
    ($path:literal, $media_type:expr, public) => {
        File { is_public: true, ..file!($path, $media_type) }
    };
}

/// All files.
pub(super) const FILES: &[File] = &[
    File { path: "", ..file!("inspector.html", HTML) },
    file!("inspector.css", CSS, public),
    file!("icon.svg", SVG, public),
    file!("address.js", SCRIPT),
    file!("announce.js", SCRIPT),
    file!("arrivals.js", SCRIPT),
    file!("call-details.js", SCRIPT),
    file!("calls.js", SCRIPT),
    file!("changes.js", SCRIPT),
    file!("clear.js", SCRIPT),
    file!("curl.js", SCRIPT),
    file!("dom.js", SCRIPT),
    file!("edit.js", SCRIPT),
    file!("export.js", SCRIPT),
    file!("filter.js", SCRIPT),
    file!("fold.js", SCRIPT),
    file!("follow.js", SCRIPT),
    file!("hex.js", SCRIPT),
    file!("inspector.js", SCRIPT),
    file!("json.js", SCRIPT),
    file!("keyboard.js", SCRIPT),
    file!("lists.js", SCRIPT),
    file!("locked.js", SCRIPT, public),
    file!("marks.js", SCRIPT),
    file!("names.js", SCRIPT),
    file!("notice.js", SCRIPT),
    file!("pane.js", SCRIPT),
    file!("parts.js", SCRIPT),
    file!("replay.js", SCRIPT),
    file!("rows.js", SCRIPT),
    file!("selection.js", SCRIPT),
    file!("send.js", SCRIPT),
    file!("server.js", SCRIPT),
    file!("state.js", SCRIPT),
    file!("timeline.js", SCRIPT),
    file!("webhook-details.js", SCRIPT),
];

/// The answer to who does not know the token: where to find it.
pub(super) const LOCKED: &str = include_str!("page/locked.html");

/// The answer to who knows the token: goes on to the page, without the token in the address bar. A redirect would not do:
/// browsers send a `SameSite` cookie with it only if the first request was not caused by another site, such as a terminal in
/// a browser.
pub(super) const UNLOCKED: &str = include_str!("page/unlocked.html");

/// Headers of every answer. The content of a webhook is untrusted: it must never become markup or code, and must not leave
/// this machine.
pub(super) const HEADERS: [(HeaderName, HeaderValue); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
             trusted-types 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];
