//! Decides how slow the disk is in the minute of a measure: one write and one sync after another, in the server's own folder.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use super::latency::Latency;
use crate::exit::Failure;

/// What one write has: a page, as the journal's are.
const PAGE_BYTES: usize = 4096;
/// How often it is asked at one time.
const SYNCS: usize = 40;

/// Adds to `syncs` how long the disk of `folder` takes for each.
pub(super) fn probe(folder: &Path, syncs: &mut Latency) -> Result<(), Failure> {
    let path = folder.join("probe");
    let done = write(&path, syncs);
    let _ = fs::remove_file(&path);
    done.map_err(|error| Failure::failed(format_args!("{} can't be written to ({error})", folder.display())))
}

fn write(path: &Path, syncs: &mut Latency) -> io::Result<()> {
    let mut file = File::create(path)?;
    for _ in 0..SYNCS {
        file.write_all(&[0x5a; PAGE_BYTES])?;
        let begun = Instant::now();
        file.sync_data()?;
        syncs.add(begun.elapsed());
    }
    Ok(())
}
