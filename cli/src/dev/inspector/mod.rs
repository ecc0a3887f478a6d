//! The web inspector of `voicehook dev`: shows each webhook, its outcome and, if it failed, what to do.
//!
//! The local receiver records its [`Exchange`]s in the [`Journal`]. The [`page`](crate::page) is only for browsers on this
//! machine that know its token, because it shows plaintext and the exact reason of a failed decryption. The function
//! reveals neither, and contains nothing of this module.

mod api;
mod changes;
mod edit;
mod exchange;
mod explain;
mod export;
mod history;
mod journal;
mod masks;
mod page;
mod search;
mod server;

pub(crate) use self::{
    exchange::{Exchange, Origin},
    history::{Entry, History, HistoryArgs, Reopener},
    journal::Journal,
    masks::{Masks, is_inspectors},
    server::Inspector,
};
