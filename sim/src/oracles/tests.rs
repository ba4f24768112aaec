//! A stage on which an oracle is shown what it should and should not take.

use countersign_core::device::{Command, Event};
use countersign_core::id::{CallId, DeviceLabel, DeviceName, Position, UserName};
use countersign_core::time::Wall;
use countersign_core::wire::Extensions;
use countersign_core::wire::relay::Welcome;

use super::{Oracle, Panel};
use crate::config::SimConfig;
use crate::story::{Program, Seen, Who};

/// Somebody's laptop, or the device that is named after a slash.
pub(crate) fn name(text: &str) -> DeviceName {
    let (user, device) = text.split_once('/').unwrap_or((text, "laptop"));
    let user = UserName::parse(user).expect("a valid name");
    DeviceName { user, device: DeviceLabel::parse(device).expect("a valid label") }
}

pub(crate) fn welcome(user: &str) -> Welcome {
    Welcome {
        device: name(user),
        position: Position { incarnation: 1, n: 1 },
        time: Wall(0),
        extensions: Extensions::default(),
    }
}

/// People, each with one program.
pub(crate) struct Stage(Vec<DeviceName>);

/// Something that one of them does or is told.
pub(crate) struct Step<'a> {
    who: Who<'a>,
    what: What,
}

enum What {
    Told(Event),
    Wished(Command),
    Said(CallId, String),
}

impl Stage {
    pub(crate) fn of(users: &[&str]) -> Self {
        Self(users.iter().map(|user| name(user)).collect())
    }

    pub(crate) fn who(&self, device: usize) -> Who<'_> {
        Who { program: Program { device, life: 1 }, name: self.0.get(device).expect("on the stage") }
    }

    pub(crate) fn told(&self, device: usize, event: Event) -> Step<'_> {
        Step { who: self.who(device), what: What::Told(event) }
    }

    pub(crate) fn wished(&self, device: usize, command: Command) -> Step<'_> {
        Step { who: self.who(device), what: What::Wished(command) }
    }

    pub(crate) fn said(&self, device: usize, call: CallId, text: &str) -> Step<'_> {
        Step { who: self.who(device), what: What::Said(call, text.to_owned()) }
    }
}

impl Step<'_> {
    pub(crate) fn show(&self, oracle: &mut dyn Oracle) -> Result<(), String> {
        self.show_at(2, oracle)
    }

    pub(crate) fn show_at(&self, at_us: u64, oracle: &mut dyn Oracle) -> Result<(), String> {
        let seen = match &self.what {
            What::Told(event) => Seen::Told(self.who, event),
            What::Wished(command) => Seen::Wished(self.who, command),
            What::Said(call, text) => Seen::Said(self.who, *call, text),
        };
        oracle.see(at_us, &seen)
    }
}

#[test]
fn every_oracle_has_a_name_of_its_own_and_is_found_by_it() {
    let names: Vec<_> = Panel::all(&SimConfig::draw(0)).names().collect();
    let expected = [
        "impostor",
        "delivery",
        "agreement",
        "accounts",
        "presence",
        "progress",
        "closure",
        "blame",
        "spin",
        "bounds",
        "secrecy",
        "durability",
        "door",
        "certificates",
        "slow",
        "unasked",
        "revoked",
        "unendorsed",
        "restored",
        "split",
        "copies",
        "guesses",
    ];
    assert_eq!(names, expected);
    for name in names {
        assert_eq!(Panel::only(name, &SimConfig::draw(0)).names().collect::<Vec<_>>(), [name]);
    }
}
