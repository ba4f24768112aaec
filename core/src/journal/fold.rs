//! The fold decides: what a record makes of the state, in journal order, by frozen rules.
//!
//! Rules of a version are never changed once a journal was written by them; a new version gets functions of its own.
//! What a version calls is frozen with it: `UserName::skeleton`, `lint::matches_grant`, `Subject::read`, the leaves of
//! the log and the bounds below.
//!
//! | check | what | test (`journal/tests.rs`) | forgeries (`sim/src/forge`) |
//! | --- | --- | --- | --- |
//! | GR-01 | the invite exists | `an_unknown_invite` | `unknown-invite` |
//! | GR-02 | it was not used by another key or name | `a_used_invite` | `replayed-invite`, `replayed-invite-other-name` |
//! | GR-03 | it has not expired | `an_expired_invite` | `expired-invite` |
//! | GR-04 | it is for this name or for any | `an_invite_for_another` | `other-invite` |
//! | GR-05 | the name is free | `of_two_racing_requests_one_wins` | `name-taken` |
//! | GR-06 | nobody's name looks like it | `a_name_that_looks_taken` | `look-alike-user` |
//! | GR-07 | the key is new | `a_key_belongs_to_one_device` | `key-twice` |
//! | GR-08 | the user has no device yet | `a_second_device_is_refused` | `second-device` |
//! | GR-09 | the realm has room | `a_full_realm_refuses` | |
//! | GR-10 | the certificate is the granted one | `a_certificate_that_was_not_granted` | |
//!
//! A further device of a person passes GR-01 to GR-04, GR-07 and GR-10, and instead of the others
//!
//! | check | what | test (`fold/endorsed/tests.rs`) | forgeries (`sim/src/forge`) |
//! | --- | --- | --- | --- |
//! | EN-01 | no other device of the user has its name | `a_device_name_is_given_once` | |
//! | EN-02 | the user has room for it | `a_person_has_so_many_devices_at_a_time_and_comes_back_by_the_code_however_many_there_were` | |
//! | EN-03 | a device of this very user, with the key that it has, gave its word | `the_word_of_anybody_else_is_none` | |
//! | EN-04 | the word is for this name, key and realm | `the_word_for_another_device_is_none` | |
//! | EN-05 | the row of words back to the first device is short enough to be shown whole | `a_row_of_endorsements_has_an_end` | |
//!
//! A recovery key, and a device that comes by one, pass (the device GR-01 to GR-04, GR-07, GR-10, EN-01 and EN-02, too)
//!
//! | check | what | test (`fold/recovery/tests.rs`) | forgeries (`sim/src/forge`) |
//! | --- | --- | --- | --- |
//! | RC-01 | a device of this very user, with the key that it has, gave its word, and was not revoked | `nobody_else_makes_a_persons_recovery_key` | |
//! | RC-02 | the word is for this user, key and realm, and the key is Ed25519 | `a_recovery_key_that_was_swapped_is_not_taken` | |
//! | RC-03 | the key is nobody's, and was not this user's before | `a_recovery_key_is_made_once` | |
//! | RC-04 | the user has not made too many of late | `recovery_keys_are_not_made_without_end` | |
//! | RC-05 | the row of a device by it is short enough to be shown whole | `a_row_of_recoveries_has_an_end` | |
//! | RC-06 | the word for the device is by the key that counts: its user's newest | `an_old_code_and_that_of_another_user_are_none` | |
//! | RC-07 | that word is for this name, key and realm | `the_word_for_another_device_is_none` | |
//!
//! A reissue, and the device that comes by it, pass (the device GR-01 to GR-04, GR-07, GR-10, EN-01 and EN-02, too)
//!
//! | check | what | test (`fold/reissue/tests.rs`) | forgeries (`sim/src/forge`) |
//! | --- | --- | --- | --- |
//! | RI-01 | the user is there | `nobody_is_let_in_again_who_was_not_there` | |
//! | RI-02 | the operator's word is one for a reissue, and not an invite | `an_invite_is_no_reissue` | |
//! | RI-03 | the lists have room for the devices whose place it takes | `a_reissue_that_the_lists_have_no_room_for` | |
//!
//! A renewal passes
//!
//! | check | what | test (`journal/tests/renewal.rs`) | forgeries (`sim/src/forge`) |
//! | --- | --- | --- | --- |
//! | RN-01 | what is to be renewed is a certificate that was issued here | `only_what_was_issued_is_renewed` | `renew-unknown-serial` |
//! | RN-02 | it is its device's newest, and no other renewal of it is under way: otherwise that one is the answer | `a_renewal_asked_for_twice_is_one` | |
//! | RN-03 | it ended no longer ago than [`RENEWAL_GRACE`](crate::limits::RENEWAL_GRACE) | `beyond_the_grace_nothing_is_renewed` | `renew-beyond-grace` |
//! | RN-04 | it is not a fresh one that still holds, the new one holds longer, and there are not plenty: otherwise it is itself the answer | `a_fresh_certificate_is_its_own_renewal`, `a_renewal_that_gains_nothing_is_none`, `a_device_that_renews_each_day_has_few_certificates_that_hold` | |
//! | RN-06 | its device was not revoked | `what_was_revoked_is_not_renewed` | |
//!
//! A revocation, and a list of what was revoked, pass
//!
//! | check | what | test | forgeries (`sim/src/forge`) |
//! | --- | --- | --- | --- |
//! | RV-01 | the device exists | `an_unknown_device_is_not_revoked` in `journal/tests/revoking.rs`, as all RV | |
//! | RV-02 | it was not revoked before | `a_device_is_revoked_once_and_for_ever` | |
//! | RV-03 | it is not its user's last one, unless the operator insists | `the_last_device_of_a_user_is_kept_unless_the_operator_insists` | |
//! | RV-04 | the reason is one for a device, and final | `a_reason_that_is_none_for_a_device` | |
//! | RV-05 | the lists have room | `more_than_the_lists_hold_is_not_revoked` | |
//! | RV-06 | a list reads as one of a realm's issuing CA | `a_list_that_is_none` | |
//! | RV-07 | its number is greater than that of the list before | `a_list_with_a_number_from_before` | |
//! | RV-08 | who asks for a device of their own asks by one that they have, that was not revoked, and with its word for this very device and reason | `nobody_takes_back_a_device_by_the_word_of_another` | |

//!
//! Who comes by a password passes, as a first device, GR-05 to GR-10, as a further one EN-01 to EN-05, and either
//!
//! | check | what | test (`fold/passwords/tests.rs`) | forgeries (`sim/src/forge`) |
//! | --- | --- | --- | --- |
//! | PW-01 | the grant says of itself that a password of this user admits | `a_grant_by_password_says_so_itself` | |
//! | PW-02 | a further device's user has a password | `who_has_no_password_has_no_further_device_by_one` | |
//! | PW-03 | a password is set by a device that its user has, and that was not revoked | `a_password_is_set_by_a_device_that_is_there` | |
//!
//! What is about conversations passes CV-01 to CV-16, whose table stands in `fold/conversations.rs`. A restoration passes
//!
//! | check | what | test (`fold/restored/tests.rs`) | forgeries (`sim/src/forge`) |
//! | --- | --- | --- | --- |
//! | RS-01 | there was a realm to be restored, in another life of its journal than this one | `nothing_is_restored_that_was_not_there` | |

pub mod conversations;
mod endorsed;
mod passwords;
pub mod recovery;
mod reissue;
mod restored;

use std::collections::BTreeMap;
use std::fmt;

use super::record::{RULES, Record};
use super::renewal::{RenewRefusal, renew};
use super::revoking::{self, RevokeRefusal};
use super::state::{Device, Invite, IssuedAt, Progress, RealmInfo, Revoked, State, User};
use crate::id::{DeviceName, Fingerprint, KeyId, Serial, UserName};
use crate::invite::TokenHash;
use crate::pki::facts::{Subject, issuer_of};
use crate::pki::{Grant, LintFailure, Validity, lint};
use crate::time::Wall;
use crate::tlog::{Basis, Leaf};

use conversations::{open, packages, posts, roster};
pub use endorsed::may_wait;
pub use recovery::{RecoveryRefusal, may_arm, may_recover};
pub use reissue::may_reissue;

pub use passwords::signed_before;
use recovery::Recoveries;

/// People in one realm, by the rules of version 1.
pub(super) const USERS_MAX_V1: usize = 10_000;

/// What a record came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The realm has begun.
    Founded,
    /// The invite admits from now on.
    Invited,
    /// The certificate may be signed.
    Granted(Serial),
    /// The same request was granted before, by this serial.
    GrantedBefore(Serial),
    /// The request is refused.
    Refused(EnrolRefusal),
    /// The renewal is refused.
    NotRenewed(RenewRefusal),
    /// The certificate is part of the directory.
    Issued(Serial),
    /// The log says who certifies from now on.
    IssuingLogged,
    /// The log has the relay's certificate.
    RelayLogged,
    /// The device is revoked from now on, for ever.
    DeviceRevoked(DeviceName),
    /// The device is not revoked.
    NotRevoked(RevokeRefusal),
    /// The revocation list with this number is its issuer's newest.
    CrlSigned(u64),
    /// A device has made the recovery key that counts for this user.
    RecoveryArmed(UserName),
    /// The recovery key is not taken.
    NotArmed(RecoveryRefusal),
    /// The certificate may be signed, by the operator's word alone; these devices from before are revoked.
    Reissued(Serial, Vec<DeviceName>),
    /// This user's password is another one from now on.
    PasswordSet(UserName),
    /// What a record about conversations came to.
    Conversed(conversations::Conversed),
    /// The log has another name from here on, and no invite from before admits anybody.
    Restored,
    /// The log had it before, as the newest of its kind: nothing changes.
    LoggedBefore,
    /// The record contradicts the journal before it and changes nothing.
    Contradicts(JournalFault),
}

/// Why somebody isn't admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EnrolRefusal {
    /// GR-01.
    InviteUnknown,
    /// GR-02.
    InviteUsed,
    /// GR-03.
    InviteExpired,
    /// GR-04.
    InviteForOther,
    /// GR-05.
    NameTaken,
    /// GR-06.
    NameLooksTaken,
    /// GR-07.
    KeyTaken,
    /// GR-08.
    SecondDevice,
    /// GR-09.
    RealmFull,
    /// EN-01.
    DeviceTaken,
    /// EN-02.
    DevicesFull,
    /// EN-03, EN-04.
    NotEndorsed,
    /// EN-05, RC-05.
    EndorsementsTooMany,
    /// RC-06, RC-07.
    NotRecovered,
    /// RI-01, RI-02.
    NotReissued,
    /// RI-03.
    ListsFull,
    /// PW-02.
    PasswordWrong,
}

impl EnrolRefusal {
    /// What the newcomer is told.
    pub fn code(self) -> crate::wire::Code {
        use crate::wire::Code;
        match self {
            Self::InviteUnknown => Code::INVITE_UNKNOWN,
            Self::InviteUsed => Code::INVITE_USED,
            Self::InviteExpired => Code::INVITE_EXPIRED,
            Self::InviteForOther => Code::INVITE_FOR_OTHER,
            Self::NameTaken => Code::NAME_TAKEN,
            Self::NameLooksTaken => Code::NAME_LOOKS_TAKEN,
            Self::KeyTaken => Code::KEY_TAKEN,
            Self::SecondDevice => Code::SECOND_DEVICE,
            Self::RealmFull => Code::REALM_FULL,
            Self::DeviceTaken => Code::DEVICE_TAKEN,
            Self::DevicesFull => Code::DEVICES_FULL,
            Self::NotEndorsed => Code::NOT_ENDORSED,
            Self::EndorsementsTooMany => Code::ENDORSEMENTS_TOO_MANY,
            Self::NotRecovered => Code::NOT_RECOVERED,
            Self::NotReissued => Code::NOT_REISSUED,
            Self::ListsFull => Code::LISTS_FULL,
            Self::PasswordWrong => Code::PASSWORD_WRONG,
        }
    }
}

impl fmt::Display for EnrolRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code())
    }
}

/// How a record contradicts the journal before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalFault {
    /// The realm was founded before, or has not been yet.
    Founding,
    /// The invite exists already.
    InviteTwice,
    /// The serial is in use.
    SerialTwice,
    /// A certificate for a serial that was not granted, or has one.
    NotGranted,
    /// GR-10.
    OtherCertificate(LintFailure),
    /// RV-06.
    NoList,
    /// RV-07.
    ListOlder,
    /// PW-01.
    NoSignUp,
    /// PW-03.
    NoDevice,
    /// RS-01.
    NotBefore,
}

/// Makes of the state what `record` says, by the rules of version `rules`.
pub(super) fn fold(state: &mut State, rules: u8, record: Record) -> Outcome {
    // `Record::decode` lets no other version through. Newer rules decide about what older ones know as those do.
    assert!((1..=RULES).contains(&rules), "a record of unknown rules reached the fold");
    fold_record(state, rules, record)
}

fn fold_record(state: &mut State, rules: u8, record: Record) -> Outcome {
    match record {
        Record::RealmFounded { realm, root, at: _ } => {
            if state.realm.is_some() {
                return Outcome::Contradicts(JournalFault::Founding);
            }
            state.realm = Some(RealmInfo { realm, root });
            Outcome::Founded
        }
        Record::InviteCreated { token, user, expires, at: _ } => {
            if state.invites.contains_key(&token) {
                return Outcome::Contradicts(JournalFault::InviteTwice);
            }
            state.invites.insert(token, Invite { user, expires, used: None });
            Outcome::Invited
        }
        Record::CertificateGranted(grant) => grant_v1(state, grant),
        Record::CertificateIssued { serial, der } => issue_v1(state, serial, &der),
        Record::IssuingCertified { der, at } => issuing_v2(state, &der, at),
        Record::RelayCertified { der, at } => relay_v2(state, &der, at),
        Record::CertificateEndorsed { grant, endorsement } => endorsed::endorsed(state, rules, grant, endorsement),
        Record::CertificateRenewed { of, serial, not_before, not_after, at } => {
            renew(state, rules, of, serial, Validity { not_before, not_after }, at)
        }
        Record::DeviceRevoked { name, reason, force, at } => {
            revoking::device_v3(state, &name, Revoked { reason, at }, force)
        }
        Record::DeviceWithdrawn { name, reason, force, endorsement, at } => {
            revoking::withdrawn_v4(state, &name, Revoked { reason, at }, force, endorsement)
        }
        Record::CrlSigned { der } => revoking::list_v3(state, &der),
        Record::RecoveryArmed { user, key, endorsement, at } => recovery::armed_v4(state, user, key, endorsement, at),
        Record::CertificateRecovered { grant, word } => recovery::recovered_v4(state, grant, word),
        Record::ReissueCreated { token, user, keep, expires, at: _ } => {
            reissue::created_v4(state, token, (user, keep), expires)
        }
        Record::CertificateReissued(grant) => reissue::reissued_v4(state, grant),
        Record::SignedUp { grant, password } => passwords::signed_up_v4(state, grant, password),
        Record::SignedIn { grant, endorsement } => passwords::signed_in_v4(state, grant, endorsement),
        Record::PasswordSet { by, password, at: _ } => passwords::set_v4(state, &by, password),
        Record::Restored { previous, at } => restored::restored_v4(state, previous, at),
        Record::KeyPackagePublished { device, last_resort, not_after, at } => {
            packages::kept_v5(state, device, last_resort, not_after, at).into()
        }
        Record::KeyPackagesTaken { by, of, at } => packages::taken_v5(state, &by, &of, at).into(),
        Record::ConversationFounded { conversation, kind, by, at: _ } => {
            roster::founded_v5(state, conversation, kind, by).into()
        }
        Record::ConversationCommitted { conversation, by, epoch, change, bytes, at } => {
            roster::committed_v5(state, conversation, by, epoch, &change, (bytes, at)).into()
        }
        Record::MessagePosted { conversation, by, epoch, id, bytes, at } => {
            posts::posted_v5(state, conversation, by, epoch, id, (bytes, at)).into()
        }
        Record::Acknowledged { of } => posts::acknowledged_v5(state, &of).into(),
        Record::PostedExpired { conversation, upto, at } => posts::expired_v5(state, conversation, upto, at).into(),
        Record::GroupInfoPublished { conversation, by, epoch, bytes, at: _ } => {
            open::published_v6(state, conversation, &by, epoch, bytes).into()
        }
        Record::ConversationEntered { conversation, by, epoch, bytes, at } => {
            open::entered_v6(state, conversation, by, epoch, (bytes, at)).into()
        }
    }
}

fn issuing_v2(state: &mut State, der: &[u8], at: Wall) -> Outcome {
    let Some(facts) = Subject::read(der) else {
        return Outcome::Contradicts(JournalFault::OtherCertificate(LintFailure::Unreadable));
    };
    let certificate = Fingerprint::of(der);
    let before = state.issuing.replace(certificate);
    if before == Some(certificate) {
        // A server that starts twice before the first answer of the journal says it twice.
        return Outcome::LoggedBefore;
    }
    let Subject { key, not_after, .. } = facts;
    state.log.other(Leaf::IssuingCa { certificate, key, not_after, at });
    if let Some(from) = before {
        state.log.other(Leaf::Rotation { from, to: certificate, at });
    }
    Outcome::IssuingLogged
}

fn relay_v2(state: &mut State, der: &[u8], at: Wall) -> Outcome {
    let Some(Subject { serial, key, not_after }) = Subject::read(der) else {
        return Outcome::Contradicts(JournalFault::OtherCertificate(LintFailure::Unreadable));
    };
    let certificate = Fingerprint::of(der);
    if state.relay.replace(certificate) == Some(certificate) {
        return Outcome::LoggedBefore;
    }
    state.log.other(Leaf::RelayCertificate { certificate, serial, key, not_after, at });
    Outcome::RelayLogged
}

fn grant_v1(state: &mut State, grant: Grant) -> Outcome {
    match allowed(state, &grant.token, &grant.name, grant.key.id(), grant.at) {
        Ok(Some(before)) => return Outcome::GrantedBefore(before),
        Ok(None) => {}
        Err(refusal) => return Outcome::Refused(refusal),
    }
    if state.grants.contains_key(&grant.serial) {
        return Outcome::Contradicts(JournalFault::SerialTwice);
    }
    let elsewhere = grant.token == TokenHash::of_operators_word(grant.key.id(), &grant.name);
    let basis = if elsewhere { Basis::MadeElsewhere } else { Basis::FirstDevice };
    open(state, grant, basis, 0)
}

/// Writes a device down whose certificate may be signed now. So many endorsements lie between it and its user's first one.
fn open(state: &mut State, grant: Grant, basis: Basis, depth: u8) -> Outcome {
    let (serial, key) = (grant.serial, grant.key.id());
    if let Some(invite) = state.invites.get_mut(&grant.token) {
        invite.used = Some(serial);
    }
    state.keys.insert(key, grant.name.clone());
    state.skeletons.insert(grant.name.user.skeleton(), grant.name.user.clone());
    let user = state.users.entry(grant.name.user.clone()).or_insert_with(|| User {
        opened: grant.at,
        devices: BTreeMap::new(),
        recoveries: Recoveries::default(),
    });
    user.devices.insert(grant.name.device.clone(), Device { key, serial, origin: serial, depth, revoked: None });
    state.grants.insert(serial, Progress { grant, basis, issued: None });
    state.unissued.insert(serial);
    Outcome::Granted(serial)
}

fn issue_v1(state: &mut State, serial: Serial, der: &[u8]) -> Outcome {
    let Some(realm) = state.realm.as_ref() else {
        return Outcome::Contradicts(JournalFault::Founding);
    };
    let Some(progress) = state.grants.get_mut(&serial).filter(|progress| progress.issued.is_none()) else {
        return Outcome::Contradicts(JournalFault::NotGranted);
    };
    if let Err(failure) = lint::matches_grant(der, &progress.grant, &realm.realm) {
        return Outcome::Contradicts(JournalFault::OtherCertificate(failure));
    }
    let (n, leaf) = (state.position.n, state.log.tree.size());
    let issued = IssuedAt { n, leaf, certificate: Fingerprint::of(der), issuer: issuer_of(der) };
    progress.issued = Some(issued);
    if let Some(leaf) = progress.leaf() {
        state.log.device(serial, &leaf);
    }
    // A first certificate is its device's newest since it was granted; until a renewed one is there, the old one is.
    let name = &progress.grant.name;
    if progress.basis == Basis::Renewed
        && let Some(device) = state.users.get_mut(&name.user).and_then(|user| user.devices.get_mut(&name.device))
    {
        device.serial = serial;
    }
    state.unissued.remove(&serial);
    revoking::issued_v3(state, serial);
    Outcome::Issued(serial)
}

/// Whether the state admits a request: with the serial if the very same one was granted before, so that an answer that
/// was lost costs nothing (design 4). Asked before a record is proposed, and again, for good, by the fold.
pub fn allowed(
    state: &State,
    token: &TokenHash,
    name: &DeviceName,
    key: KeyId,
    at: Wall,
) -> Result<Option<Serial>, EnrolRefusal> {
    if let Some(serial) = granted_before(state, token, name, key) {
        return Ok(Some(serial));
    }
    is_admitted(state, token, name, at)?;
    free(state, name, key)?;
    Ok(None)
}

/// What this invite was used for, if that was the very same request.
fn granted_before(state: &State, token: &TokenHash, name: &DeviceName, key: KeyId) -> Option<Serial> {
    let serial = state.invites.get(token)?.used?;
    let grant = &state.grants.get(&serial)?.grant;
    (grant.name == *name && grant.key.id() == key).then_some(serial)
}

/// Whether an invite that was not used yet admits somebody of this name (GR-01 to GR-04).
fn is_admitted(state: &State, token: &TokenHash, name: &DeviceName, at: Wall) -> Result<(), EnrolRefusal> {
    let invite = state.invites.get(token).ok_or(EnrolRefusal::InviteUnknown)?;
    if invite.used.is_some() {
        return Err(EnrolRefusal::InviteUsed);
    }
    if at > invite.expires {
        return Err(EnrolRefusal::InviteExpired);
    }
    if invite.user.as_ref().is_some_and(|user| *user != name.user) {
        return Err(EnrolRefusal::InviteForOther);
    }
    Ok(())
}

/// Whether there is room for a device of this name and key, by whatever right it is asked for (GR-05 to GR-09).
pub fn free(state: &State, name: &DeviceName, key: KeyId) -> Result<(), EnrolRefusal> {
    if state.device(name).is_some() {
        return Err(EnrolRefusal::NameTaken);
    }
    user_free(state, &name.user)?;
    if state.keys.contains_key(&key) {
        return Err(EnrolRefusal::KeyTaken);
    }
    if state.users.len() >= USERS_MAX_V1 {
        return Err(EnrolRefusal::RealmFull);
    }
    Ok(())
}

/// Whether a new person could have this name.
pub fn user_free(state: &State, user: &UserName) -> Result<(), EnrolRefusal> {
    if state.users.contains_key(user) {
        // Whether the asker is the same person, nobody can tell without an endorsement.
        return Err(EnrolRefusal::SecondDevice);
    }
    if state.skeletons.contains_key(&user.skeleton()) {
        return Err(EnrolRefusal::NameLooksTaken);
    }
    Ok(())
}
