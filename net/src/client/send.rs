//! Decides how `client send` goes, and how anything is posted: by the program that takes part in the device's conversations, or,
//! where none does, by itself.

use std::io::Read;
use std::thread::sleep;
use std::time::{Duration, Instant};

use countersign_core::device::conversations::{Saying, Target};
use countersign_core::id::{ConversationId, MessageId};
use countersign_core::limits::{SEND_TIME_MAX, TEXT_BYTES_MAX};
use serde::Serialize;

use super::World;
use super::args::Send;
use super::ask::Session;
use super::clean::escape_json;
use super::history::conversation;
use super::holding::{Hold, not_sent};
use super::home::Stored;
use super::local::ask::{Asked, ask};
use super::local::place::place;
use super::local::protocol::{Done, Holder, Request, Sent};
use super::names::target;
use crate::exit::{Failure, print_line};
use crate::store::conversations::HistoryFile;

/// Between a program's taking the lock and its opening the socket, and the other way round at its end.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs `client send`.
pub fn send(world: &World, args: &Send) -> Result<(), Failure> {
    let to = target(&args.target)?;
    let stored = world.stored()?;
    let about = about(args).map(|digits| message(&stored, &to, digits)).transpose()?;
    let text = match args.text.clone() {
        Some(text) => text,
        None if args.redact.is_some() => String::new(),
        None => read(&mut std::io::stdin().lock())?,
    };
    let saying = saying(args, about, text);
    saying.fits().map_err(|why| not_sent(&why))?;
    let request = match saying {
        Saying::Text(text) => Request::Send { to: to.clone(), text },
        saying @ (Saying::Reply { .. } | Saying::Edit { .. } | Saying::Redact { .. } | Saying::React { .. }) => {
            Request::Say { to: to.clone(), saying }
        }
    };
    let Done::Sent(sent) = post(world, &stored, &request, SEND_TIME_MAX)? else { return Ok(()) };
    print(&to, &sent, args.json)?;
    let (Some(time), Some(conversation)) = (args.wait_delivered, ConversationId::parse(&sent.conversation)) else {
        return Ok(());
    };
    post(world, &stored, &Request::Await { conversation, place: sent.place }, time)?;
    print_delivered(&to, &sent, args.json)
}

/// The number of the message that something is about, as it was given.
fn about(args: &Send) -> Option<&String> {
    [&args.reply, &args.edit, &args.redact, &args.react, &args.unreact].into_iter().find_map(Option::as_ref)
}

fn saying(args: &Send, about: Option<MessageId>, text: String) -> Saying {
    match about {
        None => Saying::Text(text),
        Some(to) if args.reply.is_some() => Saying::Reply { to, text },
        Some(of) if args.edit.is_some() => Saying::Edit { of, text },
        Some(of) if args.redact.is_some() => Saying::Redact { of },
        Some(to) => Saying::React { to, with: text, on: args.react.is_some() },
    }
}

/// Fewer digits say too little of a number.
const DIGITS_MIN: usize = 4;

/// The message of a conversation whose number begins so.
fn message(stored: &Stored, to: &Target, digits: &str) -> Result<MessageId, Failure> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if !(DIGITS_MIN..=32).contains(&digits.len()) || !digits.bytes().all(is_digit) {
        return Err(Failure::usage(format_args!(
            "{digits:?} is no beginning of a message's number, which has at least 4 of the digits that client history --ids shows"
        )));
    }
    let found = match HistoryFile::open(&stored.folder).map_err(Failure::failed)? {
        Some(file) => {
            let of = conversation(&file, &stored.name.user, to)?;
            file.numbered(&of, digits).map_err(Failure::failed)?
        }
        None => Vec::new(),
    };
    match found[..] {
        [only] => Ok(only),
        [] => Err(Failure::failed(format_args!(
            "no message to {to} has a number that begins with {digits}: client history --ids shows those that are here"
        ))),
        [..] => Err(Failure::failed(format_args!(
            "several messages have a number that begins with {digits}: give more of it"
        ))),
    }
}

/// Has something done, in so much time: by the program that takes part in the device's conversations, or by this one.
pub fn post(world: &World, stored: &Stored, request: &Request, time: Duration) -> Result<Done, Failure> {
    let until = Instant::now() + time;
    loop {
        if let Some(hold) = Hold::take(&stored.folder, Holder::Send)? {
            return Session::taking_part(world, stored, hold, |session| session.post(request.clone(), time));
        }
        let socket = place(&stored.folder).ok_or_else(|| {
            Failure::failed(
                "another program takes part in this device's conversations, and the path of the data folder is too long for \
                 its socket: end that program, or choose a shorter folder with --data-dir",
            )
        })?;
        match ask(&socket, request, until) {
            Asked::Outcome(outcome) => return outcome,
            Asked::Gone if Instant::now() < until => sleep(PAUSE),
            Asked::Gone => {
                return Err(Failure::failed(
                    "another program takes part in this device's conversations, and can't be reached: end it, then try again",
                ));
            }
        }
    }
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

fn print(to: &Target, sent: &Sent, json: bool) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Line<'a> {
        event: &'static str,
        to: &'a Target,
        #[serde(flatten)]
        sent: &'a Sent,
    }
    if json {
        let line = Line { event: "sent", to, sent };
        return print_line(escape_json(&serde_json::to_string(&line).map_err(Failure::failed)?));
    }
    print_line(format_args!("sent to {to}"))
}

fn print_delivered(to: &Target, sent: &Sent, json: bool) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Line<'a> {
        event: &'static str,
        to: &'a Target,
        id: &'a str,
    }
    if json {
        let line = Line { event: "delivered", to, id: &sent.id };
        return print_line(escape_json(&serde_json::to_string(&line).map_err(Failure::failed)?));
    }
    print_line(format_args!("delivered to {to}"))
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
}
