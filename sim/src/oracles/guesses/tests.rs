//! The oracle of guessers is shown what it should and should not take.

use countersign_core::device::enrol::EnrolResult;
use countersign_core::device::{Asked, Event};
use countersign_core::id::KeyId;
use countersign_core::invite::TokenHash;
use countersign_core::limits::{PASSWORD_TRIES_MAX, STRETCHES_AT_ONCE_MAX};

use super::*;
use crate::oracles::tests::{Stage, name};
use crate::story::Crash;

const SECOND_US: u64 = 1_000_000;

/// A run in which Alice is there, and guessers are.
struct Play {
    oracle: Guesses,
    stage: Stage,
    conn: u64,
    looks: u64,
}

impl Play {
    fn new() -> Self {
        let config = SimConfig { guess_mean_ms: 1, guess_max: 1, guess_sources: 1, sign_up: 2, ..SimConfig::draw(1) };
        let mut oracle = Guesses::new(&config);
        oracle.people.insert(name("alice").user);
        Self { oracle, stage: Stage::of(&["alice"]), conn: 100, looks: 0 }
    }

    fn refused(&mut self, conn: u64, code: Code, at_us: u64) -> Result<(), String> {
        self.oracle.see(at_us, &Seen::Noted(&Note::EnrolRefused(ConnId(conn), code, String::new())))
    }

    /// Somebody tries a password, which is looked at at once and is wrong.
    fn guess(&mut self, user: &str, source: u8, at_us: u64) -> Result<(), String> {
        (self.conn, self.looks) = (self.conn + 1, self.looks + 1);
        let (conn, id) = (ConnId(self.conn), StretchId(self.looks));
        self.oracle.see(at_us, &Seen::Plot(&Plot::Guess(conn, name(user).user, source)))?;
        self.oracle.see(at_us, &Seen::Look(id, Some([0; 16])))?;
        self.oracle.see(at_us + 1, &Seen::Look(id, None))?;
        self.refused(conn.0, Code::PASSWORD_WRONG, at_us + 1)
    }

    /// Alice comes by her password, and is refused.
    fn comes(&mut self, conn: u64, code: Code, at_us: u64) -> Result<(), String> {
        let (who, password) = (self.stage.who(0), Password::new(Zeroizing::new(b"four words".to_vec())));
        self.oracle.see(at_us, &Seen::SignsUp(who, &password))?;
        self.oracle.see(at_us, &Seen::Opened(ConnId(conn), who.program))?;
        self.refused(conn, code, at_us)
    }

    /// A device of hers is admitted, from where all of them are.
    fn is_admitted(&mut self) {
        let who = self.stage.who(0);
        let told = Event::Asked(Asked::PasswordSet);
        self.oracle.see(1, &Seen::Told(who, &told)).expect("telling is free");
        self.oracle.see(1, &Seen::Opened(ConnId(1), who.program)).expect("opening is free");
        let note = Note::Admitted(ConnId(1), who.name.clone());
        self.oracle.see(1, &Seen::Noted(&note)).expect("admitting is free");
    }
}

#[test]
fn whoever_guesses_is_let_in_as_nobody_who_is_there() {
    let mut play = Play::new();
    let guessed = |user: &str| Plot::Guessed(ConnId(1), name(user).user, None);
    assert_eq!(play.oracle.see(1, &Seen::Plot(&guessed("nobody-1"))), Ok(()));
    assert!(play.oracle.see(1, &Seen::Plot(&guessed("alice"))).is_err_and(|words| words.contains("certificate")));
    play.guess("alice", 1, SECOND_US).expect("one is free");
    assert_eq!(play.refused(101, Code::TRIES_TOO_MANY, SECOND_US), Ok(()));
    assert!(play.refused(101, Code::SECOND_DEVICE, SECOND_US).is_err_and(|words| words.contains("is told")));
}

#[test]
fn tries_at_a_name_have_pauses_that_double_from_wherever_they_come_until_the_right_one() {
    let mut play = Play::new();
    for (source, at_s) in [(1, 10), (2, 11), (3, 13), (4, 17)] {
        assert_eq!(play.guess("alice", source, at_s * SECOND_US), Ok(()), "at {at_s}");
    }
    let too_soon = play.guess("alice", 5, 20 * SECOND_US);
    assert!(too_soon.is_err_and(|words| words.contains("try 5 at the password of alice")));
    // Somebody else's are not hers.
    assert_eq!(play.guess("bob", 6, 20 * SECOND_US), Ok(()));
    // The right one came, or the server has started anew.
    for forget in [true, false] {
        let mut play = Play::new();
        play.guess("alice", 1, SECOND_US).expect("one is free");
        if forget {
            play.oracle.pace.right(&name("alice").user, SECOND_US + 2);
        } else {
            play.oracle.see(SECOND_US + 2, &Seen::Crashed(Crash::Whenever, 0)).expect("it may");
        }
        assert_eq!(play.guess("alice", 2, SECOND_US + 3), Ok(()));
    }
}

#[test]
fn an_address_has_pauses_of_its_own_and_a_share_and_all_of_them_have_one() {
    let mut play = Play::new();
    play.guess("alice", 1, SECOND_US).expect("one is free");
    play.oracle.pace.right(&name("alice").user, SECOND_US + 2);
    let again = play.guess("alice", 1, SECOND_US + 3);
    assert!(again.is_err_and(|words| words.contains("try 2 from address 1 at the password of alice")));

    let mut play = Play::new();
    let most = u64::from(2 * PASSWORD_TRIES_MAX);
    let mut guess = |n: u64| play.guess(&format!("user-{n}"), 1, n * SECOND_US);
    assert_eq!((1..=most).try_for_each(&mut guess), Ok(()));
    assert!(guess(most + 1).is_err_and(|words| words.contains("within a span")));

    let mut play = Play::new();
    let mut guess = |n: u8| play.guess(&format!("user-{n}"), n, SECOND_US);
    let most = u8::try_from(STRETCHES_AT_ONCE_MAX).expect("a few");
    assert_eq!((1..=most).try_for_each(&mut guess), Ok(()));
    assert!(guess(most + 1).is_err_and(|words| words.contains("all of them may")));
}

#[test]
fn an_owner_who_comes_from_where_they_are_is_looked_at_and_waits_for_their_own_tries_alone() {
    let mut play = Play::new();
    assert_eq!(play.comes(2, Code::TRIES_TOO_MANY, SECOND_US), Ok(()), "from a strange address");
    let mut play = Play::new();
    play.is_admitted();
    assert_eq!(play.comes(2, Code::PASSWORD_WRONG, SECOND_US), Ok(()));
    assert!(play.comes(3, Code::TRIES_TOO_MANY, SECOND_US).is_err_and(|words| words.contains("is told to wait")));
    assert!(play.comes(4, Code::BUSY, SECOND_US).is_err_and(|words| words.contains("is not looked at")));
    // After some tries it is a strange address, until a device of hers is admitted from there.
    for conn in 5..8 {
        play.comes(conn, Code::PASSWORD_WRONG, SECOND_US).expect("it may be wrong");
    }
    assert_eq!(play.comes(8, Code::TRIES_TOO_MANY, SECOND_US), Ok(()));
    // After a crash nobody is known.
    let mut play = Play::new();
    play.is_admitted();
    play.oracle.see(2, &Seen::Crashed(Crash::Whenever, 0)).expect("it may");
    assert_eq!(play.comes(2, Code::TRIES_TOO_MANY, SECOND_US), Ok(()));
}

#[test]
fn an_owner_at_a_strange_address_waits_for_so_long_at_most() {
    let mut play = Play::new();
    let told = |play: &mut Play, wait_s| {
        let who = play.stage.who(0);
        let result = EnrolResult::Refused(Code::TRIES_TOO_MANY, wait_s);
        play.oracle.see(2, &Seen::EnrolEnded(who, &result, KeyId([0; 32]), TokenHash([0; 32])))
    };
    play.comes(2, Code::TRIES_TOO_MANY, 1).expect("from a strange address");
    assert_eq!(told(&mut play, 61), Ok(()));
    assert!(told(&mut play, 62).is_err_and(|words| words.contains("is told to wait for 62 s")));
    play.comes(3, Code::TRIES_TOO_MANY, 1).expect("from a strange address");
    assert_eq!(told(&mut play, 901), Ok(()));
    assert!(told(&mut play, 902).is_err());
}
