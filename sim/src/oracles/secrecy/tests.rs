//! A secret is found in each place where somebody else could read it, and nowhere that it belongs.

use countersign_core::effect::Note;
use countersign_core::id::{AppendId, CallId};

use super::*;
use crate::oracles::tests::Stage;

const KEY: [u8; 48] = [0xa5; 48];

fn line() -> String {
    format!("3-1 {CANARY}0123456789abcdef: hello")
}

fn oracle() -> Secrecy {
    let mut oracle = Secrecy::default();
    let stage = Stage::of(&["alice"]);
    stage.wished(0, Command::Say(CallId(1), line())).show(&mut oracle).expect("saying is free");
    oracle.see(0, &Seen::Secret("a device's key", &KEY)).expect("having is free");
    oracle.see(0, &Seen::Secret(TOKEN, b"AbCdEfGhIjKlMnOpQrStUv")).expect("having is free");
    oracle
}

fn written(bytes: &[u8]) -> Seen<'_> {
    Seen::Written { conn: ConnId(1), by: Side::Dialler, taken: bytes.len(), waiting: bytes.len(), bytes }
}

#[test]
fn a_line_is_found_on_a_wire_however_it_is_cut() {
    let line = line();
    for cut in 1..line.len() {
        let (one, two) = line.as_bytes().split_at(cut);
        let mut oracle = oracle();
        let seen = [one, b"", two].iter().try_for_each(|bytes| oracle.see(0, &written(bytes)));
        assert!(seen.is_err(), "cut at {cut}");
    }
    let words = oracle().see(0, &written(line.as_bytes())).expect_err("it is all there");
    assert_eq!(words, "a line of alice can be read on the wire of connection 1");
}

#[test]
fn the_two_directions_of_a_wire_are_two_texts() {
    let (line, mut oracle) = (line(), oracle());
    let (one, two) = line.as_bytes().split_at(12);
    oracle.see(0, &written(one)).expect("half of a mark is none");
    let back = Seen::Written { conn: ConnId(1), by: Side::Listener, taken: 0, waiting: 0, bytes: two };
    assert_eq!(oracle.see(0, &back), Ok(()));
}

#[test]
fn a_secret_is_found_wherever_the_relay_holds_it() {
    let noted = Note::Alarm(format!("got {:?}", &KEY[..]));
    let records = [KEY.to_vec()];
    let on_disk: [&[u8]; 1] = [b"..AbCdEfGhIjKlMnOpQrStUv.."];
    for seen in [
        Seen::Noted(&noted),
        Seen::Appending(AppendId(1), &records),
        Seen::OnDisk(&on_disk),
        Seen::Held(&line(), b""),
        Seen::Held("", &KEY),
        Seen::Unsealed(line().as_bytes()),
        Seen::Unsealed(&KEY),
    ] {
        assert!(oracle().see(0, &seen).is_err(), "{seen:?}");
    }
}

#[test]
fn a_relay_that_lies_finds_no_secret_in_a_tunnel_that_it_looks_into() {
    let (line, token) = (line(), b"AbCdEfGhIjKlMnOpQrStUv");
    for bytes in [line.as_bytes(), &KEY, token] {
        assert!(oracle().see(0, &Seen::Overheard(bytes)).is_err(), "{bytes:?}");
    }
    assert_eq!(oracle().see(0, &Seen::Overheard(b"\x17\x03\x03\x00\x13 sealed")), Ok(()));
    let words = oracle().see(0, &Seen::Overheard(line.as_bytes())).expect_err("it is all there");
    assert_eq!(words, "a line of alice can be read in what a relay that lies has looked at");
}

#[test]
fn a_token_may_be_told_to_the_relay_and_may_not_be_kept_by_it() {
    let token = b"AbCdEfGhIjKlMnOpQrStUv";
    assert_eq!(oracle().see(0, &Seen::Unsealed(token)), Ok(()));
    assert!(oracle().see(0, &Seen::Held("", token)).is_err());
    assert!(oracle().see(0, &written(token)).is_err());
}

#[test]
fn what_the_log_said_before_a_secret_was_known_is_looked_at_again() {
    let mut oracle = Secrecy::default();
    let noted = Note::Alarm("AbCdEfGhIjKlMnOpQrStUv".to_owned());
    assert_eq!(oracle.see(0, &Seen::Noted(&noted)), Ok(()));
    oracle.see(0, &Seen::Secret(TOKEN, b"AbCdEfGhIjKlMnOpQrStUv")).expect("having is free");
    assert!(oracle.see(1, &Seen::Phase(Phase::Over)).is_err());
}
