//! Breaks one promise from outside, so that it can be seen whether the oracle of that name objects.
//!
//! The machines are left alone: the saboteur stands between them and what watches them, as a bad disk, a bad shell or
//! a bad program would.

use countersign_core::device::Event;
use countersign_core::device::calls::{CallEvent, Calls, DirectEnd};
use countersign_core::effect::Note;
use countersign_core::fault::{CloseReason, Fault};
use countersign_core::id::ConnId;
use countersign_core::limits::LINE_BYTES_MAX;

use crate::disk::Disk;
use crate::node::Node;
use crate::story::{Phase, Program};

/// Which promise is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// A line is altered after it was decrypted.
    AlterLine,
    /// A line is shown twice.
    DoubleLine,
    /// Somebody is shown another name than the one who was proved.
    OtherName,
    /// The disk answers for records and has them no more after the relay's next crash: the last one.
    LoseLastRecord,
    /// ... and all but the first.
    LoseAllRecords,
    /// The first device is never told who comes or goes.
    DropPresence,
    /// The relay does not write into its log that a connection is over.
    SwallowClosing,
    /// The relay's log accuses whoever left in good order.
    Accuse,
    /// The user is not told that a call is over.
    SwallowCallEnd,
    /// The first device is never woken.
    NeverWake,
    /// A line is shown longer than a line may be.
    OversizeLine,
    /// In the calm the relay stays down, or goes down.
    KeepDown,
    /// The shells keep listening, though they are told to stop.
    KeepListening,
    /// The shells keep direct connections that they are told to drop.
    KeepSockets,
    /// The user is not told that a call moves.
    SwallowMove,
    /// The user is shown no line of any call.
    SwallowLines,
    /// The user is told that a direct connection has failed by somebody's fault, whatever it was.
    AccusePeer,
}

/// The saboteur of a run, if there is one.
#[derive(Debug, Default)]
pub struct Saboteur {
    plan: Option<Sabotage>,
}

impl Saboteur {
    /// A saboteur with a plan.
    pub fn new(plan: Option<Sabotage>) -> Self {
        Self { plan }
    }

    /// What a user is shown instead of what their device tells them.
    pub fn told(&self, program: Program, event: Event) -> Vec<Event> {
        let Some(plan) = self.plan else { return vec![event] };
        match (plan, event) {
            (Sabotage::AlterLine, Event::Call(call, CallEvent::Line(n, text))) => {
                vec![Event::Call(call, CallEvent::Line(n, format!("{text}!")))]
            }
            (Sabotage::OversizeLine, Event::Call(call, CallEvent::Line(n, _))) => {
                vec![Event::Call(call, CallEvent::Line(n, "x".repeat(LINE_BYTES_MAX + 1)))]
            }
            (Sabotage::DoubleLine, Event::Call(call, line @ CallEvent::Line(..))) => {
                vec![Event::Call(call, line.clone()), Event::Call(call, line)]
            }
            (Sabotage::OtherName, Event::Call(call, CallEvent::Open(mut device, path))) => {
                device.user = crate::actors::person::whims::other_name(0, 8);
                vec![Event::Call(call, CallEvent::Open(device, path))]
            }
            (Sabotage::DropPresence, Event::Presence(..)) if program.device == 0 => Vec::new(),
            (Sabotage::SwallowMove, Event::Call(_, CallEvent::Moved(..)))
            | (Sabotage::SwallowLines, Event::Call(_, CallEvent::Line(..)))
            | (Sabotage::SwallowCallEnd, Event::Call(_, CallEvent::Ended(_))) => Vec::new(),
            (Sabotage::AccusePeer, Event::Call(call, CallEvent::Moved(path, Some(_)))) => {
                let end = DirectEnd::Failed(CloseReason::Fault(Fault::Malformed));
                vec![Event::Call(call, CallEvent::Moved(path, Some(end)))]
            }
            (_, event) => vec![event],
        }
    }

    /// What is seen of a line of the relay's log.
    pub fn noted(&self, note: Note) -> Option<Note> {
        match (self.plan, note) {
            (Some(Sabotage::SwallowClosing), Note::Closed(..)) => None,
            (Some(Sabotage::Accuse), Note::Closed(conn, device, reason)) if reason.is_polite() => {
                Some(Note::Closed(conn, device, CloseReason::Fault(Fault::Malformed)))
            }
            (_, note) => Some(note),
        }
    }

    /// The relay's process has crashed, and this is its disk.
    pub fn crashed(&self, disk: &mut Disk) {
        match self.plan {
            Some(Sabotage::LoseLastRecord) => disk.forget_beyond(disk.records().count().saturating_sub(1)),
            Some(Sabotage::LoseAllRecords) => disk.forget_beyond(1),
            _ => {}
        }
    }

    /// Whether a machine is woken.
    pub fn wakes(&self, node: Node) -> bool {
        !(self.plan == Some(Sabotage::NeverWake) && node == Node::Device(0))
    }

    /// Whether a shell stops listening when it is told to.
    pub fn lets_unlisten(&self) -> bool {
        self.plan != Some(Sabotage::KeepListening)
    }

    /// Whether a shell drops a connection when it is told to.
    pub fn lets_drop(&self, local: ConnId) -> bool {
        !(self.plan == Some(Sabotage::KeepSockets) && Calls::is_direct(local))
    }

    /// Whether the relay may run.
    pub fn lets_relay_run(&self, phase: Phase) -> bool {
        !(self.plan == Some(Sabotage::KeepDown) && phase >= Phase::Calm)
    }
}
