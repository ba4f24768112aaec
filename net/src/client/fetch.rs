//! Decides what `client cert fetch` shows and exports of somebody's certificates: as the server has them, judged by us.
//!
//! What is shown was checked as at every other door: its chain to our root, its names, its validity now. It says whose
//! key the server has certified; that somebody holds that key shows only when they connect.

use std::fs;
use std::path::Path;

use countersign_core::device::{Acquaintances, Asked, Command, Fetched};
use countersign_core::id::UserName;
use countersign_core::pki::Facts;
use countersign_core::tls::CertRefusal;
use countersign_core::wire::Code;
use serde::Serialize;

use super::World;
use super::ask::ask;
use super::cert::{rest, write_public};
use super::clean::{clean, escape_json};
use super::metbook;
use super::names::person;
use crate::exit::{Exit, Failure, print_line};
use crate::store::folder::FolderError;

/// A certificate in JSON.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    user: &'a UserName,
    device: Option<&'a str>,
    valid: bool,
    problem: Option<String>,
    standing: Option<&'static str>,
    subject: String,
    serial: String,
    key: Option<String>,
    not_before: u64,
    not_after: u64,
    fingerprint: String,
}

/// Runs `client cert fetch`.
pub fn fetch(world: &World, user: &str, json: bool, export: Option<&Path>) -> Result<(), Failure> {
    let user = person(user)?;
    let stored = world.stored()?;
    let met = metbook::load(&stored.folder)?;
    let fetched = certificates(ask(world, &stored, Command::Fetch(user.clone()))?, &user)?;
    for certificate in &fetched {
        show(&user, certificate, &met, world, json)?;
    }
    // An expired or revoked one is the state of a device; one that was never good is the server's lie.
    let is_state = |refusal: &CertRefusal| matches!(refusal, CertRefusal::Expired | CertRefusal::Revoked);
    let lie = |fetched: &&Fetched| !fetched.verdict.as_ref().map_or_else(is_state, |_| true);
    if let Some(Err(refusal)) = fetched.iter().find(lie).map(|fetched| &fetched.verdict) {
        let words = format!("the server gave a certificate for {user} that is not to be believed: {refusal}");
        return Err(Failure::new(Exit::Refused, words));
    }
    let is_revoked = |fetched: &Fetched| matches!(fetched.verdict, Err(CertRefusal::Revoked));
    if !fetched.is_empty() && fetched.iter().all(is_revoked) {
        return Err(Failure::refused(format_args!("every device of {user} was revoked: ask {user} by another way")));
    }
    export.map_or(Ok(()), |dir| write(dir, &user, &fetched, &stored.root, json))
}

/// The certificates that were asked for.
pub fn certificates(answer: Asked, user: &UserName) -> Result<Vec<Fetched>, Failure> {
    match answer {
        Asked::Certificates(_, fetched) => Ok(fetched),
        Asked::Refused(Code::NO_SUCH_USER) => {
            let words = format!("there is no user {user} here: client who lists everybody");
            Err(Failure::new(Exit::Refused, words))
        }
        Asked::Refused(code) => {
            let words = format!("the server does not give the certificates of {user}: {code}");
            Err(Failure::failed(words))
        }
        other @ (Asked::People(_)
        | Asked::Log(_)
        | Asked::Approval(_)
        | Asked::Renewed(_)
        | Asked::PasswordSet
        | Asked::Unanswered) => {
            Err(Failure::failed(format_args!("the server answered something else than asked: {other:?}")))
        }
    }
}

fn show(user: &UserName, fetched: &Fetched, met: &Acquaintances, world: &World, json: bool) -> Result<(), Failure> {
    let Some(facts) = Facts::read(&fetched.leaf) else {
        return Err(Failure::new(
            Exit::Refused,
            format!("the server gave something for {user} that is no certificate"),
        ));
    };
    let judged = fetched.verdict.as_ref();
    let standing = fetched.founder.map(|founder| met.standing(user, founder));
    if json {
        let shown = Shown {
            user,
            device: judged.ok().map(|judged| judged.device.device.as_str()),
            valid: judged.is_ok(),
            problem: judged.err().map(ToString::to_string),
            standing: standing.map(metbook::word),
            subject: facts.subject,
            serial: facts.serial,
            key: judged.ok().map(|judged| judged.key.to_string()),
            not_before: facts.not_before.0,
            not_after: facts.not_after.0,
            fingerprint: facts.fingerprint.to_string(),
        };
        return print_line(escape_json(&serde_json::to_string(&shown).map_err(Failure::failed)?));
    }
    // What a certificate that is not believed says of itself may be anything.
    let subject = clean(&facts.subject);
    match judged {
        Ok(judged) => print_line(format_args!("device       {} ({subject})", judged.device))?,
        Err(refusal) => print_line(format_args!("NOT VALID    {subject} ({refusal})"))?,
    }
    if let Some(standing) = standing {
        print_line(format_args!("person       {}", metbook::words(user, standing)))?;
    }
    let left = rest(&facts, world.now().wall);
    print_line(format_args!("serial       {}", facts.serial))?;
    print_line(format_args!("valid        {} to {} ({left})", facts.not_before, facts.not_after))?;
    if let Ok(judged) = judged {
        print_line(format_args!("key          sha256 {}", judged.key))?;
    }
    print_line(format_args!("fingerprint  sha256 {}", facts.fingerprint))
}

/// One chain for each device whose certificate is good, and the root that they lead to.
fn write(dir: &Path, user: &UserName, fetched: &[Fetched], root: &[u8], json: bool) -> Result<(), Failure> {
    fs::create_dir_all(dir).map_err(|error| Failure::failed(FolderError::from_io(dir, error)))?;
    let mut files = vec!["root.pem".to_owned()];
    for fetched in fetched {
        if let Ok(judged) = &fetched.verdict {
            let file = format!("{user}-{}.pem", judged.device.device);
            write_public(&dir.join(&file), &[&fetched.leaf, &fetched.issuing]).map_err(Failure::failed)?;
            files.insert(0, file);
        }
    }
    write_public(&dir.join("root.pem"), &[root]).map_err(Failure::failed)?;
    if json { Ok(()) } else { print_line(format_args!("wrote {} to {}", files.join(", "), dir.display())) }
}
