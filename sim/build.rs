//! Decides what the simulator says it was built from: the commit, marked if files had changed since. Without git it
//! says nothing, and the program says that nobody knows.

use std::path::Path;
use std::process::Command;

fn main() {
    for watched in ["build.rs", "src", "../core/src", "../Cargo.lock"] {
        watch(watched);
    }
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        watch(&log);
    }
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]).filter(|commit| !commit.is_empty()) else { return };
    let dirty = git(&["status", "--porcelain", "--untracked-files=no"]).is_none_or(|changes| !changes.is_empty());
    let mark = if dirty { "-dirty" } else { "" };
    println!("cargo:rustc-env=SIM_COMMIT={commit}{mark}");
}

/// Has this run again when the file changes. One that isn't there would make it run every time.
fn watch(path: &str) {
    if Path::new(path).exists() {
        println!("cargo:rerun-if-changed={path}");
    }
}

/// What git says, if it is there and there is something to say.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
