//! The web inspector of `voicehook dev`: what came in, what became of it and, where something failed, what to do.
//!
//! The local receiver hands over its [`Exchange`]s; the page is at [`PATH`], for a browser on this machine and nobody
//! else. Here, and only here, the full reason of a failed decryption and the plaintext are shown to a person: nothing
//! of this module is compiled into the function.

mod exchange;
mod explain;
mod guard;
mod journal;
mod page;
mod server;

pub(crate) use self::{
    exchange::{Exchange, Origin},
    journal::Journal,
    server::{Inspector, PATH},
};
