//! The journal's fold: any records, sound and refused ones, give the same state live and replayed, from any prefix on;
//! what is refused changes nothing; the directory is what a model of two maps says; and a start from a snapshot of any
//! place comes to the same state.

use std::collections::BTreeMap;

use countersign_core::id::{DeviceLabel, DeviceName, Fingerprint, KeyId, Realm, Serial, UserName};
use countersign_core::invite::TokenHash;
use countersign_core::journal::{Outcome, Record, State};
use countersign_core::pki::{Grant, SecretKey};
use countersign_core::server::replay;
use countersign_core::time::Wall;
use proptest::prelude::*;
use proptest::sample::Index;

use super::cases;
use super::cast::{START, cast, laptop, stream};

const INCARNATION: u64 = 7;

/// What somebody would have written down. Small numbers stand for tokens, names, keys and serials, few of each, so that
/// they meet.
#[derive(Clone, Debug)]
enum Act {
    Found,
    Invite {
        token: u8,
        bound_to: Option<usize>,
        expires_s: u64,
    },
    Grant {
        token: u8,
        user: usize,
        phone: bool,
        key: usize,
        serial: u8,
    },
    /// The certificate that one of the open grants asks for, under its number or another's.
    Issue {
        which: Index,
        serial: Option<u8>,
    },
    /// Bytes that are no record.
    Garbage(Vec<u8>),
}

const USERS: [&str; 4] = ["alice", "a1ice", "bob", "carol"];
const KEYS: usize = 4;

fn act() -> impl Strategy<Value = Act> {
    let (token, serial) = (0..4_u8, 0..6_u8);
    prop_oneof![
        1 => Just(Act::Found),
        5 => (token.clone(), prop::option::weighted(0.3, 0..USERS.len()), 0..30_u64)
            .prop_map(|(token, bound_to, expires_s)| Act::Invite { token, bound_to, expires_s }),
        8 => (token, 0..USERS.len(), any::<bool>(), 0..KEYS, serial.clone())
            .prop_map(|(token, user, phone, key, serial)| Act::Grant { token, user, phone, key, serial }),
        6 => (any::<Index>(), prop::option::weighted(0.2, serial))
            .prop_map(|(which, serial)| Act::Issue { which, serial }),
        1 => prop::collection::vec(2..=u8::MAX, 0..40).prop_map(Act::Garbage),
    ]
}

fn name(user: usize, phone: bool) -> DeviceName {
    let mut name = laptop(USERS[user]);
    if phone {
        name.device = DeviceLabel::parse("phone").unwrap();
    }
    name
}

fn keys() -> &'static [SecretKey; KEYS] {
    static KEYS_MADE: std::sync::LazyLock<[SecretKey; KEYS]> = std::sync::LazyLock::new(|| {
        let rng = &mut stream("journal");
        [(); KEYS].map(|()| SecretKey::draw(rng))
    });
    &KEYS_MADE
}

fn encoded(act: &Act, n: u64, state: &State) -> Option<Vec<u8>> {
    let at = Wall(START.0 + n);
    // As `Serial::draw` makes them: the highest bits are 01, so that all have one length in DER.
    let number = |n: u8| Serial([0x41 + n; 16]);
    let record = match act {
        Act::Found => Record::RealmFounded { realm: Realm::default(), root: Fingerprint([1; 32]), at },
        Act::Invite { token, bound_to, expires_s } => Record::InviteCreated {
            token: TokenHash([*token; 32]),
            user: bound_to.map(|user| name(user, false).user),
            expires: Wall(at.0 + expires_s),
            at,
        },
        Act::Grant { token, user, phone, key, serial } => Record::CertificateGranted(Grant {
            token: TokenHash([*token; 32]),
            name: name(*user, *phone),
            key: keys()[*key].spki(),
            serial: number(*serial),
            not_before: at,
            not_after: Wall(at.0 + 1000),
            at,
        }),
        Act::Issue { which, serial } => {
            let open: Vec<Serial> = state.unissued().collect();
            let granted = open.get(which.index(open.len().max(1)))?;
            let issued = cast().authority.issue(&state.granted(*granted)?).unwrap();
            let serial = serial.map_or(*granted, number);
            Record::CertificateIssued { serial, der: issued.der().to_vec().into() }
        }
        Act::Garbage(bytes) => return Some(bytes.clone()),
    };
    Some(record.encode())
}

/// Who has which key, and which certificates there are: what a directory is for.
#[derive(Debug, Default)]
struct Model {
    devices: BTreeMap<DeviceName, KeyId>,
    issued: BTreeMap<Serial, u64>,
    used: BTreeMap<TokenHash, Serial>,
}

impl Model {
    /// What a record came to, believed; and nothing else.
    fn believe(&mut self, act: &Act, bytes: &[u8], n: u64, outcome: &Outcome) -> Result<(), TestCaseError> {
        let (_, record) = Record::decode(bytes).unwrap();
        match (outcome, record) {
            (Outcome::Granted(serial), Record::CertificateGranted(grant)) => {
                let user = &grant.name.user;
                let looks = |other: &UserName| other.skeleton() == user.skeleton();
                prop_assert!(!self.devices.keys().any(|known| looks(&known.user)), "{act:?}: the name is taken");
                prop_assert!(!self.devices.values().any(|key| *key == grant.key.id()), "{act:?}: the key is taken");
                prop_assert_eq!(self.used.insert(grant.token, *serial), None, "an invite admits once");
                self.devices.insert(grant.name, grant.key.id());
            }
            (Outcome::Issued(serial), _) => prop_assert_eq!(self.issued.insert(*serial, n), None),
            _ => {}
        }
        Ok(())
    }

    fn compare(&self, state: &State) -> Result<(), TestCaseError> {
        let devices = state.users().iter().flat_map(|(user, known)| {
            known
                .devices
                .iter()
                .map(|(device, known)| (DeviceName { user: user.clone(), device: device.clone() }, known.key))
        });
        prop_assert_eq!(devices.collect::<BTreeMap<_, _>>(), self.devices.clone());
        for (serial, n) in &self.issued {
            prop_assert_eq!(
                state.progress(*serial).and_then(|progress| progress.issued).map(|issued| issued.n),
                Some(*n)
            );
        }
        Ok(())
    }
}

/// A record that changes nothing: somebody asks by an invite that there never was.
fn nothing(n: u64) -> Vec<u8> {
    let never = Act::Grant { token: 0xff, user: 0, phone: false, key: 0, serial: 0 };
    encoded(&never, n, &State::new(INCARNATION)).unwrap()
}

/// Everything in a state but how far it has come.
fn contents(state: &State) -> String {
    let words = format!("{state:?}");
    words.split_once("realm:").map(|(_, rest)| rest.to_owned()).unwrap()
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn any_records_replay_to_the_live_state_and_what_is_refused_changes_nothing(
        acts in prop::collection::vec(act(), 0..40),
        founded in prop::bool::weighted(0.9),
        half in any::<Index>(),
    ) {
        let (mut live, mut model) = (State::new(INCARNATION), Model::default());
        let (mut written, mut outcomes, mut digests) = (Vec::new(), Vec::new(), vec![live.digest()]);
        let mut snapshots = vec![live.snapshot().unwrap()];
        let first = founded.then_some(Act::Found);
        for act in first.iter().chain(&acts) {
            let n = live.position().n + 1;
            let Some(bytes) = encoded(act, n, &live) else { continue };
            let (before, mut idle) = (contents(&live), live.clone());
            idle.apply(n, &nothing(n)).unwrap();
            if let Ok(outcome) = live.apply(n, &bytes) {
                let refused =
                    matches!(outcome, Outcome::Refused(_) | Outcome::Contradicts(_) | Outcome::GrantedBefore(_));
                prop_assert_eq!(contents(&live) == before, refused, "{:?} came to {:?}", act, outcome);
                model.believe(act, &bytes, n, &outcome)?;
                prop_assert_eq!(idle.digest() == live.digest(), refused, "of equal states alone digests are equal");
                digests.push(live.digest());
                snapshots.push(live.snapshot().unwrap());
                written.push(bytes);
                outcomes.push(outcome);
            } else {
                prop_assert_eq!(live.digest(), *digests.last().unwrap(), "no record, and yet it counts");
            }
            model.compare(&live)?;
        }
        let slices = |records: &[Vec<u8>]| replay(INCARNATION, records.iter().map(Vec::as_slice)).unwrap();
        prop_assert_eq!(&slices(&written), &live);
        let half = half.index(written.len() + 1);
        let mut continued = slices(&written[..half]);
        prop_assert_eq!(continued.digest(), digests[half], "a prefix is what the live state was then");
        for (place, bytes) in written.iter().enumerate().skip(half) {
            let n = continued.position().n + 1;
            prop_assert_eq!(continued.apply(n, bytes), Ok(outcomes[place].clone()));
            prop_assert_eq!(continued.digest(), digests[place + 1]);
        }
        prop_assert_eq!(&continued, &live);
        for (place, snapshot) in snapshots.iter().enumerate() {
            let mut resumed = State::restore(snapshot).unwrap();
            prop_assert_eq!(resumed.digest(), digests[place], "a snapshot is what the live state was then");
            for bytes in &written[place..] {
                let n = resumed.position().n + 1;
                resumed.apply(n, bytes).unwrap();
            }
            prop_assert_eq!(&resumed, &live, "a start from record {} comes to another state", place);
        }
    }
}
