//! Decides how `client cert import` goes: what is to be believed is checked first, and only then kept, as a join keeps it.

use std::io::{self, Write};
use std::path::Path;

use countersign_core::pki::DeviceKey;

use super::World;
use super::bundle::Bundle;
use super::home::{Joining, Stored, has_joined};
use super::join::{say, settle_in, taken};
use crate::exit::{Failure, Plain};
use crate::passphrase::passphrase;
use crate::store::foreign::{ForeignKey, ForeignKeyError};

/// Runs `client cert import`.
pub fn import(world: &World, key: &Path, bundle: &Path, passphrase_file: Option<&Path>) -> Result<(), Failure> {
    if has_joined(&world.folder)? {
        return Err(taken(&Stored::load(&world.folder)?));
    }
    let bundle = Bundle::read(bundle)?;
    let key = open(key, passphrase_file)?;
    let identity = bundle.believe(key, world.now().wall)?;
    let joining = Joining::open(&world.folder)?;
    joining.take(&identity.credentials.key)?;
    joining.keep(&identity, &bundle.link.endpoint, None)?;
    say(&identity, world)?;
    settle_in(world, true);
    Ok(())
}

/// The key in a file, its passphrase asked for only once everything else about it is in order.
fn open(path: &Path, passphrase_file: Option<&Path>) -> Result<DeviceKey, Failure> {
    let failed = |error: ForeignKeyError| error.of_file(path);
    let key = ForeignKey::read(path).map_err(failed)?;
    let passphrase = if key.is_encrypted().map_err(failed)? { Some(passphrase(passphrase_file, path)?) } else { None };
    let opened = key.open(passphrase.as_ref().map_or(&[], |passphrase| passphrase)).map_err(failed)?;
    if key.open_to_others.is_some() && passphrase.is_none() {
        let path = path.display().to_string();
        let _ = writeln!(io::stderr().lock(), "warning: others can read {}: remove it or run chmod 600", Plain(&path));
    }
    Ok(opened)
}
