//! Decides how `client room` goes: what is to be done with a room is posted as a message is; who is in which is read from this
//! device's own disk, whether or not the server is there.

use std::collections::BTreeSet;

use countersign_core::device::conversations::{Alteration, Rank, RoomErrand, RoomView};
use countersign_core::id::{DeviceLabel, RoomName, UserName};
use countersign_core::limits::SEND_TIME_MAX;
use serde::Serialize;

use super::World;
use super::args::RoomCommand;
use super::clean::{clean, escape_json};
use super::local::protocol::{Done, Listed, Request, Sent};
use super::names::{person, room_name};
use super::send::post;
use super::spoken::rank_word;
use crate::exit::{Failure, print_line};
use crate::store::conversations::{HistoryFile, KnownRoom};

/// Runs `client room`.
pub fn room(world: &World, command: RoomCommand) -> Result<(), Failure> {
    let (room, alteration, done) = match command {
        RoomCommand::Create { room, users, topic, invites, open, json } => {
            let name = room_name(&room)?;
            let who = if open { ", and everybody may join it" } else { "" };
            let done = format!("#{name} is there{who}; newcomers see what is said from when they come in");
            let errand = RoomErrand::Create { name, topic, invites, people: people(&users)?, open };
            return run(world, errand, &done, json.then_some("room_created"));
        }
        RoomCommand::Join { room, json } => {
            let name = room_name(&room)?;
            let done = format!("you are in #{name} now, and see what is said from here on");
            return run(world, RoomErrand::Enter(name), &done, json.then_some("room_joined"));
        }
        RoomCommand::List { open: true, json } => return list_open(world, json),
        RoomCommand::List { open: false, json } => return list(world, json),
        RoomCommand::Members { room, json } => return members(world, &room_name(&room)?, json),
        RoomCommand::Invite { room, users } => {
            let done = format!("{} now in #{}", are(&users), room_name(&room)?);
            (room, Alteration::Invite(people(&users)?), done)
        }
        RoomCommand::Kick { room, user } => {
            let done = format!("{user} is in #{} no more", room_name(&room)?);
            (room, Alteration::Kick(person(&user)?), done)
        }
        RoomCommand::Leave { room } => {
            let done = format!("you are in #{} no more", room_name(&room)?);
            (room, Alteration::Leave, done)
        }
        RoomCommand::Rank { room, user, rank } => {
            let done = format!("{user} is {} of #{} now", rank_word(rank), room_name(&room)?);
            (room, Alteration::Rank(person(&user)?, rank), done)
        }
        RoomCommand::Topic { room, topic } => {
            let done = format!("#{} has another topic now", room_name(&room)?);
            (room, Alteration::Topic(topic), done)
        }
        RoomCommand::Rename { room, new } => {
            let new = room_name(&new)?;
            let done = format!("#{} is called #{new} now", room_name(&room)?);
            (room, Alteration::Name(new), done)
        }
        RoomCommand::Invites { room, rank } => {
            let done = format!("whoever is {} or more invites into #{} now", rank_word(rank), room_name(&room)?);
            (room, Alteration::Invites(rank), done)
        }
    };
    run(world, RoomErrand::Change(room_name(&room)?, alteration), &done, None)
}

/// Reads a rank.
pub fn rank(text: &str) -> Result<Rank, String> {
    match text {
        "member" => Ok(Rank::Member),
        "moderator" => Ok(Rank::Moderator),
        "owner" => Ok(Rank::Owner),
        _ => Err("a rank is member, moderator or owner".to_owned()),
    }
}

/// The one of these that is meant: by its name or, where none has it, by its number.
pub(super) fn only(name: &RoomName, mut rooms: Vec<KnownRoom>) -> Result<KnownRoom, Failure> {
    let is_named = |room: &KnownRoom| room.name == *name;
    let is_numbered = |room: &KnownRoom| room.id.to_string() == name.as_str();
    if rooms.iter().any(is_named) {
        rooms.retain(is_named);
    } else {
        rooms.retain(is_numbered);
    }
    match (rooms.pop(), rooms.len()) {
        (Some(room), 0) => Ok(room),
        (Some(_), _) => Err(Failure::failed(format_args!(
            "there are several rooms called #{name}: take the number that client room list shows"
        ))),
        (None, _) => Err(Failure::failed(format_args!(
            "this device knows no room called #{name}: client room list shows those that it does"
        ))),
    }
}

/// Has it done. Programs are told by an event of this name.
fn run(world: &World, errand: RoomErrand, done: &str, event: Option<&'static str>) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Line<'a> {
        event: &'static str,
        #[serde(flatten)]
        sent: &'a Sent,
    }
    let came = post(world, &world.stored()?, &Request::Run { errand }, SEND_TIME_MAX)?;
    if let (Some(event), Done::Sent(sent)) = (event, &came) {
        let line = Line { event, sent };
        return print_line(escape_json(&serde_json::to_string(&line).map_err(Failure::failed)?));
    }
    print_line(done)
}

fn known(world: &World) -> Result<Vec<KnownRoom>, Failure> {
    let stored = world.stored()?;
    let file = HistoryFile::open(&stored.folder).map_err(Failure::failed)?;
    file.map_or(Ok(Vec::new()), |file| file.rooms().map_err(Failure::failed))
}

/// What `--json` prints of a room.
#[derive(Serialize)]
struct Row<'a> {
    conversation: String,
    #[serde(flatten)]
    view: &'a RoomView,
}

fn list(world: &World, json: bool) -> Result<(), Failure> {
    for room in known(world)? {
        let Some(view) = &room.view else { continue };
        if json {
            let row = Row { conversation: room.id.to_string(), view };
            print_line(escape_json(&serde_json::to_string(&row).map_err(Failure::failed)?))?;
            continue;
        }
        let (people, topic) = (view.people.len(), clean(&view.topic));
        let people = if people == 1 { "1 person".to_owned() } else { format!("{people} people") };
        let topic = if topic.is_empty() { topic } else { format!("  {topic}") };
        print_line(format_args!("#{}  {people}  {}{topic}", room.name, room.id))?;
    }
    Ok(())
}

fn list_open(world: &World, json: bool) -> Result<(), Failure> {
    let came = post(world, &world.stored()?, &Request::Run { errand: RoomErrand::List }, SEND_TIME_MAX)?;
    let Done::Rooms(rooms) = came else { return Ok(()) };
    for room in rooms {
        if json {
            print_line(escape_json(&serde_json::to_string(&room).map_err(Failure::failed)?))?;
            continue;
        }
        let Listed { room, devices, conversation } = room;
        let devices = if devices == 1 { "1 device".to_owned() } else { format!("{devices} devices") };
        print_line(format_args!("#{room}  {devices}  {conversation}"))?;
    }
    Ok(())
}

fn members(world: &World, name: &RoomName, json: bool) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Member<'a> {
        user: &'a UserName,
        rank: Rank,
        devices: Vec<&'a str>,
    }
    let room = only(name, known(world)?.into_iter().filter(|room| room.view.is_some()).collect())?;
    for (user, seated) in room.view.iter().flat_map(|view| &view.people) {
        let devices: Vec<&str> = seated.devices.iter().map(DeviceLabel::as_str).collect();
        if json {
            let member = Member { user, rank: seated.rank, devices };
            print_line(escape_json(&serde_json::to_string(&member).map_err(Failure::failed)?))?;
        } else {
            let rank = match seated.rank {
                Rank::Member => "member",
                Rank::Moderator => "moderator",
                Rank::Owner => "owner",
            };
            print_line(format_args!("{user}  {rank}  {}", devices.join(", ")))?;
        }
    }
    Ok(())
}

fn people(users: &[String]) -> Result<BTreeSet<UserName>, Failure> {
    users.iter().map(|user| person(user)).collect()
}

fn are(users: &[String]) -> String {
    format!("{} {}", users.join(", "), if users.len() == 1 { "is" } else { "are" })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn a_rank_is_one_of_three() {
        assert_eq!(rank("moderator"), Ok(Rank::Moderator));
        assert!(rank("king").unwrap_err().contains("member, moderator or owner"));
    }
}
