//! The files of the inspector's page that no other page has.

use crate::page::{File, HTML, SCRIPT, file};

/// All files.
pub(super) const FILES: &[File] = &[
    File { path: "", ..file!("page", "inspector.html", HTML) },
    file!("page", "address.js", SCRIPT),
    file!("page", "announce.js", SCRIPT),
    file!("page", "arrivals.js", SCRIPT),
    file!("page", "call-details.js", SCRIPT),
    file!("page", "calls.js", SCRIPT),
    file!("page", "changes.js", SCRIPT),
    file!("page", "clear.js", SCRIPT),
    file!("page", "curl.js", SCRIPT),
    file!("page", "edit.js", SCRIPT),
    file!("page", "export.js", SCRIPT),
    file!("page", "filter.js", SCRIPT),
    file!("page", "follow.js", SCRIPT),
    file!("page", "forwarding.js", SCRIPT),
    file!("page", "inspector.js", SCRIPT),
    file!("page", "keyboard.js", SCRIPT),
    file!("page", "lists.js", SCRIPT),
    file!("page", "marks.js", SCRIPT),
    file!("page", "names.js", SCRIPT),
    file!("page", "notice.js", SCRIPT),
    file!("page", "replay.js", SCRIPT),
    file!("page", "rows.js", SCRIPT),
    file!("page", "selection.js", SCRIPT),
    file!("page", "send.js", SCRIPT),
    file!("page", "server.js", SCRIPT),
    file!("page", "state.js", SCRIPT),
    file!("page", "timeline.js", SCRIPT),
    file!("page", "webhook-details.js", SCRIPT),
];
