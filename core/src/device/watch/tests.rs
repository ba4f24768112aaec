//! A device reads the log by itself: what it finds, what it keeps, and what becomes of a server that hides something.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use serde_bytes::ByteBuf;

use super::*;
use crate::device::{Asked, Command, Followed, Following, Input, Output};
use crate::fault::CloseReason;
use crate::id::{Fingerprint, KeyId, Serial};
use crate::limits::LOG_PAGE_MAX;
use crate::testing::{START, Town, device_name, env, rng};
use crate::tlog::{Basis, Certified, Hash, Leaf, LogSigner, NoteName, Reading, Tree};

/// A certificate that says to be somebody's.
fn certified(user: &str, device: &str, key: u8) -> Vec<u8> {
    let leaf = Leaf::DeviceCertificate(Certified {
        name: device_name(user, device),
        serial: Serial::draw(&mut rng(u64::from(key))),
        key: KeyId([key; 32]),
        certificate: Fingerprint([key; 32]),
        not_after: START,
        basis: Basis::Reissue,
        at: START,
    });
    leaf.encode()
}

/// Alice's device, which has just enrolled, and a server with the genuine keys that signs and shows what it is told to.
struct Stage {
    device: Device,
    /// What it has signed, and what it shows.
    signed: Vec<Vec<u8>>,
    shown: Vec<Vec<u8>>,
    signer: LogSigner,
    certificate: Vec<u8>,
    now: Now,
    rng: ChaCha20Rng,
}

impl Stage {
    fn new() -> Self {
        let mut town = Town::new();
        let identity = town.enrol("alice");
        let state = town.server.state();
        let signed: Vec<_> = (0..).map_while(|index| state.leaf(index)).map(|leaf| leaf.encode()).collect();
        assert_eq!((signed.len(), identity.log.reading().unwrap().next()), (3, 2), "issuing CA, relay, alice");
        let incarnation = state.position().incarnation;
        let origin = NoteName::of_log(identity.trust.realm(), incarnation);
        let signer = LogSigner::new(origin, town.founded.log_key.clone());
        let mut device = Device::new(env(), identity, false);
        device.incarnation = incarnation;
        let (shown, certificate) = (signed.clone(), town.founded.log.clone());
        Self { device, signed, shown, signer, certificate, now: town.now, rng: rng(9) }
    }

    fn log(&mut self, leaf: Vec<u8>) {
        self.signed.push(leaf.clone());
        self.shown.push(leaf);
    }

    /// Other people join.
    fn others(&mut self, count: u8) {
        for key in 1..=count {
            self.log(certified("bob", "laptop", key));
        }
    }

    /// The server says what its log is.
    fn head(&mut self) -> Result<(), Fault> {
        let tree: Tree = self.signed.iter().map(|leaf| Hash::leaf(leaf)).collect();
        let seen = self.device.identity.log.seen();
        let head = LogHead {
            certificate: ByteBuf::from(self.certificate.clone()),
            checkpoint: ByteBuf::from(self.signer.sign(tree.head()).to_string().into_bytes()),
            consistency: tree.consistency(seen, tree.size()).filter(|_| seen < tree.size()),
        };
        self.device.log(&head, self.now)
    }

    /// The page that the watch asks for now, if it does.
    fn page(&mut self) -> Option<(AskId, LogPage)> {
        let Some(RelayRequest::Leaves { ask, from }) = self.device.watch.poll_request() else { return None };
        let from = usize::try_from(from).unwrap();
        let leaves: Vec<_> = self.shown.iter().skip(from).take(LOG_PAGE_MAX).cloned().map(ByteBuf::from).collect();
        let more = from + leaves.len() < self.shown.len();
        Some((ask, LogPage { leaves, more }))
    }

    /// Gives all pages that are asked for: how many.
    fn pages(&mut self) -> Result<u32, Fault> {
        let mut count = 0;
        while let Some((ask, page)) = self.page() {
            count += 1;
            self.device.leaves(ask, &page, self.now)?;
        }
        Ok(count)
    }

    fn told(&mut self) -> Vec<Event> {
        let tell = |output| if let Output::Tell(event) = output { Some(event) } else { None };
        std::iter::from_fn(|| self.device.poll_output()).filter_map(tell).collect()
    }

    /// The same device in its next run, which has kept that.
    fn again(&mut self, kept: &Followed) {
        let mut identity = self.device.identity.clone();
        identity.log = Following::restore(&identity.trust, kept, self.now.wall).unwrap();
        let incarnation = self.device.incarnation;
        self.device = Device::new(env(), identity, false);
        self.device.incarnation = incarnation;
        self.device.handle(Input::Start, self.now, &mut self.rng);
    }
}

fn kept(told: &[Event]) -> Vec<&Followed> {
    told.iter()
        .filter_map(|event| if let Event::Followed(followed) = event { Some(followed.as_ref()) } else { None })
        .collect()
}

fn reading(followed: &Followed) -> &Reading {
    followed.reading.as_ref().unwrap()
}

fn alarms(told: &[Event]) -> Vec<u64> {
    let index = |event: &Event| if let Event::Unasked(unasked) = event { Some(unasked.index) } else { None };
    told.iter().filter_map(index).collect()
}

fn refusals(told: &[Event]) -> Vec<&LogRefusal> {
    told.iter().filter_map(|event| if let Event::LogRefused(refusal) = event { Some(refusal) } else { None }).collect()
}

#[test]
fn what_this_device_did_not_ask_for_is_kept_and_told_and_told_again_until_it_is_acknowledged() {
    let mut stage = Stage::new();
    stage.others(20);
    stage.log(certified("alice", "phone", 99));
    stage.others(20);
    assert_eq!(stage.head(), Ok(()));
    assert_eq!(stage.pages(), Ok(3), "from her own leaf on, 15 at a time");
    let told = stage.told();
    let [grown, read] = kept(&told)[..] else { panic!("{told:?}") };
    assert_eq!((reading(grown).sure(), reading(read).sure()), (2, 44));
    assert_eq!(alarms(&told), [23]);
    assert!(matches!(told.last(), Some(Event::Unasked(_))), "it is kept before it is told");
    // The same head again brings nothing new, and nothing is asked.
    assert_eq!((stage.head(), stage.pages()), (Ok(()), Ok(0)));
    assert_eq!(stage.told(), []);
    let mut next = read.clone();
    stage.again(&next);
    assert_eq!(alarms(&stage.told()), [23]);
    next.reading.as_mut().unwrap().acknowledge(44);
    stage.again(&next);
    assert_eq!(alarms(&stage.told()), [0; 0]);
    stage.log(certified("alice", "laptop", 98));
    assert_eq!((stage.head(), stage.pages()), (Ok(()), Ok(1)), "no leaf is read twice");
    assert_eq!(alarms(&stage.told()), [44], "another key for the name of the device itself");
}

#[test]
fn an_alarm_waits_for_the_root_and_leaves_that_make_another_are_a_fault_that_spoils_nothing() {
    let mut stage = Stage::new();
    stage.others(9);
    stage.log(certified("alice", "phone", 99));
    stage.shown[12] = certified("bob", "phone", 99);
    assert_eq!(stage.head(), Ok(()));
    assert_eq!(stage.pages(), Err(Fault::Log));
    let told = stage.told();
    assert_eq!(refusals(&told), [&LogRefusal::Entries(AuditRefusal::Root)]);
    assert_eq!((alarms(&told), reading(kept(&told).last().unwrap()).next()), (vec![], 2));
    // The next time it shows what it signed.
    stage.shown = stage.signed.clone();
    assert_eq!((stage.head(), stage.pages()), (Ok(()), Ok(1)));
    assert_eq!(alarms(&stage.told()), [12]);
    // One that shows an act which it did not sign is no better.
    stage.others(1);
    stage.shown[13] = certified("alice", "phone", 97);
    assert_eq!((stage.head(), stage.pages()), (Ok(()), Err(Fault::Log)));
    let told = stage.told();
    assert_eq!((refusals(&told), alarms(&told)), (vec![&LogRefusal::Entries(AuditRefusal::Root)], vec![]));
}

#[test]
fn a_server_that_gives_nothing_or_noise_is_at_fault() {
    let mut stage = Stage::new();
    stage.others(30);
    stage.shown.truncate(17);
    assert_eq!((stage.head(), stage.pages()), (Ok(()), Err(Fault::Log)));
    let missing = AuditRefusal::Missing { given: 17, signed: 33 };
    assert_eq!(refusals(&stage.told()), [&LogRefusal::Entries(missing)]);
    let mut stage = Stage::new();
    stage.log(vec![9, 9]);
    assert_eq!((stage.head(), stage.pages()), (Ok(()), Err(Fault::Log)));
    assert!(matches!(refusals(&stage.told())[..], [LogRefusal::Entries(AuditRefusal::Leaf { index: 3, .. })]));
}

/// A review's find: one leaf in each answer, each in time, kept the watch busy for weeks.
#[test]
fn a_page_that_is_short_and_not_the_last_is_a_fault() {
    let mut stage = Stage::new();
    stage.others(30);
    assert_eq!(stage.head(), Ok(()));
    let (ask, mut page) = stage.page().unwrap();
    page.leaves.truncate(1);
    page.more = true;
    assert_eq!(stage.device.leaves(ask, &page, stage.now), Err(Fault::Log));
    let missing = AuditRefusal::Missing { given: 3, signed: 33 };
    assert_eq!(refusals(&stage.told()), [&LogRefusal::Entries(missing)]);
}

#[test]
fn a_head_that_comes_while_a_page_is_awaited_moves_the_end_and_one_page_is_asked_for_at_a_time() {
    let mut stage = Stage::new();
    stage.others(30);
    assert_eq!(stage.head(), Ok(()));
    let (ask, page) = stage.page().unwrap();
    stage.log(certified("alice", "phone", 99));
    assert_eq!(stage.head(), Ok(()));
    assert!(stage.page().is_none(), "one is in flight");
    // An answer to something else is not this one's.
    assert_eq!(stage.device.leaves(AskId(ask.0 + 1), &LogPage { leaves: Vec::new(), more: false }, stage.now), Ok(()));
    assert_eq!(stage.device.leaves(ask, &page, stage.now), Ok(()));
    assert_eq!(stage.pages(), Ok(2));
    assert_eq!(alarms(&stage.told()), [33]);
}

#[test]
fn who_leaves_in_the_middle_keeps_what_was_read_and_a_long_reading_is_kept_on_the_way() {
    let mut stage = Stage::new();
    stage.others(250);
    stage.others(250);
    assert_eq!(stage.head(), Ok(()));
    let (ask, page) = stage.page().unwrap();
    assert_eq!(stage.device.leaves(ask, &page, stage.now), Ok(()));
    assert_eq!(kept(&stage.told()).len(), 1, "the head, and no page alone");
    stage.device.handle(Input::Command(Command::Quit), stage.now, &mut stage.rng);
    let told = stage.told();
    assert_eq!(told.last(), Some(&Event::Done), "nothing is waited for");
    let followed = kept(&told)[0].clone();
    assert_eq!((reading(&followed).sure(), reading(&followed).next()), (2, 17));
    assert!(stage.page().is_none(), "who leaves asks for nothing");
    stage.again(&followed);
    assert_eq!((stage.head(), stage.pages()), (Ok(()), Ok(33)));
    let sizes: Vec<_> = kept(&stage.told()).into_iter().map(|kept| reading(kept).next()).collect();
    assert_eq!(sizes, [257, 497, 503]);
}

#[test]
fn the_person_and_the_watch_may_read_at_one_time() {
    let mut town = Town::new();
    let identity = town.enrol("alice");
    for n in 0..20 {
        town.enrol(&format!("user{n}"));
    }
    let alice = town.join(identity, false);
    town.news(alice);
    town.cut(alice);
    town.device(alice, Input::Command(Command::ReadLog));
    town.enrol("last");
    town.wait(Duration::from_secs(30));
    let told = town.news(alice);
    let read =
        told.iter().find_map(|event| if let Event::Asked(Asked::Log(Ok(audit))) = event { Some(audit) } else { None });
    assert_eq!(read.unwrap().head().size, 24);
    assert_eq!(reading(kept(&told).last().unwrap()).sure(), 24);
    assert_eq!((alarms(&told), refusals(&told)), (vec![], vec![]));
}

#[test]
fn who_stays_online_asks_again_every_hour() {
    let mut town = Town::of(&["alice"]);
    let alice = town.devices()[0];
    town.news(alice);
    town.enrol("bob");
    town.wait(LOG_WATCH_SPAN.saturating_sub(Duration::from_secs(60)));
    assert!(kept(&town.news(alice)).is_empty(), "nobody has asked yet");
    for size in [4, 5] {
        town.wait(Duration::from_secs(120));
        let told = town.news(alice);
        assert_eq!(reading(kept(&told).last().unwrap()).sure(), size);
        town.enrol(&format!("carol{size}"));
        town.wait(LOG_WATCH_SPAN.saturating_sub(Duration::from_secs(60)));
    }
}

#[test]
fn a_server_that_answers_everything_else_is_left_and_tried_again() {
    let mut town = Town::of(&["alice"]);
    let alice = town.devices()[0];
    town.news(alice);
    // It was asked and says nothing.
    let now = town.now;
    town.machine(alice).watch.await_head(now);
    town.wait(LOG_ANSWER_TIME_MAX.saturating_sub(Duration::from_secs(1)));
    assert!(!town.news(alice).iter().any(|event| matches!(event, Event::LogRefused(_) | Event::Offline(..))));
    town.wait(Duration::from_secs(30));
    let told = town.news(alice);
    assert_eq!(refusals(&told), [&LogRefusal::Silent]);
    assert!(told.iter().any(|event| matches!(event, Event::Offline(CloseReason::Fault(Fault::Log), _))), "{told:?}");
    assert!(matches!(told.last(), Some(Event::Online(_) | Event::Here(_))), "{told:?}");
}
