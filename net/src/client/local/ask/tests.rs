//! How a program fares that has its message sent by another, whatever that other does.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::net::Shutdown;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use countersign_core::time::Wall;
use tempfile::TempDir;

use countersign_core::device::conversations::Target;

use super::*;
use crate::client::local::protocol::Sent;
use crate::exit::Exit;

const HELLO: &str = r#"{"answer":"hello","program":"listen"}"#;
const TAKEN: &str = r#"{"answer":"taken"}"#;
const SENT: &str = r#"{"answer":"sent","conversation":"c","place":2,"at":3,"id":"d"}"#;

/// Another program that says these lines to the first who comes, after it has heard one if there is more than a hello, and
/// then leaves without a word, or stays as long as the other does.
fn other(says: &[&str], stays: bool) -> (TempDir, PathBuf, JoinHandle<()>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let says: Vec<String> = says.iter().map(|line| format!("{line}\n")).collect();
    let program = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = BufReader::new(stream);
        for (n, line) in says.iter().enumerate() {
            if n == 1 {
                stream.read_line(&mut String::new()).unwrap();
            }
            stream.get_mut().write_all(line.as_bytes()).unwrap();
        }
        if stays {
            let _ = stream.read_to_end(&mut Vec::new());
        } else {
            let _ = stream.get_ref().shutdown(Shutdown::Both);
        }
    });
    (dir, path, program)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn asked(path: &Path, until: Instant) -> Asked {
    let to = Target::parse("bob").unwrap();
    ask(path, &Request::Send { to, text: "hello".into() }, until)
}

fn asked_of(says: &[&str], stays: bool, until: Instant) -> Asked {
    let (_dir, path, program) = other(says, stays);
    let asked = asked(&path, until);
    program.join().unwrap();
    asked
}

fn failed(asked: &Asked, exit: Exit, part: &str) {
    let Asked::Outcome(Err(failure)) = asked else { panic!("{asked:?}") };
    assert!(failure.exit == exit && failure.sentence.contains(part), "{failure:?}");
}

#[test]
fn what_comes_of_a_message_is_what_the_other_program_says() {
    let sent = Sent { conversation: "c".into(), place: 2, at: Wall(3), id: "d".into() };
    assert_eq!(asked_of(&[HELLO, TAKEN, SENT], true, soon()), Asked::Outcome(Ok(Done::Sent(sent))));
    let refused = r#"{"answer":"not_sent","exit":3,"sentence":"nobody of that name"}"#;
    failed(&asked_of(&[HELLO, TAKEN, refused], true, soon()), Exit::Refused, "nobody of that name");
}

#[test]
fn where_nothing_was_taken_it_can_be_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    assert_eq!(asked(&path, soon()), Asked::Gone, "there is no socket");
    drop(UnixListener::bind(&path).unwrap());
    assert_eq!(asked(&path, soon()), Asked::Gone, "nobody is behind it");
    assert_eq!(asked_of(&[], false, soon()), Asked::Gone);
    assert_eq!(asked_of(&[HELLO, r#"{"answer":"closing"}"#], true, soon()), Asked::Gone);
}

#[test]
fn a_program_that_is_killed_leaves_no_doubt_where_there_is_none_and_says_so_where_there_is() {
    let kept = "the message is kept, and goes out at the next contact";
    failed(&asked_of(&[HELLO, TAKEN], false, soon()), Exit::Unreachable, kept);
    failed(&asked_of(&[HELLO, TAKEN], true, Instant::now() + Duration::from_millis(300)), Exit::Unreachable, kept);
    // Its hello is followed by a line that ends nothing, and it is gone.
    let doubt = "did not say whether it has the message";
    failed(&asked_of(&[HELLO, ""], false, soon()), Exit::Failed, doubt);
    failed(&asked_of(&[HELLO], true, Instant::now() + Duration::from_millis(300)), Exit::Failed, doubt);
}

#[test]
fn words_of_another_version_are_said_to_be_unknown() {
    for says in [&["nonsense"][..], &[TAKEN], &[HELLO, "{\"answer\":\"later\"}"], &[HELLO, HELLO]] {
        failed(&asked_of(says, true, soon()), Exit::Failed, "words that this one does not know");
    }
}

#[test]
fn one_that_stays_is_told_from_one_that_is_there_for_a_message() {
    let ask = |says: &[&str], stays| {
        let (_dir, path, program) = other(says, stays);
        let who = wait_for_end(&path, soon());
        program.join().unwrap();
        who
    };
    assert_eq!(ask(&[HELLO], true), Who::Stays);
    assert_eq!(ask(&[r#"{"answer":"hello","program":"send"}"#], false), Who::Gone);
    assert_eq!(ask(&["nonsense"], true), Who::Gone);
    assert_eq!(wait_for_end(Path::new("/nowhere/at/all"), soon()), Who::Gone);
}
