//! The desk over a real Unix socket: wishes in, outcomes out, and visitors who do not behave.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use countersign_core::time::Wall;
use mio::{Events, Poll};
use tempfile::TempDir;

use super::super::protocol::Sent;
use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

/// A desk in a loop of its own.
struct Office {
    dir: TempDir,
    poll: Poll,
    desk: Desk,
    last: usize,
}

impl Office {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let poll = Poll::new().unwrap();
        let mut desk = Desk::open(&dir.path().join("s"), Holder::Listen).unwrap();
        desk.register(poll.registry(), Token(1)).unwrap();
        Self { dir, poll, desk, last: 1 }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    /// Somebody who comes and says this.
    fn visit(&self, says: &str) -> BufReader<UnixStream> {
        let mut stream = UnixStream::connect(self.path()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(says.as_bytes()).unwrap();
        BufReader::new(stream)
    }

    /// Turns until this holds; the wishes that came meanwhile.
    fn turn_until(&mut self, ready: impl Fn(&Desk, &[Wish]) -> bool) -> Vec<Wish> {
        self.turn_while(|office, wishes| !ready(&office.desk, wishes))
    }

    fn turn_while(&mut self, goes_on: impl Fn(&Self, &[Wish]) -> bool) -> Vec<Wish> {
        let (mut wishes, mut events, end) = (Vec::new(), Events::with_capacity(64), Instant::now() + PATIENCE);
        while goes_on(self, &wishes) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it did not come about: {wishes:?}");
            let wait = if self.desk.has_work() { Duration::ZERO } else { left };
            self.poll.poll(&mut events, Some(wait)).unwrap();
            for event in &events {
                assert!(self.desk.event(event));
            }
            let last = &mut self.last;
            wishes.extend(self.desk.wishes(self.poll.registry(), &mut || {
                *last += 1;
                Token(*last)
            }));
        }
        wishes
    }

    fn wish(&mut self) -> Wish {
        self.turn_until(|_, wishes| !wishes.is_empty()).remove(0)
    }
}

fn send(to: &str, text: &str) -> String {
    format!("{{\"wish\":\"send\",\"to\":\"{to}\",\"text\":\"{text}\"}}\n")
}

/// To whom a wish is, and what it says.
fn said(wish: &Wish) -> (String, String) {
    match &wish.what {
        Request::Send { to, text } => (to.to_string(), text.clone()),
        other @ (Request::Say { .. } | Request::Run { .. } | Request::Await { .. }) => panic!("{other:?}"),
    }
}

fn hear(visitor: &mut BufReader<UnixStream>) -> Option<Reply> {
    let mut line = String::new();
    visitor.read_line(&mut line).unwrap();
    (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap())
}

const HELLO: Option<Reply> = Some(Reply::Hello { program: Holder::Listen });

fn sent(place: u64) -> Reply {
    Reply::Sent(Sent { conversation: "c".into(), place, at: Wall(1), id: "d".into() })
}

fn not_sent(exit: u8, part: &str, found: Option<Reply>) {
    let Some(Reply::NotSent { exit: code, sentence }) = found else { panic!("{found:?}") };
    assert!(code == exit && sentence.contains(part), "{code} {sentence}");
}

#[test]
fn the_socket_is_the_owners_alone_and_a_dead_programs_is_replaced_but_no_other_file() {
    let office = Office::new();
    let path = office.path();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let Office { dir, desk, .. } = office;
    drop(desk);
    assert!(!path.exists(), "it goes with the desk");
    // As a program leaves it that was killed.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    drop(Desk::open(&path, Holder::Send).unwrap());
    fs::write(&path, "precious").unwrap();
    let failure = Desk::open(&path, Holder::Send).unwrap_err();
    assert!(failure.sentence.ends_with("is in the way of the socket for messages: move it away"), "{failure}");
    assert_eq!(fs::read(dir.path().join("s")).unwrap(), b"precious");
}

#[test]
fn two_send_at_one_time_and_each_hears_of_its_own_message() {
    let mut office = Office::new();
    let (mut one, mut other) = (office.visit(&send("bob", "hello")), office.visit(&send("carol", "hi")));
    let wishes = office.turn_until(|_, wishes| wishes.len() == 2);
    let send_to = |name: &str| wishes.iter().find(|wish| said(wish).0 == name).unwrap().send;
    let (to_bob, to_carol) = (send_to("bob"), send_to("carol"));
    office.desk.taken(to_carol);
    office.desk.answer(to_carol, &sent(7));
    office.desk.taken(to_bob);
    office.desk.answer(to_bob, &sent(8));
    assert_eq!([hear(&mut one), hear(&mut one), hear(&mut one)], [HELLO, Some(Reply::Taken), Some(sent(8))]);
    assert_eq!([hear(&mut other), hear(&mut other), hear(&mut other)], [HELLO, Some(Reply::Taken), Some(sent(7))]);
    drop((one, other));
    office.turn_until(|desk, _| desk.visitors.is_empty());
}

#[test]
fn what_comes_behind_a_message_waits_for_its_outcome_and_what_is_no_wish_is_said_to_be_none() {
    let mut office = Office::new();
    let mut visitor = office.visit(&format!("{}nonsense\n{}", send("bob", "one"), send("Bob", "two")));
    let wish = office.wish();
    assert_eq!(said(&wish), ("bob".to_owned(), "one".to_owned()));
    assert!(office.desk.is_awaited());
    office.desk.answer(wish.send, &sent(1));
    visitor.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
    office.turn_until(|desk, _| desk.visitors.is_empty());
    assert_eq!([hear(&mut visitor), hear(&mut visitor)], [HELLO, Some(sent(1))]);
    not_sent(2, "does not know what is wished", hear(&mut visitor));
    not_sent(2, "names are lower case", hear(&mut visitor));
    assert_eq!(hear(&mut visitor), None);
}

#[test]
fn a_wish_over_the_bound_is_refused_and_the_visitor_shown_out() {
    let mut office = Office::new();
    let path = office.path();
    let talker = std::thread::spawn(move || {
        let mut stream = UnixStream::connect(path).unwrap();
        // The last of it may find nobody who reads.
        let _ = stream.write_all(&vec![b'x'; LOCAL_REQUEST_BYTES_MAX]);
        let mut heard = String::new();
        stream.read_to_string(&mut heard).unwrap();
        heard
    });
    // It may come and go in one turn.
    let before = office.last;
    office.turn_while(|office, _| office.last == before || !office.desk.visitors.is_empty());
    let heard = talker.join().unwrap();
    assert!(heard.contains(&format!("a wish is at most {LOCAL_REQUEST_BYTES_MAX} bytes long")), "{heard}");
}

#[test]
fn beyond_the_bound_whoever_came_first_yields() {
    let mut office = Office::new();
    let mut visitors: Vec<_> = (0..=LOCAL_VISITORS_MAX).map(|_| office.visit("")).collect();
    office.turn_until(|desk, _| desk.visitors.len() == LOCAL_VISITORS_MAX && !desk.has_work());
    let mut first = visitors.remove(0);
    assert_eq!([hear(&mut first), hear(&mut first)], [HELLO, None]);
    let last = visitors.last_mut().unwrap();
    last.get_mut().write_all(send("bob", "hello").as_bytes()).unwrap();
    let wish = office.wish();
    office.desk.answer(wish.send, &sent(1));
    assert_eq!([hear(last), hear(last)], [HELLO, Some(sent(1))]);
}

const TOPIC: &str = "{\"wish\":\"run\",\"errand\":{\"change\":[\"tea\",{\"topic\":\"new\"}]}}\n";

#[test]
fn what_is_not_kept_is_called_off_when_whoever_wished_for_it_leaves_or_is_sent_home() {
    let mut office = Office::new();
    let (changer, sender) = (office.visit(TOPIC), office.visit(&send("bob", "hello")));
    let wishes = office.turn_until(|_, wishes| wishes.len() == 2);
    let is_kept = |wish: &&Wish| wish.what.is_kept();
    let (kept, other) =
        (wishes.iter().find(is_kept).unwrap().send, wishes.iter().find(|wish| !is_kept(wish)).unwrap().send);
    drop((changer, sender));
    office.turn_until(|desk, _| desk.has_work() && !desk.called_off.is_empty());
    assert_eq!(office.desk.called_off(), [other], "and not {kept:?}");
    let mut again = office.visit(TOPIC);
    let third = office.wish().send;
    office.desk.send_home(None);
    assert_eq!(office.desk.called_off(), [third]);
    assert_eq!(hear(&mut again), HELLO);
    not_sent(4, "is not kept", hear(&mut again));
}

#[test]
fn nobody_is_left_without_an_answer_when_the_program_ends() {
    let mut office = Office::new();
    let mut asker = office.visit(&send("bob", "hello"));
    let mut silent = office.visit("");
    let wish = office.wish();
    office.desk.taken(wish.send);
    office.desk.close_door();
    let mut late = office.visit(&send("bob", "too late"));
    assert_eq!(office.turn_until(|desk, _| desk.visitors.len() == 3 && !desk.has_work()), []);
    drop(office);
    assert_eq!([hear(&mut asker), hear(&mut asker)], [HELLO, Some(Reply::Taken)]);
    not_sent(4, "the message is kept, and goes out at the next contact", hear(&mut asker));
    for gone in [&mut silent, &mut late] {
        assert_eq!([hear(gone), hear(gone)], [HELLO, Some(Reply::Closing)]);
    }
}
