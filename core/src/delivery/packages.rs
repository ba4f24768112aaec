//! Key packages: left by devices for others, and handed out to whoever asks, one after the other as the asker reads.

use std::collections::{BTreeSet, VecDeque};

use serde_bytes::ByteBuf;

use super::line::{Awaited, Line, Taking};
use super::{Asked, Delivery, Round, events, tell};
use crate::effect::{Effect, Effects, Note};
use crate::id::{AppendId, AskId, ConnId, DeviceName};
use crate::journal::conversations::{Packages, Taken};
use crate::journal::fold::conversations::may_keep;
use crate::journal::{ConversationRefusal, Conversed, Record, State};
use crate::limits::KEY_PACKAGES_LOW;
use crate::relay::Admitted;
use crate::time::Wall;
use crate::wire::Code;
use crate::wire::conversations::ConversationsEvent;

/// Key packages on their way to the journal.
#[derive(Debug)]
pub(super) struct Publishing {
    conn: ConnId,
    ask: AskId,
    device: DeviceName,
    /// Of so many nothing is known yet.
    left: usize,
    refused: Option<Code>,
}

impl Delivery {
    /// A device leaves key packages: all of them, or none.
    pub(super) fn publish(
        &mut self,
        from: &Admitted,
        ask: AskId,
        (last_resort, packages): (Option<ByteBuf>, Vec<ByteBuf>),
        not_after: Wall,
        round: &mut Round<'_>,
    ) -> Result<(), Code> {
        let (device, at) = (from.device(), round.now.wall);
        may_keep(round.state, device, packages.len(), at).map_err(ConversationRefusal::code)?;
        let record = |last_resort, package: ByteBuf| {
            let record = Record::KeyPackagePublished { device: device.clone(), last_resort, not_after, at };
            (record, Some(package.into_vec().into()))
        };
        let last_resort = last_resort.into_iter().map(|package| record(true, package));
        let records: Vec<_> = last_resort.chain(packages.into_iter().map(|package| record(false, package))).collect();
        if records.is_empty() {
            tell(from.conn(), &left(device, round.state, at), round.out);
            return Ok(());
        }
        let (conn, device, left) = (from.conn(), device.clone(), records.len());
        let publishing = Publishing { conn, ask, device, left, refused: None };
        self.propose(records, Asked::Publish(publishing), round.out)
    }

    /// One of them is kept, or is not since others came before it; the asker is told after the last.
    pub(super) fn published(
        &mut self,
        id: AppendId,
        mut publishing: Publishing,
        conversed: &Conversed,
        round: &mut Round<'_>,
    ) {
        publishing.left -= 1;
        if let Conversed::Refused(refusal) = conversed {
            publishing.refused = Some(refusal.code());
        }
        if publishing.left > 0 {
            self.asked.insert(id, Asked::Publish(publishing));
            return;
        }
        let Publishing { conn, ask, device, refused, .. } = publishing;
        if let Some(code) = refused {
            return super::refuse(conn, ask, code, round.out);
        }
        tell(conn, &left(&device, round.state, round.now.wall), round.out);
        self.say_it_lacks(&device, round.state, round.out);
    }

    /// A device asks for key packages, one ask a connection.
    pub(super) fn take(
        &mut self,
        from: &Admitted,
        ask: AskId,
        of: Vec<DeviceName>,
        round: &mut Round<'_>,
    ) -> Result<(), Code> {
        let (by, conn) = (from.device(), from.conn());
        let is_taking = self.lines.get(&conn).is_some_and(|line| line.taking.is_some());
        if is_taking || self.asked.values().any(|asked| matches!(asked, Asked::Take(other, ..) if *other == conn)) {
            return Err(Code::BUSY);
        }
        let count = u32::try_from(of.len()).unwrap_or(u32::MAX);
        if !self.takes.allows_so_many(by, count, round.now.mono) {
            return Err(Code::KEY_PACKAGES_TOO_OFTEN);
        }
        let record = Record::KeyPackagesTaken { by: by.clone(), of: of.clone(), at: round.now.wall };
        self.propose(vec![(record, None)], Asked::Take(conn, ask, of), round.out)?;
        self.lines.entry(conn).or_insert_with(|| Box::new(Line::new(by.clone())));
        Ok(())
    }

    /// They were taken: nobody else gets those that are given out once.
    pub(super) fn taken(
        &mut self,
        conn: ConnId,
        ask: AskId,
        of: &[DeviceName],
        taken: &[Option<Taken>],
        round: &mut Round<'_>,
    ) {
        self.tell_who_is_low(of, round);
        let rest: VecDeque<_> = of.iter().cloned().zip(taken.iter().copied()).collect();
        let taking = Taking { ask, rest };
        match self.lines.get_mut(&conn) {
            Some(line) => {
                line.taking = Some(taking);
                self.go_on(conn, round.state, round.out);
            }
            // Whoever has asked is gone, and they with it.
            None => drop_rest(&taking, round.out),
        }
    }

    fn tell_who_is_low(&self, of: &[DeviceName], round: &mut Round<'_>) {
        let unique: BTreeSet<&DeviceName> = of.iter().collect();
        for device in unique {
            let Some(conn) = self.streams.get(device) else { continue };
            let known = round.state.conversations().packages(device);
            if known.is_some_and(|known| known.left(round.now.wall) < KEY_PACKAGES_LOW) {
                tell(*conn, &left(device, round.state, round.now.wall), round.out);
            }
        }
    }

    /// Hands out the next key package, or asks the journal for it. Whether there was one.
    pub(super) fn hand_out(&mut self, conn: ConnId, out: &mut Effects) -> bool {
        let Some(line) = self.lines.get_mut(&conn) else { return false };
        let Some(taking) = &mut line.taking else { return false };
        let Some((device, taken)) = taking.rest.pop_front() else {
            line.taking = None;
            return false;
        };
        match taken {
            Some(taken) => {
                let load = out.load_body(taken.n);
                line.loading = Some((load, Awaited::Package(device, taken)));
                self.loading.insert(load, conn);
            }
            None => say_package(line, conn, device, None, out),
        }
        true
    }

    /// The journal gave a key package.
    pub(super) fn package_loaded(
        &mut self,
        conn: ConnId,
        (device, taken): (DeviceName, Taken),
        body: Option<&[u8]>,
        out: &mut Effects,
    ) {
        // One of last resort may have been replaced meanwhile, and then it is as if there were none.
        if body.is_none() && !taken.last_resort {
            out.note(Note::Alarm(format!("there is no key package {} of {device}, which was to be there", taken.n)));
        }
        if !taken.last_resort {
            out.push(Effect::DropBodies(vec![taken.n]));
        }
        if let Some(line) = self.lines.get_mut(&conn) {
            say_package(line, conn, device, body.map(ByteBuf::from), out);
        }
    }

    /// Whoever has asked is gone, and nobody gets what they have taken.
    pub(super) fn hand_out_no_more(&mut self, line: &Line, out: &mut Effects) {
        if let Some((load, Awaited::Package(_, taken))) = &line.loading {
            self.loading.remove(load);
            if !taken.last_resort {
                out.push(Effect::DropBodies(vec![taken.n]));
            }
        }
        if let Some(taking) = &line.taking {
            drop_rest(taking, out);
        }
    }
}

fn say_package(line: &mut Line, conn: ConnId, device: DeviceName, package: Option<ByteBuf>, out: &mut Effects) {
    let Some(taking) = &line.taking else { return };
    let event = ConversationsEvent::Package { ask: taking.ask, device, package, more: !taking.rest.is_empty() };
    line.say(conn, &events::frames(&event), out);
}

fn drop_rest(taking: &Taking, out: &mut Effects) {
    let once = taking.rest.iter().filter_map(|(_, taken)| *taken).filter(|taken| !taken.last_resort);
    let gone: Vec<u64> = once.map(|taken| taken.n).collect();
    if !gone.is_empty() {
        out.push(Effect::DropBodies(gone));
    }
}

/// How many key packages of a device are left.
pub(super) fn left(device: &DeviceName, state: &State, now: Wall) -> ConversationsEvent {
    let known = state.conversations().packages(device);
    let left = known.map_or(0, |known| known.left(now));
    let last_resort = known.and_then(|known| Packages::last_resort(known, now));
    ConversationsEvent::KeyPackages { left: u32::try_from(left).unwrap_or(u32::MAX), last_resort }
}
