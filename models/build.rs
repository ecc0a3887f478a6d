//! Copies the function's sources into the build folder, as the models compile them: see `src/function.rs`.
//!
//! The copies differ from the sources in three ways. AWS is replaced by the files of `overlay/`. Locks and hash maps of
//! the files that share state come from `model_std`, so that shuttle schedules each lock and a run can be repeated. And
//! each fault of `faults.rs` is there behind a switch that is off.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

include!("faults.rs");

/// The function's modules that are compiled.
const MODULES: [&str; 12] = [
    "app_id",
    "aws",
    "clock",
    "decrypt",
    "event",
    "names",
    "queue",
    "receiver",
    "scan",
    "sender",
    "telemetry",
    "webhook",
];
/// The files that share state between webhooks.
const SHARED: [&str; 5] =
    ["app_id/cache.rs", "queue/batching.rs", "queue/failover.rs", "queue/quarantine.rs", "receiver/arrivals.rs"];

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap()).join("function");
    println!("cargo::rerun-if-changed=../src");
    println!("cargo::rerun-if-changed=overlay");
    println!("cargo::rerun-if-changed=faults.rs");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    let mut modules = String::new();
    for module in MODULES {
        let file = [format!("{module}.rs"), format!("{module}/mod.rs")];
        let is_there =
            |file: &&String| Path::new("overlay").join(file).exists() || Path::new("../src").join(file).exists();
        // Where both are there, the overlay's is meant.
        let Some(file) = file.iter().find(is_there) else { continue };
        // Clippy checks the sources where they are, without faults in them.
        modules += &format!(
            "#[allow(unused_imports, dead_code, clippy::all, reason = \"a part of the sources\")]\n#[path = {:?}]\npub mod {module};\n",
            out.join(file)
        );
    }
    copy(Path::new("../src"), &out)?;
    plant(&out)?;
    copy(Path::new("overlay"), &out)?;
    fs::write(out.join("modules.rs"), modules)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (entry, name) = (entry.as_ref().unwrap().path(), entry.as_ref().unwrap().file_name());
        if entry.is_dir() {
            copy(&entry, &to.join(name))?;
        } else {
            fs::copy(&entry, to.join(name))?;
        }
    }
    Ok(())
}

fn plant(out: &Path) -> io::Result<()> {
    for shared in SHARED {
        edit(&out.join(shared), |source| {
            let source = source.replace("use std::{", "use crate::model_std::{");
            source.replace("std::sync", "crate::model_std::sync")
        })?;
    }
    edit(&out.join("queue/sqs/mod.rs"), |source| {
        source.replace("use aws_sdk_sqs::Client;", "use crate::aws::Client;")
    })?;
    for Fault { name, file, from, to, .. } in FAULTS {
        let switched = to.replace("FAULT", &format!("crate::faults::is_on({name:?})"));
        edit(&out.join(file), |source| {
            let places = source.matches(from).count();
            assert_eq!(
                places, 1,
                "the fault {name:?} has {places} places in {file}: bring models/faults.rs up to date"
            );
            source.replace(from, &switched)
        })?;
    }
    Ok(())
}

fn edit(file: &Path, change: impl Fn(&str) -> String) -> io::Result<()> {
    let source = fs::read_to_string(file)?;
    fs::write(file, change(&source))
}
