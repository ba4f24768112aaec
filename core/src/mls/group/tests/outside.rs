//! Coming into an open room from outside (RFC 9420 §12.4.3.2).

use super::*;
use crate::mls::keep::{Cabinet, Drawer};

/// Alice owns an open room, and bob is in it.
fn open_round(users: &[&str], barred: &[&str]) -> Round {
    let mut round = Round::of(users);
    let Policy::Room(room) = room(users[0]) else { unreachable!("a room") };
    let barred = barred.iter().map(|user| UserName::parse(user).unwrap()).collect();
    let policy = Policy::Room(Room { door: Door::Open { barred }, ..room });
    let founded = round.parties[0].member.found(b"a group", &policy, &round.beliefs, round.now, &mut round.rng);
    round.keep(0, done(founded.unwrap()));
    round.add(0, 1);
    round
}

fn enter(round: &mut Round, party: usize, door: &[u8]) -> Result<Vec<u8>, MlsFault> {
    let entered = round.parties[party].member.enter(door, &round.beliefs, &mut round.rng)?;
    let unkept = done(entered);
    assert!(unkept.tree().is_some());
    Ok(round.keep(party, unkept))
}

#[test]
fn a_device_comes_into_an_open_room_by_itself_and_is_heard_and_hears() {
    let mut round = open_round(&["alice", "bob", "carol"], &[]);
    let before = round.say(0, b"among us");
    let door = round.group(1).group_info(&mut rng(1)).unwrap();
    let commit = enter(&mut round, 2, &door).unwrap();
    let came = Heard::Changed { by: round.name(2), came: vec![round.name(2)], went: Vec::new() };
    assert_eq!((round.hear(0, &commit), round.hear(1, &commit)), (came.clone(), came));
    assert_eq!(round.group(2).authenticator().unwrap(), round.group(0).authenticator().unwrap());
    assert_eq!(round.group(2).policy(), round.group(0).policy());
    let (first, second) = (round.say(2, b"hello"), round.say(0, b"welcome"));
    assert_eq!((round.words(0, &first), round.words(2, &second)), (b"hello".to_vec(), b"welcome".to_vec()));
    assert!(round.try_hear(2, &before).is_err(), "what was said before is not for it");
}

#[test]
fn the_one_that_came_in_goes_on_from_its_disk() {
    let mut round = open_round(&["alice", "bob", "carol"], &[]);
    let door = round.group(0).group_info(&mut rng(1)).unwrap();
    let unkept = done(round.parties[2].member.enter(&door, &round.beliefs, &mut rng(1)).unwrap());
    let saved: Saved = postcard::from_bytes(&postcard::to_stdvec(unkept.saved()).unwrap()).unwrap();
    let loaded = round.parties[2].member.load(&saved, unkept.tree().unwrap()).unwrap();
    let commit = round.keep(2, unkept);
    round.parties[2].group = Some(loaded);
    round.hear(0, &commit);
    let said = round.say(0, b"welcome");
    assert_eq!(round.words(2, &said), b"welcome");
}

#[test]
fn of_two_who_come_by_one_door_the_second_needs_the_next() {
    let mut round = open_round(&["alice", "bob", "carol", "dave"], &[]);
    let door = round.group(0).group_info(&mut rng(1)).unwrap();
    let (carol, dave) = (enter(&mut round, 2, &door).unwrap(), enter(&mut round, 3, &door).unwrap());
    round.hear(0, &carol);
    assert!(round.try_hear(0, &dave).is_err());
    let door = round.group(2).group_info(&mut rng(2)).unwrap();
    let dave = enter(&mut round, 3, &door).unwrap();
    round.hear(0, &dave);
    assert_eq!(round.group(0).members().len(), 4);
}

#[test]
fn whoever_is_barred_is_let_in_by_nobody() {
    let mut round = open_round(&["alice", "bob", "mallory"], &["mallory"]);
    let door = round.group(0).group_info(&mut rng(1)).unwrap();
    assert!(
        enter(&mut round, 2, &door).unwrap_err().to_string().contains("may not come in"),
        "their own program says so"
    );
    // One of another program.
    let lent = Lent::default();
    lent.set_lenient(true);
    let client = round.parties[2].member.client(&lent, Cabinet::default(), Drawer::default());
    let door = MlsMessage::from_bytes(&door).unwrap();
    let build = || client.external_commit_builder().unwrap().commit_time(at(START)).build(door);
    let (built, _) = lent.during(&round.beliefs, &mut round.rng, build);
    let (_, commit) = built.unwrap();
    let refused = round.try_hear(1, &commit.to_bytes().unwrap()).unwrap_err();
    assert!(refused.to_string().contains("may not come in"), "{refused}");
}

#[test]
fn whom_nobody_has_judged_is_judged_before_they_are_in() {
    let mut round = open_round(&["alice", "bob"], &[]);
    let stranger = round.enrol("carol");
    round.parties.push(stranger);
    let door = round.group(0).group_info(&mut rng(1)).unwrap();
    // The stranger knows nobody either.
    let nobody = Beliefs::default();
    let entered = round.parties[2].member.enter(&door, &nobody, &mut rng(1)).unwrap();
    let Tried::Unjudged(unjudged) = entered else { panic!("alice and bob were judged by nobody") };
    assert_eq!(unjudged.chains().count(), 2);
    let everybody = {
        let own = round.parties[2].identity.credentials.clone();
        let before = round.beliefs.clone();
        let identity = &round.parties[2].identity;
        let judged =
            judge_device(&identity.trust, &own.leaf, std::slice::from_ref(&own.issuing), Side::Client, START, None);
        round.beliefs.add(judged.unwrap());
        std::mem::replace(&mut round.beliefs, before)
    };
    let commit = done(round.parties[2].member.enter(&door, &everybody, &mut rng(1)).unwrap()).kept().1;
    let heard = round.group(0).hear(&commit, &round.beliefs, &mut rng(1)).unwrap();
    assert!(matches!(heard, Tried::Unjudged(unjudged) if unjudged.chains().count() == 1));
    let heard = round.group(0).hear(&commit, &everybody, &mut rng(1)).unwrap();
    assert!(matches!(heard, Tried::Done(_)));
}

#[test]
fn a_door_that_is_cut_or_changed_leads_nowhere() {
    let mut round = open_round(&["alice", "bob", "carol"], &[]);
    let door = round.group(0).group_info(&mut rng(1)).unwrap();
    for at in (0..door.len()).step_by(97) {
        assert!(round.parties[2].member.enter(&door[..at], &round.beliefs, &mut rng(1)).is_err(), "{at}");
        let mut changed = door.clone();
        changed[at] ^= 1;
        let entered = round.parties[2].member.enter(&changed, &round.beliefs, &mut rng(1));
        assert!(!matches!(entered, Ok(Tried::Done(_))), "{at}");
    }
    assert!(enter(&mut round, 2, &door).is_ok());
}

#[test]
fn coming_in_is_the_same_to_the_byte_for_one_seed() {
    let run = || {
        let mut round = open_round(&["alice", "bob", "carol"], &[]);
        let door = round.group(0).group_info(&mut rng(1)).unwrap();
        (enter(&mut round, 2, &door).unwrap(), round.group(2).authenticator().unwrap(), door)
    };
    assert_eq!(run(), run());
}
