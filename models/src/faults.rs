//! The switch of the faults that are planted in the function's sources.

use std::cell::Cell;

#[allow(dead_code, reason = "the build script uses the rest")]
mod planted {
    include!("../faults.rs");
}

pub use planted::FAULTS;

thread_local! {
    static ON: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Runs something with a fault.
pub fn with<T>(fault: Option<&'static str>, run: impl FnOnce() -> T) -> T {
    ON.set(fault);
    let done = run();
    ON.set(None);
    done
}

pub fn is_on(fault: &str) -> bool {
    ON.get() == Some(fault)
}
