//! The scenes in which everything is arranged beforehand: who calls, who declines, whose port nobody gets through to.

use super::{CALL, Command, DeviceId, Reach, Scene, SocketAddr, Two, call_of};
use crate::forge::villain::Villain;
use countersign_core::wire::Code;

/// All of them.
pub(super) fn scenes() -> Vec<Scene> {
    vec![
        Scene {
            name: "both-go-direct",
            what: "nothing is in the way: they speak, and part in good order",
            play: || stays("both-go-direct", |_| (), 0),
        },
        Scene {
            name: "both-go-direct-by-ipv6",
            what: "the same, and there is no IPv4",
            play: || stays("both-go-direct-by-ipv6", |two| two.stage.streets.only_v6 = true, 0),
        },
        Scene {
            name: "both-call-at-once",
            what: "Alice and Bob call each other in the same moment: it is one call",
            play: || {
                let mut two = Two::present("both-call-at-once", [Reach::default(), Reach::default()]);
                two.stage.wish(two.alice, call_of("bob"));
                two.stage.wish(two.bob, call_of("alice"));
                two.stage.run();
                two.his = Some(CALL);
                two.both_say(0..3);
                two.hang_up();
                two.ends()
            },
        },
        Scene {
            name: "one-declines-the-call",
            what: "Bob does not want to speak",
            play: || {
                let mut two = Two::present("one-declines-the-call", [Reach::default(), Reach::default()]);
                two.stage.command(two.alice, call_of("bob"));
                let his = countersign_core::id::CallId((1 << 32) + 1);
                two.stage.command(two.bob, Command::HangUp(his, Code::DECLINED));
                two.ends()
            },
        },
        Scene {
            name: "one-declines-the-direct-way",
            what: "Bob wishes for the tunnel alone",
            play: || between("one-declines-the-direct-way", [Reach::default(), Reach::tunnel_only()]),
        },
        Scene {
            name: "the-caller-wishes-for-the-tunnel",
            what: "Alice wishes for the tunnel alone",
            play: || between("the-caller-wishes-for-the-tunnel", [Reach::tunnel_only(), Reach::default()]),
        },
        Scene {
            name: "the-caller-has-no-address",
            what: "Alice may offer none of her addresses",
            play: || {
                let nothing = Reach { networks: Some(Vec::new()), ..Reach::default() };
                between("the-caller-has-no-address", [nothing, Reach::default()])
            },
        },
        Scene {
            name: "the-callee-has-no-address",
            what: "Bob may offer none of his addresses",
            play: || {
                let nothing = Reach { networks: Some(Vec::new()), ..Reach::default() };
                between("the-callee-has-no-address", [Reach::default(), nothing])
            },
        },
        Scene {
            name: "the-port-is-closed",
            what: "Bob's program can make no listener",
            play: || stays("the-port-is-closed", |two| two.stage.streets.closed.extend([two.bob]), 0),
        },
        Scene {
            name: "the-port-is-filtered",
            what: "whoever connects to Bob is swallowed",
            play: || stays("the-port-is-filtered", |two| two.stage.streets.filtered.extend([two.bob]), 12),
        },
        Scene {
            name: "the-addresses-are-nobodys",
            what: "nobody is at the addresses that Bob offers",
            play: || stays("the-addresses-are-nobodys", |two| detour(two, "198.51.100.1:7443"), 0),
        },
        Scene {
            name: "the-addresses-are-a-bystanders",
            what: "somebody who takes the connection and says nothing is at the addresses that Bob offers",
            play: || {
                let silent = |two: &mut Two| bystander(two, Villain::mute);
                stays("the-addresses-are-a-bystanders", silent, 12)
            },
        },
        Scene {
            name: "the-addresses-are-another-members",
            what: "Carol listens, for a call of hers, at the addresses that Bob offers",
            play: another_member,
        },
        Scene {
            name: "strangers-come-to-the-port",
            what: "noise, silence and another member come to Bob's port, and Alice can't get through",
            play: strangers,
        },
    ]
}

fn detour(two: &mut Two, at: &str) {
    two.stage.streets.detour = Some(at.parse().expect("an address"));
}

/// Whoever dials anybody is led to a villain.
fn bystander(two: &mut Two, change: fn(Villain) -> Villain) {
    let at: SocketAddr = "198.51.100.1:7443".parse().expect("an address");
    let oscar = two.stage.enrol("oscar");
    let shown = crate::forge::genuine(&oscar);
    let villain = Villain::server(two.stage.stream(), &[b"countersign-peer/1"], shown);
    two.stage.ambush(at, change(villain));
    two.stage.streets.detour = Some(at);
}

/// They go this far, and speak.
fn between(name: &str, reaches: [Reach; 2]) -> Result<Vec<String>, String> {
    let mut two = Two::present(name, reaches);
    speak(&mut two, 0);
    two.ends()
}

/// Both go far, something is arranged, and they speak.
fn stays(name: &str, arrange: impl FnOnce(&mut Two), seconds: u64) -> Result<Vec<String>, String> {
    let mut two = Two::present(name, [Reach::default(), Reach::default()]);
    arrange(&mut two);
    speak(&mut two, seconds);
    two.ends()
}

fn speak(two: &mut Two, seconds: u64) {
    two.call();
    two.both_say(0..2);
    two.wait(seconds);
    two.both_say(2..4);
    two.hang_up();
}

/// Dave calls Carol, who listens and whom he can't reach; Alice is led to her.
fn another_member() -> Result<Vec<String>, String> {
    let mut two = Two::present("the-addresses-are-another-members", [Reach::default(), Reach::default()]);
    let [carol, dave]: [DeviceId; 2] = ["carol", "dave"].map(|user| {
        let identity = two.stage.enrol(user);
        two.stage.device_reaching(identity, super::To::Relay, Reach::default())
    });
    two.stage.streets.filtered.insert(carol);
    two.stage.command(dave, call_of("carol"));
    let hers = countersign_core::id::CallId((1 << 32) + 1);
    two.stage.command(carol, Command::Accept(hers));
    let at = two.stage.listeners_of(carol).first().copied().ok_or("Carol does not listen")?;
    two.stage.streets.filtered.remove(&carol);
    two.stage.streets.detour = Some(at);
    speak(&mut two, 12);
    two.ends()
}

/// Alice's way to Bob's port is filtered, other people's is not.
fn strangers() -> Result<Vec<String>, String> {
    let mut two = Two::present("strangers-come-to-the-port", [Reach::default(), Reach::default()]);
    two.stage.streets.filtered.insert(two.bob);
    two.call();
    let at = two.stage.listeners_of(two.bob).first().copied().ok_or("Bob does not listen")?;
    let oscar = two.stage.enrol("oscar");
    let shown = crate::forge::genuine(&oscar);
    for silent in [false, true] {
        let villain = Villain::client(two.stage.stream(), &[b"countersign-peer/1"], Some(shown.clone()));
        let villain = if silent { villain.mute() } else { villain };
        two.stage.knock(at, villain)?;
    }
    let mut noise = Villain::client(two.stage.stream(), &[], None);
    noise.take();
    let noise = two.stage.knock(at, noise)?;
    two.stage.say_raw(noise, b"GET / HTTP/1.1\r\n\r\n".to_vec());
    two.both_say(0..2);
    two.wait(12);
    two.both_say(2..4);
    two.hang_up();
    two.ends()
}
