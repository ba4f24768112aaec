//! The relay's rooms on their own: windows, crossings, limits. What people see of them is in `device/tests.rs`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use serde_bytes::ByteBuf;

use super::tunnel::{Tunnels, forward_cost};
use super::*;
use crate::effect::Effect;
use crate::limits::{
    FORWARD_BYTES_MAX, FORWARD_OVERHEAD_BYTES, RING_TIME_MAX, TUNNEL_WINDOW_BYTES, TUNNELS_PER_DEVICE_MAX,
};
use crate::wire::frame::decode;
use crate::wire::{Body, FrameReader};

const CALLER: ConnId = ConnId(1);
const CALLEE: ConnId = ConnId(2);
const OTHER: ConnId = ConnId(3);

fn sent(out: &mut Effects) -> Vec<(ConnId, RelayEvent)> {
    let mut events = Vec::new();
    while let Some(effect) = out.pop() {
        let Effect::Send(conn, frame) = effect else { panic!("{effect:?}") };
        let mut bodies = Vec::new();
        FrameReader::default().read(frame.bytes(), &mut bodies).unwrap();
        let [Body::Message(body)] = bodies.as_slice() else { panic!("{bodies:?}") };
        events.push((conn, decode(body).unwrap()));
    }
    events
}

fn bytes(n: usize) -> ByteBuf {
    ByteBuf::from(vec![0; n])
}

fn introduced(tunnels: &mut Tunnels) -> TunnelId {
    tunnels.introduce(CALLER, &[CALLEE], Instant(0)).unwrap()[&CALLEE]
}

fn open() -> (Tunnels, TunnelId, Effects) {
    let mut tunnels = Tunnels::default();
    let mut out = Effects::default();
    let id = introduced(&mut tunnels);
    tunnels.accept(CALLEE, id, &mut out).unwrap();
    assert_eq!(sent(&mut out), [(CALLER, RelayEvent::Accepted { tunnel: id })]);
    (tunnels, id, out)
}

#[test]
fn a_tunnel_carries_as_much_as_it_has_credit_for_in_each_direction() {
    let (mut tunnels, id, mut out) = open();
    for (from, to) in [(CALLER, CALLEE), (CALLEE, CALLER)] {
        let mut credit = TUNNEL_WINDOW_BYTES;
        while credit > FORWARD_OVERHEAD_BYTES {
            let length = FORWARD_BYTES_MAX.min((credit - FORWARD_OVERHEAD_BYTES) as usize);
            tunnels.forward(from, id, bytes(length), &mut out).unwrap();
            credit -= forward_cost(length);
        }
        assert!(sent(&mut out).iter().all(|(conn, _)| *conn == to));
        assert_eq!(tunnels.forward(from, id, bytes(1), &mut out), Err(Fault::Credit));
        let five = forward_cost(5);
        tunnels.credit(to, id, five, &mut out).unwrap();
        assert_eq!(sent(&mut out), [(from, RelayEvent::Credited { tunnel: id, bytes: five })]);
        tunnels.forward(from, id, bytes(5), &mut out).unwrap();
        assert_eq!(tunnels.forward(from, id, bytes(1), &mut out), Err(Fault::Credit));
        sent(&mut out);
    }
}

#[test]
fn nobody_gives_more_credit_than_the_window() {
    let (mut tunnels, id, mut out) = open();
    assert_eq!(tunnels.credit(CALLER, id, 1, &mut out), Err(Fault::Credit));
}

#[test]
fn what_is_out_of_turn_is_a_fault_and_what_only_crossed_is_passed_over() {
    let mut tunnels = Tunnels::default();
    let mut out = Effects::default();
    let id = introduced(&mut tunnels);
    assert_eq!(tunnels.forward(CALLER, id, bytes(1), &mut out), Err(Fault::Unexpected), "it only rings");
    assert_eq!(tunnels.accept(CALLER, id, &mut out), Err(Fault::Unexpected), "the caller can't accept");
    assert_eq!(tunnels.accept(OTHER, id, &mut out), Err(Fault::Unexpected));
    tunnels.accept(CALLEE, id, &mut out).unwrap();
    assert_eq!(tunnels.forward(OTHER, id, bytes(1), &mut out), Err(Fault::Unexpected), "somebody else's tunnel");
    assert_eq!(tunnels.credit(OTHER, id, 1, &mut out), Err(Fault::Unexpected));
    sent(&mut out);
    tunnels.hang_up(OTHER, id, Code::HUNG_UP, &mut out);
    assert_eq!(sent(&mut out), [], "nobody else can end it");
    tunnels.hang_up(CALLER, id, Code::HUNG_UP, &mut out);
    assert_eq!(sent(&mut out), [(CALLEE, RelayEvent::Ended { tunnel: id, code: Code::HUNG_UP })]);
    assert_eq!(tunnels.forward(CALLEE, id, bytes(1), &mut out), Ok(()));
    assert_eq!(tunnels.accept(CALLEE, id, &mut out), Ok(()));
    assert_eq!(tunnels.credit(CALLEE, id, 1, &mut out), Ok(()));
    assert_eq!(sent(&mut out), []);
}

#[test]
fn a_call_rings_for_a_bounded_time_and_a_gone_end_ends_it() {
    let mut tunnels = Tunnels::default();
    let mut out = Effects::default();
    let id = introduced(&mut tunnels);
    assert_eq!(tunnels.next_deadline(), Some((Instant(0).plus(RING_TIME_MAX), id)));
    tunnels.tick(Instant(0).plus(RING_TIME_MAX), &mut out);
    let ended = RelayEvent::Ended { tunnel: id, code: Code::NO_ANSWER };
    assert_eq!(sent(&mut out), [(CALLER, ended.clone()), (CALLEE, ended)]);
    assert_eq!(tunnels.next_deadline(), None);

    let id = introduced(&mut tunnels);
    tunnels.gone(CALLEE, &mut out);
    assert_eq!(sent(&mut out), [(CALLER, RelayEvent::Ended { tunnel: id, code: Code::GONE })]);
    assert_eq!(tunnels.next_deadline(), None);
}

#[test]
fn one_device_has_so_many_tunnels_and_no_more() {
    let mut tunnels = Tunnels::default();
    for n in 0..TUNNELS_PER_DEVICE_MAX as u64 {
        tunnels.introduce(CALLER, &[ConnId(100 + n)], Instant(0)).unwrap();
    }
    assert_eq!(tunnels.introduce(CALLER, &[CALLEE], Instant(0)), Err(Code::TOO_MANY_CALLS));
    assert_eq!(tunnels.introduce(OTHER, &[CALLER], Instant(0)), Err(Code::IN_A_CALL));
}

/// Devices of one person, besides [`CALLEE`].
const PHONE: ConnId = ConnId(10);
const TABLET: ConnId = ConnId(11);

/// The caller rings at three devices of one person, whose branches have these numbers.
fn ringing_at_three(tunnels: &mut Tunnels) -> [TunnelId; 3] {
    let branches = tunnels.introduce(CALLER, &[CALLEE, PHONE, TABLET], Instant(0)).unwrap();
    assert_eq!(branches.len(), 3);
    [CALLEE, PHONE, TABLET].map(|conn| branches[&conn])
}

fn ended(conn: ConnId, tunnel: TunnelId, code: Code) -> (ConnId, RelayEvent) {
    (conn, RelayEvent::Ended { tunnel, code })
}

#[test]
fn the_first_branch_that_is_taken_has_the_call_and_the_others_hear_so() {
    let (mut tunnels, mut out) = (Tunnels::default(), Effects::default());
    let [laptop, phone, tablet] = ringing_at_three(&mut tunnels);
    tunnels.accept(PHONE, phone, &mut out).unwrap();
    let elsewhere = Code::ELSEWHERE;
    assert_eq!(
        sent(&mut out),
        [
            (CALLER, RelayEvent::Accepted { tunnel: phone }),
            ended(CALLER, laptop, elsewhere),
            ended(CALLEE, laptop, elsewhere),
            ended(CALLER, tablet, elsewhere),
            ended(TABLET, tablet, elsewhere),
        ]
    );
    assert_eq!(tunnels.next_deadline(), None);
    assert_eq!((tunnels.open_at(CALLER), tunnels.open_at(PHONE), tunnels.open_at(CALLEE)), (1, 1, 0));
    // The laptop had taken it in the same moment.
    assert_eq!(tunnels.accept(CALLEE, laptop, &mut out), Ok(()));
    tunnels.hang_up(CALLER, tablet, Code::HUNG_UP, &mut out);
    tunnels.hang_up(TABLET, tablet, Code::DECLINED, &mut out);
    assert_eq!(sent(&mut out), [], "what crossed is passed over");
    assert_eq!(tunnels.open_at(PHONE), 1);
}

#[test]
fn one_device_declines_for_the_person_and_everything_else_is_for_itself_alone() {
    let (mut tunnels, mut out) = (Tunnels::default(), Effects::default());
    for code in [Code::IN_A_CALL, Code::HUNG_UP, Code::GLARE, Code::ELSEWHERE, Code::DECLINED] {
        let [laptop, phone, tablet] = ringing_at_three(&mut tunnels);
        tunnels.hang_up(PHONE, phone, code, &mut out);
        let others = [(CALLEE, laptop), (TABLET, tablet)];
        let both = others.into_iter().flat_map(|(conn, id)| [ended(CALLER, id, code), ended(conn, id, code)]);
        let beside: Vec<_> = both.filter(|_| code == Code::DECLINED).collect();
        assert_eq!(sent(&mut out), [vec![ended(CALLER, phone, code)], beside].concat(), "{code}");
        // A caller's word is about one branch, whatever it is.
        tunnels.hang_up(CALLER, laptop, Code::DECLINED, &mut out);
        let told = if code == Code::DECLINED { vec![] } else { vec![ended(CALLEE, laptop, Code::DECLINED)] };
        assert_eq!(sent(&mut out), told, "{code}");
        tunnels.gone(CALLER, &mut out);
        sent(&mut out);
    }
    assert_eq!(tunnels.next_deadline(), None);
}

#[test]
fn a_branch_whose_end_is_gone_ends_alone_and_a_caller_who_is_gone_ends_all() {
    let (mut tunnels, mut out) = (Tunnels::default(), Effects::default());
    let [laptop, phone, tablet] = ringing_at_three(&mut tunnels);
    tunnels.gone(CALLEE, &mut out);
    assert_eq!(sent(&mut out), [ended(CALLER, laptop, Code::GONE)]);
    tunnels.gone(CALLER, &mut out);
    assert_eq!(sent(&mut out), [ended(PHONE, phone, Code::GONE), ended(TABLET, tablet, Code::GONE)]);

    let ids = ringing_at_three(&mut tunnels);
    tunnels.tick(Instant(0).plus(RING_TIME_MAX), &mut out);
    let both = |(conn, id)| [ended(CALLER, id, Code::NO_ANSWER), ended(conn, id, Code::NO_ANSWER)];
    let all: Vec<_> = [CALLEE, PHONE, TABLET].into_iter().zip(ids).flat_map(both).collect();
    assert_eq!(sent(&mut out), all, "each branch rings as long");
}

#[test]
fn an_opened_branch_is_a_tunnel_like_any_other() {
    let (mut tunnels, mut out) = (Tunnels::default(), Effects::default());
    let [laptop, phone, _] = ringing_at_three(&mut tunnels);
    assert_eq!(tunnels.accept(PHONE, laptop, &mut out), Err(Fault::Unexpected), "another device's branch");
    tunnels.accept(PHONE, phone, &mut out).unwrap();
    sent(&mut out);
    tunnels.forward(PHONE, phone, bytes(5), &mut out).unwrap();
    assert_eq!(sent(&mut out), [(CALLER, RelayEvent::Forwarded { tunnel: phone, bytes: bytes(5) })]);
    tunnels.forward(CALLEE, laptop, bytes(5), &mut out).unwrap();
    assert_eq!(sent(&mut out), [], "the laptop's is over");
    tunnels.hang_up(PHONE, phone, Code::DECLINED, &mut out);
    assert_eq!(sent(&mut out), [ended(CALLER, phone, Code::DECLINED)]);
}

#[test]
fn to_a_caller_all_branches_are_one_introduction_and_to_each_who_is_called_its_own() {
    let mut tunnels = Tunnels::default();
    for _ in 0..TUNNELS_PER_DEVICE_MAX {
        ringing_at_three(&mut tunnels);
    }
    let to_three = [CALLEE, PHONE, TABLET];
    assert_eq!(tunnels.introduce(CALLER, &to_three, Instant(0)), Err(Code::TOO_MANY_CALLS));
    assert_eq!(tunnels.introduce(OTHER, &to_three, Instant(0)), Err(Code::IN_A_CALL), "none has room");
    let free = ConnId(12);
    let branches = tunnels.introduce(OTHER, &[PHONE, free], Instant(0)).unwrap();
    assert_eq!(branches.keys().copied().collect::<Vec<_>>(), [free], "whoever has no room is left out");
}

#[test]
fn each_device_has_a_count_of_its_own_and_old_counts_are_forgotten() {
    let mut rate = Rate::new(2, Duration::from_micros(10));
    let [alice, bob] = ["alice", "bob"].map(|user| crate::testing::device_name(user, "laptop"));
    assert!(rate.allows(&alice, Instant(0)));
    assert!(rate.allows(&bob, Instant(5)));
    assert!(rate.allows(&alice, Instant(9)));
    assert!(!rate.allows(&alice, Instant(9)));
    assert_eq!(rate.remembered(), 2);
    assert!(rate.allows(&alice, Instant(10)), "the span began with the first");
    assert!(rate.allows(&bob, Instant(10)));
    assert!(!rate.allows(&bob, Instant(14)));
    assert!(rate.allows(&bob, Instant(20)));
    assert_eq!(rate.remembered(), 1);
}

#[test]
fn many_small_forwards_fill_no_more_than_a_few_large_ones() {
    let (mut tunnels, id, mut out) = open();
    let mut queued = 0;
    while tunnels.forward(CALLER, id, bytes(1), &mut out).is_ok() {}
    while let Some(effect) = out.pop() {
        let Effect::Send(_, frame) = effect else { panic!("{effect:?}") };
        queued += frame.bytes().len();
    }
    assert!(queued <= TUNNEL_WINDOW_BYTES as usize, "{queued}");
}

#[test]
fn the_relay_passes_on_only_words_that_are_an_ends_to_say() {
    for code in [Code::DECLINED, Code::NO_ANSWER] {
        assert_eq!(codes::allowed(code), code);
    }
    assert_eq!(codes::allowed(Code::ELSEWHERE), Code::HUNG_UP);
    assert_eq!(codes::allowed(Code::SHUTTING_DOWN), Code::HUNG_UP);
    assert_eq!(codes::allowed(Code(9999)), Code::HUNG_UP);
}

#[test]
fn a_connection_fetches_for_one_ask_at_a_time() {
    let town = crate::testing::Town::of(&["alice"]);
    let (mut fetches, mut out) = (super::fetch::Fetches::default(), Effects::default());
    let alice = crate::id::UserName::parse("alice").unwrap();
    let mut ask = |conn, n| fetches.ask(conn, AskId(n), &alice, town.server.state(), &mut out);
    assert_eq!(ask(CALLER, 1), Ok(()));
    assert_eq!(ask(CALLER, 2), Err(Code::BUSY), "what it asked for first is being read");
    assert_eq!(ask(CALLEE, 1), Ok(()));
}

/// A review's find: a member could end the server with one request.
#[test]
fn leaves_beyond_the_end_of_the_log_are_none_wherever_they_are_asked_for() {
    let town = crate::testing::Town::of(&["alice"]);
    let (state, mut out) = (town.server.state(), Effects::default());
    let size = state.log().size();
    for (from, count) in [(0, size), (size - 1, 1), (size, 0), (size + 1, 0), (u64::MAX, 0)] {
        super::follow::Followers::leaves(CALLER, AskId(1), from, state, &mut out);
        let [(CALLER, RelayEvent::Leaves { page, .. })] = &sent(&mut out)[..] else { panic!("no page") };
        assert_eq!((page.leaves.len() as u64, page.more), (count, false), "from {from}");
    }
}
