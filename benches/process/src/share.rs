//! The share of a CPU that Lambda gives to a function of so much memory, as a quota of Linux.
//!
//! A function has one CPU at 1,769 MB, and less in proportion below that.
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>

use std::{fs, io, path::PathBuf, process};

/// The memory of a function with one whole CPU, in MB.
const ONE_CPU: u64 = 1769;
/// The time in which a quota is used up, in microseconds: that of Lambda.
const PERIOD: u64 = 20_000;

/// A control group with a quota. It is removed when it is dropped, and must be empty by then.
#[derive(Debug)]
pub struct Share(PathBuf);

impl Share {
    /// The share of a function of so much memory, in MB. `name` tells several shares apart.
    ///
    /// # Errors
    /// Why there is none: it takes root, and a control group for CPU time, of version 1 or 2.
    pub fn new(memory: u64, name: &str) -> io::Result<Self> {
        let quota = PERIOD * memory / ONE_CPU;
        let controllers = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
        let (root, settings) = if controllers.split_whitespace().any(|controller| controller == "cpu") {
            fs::write("/sys/fs/cgroup/cgroup.subtree_control", "+cpu")?;
            ("/sys/fs/cgroup", vec![("cpu.max", format!("{quota} {PERIOD}"))])
        } else {
            let settings = [("cpu.cfs_period_us", PERIOD), ("cpu.cfs_quota_us", quota)];
            ("/sys/fs/cgroup/cpu", settings.map(|(file, value)| (file, value.to_string())).to_vec())
        };
        let share = Self(PathBuf::from(root).join(format!("voicehook-bench-{}-{name}", process::id())));
        fs::create_dir(&share.0)?;
        for (file, value) in settings {
            fs::write(share.0.join(file), value)?;
        }
        Ok(share)
    }

    /// Says on standard error what is missing, and that it is left out.
    pub fn or_say_so(memory: u64, name: &str) -> Option<Self> {
        Self::new(memory, name)
            .inspect_err(|error| eprintln!("no control group for a CPU share, which is left out: {error}"))
            .ok()
    }

    /// Puts a process under the quota.
    pub fn add(&self, process: u32) {
        fs::write(self.0.join("cgroup.procs"), process.to_string()).expect("a process and a control group");
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
