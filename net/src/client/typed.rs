//! Decides what a line of input is, and brings lines from standard input to the loop without ever holding many.
//!
//! Reading blocks, so it has a thread of its own. The thread wakes the loop with each line and waits while the loop
//! has no room for another, and then so does whoever writes the pipe.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use countersign_core::limits::{LINE_BYTES_MAX, TYPED_LINES_WAITING_MAX};
use mio::Waker;

use crate::exit::Failure;

/// Lines that wait for the loop.
const LINES_WAITING_MAX: usize = TYPED_LINES_WAITING_MAX;
/// On a terminal the end of input (Ctrl-D) is not for ever. So many in a row are: the terminal is gone.
const ENDS_IN_A_ROW_MAX: usize = 16;
/// One read.
const BUFFER_BYTES: usize = 8 * 1024;

/// What was typed, or came through the pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A line, without its end.
    Line(String),
    /// A line longer than [`LINE_BYTES_MAX`].
    TooLong,
    /// A line that is not UTF-8.
    NotText,
    /// The end of input. On a terminal more may follow.
    End,
}

/// The lines that wait for the loop.
#[derive(Debug)]
pub struct Lines {
    receiver: Receiver<Typed>,
}

impl Lines {
    /// Begins to read standard input. With `again`, reading goes on after an end, as a terminal lets it.
    ///
    /// The waker must be kept by the loop, too: one that is dropped with the thread takes its last wake with it, the one
    /// that tells of the end of input.
    pub fn start(waker: Arc<Waker>, again: bool) -> Result<Self, Failure> {
        Self::spawn(io::stdin(), waker, again)
            .map(|(lines, _)| lines)
            .map_err(|error| Failure::failed(format_args!("standard input can't be read ({error}): try again")))
    }

    fn spawn(
        mut input: impl Read + Send + 'static,
        waker: Arc<Waker>,
        again: bool,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (sender, receiver) = sync_channel(LINES_WAITING_MAX);
        let hand = Hand { sender, waker };
        let reader = thread::Builder::new().name("stdin".into()).spawn(move || read(&mut input, again, &hand))?;
        Ok((Self { receiver }, reader))
    }

    /// The next line, if there is one now.
    pub fn take(&mut self) -> Option<Typed> {
        self.receiver.try_recv().ok()
    }
}

/// The thread's end of the channel.
struct Hand {
    sender: SyncSender<Typed>,
    waker: Arc<Waker>,
}

impl Hand {
    /// Waits until the loop has room; `false` once there is no loop any more.
    fn over(&self, typed: Typed) -> bool {
        if self.sender.send(typed).is_err() {
            return false;
        }
        // A loop that can't be woken finds the line at its next turn.
        let _ = self.waker.wake();
        true
    }
}

fn read(input: &mut impl Read, again: bool, hand: &Hand) {
    let mut cutter = Cutter::default();
    let mut buffer = [0; BUFFER_BYTES];
    let mut ends = 0;
    loop {
        match input.read(&mut buffer) {
            Ok(0) => {
                ends += 1;
                let there = cutter.end().is_none_or(|line| hand.over(line)) && hand.over(Typed::End);
                if !there || !again || ends == ENDS_IN_A_ROW_MAX {
                    return;
                }
            }
            Ok(n) => {
                ends = 0;
                if !cutter.cut(buffer.get(..n).unwrap_or_default(), &mut |typed| hand.over(typed)) {
                    return;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // A broken input is an ended one.
            Err(_) => {
                hand.over(Typed::End);
                return;
            }
        }
    }
}

/// Cuts bytes into lines. Holds at most one line, and of one that is too long nothing.
#[derive(Debug, Default)]
struct Cutter {
    line: Vec<u8>,
    too_long: bool,
}

impl Cutter {
    /// Takes the next bytes and hands over the lines that they complete, until the taker has enough.
    fn cut(&mut self, mut bytes: &[u8], take: &mut dyn FnMut(Typed) -> bool) -> bool {
        while let Some(at) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(at);
            self.add(line);
            bytes = rest.get(1..).unwrap_or_default();
            if !take(self.close()) {
                return false;
            }
        }
        self.add(bytes);
        true
    }

    /// The input has ended: what stands after the last end of line is a line, too.
    fn end(&mut self) -> Option<Typed> {
        (self.too_long || !self.line.is_empty()).then(|| self.close())
    }

    fn add(&mut self, bytes: &[u8]) {
        // One more than the longest line, which may be followed by a carriage return.
        if self.line.len() + bytes.len() > LINE_BYTES_MAX + 1 {
            self.too_long = true;
            self.line.clear();
        } else if !self.too_long {
            self.line.extend_from_slice(bytes);
        }
    }

    fn close(&mut self) -> Typed {
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if std::mem::take(&mut self.too_long) || line.len() > LINE_BYTES_MAX {
            return Typed::TooLong;
        }
        String::from_utf8(line).map_or(Typed::NotText, Typed::Line)
    }
}

#[cfg(test)]
mod tests;
