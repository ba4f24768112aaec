//! Which room answers the operator's question, and what is told of the connections, which no other room sees whole.

use rand_core::CryptoRng;

use super::Server;
use super::conn::{Conn, Stage};
use crate::effect::{Effect, Turn};
use crate::id::{AdminId, DeviceName, UserName};
use crate::operator::views::{self, SessionLine, SessionsView};
use crate::operator::{Answer, Command, OperatorRefusal};
use crate::time::Now;

impl Server {
    /// The operator asks. What only looks is answered at once; the rest when the journal has it.
    pub(super) fn operate(&mut self, id: AdminId, command: &Command, now: Now, rng: &mut dyn CryptoRng) {
        let answer = match command {
            Command::Sign { csr, name } => {
                let turn = &mut Turn { state: &self.state, now, rng, out: &mut self.effects };
                return self.ca.sign(id, csr, name, turn);
            }
            Command::Rotate { issuing, key } => {
                let turn = &mut Turn { state: &self.state, now, rng, out: &mut self.effects };
                return self.ca.rotate(id, issuing, key, turn);
            }
            Command::Revoke(revoke) => {
                let turn = &mut Turn { state: &self.state, now, rng, out: &mut self.effects };
                return self.revoker.revoke(id, revoke, turn);
            }
            Command::Acted { number } => Ok(Answer::Acted(self.relay.acted(*number))),
            // Who is there already may need one to come back by their recovery code.
            Command::Invite { user, .. } if !self.admits(user.as_ref()) => Err(OperatorRefusal::InvitesOff),
            Command::Invite { .. } | Command::Reissue { .. } | Command::Users => {
                let present = |device: &_| self.relay.is_present(device);
                let turn = &mut Turn { state: &self.state, now, rng, out: &mut self.effects };
                return self.operator.command(id, command, &present, turn);
            }
            Command::Authority => {
                let view = views::authority(self.ca.authority(), &self.leaf, &self.state, now.wall);
                Ok(Answer::Authority(Box::new(view)))
            }
            Command::Certificates(query) => views::certificates(&self.state, query, now.wall).map(Answer::Certificates),
            Command::Devices(query) => {
                let online = |device: &DeviceName| {
                    let conn = self.conns.get(&self.relay.attending(device)?)?;
                    Some(now.mono.since(conn.opened))
                };
                views::devices(&self.state, query, &online, now.wall).map(Answer::Devices)
            }
            Command::Sessions => Ok(Answer::Sessions(self.sessions(now))),
            Command::Log { first } => Ok(Answer::Log(views::log(&mut self.ca.books(&self.state), *first))),
        };
        self.effects.push(Effect::Answer(id, answer.unwrap_or_else(Answer::Refused)));
    }

    /// Whether an invite for this user, or for whomever, leads anywhere.
    fn admits(&self, user: Option<&UserName>) -> bool {
        self.settings.sign_up.takes_invites() || user.is_some_and(|user| self.state.users().contains_key(user))
    }

    fn sessions(&self, now: Now) -> SessionsView {
        let line = |(conn, known): (_, &Conn)| {
            let Stage::Admitted(admitted) = &known.stage else { return None };
            let device = admitted.device().clone();
            Some(SessionLine {
                connected: now.mono.since(known.opened),
                source: known.source,
                present: self.relay.attending(&device) == Some(conn),
                tunnels: self.relay.open_tunnels(conn),
                waiting_bytes: known.link.waiting(),
                device,
            })
        };
        let mut sessions: Vec<SessionLine> =
            self.conns.iter().filter_map(|(conn, known)| line((*conn, known))).collect();
        // Connections are numbered in the order of their coming, and those of one device keep it.
        sessions.sort_by(|a, b| a.device.cmp(&b.device));
        SessionsView { sessions, strangers: self.strangers.len() }
    }
}
