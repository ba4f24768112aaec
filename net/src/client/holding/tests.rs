//! One program at a time takes part, and the others find it.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;

use countersign_core::id::UserName;
use countersign_core::wire::Code;
use mio::{Events, Poll};
use tempfile::TempDir;

use super::*;
use crate::client::local::desk::with_rest;
use crate::client::local::protocol::KEPT;

fn folder() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(&dir.path().join("data")).unwrap();
    (dir, folder.path().to_owned())
}

#[test]
fn one_program_takes_part_until_it_ends_well_or_badly() {
    let (_dir, folder) = folder();
    let hold = Hold::take(folder.as_path(), Holder::Listen).unwrap().unwrap();
    assert!(hold.is_reachable());
    assert!(Hold::take(folder.as_path(), Holder::Send).unwrap().is_none());
    assert!(Hold::take_to_stay(folder.as_path()).unwrap().is_none(), "who stays is not waited for");
    hold.close().unwrap();
    let names = || {
        let mut names: Vec<String> = fs::read_dir(folder.as_path())
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["conversations.db", "conversations.lock"]);
    // One that is dropped, as one that fails, leaves the lock free.
    drop(Hold::take(folder.as_path(), Holder::Send).unwrap().unwrap());
    // A socket and a lock that a killed program has left are in nobody's way.
    drop(std::os::unix::net::UnixListener::bind(folder.as_path().join("conversations.sock")).unwrap());
    assert!(Hold::take_to_stay(folder.as_path()).unwrap().is_some());
    for name in names() {
        let mode = fs::metadata(folder.as_path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
}

#[test]
fn who_stays_waits_for_who_is_there_for_a_message() {
    let (_dir, folder) = folder();
    let path = folder.clone();
    let mut hold = Hold::take(&path, Holder::Send).unwrap().unwrap();
    let (poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(8));
    let mut poll = poll;
    hold.register(poll.registry(), Token(1)).unwrap();
    let waiting = thread::spawn(move || Hold::take_to_stay(&path).map(|hold| hold.is_some()));
    // Somebody has come to ask who this is; it ends as a program does.
    poll.poll(&mut events, None).unwrap();
    events.iter().for_each(|event| assert!(hold.event(event)));
    assert!(hold.has_work());
    assert_eq!(hold.wishes(poll.registry(), &mut || Token(2)), []);
    hold.close().unwrap();
    assert!(waiting.join().unwrap().unwrap());
}

#[test]
fn who_waits_while_the_server_is_away_is_told_that_the_message_is_kept() {
    let (_dir, folder) = folder();
    let mut hold = Hold::take(folder.as_path(), Holder::Listen).unwrap().unwrap();
    let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(8));
    hold.register(poll.registry(), Token(1)).unwrap();
    let mut visitor = UnixStream::connect(folder.as_path().join("conversations.sock")).unwrap();
    visitor.write_all(b"{\"wish\":\"send\",\"to\":\"bob\",\"text\":\"hello\"}\n").unwrap();
    let mut wishes = Vec::new();
    while wishes.is_empty() {
        let wait = hold.has_work().then_some(Duration::ZERO);
        poll.poll(&mut events, wait).unwrap();
        events.iter().for_each(|event| assert!(hold.event(event)));
        wishes = hold.wishes(poll.registry(), &mut || Token(2));
    }
    assert!(hold.is_awaited());
    let away = |_| Failure::failed("lost the server");
    hold.told(&Event::Offline(CloseReason::Unreachable, Duration::ZERO), away);
    assert!(hold.has_work(), "no event will tell of it");
    assert_eq!(hold.wishes(poll.registry(), &mut || Token(3)), []);
    assert!(!hold.is_awaited());
    let mut lines = BufReader::new(visitor).lines();
    assert!(lines.next().unwrap().unwrap().contains("hello"));
    let told = lines.next().unwrap().unwrap();
    assert!(told.contains("\"exit\":4") && told.contains(&format!("lost the server; {KEPT}")), "{told}");
}

#[test]
fn a_message_that_is_not_sent_ends_a_program_by_whose_doing_it_is() {
    let all = [
        NotSent::Length,
        NotSent::Key,
        NotSent::Refused(Code::NO_SUCH_USER),
        NotSent::Nobody,
        NotSent::Changed,
        NotSent::Full,
        NotSent::NoRoom,
        NotSent::Ambiguous,
        NotSent::Topic,
        NotSent::NotAllowed,
        NotSent::NotThere,
        NotSent::Unchanged,
        NotSent::Of(UserName::parse("bob").unwrap(), Box::new(NotSent::Nobody)),
    ];
    assert_eq!(all.each_ref().map(|why| not_sent(why).exit.number()), [2, 3, 3, 3, 3, 1, 1, 1, 2, 3, 1, 1, 3]);
    assert!(all.iter().all(|why| not_sent(why).sentence == why.to_string()));
    // What is kept was not refused: there was no connection for long enough.
    assert_eq!(with_rest(&Failure::failed("lost"), KEPT).exit, Exit::Unreachable);
    assert_eq!(with_rest(&Failure::refused("revoked"), KEPT).exit, Exit::Refused);
}
