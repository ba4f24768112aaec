//! What an operator is shown of the CA's work and of who is here: made of values, in one order, a bounded page at a time.
//!
//! Nothing here decides about anybody. A certificate's [`Status`] is how far it has come by the server's clock; whom to
//! believe is judged at each door anew (`tls/verify.rs`).

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound::{Excluded, Unbounded};
use std::time::Duration;

use super::OperatorRefusal;
use crate::id::{DeviceName, KeyId, Realm, Serial, UserName};
use crate::invite::TokenHash;
use crate::journal::State;
use crate::journal::state::Progress;
use crate::limits::{ADMIN_PAGE_MAX, ISSUING_NOTICE};
use crate::pki::{Authority, Facts, Grant, KeyKind};
use crate::relay::Books;
use crate::server::Source;
use crate::time::Wall;

/// A part of a long list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// At most [`ADMIN_PAGE_MAX`] entries, in the list's order.
    pub entries: Vec<T>,
    /// Whether the list goes on after the last of them.
    pub more: bool,
}

/// The realm's CAs and what they have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityView {
    /// The realm.
    pub realm: Realm,
    /// The second by the server's clock for which all this holds.
    pub at: Wall,
    /// The root.
    pub root: Facts,
    /// The issuing CA.
    pub issuing: Facts,
    /// Whether it is time for a new one.
    pub issuing_ends_soon: bool,
    /// The relay's own certificate, which it makes anew by itself.
    pub relay: Facts,
    /// The certificates of devices.
    pub tally: Tally,
}

/// How many certificates of devices there are of each [`Status`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Granted, and not signed yet.
    pub granted: u64,
    /// Signed and not valid yet.
    pub not_yet_valid: u64,
    /// Valid, and the newest of their devices.
    pub valid: u64,
    /// Valid, and not the newest of their devices.
    pub superseded: u64,
    /// Over.
    pub expired: u64,
    /// Taken back, with their devices.
    pub revoked: u64,
}

impl Tally {
    /// All that were ever signed.
    pub fn issued(&self) -> u64 {
        self.not_yet_valid + self.valid + self.superseded + self.expired + self.revoked
    }

    fn count(&mut self, status: Status) {
        *match status {
            Status::Granted => &mut self.granted,
            Status::NotYetValid => &mut self.not_yet_valid,
            Status::Valid => &mut self.valid,
            Status::Superseded => &mut self.superseded,
            Status::Expired => &mut self.expired,
            Status::Revoked => &mut self.revoked,
        } += 1;
    }
}

/// How far a certificate has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// The journal granted it and does not hold it yet.
    Granted,
    /// Its time has not begun.
    NotYetValid,
    /// Valid, and the newest of its device.
    Valid,
    /// Valid, and its device has a newer one.
    Superseded,
    /// Its time is over.
    Expired,
    /// Its device was revoked.
    Revoked,
}

impl Status {
    /// Of what was granted, and signed or not, for a device whose newest grant is `newest`.
    fn of(grant: &Grant, is_signed: bool, newest: Option<Serial>, now: Wall) -> Self {
        if !is_signed {
            Self::Granted
        } else if now < grant.not_before {
            Self::NotYetValid
        } else if now > grant.not_after {
            Self::Expired
        } else if newest == Some(grant.serial) {
            Self::Valid
        } else {
            Self::Superseded
        }
    }
}

/// By what right a certificate was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// An invite.
    Invite,
    /// The operator's word (`server ca sign`).
    Operator,
}

impl Right {
    fn of(grant: &Grant) -> Self {
        let is_word = grant.token == TokenHash::of_operators_word(grant.key.id(), &grant.name);
        if is_word { Self::Operator } else { Self::Invite }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invite => "invite",
            Self::Operator => "operator",
        })
    }
}

/// Which certificates are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificatesQuery {
    /// Of one person alone.
    pub user: Option<UserName>,
    /// Those alone by which a device lives now, and which end within this time.
    pub expiring: Option<Duration>,
    /// Those after this one.
    pub after: Option<CertificatePlace>,
}

/// A place in the list of all certificates: they stand in the order in which they were asked for, by the server's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CertificatePlace {
    /// When it was asked for.
    pub asked: Wall,
    /// Its number.
    pub serial: Serial,
}

/// One certificate of a device, or what is to become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateLine {
    /// Its number.
    pub serial: Serial,
    /// Whose it is.
    pub device: DeviceName,
    /// What its key is.
    pub kind: Option<KeyKind>,
    /// The first second of its validity.
    pub not_before: Wall,
    /// The last.
    pub not_after: Wall,
    /// How far it has come.
    pub status: Status,
    /// When it was asked for.
    pub asked: Wall,
    /// By what right.
    pub right: Right,
}

impl CertificateLine {
    /// Where it stands in the list.
    pub fn place(&self) -> CertificatePlace {
        CertificatePlace { asked: self.asked, serial: self.serial }
    }
}

/// Which devices are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DevicesQuery {
    /// Of one person alone.
    pub user: Option<UserName>,
    /// Those after this one.
    pub after: Option<DeviceName>,
}

/// One device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceLine {
    /// Which.
    pub device: DeviceName,
    /// Its key, by the SHA-256 of its `SubjectPublicKeyInfo`.
    pub key: KeyId,
    /// What its key is.
    pub kind: Option<KeyKind>,
    /// The last second of its newest certificate.
    pub not_after: Wall,
    /// How far that has come.
    pub status: Status,
    /// For how long it has been present, if it is.
    pub online: Option<Duration>,
}

/// Who is connected right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionsView {
    /// The admitted connections, in order of device and then of age, the oldest first.
    pub sessions: Vec<SessionLine>,
    /// How many connections there are besides: those who have not been admitted, some of which are closing.
    pub strangers: usize,
}

/// One admitted connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionLine {
    /// Whose.
    pub device: DeviceName,
    /// How long ago it was made.
    pub connected: Duration,
    /// Where it comes from.
    pub source: Source,
    /// Whether it is its device's presence, by which calls reach it.
    pub present: bool,
    /// How many open tunnels end there.
    pub tunnels: usize,
    /// How many bytes wait until it reads them.
    pub waiting_bytes: usize,
}

/// A page of the realm's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogView {
    /// What the log has signed of itself as it is now: a note.
    pub checkpoint: String,
    /// At most [`ADMIN_PAGE_MAX`] entries, encoded.
    pub entries: Vec<Vec<u8>>,
}

/// The answer to [`super::Command::Authority`]. `relay` is the relay's own certificate.
///
/// # Panics
/// Never: an authority's certificates were read when it was put together, and the relay's when it was made.
pub fn authority(authority: &Authority, relay: &[u8], state: &State, now: Wall) -> AuthorityView {
    let facts = |der: &[u8]| Facts::read(der).expect("a certificate of ours was judged before it came into use");
    let mut tally = Tally::default();
    for progress in state.grants() {
        tally.count(status(state, progress, now));
    }
    let issuing = facts(authority.issuing());
    AuthorityView {
        realm: authority.realm().clone(),
        at: now,
        root: facts(authority.trust().root().der()),
        issuing_ends_soon: issuing.ends_soon(now, ISSUING_NOTICE),
        issuing,
        relay: facts(relay),
        tally,
    }
}

/// The answer to [`super::Command::Certificates`]: one page of them.
pub fn certificates(
    state: &State,
    query: &CertificatesQuery,
    now: Wall,
) -> Result<Page<CertificateLine>, OperatorRefusal> {
    check_user(state, query.user.as_ref())?;
    let lives_until = query.expiring.map(|time| now.plus(time));
    let is_wanted = |progress: &Progress| {
        query.user.as_ref().is_none_or(|user| progress.grant.name.user == *user)
            && lives_until
                .is_none_or(|until| progress.grant.not_after <= until && status(state, progress, now) == Status::Valid)
    };
    // The state has them by serial. No more are kept than a page takes, and one that tells that there are more.
    let mut page = BTreeMap::new();
    for progress in state.grants() {
        let place = CertificatePlace { asked: progress.grant.at, serial: progress.grant.serial };
        if query.after.is_none_or(|after| place > after) && is_wanted(progress) {
            page.insert(place, progress);
            if page.len() > ADMIN_PAGE_MAX + 1 {
                page.pop_last();
            }
        }
    }
    let line = |progress: &Progress| {
        let grant = &progress.grant;
        CertificateLine {
            serial: grant.serial,
            device: grant.name.clone(),
            kind: grant.key.kind().ok(),
            not_before: grant.not_before,
            not_after: grant.not_after,
            status: status(state, progress, now),
            asked: grant.at,
            right: Right::of(grant),
        }
    };
    Ok(Page::of(page.into_values().map(line)))
}

/// The answer to [`super::Command::Devices`]: one page of them, in order of name. `online` says for how long a device has
/// been present.
pub fn devices(
    state: &State,
    query: &DevicesQuery,
    online: &dyn Fn(&DeviceName) -> Option<Duration>,
    now: Wall,
) -> Result<Page<DeviceLine>, OperatorRefusal> {
    check_user(state, query.user.as_ref())?;
    // From the user of the last page on, whose own devices may not have been all.
    let first = query.after.as_ref().map(|after| &after.user).max(query.user.as_ref());
    let users = match first {
        Some(first) => state.users().range(first.clone()..),
        None => state.users().range::<UserName, _>(..),
    };
    let lines = users
        .take_while(|(user, _)| query.user.as_ref().is_none_or(|wanted| wanted == *user))
        .flat_map(|(user, account)| {
            let after = query.after.as_ref().filter(|after| after.user == *user).map(|after| &after.device);
            account.devices.range((after.map_or(Unbounded, Excluded), Unbounded)).map(move |device| (user, device))
        })
        .filter_map(|(user, (label, device))| {
            let name = DeviceName { user: user.clone(), device: label.clone() };
            let progress = state.progress(device.serial)?;
            Some(DeviceLine {
                key: device.key,
                kind: progress.grant.key.kind().ok(),
                not_after: progress.grant.not_after,
                status: status(state, progress, now),
                online: online(&name),
                device: name,
            })
        });
    Ok(Page::of(lines))
}

/// The answer to [`super::Command::Log`]: the entries from `first` on; none where the log has ended.
pub fn log(books: &mut Books<'_>, first: u64) -> LogView {
    let state = books.state;
    let entries = (first..state.log().size()).take(ADMIN_PAGE_MAX).map_while(|index| Some(state.leaf(index)?.encode()));
    LogView { entries: entries.collect(), checkpoint: books.keeper.checkpoint(state.log()).to_string() }
}

impl<T> Page<T> {
    /// The first page of a list.
    fn of(list: impl IntoIterator<Item = T>) -> Self {
        let mut list = list.into_iter();
        let entries = list.by_ref().take(ADMIN_PAGE_MAX).collect();
        Self { entries, more: list.next().is_some() }
    }
}

fn status(state: &State, progress: &Progress, now: Wall) -> Status {
    let newest = state.device(&progress.grant.name).map(|device| device.serial);
    if state.revoked(&progress.grant.name).is_some() {
        return Status::Revoked;
    }
    Status::of(&progress.grant, progress.issued.is_some(), newest, now)
}

/// A misspelt name is no person without certificates.
fn check_user(state: &State, user: Option<&UserName>) -> Result<(), OperatorRefusal> {
    match user {
        Some(user) if !state.users().contains_key(user) => Err(OperatorRefusal::NoSuchUser),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
