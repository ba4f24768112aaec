//! Two devices that connect directly, and what may happen on the way: each scene has its end, in words.

use std::collections::BTreeSet;

use sim::scenes::scenes;

/// Plays a scene and compares how it ended: a line for each end, or for each way in which it may end.
fn ends(name: &str, expected: &[&str]) {
    let all = scenes();
    let scene = all.iter().find(|scene| scene.name == name).expect("there is such a scene");
    let played = scene.play().unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
    assert_eq!(played, expected, "{name}: {}", scene.what);
}

/// A test for each scene, and the names of all that have one.
macro_rules! scenes {
    ($($test:ident, $name:literal: $($end:literal),*;)*) => {
        $(#[test]
        fn $test() {
            ends($name, &[$($end),*]);
        })*

        const TESTED: &[&str] = &[$($name),*];
    };
}

scenes! {
    both_go_direct_and_part_in_good_order, "both-go-direct":
        "alice speaks by the tunnel, moves: direct, hears 4 lines, is done: ours FINISHED",
        "bob speaks by the tunnel, moves: direct, hears 4 lines, is done: theirs FINISHED";
    ipv6_is_as_good, "both-go-direct-by-ipv6":
        "alice speaks by the tunnel, moves: direct, hears 4 lines, is done: ours FINISHED",
        "bob speaks by the tunnel, moves: direct, hears 4 lines, is done: theirs FINISHED";
    two_who_call_each_other_at_once_have_one_call, "both-call-at-once":
        "alice speaks by the tunnel, moves: direct, hears 3 lines, is done: ours FINISHED",
        "bob speaks by the tunnel, moves: direct, hears 3 lines, is done: theirs FINISHED";
    a_call_that_is_declined_ends_so_for_both, "one-declines-the-call":
        "alice hears 0 lines, is done: refused DECLINED",
        "bob hears 0 lines, is done: refused DECLINED";
    whoever_wishes_for_the_tunnel_alone_is_called_by_the_tunnel, "one-declines-the-direct-way":
        "alice speaks by the tunnel, moves: tunnel: Declined, hears 4 lines, is done: ours FINISHED",
        "bob speaks by the tunnel, hears 4 lines, is done: theirs FINISHED";
    whoever_wishes_for_the_tunnel_alone_calls_by_the_tunnel, "the-caller-wishes-for-the-tunnel":
        "alice speaks by the tunnel, hears 4 lines, is done: ours FINISHED",
        "bob speaks by the tunnel, hears 4 lines, is done: theirs FINISHED";
    a_caller_without_an_address_stays_in_the_tunnel, "the-caller-has-no-address":
        "alice speaks by the tunnel, moves: tunnel: NoAddress, hears 4 lines, is done: ours FINISHED",
        "bob speaks by the tunnel, hears 4 lines, is done: theirs FINISHED";
    a_callee_without_an_address_stays_in_the_tunnel, "the-callee-has-no-address":
        "alice speaks by the tunnel, moves: tunnel: Declined, hears 4 lines, is done: ours FINISHED",
        "bob speaks by the tunnel, moves: tunnel: NoAddress, hears 4 lines, is done: theirs FINISHED";
    a_listener_that_cannot_be_made_leaves_the_call_in_the_tunnel, "the-port-is-closed":
        "alice speaks by the tunnel, moves: tunnel: Declined, hears 4 lines, is done: ours FINISHED",
        "bob speaks by the tunnel, moves: tunnel: NoAddress, hears 4 lines, is done: theirs FINISHED";
    a_filtered_port_is_given_up_in_time, "the-port-is-filtered":
        "alice speaks by the tunnel, moves: tunnel: TimedOut, hears 4 lines, is done: ours FINISHED",
        "bob speaks by the tunnel, moves: tunnel: TimedOut, hears 4 lines, is done: theirs FINISHED";
    addresses_at_which_nobody_is_are_given_up_at_once, "the-addresses-are-nobodys":
        "alice speaks by the tunnel, moves: tunnel: Unreachable, hears 4 lines, is done: ours FINISHED",
        "bob speaks by the tunnel, moves: tunnel: GivenUp, hears 4 lines, is done: theirs FINISHED";
    a_silent_bystander_is_given_up_in_time, "the-addresses-are-a-bystanders":
        "alice speaks by the tunnel, moves: tunnel: TimedOut, hears 4 lines, is done: ours FINISHED",
        "bob speaks by the tunnel, moves: tunnel: TimedOut, hears 4 lines, is done: theirs FINISHED";
    another_member_at_the_address_is_found_out, "the-addresses-are-another-members":
        "alice speaks by the tunnel, moves: tunnel: failed, fault Certificate(OtherName), hears 4 lines, is \
         done: ours FINISHED",
        "bob speaks by the tunnel, moves: tunnel: GivenUp, hears 4 lines, is done: theirs FINISHED";
    strangers_at_the_port_cost_nobody_a_line, "strangers-come-to-the-port":
        "alice speaks by the tunnel, moves: tunnel: TimedOut, hears 4 lines, is done: ours FINISHED",
        "bob speaks by the tunnel, moves: tunnel: TimedOut, hears 4 lines, is done: theirs FINISHED";
    a_callee_may_vanish_at_any_step, "the-callee-vanishes":
        "alice hears 0 lines, is done: refused GONE",
        "alice speaks by the tunnel, hears 0 lines, is done: Truncated",
        "alice speaks by the tunnel, moves: direct, moves: tunnel: broken, Truncated, hears 0 lines, is done: \
         Truncated",
        "alice speaks by the tunnel, moves: direct, moves: tunnel: broken, Truncated, hears 1 lines, is done: \
         Truncated",
        "alice speaks by the tunnel, moves: direct, moves: tunnel: broken, Truncated, hears 2 lines, is done: \
         Truncated",
        "alice speaks by the tunnel, moves: tunnel: Unreachable, hears 0 lines, is done: Truncated",
        "alice speaks by the tunnel, moves: tunnel: failed, Truncated, hears 0 lines, is done: Truncated";
    a_caller_may_vanish_at_any_step, "the-caller-vanishes":
        "bob hears 0 lines, is done: refused GONE",
        "bob speaks by the tunnel, hears 0 lines, is done: Truncated",
        "bob speaks by the tunnel, moves: direct, moves: tunnel: broken, Truncated, hears 0 lines, is done: Truncated",
        "bob speaks by the tunnel, moves: direct, moves: tunnel: broken, Truncated, hears 1 lines, is done: Truncated",
        "bob speaks by the tunnel, moves: direct, moves: tunnel: broken, Truncated, hears 2 lines, is done: Truncated";
    the_direct_connection_may_break_at_any_step, "the-direct-connection-breaks-at-each-step":
        "alice speaks by the tunnel, moves: direct, hears 4 lines, is done: ours FINISHED; bob speaks by the \
         tunnel, moves: direct, hears 4 lines, is done: theirs FINISHED",
        "alice speaks by the tunnel, moves: direct, moves: tunnel: broken, Truncated, hears 4 lines, is done: \
         ours FINISHED; bob speaks by the tunnel, moves: direct, moves: tunnel: broken, Truncated, hears 4 \
         lines, is done: theirs FINISHED",
        "alice speaks by the tunnel, moves: tunnel: failed, Truncated, hears 4 lines, is done: ours FINISHED; \
         bob speaks by the tunnel, moves: direct, moves: tunnel: broken, Truncated, hears 4 lines, is done: \
         theirs FINISHED",
        "alice speaks by the tunnel, moves: tunnel: failed, Truncated, hears 4 lines, is done: ours FINISHED; \
         bob speaks by the tunnel, moves: tunnel: GivenUp, hears 4 lines, is done: theirs FINISHED";
    a_direct_connection_that_breaks_costs_no_line, "the-direct-connection-breaks":
        "alice speaks by the tunnel, moves: direct, moves: tunnel: broken, Truncated, hears 9 lines, is done: \
         ours FINISHED",
        "bob speaks by the tunnel, moves: direct, moves: tunnel: broken, Truncated, hears 9 lines, is done: \
         theirs FINISHED";
    a_dead_direct_connection_costs_no_line, "the-direct-connection-goes-dead":
        "alice speaks by the tunnel, moves: direct, moves: tunnel: broken, TimedOut, hears 9 lines, is done: \
         ours FINISHED",
        "bob speaks by the tunnel, moves: direct, moves: tunnel: broken, TimedOut, hears 9 lines, is done: \
         theirs FINISHED";
    a_direct_connection_that_is_dead_one_way_costs_no_line, "the-direct-connection-goes-dead-one-way":
        "alice speaks by the tunnel, moves: direct, moves: tunnel: broken, TimedOut, hears 9 lines, is done: \
         ours FINISHED",
        "bob speaks by the tunnel, moves: direct, moves: tunnel: broken, TimedOut, hears 9 lines, is done: \
         theirs FINISHED";
    a_dead_direct_connection_is_found_out_in_silence_too, "a-quiet-direct-connection-goes-dead":
        "alice speaks by the tunnel, moves: direct, moves: tunnel: broken, TimedOut, hears 6 lines, is done: \
         ours FINISHED",
        "bob speaks by the tunnel, moves: direct, moves: tunnel: broken, TimedOut, hears 6 lines, is done: \
         theirs FINISHED";
    a_direct_call_outlives_the_relay, "the-relay-is-lost-and-comes-back":
        "alice speaks by the tunnel, moves: direct, loses the relay: Truncated, finds the relay, hears 9 lines, \
         is done: ours FINISHED",
        "bob speaks by the tunnel, moves: direct, loses the relay: Truncated, finds the relay, hears 9 lines, \
         is done: theirs FINISHED";
    with_both_ways_lost_the_call_is_over, "the-relay-and-then-the-direct-connection-are-lost":
        "alice speaks by the tunnel, moves: direct, loses the relay: Truncated, finds the relay, hears 6 lines, \
         is done: Truncated",
        "bob speaks by the tunnel, moves: direct, hears 6 lines, is done: Truncated";
}

#[test]
fn every_scene_is_played_and_has_a_name_of_its_own() {
    let names: BTreeSet<&str> = scenes().iter().map(|scene| scene.name).collect();
    assert_eq!((names.len(), names), (scenes().len(), TESTED.iter().copied().collect()));
}
