//! A device and the log: what it follows, what it believes, and what it refuses for good.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use std::time::Duration;

use serde_bytes::ByteBuf;

use super::*;
use crate::device::asks::Asks;
use crate::device::{Asked, Command, Event, Fetched, Identity};
use crate::fault::{CloseReason, Fault};
use crate::limits::LOG_PAGE_MAX;
use crate::pki::{Founded, found_realm};
use crate::testing::{START, Town, device_name, rng};
use crate::time::{Instant, Now};
use crate::tlog::Hash;
use crate::tlog::note::SignatureRefusal;
use crate::tlog::{AuditRefusal, Certified, Head, LogSigner, Tree};
use crate::wire::log::LogPage;
use crate::wire::log::{Generations, Lineage};
use crate::wire::relay::RelayRequest;

const INCARNATION: u64 = 7;

/// A realm's log that says whatever it is told to.
struct Log {
    founded: Founded,
    trust: Trust,
    tree: Tree,
}

impl Log {
    fn new(seed: u64, leaves: u8) -> Self {
        let founded = found_realm(&Realm::default(), START, &mut rng(seed));
        let trust = crate::testing::authority(&founded).trust().clone();
        let tree = (0..leaves).map(|leaf| crate::tlog::Hash::leaf(&[leaf])).collect();
        Self { founded, trust, tree }
    }

    fn signed(&self, head: Head, incarnation: u64) -> ByteBuf {
        let origin = NoteName::of_log(self.trust.realm(), incarnation);
        let note = LogSigner::new(origin, self.founded.log_key.clone()).sign(head);
        ByteBuf::from(note.to_string().into_bytes())
    }

    fn head(&self, size: u64, seen: u64) -> LogHead {
        LogHead {
            certificate: ByteBuf::from(self.founded.log.clone()),
            checkpoint: self.signed(self.tree.head_at(size).unwrap(), INCARNATION),
            consistency: self.tree.consistency(seen.min(size), seen.max(size)),
        }
    }

    fn hear(&self, following: &mut Following, head: &LogHead) -> Result<News, LogRefusal> {
        following.hear(&self.trust, INCARNATION, head, START)
    }

    fn seen(&self, size: u64) -> Following {
        let mut following = Following::default();
        assert!(matches!(self.hear(&mut following, &self.head(size, size)), Ok(News::Grown(_))));
        assert_eq!(following.seen(), size);
        following
    }
}

#[test]
fn a_log_is_followed_from_head_to_head_and_what_was_kept_is_gone_on_from() {
    let log = Log::new(1, 9);
    let mut following = log.seen(3);
    assert_eq!(log.hear(&mut following, &log.head(3, 3)), Ok(News::None));
    let Ok(News::Grown(kept)) = log.hear(&mut following, &log.head(9, 3)) else { panic!("it has grown") };
    assert_eq!(following.followed(), Some(kept.clone()));
    let restored = Following::restore(&log.trust, &kept, START).unwrap();
    assert_eq!(restored.seen(), 9);
    assert_eq!(log.hear(&mut following, &log.head(5, 9)), Ok(News::None), "an older head of the same history");
    assert_eq!(following.seen(), 9);
}

#[test]
fn another_history_is_refused_and_changes_nothing() {
    let log = Log::new(1, 9);
    let mut following = log.seen(5);
    let refused = |following: &mut Following, head: &LogHead| match log.hear(following, head) {
        Err(LogRefusal::History(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    let other = Log { tree: (100..109).map(|leaf| crate::tlog::Hash::leaf(&[leaf])).collect(), ..Log::new(1, 0) };
    assert!(matches!(refused(&mut following, &other.head(5, 5)), ViewRefusal::Split(_)));
    assert!(matches!(refused(&mut following, &other.head(9, 5)), ViewRefusal::Inconsistent { .. }));
    let silent = |head: LogHead| LogHead { consistency: None, ..head };
    assert!(matches!(refused(&mut following, &silent(log.head(9, 5))), ViewRefusal::Unproven { .. }));
    assert!(matches!(refused(&mut following, &silent(log.head(2, 5))), ViewRefusal::Older { .. }));
    assert_eq!(following.followed(), log.seen(5).followed());
}

#[test]
fn what_is_known_of_a_log_s_key_ends_with_its_certificate_and_stands_for_no_other() {
    let (log, foreign) = (Log::new(1, 4), Log::new(2, 4));
    let mut following = log.seen(4);
    let head = log.head(4, 4);
    let end = log.trust.judge_log(&log.founded.log.clone().into(), START).unwrap().not_after;
    let mut at = |head: &LogHead, now| following.hear(&log.trust, INCARNATION, head, now);
    assert_eq!(at(&head, end), Ok(News::None));
    let over = end.plus(Duration::from_secs(1));
    assert_eq!(at(&head, over), Err(LogRefusal::Certificate(CertRefusal::Expired)));
    let before = START.minus(Duration::from_secs(24 * 60 * 60));
    assert_eq!(at(&head, before), Err(LogRefusal::Certificate(CertRefusal::NotYetValid)));
    let altered = |checkpoint| LogHead { checkpoint, ..head.clone() };
    let forged = Err(LogRefusal::Checkpoint(CheckpointRefusal::Signature(SignatureRefusal::OtherKey)));
    assert_eq!(at(&altered(foreign.head(4, 4).checkpoint), START), forged, "another key's word for the same");
    let other = LogHead { certificate: ByteBuf::from(foreign.founded.log.clone()), ..head.clone() };
    assert_eq!(
        at(&other, START),
        Err(LogRefusal::Certificate(CertRefusal::ForeignIssuer)),
        "the same under another key"
    );
}

type IsRight = fn(&LogRefusal) -> bool;

#[test]
fn a_head_that_is_not_this_logs_is_refused() {
    let (log, foreign) = (Log::new(1, 4), Log::new(2, 4));
    let mut following = Following::default();
    let refusal = |head: LogHead| log.hear(&mut following, &head).unwrap_err();
    let good = log.head(4, 4);
    let checks: [(LogHead, IsRight); 5] = [
        (foreign.head(4, 4), |refusal| *refusal == LogRefusal::Certificate(CertRefusal::ForeignIssuer)),
        (LogHead { certificate: ByteBuf::from(log.founded.issuing.clone()), ..good.clone() }, |refusal| {
            *refusal == LogRefusal::Certificate(CertRefusal::WrongUsage)
        }),
        (LogHead { checkpoint: foreign.head(4, 4).checkpoint, ..good.clone() }, |refusal| {
            matches!(refusal, LogRefusal::Checkpoint(CheckpointRefusal::Signature(_)))
        }),
        (LogHead { checkpoint: log.signed(log.tree.head(), 8), ..good.clone() }, |refusal| {
            matches!(refusal, LogRefusal::Checkpoint(CheckpointRefusal::OtherLog { .. }))
        }),
        (LogHead { checkpoint: ByteBuf::from(*b"hello"), ..good }, |refusal| {
            matches!(refusal, LogRefusal::Checkpoint(CheckpointRefusal::Note(_)))
        }),
    ];
    let mut refusal = refusal;
    for (head, is_right) in checks {
        let why = refusal(head);
        assert!(is_right(&why), "{why:?}");
    }
    assert_eq!(following.seen(), 0);
}

#[test]
fn what_was_kept_is_checked_like_what_comes() {
    let log = Log::new(1, 4);
    let kept = log.seen(4).followed().unwrap();
    let restore = |kept: &Followed, now| Following::restore(&log.trust, kept, now).map(drop);
    assert_eq!(restore(&kept, START), Ok(()));
    let altered = Followed { checkpoint: kept.checkpoint.replacen("\n4\n", "\n5\n", 1), ..kept.clone() };
    assert!(matches!(restore(&altered, START), Err(LogRefusal::Checkpoint(CheckpointRefusal::Signature(_)))));
    let elsewhere = Followed { checkpoint: kept.checkpoint.replace("chat.internal", "evil.internal"), ..kept.clone() };
    assert_eq!(restore(&elsewhere, START), Err(LogRefusal::Certificate(CertRefusal::Malformed)));
    let years = Duration::from_hours(24 * 365 * 11);
    assert_eq!(restore(&kept, START.plus(years)), Err(LogRefusal::Certificate(CertRefusal::Expired)));
}

/// A log of another life of the server, which has `kept` leaves of the one before, says so, and has gone on since.
struct Life {
    incarnation: u64,
    log: Log,
    said: Generations,
}

impl Life {
    fn after(log: &Log, kept: u64, incarnation: u64) -> Self {
        let previous = NoteName::of_log(log.trust.realm(), INCARNATION);
        let head = log.tree.head_at(kept).unwrap();
        let leaf = Leaf::Generation { previous, head, at: START };
        let mut tree: Tree = (0..u8::try_from(kept).unwrap()).map(|leaf| Hash::leaf(&[leaf])).collect();
        tree.push(leaf.leaf_hash());
        for leaf in 100..103 {
            tree.push(Hash::leaf(&[leaf]));
        }
        let inclusion = tree.inclusion(kept, tree.size()).unwrap();
        let said = Generations(vec![LogProof { leaf: ByteBuf::from(leaf.encode()), inclusion }]);
        // Its keys are those of the realm: its seed says which.
        Self { incarnation, log: Log { tree, ..Log::new(1, 0) }, said }
    }

    /// What a device that has seen so much is shown.
    fn hear(&self, following: &mut Following, says: bool) -> Result<News, LogRefusal> {
        let (tree, seen) = (&self.log.tree, following.seen());
        following.hear_generations(if says { self.said.clone() } else { Generations::default() });
        let head = LogHead {
            certificate: ByteBuf::from(self.log.founded.log.clone()),
            checkpoint: self.log.signed(tree.head(), self.incarnation),
            consistency: tree.consistency(seen, tree.size()),
        };
        following.hear(&self.log.trust, self.incarnation, &head, START)
    }

    fn name(&self) -> NoteName {
        NoteName::of_log(self.log.trust.realm(), self.incarnation)
    }

    fn refusal(&self, seen: u64, kept: Option<u64>) -> LogRefusal {
        LogRefusal::Restored(Box::new(Restored { log: self.name(), seen, kept }))
    }
}

#[test]
fn a_restored_log_that_has_all_that_was_seen_is_gone_on_with_and_said_to_be_another() {
    let log = Log::new(1, 9);
    for (kept, seen) in [(5, 5), (5, 3), (9, 9)] {
        let life = Life::after(&log, kept, 8);
        let mut following = log.seen(seen);
        let news = life.hear(&mut following, false);
        assert!(matches!(news, Ok(News::Another(_))), "{news:?}");
        assert_eq!(following.view().unwrap().newest().origin(), &life.name());
        assert_eq!(life.hear(&mut following, false), Ok(News::None), "once");
    }
}

#[test]
fn a_restored_log_without_what_was_seen_is_refused_until_its_person_takes_it() {
    let log = Log::new(1, 9);
    let (life, other) = (Life::after(&log, 5, 8), Life::after(&log, 6, 9));
    let mut following = log.seen(7);
    assert_eq!(life.hear(&mut following, true), Err(life.refusal(7, Some(5))));
    assert_eq!(life.hear(&mut following, false), Err(life.refusal(7, None)), "it does not say where it begins");
    assert_eq!(following.seen(), 7, "nothing has changed");
    let said = life.refusal(7, Some(5)).to_string();
    assert!(said.contains("for the generation of its log") && !said.contains("0000000000000008"), "{said}");
    following.accept(life.name());
    assert_eq!(other.hear(&mut following, true), Err(other.refusal(7, Some(6))), "the word is for one log");
    let news = life.hear(&mut following, true);
    assert!(matches!(news, Ok(News::Another(_))), "{news:?}");
    assert_eq!(following.seen(), life.log.tree.size());
    assert_eq!(other.hear(&mut following, true), Err(other.refusal(9, None)), "and for once");
}

#[test]
fn what_a_server_says_of_its_generations_is_believed_with_a_proof_alone() {
    let log = Log::new(1, 9);
    let life = Life::after(&log, 5, 8);
    let elsewhere = Life::after(&log, 6, 8);
    let mut following = log.seen(7);
    following.hear_generations(elsewhere.said);
    let head = LogHead {
        certificate: ByteBuf::from(life.log.founded.log.clone()),
        checkpoint: life.log.signed(life.log.tree.head(), 8),
        consistency: None,
    };
    let heard = following.hear(&log.trust, 8, &head, START);
    assert_eq!(heard.unwrap_err(), life.refusal(7, None));
    let mut proof = life.log.tree.consistency(7, 9).unwrap();
    proof = log.tree.consistency(7, 9).unwrap_or(proof);
    let head = LogHead { consistency: Some(proof), ..head };
    assert_eq!(
        following.hear(&log.trust, 8, &head, START).unwrap_err(),
        life.refusal(7, None),
        "a proof of another log"
    );
}

fn fetched(town: &mut Town, member: usize, user: &str) -> Vec<Fetched> {
    town.command(member, Command::Fetch(device_name(user, "laptop").user));
    let certificates =
        |event| if let Event::Asked(Asked::Certificates(_, fetched)) = event { Some(fetched) } else { None };
    town.news(member).into_iter().find_map(certificates).expect("an answer")
}

#[test]
fn whoever_joins_follows_the_log_and_believes_those_who_come_later() {
    let mut town = Town::new();
    let identity = town.enrol("alice");
    assert_eq!(identity.log.seen(), 3, "issuing CA, relay, alice");
    let alice = town.join(identity, false);
    town.enrol("bob");
    for user in ["bob", "alice"] {
        assert!(fetched(&mut town, alice, user)[0].verdict.is_ok());
    }
    assert_eq!(town.server.state().log().size(), 4);
}

#[test]
fn the_whole_log_is_read_page_by_page_and_makes_the_root_that_was_signed() {
    let mut town = Town::new();
    let identities: Vec<_> = (0..30).map(|n| town.enrol(&format!("user{n}"))).collect();
    let member = town.join(identities[0].clone(), false);
    town.command(member, Command::ReadLog);
    let news = town.news(member);
    let audit =
        news.iter().find_map(|event| if let Event::Asked(Asked::Log(audit)) = event { Some(audit) } else { None });
    let audit = audit.unwrap().as_ref().unwrap();
    let followed = news
        .iter()
        .find_map(|event| if let Event::Followed(followed) = event { Some(followed.as_ref()) } else { None });
    let known = Following::restore(&identities[0].trust, followed.unwrap(), town.now.wall).unwrap();
    assert_eq!((known.view().unwrap().newest().head(), audit.head().size), (audit.head(), 32));
    let own: Vec<_> = audit.about().iter().map(|(_, leaf)| leaf.certified().map(|one| &one.name)).collect();
    assert_eq!(own, [Some(&identities[0].name)]);
}

#[test]
fn a_page_that_is_too_long_or_without_end_is_a_breach_and_no_more_is_asked_for_than_was_signed() {
    let page = |leaves: usize, more| LogPage { leaves: vec![ByteBuf::from([1]); leaves], more };
    assert_eq!(page(LOG_PAGE_MAX, true).check(), Ok(()));
    assert_eq!(page(LOG_PAGE_MAX + 1, true).check(), Err(Fault::Malformed));
    assert_eq!(page(0, true).check(), Err(Fault::Malformed), "a page without end");
    assert_eq!(page(0, false).check(), Ok(()));

    let mut town = Town::new();
    let mut identity = town.enrol("alice");
    let read = |own: &Identity, page: &LogPage| {
        let (mut asks, now) = (Asks::default(), Now { mono: Instant(1), wall: START });
        asks.online(now);
        asks.read_log(now);
        let Some(RelayRequest::Leaves { ask, from: 0 }) = asks.poll_request() else { panic!("the log was asked for") };
        asks.leaves(ask, page, own, now);
        (asks.poll_request(), asks.poll_event(), asks.next_deadline())
    };
    let signed = identity.log.view().unwrap().newest().head().size;
    let state = town.server.state();
    let log: Vec<_> = (0..signed).map(|index| ByteBuf::from(state.leaf(index).unwrap().encode())).collect();
    assert_eq!(log.len() as u64, signed);
    let endless = LogPage { leaves: log, more: true };
    let (asked, told, wakes) = read(&identity, &endless);
    assert!(matches!(told, Some(Asked::Log(Ok(_)))), "{told:?}");
    assert_eq!((asked, wakes), (None, None));
    // Entries that can't be read, or nothing to hold them against, end it as well.
    let (asked, told, _) = read(&identity, &page(2, true));
    assert!(matches!(told, Some(Asked::Log(Err(AuditRefusal::Leaf { index: 0, .. })))) && asked.is_none(), "{told:?}");
    identity.log = Following::default();
    let (asked, told, _) = read(&identity, &endless);
    assert_eq!((asked, told), (None, Some(Asked::Log(Err(AuditRefusal::Unsigned)))));
}

#[test]
fn a_server_that_has_lost_what_it_signed_is_left_for_good_and_it_is_said_why() {
    let mut town = Town::new();
    let old = town.journal.clone();
    let mut identity = town.enrol("alice");
    town.enrol("bob");
    let alice = town.join(identity.clone(), false);
    let grown = |event| if let Event::Followed(followed) = event { Some(*followed) } else { None };
    let kept = town.news(alice).into_iter().find_map(grown).expect("bob has come since");
    identity.log = Following::restore(&identity.trust, &kept, town.now.wall).unwrap();
    // The backup knows alice, whose certificate came before, and not bob.
    let journal = town.journal[..old.len() + 3].to_vec();
    let mut town = Town::with_founded(town.founded, journal);
    let alice = town.join(identity, false);
    let news = town.news(alice);
    let refused = |event: &Event| matches!(event, Event::LogRefused(LogRefusal::History(_)));
    assert!(news.iter().any(refused), "{news:?}");
    assert_eq!(news.last(), Some(&Event::GivenUp(CloseReason::Fault(Fault::History))));
}

#[test]
fn a_certificate_that_is_good_but_not_in_the_log_is_not_believed() {
    let mut town = Town::new();
    let [alice, bob] = ["alice", "bob"].map(|user| town.enrol(user));
    let intermediates = [alice.credentials.issuing.clone()];
    let judge = |leaf: &CertificateDer<'_>| {
        crate::tls::judge_device(&alice.trust, leaf, &intermediates, crate::tls::Side::Client, START, None).unwrap()
    };
    let state = town.server.state();
    let proof_of = |user: &str| {
        let serial = state.device(&device_name(user, "laptop")).unwrap().serial;
        let progress = state.progress(serial).unwrap();
        crate::tlog::keeper::proof(state.log(), progress.issued.unwrap().leaf, &progress.leaf().unwrap()).unwrap()
    };
    let (of_alice, of_bob) = (proof_of("alice"), proof_of("bob"));
    let log = bob.log;
    let leaf = &alice.credentials.leaf;
    assert!(log.believe(&judge(leaf), Some(&of_alice), &Lineage::default()).is_ok());
    assert_eq!(log.believe(&judge(leaf), None, &Lineage::default()), Err(LogRefusal::Unproven));
    assert_eq!(log.believe(&judge(leaf), Some(&of_bob), &Lineage::default()), Err(LogRefusal::OtherLeaf));
    let moved = LogProof { leaf: of_alice.leaf.clone(), inclusion: of_bob.inclusion };
    assert!(matches!(log.believe(&judge(leaf), Some(&moved), &Lineage::default()), Err(LogRefusal::Proof(_))));
    let noise = LogProof { leaf: ByteBuf::from([9, 9]), inclusion: of_alice.inclusion.clone() };
    assert!(matches!(log.believe(&judge(leaf), Some(&noise), &Lineage::default()), Err(LogRefusal::Leaf(_))));
    // A leaf that differs in one thing alone is another leaf.
    let Ok(Leaf::DeviceCertificate(said)) = Leaf::decode(&of_alice.leaf) else { panic!("a device's leaf") };
    let others = [
        Certified { name: device_name("alice", "phone"), ..said.clone() },
        Certified { serial: crate::id::Serial::draw(&mut rng(5)), ..said.clone() },
        Certified { key: crate::id::KeyId([5; 32]), ..said.clone() },
        Certified { certificate: crate::id::Fingerprint([5; 32]), ..said },
    ];
    for other in others {
        let proof = LogProof {
            leaf: ByteBuf::from(Leaf::DeviceCertificate(other.clone()).encode()),
            inclusion: of_alice.inclusion.clone(),
        };
        assert_eq!(
            log.believe(&judge(leaf), Some(&proof), &Lineage::default()),
            Err(LogRefusal::OtherLeaf),
            "{other:?}"
        );
    }
    let nobody = Following::default();
    assert_eq!(nobody.believe(&judge(leaf), Some(&of_alice), &Lineage::default()), Err(LogRefusal::Unproven));
}
