//! What a device asks the relay: somebody's certificates, and answers that lie or do not come.

use serde_bytes::ByteBuf;

use super::super::asks::Asks;
use super::*;
use crate::device::Identity;
use crate::fault::Fault;
use crate::id::AskId;
use crate::limits::{ASK_TIME_MAX, DEVICES_PER_USER_MAX};
use crate::time::{Now, Wall};
use crate::tls::CertRefusal;
use crate::wire::Extensions;
use crate::wire::relay::{RelayEvent, RelayRequest};

fn certificates(events: &[Event]) -> (UserName, Vec<Result<String, CertRefusal>>) {
    let asked = events.iter().find_map(|event| {
        let Event::Asked(Asked::Certificates(user, fetched)) = event else { return None };
        Some((user, fetched))
    });
    let Some((user, fetched)) = asked else { panic!("{events:?}") };
    let who = |fetched: &crate::device::Fetched| fetched.verdict.clone().map(|judged| judged.device.to_string());
    (user.clone(), fetched.iter().map(who).collect())
}

#[test]
fn any_member_gets_anothers_certificate_and_its_own_and_nobody_elses() {
    let mut town = Town::of(&["alice", "bob"]);
    let alice = town.devices()[0];
    for name in ["bob", "alice"] {
        town.news(alice);
        town.command(alice, Command::Fetch(user(name)));
        assert_eq!(certificates(&town.news(alice)), (user(name), vec![Ok(format!("{name}/laptop"))]));
    }
    town.command(alice, Command::Fetch(user("nobody")));
    assert_eq!(town.news(alice), [Event::Asked(Asked::Refused(Code::NO_SUCH_USER))]);
}

#[test]
fn an_ask_that_is_made_offline_is_answered_by_the_next_relay() {
    let mut town = Town::of(&["alice", "bob"]);
    let alice = town.devices()[0];
    town.unreachable = true;
    town.cut(alice);
    town.command(alice, Command::Fetch(user("bob")));
    town.command(alice, Command::Who);
    town.unreachable = false;
    town.wait(Duration::from_secs(60));
    let asked = |event: &Event| matches!(event, Event::Asked(Asked::Certificates(..) | Asked::People(_)));
    assert_eq!(town.news(alice).iter().filter(|event| asked(event)).count(), 2);
}

/// Asks of alice's, whose relay is this test.
fn asks() -> (Asks, Identity, Identity, Now) {
    let mut town = Town::new();
    let [alice, bob] = ["alice", "bob"].map(|name| town.enrol(name));
    let mut asks = Asks::default();
    asks.online(town.now);
    (asks, alice, bob, town.now)
}

fn of(identity: &Identity, ask: AskId, more: bool) -> RelayEvent {
    RelayEvent::Certificate {
        ask,
        leaf: ByteBuf::from(identity.credentials.leaf.to_vec()),
        issuing: ByteBuf::from(identity.credentials.issuing.to_vec()),
        more,
        extensions: Extensions::default(),
    }
}

fn fetching(asks: &mut Asks, now: Now) -> AskId {
    asks.fetch(user("bob"), now);
    let Some(RelayRequest::Fetch { ask, .. }) = asks.poll_request() else { panic!("nothing was asked") };
    ask
}

#[test]
fn a_relay_that_answers_with_somebody_elses_or_an_expired_certificate_is_not_believed() {
    let (mut asks, alice, bob, now) = asks();
    let ask = fetching(&mut asks, now);
    asks.certificate(of(&alice, ask, true), &alice, now).unwrap();
    asks.certificate(of(&bob, AskId(0), false), &alice, now).unwrap();
    assert_eq!(asks.poll_event(), None, "the answer to another ask is passed over");
    let later = Now { wall: Wall(now.wall.0 + 91 * 24 * 60 * 60), ..now };
    asks.certificate(of(&bob, ask, false), &alice, later).unwrap();
    let told = [Event::Asked(asks.poll_event().unwrap())];
    assert_eq!(certificates(&told).1, [Err(CertRefusal::OtherName), Err(CertRefusal::Expired)]);
}

#[test]
fn a_fetched_certificate_that_comes_without_the_logs_proof_is_not_believed() {
    let (mut asks, alice, bob, now) = asks();
    let ask = fetching(&mut asks, now);
    asks.certificate(of(&bob, ask, false), &alice, now).unwrap();
    let told = [Event::Asked(asks.poll_event().unwrap())];
    assert_eq!(certificates(&told).1, [Err(CertRefusal::NotLogged)]);
}

#[test]
fn an_answer_without_end_is_a_breach() {
    let (mut asks, alice, bob, now) = asks();
    let ask = fetching(&mut asks, now);
    for _ in 1..DEVICES_PER_USER_MAX {
        asks.certificate(of(&bob, ask, true), &alice, now).unwrap();
    }
    assert_eq!(asks.certificate(of(&bob, ask, true), &alice, now), Err(Fault::Malformed));
}

#[test]
fn an_ask_that_the_relay_does_not_answer_has_failed_in_time() {
    let (mut asks, .., now) = asks();
    asks.who(now);
    asks.fetch(user("bob"), now);
    let at = |time: Duration| Now { mono: now.mono.plus(time), ..now };
    asks.tick(at(ASK_TIME_MAX.saturating_sub(Duration::from_micros(1))));
    assert_eq!(asks.poll_event(), None);
    asks.tick(at(ASK_TIME_MAX));
    assert_eq!([asks.poll_event(), asks.poll_event()], [Some(Asked::Unanswered), Some(Asked::Unanswered)]);
    assert_eq!(asks.next_deadline(), None);
}
