//! A flood of strangers, in virtual time: what they may cause is counted where it is done, and the members talk on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::NamedGroup;
use rustls::crypto::{ActiveKeyExchange, CompletedKeyExchange, SupportedKxGroup};

use super::super::*;
use crate::device::calls::CallEvent;
use crate::device::{Command, Event};
use crate::id::CallId;
use crate::limits::{KEY_OPERATIONS_PER_SECOND, KEY_OPERATIONS_SPAN, STRANGERS_MAX, STRANGERS_NOTE_SPAN};
use crate::link::Link;
use crate::testing::{START, Town, device_name, env, rng};
use crate::tls::{Credentials, Dial};

/// X25519 that counts the server's half.
#[derive(Debug, Default)]
struct Counting(AtomicU64);

impl SupportedKxGroup for Counting {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, rustls::Error> {
        rustls::crypto::aws_lc_rs::kx_group::X25519.start()
    }

    fn start_and_complete(&self, theirs: &[u8]) -> Result<CompletedKeyExchange, rustls::Error> {
        self.0.fetch_add(1, Ordering::Relaxed);
        rustls::crypto::aws_lc_rs::kx_group::X25519.start_and_complete(theirs)
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// A TLS that counts its key agreements, for as long as the process lives.
fn counting() -> (TlsEnv, &'static AtomicU64) {
    let TlsEnv { provider, clock } = env();
    let counting: &'static Counting = Box::leak(Box::default());
    let provider = rustls::crypto::CryptoProvider { kx_groups: vec![counting], ..(*provider).clone() };
    (TlsEnv { provider: Arc::new(provider), clock }, &counting.0)
}

/// Alice and bob in a call that is open, each on a connection of a quiet source; and the server's key agreements.
fn talking() -> (Town, [(usize, CallId); 2], &'static AtomicU64) {
    let (env, agreed) = counting();
    let founded = crate::pki::found_realm(&Realm::default(), START, &mut rng(1));
    let mut town = Town::over(env, founded, Vec::new());
    for name in ["alice", "bob"] {
        let identity = town.enrol(name);
        town.join(identity, true);
    }
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    town.command(alice, Command::Call(CallId(1), device_name("bob", "laptop").user, Duration::ZERO));
    let incoming = |event: &Event| if let Event::Call(id, CallEvent::Incoming(_)) = event { Some(*id) } else { None };
    let theirs = town.news(bob).iter().find_map(incoming).expect("bob is called");
    town.command(bob, Command::Accept(theirs));
    (town, [(alice, CallId(1)), (bob, theirs)], agreed)
}

/// What strangers do, one after the other.
struct Strangers {
    came: u64,
    /// Those who play a whole handshake, as far as they get.
    players: Vec<(ConnId, Link)>,
    enrol: Dial,
    relay: Dial,
}

impl Strangers {
    fn new(town: &Town) -> Self {
        let other = crate::pki::found_realm(&Realm::default(), START, &mut rng(77));
        let authority = crate::testing::authority(&other);
        let key = SecretKey::draw(&mut rng(78));
        let leaf = authority.issue_relay(&key, START, &mut rng(79)).expect("a certificate of their own making");
        let credentials = Credentials { leaf: leaf.into(), issuing: authority.issuing().clone(), key: key.into() };
        let trust = town.server.ca.authority().trust();
        Self {
            came: 0,
            players: Vec::new(),
            enrol: Dial::enrol(&counting().0, &Realm::default(), town.server.root()),
            relay: Dial::relay(&counting().0, &credentials, trust),
        }
    }

    /// One more comes: silent, talking nonsense, half-open at either door, or with a handshake that it plays to its end.
    fn come(&mut self, town: &mut Town, source: Source) {
        self.came += 1;
        let conn = town.next_conn();
        town.server.handle(Input::Opened(conn, source), town.now, &mut town.rng);
        let dial = match self.came % 6 {
            0 => return,
            1 => return town.server.handle(Input::Received(conn, b"nonsense"), town.now, &mut town.rng),
            2 | 3 => &self.enrol,
            _ => &self.relay,
        };
        let mut link = Link::connect(dial);
        let hello = link.outbound().to_vec();
        link.sent(hello.len());
        town.server.handle(Input::Received(conn, &hello), town.now, &mut town.rng);
        if self.came.is_multiple_of(2) {
            self.players.push((conn, link));
        }
    }

    /// Those who play take what the server says, and answer.
    fn play(&mut self, town: &mut Town) {
        self.players.retain_mut(|(conn, link)| {
            let bytes = town.server.outbound(*conn).to_vec();
            if bytes.is_empty() {
                return true;
            }
            town.server.handle(Input::Sent(*conn, bytes.len()), town.now, &mut town.rng);
            link.received(&bytes, &mut Vec::new());
            town.server.handle(Input::Received(*conn, link.outbound()), town.now, &mut town.rng);
            false
        });
    }
}

/// So many strangers a millisecond for so long, while the members say a line each in every millisecond. What each heard.
fn flood(
    town: &mut Town,
    ends: [(usize, CallId); 2],
    millis: u64,
    mut source: impl FnMut(u64) -> Source,
) -> [Vec<String>; 2] {
    let mut strangers = Strangers::new(town);
    let mut heard = [Vec::new(), Vec::new()];
    for n in 0..millis {
        for _ in 0..2 {
            let from = source(strangers.came);
            strangers.come(town, from);
        }
        town.wait(Duration::from_millis(1));
        strangers.play(town);
        assert!(town.server.strangers.len() <= STRANGERS_MAX);
        for (member, call) in ends {
            town.command(member, Command::Say(call, n.to_string()));
        }
        for ((member, _), heard) in ends.into_iter().zip(&mut heard) {
            heard.extend(town.news(member).into_iter().filter_map(|event| {
                if let Event::Call(_, CallEvent::Line(_, text)) = event { Some(text) } else { None }
            }));
            assert_eq!(heard.len() as u64, n + 1, "a line arrives at the moment in which it is said");
        }
    }
    heard
}

#[test]
fn a_flood_costs_no_more_public_key_work_than_its_bound_and_the_members_no_line() {
    const MILLIS: u64 = 1_500;
    let (mut town, ends, agreements) = talking();
    let (before, agreed_before, begun) =
        (town.server.strangers_work(), agreements.load(Ordering::Relaxed), town.now.mono);
    let heard = flood(&mut town, ends, MILLIS, |n| Source::of(std::net::IpAddr::from([10, 0, 0, (n % 3) as u8])));
    assert!(heard.iter().all(|lines| (0..MILLIS).map(|n| n.to_string()).eq(lines.iter().cloned())));

    let work = town.server.strangers_work();
    let time = town.now.mono.since(begun) + KEY_OPERATIONS_SPAN;
    let most = u64::try_from(time.as_millis()).expect("short") * u64::from(KEY_OPERATIONS_PER_SECOND) / 1000;
    let paid = work.key_operations - before.key_operations;
    assert!(paid <= most, "{paid} operations of {most}");
    assert!(paid * 100 > most * 98, "{paid} operations of {most}: the flood was no flood");
    let agreed = agreements.load(Ordering::Relaxed) - agreed_before;
    assert_eq!(agreed, work.turns - before.turns, "no handshake goes on without its turn");
    assert!(work.held_back > 1_000 && work.unserved > 0, "{work:?}");

    // The log says so, not often; and when it is over nobody waits any more.
    town.wait(STRANGERS_NOTE_SPAN * 3);
    let noted = town.notes.iter().filter(|note| matches!(note, Note::Strangers(_))).count();
    assert!((2..=3).contains(&noted), "{noted} notes");
    assert_eq!(town.server.strangers.len(), 0);
    assert_eq!(town.server.connections(), 2);
}

#[test]
fn a_member_who_comes_in_a_flood_is_let_in_at_once_from_elsewhere_and_soon_from_the_same_source() {
    for (same, patience) in [(false, Duration::from_millis(5)), (true, Duration::from_secs(4))] {
        let (mut town, ..) = talking();
        let carol = town.enrol("carol");
        let flooded = if same { Source::default() } else { Source::of(std::net::IpAddr::from([10, 0, 0, 1])) };
        let mut strangers = Strangers::new(&town);
        let rush = |town: &mut Town, strangers: &mut Strangers| {
            for _ in 0..if same { 1 } else { 2 } {
                strangers.come(town, flooded);
            }
            town.wait(Duration::from_millis(1));
            strangers.play(town);
        };
        for _ in 0..if same { 1_200 } else { 600 } {
            rush(&mut town, &mut strangers);
        }
        assert!(town.server.strangers_work().unserved > 0, "places are taken from those who wait");
        let (came, carol) = (town.now.mono, town.join(carol, true));
        let is_online = |town: &mut Town| town.news(carol).iter().any(|event| matches!(event, Event::Online(_)));
        while !is_online(&mut town) {
            rush(&mut town, &mut strangers);
            assert!(town.now.mono.since(came) <= patience, "not let in within {patience:?}");
        }
    }
}
