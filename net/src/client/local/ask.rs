//! Decides how a program has its message sent, or something done with a room, by the one that takes part in its device's conversations.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use countersign_core::limits::LOCAL_REPLY_BYTES_MAX;

use super::protocol::{Done, Holder, KEPT, Reply, Request, failure};
use crate::exit::Failure;

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It was taken, and this has come of it; or it can't be taken.
    Outcome(Result<Done, Failure>),
    /// Nobody took anything: the other program has just gone, or is about to.
    Gone,
}

/// Who has the conversations, as far as another program can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A program that stays.
    Stays,
    /// One that has gone by now, or is not to be reached.
    Gone,
}

/// Has it done, and waits until then for what comes of it.
pub fn ask(path: &Path, request: &Request, until: Instant) -> Asked {
    let Ok(mut talk) = Talk::begin(path, until) else { return Asked::Gone };
    // Whoever says no Hello has taken nothing.
    match talk.hear() {
        Ok(Reply::Hello { .. }) => {}
        Ok(_) => return Asked::Outcome(Err(stranger())),
        Err(error) if error.kind() == ErrorKind::InvalidData => return Asked::Outcome(Err(stranger())),
        Err(_) => return Asked::Gone,
    }
    if talk.say(request).is_err() {
        // What was cut off is no line, and nothing is made of it.
        return Asked::Gone;
    }
    let (mut is_taken, mut listed) = (false, Vec::new());
    loop {
        match talk.hear() {
            Ok(Reply::Taken) => is_taken = true,
            Ok(Reply::Sent(sent)) => return Asked::Outcome(Ok(Done::Sent(sent))),
            Ok(Reply::Delivered) => return Asked::Outcome(Ok(Done::Delivered)),
            Ok(Reply::Rooms { rooms, more }) => {
                listed.extend(rooms);
                if !more {
                    return Asked::Outcome(Ok(Done::Rooms(listed)));
                }
            }
            Ok(Reply::NotSent { exit, sentence }) => return Asked::Outcome(Err(failure(exit, sentence))),
            Ok(Reply::Closing) if !is_taken => return Asked::Gone,
            Ok(Reply::Hello { .. } | Reply::Closing) => return Asked::Outcome(Err(stranger())),
            Err(error) => return Asked::Outcome(Err(silence(&error, is_taken, request))),
        }
    }
}

/// Asks which program it is, and waits until then for the end of one that is there for one message.
pub fn wait_for_end(path: &Path, until: Instant) -> Who {
    let Ok(mut talk) = Talk::begin(path, until) else { return Who::Gone };
    match talk.hear() {
        Ok(Reply::Hello { program: Holder::Listen }) => Who::Stays,
        Ok(Reply::Hello { program: Holder::Send }) => {
            // It says nothing but that it ends.
            while talk.hear().is_ok() {}
            Who::Gone
        }
        Ok(_) | Err(_) => Who::Gone,
    }
}

/// A conversation over the socket, until then.
struct Talk {
    stream: BufReader<UnixStream>,
    until: Instant,
}

impl Talk {
    fn begin(path: &Path, until: Instant) -> io::Result<Self> {
        Ok(Self { stream: BufReader::new(UnixStream::connect(path)?), until })
    }

    fn say(&mut self, request: &Request) -> io::Result<()> {
        self.stream.get_ref().set_write_timeout(Some(self.left()?))?;
        self.stream.get_mut().write_all(&request.to_line())
    }

    fn hear(&mut self) -> io::Result<Reply> {
        self.stream.get_ref().set_read_timeout(Some(self.left()?))?;
        let mut line = Vec::new();
        self.stream.by_ref().take(LOCAL_REPLY_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_slice(&line)?)
    }

    fn left(&self) -> io::Result<std::time::Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

fn stranger() -> Failure {
    Failure::failed(
        "the program that takes part in this device's conversations speaks in words that this one does not know: end it, and \
         start it again",
    )
}

/// No outcome came.
fn silence(error: &io::Error, is_taken: bool, request: &Request) -> Failure {
    if !request.is_kept() && error.kind() != ErrorKind::InvalidData {
        let late = match request {
            Request::Await { .. } => request.late(""),
            Request::Send { .. } | Request::Say { .. } | Request::Run { .. } => "nothing came of it in time".to_owned(),
        };
        return Failure::unreachable(format_args!("{late}; {}", request.rest()));
    }
    if is_taken {
        return Failure::unreachable(format_args!("the message was not sent in time: {KEPT}"));
    }
    if error.kind() == ErrorKind::InvalidData {
        return stranger();
    }
    Failure::failed(
        "the program that takes part in this device's conversations did not say whether it has the message: client history \
         shows whether it was sent",
    )
}

#[cfg(test)]
mod tests;
