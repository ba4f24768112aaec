//! Decides how `client send` goes: by the program that takes part in the device's conversations, or, where none does, by itself.

use std::io::Read;
use std::thread::sleep;
use std::time::{Duration, Instant};

use countersign_core::device::conversations::NotSent;
use countersign_core::id::UserName;
use countersign_core::limits::{SEND_TIME_MAX, TEXT_BYTES_MAX};
use serde::Serialize;

use super::World;
use super::args::Send;
use super::ask::Session;
use super::clean::escape_json;
use super::holding::{Hold, not_sent};
use super::local::ask::{Asked, send as send_by};
use super::local::place::place;
use super::local::protocol::{Holder, Sent};
use crate::exit::{Failure, print_line};

/// Between a program's taking the lock and its opening the socket, and the other way round at its end.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs `client send`.
pub fn send(world: &World, args: Send) -> Result<(), Failure> {
    let to = person(&args.target)?;
    let stored = world.stored()?;
    let text = match args.text {
        Some(text) => text,
        None => read(&mut std::io::stdin().lock())?,
    };
    if !(1..=TEXT_BYTES_MAX).contains(&text.len()) {
        return Err(not_sent(NotSent::Length));
    }
    let until = Instant::now() + SEND_TIME_MAX;
    let sent = loop {
        if let Some(hold) = Hold::take(&stored.folder, Holder::Send)? {
            break Session::taking_part(world, &stored, hold, |session| session.send(to.clone(), text))?;
        }
        let socket = place(&stored.folder).ok_or_else(|| {
            Failure::failed(
                "another program takes part in this device's conversations, and the path of the data folder is too long for \
                 its socket: end that program, or choose a shorter folder with --data-dir",
            )
        })?;
        match send_by(&socket, to.clone(), text.clone(), until) {
            Asked::Outcome(outcome) => break outcome?,
            Asked::Gone if Instant::now() < until => sleep(PAUSE),
            Asked::Gone => {
                return Err(Failure::failed(
                    "another program takes part in this device's conversations, and can't be reached: end it, then try again",
                ));
            }
        }
    };
    print(&to, &sent, args.json)
}

/// Whom a target means.
pub fn person(target: &str) -> Result<UserName, Failure> {
    if target.starts_with('#') || target.starts_with("room:") {
        return Err(Failure::usage(format_args!(
            "{target:?} would be a room, and rooms do not exist yet: name a user"
        )));
    }
    UserName::parse(target)
        .map_err(|why| Failure::usage(format_args!("{target:?} can't be anybody's user name: {why}")))
}

/// The whole of standard input as one message, without the end of its last line.
fn read(input: &mut impl Read) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    // A line end and one byte more, by which it is too long.
    let most = TEXT_BYTES_MAX as u64 + 3;
    input
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::failed(format_args!("standard input can't be read ({error}): try again")))?;
    let mut text = String::from_utf8(bytes)
        .map_err(|_| Failure::usage("a message is UTF-8 text, and standard input is not: send a file instead"))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

fn print(to: &UserName, sent: &Sent, json: bool) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Line<'a> {
        event: &'static str,
        to: &'a UserName,
        #[serde(flatten)]
        sent: &'a Sent,
    }
    if json {
        let line = Line { event: "sent", to, sent };
        return print_line(escape_json(&serde_json::to_string(&line).map_err(Failure::failed)?));
    }
    print_line(format_args!("sent to {to}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn the_whole_of_standard_input_is_one_message_without_its_last_line_end() {
        for (input, text) in
            [("hello\n", "hello"), ("a\nb\n\n", "a\nb\n"), ("a\r\n", "a"), ("a", "a"), ("\n", ""), ("", "")]
        {
            assert_eq!(read(&mut input.as_bytes()).unwrap(), text);
        }
        let longest = "x".repeat(TEXT_BYTES_MAX);
        assert_eq!(read(&mut format!("{longest}\r\n").as_bytes()).unwrap(), longest);
        assert_eq!(read(&mut format!("{longest}x\n").as_bytes()).unwrap().len(), TEXT_BYTES_MAX + 1);
        assert!(read(&mut std::io::repeat(b'x')).unwrap().len() > TEXT_BYTES_MAX);
        assert_eq!(read(&mut [0xff, 0xfe].as_slice()).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn a_target_is_a_user_and_a_room_says_that_there_are_none_yet() {
        assert_eq!(person("bob").unwrap().as_str(), "bob");
        for (target, part) in
            [("#tea", "rooms do not exist yet"), ("room:bob", "rooms do not exist yet"), ("Bob", "lower case")]
        {
            let failure = person(target).unwrap_err();
            assert!(failure.exit == Exit::Usage && failure.sentence.contains(part), "{failure}");
        }
    }
}
