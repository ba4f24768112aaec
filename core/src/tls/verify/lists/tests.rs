//! The memory of revocation lists: what it believes, what it refuses, and whom it judges how (V-13 to V-15).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use super::*;
use crate::id::Realm;
use crate::journal::{Record, State};
use crate::limits::{ISSUING_LIFETIME, LIST_LIFETIME};
use crate::pki::{Authority, AuthorityFiles, Founded, SecretKey, found_issuing, found_realm};
use crate::testing::{START, authority, device_name, rng};
use crate::tlog::ReasonCode;
use crate::tls::Root;

struct House {
    founded: Founded,
    trust: Trust,
    state: State,
}

impl House {
    /// A realm whose Alice has a laptop, of which this is the certificate's number.
    fn new() -> (Self, Serial) {
        let mut town = crate::testing::Town::new();
        let alice = town.enrol("alice");
        let serial = Subject::read(&alice.credentials.leaf).unwrap().serial;
        let trust = Trust::new(Realm::default(), Root::parse(&town.founded.root, START).unwrap());
        let state = town.replayed();
        (Self { founded: town.founded, trust, state }, serial)
    }

    fn revoke_alice(&mut self) {
        let name = device_name("alice", "laptop");
        let reason = ReasonCode::new(1).unwrap();
        let record = Record::DeviceRevoked { name, reason, force: true, at: START };
        self.state.apply(self.state.position().n + 1, &record.encode()).unwrap();
    }

    fn issuer(&self) -> Option<IssuerId> {
        crate::pki::facts::own_id(&self.founded.issuing)
    }

    fn lists(&self, at: Wall) -> SignedLists {
        signed(&authority(&self.founded), &self.state, at)
    }
}

fn signed(authority: &Authority, state: &State, at: Wall) -> SignedLists {
    let lists = authority.lists(state, 0, at).unwrap();
    let signed = lists.iter().map(|issued| SignedList {
        issuing: ByteBuf::from(issued.issuing.as_ref()),
        list: ByteBuf::from(issued.list.der()),
    });
    SignedLists(signed.collect())
}

fn later(seconds: u64) -> Wall {
    Wall(START.0 + seconds)
}

#[test]
fn whoever_is_on_a_list_is_not_believed() {
    let (mut house, serial) = House::new();
    let mut lists = Lists::default();
    assert_eq!(lists.hear(&house.trust, &house.lists(START), START), Ok(true));
    assert_eq!(lists.judge(house.issuer(), serial, START), Ok(()));
    assert!(!lists.have(serial));
    house.revoke_alice();
    let shown = house.lists(later(5));
    assert_eq!(lists.hear(&house.trust, &shown, later(5)), Ok(true));
    assert_eq!(lists.hear(&house.trust, &shown, later(5)), Ok(false), "the same again is no news");
    // However old the list is that says so.
    for at in [START, later(5), START.plus(LIST_LIFETIME * 2)] {
        assert_eq!(lists.judge(house.issuer(), serial, at), Err(CertRefusal::Revoked));
    }
    assert!(lists.have(serial));
    assert_eq!(lists.judge(house.issuer(), Serial([0x41; 16]), later(5)), Ok(()), "nobody else");
    let again = {
        let mut again = Lists::default();
        again.hear(&house.trust, &lists.kept(), later(5)).unwrap();
        again
    };
    assert_eq!(again, lists, "what is kept is what was known");
}

#[test]
fn without_a_list_or_with_an_old_one_nobody_is_believed() {
    let (house, serial) = House::new();
    let mut lists = Lists::default();
    assert_eq!(lists.judge(house.issuer(), serial, START), Err(CertRefusal::NoList));
    lists.hear(&house.trust, &house.lists(START), START).unwrap();
    assert_eq!(lists.judge(None, serial, START), Err(CertRefusal::NoList));
    assert_eq!(lists.judge(Some(IssuerId([7; 20])), serial, START), Err(CertRefusal::NoList));
    let ends = START.plus(LIST_LIFETIME);
    assert_eq!(lists.judge(house.issuer(), serial, ends), Ok(()));
    assert_eq!(lists.judge(house.issuer(), serial, Wall(ends.0 + 1)), Err(CertRefusal::ListExpired));
    // The relay has just said it: so whoever slept gets in.
    let relay = authority(&house.founded).issue_relay(&SecretKey::draw(&mut rng(5)), START, &mut rng(6)).unwrap();
    assert_eq!(lists.judge_relay(&CertificateDer::from(relay.clone())), Ok(()));
    assert_eq!(Lists::default().judge_relay(&CertificateDer::from(relay)), Err(CertRefusal::NoList));
}

#[test]
fn a_list_that_is_not_to_be_believed_changes_nothing() {
    let (mut house, serial) = House::new();
    let foreign = found_realm(&Realm::default(), START, &mut rng(9));
    let other = signed(&authority(&foreign), &house.state, later(3));
    let older = house.lists(later(1));
    let mut lists = Lists::default();
    assert_eq!(lists.hear(&house.trust, &house.lists(later(2)), later(2)), Ok(true));
    house.revoke_alice();
    let another = house.lists(later(2));
    let good = house.lists(later(4));
    let alter = |change: &dyn Fn(&mut SignedList)| {
        let mut altered = good.clone();
        change(&mut altered.0[0]);
        altered
    };
    let cases = [
        (older, CrlRefusal::Older),
        (another, CrlRefusal::Another),
        (other.clone(), CrlRefusal::Issuer(CertRefusal::ForeignIssuer)),
        (alter(&|list| list.issuing.clone_from(&other.0[0].issuing)), CrlRefusal::Issuer(CertRefusal::ForeignIssuer)),
        (alter(&|list| list.list.clone_from(&other.0[0].list)), CrlRefusal::OtherIssuer),
        (alter(&|list| *list.list.last_mut().unwrap() ^= 1), CrlRefusal::Signature),
        (alter(&|list| list.list.push(0)), CrlRefusal::Malformed),
        (
            alter(&|list| list.issuing = ByteBuf::from(house.founded.root.clone())),
            CrlRefusal::Issuer(CertRefusal::BadChain),
        ),
        (SignedLists::default(), CrlRefusal::Missing),
        (SignedLists([good.0.clone(), other.0].concat()), CrlRefusal::Issuer(CertRefusal::ForeignIssuer)),
    ];
    let before = lists.clone();
    for (shown, refusal) in cases {
        assert_eq!(lists.hear(&house.trust, &shown, later(4)), Err(refusal), "{shown:?}");
        assert_eq!(lists, before);
        assert_eq!(lists.judge(house.issuer(), serial, later(4)), Ok(()));
    }
    assert_eq!(lists.hear(&house.trust, &good, later(4)), Ok(true));
    assert_eq!(lists.judge(house.issuer(), serial, later(4)), Err(CertRefusal::Revoked));
}

#[test]
fn after_a_rotation_each_ca_has_its_own_list_until_it_ends() {
    let (mut house, serial) = House::new();
    house.revoke_alice();
    let (key, issuing) = found_issuing(&house.trust, &house.founded.root_key, START, &mut rng(7)).unwrap();
    let files = AuthorityFiles { issuing: &issuing, issuing_key: key, ..house.founded.files() };
    let alone = Authority::new(Realm::default(), files, START).unwrap();
    let alone = alone.with_before([house.founded.issuing.as_slice()]).unwrap();
    assert_eq!(signed(&alone, &house.state, START).0.len(), 1, "a key that is not here signs no list");
    let strangers = SecretKey::draw(&mut rng(8));
    let both = alone.with_keys_before([strangers, house.founded.issuing_key.clone()]);
    let shown = signed(&both, &house.state, START);
    assert_eq!(
        shown.0.iter().map(|list| list.issuing.to_vec()).collect::<Vec<_>>(),
        [issuing.clone(), house.founded.issuing.clone()]
    );
    let mut lists = Lists::default();
    lists.hear(&house.trust, &shown, START).unwrap();
    let new = crate::pki::facts::own_id(&issuing);
    assert_eq!(lists.judge(new, serial, START), Ok(()), "it is the other one's");
    assert_eq!(lists.judge(house.issuer(), serial, START), Err(CertRefusal::Revoked));
    // The list of the one whose time is over goes with it.
    let over = START.plus(ISSUING_LIFETIME + crate::limits::BACKDATING);
    let (key, third) = found_issuing(&house.trust, &house.founded.root_key, over, &mut rng(11)).unwrap();
    let files = AuthorityFiles { issuing: &third, issuing_key: key, ..house.founded.files() };
    let only = Authority::new(Realm::default(), files, over).unwrap();
    lists.hear(&house.trust, &signed(&only, &house.state, over), over).unwrap();
    assert_eq!(lists.all().count(), 1);
}

#[test]
fn what_a_newer_list_lacks_is_judged_by_the_one_before_and_shown_where_the_numbers_tell_of_a_restoration() {
    let (mut house, serial) = House::new();
    let forgetful = house.state.clone();
    house.revoke_alice();
    let mut lists = Lists::default();
    let revoked = house.lists(later(5));
    assert_eq!(lists.hear(&house.trust, &revoked, later(5)), Ok(true));
    // Her time might be over: nobody is told, and she is not believed.
    let lacks = signed(&authority(&house.founded), &forgetful, later(10));
    assert_eq!(lists.hear(&house.trust, &lacks, later(10)), Ok(true));
    assert_eq!(lists.judge(house.issuer(), serial, later(10)), Err(CertRefusal::Revoked));
    assert_eq!(lists.forgotten(), None);
    // Numbers that nobody comes to by signing.
    let authority = authority(&house.founded);
    let restored = authority.lists(&forgetful, START.0 + 10_000_000, later(20)).unwrap();
    let shown = SignedList {
        issuing: ByteBuf::from(restored[0].issuing.as_ref()),
        list: ByteBuf::from(restored[0].list.der()),
    };
    assert_eq!(lists.hear(&house.trust, &SignedLists(vec![shown]), later(20)), Ok(true));
    assert_eq!(lists.forgotten(), Some(revoked));
    let mut again = Lists::default();
    for list in lists.kept().0 {
        again.hear(&house.trust, &SignedLists(vec![list]), later(20)).unwrap();
    }
    assert_eq!(again, lists, "also after the program has ended");
    assert_eq!(lists.judge(house.issuer(), serial, later(20)), Err(CertRefusal::Revoked));
}
