//! Decides what the program does for others that takes part in its device's conversations: it sends their messages and changes
//! rooms for them, and says to each what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use countersign_core::id::SendId;
use countersign_core::limits::{LOCAL_REQUEST_BYTES_MAX, LOCAL_VISITORS_MAX};
use mio::event::Event;
use mio::net::UnixListener;
use mio::{Interest, Registry, Token};

use super::protocol::{Holder, KEPT, Reply, Request, UNKEPT};
use crate::exit::{Exit, Failure};
use crate::unix_socket;
use crate::visitor::{Said, Visitor};

/// What others bring is numbered from here on.
const FIRST_SEND: u64 = 1 << 32;
/// What is taken in one turn of the loop.
const WISHES_PER_TURN: usize = 16;
/// The socket, and who came to it. When it is dropped nobody is left without an answer, and the socket is gone.
#[derive(Debug)]
pub struct Desk {
    listener: UnixListener,
    path: PathBuf,
    token: Option<Token>,
    hello: Vec<u8>,
    visitors: BTreeMap<Token, Visitor>,
    /// Visitors who may have said something.
    heard: BTreeSet<Token>,
    somebody_waits: bool,
    /// Whether nothing more is taken.
    is_closing: bool,
    sends: u64,
    /// Those that are messages, which are kept.
    kept: BTreeSet<u64>,
    /// Those for which nobody waits any more.
    called_off: Vec<SendId>,
}

/// Something that another program brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Its number.
    pub send: SendId,
    /// What.
    pub what: Request,
}

impl Desk {
    /// Opens the socket. The caller is the one program that takes part.
    pub fn open(path: &Path, program: Holder) -> Result<Self, Failure> {
        Ok(Self {
            listener: unix_socket::listen(path, "the socket for messages")?,
            path: path.to_owned(),
            token: None,
            hello: Reply::Hello { program }.to_line(),
            visitors: BTreeMap::new(),
            heard: BTreeSet::new(),
            somebody_waits: false,
            is_closing: false,
            sends: FIRST_SEND,
            kept: BTreeSet::new(),
            called_off: Vec::new(),
        })
    }

    /// Puts the socket into the loop.
    pub fn register(&mut self, registry: &Registry, token: Token) -> std::io::Result<()> {
        self.token = Some(token);
        registry.register(&mut self.listener, token, Interest::READABLE)
    }

    /// Something happened to the socket, or to a visitor's; whether it was one of these. Whoever closes their side waits no more
    /// for what is not kept.
    pub fn event(&mut self, event: &Event) -> bool {
        let token = event.token();
        if self.token == Some(token) {
            self.somebody_waits = true;
            return true;
        }
        let Some(visitor) = self.visitors.get_mut(&token) else { return false };
        visitor.write();
        if event.is_read_closed()
            && let Some(send) = visitor.asked().filter(|send| !self.kept.contains(send))
        {
            visitor.leaves();
            self.called_off.push(SendId(send));
        }
        self.heard.insert(token);
        true
    }

    /// What nobody waits for any more, and is not to be done.
    pub fn called_off(&mut self) -> Vec<SendId> {
        std::mem::take(&mut self.called_off)
    }

    /// Whether there is more to do than a turn took, so that the next must not wait for an event.
    pub fn has_work(&self) -> bool {
        self.somebody_waits || !self.heard.is_empty() || !self.called_off.is_empty()
    }

    /// Lets visitors in and takes what they bring, as much as a turn takes.
    pub fn wishes(&mut self, registry: &Registry, next: &mut dyn FnMut() -> Token) -> Vec<Wish> {
        self.let_in(registry, next);
        let mut wishes = Vec::new();
        for _ in 0..WISHES_PER_TURN {
            let Some(token) = self.heard.pop_first() else { break };
            let Some(visitor) = self.visitors.get_mut(&token) else { continue };
            match visitor.next_line().map(|said| read(&said)) {
                Some(_) if self.is_closing => {
                    visitor.reply(&Reply::Closing.to_line());
                    self.heard.insert(token);
                }
                Some(Ok(what)) => {
                    self.sends += 1;
                    visitor.asks(self.sends);
                    if what.is_kept() {
                        self.kept.insert(self.sends);
                    }
                    wishes.push(Wish { send: SendId(self.sends), what });
                }
                Some(Err(failure)) => {
                    visitor.reply(&Reply::not_sent(failure).to_line());
                    self.heard.insert(token);
                }
                None if visitor.is_done() => {
                    if let Some(mut visitor) = self.visitors.remove(&token) {
                        // Closing takes it out of the loop as well.
                        let _ = registry.deregister(visitor.stream());
                    }
                }
                None => {}
            }
        }
        wishes
    }

    /// Nothing more is taken.
    pub fn close_door(&mut self) {
        self.is_closing = true;
    }

    /// Whether somebody waits for what comes of something.
    pub fn is_awaited(&self) -> bool {
        self.visitors.values().any(|visitor| visitor.asked().is_some())
    }

    /// A message is kept.
    pub fn taken(&mut self, send: SendId) {
        self.say(send, &Reply::Taken);
    }

    /// Part of what came of it.
    pub fn say(&mut self, send: SendId, reply: &Reply) {
        if let Some(visitor) = self.visitors.values_mut().find(|visitor| visitor.asked() == Some(send.0)) {
            visitor.say(&reply.to_line());
        }
    }

    /// What came of it. One who has left is not looked for.
    pub fn answer(&mut self, send: SendId, reply: &Reply) {
        self.kept.remove(&send.0);
        let asker = self.visitors.iter_mut().find(|(_, visitor)| visitor.asked() == Some(send.0));
        if let Some((token, visitor)) = asker {
            visitor.reply(&reply.to_line());
            // The next may be there already, and would not be announced again.
            self.heard.insert(*token);
        }
    }

    /// Nobody who waits is to wait any longer, and why.
    pub fn send_home(&mut self, why: Option<&Failure>) {
        let awaited: Vec<u64> = self.visitors.values().filter_map(Visitor::asked).collect();
        for send in awaited {
            let left = if self.kept.contains(&send) {
                KEPT
            } else {
                self.called_off.push(SendId(send));
                UNKEPT
            };
            let failure = why.map_or_else(|| Failure::unreachable(left), |why| with_rest(why, left));
            self.answer(SendId(send), &Reply::not_sent(failure));
        }
    }

    fn let_in(&mut self, registry: &Registry, next: &mut dyn FnMut() -> Token) {
        while self.somebody_waits {
            match self.listener.accept() {
                Ok((mut stream, _)) => {
                    let token = next();
                    if registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE).is_ok() {
                        let mut visitor = Visitor::new(stream, LOCAL_REQUEST_BYTES_MAX);
                        visitor.say(&self.hello);
                        self.visitors.insert(token, visitor);
                        self.heard.insert(token);
                    }
                    if self.visitors.len() > LOCAL_VISITORS_MAX {
                        let first = self.visitors.pop_first().and_then(|(_, visitor)| visitor.asked());
                        self.called_off.extend(first.filter(|send| !self.kept.contains(send)).map(SendId));
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Without room for another file there is nothing to be done but to wait for the next to come.
                Err(_) => self.somebody_waits = false,
            }
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // If it can't be removed, the next program does it.
        let _ = fs::remove_file(&self.path);
        self.send_home(None);
        for visitor in self.visitors.values_mut() {
            visitor.say(&Reply::Closing.to_line());
        }
    }
}

/// The same end of a program, with what has become of what it wished: what came of it is that there was no connection for long
/// enough.
pub fn with_rest(failure: &Failure, rest: &str) -> Failure {
    let exit = if failure.exit == Exit::Failed { Exit::Unreachable } else { failure.exit };
    Failure { exit, sentence: format!("{}; {rest}", failure.sentence) }
}

fn read(said: &Said) -> Result<Request, Failure> {
    match said {
        Said::Line(line) => serde_json::from_slice(line)
            .map_err(|error| Failure::usage(format_args!("this program does not know what is wished ({error})"))),
        Said::TooLong => Err(Failure::usage(format_args!("a wish is at most {LOCAL_REQUEST_BYTES_MAX} bytes long"))),
    }
}

#[cfg(test)]
mod tests;
