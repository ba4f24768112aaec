//! Rooms into which the realm's devices come by themselves: which there are, and the way in.
//!
//! ```text
//! GroupInfo --somebody has left it for the newest epoch--> LoadBody -> GroupInfo -> Enter -> posted
//!           \-nobody has--> Refused, and those who are in and online hear that it is wanted
//! ```
//!
//! Each commit makes what was left for the epoch before useless. Who has made it is asked for the next; whoever comes online and
//! is in a room without is asked, too.

use std::sync::Arc;

use serde_bytes::ByteBuf;

use super::line::{Awaited, Line};
use super::{Asked, Delivery, Round, events, length, refuse, tell};
use crate::effect::Effects;
use crate::id::{AskId, ConnId, ConversationId, DeviceName, RoomName};
use crate::journal::fold::conversations::{may_enter, may_publish_info};
use crate::journal::{ConversationRefusal, Record, State};
use crate::limits::OPEN_ROOMS_PAGE_MAX;
use crate::relay::Admitted;
use crate::wire::Code;
use crate::wire::conversations::{ConversationsEvent, Kind, OpenRoom, RosterChange};

impl Delivery {
    /// Whether there may be a room for everybody.
    pub fn set_lobby(&mut self, lobby: bool) {
        self.lobby = lobby;
    }

    /// Whether such a conversation may begin here.
    pub(super) fn is_wanted(&self, kind: &Kind) -> Result<(), Code> {
        match kind {
            Kind::Open(name) if name.is_lobby() && !self.lobby => Err(Code::NO_LOBBY),
            Kind::Open(_) | Kind::Room | Kind::Direct(..) => Ok(()),
        }
    }

    /// A device would come into a room: one ask a connection.
    pub(super) fn ask_way_in(
        &mut self,
        from: &Admitted,
        ask: AskId,
        room: &RoomName,
        round: &mut Round<'_>,
    ) -> Result<(), Code> {
        let known = round.state.conversations();
        let Some((id, known)) = known.open(room).and_then(|id| Some((id, known.get(id)?))) else {
            self.is_wanted(&Kind::Open(room.clone()))?;
            return Err(Code::NO_OPEN_ROOM);
        };
        if !self.takes.allows_so_many(from.device(), 1, round.now.mono) {
            return Err(Code::KEY_PACKAGES_TOO_OFTEN);
        }
        if known.info().is_none() {
            self.say_to_roster(known, &ConversationsEvent::GroupInfoWanted { conversation: id }, round.out);
            return Err(Code::NO_GROUP_INFO);
        }
        let line = self.lines.entry(from.conn()).or_insert_with(|| Box::new(Line::new(from.device().clone())));
        if line.entering.is_some() {
            return Err(Code::BUSY);
        }
        line.entering = Some((ask, id));
        self.go_on(from.conn(), round.state, round.out);
        Ok(())
    }

    /// Asks the journal for what a device needs that would come in. Whether there was one.
    pub(super) fn show_way_in(&mut self, conn: ConnId, state: &State, out: &mut Effects) -> bool {
        let Some(line) = self.lines.get_mut(&conn) else { return false };
        let Some((ask, id)) = line.entering.take() else { return false };
        let known = state.conversations().get(id);
        let Some((known, info)) = known.and_then(|known| Some((known, known.info()?))) else {
            refuse(conn, ask, Code::NO_GROUP_INFO, out);
            return true;
        };
        let load = out.load_body(info.n);
        line.loading = Some((load, Awaited::Info(ask, id, known.epoch())));
        self.loading.insert(load, conn);
        true
    }

    /// A device leaves what it takes to come in.
    pub(super) fn publish_info(
        &mut self,
        from: &Admitted,
        ask: AskId,
        (conversation, epoch): (ConversationId, u64),
        info: &[u8],
        round: &mut Round<'_>,
    ) -> Result<(), Code> {
        let (by, at, bytes) = (from.device().clone(), round.now.wall, length(info)?);
        may_publish_info(round.state, conversation, &by, epoch, bytes).map_err(ConversationRefusal::code)?;
        let record = Record::GroupInfoPublished { conversation, by, epoch, bytes, at };
        self.propose(vec![(record, Some(info.into()))], Asked::Info(from.conn(), ask), round.out)
    }

    /// A device comes in.
    pub(super) fn enter(
        &mut self,
        from: &Admitted,
        ask: AskId,
        (conversation, epoch): (ConversationId, u64),
        commit: ByteBuf,
        round: &mut Round<'_>,
    ) -> Result<(), Code> {
        self.is_collecting(from)?;
        let (by, at) = (from.device().clone(), round.now.wall);
        let change = RosterChange { add: vec![by.clone()], remove: Vec::new() };
        let body: Arc<[u8]> = events::Sealed { change, commit, welcome: None }.encode().into();
        let bytes = length(&body)?;
        may_enter(round.state, conversation, &by, epoch, bytes).map_err(ConversationRefusal::code)?;
        let record = Record::ConversationEntered { conversation, by, epoch, bytes, at };
        self.post(from.conn(), ask, record, body, round.out)
    }

    /// A new epoch has begun: whoever began it leaves what it takes to come in, or somebody else who is there.
    pub(super) fn want_info(&mut self, conversation: ConversationId, by: &DeviceName, round: &mut Round<'_>) {
        let known = round.state.conversations().get(conversation);
        let Some(known) = known.filter(|known| known.is_open() && known.info().is_none()) else { return };
        let mut candidates = [by].into_iter().filter(|by| known.has(by)).chain(known.roster());
        let Some(conn) = candidates.find_map(|device| self.streams.get(device)).copied() else { return };
        if let Some(line) = self.lines.get_mut(&conn) {
            let wanted = ConversationsEvent::GroupInfoWanted { conversation };
            line.say(conn, &events::frames(&wanted), round.out);
        }
    }
}

/// The journal gave what it takes to come in, or has lost it.
pub(super) fn info_loaded(
    line: &mut Line,
    conn: ConnId,
    (ask, conversation, epoch): (AskId, ConversationId, u64),
    body: Option<&[u8]>,
    state: &State,
    out: &mut Effects,
) {
    // Somebody may have come or gone while it was read.
    let known = state.conversations().get(conversation).filter(|known| known.epoch() == epoch);
    let (Some(known), Some(body)) = (known, body) else { return refuse(conn, ask, Code::NO_GROUP_INFO, out) };
    let (roster, info) = (known.roster().cloned().collect(), ByteBuf::from(body));
    let event = ConversationsEvent::GroupInfo { ask, conversation, epoch, roster, info };
    line.say(conn, &events::frames(&event), out);
}

/// Says which rooms are open.
pub(super) fn say_rooms(from: &Admitted, ask: AskId, after: Option<&RoomName>, round: &mut Round<'_>) {
    let known = round.state.conversations();
    let mut all = known.open_after(after).filter_map(|(name, room)| {
        let devices = u32::try_from(room.roster().count()).unwrap_or(u32::MAX);
        let conversation = known.open(name)?;
        (devices > 0).then(|| OpenRoom { name: name.clone(), conversation, devices })
    });
    let rooms: Vec<OpenRoom> = all.by_ref().take(OPEN_ROOMS_PAGE_MAX).collect();
    let more = all.next().is_some();
    tell(from.conn(), &ConversationsEvent::Rooms { ask, rooms, more }, round.out);
}
