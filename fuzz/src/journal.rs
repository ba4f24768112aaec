//! Decides whether the fold keeps its word, whatever is written down: replay equals live, and a refusal changes nothing.
//!
//! The script's records are drawn from few tokens, names, keys and serials, so that they meet; and raw ones are thrown in.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use countersign_core::id::{DeviceLabel, DeviceName, Fingerprint, KeyId, Realm, Serial, UserName};
use countersign_core::invite::TokenHash;
use countersign_core::journal::record::RULES;
use countersign_core::journal::state::Device;
use countersign_core::journal::{Conversed, Outcome, Record, RecordRefusal, State};
use countersign_core::limits::{DEVICE_LIFETIME, RECORD_ENCODED_BYTES_MAX};
use countersign_core::password::{Cost, Password, Stretch, Verifier};
use countersign_core::pki::{Grant, SecretKey};
use countersign_core::server::replay;
use countersign_core::time::Wall;
use countersign_core::tlog::{Basis, Endorsement, Leaf, ReasonCode, RecoveryWord};

use crate::cast::{NOW, cast, stream};
use crate::script::Script;

const USERS: [&str; 6] = ["alice", "a1ice", "bob", "b0b", "modern", "rnodern"];
const DEVICES: [&str; 3] = ["laptop", "phone", "1aptop"];
/// More would only make an input slow.
const RECORDS_MAX: usize = 64;

/// Records, each of its kind.
pub fn journal(data: &[u8]) {
    let mut script = Script::new(data);
    let mut books = Books { state: State::new(7), written: Vec::new() };
    for _ in 0..RECORDS_MAX {
        if script.is_over() {
            break;
        }
        let bytes = record(&mut script, &books);
        books.add(&bytes);
    }
    books.replay();
}

/// The next record of the script, encoded.
fn record(script: &mut Script<'_>, books: &Books) -> Vec<u8> {
    let kind = script.byte();
    if (0xf0..0xf8).contains(&kind) {
        return certified(script);
    }
    if (0xe8..0xf0).contains(&kind) {
        return endorsed(script);
    }
    if (0xdc..0xe0).contains(&kind) {
        return by_password(script);
    }
    if (0xe0..0xe8).contains(&kind) {
        return renewed(script);
    }
    if (0xd8..0xe0).contains(&kind) {
        return brought_back(script);
    }
    if kind == 0xd7 {
        return Record::Restored { previous: u64::from(script.byte() % 16), at: near(NOW, script) }.encode();
    }
    if (0xf8..0xfc).contains(&kind) {
        let device = DeviceLabel::parse(script.choose(&DEVICES)).expect("a device's label");
        let name = DeviceName { user: user(script), device };
        let reason = ReasonCode::new(script.byte() % 7).expect("there is a reason with this number");
        return Record::DeviceRevoked { name, reason, force: script.byte().is_multiple_of(2), at: near(NOW, script) }
            .encode();
    }
    if (0xfc..=0xff).contains(&kind) {
        return listed(script, books);
    }
    match kind % 8 {
        0 => {
            let realm = Realm::parse(script.choose(&["chat.internal", "other.example"])).expect("a realm");
            Record::RealmFounded { realm, root: Fingerprint([script.byte(); 32]), at: NOW }.encode()
        }
        1 => {
            let token = token(script);
            let user = script.byte().is_multiple_of(2).then(|| user(script));
            Record::InviteCreated { token, user, expires: near(NOW, script), at: NOW }.encode()
        }
        2 | 3 => Record::CertificateGranted(grant(script)).encode(),
        4 | 5 => {
            let serial = serial(script);
            let issued = books.state.granted(serial).and_then(|granted| cast().home.authority.issue(&granted).ok());
            let mut der = issued.map(|issued| issued.der().to_vec()).unwrap_or_default();
            // Mostly as it was signed; else with one byte changed, or under another's number.
            match script.byte() % 8 {
                6 => {
                    let at = usize::from(script.word());
                    der.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1);
                    Record::CertificateIssued { serial, der: der.into() }.encode()
                }
                7 => Record::CertificateIssued { serial: self::serial(script), der: der.into() }.encode(),
                _ => Record::CertificateIssued { serial, der: der.into() }.encode(),
            }
        }
        6 => script.bytes().to_vec(),
        _ => [&[1, 1], script.bytes()].concat(),
    }
}

/// A second a little before or after another.
fn near(wall: Wall, script: &mut Script<'_>) -> Wall {
    Wall(wall.0 - 4 + u64::from(script.byte() % 8))
}

fn token(script: &mut Script<'_>) -> TokenHash {
    TokenHash([script.byte() % 8; 32])
}

fn user(script: &mut Script<'_>) -> UserName {
    UserName::parse(script.choose(&USERS)).expect("a user's name")
}

fn serial(script: &mut Script<'_>) -> Serial {
    let mut serial = [0x41; 16];
    serial[15] = script.byte() % 8;
    Serial(serial)
}

/// A further device, mostly by the word of one that there may be.
fn endorsed(script: &mut Script<'_>) -> Vec<u8> {
    let grant = grant(script);
    let by = DeviceLabel::parse(script.choose(&DEVICES)).expect("a device's label");
    let own = &KEYS[usize::from(script.byte()) % KEYS.len()];
    let mut endorsement = Endorsement::give(by, own, &Realm::default(), &grant.name, grant.key.id());
    if script.byte() >= 0xf0 {
        endorsement.signature[usize::from(script.byte()) % 64] ^= 1;
    }
    Record::CertificateEndorsed { grant, endorsement }.encode()
}

/// A recovery key, a device by one, a reissue, or a device by that.
fn brought_back(script: &mut Script<'_>) -> Vec<u8> {
    let which = script.byte();
    let mut grant = grant(script);
    let own = &KEYS[usize::from(script.byte()) % KEYS.len()];
    let recovery = &KEYS[usize::from(script.byte()) % KEYS.len()];
    let (realm, user) = (Realm::default(), grant.name.user.clone());
    let record = match which % 4 {
        0 => {
            let (by, key) = (grant.name.device.clone(), recovery.spki());
            let endorsement = Endorsement::arm(by, own, &realm, &user, key.id());
            Record::RecoveryArmed { user, key, endorsement, at: near(NOW, script) }
        }
        1 => {
            let word = RecoveryWord::give(recovery, &realm, &grant.name, grant.key.id());
            grant.at = near(NOW, script);
            Record::CertificateRecovered { grant, word }
        }
        2 => {
            let (keep, expires) = (script.byte().is_multiple_of(2), near(NOW, script));
            Record::ReissueCreated { token: token(script), user, keep, expires, at: NOW }
        }
        _ => Record::CertificateReissued(grant),
    };
    record.encode()
}

/// The keys of those who ask.
static PASSWORDS: LazyLock<[Verifier; 2]> = LazyLock::new(|| {
    ["one", "two"].map(|label| {
        let password = Password::new(label.as_bytes().to_vec().into());
        let stretch = Stretch::new(password, Cost::LEAST, &mut stream(label));
        Verifier::new(stretch.salt, stretch.cost, &stretch.run().expect("the least cost is one"))
    })
});

static KEYS: LazyLock<Vec<SecretKey>> =
    LazyLock::new(|| (0..6).map(|n| SecretKey::draw(&mut stream(&format!("key/{n}")))).collect());

fn grant(script: &mut Script<'_>) -> Grant {
    let device = DeviceLabel::parse(script.choose(&DEVICES)).expect("a device's label");
    let which = usize::from(script.byte()) % KEYS.len();
    Grant {
        token: token(script),
        name: DeviceName { user: user(script), device },
        key: KEYS.get(which).expect("a remainder is less than what it was divided by").spki(),
        serial: serial(script),
        not_before: NOW,
        not_after: near(NOW.plus(DEVICE_LIFETIME), script),
        at: near(NOW, script),
    }
}

/// A journal and its fold.
struct Books {
    state: State,
    written: Vec<Vec<u8>>,
}

impl Books {
    fn add(&mut self, bytes: &[u8]) {
        let before = self.state.clone();
        let n = before.position().n + 1;
        match self.state.apply(n, bytes) {
            Err(refusal) => {
                assert_eq!(self.state, before, "what is no record changed the state: {refusal}");
                assert_eq!(refusal == RecordRefusal::TooLong, bytes.len() > RECORD_ENCODED_BYTES_MAX);
            }
            Ok(outcome) => {
                assert_eq!(self.state.position().n, n);
                let changed = without_position(&self.state) != without_position(&before);
                // The key that counts already, made once more: an answer was lost.
                let again = matches!(&outcome, Outcome::RecoveryArmed(user) if newest(&before, user) == newest(&self.state, user));
                // What the record before made needless is not told again, and some records find nothing to change.
                let is_certain = before.conversations().unneeded().is_empty() && !may_find_nothing(&outcome);
                assert!(
                    !is_certain || changed == (accepted(&outcome) && !again),
                    "{outcome:?} and the state changed or not: {changed}"
                );
                self.written.push(bytes.to_vec());
                writes_again(bytes);
                keeps_promises(&self.state);
            }
        }
    }

    /// The same journal from its beginning gives the same state.
    fn replay(&self) {
        let replayed = replay(7, self.written.iter().map(Vec::as_slice)).expect("what was folded can be read");
        assert_eq!(replayed, self.state);
        assert_eq!(replayed.digest(), self.state.digest());
        let snapshot = self.state.snapshot().expect("a small state");
        assert_eq!(State::restore(&snapshot).as_ref(), Ok(&self.state), "a snapshot gives the state back");
    }
}

/// A renewal of some certificate, at a time in which it is fresh, due, in its grace or lost.
fn renewed(script: &mut Script<'_>) -> Vec<u8> {
    let days = [0, 60, 100, 200].map(|days| Duration::from_secs(days * 24 * 60 * 60));
    let at = near(NOW.plus(script.choose(&days)), script);
    let (of, serial) = (serial(script), serial(script));
    let not_after = near(at.plus(DEVICE_LIFETIME), script);
    Record::CertificateRenewed { of, serial, not_before: at, not_after, at }.encode()
}

/// A certificate of a CA or the relay, as it was made or with one byte changed.
fn certified(script: &mut Script<'_>) -> Vec<u8> {
    let founded = &cast().home.founded;
    let mut der = (*script.choose(&[&founded.issuing, &founded.root, &founded.log])).clone();
    if script.byte().is_multiple_of(4) {
        let at = usize::from(script.word());
        der.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1);
    }
    let (der, at) = (der.into(), NOW);
    if script.byte().is_multiple_of(2) {
        Record::IssuingCertified { der, at }.encode()
    } else {
        Record::RelayCertified { der, at }.encode()
    }
}

/// Somebody signs up by a password, has a further device by one, or sets theirs.
fn by_password(script: &mut Script<'_>) -> Vec<u8> {
    let kind = script.byte() % 4;
    if kind == 0 {
        let device = DeviceLabel::parse(script.choose(&DEVICES)).expect("a device's label");
        let by = DeviceName { user: user(script), device };
        return Record::PasswordSet { by, password: PASSWORDS[usize::from(script.byte() % 2)].clone(), at: NOW }
            .encode();
    }
    let mut grant = grant(script);
    // Now and then it does not say of itself that a password admits.
    if script.byte() < 0xf0 {
        grant.token = TokenHash::of_password(&grant.name.user);
    }
    if kind == 1 {
        return Record::SignedUp { grant, password: PASSWORDS[usize::from(script.byte() % 2)].clone() }.encode();
    }
    let by = DeviceLabel::parse(script.choose(&DEVICES)).expect("a device's label");
    let own = &KEYS[usize::from(script.byte()) % KEYS.len()];
    let endorsement = Endorsement::give(by, own, &Realm::default(), &grant.name, grant.key.id());
    Record::SignedIn { grant, endorsement }.encode()
}

/// A revocation list of what is revoked by now, as it was signed or with one byte changed.
fn listed(script: &mut Script<'_>, books: &Books) -> Vec<u8> {
    let lists = cast().home.authority.lists(&books.state, u64::from(script.byte()), NOW).unwrap_or_default();
    let mut der = lists.first().map(|issued| issued.list.der().to_vec()).unwrap_or_default();
    if script.byte().is_multiple_of(4) {
        let at = usize::from(script.word());
        der.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1);
    }
    Record::CrlSigned { der: der.into() }.encode()
}

/// The recovery key that counts for somebody.
fn newest(state: &State, user: &UserName) -> Option<KeyId> {
    Some(state.users().get(user)?.recoveries.newest()?.key)
}

/// Whether a record with this outcome is one that changes something.
fn accepted(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Founded
        | Outcome::Invited
        | Outcome::Granted(_)
        | Outcome::Issued(_)
        | Outcome::IssuingLogged
        | Outcome::RelayLogged
        | Outcome::DeviceRevoked(_)
        | Outcome::CrlSigned(_)
        | Outcome::RecoveryArmed(_)
        | Outcome::Reissued(..)
        | Outcome::PasswordSet(_)
        | Outcome::Restored
        | Outcome::Conversed(
            Conversed::Kept | Conversed::Taken(_) | Conversed::Founded | Conversed::Posted(..) | Conversed::Passed,
        ) => true,
        Outcome::NotRevoked(_)
        | Outcome::GrantedBefore(_)
        | Outcome::LoggedBefore
        | Outcome::Refused(_)
        | Outcome::NotRenewed(_)
        | Outcome::NotArmed(_)
        | Outcome::Conversed(Conversed::PostedBefore(..) | Conversed::Refused(_))
        | Outcome::Contradicts(_) => false,
    }
}

/// Whether a record with this outcome may have had nothing to change.
fn may_find_nothing(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Conversed(Conversed::Taken(_) | Conversed::Founded | Conversed::Passed))
}

/// Everything in a state but how far it has come: that stands first, as two numbers.
fn without_position(state: &State) -> Vec<u8> {
    let bytes = postcard::to_stdvec(state).expect("a state can always be encoded");
    let (position, rest) = postcard::take_from_bytes::<(u64, u64)>(&bytes).expect("a position stands first");
    assert_eq!(position, (state.position().incarnation, state.position().n));
    rest.to_vec()
}

fn writes_again(bytes: &[u8]) {
    let (rules, record) = Record::decode(bytes).expect("what was folded can be read");
    let again = record.encode();
    assert!((1..=RULES).contains(&rules) && again.len() <= bytes.len(), "{record:?} grew");
    assert_eq!(Record::decode(&again).map(|(_, record)| record), Ok(record));
}

/// What holds after every record, seen from outside.
fn keeps_promises(state: &State) {
    let mut generations: Vec<u64> = state.generations().map(|(index, _)| index).collect();
    for (index, hash) in (0..).zip(state.log().leaves()) {
        let leaf = state.leaf(index).expect("each leaf is kept");
        assert_eq!(leaf.leaf_hash(), *hash, "the log's entry {index}");
        if let Leaf::Generation { head, .. } = leaf {
            assert_eq!((Some(index), index), (generations.pop(), head.size), "a restoration is found where it stands");
        }
    }
    assert_eq!(generations, [0; 0]);
    let mut keys = BTreeSet::new();
    let mut looks = BTreeSet::new();
    let mut unissued: BTreeSet<Serial> = state.unissued().collect();
    for (user, account) in state.users() {
        assert!(looks.insert(user.skeleton()), "{user} looks like somebody else");
        let first = |device: &&Device| {
            let basis = state.progress(device.origin).map(|progress| &progress.basis);
            !matches!(basis, Some(Basis::Endorsed(_) | Basis::Recovered(_) | Basis::Reissue))
        };
        assert_eq!(
            account.devices.values().filter(first).count(),
            1,
            "{user} has a second device without an endorsement"
        );
        for (label, device) in &account.devices {
            assert!(keys.insert(device.key), "{user}/{label} has another device's key");
            let progress = state.progress(device.serial).expect("a device has a grant");
            assert_eq!((&progress.grant.name.user, &progress.grant.name.device), (user, label));
            assert_eq!(progress.grant.key.id(), device.key);
            assert_eq!(progress.issued.is_none(), unissued.remove(&device.serial));
            let pending =
                |serial: &Serial| state.progress(*serial).is_some_and(|new| new.grant.name == progress.grant.name);
            let pending: Vec<Serial> = unissued.iter().copied().filter(pending).collect();
            assert!(pending.len() <= 1, "{user}/{label} is renewed twice at once");
            unissued.retain(|serial| !pending.contains(serial));
            let origin = state.progress(device.origin).expect("a device has a first grant");
            assert_eq!(device.origin != device.serial, progress.basis == Basis::Renewed);
            let of_origin = (&origin.grant.name, &origin.grant.key, origin.grant.token);
            assert_eq!(of_origin, (&progress.grant.name, &progress.grant.key, progress.grant.token));
            if progress.grant.token == TokenHash::of_password(user) {
                assert!(state.password(user).is_some(), "{user}/{label} came by a password that there is not");
                continue;
            }
            let invite = state.invite(progress.grant.token).expect("a grant has an invite");
            let first = invite.used.and_then(|serial| state.progress(serial)).expect("a grant's invite is used up");
            let (of_first, of_newest) = (&first.grant, &progress.grant);
            assert_eq!(
                (&of_first.name, &of_first.key),
                (&of_newest.name, &of_newest.key),
                "{user}'s invite is another's"
            );
            assert_eq!(first.grant.serial != device.serial, progress.basis == Basis::Renewed);
            assert!(invite.user.as_ref().is_none_or(|only| only == user), "{user} used another's invite");
            assert!(first.grant.at <= invite.expires, "{user} used an invite that had expired");
        }
    }
    assert!(unissued.is_empty(), "{unissued:?} are granted to nobody");
}
