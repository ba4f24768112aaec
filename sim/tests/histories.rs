//! Any journal gives the same state however it is folded: live, replayed, or replayed in part and continued; and of
//! two requests for one name one wins, the same one each time.

mod hall;

use countersign_core::device::enrol::EnrolResult;
use countersign_core::id::{DeviceLabel, DeviceName, Realm, Serial, UserName};
use countersign_core::invite::{Token, TokenHash};
use countersign_core::journal::{EnrolRefusal, Outcome, Record, State};
use countersign_core::pki::{Authority, Grant, SecretKey, found_realm};
use countersign_core::server::replay;
use countersign_core::time::Wall;
use countersign_core::wire::Code;
use hall::Hall;
use rand_chacha::ChaCha20Rng;
use sim::rng::{Draw, Streams};

/// How many histories.
const HISTORIES: u64 = 1_000;
const INCARNATION: u64 = 7;
const START: Wall = Wall(1_800_000_000);

/// What histories are made of: few of each, so that they meet.
struct Pool {
    authority: Authority,
    tokens: Vec<TokenHash>,
    names: Vec<DeviceName>,
    keys: Vec<SecretKey>,
}

impl Pool {
    fn new(rng: &mut ChaCha20Rng) -> Self {
        let realm = Realm::default();
        let founded = found_realm(&realm, START, rng);
        let authority = Authority::new(realm, founded.files(), START).expect("a realm that was just founded");
        let tokens = (0..5).map(|_| Token::draw(rng).hash()).collect();
        let names = ["alice", "a1ice", "bob", "carol"].into_iter().flat_map(|user| {
            let user = UserName::parse(user).expect("a valid name");
            ["laptop", "phone"].map(|device| {
                let device = DeviceLabel::parse(device).expect("a valid label");
                DeviceName { user: user.clone(), device }
            })
        });
        Self { authority, tokens, names: names.collect(), keys: (0..5).map(|_| SecretKey::draw(rng)).collect() }
    }

    /// The next record of a history whose state so far is `state`: most are sound, some contradict it.
    fn record(&self, state: &State, n: u64, rng: &mut ChaCha20Rng) -> Record {
        let at = Wall(START.0 + n);
        let token = *rng.pick(&self.tokens).expect("there are some");
        let name = rng.pick(&self.names).expect("there are some").clone();
        let unissued: Vec<Serial> = state.unissued().collect();
        match (rng.below(10), rng.pick(&unissued).copied()) {
            (0..3, _) => {
                let (bound, lifetime) = (rng.chance(1, 4), rng.below(40));
                let user = bound.then_some(name.user);
                Record::InviteCreated { token, user, expires: Wall(at.0 + lifetime), at }
            }
            (3..6, Some(serial)) => {
                let granted = state.granted(serial).expect("it has no certificate yet");
                let issued = self.authority.issue(&granted).expect("what was granted can be signed");
                let wrong = rng.chance(1, 5);
                let serial = if wrong { Serial::draw(rng) } else { serial };
                Record::CertificateIssued { serial, der: issued.der().to_vec().into() }
            }
            (8, _) if rng.chance(1, 2) => {
                // Of any certificate there is, or of none; long after, or while it is fresh.
                let known: Vec<Serial> = state.grants().map(|progress| progress.grant.serial).collect();
                let of = rng.pick(&known).copied().unwrap_or_else(|| Serial::draw(rng));
                let at = Wall(at.0 + rng.below(200) * 24 * 60 * 60);
                let (not_before, not_after) = (at, Wall(at.0 + 90 * 24 * 60 * 60));
                Record::CertificateRenewed { of, serial: Serial::draw(rng), not_before, not_after, at }
            }
            (9, _) if rng.chance(1, 2) => {
                Record::RealmFounded { realm: Realm::default(), root: self.authority.trust().root().fingerprint(), at }
            }
            _ => {
                let key = rng.pick(&self.keys).expect("there are some").spki();
                let serial = Serial::draw(rng);
                let (not_before, not_after) = (at, Wall(at.0 + 1_000));
                Record::CertificateGranted(Grant { token, name, key, serial, not_before, not_after, at })
            }
        }
    }

    /// A history: its records, what each came to, and the live state.
    fn history(&self, rng: &mut ChaCha20Rng) -> (Vec<Vec<u8>>, Vec<Outcome>, State) {
        let mut state = State::new(INCARNATION);
        let root = self.authority.trust().root().fingerprint();
        let mut records = vec![Record::RealmFounded { realm: Realm::default(), root, at: START }.encode()];
        let mut outcomes = Vec::new();
        for n in 1..=rng.between(5, 40) {
            let bytes = records.last().expect("the founding is there");
            outcomes.push(state.apply(n, bytes).expect("a record of ours"));
            records.push(self.record(&state, n, rng).encode());
        }
        records.pop();
        (records, outcomes, state)
    }
}

fn slices(records: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> {
    records.iter().map(Vec::as_slice)
}

#[test]
fn a_thousand_random_histories_replay_to_the_live_state() {
    let pool = Pool::new(&mut Streams::new(0).secret("pool"));
    let (mut granted, mut refused, mut contradicted, mut issued, mut not_renewed) = (0, 0, 0, 0, 0);
    for seed in 0..HISTORIES {
        let rng = &mut Streams::new(seed).secret("history");
        let (records, outcomes, live) = pool.history(rng);
        let replayed = replay(INCARNATION, slices(&records)).expect("records of ours");
        assert_eq!(replayed, live, "history {seed}");
        assert_eq!(replayed.digest(), live.digest(), "history {seed}");

        // A crash anywhere, and the rest of the history after it.
        let half = usize::try_from(rng.below(u64::try_from(records.len()).expect("few"))).expect("few");
        let (before, after) = records.split_at(half);
        let mut continued = replay(INCARNATION, slices(before)).expect("records of ours");
        for ((n, bytes), outcome) in (continued.position().n + 1..).zip(after).zip(outcomes.iter().skip(half)) {
            assert_eq!(continued.apply(n, bytes).as_ref(), Ok(outcome), "history {seed}, record {n}");
        }
        assert_eq!(continued.digest(), live.digest(), "history {seed}, continued after {half}");
        // Half of a history is another state, or the digest says nothing.
        let halved = replay(INCARNATION, slices(before)).expect("records of ours");
        assert!(before.len() == records.len() || halved.digest() != live.digest(), "history {seed}");

        for outcome in &outcomes {
            match outcome {
                Outcome::Granted(_) => granted += 1,
                Outcome::Refused(_) => refused += 1,
                Outcome::Contradicts(_) => contradicted += 1,
                Outcome::Issued(_) => issued += 1,
                Outcome::NotRenewed(_) => not_renewed += 1,
                Outcome::Founded
                | Outcome::Invited
                | Outcome::GrantedBefore(_)
                | Outcome::IssuingLogged
                | Outcome::RelayLogged
                | Outcome::DeviceRevoked(_)
                | Outcome::NotRevoked(_)
                | Outcome::CrlSigned(_)
                | Outcome::RecoveryArmed(_)
                | Outcome::NotArmed(_)
                | Outcome::Reissued(..)
                | Outcome::PasswordSet(_)
                | Outcome::Restored
                | Outcome::Conversed(_)
                | Outcome::LoggedBefore => {}
            }
        }
    }
    let each = [granted, refused, contradicted, issued, not_renewed];
    assert!(each.iter().all(|count| *count > 500), "hardly anything happened: {each:?}");
}

#[test]
fn of_two_grants_for_one_name_the_first_in_the_journal_wins_whoever_folds_it() {
    let rng = &mut Streams::new(1).secret("race");
    let pool = Pool::new(rng);
    let root = pool.authority.trust().root().fingerprint();
    let mut records = vec![Record::RealmFounded { realm: Realm::default(), root, at: START }];
    let expires = Wall(START.0 + 100);
    for token in pool.tokens.iter().take(2) {
        records.push(Record::InviteCreated { token: *token, user: None, expires, at: START });
    }
    let name = pool.names.first().expect("there are some");
    let grant = |place: usize, rng: &mut ChaCha20Rng| {
        let (token, key) = (pool.tokens.get(place).expect("two"), pool.keys.get(place).expect("two"));
        let serial = Serial::draw(rng);
        let (name, key) = (name.clone(), key.spki());
        Record::CertificateGranted(Grant {
            token: *token,
            name,
            key,
            serial,
            not_before: START,
            not_after: expires,
            at: START,
        })
    };
    let racers = [grant(0, rng), grant(1, rng)];
    for first in [0, 1] {
        let order = [racers.get(first), racers.get(1 - first)];
        let encoded: Vec<Vec<u8>> = records.iter().chain(order.into_iter().flatten()).map(Record::encode).collect();
        let mut state = State::new(INCARNATION);
        let outcomes: Vec<Outcome> =
            (1..).zip(&encoded).map(|(n, bytes)| state.apply(n, bytes).expect("a record of ours")).collect();
        assert!(matches!(outcomes.get(3), Some(Outcome::Granted(_))));
        assert!(matches!(
            outcomes.get(4),
            Some(Outcome::Refused(EnrolRefusal::NameTaken | EnrolRefusal::SecondDevice))
        ));
        let winner = state.device(name).map(|device| device.key);
        assert_eq!(winner, pool.keys.get(first).map(|key| key.spki().id()));
        assert_eq!(replay(INCARNATION, slices(&encoded)).expect("records of ours").digest(), state.digest());
    }
}

#[test]
fn of_two_newcomers_who_ask_for_one_name_at_once_one_gets_it_and_keeps_it_after_a_replay() {
    for seed in 0..20 {
        for first in [0, 1] {
            let mut hall = Hall::new(seed);
            let invites = [hall.invite(), hall.invite()];
            let name = hall::name("alice");
            for (newcomer, invite) in [first, 1 - first].into_iter().zip(invites) {
                hall.enrol(newcomer, invite, &name);
            }
            // Both have been found in order and neither is in the journal yet.
            assert_eq!(hall.on_their_way(), 2);
            hall.commit_all();

            let results = [hall.result(first), hall.result(1 - first)];
            assert!(matches!(&results[0], EnrolResult::Enrolled(identity) if identity.name == name), "{results:?}");
            let refused = matches!(results[1], EnrolResult::Refused(Code::NAME_TAKEN | Code::SECOND_DEVICE, _));
            assert!(refused, "{results:?}");

            let (replayed, _) = hall.relay.replay();
            let live = hall.relay.server().expect("it runs").state();
            assert_eq!(replayed.digest(), live.digest());
            assert_eq!(replayed.device(&name).map(|device| device.key), hall.key(first));
            // The next process says the same.
            hall.relay.crash();
            assert_eq!(hall.relay.start(hall.now_us).state.digest(), replayed.digest());
        }
    }
}
