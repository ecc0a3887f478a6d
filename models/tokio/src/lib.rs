//! tokio, as the models compile the function's own sources against it: shuttle-tokio, and a clock of our own.
//!
//! shuttle-tokio does not model time: its `sleep` is over at once, a `timeout` ends only where a test says so, and its
//! `Instant` is the machine's. In [`time`] time stands still until a task of its own, [`time::keep`], is scheduled, which
//! moves it to the next timer. So whether a timer is over before or after something else happens is a choice of the
//! scheduler, as everything else is.

pub use shuttle_tokio::{join, pin, runtime, select, spawn, sync, task};

pub mod time;
