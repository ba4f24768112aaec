//! What `mls-rs` leaves to its caller, one test for each: it fails when somebody steps into it.

use mls_rs_core::identity::{IdentityProvider, MemberValidationContext};

use super::*;
use crate::mls::identity::{Identities, IdentityError};
use crate::mls::keep::{Cabinet, Drawer};
use crate::operator::{Command, Revoke};
use crate::tlog::ReasonCode;

/// Why it failed, in the words of the one who refused.
fn words<T: std::fmt::Debug>(result: Result<T, MlsFault>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_message_that_was_altered_on_its_way_does_not_use_up_the_key_of_the_genuine_one() {
    let mut round = Round::together(&["alice", "bob"]);
    let sealed = round.say(0, b"hello");
    for at in (0..sealed.len()).rev().step_by(7) {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert!(round.try_hear(1, &altered).is_err(), "byte {at}");
    }
    assert_eq!(round.words(1, &sealed), b"hello");
}

#[test]
fn what_was_sealed_is_given_out_for_its_state_and_a_device_that_starts_from_that_state_uses_no_key_twice() {
    let mut round = Round::together(&["alice", "bob"]);
    let unkept = round.group(0).clone().say(b"before the crash", Vec::new(), &mut rng(1)).unwrap();
    let saved = unkept.saved().clone();
    let (_, first) = unkept.kept();
    let Party { member, tree, .. } = &round.parties[0];
    round.parties[0].group = Some(member.load(&saved, tree.as_ref().unwrap()).unwrap());
    let second = round.say(0, b"after it");
    assert_eq!(round.words(1, &first), b"before the crash");
    assert_eq!(round.words(1, &second), b"after it");
}

#[test]
fn what_was_not_written_down_has_not_happened() {
    let mut round = Round::together(&["alice", "bob"]);
    let before = round.group(1).epoch();
    let committed = round.propose(0, &Change::default()).unwrap();
    for _ in 0..2 {
        // The disk is full, and the state that was to be written is dropped.
        drop(done(round.group(1).hear(&committed.commit, &round.beliefs, &mut rng(1)).unwrap()));
        assert_eq!(round.group(1).epoch(), before);
    }
    round.hear(1, &committed.commit);
    assert_eq!(round.group(1).epoch(), before + 1);
}

#[test]
fn whoever_was_not_judged_is_named_and_nothing_comes_of_the_call() {
    let mut round = Round::together(&["alice", "bob", "carol"]);
    let dave = round.enrol("dave");
    let (package, secrets) = dave.member.key_package(round.now, &mut rng(2)).unwrap();
    let lists = round.parties[0].identity.lists.clone();
    let change = Change { add: vec![package], ..Change::default() };
    let tried = round.group(0).commit(&change, &round.beliefs, round.now, &mut rng(1)).unwrap();
    let Tried::Unjudged(unjudged) = tried else { panic!("{tried:?}") };
    let leaf = &dave.identity.credentials.leaf;
    assert_eq!(unjudged.chains().map(|[leaf, _]| leaf).collect::<Vec<_>>(), [leaf]);
    assert!(!round.group(0).has_commit());

    round.believe(&dave.identity);
    let committed = round.propose(0, &change).unwrap();
    // Who comes knows nobody, and is told of all at once.
    let member = &dave.member;
    let (welcome, nobody) = (committed.welcome.unwrap(), Beliefs::new(lists));
    let tried = member.join(&welcome, secrets.clone(), &nobody, &mut rng(1)).unwrap();
    let Tried::Unjudged(unjudged) = tried else { panic!("{tried:?}") };
    assert_eq!(unjudged.chains().count(), 4);
    let (group, ()) = done(member.join(&welcome, secrets, &round.beliefs, &mut rng(1)).unwrap()).kept();
    assert_eq!(group.members().len(), 4);
}

#[test]
fn nobody_is_valid_without_a_time_or_outside_of_a_call() {
    let round = Round::of(&["alice"]);
    let (signing, _) = round.parties[0].member.signing();
    let lent = Lent::default();
    let identities = Identities::new(lent.clone(), round.parties[0].identity.trust.realm().clone());
    let validate = |time| identities.validate_member(&signing, time, MemberValidationContext::None);
    assert_eq!(validate(Some(at(round.now))), Err(IdentityError::NoBeliefs));
    let (valid, unjudged) =
        lent.during(&round.beliefs, &mut rng(1), || (validate(None), validate(Some(at(round.now)))));
    assert_eq!(valid, (Err(IdentityError::NoTime), Ok(())));
    assert!(unjudged.is_empty());
}

#[test]
fn an_expired_member_stands_in_nobodys_way_and_is_added_to_nothing() {
    let mut round = Round::together(&["alice", "bob"]);
    // A certificate that begins when the others are nearly over.
    round.town.wait(DEVICE_LIFETIME.checked_sub(Duration::from_secs(86_400)).unwrap());
    round.now = round.town.now.wall;
    let carol = round.enrol("carol");
    round.beliefs.set_lists(carol.identity.lists.clone());
    round.believe(&carol.identity);
    let add = |round: &Round, now| {
        let (package, secrets) = carol.member.key_package(now, &mut rng(1)).unwrap();
        let change = Change { add: vec![package], ..Change::default() };
        let committed = round.group(0).commit(&change, &round.beliefs, now, &mut rng(2))?;
        let welcome = done(committed).kept().1.welcome.unwrap();
        carol.member.join(&welcome, secrets, &round.beliefs, &mut rng(3))
    };
    drop(done(add(&round, round.now).unwrap()));
    let later = round.now.plus(Duration::from_secs(2 * 86_400));
    drop(done(add(&round, later).unwrap()));
    // Nobody adds one whose time is over.
    let bob = round.parties.remove(1);
    let (package, _) = bob.member.key_package(later, &mut rng(4)).unwrap();
    let change = Change { add: vec![package], remove: vec![bob.identity.name], ..Change::default() };
    assert!(words(round.group(0).commit(&change, &round.beliefs, later, &mut rng(5))).contains("Expired"));
}

#[test]
fn a_revoked_device_joins_nothing_and_is_added_to_nothing() {
    let mut round = Round::of(&["alice", "bob"]);
    round.town.operator(&Command::Revoke(Revoke {
        user: round.name(1).user,
        device: None,
        reason: ReasonCode::new(1).unwrap(),
        force: true,
    }));
    // Whoever comes after it has the newest lists.
    let carol = round.enrol("carol");
    round.beliefs.set_lists(carol.identity.lists.clone());
    let founded = round.parties[0].member.found(b"a group", &room("alice"), &round.beliefs, round.now, &mut rng(1));
    round.keep(0, done(founded.unwrap()));
    let (package, _) = round.package(1);
    let refused = words(round.propose(0, &Change { add: vec![package], ..Change::default() }));
    assert!(refused.contains(&format!("{:?}", CertRefusal::Revoked)), "{refused}");
}

#[test]
fn of_two_commits_in_one_epoch_the_second_is_forgotten_for_the_first() {
    let mut round = Round::together(&["alice", "bob"]);
    let winner = round.propose(0, &Change::default()).unwrap();
    let loser = round.propose(1, &Change::default()).unwrap();
    round.accept(0);
    assert!(round.group(1).has_commit());
    round.hear(1, &winner.commit);
    assert!(!round.group(1).has_commit());
    assert!(round.try_hear(0, &loser.commit).is_err(), "of an epoch that is over");
    let sealed = round.say(1, b"we agree");
    assert_eq!(round.words(0, &sealed), b"we agree");
}

#[test]
fn nobody_commits_their_own_removal() {
    let mut round = Round::together(&["alice", "bob"]);
    let own = Change { remove: vec![round.name(0)], ..Change::default() };
    assert!(round.propose(0, &own).is_err());
    assert!(!round.group(0).has_commit());
}

#[test]
fn a_proposal_by_itself_and_a_commit_that_refers_to_one_are_refused() {
    let mut round = Round::together(&["alice", "bob", "carol"]);
    // Somebody whose program is not ours.
    let mut other = round.group(0).clone();
    let lent = other.lent.clone();
    let removal = |inner: &mut mls_rs::Group<Config>| inner.propose_remove(2, Vec::new()).unwrap().to_bytes().unwrap();
    let (proposal, _) = lent.during(&round.beliefs, &mut rng(1), || removal(&mut other.inner));
    assert!(matches!(round.try_hear(1, &proposal), Err(MlsFault::Unexpected)));
    let (commit, _) =
        lent.during(&round.beliefs, &mut rng(2), || other.inner.commit_builder().commit_time(at(START)).build());
    assert!(commit.unwrap_err().to_string().contains("refers to a proposal"));
    let sealed = round.say(1, b"none of that has happened");
    assert_eq!(round.words(2, &sealed), b"none of that has happened");
}

#[test]
fn so_many_messages_of_one_sender_may_be_missed_in_an_epoch_and_no_more() {
    let mut round = Round::together(&["alice", "bob"]);
    let sealed: Vec<Vec<u8>> = (0..=1_025_u32).map(|n| round.say(0, &n.to_be_bytes())).collect();
    assert!(round.try_hear(1, &sealed[1_025]).is_err(), "nobody reads on who has missed 1,025");
    assert_eq!(round.words(1, &sealed[1_024]), 1_024_u32.to_be_bytes());
    assert_eq!(round.words(1, &sealed[0]), 0_u32.to_be_bytes(), "what was passed over is read when it comes");
}

#[test]
fn a_member_who_puts_another_device_in_their_place_is_refused() {
    let mut round = Round::together(&["alice", "bob"]);
    let phone = party(round.town.further(&round.parties[0].identity, "phone"));
    round.believe(&phone.identity);
    let change = Change { renew: Some(phone.member), ..Change::default() };
    let committed = round.propose(0, &change).unwrap();
    assert!(matches!(round.try_hear(1, &committed.commit), Err(MlsFault::Impostor)));
}

#[test]
fn the_length_of_what_is_sealed_tells_a_class_of_sizes() {
    let mut round = Round::together(&["alice", "bob"]);
    let lengths: std::collections::BTreeSet<usize> =
        (1..=64).map(|length| round.say(0, &vec![b'a'; length]).len()).collect();
    assert!(lengths.len() <= 4, "{lengths:?}");
}

#[test]
fn a_commit_that_does_what_its_committer_may_not_is_refused_by_whoever_receives_it() {
    let mut round = Round::together(&["alice", "bob", "carol"]);
    let kick = |round: &Round, whom| Change { remove: vec![round.name(whom)], ..Change::default() };
    // Bob's own program refuses to make it.
    let (alice, carol) = (kick(&round, 0), kick(&round, 2));
    assert!(words(round.propose(1, &alice)).contains("what its committer may not do"));
    assert!(words(round.propose(1, &carol)).contains("what its committer may not do"));
    // One that was made by another program, which lets everything pass, is refused as well.
    round.group(1).lent.set_lenient(true);
    let committed = round.propose(1, &carol).unwrap();
    assert!(words(round.try_hear(0, &committed.commit)).contains("what its committer may not do"));
    // The owner may.
    round.commit(0, &carol);
}

#[test]
fn nobody_comes_from_outside_into_a_room_that_is_closed() {
    let mut round = Round::together(&["alice", "bob"]);
    let stranger = round.enrol("carol");
    round.believe(&stranger.identity);
    let info = round.group(0).inner.group_info_message_allowing_ext_commit(true).unwrap();
    let lent = Lent::default();
    lent.set_lenient(true);
    let client = stranger.member.client(&lent, Cabinet::default(), Drawer::default());
    let build = || client.external_commit_builder().unwrap().commit_time(at(START)).build(info);
    let ((_, commit), _) = {
        let (built, unjudged) = lent.during(&round.beliefs, &mut round.rng, build);
        (built.unwrap(), unjudged)
    };
    assert!(words(round.try_hear(1, &commit.to_bytes().unwrap())).contains("by somebody who is no member"));
}
