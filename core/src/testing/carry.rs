//! What the machines of a town want, carried out: bytes go to whom they are for, at once and whole.

use super::{FIRST_DIALLED, Machine, MemberInput, Town};
use crate::{device, server};

impl Town {
    /// The disk has an append.
    pub(super) fn durable(&mut self, id: crate::id::AppendId, records: Vec<server::Written>) {
        let first = self.journal.len() as u64 + 1;
        for (n, written) in (first..).zip(records) {
            self.journal.push(written.record);
            self.bodies.extend(written.body.map(|body| (n, body)));
        }
        self.serve(server::Input::Appended(id, first));
    }

    pub(super) fn carry_out_server(&mut self, output: server::Output) {
        match output {
            server::Output::Append(id, records) if self.hold => self.held.push((id, records)),
            server::Output::Append(id, records) => self.durable(id, records),
            server::Output::Load(id, n) => {
                let record = self.journal.get(usize::try_from(n).unwrap() - 1).cloned();
                self.serve(server::Input::Loaded(id, record.as_deref()));
            }
            server::Output::LoadBody(id, n) => {
                self.bodies_read += 1;
                let body = self.bodies.get(&n).cloned();
                self.serve(server::Input::LoadedBody(id, body.as_deref()));
            }
            server::Output::DropBodies(gone) => self.bodies.retain(|n, _| !gone.contains(n)),
            server::Output::KeepBodies(needed) => self.bodies.retain(|n, _| needed.contains(n)),
            server::Output::Snapshot(id, n, bytes) => self.snapshots.push((id, n, bytes)),
            server::Output::Stretch(id, stretch) if self.hold_stretches => self.stretches.push((id, stretch)),
            server::Output::Stretch(id, stretch) => {
                self.serve(server::Input::Stretched(id, stretch.run().as_ref()));
            }
            server::Output::Write(conn) if self.deaf.contains(&conn) => {}
            server::Output::Write(conn) => {
                let bytes = self.server.outbound(conn).to_vec();
                self.serve(server::Input::Sent(conn, bytes.len()));
                if let Some((member, at_member)) = self.member_at(conn) {
                    self.tell_member(member, MemberInput::Received(at_member, &bytes));
                }
            }
            // What is sent to a member is taken at once here, whoever else is slow is fed by its test.
            server::Output::Pause(_) | server::Output::Resume(_) => self.pauses.push(output),
            server::Output::Shut(conn) => {
                if let Some((member, at_member)) = self.member_at(conn) {
                    self.tell_member(member, MemberInput::Ended(at_member));
                }
            }
            server::Output::Drop(conn) => {
                if let Some((member, at_member)) = self.member_at(conn) {
                    self.members[member].wire = None;
                    self.tell_member(member, MemberInput::Ended(at_member));
                }
            }
            server::Output::Answer(id, answer) => {
                self.answers.insert(id, answer);
            }
            server::Output::Note(note) => self.notes.push(note),
        }
    }

    pub(super) fn carry_out_member(&mut self, member: usize, output: device::Output) {
        match output {
            device::Output::Dial(conn) if self.unreachable => self.tell_member(member, MemberInput::Unreachable(conn)),
            device::Output::Dial(conn) => {
                let at_server = self.next_conn();
                self.members[member].wire = Some((at_server, conn));
                self.serve(server::Input::Opened(at_server, self.source));
                self.tell_member(member, MemberInput::Connected(conn));
            }
            output @ (device::Output::DialPeer(..)
            | device::Output::FindAddresses(_)
            | device::Output::Listen(..)
            | device::Output::Unlisten(_)) => self.in_the_streets(member, output),
            device::Output::Write(conn) if conn.0 >= FIRST_DIALLED => self.write_directly(member, conn),
            device::Output::Shut(conn) | device::Output::Drop(conn) if conn.0 >= FIRST_DIALLED => {
                self.end_directly(member, conn, matches!(output, device::Output::Drop(_)));
            }
            device::Output::Write(conn) => {
                let bytes = match &self.members[member].machine {
                    Machine::Enrolment(machine) => machine.outbound().to_vec(),
                    Machine::Device(machine) => machine.outbound(conn).to_vec(),
                    Machine::Killed => Vec::new(),
                };
                self.tell_member(member, MemberInput::Sent(conn, bytes.len()));
                if let Some(at_server) = self.server_at(member, conn) {
                    self.serve(server::Input::Received(at_server, &bytes));
                }
            }
            device::Output::Shut(conn) | device::Output::Drop(conn) => {
                if let Some(at_server) = self.server_at(member, conn) {
                    if let device::Output::Drop(_) = output {
                        self.members[member].wire = None;
                    }
                    self.serve(server::Input::Ended(at_server));
                }
            }
            device::Output::Keep(id, keep) => self.keep(member, id, keep),
            device::Output::Tell(event) => self.members[member].told.push(event),
        }
    }
}
