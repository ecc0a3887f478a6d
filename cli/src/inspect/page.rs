//! The files of the page of `inspect` that no other page has.

use crate::page::{CSS, File, HTML, SCRIPT, file};

/// All files.
pub(super) const FILES: &[File] = &[
    File { path: "", ..file!("page", "production.html", HTML) },
    file!("page", "production.css", CSS),
    file!("page", "production.js", SCRIPT),
    file!("page", "api.js", SCRIPT),
    file!("page", "confirm.js", SCRIPT),
    file!("page", "message-details.js", SCRIPT),
    file!("page", "queue-list.js", SCRIPT),
];
