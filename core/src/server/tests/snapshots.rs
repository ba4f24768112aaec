//! When the server asks for a snapshot, and that nothing depends on what becomes of it.

use super::*;
use crate::id::Position;
use crate::invite::TokenHash;
use crate::journal::snapshot::newest;
use crate::limits::SNAPSHOT_EVERY_RECORDS;

fn town(last: u64, every: u64) -> Town {
    let mut town = Town::new();
    town.server = town.server.with_snapshots(last, every);
    town.notes.clear();
    town
}

fn notes(town: &Town) -> Vec<(u64, bool)> {
    let of_snapshots = |note: &Note| if let Note::Snapshot(n, written) = note { Some((*n, *written)) } else { None };
    town.notes.iter().filter_map(of_snapshots).collect()
}

#[test]
fn a_snapshot_is_asked_for_after_so_many_records_and_one_at_a_time() {
    // The founding took four records.
    let mut town = town(4, 4);
    for n in 5..8 {
        town.invite(None);
        assert_eq!((town.server.state().position().n, town.snapshots.len()), (n, 0));
    }
    town.invite(None);
    let [(first, 8, bytes)] = &town.snapshots[..] else { panic!("{} snapshots", town.snapshots.len()) };
    let first = *first;
    assert_eq!(State::restore(bytes).as_ref(), Ok(town.server.state()));
    for _ in 0..6 {
        town.invite(None);
    }
    assert_eq!(town.snapshots.len(), 1, "the first is not written down yet");
    assert_eq!(notes(&town), []);
    town.serve(Input::Snapshotted(first, true));
    town.settle();
    assert_eq!(notes(&town), [(8, true)]);
    town.invite(None);
    let [_, (second, 15, _)] = &town.snapshots[..] else { panic!("{} snapshots", town.snapshots.len()) };
    assert!(*second > first);
}

#[test]
fn a_snapshot_that_could_not_be_written_is_said_and_the_next_is_due_as_if_it_had_been() {
    let mut town = town(4, 2);
    town.invite(None);
    town.invite(None);
    let (id, n, _) = town.snapshots.pop().unwrap();
    town.serve(Input::Snapshotted(id, false));
    town.settle();
    assert_eq!((n, notes(&town)), (6, vec![(6, false)]));
    town.invite(None);
    assert_eq!(town.snapshots.len(), 0);
    town.invite(None);
    assert_eq!(town.snapshots.pop().map(|(_, n, _)| n), Some(8));
}

#[test]
fn nobody_waits_for_a_snapshot_neither_a_newcomer_nor_the_end() {
    let mut town = town(0, 1);
    let alice = town.enrol("alice");
    town.join(alice, true);
    assert_eq!(town.snapshots.len(), 1);
    town.serve(Input::Shutdown);
    town.settle();
    assert!(town.server.is_finished());
    assert_eq!(town.snapshots.len(), 1, "a server that ends asks for nothing");
}

#[test]
fn a_start_from_a_snapshot_is_the_start_from_the_whole_journal() {
    let mut town = town(4, 2);
    let link = town.invite(None);
    town.hold = true;
    let key = SecretKey::draw(&mut rng(5));
    town.begin_enrolment(link, device_name("alice", "laptop"), key);
    town.settle();
    let (id, records) = town.held.remove(0);
    town.held_answered(id, records);
    town.settle();
    let (_, n, bytes) = town.snapshots.pop().unwrap();
    assert_eq!(n, 6);
    let end = Position { incarnation: 7, n: town.journal.len() as u64 };
    let mut state = newest(end, [(n, bytes)], |n, refusal| panic!("{n}: {refusal}"));
    for (n, record) in (1..).zip(&town.journal).skip(6) {
        state.apply(n, record).unwrap();
    }
    assert_eq!(state, town.replayed());
    // The certificate that the end of the first process took with it is signed after all.
    let mut again = Town::with_founded(town.founded, town.journal);
    let now = again.now;
    again.server = Server::start(env(), authority(&again.founded), state, now, &mut rng(2)).unwrap();
    again.journal.truncate(6);
    again.settle();
    assert_eq!(again.server.state().unissued().count(), 0);
}

#[test]
fn so_many_records_are_between_two_snapshots_unless_somebody_chose_otherwise() {
    let expired = |n: u64| {
        let token = TokenHash(Fingerprint::of(&n.to_be_bytes()).0);
        Record::InviteCreated { token, user: None, expires: START, at: START }.encode()
    };
    let mut town = Town::new();
    assert_eq!(town.snapshots.len(), 0);
    let first = town.journal.len() as u64 + 1;
    town.journal.extend((first..=SNAPSHOT_EVERY_RECORDS - 3).map(expired));
    // A start writes two records: that the relay has a new certificate, and the lists.
    let mut town = Town::with_founded(town.founded, town.journal);
    assert_eq!((town.journal.len() as u64, town.snapshots.len()), (SNAPSHOT_EVERY_RECORDS - 1, 0));
    let again = Town::with_founded(town.founded, std::mem::take(&mut town.journal));
    let asked: Vec<u64> = again.snapshots.iter().map(|(_, n, _)| *n).collect();
    assert_eq!(asked, [SNAPSHOT_EVERY_RECORDS], "whoever had to fold so much asks at once");
}
