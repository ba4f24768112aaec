//! A stage on which an oracle is shown what it should and should not take.

use countersign_core::device::conversations::{ConversationEvent, Entry, Keep, Order, Said};
use countersign_core::device::{Command, Event};
use countersign_core::id::{CallId, ConversationId, DeviceLabel, DeviceName, MessageId, Position, SendId, UserName};
use countersign_core::time::Wall;
use countersign_core::wire::Extensions;
use countersign_core::wire::conversations::Kind;
use countersign_core::wire::relay::Welcome;

use super::{Oracle, Panel};
use crate::config::SimConfig;
use crate::story::{Phase, Program, Seen, Who};

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
    Kept(Keep),
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

    /// A device has this at a place of the conversation of alice and bob.
    pub(crate) fn kept(&self, device: usize, place: u64, by: &str, what: Said) -> Step<'_> {
        let keep = Keep { entries: vec![entry(place, by, what)], ..Keep::default() };
        Step { who: self.who(device), what: What::Kept(keep) }
    }

    /// Somebody writes to somebody.
    pub(crate) fn writes(&self, device: usize, send: u64, to: &str, text: &str) -> Step<'_> {
        self.wished(device, Command::Send(SendId(send), name(to).user.into(), text.to_owned().into()))
    }

    /// Somebody hears something of conversations.
    pub(crate) fn hears(&self, device: usize, event: ConversationEvent) -> Step<'_> {
        self.told(device, Event::Conversation(Box::new(event)))
    }

    /// Everybody is there, and the roll call begins.
    pub(crate) fn all_there(&self, oracle: &mut dyn Oracle) {
        for device in 0..self.0.len() {
            self.hears(device, ConversationEvent::CaughtUp).show(oracle).expect("they may be there");
        }
        oracle.see(3, &Seen::Phase(Phase::RollCall)).expect("it may begin");
    }

    /// Two devices are in a conversation from its first place on.
    pub(crate) fn both_in(&self, oracle: &mut dyn Oracle) {
        let (one, other) = (self.0.first().expect("two").clone(), self.0.get(1).expect("two").clone());
        let came = Said::Changed { came: vec![other.clone()], went: Vec::new(), declared: true };
        let joined = Said::Joined { members: vec![one.clone(), other], declared: true };
        for (device, what) in [(0, came), (1, joined)] {
            let by = format!("{}/{}", one.user, one.device);
            self.kept(device, 1, &by, what).show(oracle).expect("they may be in");
        }
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
            What::Kept(keep) => Seen::Kept(self.who, keep),
        };
        oracle.see(at_us, &seen)
    }
}

/// What stands at a place of the conversation of alice and bob.
pub(crate) fn entry(place: u64, by: &str, what: Said) -> Entry {
    let kind = Kind::Direct(name("alice").user, name("bob").user);
    Entry { conversation: ConversationId([7; 16]), kind, room: None, place, at: Wall(0), by: name(by), what }
}

/// A text, whose number is its length.
pub(crate) fn text(text: &str) -> Said {
    let id = MessageId([u8::try_from(text.len()).expect("short"); 16]);
    Said::Text { id, written: Wall(0), text: text.to_owned(), order: Order::Same }
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
        "mailbox",
        "transcript",
        "outsider",
        "reunion",
    ];
    assert_eq!(names, expected);
    for name in names {
        assert_eq!(Panel::only(name, &SimConfig::draw(0)).names().collect::<Vec<_>>(), [name]);
    }
}
