//! Decides where the socket of a data folder is: in it, or, where its path is too long for one, in the folder that the system
//! gives its user for such things.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use countersign_core::id::Fingerprint;

use crate::unix_socket::fits;

const SOCKET: &str = "conversations.sock";
/// The user's own folder for sockets (XDG base directories), 0700 and gone when they have left.
const RUNTIME: &str = "XDG_RUNTIME_DIR";

/// Everything that a group or others could do.
const OTHERS: u32 = 0o077;

/// Where it is; nothing if there is no place for it.
pub fn place(folder: &Path) -> Option<PathBuf> {
    place_with(folder, env::var_os(RUNTIME))
}

fn place_with(folder: &Path, runtime: Option<OsString>) -> Option<PathBuf> {
    // The same for every program, however each was told of the folder.
    let folder = fs::canonicalize(folder).ok()?;
    let own = folder.join(SOCKET);
    if fits(&own) {
        return Some(own);
    }
    let runtime = runtime.map(PathBuf::from).filter(|path| path.is_absolute() && is_private(path))?;
    let name = Fingerprint::of(folder.as_os_str().as_bytes()).to_string();
    let elsewhere = runtime.join(format!("countersign-{}.sock", name.get(..32)?));
    fits(&elsewhere).then_some(elsewhere)
}

fn is_private(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|found| found.is_dir() && found.mode() & OTHERS == 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_folder_whose_path_is_too_long_has_its_socket_in_the_users_own_place_and_without_one_none() {
        let dir = tempfile::tempdir().unwrap();
        let (short, long) = (dir.path().join("data"), dir.path().join("x".repeat(120)));
        for folder in [&short, &long] {
            fs::create_dir(folder).unwrap();
        }
        let runtime = dir.path().join("run");
        fs::create_dir(&runtime).unwrap();
        fs::set_permissions(&runtime, Permissions::from_mode(0o700)).unwrap();
        let with = |folder: &Path| place_with(folder, Some(runtime.clone().into()));
        assert_eq!(with(&short), Some(fs::canonicalize(&short).unwrap().join(SOCKET)));
        let found = with(&long).unwrap();
        assert!(found.starts_with(&runtime) && fits(&found), "{}", found.display());
        assert_eq!(with(&long.join("../").join(long.file_name().unwrap())), Some(found.clone()));
        let other = dir.path().join("y".repeat(120));
        fs::create_dir(&other).unwrap();
        assert_ne!(with(&other), Some(found));

        // Where others could put something there, or nothing was named, there is none.
        fs::set_permissions(&runtime, Permissions::from_mode(0o755)).unwrap();
        assert_eq!((with(&long), place_with(&long, None)), (None, None));
        assert_eq!(place_with(&long, Some("run".into())), None);
    }
}
