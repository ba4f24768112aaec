//! Decides what a device keeps of the people whom it has met, and in which words it is said who somebody is to it.
//!
//! | file | what |
//! | --- | --- |
//! | `met.txt` | a line for each: user, SHA-256 of the key of their first device, since when, and when reissued if so |
//! | `met.lock` | empty: whoever writes the other has it, since a `listen` and a `call` may run at one time |

use std::path::Path;

use countersign_core::device::{Acquaintances, Met, Standing};
use countersign_core::id::{KeyId, UserName};
use countersign_core::limits::{ACQUAINTANCES_MAX, LABEL_BYTES_MAX};
use countersign_core::time::Wall;
use countersign_core::tlog::Founder;

use super::home::HomeError;
use crate::store::folder::{FolderError, read_secret_file, take_turn, write_file};

const MET: &str = "met.txt";
const LOCK: &str = "met.lock";
/// A line with the longest name, a key and two times.
const LINE_BYTES_MAX: usize = LABEL_BYTES_MAX + 64 + 2 * 20 + 4;

/// Everybody who was met.
pub fn load(folder: &Path) -> Result<Acquaintances, HomeError> {
    let path = folder.join(MET);
    let bytes = match read_secret_file(&path, ACQUAINTANCES_MAX * LINE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(FolderError::Missing { .. }) => return Ok(Acquaintances::default()),
        Err(error) => return Err(error.into()),
    };
    let text = std::str::from_utf8(&bytes).unwrap_or("?");
    let mut all = Acquaintances::default();
    for (n, line) in (1..).zip(text.lines()) {
        let (user, met) = read(line).ok_or_else(|| HomeError::Met { path: path.clone(), line: n })?;
        all.accept(&user, met);
    }
    Ok(all)
}

/// Keeps who was met for the first time. Another program of this device may have met them meanwhile: that stays.
pub fn keep(folder: &Path, user: &UserName, met: Met) -> Result<(), HomeError> {
    change(folder, |all| all.meet(user, met))
}

/// Keeps that the person takes whoever has the name now for the one whom they mean.
pub fn accept(folder: &Path, user: &UserName, met: Met) -> Result<(), HomeError> {
    change(folder, |all| {
        all.accept(user, met);
        true
    })
}

fn change(folder: &Path, change: impl FnOnce(&mut Acquaintances) -> bool) -> Result<(), HomeError> {
    let _turn = take_turn(&folder.join(LOCK))?;
    let mut all = load(folder)?;
    if change(&mut all) {
        let text: String = all.all().map(|(user, met)| line(user, met)).collect();
        write_file(&folder.join(MET), text.as_bytes())?;
    }
    Ok(())
}

fn line(user: &UserName, met: &Met) -> String {
    let Met { founder, since } = met;
    let reissued = founder.reissued.map(|at| format!(" {}", at.0)).unwrap_or_default();
    format!("{user} {} {}{reissued}\n", founder.key, since.0)
}

fn read(line: &str) -> Option<(UserName, Met)> {
    let mut parts = line.split(' ');
    let user = UserName::parse(parts.next()?).ok()?;
    let key = KeyId::parse(parts.next()?)?;
    let since = Wall(parts.next()?.parse().ok()?);
    let reissued = parts.next().map(str::parse).transpose().ok()?.map(Wall);
    parts.next().is_none().then_some((user, Met { founder: Founder { key, reissued }, since }))
}

/// Who somebody is, in a word for programs.
pub fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::New => "new",
        Standing::Known(_) => "known",
        Standing::Changed(_) => "changed",
    }
}

/// Who somebody is, for people.
pub fn words(user: &UserName, standing: Standing) -> String {
    match standing {
        Standing::New => "not met yet".to_owned(),
        Standing::Known(met) => format!("the one whom this device has met on {}", met.since),
        Standing::Changed(met) => changed(user, met),
    }
}

/// That somebody is not who they were.
pub fn changed(user: &UserName, before: Met) -> String {
    format!(
        "CHANGED: {user} is not the one whom this device has met on {}; the name was given to somebody new, or the server \
         lies: ask {user} by another way, compare the number of client verify {user}, and take them for {user} with --accept",
        before.since
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    fn met(key: u8, reissued: Option<Wall>) -> Met {
        Met { founder: Founder { key: KeyId([key; 32]), reissued }, since: Wall(1_800_000_000) }
    }

    #[test]
    fn who_was_met_is_there_at_the_next_start_and_only_an_acceptance_changes_it() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let (bob, carol) = (UserName::parse("bob").unwrap(), UserName::parse("carol").unwrap());
        assert_eq!(load(folder).unwrap(), Acquaintances::default());
        keep(folder, &bob, met(1, None)).unwrap();
        keep(folder, &carol, met(2, Some(Wall(7)))).unwrap();
        keep(folder, &bob, met(3, None)).unwrap();
        let all = load(folder).unwrap();
        let known: Vec<_> = all.all().map(|(user, met)| (user.clone(), *met)).collect();
        assert_eq!(known, [(bob.clone(), met(1, None)), (carol, met(2, Some(Wall(7))))]);
        accept(folder, &bob, met(3, None)).unwrap();
        assert_eq!(load(folder).unwrap().standing(&bob, met(3, None).founder), Standing::Known(met(3, None)));
    }

    #[test]
    fn a_damaged_line_is_named_and_nothing_is_overwritten() {
        let key = KeyId([1; 32]);
        for (n, line) in [
            "bob".to_owned(),
            format!("bob {key}"),
            format!("bob {key} x"),
            format!("bob {key} 1 2 3"),
            format!("Bob {key} 1"),
            "bob 00 1".to_owned(),
        ]
        .into_iter()
        .enumerate()
        {
            let folder = tempfile::tempdir().unwrap();
            let text = format!("alice {key} 1\n{line}\n");
            write_file(&folder.path().join(MET), text.as_bytes()).unwrap();
            assert!(matches!(load(folder.path()), Err(HomeError::Met { line: 2, .. })), "{n}");
            let user = UserName::parse("carol").unwrap();
            assert!(keep(folder.path(), &user, met(1, None)).is_err());
            assert_eq!(std::fs::read_to_string(folder.path().join(MET)).unwrap(), text);
        }
    }
}
