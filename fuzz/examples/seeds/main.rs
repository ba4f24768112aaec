//! Writes the first inputs of every corpus: real messages, records, requests and certificates, and some that lie.
//!
//! `cargo run --manifest-path fuzz/Cargo.toml --no-default-features --example seeds`, from anywhere. What a fuzzer found beyond
//! them stays; `cargo fuzz cmin` then keeps what covers something.

mod certificates;
mod links;
mod logs;
mod requests;
mod wire;
mod worlds;

use std::fs;
use std::path::Path;

/// Inputs of a target, each with a name.
type Seeds = Vec<(String, Vec<u8>)>;

fn main() -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut all: Vec<(&str, Seeds)> = vec![
        ("certificate", certificates::seeds()),
        ("csr", requests::seeds()),
        ("frame", wire::frames()),
        ("invite_link", wire::links()),
        ("journal", wire::journals()),
        ("link", links::seeds()),
        ("log", logs::seeds()),
        ("scenario", worlds::seeds()),
    ];
    all.extend(wire::messages());
    for (target, seeds) in all {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        for (name, bytes) in &seeds {
            fs::write(folder.join(format!("seed-{name}")), bytes)?;
        }
        println!("{target}: {} seeds", seeds.len());
    }
    Ok(())
}
