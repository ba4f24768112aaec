//! Decides what `server ca show`, `ca list`, `devices` and `sessions` print: tables for people, objects for scripts.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::path::Path;
use std::time::Duration;

use countersign_core::id::UserName;
use countersign_core::time::Wall;
use serde::Serialize;
use serde_json::{Value, json};

use super::admin::ask::{ask, mixed_up};
use super::admin::protocol::{Reply, Request};
use super::admin::views::{
    AuthorityEntry, CertificateEntry, FactsEntry, FullDeviceEntry, IssuedEntry, SessionEntry, StatusWord,
};
use super::root_key::Whereabouts;
use crate::client::cert::{days_left, rest_of};
use crate::exit::{Failure, print_line};

/// Runs `server ca show`. Where the root's key is, the folder tells and not the server, which has no use for it.
pub fn authority(folder: &Path, json: bool) -> Result<(), Failure> {
    let Reply::Authority { authority } = ask(folder, &Request::Authority {})? else { return Err(mixed_up()) };
    let root_key = Whereabouts::of(folder);
    if json {
        return print_line(authority_object(&authority, root_key));
    }
    authority_lines(&authority, root_key).iter().try_for_each(print_line)
}

/// Runs `server ca list`.
pub fn certificates(
    folder: &Path,
    user: Option<&UserName>,
    expiring: Option<Duration>,
    json: bool,
) -> Result<(), Failure> {
    let entries = pages(|after| {
        let user = user.map(UserName::to_string);
        let request = Request::Certificates { user, expiring: expiring.map(|time| time.as_secs()), after };
        let Reply::Certificates { certificates, next } = ask(folder, &request)? else { return Err(mixed_up()) };
        Ok((certificates, next))
    })?;
    let none =
        if expiring.is_some() { "no certificate ends within that time" } else { "no certificate was issued yet" };
    print_list(&entries, json, none, certificate_lines)
}

/// Runs `server devices`.
pub fn devices(folder: &Path, user: Option<&UserName>, json: bool) -> Result<(), Failure> {
    let entries = pages(|after| {
        let request = Request::Devices { user: user.map(UserName::to_string), after };
        let Reply::Devices { devices, next } = ask(folder, &request)? else { return Err(mixed_up()) };
        Ok((devices, next))
    })?;
    print_list(&entries, json, "nobody has joined yet", device_lines)
}

/// Runs `server sessions`. The last line counts those who are nobody yet.
pub fn sessions(folder: &Path, json: bool) -> Result<(), Failure> {
    let Reply::Sessions { sessions, strangers } = ask(folder, &Request::Sessions {})? else { return Err(mixed_up()) };
    print_list(&sessions, json, "nobody is connected", session_lines)?;
    if json {
        print_line(json!({ "strangers": strangers }))
    } else {
        print_line(format_args!("connections of strangers: {strangers}"))
    }
}

/// All of a list that comes in pages.
fn pages<T>(
    mut ask: impl FnMut(Option<String>) -> Result<(Vec<T>, Option<String>), Failure>,
) -> Result<Vec<T>, Failure> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (entries, next) = ask(after)?;
        all.extend(entries);
        match next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

/// An empty list is empty for a script; a person on a terminal is told that it is, by `none`.
fn print_list<T: Serialize>(
    entries: &[T],
    json: bool,
    none: &str,
    lines: impl Fn(&[T]) -> Vec<String>,
) -> Result<(), Failure> {
    if json {
        return entries.iter().try_for_each(|entry| print_line(json!(entry)));
    }
    if entries.is_empty() && io::stdout().is_terminal() {
        let _ = writeln!(io::stderr().lock(), "{none}");
    }
    lines(entries).iter().try_for_each(print_line)
}

fn authority_object(authority: &AuthorityEntry, root_key: Whereabouts) -> Value {
    let at = Wall(authority.at);
    let certificate = |facts: &FactsEntry| {
        let FactsEntry { subject, serial, not_before, not_after, fingerprint } = facts;
        json!({
            "subject": subject,
            "serial": serial,
            "not_before": not_before,
            "not_after": not_after,
            "days_left": days_left(Wall(*not_after), at),
            "fingerprint": fingerprint,
        })
    };
    json!({
        "realm": authority.realm,
        "link": authority.link,
        "at": authority.at,
        "root": certificate(&authority.root),
        "root_key_here": root_key != Whereabouts::Elsewhere,
        "root_key_encrypted": root_key == Whereabouts::Sealed,
        "issuing": certificate(&authority.issuing),
        "issuing_ends_soon": authority.issuing_ends_soon,
        "relay": certificate(&authority.relay),
        "issued": authority.issued,
    })
}

fn authority_lines(authority: &AuthorityEntry, root_key: Whereabouts) -> Vec<String> {
    let at = Wall(authority.at);
    let mut lines = vec![format!("realm        {}", authority.realm), format!("link         {}", authority.link)];
    for (what, facts) in [("root", &authority.root), ("issuing CA", &authority.issuing), ("relay", &authority.relay)] {
        let (from, until) = (Wall(facts.not_before), Wall(facts.not_after));
        lines.push(format!("{what:11}  {}", facts.subject));
        lines.push(format!("             valid {from} to {until} ({})", rest_of(from, until, at)));
        lines.push(format!("             serial {}", facts.serial));
        lines.push(format!("             sha256 {}", facts.fingerprint));
    }
    lines.push(format!("issued       {}", issued_words(&authority.issued)));
    lines.push(format!("root key     {root_key}"));
    if authority.issuing_ends_soon {
        let (from, until) = (Wall(authority.issuing.not_before), Wall(authority.issuing.not_after));
        let rest = rest_of(from, until, at);
        let what = if at > until {
            format!("the issuing CA is over ({rest}), and with it all that it has signed:")
        } else {
            format!("the issuing CA ends soon ({rest}), and what it signs ends with it:")
        };
        lines.push(format!("warning      {what}"));
        lines.push("             make another with server ca rotate, which needs the root's key".to_owned());
    }
    lines
}

/// `3 certificates of devices: 2 valid, 1 expired`.
fn issued_words(issued: &IssuedEntry) -> String {
    let IssuedEntry { all, valid, superseded, expired, not_yet_valid, granted, revoked } = issued;
    let mut words = format!("{all} certificate{} of devices: {valid} valid", if *all == 1 { "" } else { "s" });
    // Formatting into a string can't fail.
    for (count, what) in
        [(superseded, "superseded"), (expired, "expired"), (not_yet_valid, "not yet valid"), (revoked, "revoked")]
    {
        if *count > 0 || what == "expired" {
            let _ = write!(words, ", {count} {what}");
        }
    }
    if *granted > 0 {
        let _ = write!(words, "; {granted} granted and not signed yet");
    }
    words
}

fn certificate_lines(entries: &[CertificateEntry]) -> Vec<String> {
    let head = ["DEVICE", "KEY", "ASKED FOR", "BY", "ENDS", "STATUS", "SERIAL"];
    let row = |entry: &CertificateEntry| {
        [
            name(&entry.user, &entry.device),
            short_key(entry.key.as_deref()),
            day(entry.asked),
            entry.by.clone(),
            day(entry.not_after),
            entry.status.words().to_owned(),
            entry.serial.clone(),
        ]
    };
    table(head, entries.iter().map(row))
}

fn device_lines(entries: &[FullDeviceEntry]) -> Vec<String> {
    let online = |entry: &FullDeviceEntry| match entry.online_s {
        Some(seconds) => format!("online for {}", span(seconds)),
        None => "offline".to_owned(),
    };
    let width = |cell: &dyn Fn(&FullDeviceEntry) -> String| entries.iter().map(|entry| cell(entry).len()).max();
    let name = |entry: &FullDeviceEntry| name(&entry.user, &entry.device);
    let (names, onlines) = (width(&name).unwrap_or_default(), width(&online).unwrap_or_default());
    let lines = entries.iter().flat_map(|entry| {
        let ends = Wall(entry.not_after);
        let certificate = match entry.certificate {
            StatusWord::Granted => "no certificate yet: it is granted and not signed".to_owned(),
            StatusWord::Expired => format!("certificate expired {ends}"),
            StatusWord::Revoked => format!("REVOKED, certificate until {ends}"),
            StatusWord::NotYetValid => format!("certificate not yet valid, until {ends}"),
            StatusWord::Valid | StatusWord::Superseded => format!("certificate valid until {ends}"),
        };
        let key = entry.key.as_deref().unwrap_or("unknown");
        [
            format!("{:names$}  {:onlines$}  {certificate}", name(entry), online(entry)),
            format!("  key {key}, sha256 {}", entry.key_sha256),
        ]
    });
    lines.collect()
}

fn session_lines(entries: &[SessionEntry]) -> Vec<String> {
    let head = ["DEVICE", "CONNECTED FOR", "FROM", "PRESENT", "TUNNELS", "BYTES WAITING"];
    let row = |entry: &SessionEntry| {
        [
            name(&entry.user, &entry.device),
            span(entry.connected_s),
            entry.from.clone(),
            if entry.present { "yes" } else { "no" }.to_owned(),
            entry.tunnels.to_string(),
            entry.waiting_bytes.to_string(),
        ]
    };
    table(head, entries.iter().map(row))
}

/// Rows under their headings, each column as wide as its widest cell; nothing for no rows.
fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Vec<String> {
    let rows: Vec<[String; N]> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    if rows.len() == 1 {
        return Vec::new();
    }
    let widths: Vec<usize> =
        (0..N).map(|n| rows.iter().filter_map(|row| row.get(n)).map(String::len).max().unwrap_or_default()).collect();
    let line = |row: [String; N]| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.into_iter().map(line).collect()
}

fn name(user: &str, device: &str) -> String {
    format!("{user}/{device}")
}

/// The day of a second, as `2027-02-19`.
fn day(second: u64) -> String {
    let whole = Wall(second).to_string();
    match whole.strip_suffix(" UTC").and_then(|whole| whole.split_once(' ')) {
        Some((day, _)) => day.to_owned(),
        None => whole,
    }
}

/// A key's kind in as few letters as a column has: `ECDSA P-256` is `P-256`, `RSA of 2048 bits` is `RSA 2048`.
fn short_key(kind: Option<&str>) -> String {
    let kind = kind.unwrap_or("unknown");
    let kind = kind.strip_prefix("ECDSA ").unwrap_or(kind);
    match kind.strip_prefix("RSA of ").and_then(|kind| kind.strip_suffix(" bits")) {
        Some(bits) => format!("RSA {bits}"),
        None => kind.to_owned(),
    }
}

/// A length of time in its fitting unit.
fn span(seconds: u64) -> String {
    let minutes = seconds / 60;
    match minutes {
        0..2 => format!("{seconds} s"),
        2..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / (24 * 60)),
    }
}

#[cfg(test)]
mod tests;
