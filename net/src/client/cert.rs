//! Decides what `client cert show` says of the device's certificate, and what `client cert export` hands out.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use countersign_core::pki::Facts;
use countersign_core::time::Wall;
use serde::Serialize;

use super::World;
use super::home::Stored;
use crate::exit::{Failure, print_line};
use crate::store::folder::{FolderError, write_file};
use crate::store::keys::{KeyError, list_pem, write_certificates};

/// What others may read: there is no secret in a certificate.
const PUBLIC_MODE: u32 = 0o644;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The certificate in JSON.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    user: &'a str,
    device: &'a str,
    name: String,
    key: String,
    serial: &'a str,
    not_before: u64,
    not_after: u64,
    days_left: i64,
    fingerprint: String,
    issuers: Vec<Issuer<'a>>,
    server: String,
}

/// One certificate above it.
#[derive(Debug, Serialize)]
struct Issuer<'a> {
    subject: &'a str,
    serial: &'a str,
    not_after: u64,
    fingerprint: String,
}

/// Runs `client cert show`. An expired certificate is shown as such: that is when one wants to look at it.
pub fn show(world: &World, json: bool) -> Result<(), Failure> {
    let stored = world.stored()?;
    let facts = |der: &[u8]| {
        Facts::read(der).ok_or_else(|| {
            let folder = stored.folder.display();
            Failure::failed(format_args!("a certificate in {folder} can't be read: restore the folder from a backup"))
        })
    };
    let (leaf, issuing, root) = (facts(&stored.leaf)?, facts(&stored.issuing)?, facts(&stored.root)?);
    let now = world.now().wall;
    if json {
        let issuer = |facts: &Facts| facts.fingerprint.to_string();
        let shown = Shown {
            user: stored.name.user.as_str(),
            device: stored.name.device.as_str(),
            name: stored.name.dns(&stored.realm),
            key: stored.key.kind().to_string(),
            serial: &leaf.serial,
            not_before: leaf.not_before.0,
            not_after: leaf.not_after.0,
            days_left: days_left(leaf.not_after, now),
            fingerprint: leaf.fingerprint.to_string(),
            issuers: [&issuing, &root]
                .map(|facts| Issuer {
                    subject: &facts.subject,
                    serial: &facts.serial,
                    not_after: facts.not_after.0,
                    fingerprint: issuer(facts),
                })
                .into(),
            server: stored.endpoint.to_string(),
        };
        return print_line(serde_json::to_string(&shown).map_err(Failure::failed)?);
    }
    print_line(format_args!("device       {} ({})", stored.name, stored.name.dns(&stored.realm)))?;
    print_line(format_args!("server       {}", stored.endpoint))?;
    print_line(format_args!("key          {}", stored.key.kind()))?;
    print_line(format_args!("serial       {}", leaf.serial))?;
    print_line(format_args!("valid        {} to {} ({})", leaf.not_before, leaf.not_after, rest(&leaf, now)))?;
    print_line(format_args!("fingerprint  sha256 {}", leaf.fingerprint))?;
    for (what, facts) in [("issued by  ", &issuing), ("root       ", &root)] {
        print_line(format_args!("{what}  {}, valid to {} ({})", facts.subject, facts.not_after, rest(facts, now)))?;
        print_line(format_args!("             sha256 {}", facts.fingerprint))?;
    }
    Ok(())
}

/// Runs `client cert export`.
pub fn export(world: &World, dir: &Path) -> Result<(), Failure> {
    let stored = Stored::load(&world.folder)?;
    fs::create_dir_all(dir).map_err(|error| Failure::failed(FolderError::from_io(dir, error)))?;
    for (file, ders) in [
        ("device.pem", vec![&stored.leaf]),
        ("chain.pem", vec![&stored.leaf, &stored.issuing]),
        ("root.pem", vec![&stored.root]),
    ] {
        let path = dir.join(file);
        write_public(&path, &ders).map_err(Failure::failed)?;
    }
    let lists = stored.lists(world.now().wall)?;
    let pem: String = lists.all().map(|list| list_pem(list.der())).collect();
    if pem.is_empty() {
        return print_line(format_args!(
            "wrote device.pem, chain.pem and root.pem to {}; there is no revocation list yet: connect once",
            dir.display()
        ));
    }
    let path = dir.join("crl.pem");
    write_file(&path, pem.as_bytes()).map_err(Failure::failed)?;
    everybodys(&path).map_err(Failure::failed)?;
    print_line(format_args!("wrote device.pem, chain.pem, root.pem and crl.pem to {}", dir.display()))
}

/// Writes certificates where everybody may read them.
pub(super) fn write_public<D: AsRef<[u8]>>(path: &Path, ders: &[D]) -> Result<(), KeyError> {
    write_certificates(path, ders)?;
    everybodys(path)
}

fn everybodys(path: &Path) -> Result<(), KeyError> {
    fs::set_permissions(path, Permissions::from_mode(PUBLIC_MODE))
        .map_err(|error| KeyError::File(FolderError::from_io(path, error)))
}

/// Whole days until the end; below zero once it is past.
pub(crate) fn days_left(not_after: Wall, now: Wall) -> i64 {
    let days = |span: Duration| i64::try_from(span.as_secs() / DAY.as_secs()).unwrap_or(i64::MAX);
    if now <= not_after { days(not_after.since(now)) } else { -1 - days(now.since(not_after)) }
}

/// How much of its time a certificate has left, in words.
pub(super) fn rest(facts: &Facts, now: Wall) -> String {
    rest_of(facts.not_before, facts.not_after, now)
}

/// How much of a time is left, in words.
pub(crate) fn rest_of(not_before: Wall, not_after: Wall, now: Wall) -> String {
    match days_left(not_after, now) {
        _ if now < not_before => "not valid yet: check this machine's clock".to_owned(),
        1 => "1 day left".to_owned(),
        days @ 0.. => format!("{days} days left"),
        -1 => "expired today".to_owned(),
        days => format!("expired {} days ago", -1 - days),
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::id::Fingerprint;

    use super::*;

    #[test]
    fn days_are_counted_to_the_end_and_from_it() {
        let facts = Facts {
            subject: String::new(),
            issuer: String::new(),
            serial: String::new(),
            not_before: Wall(0),
            not_after: Wall(10 * DAY.as_secs()),
            fingerprint: Fingerprint([0; 32]),
        };
        let day = |days: u64| Wall(days * DAY.as_secs());
        assert_eq!(rest(&facts, day(0)), "10 days left");
        assert_eq!(rest(&facts, day(9)), "1 day left");
        assert_eq!(rest(&facts, day(10)), "0 days left");
        assert_eq!(rest(&facts, Wall(day(10).0 + 1)), "expired today");
        assert_eq!(rest(&facts, day(12)), "expired 2 days ago");
    }
}
