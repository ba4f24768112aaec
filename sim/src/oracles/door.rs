//! Whoever has no place in the realm stays outside, soon is gone, and costs no more than the operator allows.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::effect::Note;
use countersign_core::fault::CloseReason;
use countersign_core::id::{ConnId, DeviceName};
use countersign_core::limits::{
    HANDSHAKE_TIME_MAX, KEY_OPERATIONS_PER_STRANGER, KEY_OPERATIONS_SPAN, WAITING_TIME_MAX,
};
use countersign_core::wire::Code;

use super::Oracle;
use crate::actors::villains::Guise;
use crate::config::SimConfig;
use crate::story::plots::Plot;
use crate::story::{Program, Seen, Side, is_direct};

/// How long after its time a stranger may be there: a machine is woken a little late, and its clock may be slow.
const LATE_US: u64 = 1_000_000;

/// The longest answer to a stranger that costs no public-key work, an alert, in bytes; a handshake's is far longer.
const ALERT_BYTES_MAX: usize = 100;
/// How many connections of one device may be over and have their places still.
const LINGERING_MAX: usize = 4;
/// A second, in the unit of time.
const SECOND_US: u64 = 1_000_000;

/// See the module.
#[derive(Debug)]
pub struct Door {
    now_us: u64,
    strangers_max: usize,
    /// Millionths of public-key operations: how many come in with each microsecond, and how many are left, with what the
    /// relay keeps for a rush.
    key_operations: u64,
    left: u64,
    filled_us: u64,
    /// Those who have not been admitted: since when.
    strangers: BTreeMap<ConnId, u64>,
    /// Of these, devices that may wait for another one of their user, in places of their own: since when.
    waiting: BTreeMap<ConnId, u64>,
    /// Which devices come to have a sibling, and which programs enrol one of them.
    siblings: BTreeSet<usize>,
    enrolling: BTreeSet<Program>,
    /// Those among them whose handshake was answered.
    answered: BTreeSet<ConnId>,
    /// At whose address they are, if they are honest people's; and at whose each device is.
    devices: BTreeMap<ConnId, usize>,
    homes: Vec<usize>,
    /// From how many addresses villains come.
    villain_sources: usize,
    villains: BTreeMap<ConnId, Guise>,
    /// Villains with certificates of their own, in order.
    members: BTreeSet<DeviceName>,
    /// Devices of which a villain has a copy.
    copied: BTreeSet<DeviceName>,
}

impl Door {
    /// The oracle of a run whose relay's operator has chosen so.
    pub fn new(config: &SimConfig) -> Self {
        let settings = config.settings();
        Self {
            now_us: 0,
            strangers_max: settings.strangers_max,
            // A clock may run a little faster than the world's.
            key_operations: u64::from(settings.key_operations_per_second) * 11 / 10,
            left: 0,
            filled_us: 0,
            strangers: BTreeMap::new(),
            waiting: BTreeMap::new(),
            siblings: (0..config.all_devices()).filter(|device| config.sibling(*device).is_some()).collect(),
            enrolling: BTreeSet::new(),
            answered: BTreeSet::new(),
            devices: BTreeMap::new(),
            homes: (0..config.all_devices()).map(|device| config.home(device)).collect(),
            // Besides the crowd and the guessers: the forger, the mute, and those who enrol and are members, thieves among them.
            villain_sources: usize::try_from(config.crowd_sources + config.guess_sources).unwrap_or(0) + 4,
            villains: BTreeMap::new(),
            members: BTreeSet::new(),
            copied: BTreeSet::new(),
        }
    }
}

impl Oracle for Door {
    fn name(&self) -> &'static str {
        "door"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        if at_us > self.now_us {
            self.count(at_us)?;
        }
        match seen {
            Seen::Knocked(conn, guise) if !is_direct(*conn) => {
                self.villains.insert(*conn, *guise);
                self.strangers.insert(*conn, at_us);
            }
            Seen::Started(who, true) if self.siblings.contains(&who.program.device) => {
                self.enrolling.insert(who.program);
            }
            Seen::Opened(conn, program) => {
                let home = self.homes.get(program.device).copied().unwrap_or(program.device);
                self.devices.insert(*conn, home);
                let kind = if self.enrolling.contains(program) { &mut self.waiting } else { &mut self.strangers };
                kind.insert(*conn, at_us);
            }
            Seen::Noted(Note::Closed(conn, None, CloseReason::Ours(Code::FULL))) => {
                let fair = self.yields(*conn);
                self.gone(*conn);
                return fair;
            }
            Seen::Infiltrated(name) => drop(self.members.insert((*name).clone())),
            // It is the device's, to whoever can't see who has it.
            Seen::Plot(Plot::Copied(name)) => drop(self.copied.insert(name.clone())),
            Seen::Plot(Plot::BrokenIn(guise, name)) => {
                return Err(format!("a villain ({guise}) is given a certificate as {name}"));
            }
            Seen::Noted(Note::Admitted(conn, name)) => {
                self.gone(*conn);
                return self.admitted(*conn, name);
            }
            Seen::Noted(Note::Closed(conn, ..) | Note::TurnedAway(conn)) => self.gone(*conn),
            Seen::Written { conn, by: Side::Listener, waiting, .. } if *waiting > ALERT_BYTES_MAX => {
                return self.answers(*conn, at_us);
            }
            Seen::Crashed(..) => {
                self.strangers.clear();
                self.waiting.clear();
            }
            // It starts with what it keeps for a rush.
            Seen::Replayed(..) => self.left = self.most(),
            _ => {}
        }
        Ok(())
    }
}

impl Door {
    fn gone(&mut self, conn: ConnId) {
        self.strangers.remove(&conn);
        self.waiting.remove(&conn);
    }

    fn admitted(&self, conn: ConnId, name: &DeviceName) -> Result<(), String> {
        match self.villains.get(&conn) {
            None => Ok(()),
            Some(Guise::Copy) if self.copied.contains(name) => Ok(()),
            Some(guise) if guise.is_member() && self.members.contains(name) => Ok(()),
            Some(guise) => Err(format!("connection {conn} of a villain ({guise}) is admitted as {}", name.user)),
        }
    }

    /// Somebody has to give their place to another: nobody of whom there are few, while there is a crowd.
    fn yields(&self, conn: ConnId) -> Result<(), String> {
        let Some(device) = self.devices.get(&conn) else { return Ok(()) };
        let of_device = |conn: &&ConnId| self.devices.get(conn) == Some(device);
        let own = self.strangers.keys().filter(of_device).count();
        let crowd = self.strangers.keys().filter(|conn| self.villains.contains_key(conn)).count();
        // One address has at least its share of the crowd. A connection that is over keeps its place for a while.
        if crowd / self.villain_sources > own + LINGERING_MAX {
            return Err(format!(
                "device {device} gives its place to a crowd of {crowd} from {} addresses",
                self.villain_sources
            ));
        }
        Ok(())
    }

    /// A moment is over: how many strangers there are, and for how long.
    fn count(&mut self, at_us: u64) -> Result<(), String> {
        self.now_us = at_us;
        let (count, most) = (self.strangers.len(), self.strangers_max);
        if count > most {
            return Err(format!("{count} strangers are connected, and the operator allows {most}"));
        }
        let patience_us = u64::try_from(HANDSHAKE_TIME_MAX.as_micros()).unwrap_or(u64::MAX) + LATE_US;
        let waiting_us = patience_us + u64::try_from(WAITING_TIME_MAX.as_micros()).unwrap_or(u64::MAX);
        for (kind, patience_us) in [(&self.strangers, patience_us), (&self.waiting, waiting_us)] {
            if let Some((conn, _)) = kind.first_key_value().filter(|(_, since_us)| at_us > *since_us + patience_us) {
                return Err(format!("connection {conn} is a stranger's, and still there"));
            }
        }
        Ok(())
    }

    /// A stranger's handshake is answered, which costs public-key work: never more than came in since the last one, and
    /// what is kept for a rush.
    fn answers(&mut self, conn: ConnId, at_us: u64) -> Result<(), String> {
        let is_stranger = self.strangers.contains_key(&conn) || self.waiting.contains_key(&conn);
        if !is_stranger || !self.answered.insert(conn) {
            return Ok(());
        }
        self.left = self.most().min(self.left + (at_us - self.filled_us) * self.key_operations);
        self.filled_us = at_us;
        match self.left.checked_sub(KEY_OPERATIONS_PER_STRANGER * SECOND_US) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(format!("connection {conn} of a stranger has its turn before there is work to be had for it")),
        }
    }

    /// What is kept for a rush, and one turn more.
    fn most(&self) -> u64 {
        let span = u64::try_from(KEY_OPERATIONS_SPAN.as_micros()).unwrap_or(SECOND_US);
        let price = KEY_OPERATIONS_PER_STRANGER * SECOND_US;
        (span * self.key_operations).max(price) + price
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::tests::name;

    fn door() -> Door {
        Door::new(&SimConfig { strangers_max: 48, key_operations: 100, ..SimConfig::draw(1) })
    }

    fn knocked(conn: u64) -> Seen<'static> {
        Seen::Knocked(ConnId(conn), Guise::Mute)
    }

    #[test]
    fn a_villain_is_admitted_only_as_the_member_that_it_is() {
        let (mut oracle, trudy) = (door(), name("trudy"));
        oracle.see(1, &knocked(1)).expect("knocking is free");
        oracle.see(1, &Seen::Knocked(ConnId(2), Guise::Hasty)).expect("knocking is free");
        let admitted = |conn, name: &DeviceName| Note::Admitted(ConnId(conn), name.clone());
        assert!(oracle.see(2, &Seen::Noted(&admitted(1, &trudy))).is_err());
        assert!(oracle.see(2, &Seen::Noted(&admitted(2, &trudy))).is_err());
        oracle.see(2, &Seen::Infiltrated(&trudy)).expect("enrolling is free");
        assert_eq!(oracle.see(2, &Seen::Noted(&admitted(2, &trudy))), Ok(()));
        assert!(oracle.see(2, &Seen::Noted(&admitted(2, &name("alice")))).is_err());
        assert_eq!(oracle.see(2, &Seen::Noted(&admitted(3, &name("alice")))), Ok(()));
    }

    #[test]
    fn strangers_are_few_and_do_not_stay() {
        let later = Seen::Phase(crate::story::Phase::Calm);
        let mut oracle = door();
        assert!((1..=48).try_for_each(|conn| oracle.see(1, &knocked(conn))).is_ok());
        assert_eq!(oracle.see(2, &later), Ok(()));
        oracle.see(2, &knocked(49)).expect("one comes before another goes");
        assert!(oracle.see(3, &later).is_err());
        let mut oracle = door();
        oracle.see(1, &knocked(1)).expect("knocking is free");
        assert_eq!(oracle.see(11_000_000, &later), Ok(()));
        assert!(oracle.see(11_000_002, &later).is_err());
        let closed = Note::Closed(ConnId(1), None, CloseReason::TimedOut);
        let mut oracle = door();
        oracle.see(1, &knocked(1)).expect("knocking is free");
        oracle.see(9_000_000, &Seen::Noted(&closed)).expect("closing is free");
        assert_eq!(oracle.see(20_000_000, &later), Ok(()));
    }

    #[test]
    fn a_device_that_may_wait_for_its_sibling_stays_longer_and_not_for_ever() {
        let config = SimConfig { devices: 3, further: 1, ..SimConfig::draw(1) };
        let stage = crate::oracles::tests::Stage::of(&["alice", "bob", "carol", "alice/tablet"]);
        let later = Seen::Phase(crate::story::Phase::Calm);
        for (device, stays) in [(1, false), (3, true)] {
            let mut oracle = Door::new(&config);
            let who = stage.who(device);
            oracle.see(1, &Seen::Started(who, true)).expect("starting is free");
            oracle.see(1, &Seen::Opened(ConnId(1), who.program)).expect("coming is free");
            assert_eq!(oracle.see(20_000_000, &later).is_ok(), stays);
            assert!(oracle.see(912_000_000, &later).is_err());
        }
    }

    #[test]
    fn whoever_comes_alone_does_not_yield_to_a_crowd() {
        for (crowd, fair) in [(40, true), (47, false)] {
            let mut oracle = Door::new(&SimConfig { strangers_max: 48, crowd_sources: 3, ..SimConfig::draw(1) });
            let alice = crate::story::Program { device: 0, life: 1 };
            oracle.see(1, &Seen::Opened(ConnId(100), alice)).expect("coming is free");
            (1..=crowd).try_for_each(|conn| oracle.see(1, &knocked(conn))).expect("knocking is free");
            let full = |conn| Note::Closed(ConnId(conn), None, CloseReason::Ours(Code::FULL));
            assert_eq!(oracle.see(1, &Seen::Noted(&full(1))), Ok(()), "one of the crowd may");
            assert_eq!(oracle.see(1, &Seen::Noted(&full(100))).is_ok(), fair, "{crowd}");
        }
    }

    #[test]
    fn handshakes_are_answered_as_fast_as_work_comes_in_and_alerts_at_any_time() {
        let answer = |waiting| {
            move |conn| Seen::Written { conn: ConnId(conn), by: Side::Listener, taken: waiting, waiting, bytes: &[] }
        };
        let all_at = |answer: &dyn Fn(u64) -> Seen<'static>, gap_us: u64| {
            let mut oracle = door();
            (1..=40).try_for_each(|conn| {
                oracle.see(conn * gap_us, &knocked(conn))?;
                oracle.see(conn * gap_us, &answer(conn))
            })
        };
        assert_eq!(all_at(&answer(1_500), 70_000), Ok(()), "a hundred a second, seven each");
        assert!(all_at(&answer(1_500), 30_000).is_err());
        assert_eq!(all_at(&answer(7), 1), Ok(()));
    }
}
