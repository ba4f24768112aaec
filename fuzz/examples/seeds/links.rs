//! Seeds for links: each scene with its honest course, and a course for each way in which one may end.

use countersign_core::tls::{Dial, Session};
use fuzz::cast::{cast, stream};
use sim::crypto::lend;

use super::Seeds;

/// Actions of `fuzz::link`, by their numbers.
const SETTLE: &[u8] = &[0];
const CLOSE: &[u8] = &[11];
const CHANGE_KEYS: &[u8] = &[12];
const HANG_UP: &[u8] = &[17];
/// Messages of ever smaller length, until not one more finds room.
const FILL: &[u8] = &[20, 0x0f, 0xff, 255, 20, 0, 100, 255, 20, 0, 0, 255];

/// `place, who, chain, protocols, small, asks | actions`.
pub(super) fn seeds() -> Seeds {
    let says = |bytes: &[u8]| behind_length(8, bytes);
    let message = |bytes: &[u8]| behind_length(9, bytes);
    let course = |parts: &[&[u8]]| parts.concat();
    // Two messages each way, both goodbyes, both ends.
    let honest = course(&[
        SETTLE,
        &message(b"one"),
        &message(b"two"),
        &[13, 0, 9, 1],
        SETTLE,
        &[13, 0x20, 0, 2],
        &[14, 0, 100],
        SETTLE,
        &[10, 0, 100],
        CLOSE,
        SETTLE,
    ]);
    let mut seeds = Seeds::new();
    for place in 0..5 {
        let right = [place, 0, 1, 0, 0, 0];
        seeds.push((format!("honest-{place}"), course(&[&right, &honest])));
        for who in 1..5 {
            seeds.push((format!("who-{place}-{who}"), course(&[&[place, who, 1, 0, 0, 0], &honest])));
        }
        for (n, chain) in [(0, 0), (2, 2), (3, 3)] {
            seeds.push((format!("chain-{place}-{n}"), course(&[&[place, 0, chain, 0, 0, 1], &honest])));
        }
        for protocols in 1..6 {
            seeds.push((format!("protocols-{place}-{protocols}"), course(&[&[place, 0, 1, protocols, 0, 0], &honest])));
        }
        let courses: [(&str, Vec<u8>); 18] = [
            ("before-hello", course(&[&behind_length(3, b"GET / HTTP/1.1\r\n\r\n"), SETTLE])),
            ("old-tls", course(&[&behind_length(3, &[22, 3, 1, 0, 5, 1, 0, 0, 1, 3]), SETTLE])),
            (
                "in-bites",
                course(&[&[1, 0, 40, 1, 0, 1], &[1, 0, 0], &[16, 0, 9, 2, 0, 0, 16, 4, 0, 2, 0, 0], SETTLE, &honest]),
            ),
            ("flip-hello", course(&[&[4, 0, 60, 1], SETTLE])),
            ("flip-answer", course(&[&[1, 0, 0, 16, 255, 255, 7, 0, 200, 4], SETTLE])),
            ("flip-record", course(&[SETTLE, &message(b"one"), &[4, 0, 6, 1], SETTLE])),
            ("double-record", course(&[SETTLE, &message(b"one"), &[6, 0, 0, 1, 0], SETTLE])),
            ("cut-record", course(&[SETTLE, &message(b"one"), &message(b"two"), &[5, 0, 0, 29], SETTLE])),
            ("bad-length", course(&[SETTLE, &says(&[0, 0, 0, 0]), SETTLE])),
            ("other-version", course(&[SETTLE, &says(&[0, 0, 0, 1, 9]), SETTLE])),
            ("bad-goodbye", course(&[SETTLE, &says(&[0, 0, 0, 1, 0]), SETTLE])),
            (
                "change-keys",
                course(&[SETTLE, CHANGE_KEYS, &message(b"one"), CHANGE_KEYS, SETTLE, &[13, 0, 9, 1], SETTLE]),
            ),
            ("hang-up", course(&[SETTLE, &message(b"one"), HANG_UP, SETTLE])),
            ("fault", course(&[SETTLE, &[13, 0, 9, 1], &[15, 2], SETTLE, &message(b"one"), SETTLE])),
            ("part-early", course(&[&[14, 0, 101], SETTLE])),
            ("long", course(&[SETTLE, &[18, 0, 80, 0], SETTLE, &[18, 0, 40, 1], SETTLE])),
            ("flood", course(&[&[19, 0, 70], &[0, 9, 22, 3, 1, 0, 4, 1, 0, 0xff, 0xff], SETTLE])),
            ("full", course(&[SETTLE, CHANGE_KEYS, &[1, 0, 0], FILL, &[14, 0, 104], SETTLE])),
        ];
        for (name, actions) in courses {
            let small = u8::from(name == "full");
            seeds.push((format!("{name}-{place}"), course(&[&[place, 0, 1, 0, small, 0], &actions])));
        }
    }
    // The last flight of a client, what it says at once, and a bad record, all in one bite.
    for place in [0, 3] {
        let flight = [1, 0, 0, 16, 255, 255, 2, 0, 0];
        let says = course(&[&message(b"one"), &message(&[7; 2000]), &[4, 7, 208, 1]]);
        seeds.push((format!("bad-last-flight-{place}"), course(&[&[place, 0, 1, 0, 0, 0], &flight, &says, SETTLE])));
    }
    let hello = hello();
    seeds.push(("hello".into(), course(&[&[0, 0, 1, 0, 0, 0], &behind_length(3, &hello), SETTLE])));
    for place in [0, 3] {
        let half = hello.get(..hello.len() / 2).expect("a half");
        seeds
            .push((format!("half-hello-{place}"), course(&[&[place, 0, 1, 0, 0, 0], &behind_length(3, half), SETTLE])));
    }
    seeds
}

/// An action with bytes.
fn behind_length(action: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a short one").to_be_bytes();
    [&[action], length.as_slice(), bytes].concat()
}

/// A real ClientHello, of Alice's.
fn hello() -> Vec<u8> {
    let cast = cast();
    let dial = Dial::relay(&cast.env, &cast.home.member(0).credentials, &cast.trust);
    let mut rng = stream("seeds/hello");
    let _lent = lend(&mut rng);
    let mut hello = Vec::new();
    Session::connect(&dial).take_ciphertext(&mut hello);
    hello
}
