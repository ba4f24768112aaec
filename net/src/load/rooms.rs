//! Decides what is measured of rooms, on the devices that are in them: to create one, join it, change it, write and read in it, and
//! catch up with it.
//!
//! Two of a room's devices run, its founder's and one other; the rest has left key packages and is away, as most are most of the
//! time. What a device needs is the same for each of them.

use std::collections::BTreeSet;
use std::time::Instant;

use countersign_core::device::Command;
use countersign_core::device::conversations::{Alteration, ConversationEvent, Rank, RoomErrand, Said, Saying, Target};
use countersign_core::id::{RoomName, SendId, UserName};
use countersign_core::limits::COMMIT_DEVICES_MAX;
use serde_json::{Map, Value, json};

use super::args::Rooms;
use super::child::Server;
use super::child::data;
use super::device::{Real, Spent};
use super::field::{World, rounded};
use super::people::{Person, enrol};
use super::place::Place;
use crate::exit::{Failure, print_line};

/// How long a text is.
const TEXT_BYTES: usize = 256;
/// How many are written and read one by one.
const TEXTS: u32 = 50;
/// How many of those that somebody misses are on their way at one time.
const IN_FLIGHT: u32 = 32;
/// The numbers of wishes for further people begin here, beyond those of messages.
const FURTHER: u64 = 1_000_000;

/// Measures one room of each size.
pub(super) fn rooms(args: &Rooms, world: &World) -> Result<(), Failure> {
    args.devices.iter().try_for_each(|devices| {
        let place = Place::make(world.dir.as_deref())?;
        let server = Server::start(place.path())?;
        let count = usize::try_from(*devices).unwrap_or(usize::MAX);
        let people = enrol(&data(place.path()), count, &world.env)?;
        let mut report = Map::from_iter([
            ("measure".to_owned(), json!("rooms")),
            ("devices".to_owned(), json!(devices)),
            ("text_bytes".to_owned(), json!(TEXT_BYTES)),
            ("missed".to_owned(), json!(args.missed)),
        ]);
        one(&server, &people, args.missed, world, &mut report)?;
        server.stop()?;
        report.insert("version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
        report.insert("protocol".to_owned(), json!(countersign_core::wire::VERSION));
        print_line(Value::Object(report))
    })
}

fn one(
    server: &Server,
    people: &[Person],
    missed: u32,
    world: &World,
    report: &mut Map<String, Value>,
) -> Result<(), Failure> {
    let room = RoomName::parse("load").map_err(Failure::failed)?;
    let target = Target::Room(room.clone());
    let mut devices = people.iter().map(|person| Real::new(person, server.address(), &world.env, &world.halt));
    let (Some(mut founder), Some(mut member)) = (devices.next(), devices.next()) else {
        return Err(Failure::failed("a room has at least two devices"));
    };
    // Whoever was here once has left key packages.
    for device in [&mut founder, &mut member].into_iter().chain(&mut devices.collect::<Vec<_>>()) {
        device.start()?;
        device.stop()?;
    }
    let mut tell = |name: &str, begun: Instant, spent: Spent, of: u32| {
        let mut told = spent.to_json(of);
        if let Some(told) = told.as_object_mut() {
            told.insert("ms".to_owned(), json!(rounded(begun.elapsed().as_secs_f64() * 1e3 / f64::from(of.max(1)))));
        }
        report.insert(name.to_owned(), told);
    };
    founder.start()?;
    let _ = (founder.take_spent(), member.take_spent());

    let begun = Instant::now();
    // As many as one commit takes, and then again.
    let mut some = people.get(1..).unwrap_or_default().chunks(COMMIT_DEVICES_MAX).map(users);
    let (name, people) = (room.clone(), some.next().unwrap_or_default());
    let create = RoomErrand::Create { name, topic: String::new(), invites: Rank::Member, people, open: false };
    founder.wish(Command::Run(SendId(0), create))?;
    founder.until("the room", is_sent(0))?;
    for (number, people) in (FURTHER..).zip(some) {
        let invite = RoomErrand::Change(room.clone(), Alteration::Invite(people));
        founder.wish(Command::Run(SendId(number), invite))?;
        founder.until("more people", is_sent(number))?;
    }
    tell("create", begun, founder.take_spent(), 1);

    let begun = Instant::now();
    member.start()?;
    tell("join", begun, member.take_spent(), 1);

    let begun = Instant::now();
    let change = RoomErrand::Change(room, Alteration::Topic("load".to_owned()));
    founder.wish(Command::Run(SendId(1), change))?;
    founder.until("the change", is_sent(1))?;
    tell("commit", begun, founder.take_spent(), 1);
    let begun = Instant::now();
    member.until("the change", |event| is_entry(event, |said| matches!(said, Said::Altered { .. })))?;
    tell("commit_heard", begun, member.take_spent(), 1);

    let text = || Saying::Text("x".repeat(TEXT_BYTES));
    let (begun, mut sender, mut reader) = (Instant::now(), Spent::default(), Spent::default());
    for n in 0..TEXTS {
        founder.wish(Command::Send(SendId(u64::from(n) + 2), target.clone(), text()))?;
        founder.until("a message", is_sent(u64::from(n) + 2))?;
        member.until("a message", |event| is_entry(event, |said| matches!(said, Said::Text { .. })))?;
    }
    add(&mut sender, founder.take_spent());
    add(&mut reader, member.take_spent());
    tell("send", begun, sender, TEXTS);
    tell("receive", begun, reader, TEXTS);

    member.stop()?;
    let first = u64::from(TEXTS) + 2;
    let (mut begun_to_send, mut sent) = (0, 0);
    while sent < missed {
        while begun_to_send < missed && begun_to_send < sent + IN_FLIGHT {
            founder.wish(Command::Send(SendId(first + u64::from(begun_to_send)), target.clone(), text()))?;
            begun_to_send += 1;
        }
        founder.until("a message", |event| matches!(event, ConversationEvent::Sent(..)))?;
        sent += 1;
    }
    let _ = member.take_spent();
    let begun = Instant::now();
    member.start()?;
    tell("catch_up", begun, member.take_spent(), 1);
    member.stop()?;
    founder.stop()
}

fn users(people: &[Person]) -> BTreeSet<UserName> {
    people.iter().map(|person| person.name.user.clone()).collect()
}

fn is_sent(number: u64) -> impl FnMut(&ConversationEvent) -> bool {
    move |event| matches!(event, ConversationEvent::Sent(SendId(sent), _) if *sent == number)
}

fn is_entry(event: &ConversationEvent, is_it: impl Fn(&Said) -> bool) -> bool {
    matches!(event, ConversationEvent::Entry(entry) if is_it(&entry.what))
}

fn add(to: &mut Spent, more: Spent) {
    to.computed += more.computed;
    to.sent += more.sent;
    to.received += more.received;
    to.kept += more.kept;
}
