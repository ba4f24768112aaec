//! Decides how a test gets a disk that is full, or that can't be written to: in a way that any user has, and, where the
//! system lets this user mount one, as a real file system as well.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Somebody who is nobody, for a test that runs as root, whom no mode keeps out.
const NOBODY: u32 = 65534;

/// `command`, but none of its files can become longer than so many blocks of 512 bytes.
pub fn with_short_files(blocks: u32, command: &Command) -> Command {
    // Ignored, the signal leaves the failed write to the program.
    wrapped("sh", &["-c", r#"trap "" XFSZ; ulimit -f "$0"; exec "$@""#, &blocks.to_string()], command)
}

/// `command` with a file system of its own at `folder`, which holds so many KiB and begins as a copy of what was there;
/// `None` where this user may not mount.
///
/// Others see the folder only through [`as_seen_by`].
pub fn with_small_disk(folder: &Path, kib: u32, command: &Command) -> Option<Command> {
    mounted(folder, &format!("size={kib}k"), "true", command)
}

/// The same, but it can't be written to.
pub fn with_read_only_disk(folder: &Path, command: &Command) -> Option<Command> {
    mounted(folder, "size=16m", r#"mount -o remount,ro "$0""#, command)
}

/// A path as the process of this number sees it.
pub fn as_seen_by(process: u32, path: &Path) -> String {
    format!("/proc/{process}/root{}", path.display())
}

/// A folder in which nobody may write. Dropping it ends that, so that the folder can be removed.
#[derive(Debug)]
#[must_use = "dropping it lets everybody in again"]
pub struct KeptOut {
    folder: PathBuf,
}

impl Drop for KeptOut {
    fn drop(&mut self) {
        // If it can't be done, the folder stays where it is.
        let _ = fs::set_permissions(&self.folder, Permissions::from_mode(0o700));
    }
}

/// Takes away everybody's right to write in `folder` and to its files, and makes `command` one whom that keeps out.
pub fn keep_out(folder: &Path, command: &mut Command) -> KeptOut {
    let parent = folder.parent().expect("a folder of a test is in another");
    // The folder itself may have been given away before.
    let is_root = fs::metadata(parent).expect("the folder is there").uid() == 0;
    let inside = fs::read_dir(folder).expect("the folder can be read");
    let inside = inside.map(|entry| entry.expect("the folder can be read").path());
    for (path, mode) in inside.map(|path| (path, 0o400)).chain([(folder.to_owned(), 0o500)]) {
        if is_root {
            chown(&path, Some(NOBODY), Some(NOBODY)).expect("root can give a file away");
        }
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
    }
    if is_root {
        command.uid(NOBODY).gid(NOBODY);
        // The way to the folder has to be open to them, too.
        fs::set_permissions(parent, Permissions::from_mode(0o711)).expect("it is ours");
    }
    KeptOut { folder: folder.to_owned() }
}

/// `command` with its program copied to `folder`, where everybody can run it.
pub fn runnable_by_all(folder: &Path, command: &Command) -> Command {
    let copy = folder.join("program");
    // By a process of its own: a file that this one writes could still be open in a child of another test when it is run.
    let copied = Command::new("cp").arg(command.get_program()).arg(&copy).status();
    assert!(copied.is_ok_and(|status| status.success()), "a program can't be copied");
    fs::set_permissions(&copy, Permissions::from_mode(0o755)).expect("it is ours");
    let mut copied = Command::new(copy);
    copied.args(command.get_args());
    copied
}

fn mounted(folder: &Path, options: &str, then: &str, command: &Command) -> Option<Command> {
    static MAY_MOUNT: OnceLock<bool> = OnceLock::new();
    const UNSHARE: [&str; 4] = ["--user", "--map-root-user", "--mount", "sh"];
    let may_mount = MAY_MOUNT.get_or_init(|| {
        let tried = Command::new("unshare").args(UNSHARE).args(["-c", "mount -t tmpfs tmpfs /mnt"]).output();
        tried.is_ok_and(|tried| tried.status.success())
    });
    let script = format!(
        r#"set -e; mkdir -p -m 700 "$0"; cp -a "$0" "$0.kept"; mount -t tmpfs -o mode=700,{options} tmpfs "$0"
        cp -a "$0.kept/." "$0"; rm -r "$0.kept"; {then}; exec "$@""#
    );
    let folder = folder.to_str().expect("a plain path");
    may_mount.then(|| wrapped("unshare", &[&UNSHARE[..], &["-c", &script, folder]].concat(), command))
}

/// `command`, started by another program.
fn wrapped(program: &str, args: &[&str], command: &Command) -> Command {
    let mut outer = Command::new(program);
    outer.args(args).arg(command.get_program()).args(command.get_args());
    outer
}
