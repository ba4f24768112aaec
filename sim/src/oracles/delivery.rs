//! What one end of a call says is what the other hears: a beginning of it at any time, without gap or double, by
//! whatever ways it went; and the whole of it, once the call has ended in good order.
//!
//! Impostor finds the two ends of a call by their words. This one finds them by how the call came up, so it misses
//! lines also where not a single one arrived.

use std::collections::BTreeMap;

use countersign_core::device::calls::{CallEnd, CallEvent};
use countersign_core::device::{Command, Event};
use countersign_core::fault::CloseReason;
use countersign_core::id::{CallId, DeviceName};
use countersign_core::wire::Code;

use super::Oracle;
use crate::story::{Program, Seen, Who};

/// A call as one of its ends sees it.
type End = (Program, CallId);

/// See the module.
#[derive(Debug, Default)]
pub struct Delivery {
    calls: BTreeMap<End, Call>,
    /// How many calls came up so far.
    opened: u64,
}

/// What is known of one end of a call.
#[derive(Debug)]
struct Call {
    holder: String,
    device: DeviceName,
    /// With which device it came up.
    with: Option<DeviceName>,
    begun_us: u64,
    /// When it came up, in the order of all that did.
    opened: Option<u64>,
    said: Vec<String>,
    heard: u64,
    other: Option<End>,
    left: bool,
    ended: Option<(u64, CallEnd)>,
}

impl Oracle for Delivery {
    fn name(&self) -> &'static str {
        "delivery"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Wished(who, Command::Call(call, ..)) => self.begin(who, *call, at_us),
            Seen::Wished(who, Command::HangUp(call, _)) => {
                if let Some(known) = self.calls.get_mut(&(who.program, *call)) {
                    known.left = true;
                }
            }
            Seen::Wished(who, Command::Quit) => {
                for (_, call) in self.calls.iter_mut().filter(|((holder, _), _)| *holder == who.program) {
                    call.left = true;
                }
            }
            Seen::Killed(who) => {
                for (_, call) in self.calls.iter_mut().filter(|((holder, _), _)| *holder == who.program) {
                    call.ended = call.ended.or(Some((at_us, CallEnd::RelayLost)));
                }
            }
            Seen::Said(who, call, text) => {
                if let Some(known) = self.calls.get_mut(&(who.program, *call)) {
                    known.said.push((*text).to_owned());
                }
            }
            Seen::Told(who, Event::Call(call, event)) => {
                let end = (who.program, *call);
                match event {
                    CallEvent::Incoming(_) => self.begin(who, *call, at_us),
                    CallEvent::Open(with, _) => self.open(end, with),
                    CallEvent::Line(n, text) => return self.line(end, *n, text),
                    CallEvent::Ended(how) => return self.ended(end, *how, at_us),
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Delivery {
    fn begin(&mut self, who: &Who<'_>, call: CallId, begun_us: u64) {
        let (holder, device) = (who.name.user.to_string(), who.name.clone());
        let (with, opened, other, ended) = (None, None, None, None);
        let (said, heard, left) = (Vec::new(), 0, false);
        let new = Call { holder, device, with, begun_us, opened, said, heard, other, left, ended };
        self.calls.entry((who.program, call)).or_insert(new);
    }

    /// The one who was called is there first, so the second of two ends finds the first: of those that are free and
    /// were there when this one began or later, the newest.
    fn open(&mut self, end: End, with: &DeviceName) {
        self.opened += 1;
        let opened = self.opened;
        let Some(call) = self.calls.get_mut(&end) else { return };
        call.opened = Some(opened);
        call.with = Some(with.clone());
        let (device, begun_us) = (call.device.clone(), call.begun_us);
        let fits = |(place, other): &(&End, &Call)| {
            **place != end
                && other.opened.is_some()
                && other.other.is_none()
                && other.device == *with
                && other.with.as_ref() == Some(&device)
                && other.ended.is_none_or(|(ended_us, _)| ended_us >= begun_us)
        };
        let newest = self.calls.iter().filter(fits).max_by_key(|(_, other)| other.opened).map(|(place, _)| *place);
        if let Some(other) = newest {
            for (one, its_other) in [(end, other), (other, end)] {
                if let Some(call) = self.calls.get_mut(&one) {
                    call.other = Some(its_other);
                }
            }
        }
    }

    /// The next line that the other end has said, and nothing else.
    fn line(&mut self, end: End, n: u64, text: &str) -> Result<(), String> {
        let Some(call) = self.calls.get_mut(&end) else { return Ok(()) };
        let (holder, heard) = (call.holder.clone(), call.heard);
        call.heard += 1;
        if n != heard {
            return Err(format!("{holder} hears line {n} after {heard} lines"));
        }
        // The caller may say something before the one who was called learns that the call is up; never the other way.
        let Some(other) = call.other.and_then(|other| self.calls.get(&other)) else { return Ok(()) };
        let said = usize::try_from(n).ok().and_then(|n| other.said.get(n));
        if said.map(String::as_str) == Some(text) {
            Ok(())
        } else {
            Err(format!("{holder} hears {text:?} as line {n} of {}, who said {said:?}", other.holder))
        }
    }

    /// Who hears the other's goodbye has heard all that the other said. Who got an answer to their own goodbye knows
    /// that the other end is in good order, too.
    fn ended(&mut self, end: End, how: CallEnd, at_us: u64) -> Result<(), String> {
        let Some(call) = self.calls.get_mut(&end) else { return Ok(()) };
        call.ended = Some((at_us, how));
        let (holder, heard) = (call.holder.clone(), call.heard);
        let Some(other) = call.other.and_then(|other| self.calls.get(&other)) else { return Ok(()) };
        let (with, said) = (&other.holder, other.said.len());
        match how {
            CallEnd::Closed(CloseReason::Theirs(Code::FINISHED)) if u64::try_from(said) != Ok(heard) => {
                Err(format!("{with} said {said} lines to {holder} and goodbye, and {heard} were heard"))
            }
            CallEnd::Closed(CloseReason::Ours(Code::FINISHED)) => match other.ended {
                Some((_, CallEnd::Closed(CloseReason::Theirs(Code::FINISHED) | CloseReason::Ours(Code::FINISHED)))) => {
                    Ok(())
                }
                _ if other.left => Ok(()),
                ended => Err(format!("{holder} believes that {with} has heard everything, whose call is {ended:?}")),
            },
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use countersign_core::device::calls::Path;

    use super::*;
    use crate::oracles::tests::{Stage, name};

    const HERS: CallId = CallId(1);
    const HIS: CallId = CallId(9);

    /// Alice calls Bob, says two lines, and hangs up; this is what they are told then.
    fn ends(told: &[(usize, CallId, CallEvent)]) -> Result<(), String> {
        let (stage, mut oracle) = (Stage::of(&["alice", "bob"]), Delivery::default());
        for step in [
            stage.wished(0, Command::Call(HERS, name("bob").user, Duration::ZERO)),
            stage.told(1, Event::Call(HIS, CallEvent::Incoming(name("alice")))),
            stage.told(1, Event::Call(HIS, CallEvent::Open(name("alice"), Path::Tunnel))),
            stage.told(0, Event::Call(HERS, CallEvent::Open(name("bob"), Path::Tunnel))),
            stage.said(0, HERS, "zero"),
            stage.said(0, HERS, "one"),
            stage.wished(0, Command::HangUp(HERS, Code::HUNG_UP)),
        ] {
            step.show(&mut oracle).expect("so far nothing is wrong");
        }
        told.iter()
            .try_for_each(|(who, call, event)| stage.told(*who, Event::Call(*call, event.clone())).show(&mut oracle))
    }

    fn line(n: u64, text: &str) -> (usize, CallId, CallEvent) {
        (1, HIS, CallEvent::Line(n, text.to_owned()))
    }

    #[test]
    fn a_call_goes_on_with_nobody_whose_program_is_gone() {
        let (stage, mut oracle) = (Stage::of(&["alice", "bob"]), Delivery::default());
        let open = |with| CallEvent::Open(name(with), Path::Tunnel);
        let mut show = |step: &crate::oracles::tests::Step<'_>, at_us| step.show_at(at_us, &mut oracle);
        // He says something in a call that never comes up at her end, and his program is killed.
        show(&stage.told(1, Event::Call(HIS, CallEvent::Incoming(name("alice")))), 1).expect("free");
        show(&stage.told(1, Event::Call(HIS, open("alice"))), 2).expect("free");
        show(&stage.said(1, HIS, "lost"), 3).expect("free");
        oracle.see(4, &Seen::Killed(stage.who(1))).expect("free");
        let mut show = |step: &crate::oracles::tests::Step<'_>, at_us| step.show_at(at_us, &mut oracle);
        // The call that she makes later is another one, though it is the same man.
        let again = CallId(10);
        show(&stage.wished(0, Command::Call(HERS, name("bob").user, Duration::ZERO)), 5).expect("free");
        show(&stage.told(0, Event::Call(HERS, open("bob"))), 6).expect("free");
        show(&stage.told(1, Event::Call(again, CallEvent::Incoming(name("alice")))), 7).expect("free");
        show(&stage.told(1, Event::Call(again, open("alice"))), 8).expect("free");
        show(&stage.said(1, again, "zero"), 9).expect("free");
        let line = Event::Call(HERS, CallEvent::Line(0, "zero".to_owned()));
        assert_eq!(show(&stage.told(0, line), 10), Ok(()));
    }

    #[test]
    fn all_lines_once_and_in_order_are_fine_and_every_other_way_is_not() {
        let theirs = (1, HIS, CallEvent::Ended(CallEnd::Closed(CloseReason::Theirs(Code::FINISHED))));
        let ours = (0, HERS, CallEvent::Ended(CallEnd::Closed(CloseReason::Ours(Code::FINISHED))));
        let cut = (1, HIS, CallEvent::Ended(CallEnd::Closed(CloseReason::Truncated)));
        assert_eq!(ends(&[line(0, "zero"), line(1, "one"), theirs.clone(), ours.clone()]), Ok(()));
        assert_eq!(ends(&[line(0, "zero"), cut.clone()]), Ok(()), "a cut promises nothing");
        assert!(ends(std::slice::from_ref(&theirs)).is_err(), "not one line was heard");
        assert!(ends(&[line(0, "zero"), theirs]).is_err());
        assert!(ends(&[line(1, "one")]).is_err());
        assert!(ends(&[line(0, "zero"), line(0, "zero")]).is_err());
        assert!(ends(&[line(0, "zero"), line(1, "two")]).is_err());
        assert!(ends(&[line(0, "zero"), cut, ours]).is_err(), "she believes that he has heard both");
    }
}
