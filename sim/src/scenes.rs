//! Decides how a call between two devices ends when something happens on the way to a direct connection: a scene each,
//! played by honest machines without chance, its end told in words.
//!
//! What is random in a run (`world`) is arranged here. Somebody vanishes, or the network breaks, before the first thing
//! that arrives anywhere, then before the second, and so on until the story is the whole one.

mod arranged;
mod breaks;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use countersign_core::device::calls::{CallEvent, Path};
use countersign_core::device::{Command, Event};
use countersign_core::id::{CallId, UserName};
use countersign_core::peer::Reach;
use countersign_core::wire::Code;

use crate::forge::stage::{DeviceId, Mishap, Stage, To};
use crate::story::tally::{end_name, moved_name, reason_name};

/// One scene.
pub struct Scene {
    /// Its name, once.
    pub name: &'static str,
    /// What happens, in a sentence.
    pub what: &'static str,
    play: fn() -> Result<Vec<String>, String>,
}

impl Scene {
    /// Plays it: how it ended, a sentence for each end or for each way in which it may end; or what went wrong.
    pub fn play(&self) -> Result<Vec<String>, String> {
        (self.play)()
    }
}

/// All scenes.
pub fn scenes() -> Vec<Scene> {
    let mut all = arranged::scenes();
    all.extend(breaks::scenes());
    all
}

/// The seed of all scenes: they have no chance but keys.
const SEED: u64 = 1;
/// The call as the caller numbers it.
const CALL: CallId = CallId(1);
/// Longer than anything in a call waits for: a dead connection is found out by then.
const LONG: u64 = 90;

/// Alice calls Bob.
struct Two {
    stage: Stage,
    alice: DeviceId,
    bob: DeviceId,
    /// The call as Bob numbers it, once he knows of it.
    his: Option<CallId>,
}

impl Two {
    /// Both present, and going this far.
    fn present(name: &str, reaches: [Reach; 2]) -> Self {
        let mut stage = Stage::new(SEED, &format!("scene/{name}"));
        let [hers, his] = reaches;
        let (alice, bob) = (stage.enrol("alice"), stage.enrol("bob"));
        let alice = stage.device_reaching(alice, To::Relay, hers);
        let bob = stage.device_reaching(bob, To::Relay, his);
        Self { stage, alice, bob, his: None }
    }

    /// Alice calls, Bob takes it.
    fn call(&mut self) {
        self.stage.command(self.alice, call_of("bob"));
        self.accept();
    }

    fn accept(&mut self) {
        let incoming =
            |event: &Event| if let Event::Call(call, CallEvent::Incoming(_)) = event { Some(*call) } else { None };
        self.his = self.stage.told(self.bob).iter().rev().find_map(incoming);
        if let Some(his) = self.his {
            self.stage.command(self.bob, Command::Accept(his));
        }
    }

    /// One of them says lines of this number and so many after it.
    fn say(&mut self, who: DeviceId, lines: std::ops::Range<u64>) {
        let call = if who == self.alice { Some(CALL) } else { self.his };
        for n in lines {
            if let Some(call) = call {
                self.stage.command(who, Command::Say(call, format!("line {n}")));
            }
        }
    }

    fn both_say(&mut self, lines: std::ops::Range<u64>) {
        for n in lines {
            self.say(self.alice, n..n + 1);
            self.say(self.bob, n..n + 1);
        }
    }

    /// Seconds pass, one by one.
    fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.stage.wait(Duration::from_secs(1));
        }
    }

    /// Alice hangs up, and what that leads to.
    fn hang_up(&mut self) {
        self.stage.command(self.alice, Command::HangUp(CALL, Code::HUNG_UP));
        self.wait(10);
    }

    /// What each was told, in words, once nothing is left of the call.
    fn ends(self) -> Result<Vec<String>, String> {
        for (name, who) in [("alice", self.alice), ("bob", self.bob)] {
            self.nothing_left(name, who)?;
        }
        Ok(vec![
            format!("alice {}", words(self.stage.told(self.alice))?),
            format!("bob {}", words(self.stage.told(self.bob))?),
        ])
    }

    fn nothing_left(&self, name: &str, who: DeviceId) -> Result<(), String> {
        let (listeners, lines) = (self.stage.listeners_of(who).len(), self.stage.direct_lines_of(who));
        if listeners + lines == 0 {
            Ok(())
        } else {
            Err(format!("{name} still has {listeners} listeners and {lines} direct connections"))
        }
    }
}

fn call_of(user: &str) -> Command {
    Command::Call(CALL, UserName::parse(user).expect("a name"), Duration::ZERO)
}

/// What somebody was told of their calls and of the relay, in words. Lines are counted, and must be the next ones.
#[allow(clippy::wildcard_enum_match_arm, reason = "the rest is of no interest to a scene")]
fn words(told: &[Event]) -> Result<String, String> {
    let (mut words, mut heard, mut online): (Vec<String>, u64, bool) = (Vec::new(), 0, false);
    for event in told {
        match event {
            Event::Call(_, CallEvent::Open(_, Path::Tunnel)) => words.push("speaks by the tunnel".to_owned()),
            Event::Call(_, CallEvent::Open(_, Path::Direct)) => return Err("a call began directly".to_owned()),
            Event::Call(_, CallEvent::Moved(Path::Direct, None)) => words.push("moves: direct".to_owned()),
            Event::Call(_, CallEvent::Moved(path, end)) => words.push(format!("moves: {}", moved_name(*path, *end))),
            Event::Call(_, CallEvent::Line(n, text)) => {
                if *n != heard || *text != format!("line {n}") {
                    return Err(format!("{text:?} was heard as line {n} after {heard} lines"));
                }
                heard += 1;
            }
            Event::Call(_, CallEvent::Ended(end)) => {
                words.push(format!("hears {heard} lines"));
                words.push(format!("is done: {}", end_name(*end)));
            }
            Event::Online(_) if online => words.push("finds the relay".to_owned()),
            Event::Online(_) => online = true,
            Event::Offline(reason, _) => words.push(format!("loses the relay: {}", reason_name(*reason))),
            _ => {}
        }
    }
    if words.is_empty() { Ok("is told nothing".to_owned()) } else { Ok(words.join(", ")) }
}
