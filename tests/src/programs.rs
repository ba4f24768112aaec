//! Decides where the programs are: built by cargo once a process, in the profile of the test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// What there is.
const NAMES: [&str; 3] = ["server", "client", "load"];

/// The program `server`.
pub fn server() -> &'static Path {
    let [server, ..] = built();
    server
}

/// The program `client`.
pub fn client() -> &'static Path {
    let [_, client, _] = built();
    client
}

/// The program `load`.
pub fn load() -> &'static Path {
    let [.., load] = built();
    load
}

fn built() -> &'static [PathBuf; 3] {
    static BUILT: OnceLock<[PathBuf; 3]> = OnceLock::new();
    BUILT.get_or_init(build)
}

fn build() -> [PathBuf; 3] {
    let mut cargo = Command::new(env!("CARGO"));
    // Of the whole workspace, so that dependencies have the features that `cargo test --workspace` gave them, and nothing
    // is compiled twice.
    cargo.args(["build", "--quiet", "--workspace"]).args(NAMES.iter().flat_map(|name| ["--bin", name]));
    cargo.arg("--message-format=json-render-diagnostics");
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = cargo.output().expect("cargo, which built this test, can be run again");
    assert!(output.status.success(), "the programs can't be built: see above");
    let messages = String::from_utf8(output.stdout).expect("cargo's messages are UTF-8");
    let find = |name: &str| {
        let executable = |line: &str| {
            let message: Value = serde_json::from_str(line).ok()?;
            let is_it = message["target"]["name"] == name && message["target"]["kind"][0] == "bin";
            message["executable"].as_str().filter(|_| is_it).map(PathBuf::from)
        };
        messages.lines().find_map(executable).unwrap_or_else(|| panic!("cargo names no program {name}"))
    };
    NAMES.map(find)
}
