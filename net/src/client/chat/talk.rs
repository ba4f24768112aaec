//! Decides what a conversation is, whoever began it: who it is with, lines both ways, and its end.

use countersign_core::device::Command;
use countersign_core::device::calls::{CallDenied, CallEnd, DirectEnd, Path};
use countersign_core::id::{CallId, DeviceName, UserName};
use countersign_core::limits::LINE_BYTES_MAX;
use countersign_core::wire::Code;

use super::super::notice::Notice;
use super::super::outcome::{self, Began, CallOutcome};
use super::super::typed::Typed;
use super::{Desk, Ear, Saying};

/// One call, from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Talk {
    id: CallId,
    with: UserName,
    began: Began,
    open: bool,
    parting: bool,
    direct: bool,
}

impl Talk {
    /// A call that has not opened yet.
    pub fn new(id: CallId, with: UserName, began: Began) -> Self {
        Self { id, with, began, open: false, parting: false, direct: false }
    }

    /// Its number.
    pub fn id(&self) -> CallId {
        self.id
    }

    /// Whether both have proved who they are.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// When the next line is taken: once the call is open, as it has room, and no more after a goodbye.
    pub fn ear(&self) -> Ear {
        if self.open && !self.parting { Ear::WithRoom(self.id) } else { Ear::Later }
    }

    /// Both have proved who they are.
    pub fn opened(&mut self, with: DeviceName, path: Path, desk: &mut Desk) {
        self.open = true;
        let path = word(path);
        let hint = if desk.has_typist() { "; Ctrl-D hangs up" } else { "" };
        desk.tell(Notice::Open { with: with.user, device: with.device, path, hint });
    }

    /// The call goes on by this way.
    pub fn moved(&mut self, path: Path, end: Option<DirectEnd>, desk: &mut Desk) {
        let back = std::mem::replace(&mut self.direct, path == Path::Direct);
        let reason = end.map(|end| end.to_string());
        desk.tell(Notice::Path { with: self.with.clone(), path: word(path), reason, back });
    }

    /// Whether it goes on without the server.
    pub fn is_direct(&self) -> bool {
        self.direct
    }

    /// The other one said a line.
    pub fn heard(&self, n: u64, text: String, desk: &mut Desk) {
        desk.tell(Notice::Line { from: self.with.clone(), n, text });
    }

    /// Whether we have said goodbye.
    pub fn is_parting(&self) -> bool {
        self.parting
    }

    /// Says a line; `false` at the end of input, which is for the role to deal with.
    pub fn say(&self, typed: Typed, desk: &mut Desk) -> bool {
        match typed {
            Typed::Line(text) => desk.wish(Command::Say(self.id, text)),
            Typed::TooLong => {
                unsent(desk, format!("the line was not sent: it is longer than {LINE_BYTES_MAX} bytes"));
            }
            Typed::NotText => unsent(desk, "the line was not sent: it is not UTF-8 text".to_owned()),
            Typed::End => return false,
        }
        true
    }

    /// A line was not taken after all.
    pub fn denied(&self, denied: CallDenied, desk: &mut Desk) {
        match denied {
            CallDenied::Say(_) => unsent(desk, format!("the line was not sent: the call with {} has ended", self.with)),
            CallDenied::NoSuchCall | CallDenied::TooMany => {}
        }
    }

    /// Hangs up in good order, whatever the call has come to.
    pub fn hang_up(&mut self, desk: &mut Desk) {
        if !self.parting {
            self.parting = true;
            desk.wish(Command::HangUp(self.id, Code::HUNG_UP));
        }
    }

    /// The call is over. Programs are told at once; a person is told by `say`, as it suits the role.
    pub fn ended(&self, end: CallEnd, say: fn(&CallOutcome, Notice) -> Saying, desk: &mut Desk) -> CallOutcome {
        let outcome = outcome::of_call(end, &self.with, self.began, self.open);
        let notice = Notice::Ended {
            with: self.with.clone(),
            reason: outcome.sentence.clone(),
            code: outcome.code.0,
            exit: outcome.exit.number(),
        };
        desk.say(say(&outcome, notice));
        outcome
    }
}

fn word(path: Path) -> &'static str {
    match path {
        Path::Tunnel => "tunnel",
        Path::Direct => "direct",
    }
}

fn unsent(desk: &mut Desk, reason: String) {
    desk.tell(Notice::Unsent { reason });
}
