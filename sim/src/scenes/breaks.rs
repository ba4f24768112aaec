//! The scenes in which something breaks: a program, a direct connection, the way to the relay; at each step, or while
//! both type.

use super::{BTreeSet, LONG, Mishap, Reach, Scene, Two, words};

/// What arrives at least between a call and its fourth line: introduction, two handshakes, the offer, the lines.
const STEPS_LEAST: u64 = 25;

/// All of them.
pub(super) fn scenes() -> Vec<Scene> {
    vec![
        Scene {
            name: "the-callee-vanishes",
            what: "Bob's program is gone before each single thing that arrives anywhere",
            play: || vanishes("the-callee-vanishes", true),
        },
        Scene {
            name: "the-caller-vanishes",
            what: "Alice's program is gone before each single thing that arrives anywhere",
            play: || vanishes("the-caller-vanishes", false),
        },
        Scene {
            name: "the-direct-connection-breaks-at-each-step",
            what: "all direct connections are cut before each single thing that arrives anywhere",
            play: cut_at_each_step,
        },
        Scene {
            name: "the-direct-connection-breaks",
            what: "it is cut while both type, and both are told",
            play: || typing("the-direct-connection-breaks", |two| two.stage.befall(Mishap::CutDirect)),
        },
        Scene {
            name: "the-direct-connection-goes-dead",
            what: "nothing arrives on it any more, at either end, and nobody is told",
            play: || {
                typing("the-direct-connection-goes-dead", |two| {
                    two.stage.streets.deaf.extend([two.alice, two.bob]);
                })
            },
        },
        Scene {
            name: "the-direct-connection-goes-dead-one-way",
            what: "nothing arrives at Bob on it any more, and nobody is told",
            play: || typing("the-direct-connection-goes-dead-one-way", |two| two.stage.streets.deaf.extend([two.bob])),
        },
        Scene {
            name: "a-quiet-direct-connection-goes-dead",
            what: "nothing arrives on it any more while nobody says anything",
            play: || {
                let mut two = direct("a-quiet-direct-connection-goes-dead");
                two.stage.streets.deaf.extend([two.alice, two.bob]);
                two.wait(LONG);
                two.both_say(4..6);
                two.hang_up();
                two.ends()
            },
        },
        Scene {
            name: "the-relay-is-lost-and-comes-back",
            what: "both lose the relay while they speak directly, and find it again: the call goes on",
            play: || {
                typing("the-relay-is-lost-and-comes-back", |two| {
                    two.stage.befall(Mishap::CutRelay(two.alice));
                    two.stage.befall(Mishap::CutRelay(two.bob));
                })
            },
        },
        Scene {
            name: "the-relay-and-then-the-direct-connection-are-lost",
            what: "the tunnel went with the relay, so the end of the direct connection is the end of the call",
            play: || {
                let mut two = direct("the-relay-and-then-the-direct-connection-are-lost");
                two.stage.befall(Mishap::CutRelay(two.alice));
                two.stage.run();
                two.wait(5);
                two.both_say(4..6);
                two.stage.befall(Mishap::CutDirect);
                two.stage.run();
                two.wait(5);
                two.ends()
            },
        },
    ]
}

/// Both speak directly, and have said four lines each.
fn direct(name: &str) -> Two {
    let mut two = Two::present(name, [Reach::default(), Reach::default()]);
    two.call();
    two.both_say(0..4);
    two
}

/// Something happens while both type directly; then they type on, wait, and part.
fn typing(name: &str, happens: impl FnOnce(&mut Two)) -> Result<Vec<String>, String> {
    let mut two = direct(name);
    two.stage.wish(two.alice, super::Command::Say(super::CALL, "line 4".to_owned()));
    if let Some(his) = two.his {
        two.stage.wish(two.bob, super::Command::Say(his, "line 4".to_owned()));
    }
    happens(&mut two);
    two.stage.run();
    two.both_say(5..7);
    two.wait(20);
    two.both_say(7..9);
    two.hang_up();
    two.ends()
}

/// The whole story, with something that happens before the `nth` arrival from the call on; whether it did.
fn story(name: &str, nth: u64, mishap: impl FnOnce(&Two) -> Mishap) -> (Two, bool) {
    let mut two = Two::present(name, [Reach::default(), Reach::default()]);
    two.stage.mishap = Some((two.stage.delivered + nth, mishap(&two)));
    two.call();
    two.both_say(0..2);
    two.wait(2);
    let happened = two.stage.mishap.is_some_and(|(at, _)| two.stage.delivered >= at);
    (two, happened)
}

/// A story of few steps is not the whole one.
fn many(steps: u64) -> Result<(), String> {
    if steps > STEPS_LEAST { Ok(()) } else { Err(format!("the story has only {steps} steps")) }
}

/// The ways in which the story ends for the one who is left.
fn vanishes(name: &str, callee: bool) -> Result<Vec<String>, String> {
    let mut ends = BTreeSet::new();
    for nth in 1.. {
        let (mut two, happened) = story(name, nth, |two| Mishap::Vanish(if callee { two.bob } else { two.alice }));
        if !happened {
            many(nth)?;
            break;
        }
        two.wait(LONG);
        let (left, who) = if callee { ("alice", two.alice) } else { ("bob", two.bob) };
        two.nothing_left(left, who).map_err(|error| format!("before arrival {nth}: {error}"))?;
        let words = words(two.stage.told(who)).map_err(|error| format!("before arrival {nth}: {error}"))?;
        if words.contains("speaks") && !words.contains("is done") {
            return Err(format!("before arrival {nth}: {left} {words}, and the call does not end"));
        }
        ends.insert(format!("{left} {words}"));
    }
    Ok(ends.into_iter().collect())
}

/// The ways in which the story goes when direct connections break: the call is whole in each.
fn cut_at_each_step() -> Result<Vec<String>, String> {
    let mut ends = BTreeSet::new();
    for nth in 1.. {
        let (mut two, happened) = story("the-direct-connection-breaks-at-each-step", nth, |_| Mishap::CutDirect);
        if !happened {
            many(nth)?;
            break;
        }
        two.wait(15);
        two.both_say(2..4);
        two.hang_up();
        let words = two.ends().map_err(|error| format!("before arrival {nth}: {error}"))?;
        ends.insert(words.join("; "));
    }
    Ok(ends.into_iter().collect())
}
