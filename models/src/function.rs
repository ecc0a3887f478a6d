//! The function's own sources, compiled against shuttle: `build.rs` says how they come here.

/// `std`, where the function shares state: locks at which shuttle may schedule another task, and maps with one order in
/// all runs.
pub mod model_std {
    pub use ::std::*;

    pub mod sync {
        #[allow(unused_imports)]
        pub use ::std::sync::{Arc, PoisonError, atomic};
        #[allow(unused_imports)]
        pub use shuttle::sync::{Mutex, MutexGuard, RwLock};
    }

    pub mod collections {
        pub use ::std::collections::{BTreeMap, BTreeMap as HashMap, BTreeSet as HashSet, VecDeque};
    }
}

include!(concat!(env!("OUT_DIR"), "/function/modules.rs"));
