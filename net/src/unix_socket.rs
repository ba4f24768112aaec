//! Decides how a Unix socket of ours is opened: for its owner alone, in the place of one that a dead program has left.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::SocketAddr;
use std::path::Path;

use mio::net::UnixListener;

use crate::exit::Failure;
use crate::store::folder::FolderError;

/// Opens the socket at `path`, in a folder of its owner's alone. The caller holds a lock, so that whatever socket is there is
/// a dead program's. `what` is what it is called where something else is in its way.
pub fn listen(path: &Path, what: &str) -> Result<UnixListener, Failure> {
    let failed = |error| Failure::failed(FolderError::from_io(path, error));
    check_path(path)?;
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path).map_err(failed)?,
        Ok(_) => {
            let path = path.display();
            return Err(Failure::failed(format_args!("{path} is in the way of {what}: move it away")));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    // Until here the folder's own mode kept others out.
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

/// Whether a path is short enough for a Unix socket.
pub fn fits(path: &Path) -> bool {
    SocketAddr::from_pathname(path).is_ok()
}

/// Refuses a path that is too long for a Unix socket, in words that say what to do.
pub fn check_path(path: &Path) -> Result<(), Failure> {
    if fits(path) {
        return Ok(());
    }
    Err(Failure::failed(format_args!(
        "the path {} is too long for a Unix socket: choose a shorter folder with --data-dir",
        path.display()
    )))
}
