//! The web inspector of `voicehook dev`: shows each webhook, its outcome and, if it failed, what to do.
//!
//! The local receiver records its [`Exchange`]s in the [`Journal`]. The page at [`PATH`] is only for browsers on this
//! machine that know its [`AccessToken`], because it shows plaintext and the exact reason of a failed decryption. The function reveals neither, and
//! contains nothing of this module.

mod api;
mod changes;
mod edit;
mod exchange;
mod explain;
mod export;
mod guard;
mod history;
mod journal;
mod masks;
mod page;
mod search;
mod server;
mod token;

pub(crate) use self::{
    exchange::{Exchange, Origin},
    history::{HistoryArgs, Reopener},
    journal::Journal,
    masks::{Masks, is_inspectors},
    server::{Inspector, PATH},
    token::AccessToken,
};
