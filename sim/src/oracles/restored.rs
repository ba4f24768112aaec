//! Nobody goes on unwarned with a server that was restored from a backup: who has seen more of its log than the backup had is
//! told how much is kept, and goes on with nothing else before; and who has seen no more is not held up. A relay that lies about
//! its log or withholds an answer holds people up, whatever it has: they are told that nothing is kept, and not that much is.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::enrol::EnrolResult;
use countersign_core::device::{Event, Followed, LogRefusal};
use countersign_core::journal::State;
use countersign_core::tlog::{Checkpoint, Leaf, NoteName};

use super::Oracle;
use crate::actors::villains::Lie;
use crate::story::{Program, Seen};

/// See the module.
#[derive(Debug, Default)]
pub struct Restored {
    /// The log that each device follows, and how much of it was seen.
    follows: BTreeMap<usize, (NoteName, u64)>,
    /// Which logs go on from which others, and how much of those they have.
    kept: BTreeMap<(NoteName, NoteName), u64>,
    /// Who was told that they would lose something by going on with which log.
    warned: BTreeSet<(usize, NoteName)>,
    /// To which programs the relay has lied about its log, or has withheld an answer.
    lied_to: BTreeSet<Program>,
}

impl Oracle for Restored {
    fn name(&self) -> &'static str {
        "restored"
    }

    fn see(&mut self, _at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Replayed(state, _) => self.goes_on(state),
            Seen::Lied(program, Lie::FalseLog | Lie::Silence) => drop(self.lied_to.insert(*program)),
            Seen::Anew(who) => drop(self.follows.remove(&who.program.device)),
            Seen::EnrolEnded(who, EnrolResult::Enrolled(identity), ..) => {
                if let Some(followed) = identity.log.followed() {
                    self.follows.extend(checkpoint(&followed).map(|seen| (who.program.device, seen)));
                }
            }
            Seen::Told(who, Event::Followed(followed)) => {
                self.follows.extend(checkpoint(followed).map(|seen| (who.program.device, seen)));
            }
            Seen::Told(who, Event::LogRefused(LogRefusal::Restored(restored))) => {
                let device = who.program.device;
                self.warned.insert((device, restored.log.clone()));
                let Some((log, seen)) = self.follows.get(&device) else { return Ok(()) };
                let kept = self.kept.get(&(restored.log.clone(), log.clone())).copied();
                // Who is not shown how the log goes on is told just that: nothing is kept for all that anybody knows.
                if self.lied_to.contains(&who.program) && restored.kept.is_none() && restored.seen == *seen {
                    return Ok(());
                }
                if kept.is_some_and(|kept| kept >= *seen) {
                    return Err(format!("{} is held up by a log that has all that they have seen", who.name));
                }
                // A log that was restored since from before it was begun says nothing of it.
                if restored.kept != kept || restored.seen != *seen {
                    return Err(format!(
                        "{} is told that {:?} of {} is kept, and {kept:?} of {seen} is",
                        who.name, restored.kept, restored.seen
                    ));
                }
            }
            Seen::Told(who, Event::AnotherLog(followed)) => {
                let Some((log, size)) = checkpoint(followed) else { return Ok(()) };
                let device = who.program.device;
                if let Some((before, seen)) = self.follows.insert(device, (log.clone(), size)) {
                    let has_all = self.kept.get(&(log.clone(), before)).is_some_and(|kept| *kept >= seen);
                    if !has_all && !self.warned.contains(&(device, log)) {
                        return Err(format!("{} goes on with a log without what they have seen, unwarned", who.name));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Restored {
    /// The server has started over this journal.
    fn goes_on(&mut self, state: &State) {
        let Some(realm) = state.realm() else { return };
        let log = NoteName::of_log(&realm.realm, state.position().incarnation);
        for (_, leaf) in state.generations() {
            if let Leaf::Generation { previous, head, .. } = leaf {
                self.kept.insert((log.clone(), previous), head.size);
            }
        }
    }
}

fn checkpoint(followed: &Followed) -> Option<(NoteName, u64)> {
    let checkpoint = Checkpoint::parse(followed.checkpoint.as_bytes()).ok()?;
    Some((checkpoint.origin().clone(), checkpoint.head().size))
}
