//! Somebody in a call was shown another size of the log: the server shows that both are one history, or is left.

use super::*;
use crate::device::{Identity, LogRefusal};
use crate::fault::Fault;
use crate::limits::LOG_ANSWER_TIME_MAX;
use crate::tlog::{LogSigner, NoteName, Tree, VerifiedCheckpoint, ViewRefusal};
use crate::wire::relay::RelayRequest;

/// Alice at home, and what else there is: the log of so many entries that the server signs, and one that it signs for others.
struct Doubting {
    town: Town,
    alice: Identity,
}

impl Doubting {
    fn new() -> Self {
        let mut town = Town::new();
        let alice = town.enrol("alice");
        town.enrol("bob");
        Self { town, alice }
    }

    fn signer(&self) -> LogSigner {
        let state = self.town.server.state();
        let origin = NoteName::of_log(self.town.server.realm(), state.position().incarnation);
        LogSigner::new(origin, self.town.founded.log_key.clone())
    }

    /// The genuine log when it had so many entries.
    fn genuine(&self, size: u64) -> VerifiedCheckpoint {
        self.signer().sign(self.town.server.state().log().head_at(size).unwrap())
    }

    /// Another history of so many entries.
    fn other(&self, size: u64) -> VerifiedCheckpoint {
        let state = self.town.server.state();
        let leaves = (0..size - 1).map(|index| state.leaf(index % 2).unwrap().leaf_hash());
        let last = [crate::tlog::Hash::leaf(b"another")];
        self.signer().sign(leaves.chain(last).collect::<Tree>().head())
    }

    /// Alice comes online, who was told this in a call before: what her device tells her, and which device it is.
    fn comes(&mut self, theirs: &VerifiedCheckpoint) -> (usize, Vec<Event>) {
        let mut alice = self.alice.clone();
        alice.log.recall_doubt(theirs.to_string().as_bytes());
        assert_eq!(alice.log.doubted(), Some(theirs));
        let member = self.town.join(alice, true);
        (member, self.town.news(member))
    }
}

fn refused(told: &[Event]) -> Option<&LogRefusal> {
    told.iter().find_map(|event| if let Event::LogRefused(refusal) = event { Some(refusal) } else { None })
}

fn size(doubting: &Doubting) -> u64 {
    doubting.town.server.state().log().size()
}

#[test]
fn a_genuine_checkpoint_of_any_other_moment_is_reconciled_and_nobody_is_disturbed() {
    let sizes = 1..=size(&Doubting::new());
    for size in sizes {
        let mut doubting = Doubting::new();
        let theirs = doubting.genuine(size);
        let (member, told) = doubting.comes(&theirs);
        assert!(told.contains(&Event::Reconciled(Box::new(theirs))), "{size}: {told:?}");
        assert_eq!(refused(&told), None, "{size}");
        assert_eq!(doubting.town.machine(member).following().doubted(), None);
        assert!(!told.iter().any(|event| matches!(event, Event::GivenUp(_))), "{size}: {told:?}");
    }
}

#[test]
fn another_history_of_any_size_is_evidence_and_the_server_is_left_for_good() {
    let now = size(&Doubting::new());
    // One entry is what a history of one's own begins with.
    for size in [1, 2, now - 1, now, now + 1, now + 7] {
        let mut doubting = Doubting::new();
        let theirs = doubting.other(size);
        let (member, told) = doubting.comes(&theirs);
        match refused(&told) {
            Some(LogRefusal::History(ViewRefusal::Split(split))) => assert_eq!((size, split.other()), (now, &theirs)),
            Some(LogRefusal::History(ViewRefusal::Diverged { ours, theirs: other })) => {
                assert_eq!(**other, theirs);
                assert_eq!(ours.head().size, now, "the newest that she was shown");
            }
            refusal => panic!("{size}: {refusal:?} in {told:?}"),
        }
        assert!(told.contains(&Event::GivenUp(CloseReason::Fault(Fault::History))), "{size}: {told:?}");
        assert_eq!(doubting.town.machine(member).following().doubted(), Some(&theirs), "for the next contact");
    }
}

#[test]
fn what_is_doubted_is_asked_about_in_the_call_itself_and_told_to_be_kept() {
    let (mut town, (alice, _), _) = talking();
    let log = town.server.state().log().head_at(2).unwrap();
    let origin = NoteName::of_log(town.server.realm(), town.server.state().position().incarnation);
    let old = LogSigner::new(origin, town.founded.log_key.clone()).sign(log);
    let now = town.now;
    town.news(alice);
    town.machine(alice).doubt(old.clone(), now);
    town.machine(alice).doubt(old.clone(), now);
    town.settle();
    town.wait(Duration::from_millis(1));
    let told = town.news(alice);
    let doubts = told.iter().filter(|event| matches!(event, Event::Doubted(_))).count();
    assert_eq!(doubts, 1, "one at a time: {told:?}");
    assert!(told.contains(&Event::Reconciled(Box::new(old))), "{told:?}");
}

#[test]
fn a_log_that_grows_between_the_two_answers_is_asked_once_more() {
    let mut doubting = Doubting::new();
    let old = doubting.genuine(2);
    doubting.alice.log.recall_doubt(old.to_string().as_bytes());
    let (alice, env) = (doubting.alice.clone(), crate::testing::env());
    let mut device = crate::device::Device::new(env, alice, true);
    let state = doubting.town.server.state();
    let tree = state.log();
    let certificate = serde_bytes::ByteBuf::from(doubting.town.founded.log.clone());
    let head = |seen: u64, size: u64| crate::wire::log::LogHead {
        certificate: certificate.clone(),
        checkpoint: doubting.genuine(size).to_string().into_bytes().into(),
        consistency: tree.consistency(seen, size),
    };
    let (ours, newest) = (device.following().seen(), tree.size());
    assert!(2 < ours && ours < newest, "{ours} of {newest}");
    device.doubts.ask(device.following().apart().unwrap());
    let requests: Vec<RelayRequest> = std::iter::from_fn(|| device.doubts.poll_request()).collect();
    assert_eq!(requests[..2], [RelayRequest::Follow { seen: ours }, RelayRequest::Follow { seen: 2 }]);
    assert_eq!(device.heard_of_doubt(&head(2, newest)), Ok(true));
    assert_eq!(device.doubt_answered(), Ok(()));
    let again: Vec<RelayRequest> = std::iter::from_fn(|| device.doubts.poll_request()).collect();
    assert_eq!(again[..2], [RelayRequest::Follow { seen: ours }, RelayRequest::Follow { seen: newest }]);
    assert_eq!(device.heard_of_doubt(&head(ours, newest)), Ok(false), "that is for everything else, too");
    assert_eq!(device.doubt_answered(), Err(Fault::History), "it was not shown to have moved this time");
}

#[test]
fn a_server_that_is_silent_about_it_is_left_in_time() {
    let mut doubting = Doubting::new();
    let theirs = doubting.genuine(2);
    let (member, _) = doubting.comes(&theirs);
    let now = doubting.town.now;
    doubting.town.news(member);
    // Asked once more, by nobody: no answer comes.
    let device = doubting.town.machine(member);
    device.identity.log.recall_doubt(theirs.to_string().as_bytes());
    device.ask_about_doubt(now);
    device.doubts.requests.clear();
    doubting.town.wait(LOG_ANSWER_TIME_MAX);
    let told = doubting.town.news(member);
    assert!(matches!(refused(&told), Some(LogRefusal::History(ViewRefusal::Diverged { .. }))), "{told:?}");
    assert!(told.contains(&Event::GivenUp(CloseReason::Fault(Fault::History))), "{told:?}");
}
