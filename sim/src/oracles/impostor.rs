//! Whoever a call is open with really holds that call, and what is heard in it was said there: in order, once, whole.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::calls::{CallEnd, CallEvent};
use countersign_core::device::{Command, Event};
use countersign_core::fault::CloseReason;
use countersign_core::id::{CallId, DeviceName};
use countersign_core::wire::Code;

use super::Oracle;
use crate::story::{Program, Seen};

/// A call as one of its ends sees it.
type End = (Program, CallId);

/// See the module.
#[derive(Debug, Default)]
pub struct Impostor {
    calls: BTreeMap<End, Call>,
    /// Devices that the CA has grown people. Who they may be taken for is for `unendorsed.rs` to say.
    grown: BTreeSet<DeviceName>,
}

/// What is known of one end of a call.
#[derive(Debug)]
struct Call {
    /// Who holds this end, and on which device.
    holder: String,
    device: DeviceName,
    /// With whom: the user that was called, or the one who was announced as calling.
    with: String,
    /// With which device of theirs it is open.
    met: Option<DeviceName>,
    /// Whether its holder wished for it: called, or accepted, or was found to be calling as well.
    wished: bool,
    begun_us: u64,
    ended_us: Option<u64>,
    open: bool,
    said: Vec<String>,
    heard: usize,
    /// The other end, known from the first line that came of it, and which end listens to this one.
    other: Option<End>,
    listener: Option<End>,
}

impl Call {
    fn new(holder: &DeviceName, with: String, wished: bool, begun_us: u64) -> Self {
        Self {
            holder: holder.user.to_string(),
            device: holder.clone(),
            with,
            met: None,
            wished,
            begun_us,
            ended_us: None,
            open: false,
            said: Vec::new(),
            heard: 0,
            other: None,
            listener: None,
        }
    }
}

impl Oracle for Impostor {
    fn name(&self) -> &'static str {
        "impostor"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Grown(name, ..) => drop(self.grown.insert((*name).clone())),
            Seen::Wished(who, Command::Call(call, user, _)) => {
                self.calls
                    .entry((who.program, *call))
                    .or_insert_with(|| Call::new(who.name, user.to_string(), true, at_us));
            }
            Seen::Wished(who, Command::Accept(call)) => {
                if let Some(known) = self.calls.get_mut(&(who.program, *call)) {
                    known.wished = true;
                }
            }
            Seen::Said(who, call, text) => {
                if let Some(known) = self.calls.get_mut(&(who.program, *call)) {
                    known.said.push((*text).to_owned());
                }
            }
            Seen::Told(who, Event::Call(call, event)) => {
                return self.told((who.program, *call), who.name, event, at_us);
            }
            Seen::Killed(who) => {
                for (_, call) in self.calls.iter_mut().filter(|((holder, _), _)| *holder == who.program) {
                    call.ended_us = call.ended_us.or(Some(at_us));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Impostor {
    fn told(&mut self, end: End, name: &DeviceName, event: &CallEvent, at_us: u64) -> Result<(), String> {
        match event {
            CallEvent::Incoming(from) => {
                self.calls.insert(end, Call::new(name, from.user.to_string(), false, at_us));
            }
            CallEvent::Open(with, _) => self.open(end, with)?,
            CallEvent::Line(n, text) => self.line(end, *n, text)?,
            CallEvent::Ended(how) => self.ended(end, *how, at_us)?,
            // Its end comes with it.
            CallEvent::Changed(from, _) => {
                self.calls.entry(end).or_insert_with(|| Call::new(name, from.user.to_string(), false, at_us));
            }
            CallEvent::Waiting | CallEvent::Ringing(_) | CallEvent::Met(..) | CallEvent::Moved(..) => {}
        }
        Ok(())
    }

    /// A call is said to be open with a device: its two ends must be meant for each other, and the other must have wished
    /// for it on that very device.
    fn open(&mut self, end: End, device: &DeviceName) -> Result<(), String> {
        let with = device.user.as_str();
        let call = self.calls.get_mut(&end).ok_or("a call is open that nobody made")?;
        if call.open {
            return Err(format!("{} was told twice that a call is open", call.holder));
        }
        if call.with != with {
            return Err(format!("{} wished to speak with {} and speaks with {with}", call.holder, call.with));
        }
        if !call.wished {
            return Err(format!("{} never took the call that is open with {with}", call.holder));
        }
        call.open = true;
        call.met = Some(device.clone());
        let (holder, begun_us) = (call.holder.clone(), call.begun_us);
        // Their call may be over by now, but not before ours began.
        let in_time = |other: &Call| other.ended_us.is_none_or(|ended_us| ended_us >= begun_us);
        let meant = |other: &Call| other.device == *device && other.with == holder && other.wished && in_time(other);
        if self.grown.contains(device) || self.calls.values().any(meant) {
            Ok(())
        } else {
            let on = if self.calls.values().any(|other| other.holder == with && other.with == holder && other.wished) {
                format!(" on {device}")
            } else {
                String::new()
            };
            Err(format!("{holder} speaks with {with}, who never wished to speak with {holder}{on}"))
        }
    }

    /// A line is heard: it must be the next one that the other end of this very call said.
    fn line(&mut self, end: End, n: u64, text: &str) -> Result<(), String> {
        let call = self.calls.get(&end).filter(|call| call.open).ok_or("a line is heard in a call that is not open")?;
        if call.met.as_ref().is_some_and(|met| self.grown.contains(met)) {
            return Ok(());
        }
        let (holder, with, heard) = (call.holder.clone(), call.with.clone(), call.heard);
        let ends = (call.device.clone(), call.met.clone());
        if u64::try_from(heard) != Ok(n) {
            return Err(format!("{holder} hears line {n} of {with} as number {heard}"));
        }
        let other = match call.other {
            Some(other) => other,
            None => self.speaker(end, &ends, text).ok_or_else(|| {
                format!("{holder} hears {text:?} from {with}, who never began so in a call with {holder}")
            })?,
        };
        let spoken = self.calls.get(&other).and_then(|speaker| speaker.said.get(heard));
        if spoken.map(String::as_str) != Some(text) {
            return Err(format!("{holder} hears {text:?} from {with}, who said {spoken:?}"));
        }
        if let Some(speaker) = self.calls.get_mut(&other) {
            speaker.listener = Some(end);
        }
        if let Some(call) = self.calls.get_mut(&end) {
            call.other = Some(other);
            call.heard += 1;
        }
        Ok(())
    }

    /// The end of a call with the listener whose first line is `text` and to which nobody else listens.
    fn speaker(&self, listener: End, (own, met): &(DeviceName, Option<DeviceName>), text: &str) -> Option<End> {
        let speaks = |call: &Call| {
            met.as_ref() == Some(&call.device)
                && call.met.as_ref() == Some(own)
                && call.listener.is_none_or(|known| known == listener)
                && call.said.first().is_some_and(|first| first == text)
        };
        self.calls.iter().find(|(_, call)| speaks(call)).map(|(end, _)| *end)
    }

    /// A call is over. Where the other end said goodbye, everything that it had said must have been heard.
    fn ended(&mut self, end: End, how: CallEnd, at_us: u64) -> Result<(), String> {
        let Some(call) = self.calls.get_mut(&end) else { return Ok(()) };
        call.ended_us = Some(at_us);
        if how == CallEnd::Closed(CloseReason::Theirs(Code::FINISHED)) {
            let (holder, with, heard) = (call.holder.clone(), call.with.clone(), call.heard);
            if let Some(speaker) = call.other.and_then(|other| self.calls.get(&other)) {
                let said = speaker.said.len();
                if said != heard {
                    return Err(format!(
                        "{with} said {said} lines to {holder} and then goodbye, and {heard} were heard"
                    ));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::device::calls::Path;

    use super::*;
    use crate::oracles::tests::{Stage, name};

    fn call() -> (Stage, Impostor) {
        (Stage::of(&["alice", "bob"]), Impostor::default())
    }

    fn opened() -> (Stage, Impostor) {
        let (stage, mut oracle) = call();
        let steps = [
            stage.wished(0, Command::Call(CallId(1), name("bob").user, std::time::Duration::ZERO)),
            stage.told(1, Event::Call(CallId(9), CallEvent::Incoming(name("alice")))),
            stage.wished(1, Command::Accept(CallId(9))),
            stage.told(1, Event::Call(CallId(9), CallEvent::Open(name("alice"), Path::Tunnel))),
            stage.told(0, Event::Call(CallId(1), CallEvent::Open(name("bob"), Path::Tunnel))),
        ];
        for step in &steps {
            assert_eq!(step.show(&mut oracle), Ok(()));
        }
        (stage, oracle)
    }

    fn line(n: u64, text: &str) -> Event {
        Event::Call(CallId(9), CallEvent::Line(n, text.to_owned()))
    }

    #[test]
    fn lines_in_order_are_fine_and_every_other_way_is_not() {
        let hear = |events: &[Event]| {
            let (stage, mut oracle) = opened();
            for text in ["one", "two"] {
                stage.said(0, CallId(1), text).show(&mut oracle).expect("saying is free");
            }
            events.iter().try_for_each(|event| stage.told(1, event.clone()).show(&mut oracle))
        };
        let goodbye = Event::Call(CallId(9), CallEvent::Ended(CallEnd::Closed(CloseReason::Theirs(Code::FINISHED))));
        assert_eq!(hear(&[line(0, "one"), line(1, "two"), goodbye.clone()]), Ok(()));
        assert!(hear(&[line(0, "two")]).is_err());
        assert!(hear(&[line(0, "one"), line(1, "one")]).is_err());
        assert!(hear(&[line(0, "one"), line(0, "one")]).is_err());
        assert!(hear(&[line(0, "one!")]).is_err());
        assert!(hear(&[line(0, "one"), goodbye]).is_err());
    }

    #[test]
    fn a_call_is_open_with_the_device_that_took_it_and_with_no_other_one_of_its_person() {
        let stage = Stage::of(&["alice", "bob", "bob/tablet"]);
        let taken = || {
            let mut oracle = Impostor::default();
            for step in [
                stage.wished(0, Command::Call(CallId(1), name("bob").user, std::time::Duration::ZERO)),
                stage.told(1, Event::Call(CallId(9), CallEvent::Incoming(name("alice")))),
                stage.told(2, Event::Call(CallId(9), CallEvent::Incoming(name("alice")))),
                stage.wished(2, Command::Accept(CallId(9))),
                stage.told(2, Event::Call(CallId(9), CallEvent::Open(name("alice"), Path::Tunnel))),
            ] {
                step.show(&mut oracle).expect("so far nothing is wrong");
            }
            oracle
        };
        let open = |with| stage.told(0, Event::Call(CallId(1), CallEvent::Open(name(with), Path::Tunnel)));
        assert_eq!(open("bob/tablet").show(&mut taken()), Ok(()));
        assert!(open("bob").show(&mut taken()).is_err_and(|words| words.contains("on bob/laptop")));
        // What is said on the other device is not of this call.
        let mut oracle = taken();
        open("bob/tablet").show(&mut oracle).expect("it is open");
        stage.said(1, CallId(9), "hello").show(&mut oracle).expect("saying is free");
        let line = Event::Call(CallId(1), CallEvent::Line(0, "hello".to_owned()));
        assert!(stage.told(0, line.clone()).show(&mut oracle).is_err());
        stage.said(2, CallId(9), "hello").show(&mut oracle).expect("saying is free");
        assert_eq!(stage.told(0, line).show(&mut oracle), Ok(()));
    }

    #[test]
    fn a_call_with_somebody_who_never_wished_it_is_objected_to() {
        let (stage, mut oracle) = call();
        let wish = stage.wished(0, Command::Call(CallId(1), name("bob").user, std::time::Duration::ZERO));
        assert_eq!(wish.show(&mut oracle), Ok(()));
        let open = |with| stage.told(0, Event::Call(CallId(1), CallEvent::Open(name(with), Path::Tunnel)));
        assert!(open("carol").show(&mut oracle).is_err());
        assert!(open("bob").show(&mut oracle).is_err());

        // Bob did wish for a call once, and that was over before.
        let (stage, mut oracle) = call();
        let theirs = Command::Call(CallId(7), name("alice").user, std::time::Duration::ZERO);
        let over = Event::Call(CallId(7), CallEvent::Ended(CallEnd::RelayLost));
        stage.wished(1, theirs).show_at(1, &mut oracle).expect("wishing is free");
        stage.told(1, over).show_at(2, &mut oracle).expect("ending is free");
        let ours = Command::Call(CallId(1), name("bob").user, std::time::Duration::ZERO);
        stage.wished(0, ours).show_at(3, &mut oracle).expect("wishing is free");
        let open = Event::Call(CallId(1), CallEvent::Open(name("bob"), Path::Tunnel));
        assert!(stage.told(0, open).show_at(4, &mut oracle).is_err());
    }
}
