//! Decides what becomes of a message on its way out.

use countersign_core::id::{ConnId, DeviceLabel, DeviceName, Position, TunnelId, UserName};
use countersign_core::limits::TUNNEL_WINDOW_BYTES;
use countersign_core::time::Wall;
use countersign_core::wire::log::LogHead;
use countersign_core::wire::relay::{Person, RelayEvent, Welcome};
use countersign_core::wire::{Code, Extensions};
use serde_bytes::ByteBuf;

use super::{CERTIFICATES_MAX, Lie, Lies, PIECES_MAX, Said, Words};
use crate::rng::Draw;

impl Lies {
    /// What is said in place of an honest message, and to whom.
    pub(crate) fn tell(&mut self, conn: ConnId, event: RelayEvent) -> Words {
        let used = self.used_number(conn);
        self.remember(conn, &event);
        if !self.lies(how_rarely(&event)) {
            return self.in_turn(conn, event);
        }
        let kind = self.choices.below(4);
        let used = used.filter(|_| kind == 2);
        match event {
            RelayEvent::Welcome(welcome) => self.welcome(conn, welcome, kind),
            RelayEvent::Here { .. } | RelayEvent::Presence { .. } => self.presence(conn, event, kind),
            RelayEvent::People { ask, mut people, more } => {
                match kind {
                    0 => people.clear(),
                    1 => people.push(Person { user: self.made_up().user, online: true }),
                    2 => people.iter_mut().for_each(|person| person.online = !person.online),
                    _ => drop(people.pop()),
                }
                self.say(conn, Lie::FalsePeople, RelayEvent::People { ask, people, more })
            }
            RelayEvent::Ringing { ask, tunnel, device } => {
                if let Some(tunnel) = used {
                    return self.say(conn, Lie::SameNumber, RelayEvent::Ringing { ask, tunnel, device });
                }
                let device = match (kind, self.another(&device.user)) {
                    (0, Some(other)) => other,
                    _ => other_device(device),
                };
                self.say(conn, Lie::WrongRinging, RelayEvent::Ringing { ask, tunnel, device })
            }
            RelayEvent::Introduced { tunnel, from, extensions } => {
                if let Some(tunnel) = used {
                    return self.say(conn, Lie::SameNumber, RelayEvent::Introduced { tunnel, from, extensions });
                }
                let from = match (kind, self.another(&from.user)) {
                    (1, _) | (_, None) => other_device(from),
                    (_, Some(other)) => other,
                };
                self.say(conn, Lie::WrongCaller, RelayEvent::Introduced { tunnel, from, extensions })
            }
            RelayEvent::Forwarded { tunnel, bytes } => self.piece(conn, tunnel, bytes, kind),
            RelayEvent::Certificate { ask, leaf, issuing, more, extensions } => {
                let (leaf, issuing, more) = match (kind, self.other_certificate(&leaf)) {
                    (0, Some(other)) => (other, issuing, more),
                    (1, _) => (broken(&leaf), issuing, more),
                    (2, _) => (leaf.clone(), leaf, more),
                    _ => (leaf, issuing, !more),
                };
                let event = RelayEvent::Certificate { ask, leaf, issuing, more, extensions };
                self.say(conn, Lie::FalseCertificate, event)
            }
            RelayEvent::Renewed { ask, leaf, issuing, extensions } => {
                let (leaf, issuing, extensions) = match (kind, self.other_certificate(&leaf)) {
                    (0, Some(other)) => (other, issuing, extensions),
                    (1, _) => (broken(&leaf), issuing, extensions),
                    (2, _) => (leaf.clone(), leaf, extensions),
                    _ => (leaf, issuing, Extensions::default()),
                };
                self.say(conn, Lie::FalseCertificate, RelayEvent::Renewed { ask, leaf, issuing, extensions })
            }
            RelayEvent::Log(head) => {
                let event = RelayEvent::Log(self.false_log(head, kind));
                self.say(conn, Lie::FalseLog, event)
            }
            RelayEvent::Proof { device, mut proof } => {
                let device = if let (0 | 1, Some(other)) = (kind, self.another(&device.user)) {
                    other
                } else {
                    proof.leaf = broken(&proof.leaf);
                    device
                };
                self.say(conn, Lie::FalseProof, RelayEvent::Proof { device, proof })
            }
            RelayEvent::Pong if kind == 0 => self.welcome_again(conn),
            RelayEvent::Accepted { tunnel } if kind == 0 => {
                self.say(conn, Lie::FalseEnd, RelayEvent::Ended { tunnel, code: Code::DECLINED })
            }
            RelayEvent::Credited { tunnel, bytes } if kind < 2 => {
                let bytes = bytes.saturating_mul(2).clamp(1, TUNNEL_WINDOW_BYTES);
                self.say(conn, Lie::FalseCredit, RelayEvent::Credited { tunnel, bytes })
            }
            RelayEvent::Ended { tunnel, .. } if kind < 2 => {
                self.say(conn, Lie::FalseAccept, RelayEvent::Accepted { tunnel })
            }
            RelayEvent::Pong
            | RelayEvent::Accepted { .. }
            | RelayEvent::Credited { .. }
            | RelayEvent::Ended { .. }
            | RelayEvent::Leaves { .. }
            | RelayEvent::Devices(_)
            | RelayEvent::Lineage(_)
            | RelayEvent::Generations(_)
            | RelayEvent::Lists(_)
            | RelayEvent::PasswordSet { .. }
            | RelayEvent::Conversations(_)
            | RelayEvent::Piece { .. }
            | RelayEvent::Refused { .. } => {
                self.lied(conn, Lie::Silence);
                Vec::new()
            }
        }
    }

    /// What is no lie, or the rest of an earlier one.
    fn in_turn(&mut self, conn: ConnId, event: RelayEvent) -> Words {
        match event {
            RelayEvent::Ringing { ask, tunnel, mut device } => {
                // Who is put through to somebody else is told the name that they have asked for.
                if let Some(wanted) = self.wanted.remove(&(conn, ask)) {
                    let known = self.names.iter().find(|name| name.user == wanted);
                    device = known.cloned().unwrap_or(DeviceName { user: wanted, device: device.device });
                }
                vec![(conn, Said::Event(RelayEvent::Ringing { ask, tunnel, device }))]
            }
            RelayEvent::Forwarded { tunnel, .. } => {
                let mut words = vec![(conn, Said::Event(event))];
                // One that was held back comes after the one that it should have come before.
                if let Some(bytes) = self.held.remove(&(conn, tunnel)) {
                    words.push((conn, Said::Event(RelayEvent::Forwarded { tunnel, bytes })));
                }
                words
            }
            event => vec![(conn, Said::Event(event))],
        }
    }

    fn welcome(&mut self, conn: ConnId, mut welcome: Welcome, kind: u64) -> Words {
        match (kind, self.another(&welcome.device.user)) {
            (0, Some(other)) => welcome.device = other,
            (1, _) => welcome.time = Wall(welcome.time.0 / 2),
            (_, _) => welcome.position.n += 1_000,
        }
        self.say(conn, Lie::FalseWelcome, RelayEvent::Welcome(welcome))
    }

    /// A head of the log that is not the log's: altered, without its proof, or from before.
    fn false_log(&mut self, mut head: LogHead, kind: u64) -> LogHead {
        let before = self.heads.front().cloned();
        self.heads.push_back(head.checkpoint.clone());
        if self.heads.len() > CERTIFICATES_MAX {
            self.heads.pop_front();
        }
        match (kind, before) {
            (0, _) => head.certificate = broken(&head.certificate),
            (1, _) => head.checkpoint = broken(&head.checkpoint),
            (2, Some(before)) => head.checkpoint = before,
            _ => head.consistency = None,
        }
        head
    }

    fn welcome_again(&mut self, conn: ConnId) -> Words {
        let device = self.names.first().cloned().unwrap_or_else(|| self.made_up());
        let (position, time) = (Position { incarnation: 1, n: 1 }, Wall(1));
        let welcome = Welcome { device, position, time, extensions: Extensions::default() };
        self.say(conn, Lie::OutOfTurn, RelayEvent::Welcome(welcome))
    }

    /// Who is here, and who comes and goes.
    fn presence(&mut self, conn: ConnId, event: RelayEvent, kind: u64) -> Words {
        let (made_up, names) = (self.made_up(), self.names.clone());
        let event = match event {
            RelayEvent::Here { mut devices } => {
                match kind {
                    0 => devices.clear(),
                    1 => devices.push(made_up),
                    _ => devices = names,
                }
                RelayEvent::Here { devices }
            }
            RelayEvent::Presence { device, online } => match (kind, self.another(&device.user)) {
                (0, Some(device)) => RelayEvent::Presence { device, online },
                (1, _) => RelayEvent::Presence { device, online: !online },
                _ => {
                    self.lied(conn, Lie::FalsePresence);
                    return Vec::new();
                }
            },
            event => event,
        };
        self.say(conn, Lie::FalsePresence, event)
    }

    /// A piece of a tunnel, which it can't read.
    fn piece(&mut self, conn: ConnId, tunnel: TunnelId, bytes: ByteBuf, kind: u64) -> Words {
        let length = u64::try_from(bytes.len()).unwrap_or(1).max(1);
        let (kind, place) = (kind + 4 * self.choices.below(2), self.choices.below(length));
        let older = self.passed.get(&(conn, tunnel)).and_then(|pieces| pieces.front()).cloned();
        let ways: Vec<_> = self.passed.keys().copied().filter(|way| *way != (conn, tunnel)).collect();
        let other = self.choices.pick(&ways).copied();
        let event = |tunnel, bytes: &ByteBuf| Said::Event(RelayEvent::Forwarded { tunnel, bytes: bytes.clone() });
        let (lie, words) = match (kind, older, other) {
            (0, ..) => (Lie::Withholds, Vec::new()),
            (1, ..) => {
                self.held.insert((conn, tunnel), bytes);
                (Lie::Reorders, Vec::new())
            }
            (2, Some(older), _) => (Lie::Replays, vec![(conn, event(tunnel, &bytes)), (conn, event(tunnel, &older))]),
            (3 | 4, _, Some((to, into))) => {
                (Lie::Crosses, vec![(to, event(into, &bytes)), (conn, event(tunnel, &bytes))])
            }
            (5, ..) => {
                let mut altered = bytes;
                let place = usize::try_from(place).unwrap_or(0);
                altered.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 1);
                (Lie::Alters, vec![(conn, event(tunnel, &altered))])
            }
            _ => (Lie::Duplicates, vec![(conn, event(tunnel, &bytes)), (conn, event(tunnel, &bytes))]),
        };
        self.lied(conn, lie);
        words
    }

    fn remember(&mut self, conn: ConnId, event: &RelayEvent) {
        if let RelayEvent::Forwarded { tunnel, bytes } = event {
            let pieces = self.passed.entry((conn, *tunnel)).or_default();
            pieces.push_back(bytes.clone());
            if pieces.len() > PIECES_MAX {
                pieces.pop_front();
            }
        }
        if let RelayEvent::Ringing { tunnel, .. } | RelayEvent::Introduced { tunnel, .. } = event {
            self.numbers.entry(conn).or_default().insert(*tunnel);
        }
        if let (RelayEvent::Ended { tunnel, .. }, Some(numbers)) = (event, self.numbers.get_mut(&conn)) {
            numbers.remove(tunnel);
        }
        if let RelayEvent::Certificate { leaf, .. } = event {
            self.certificates.push_back(leaf.clone());
            if self.certificates.len() > CERTIFICATES_MAX {
                self.certificates.pop_front();
            }
        }
    }

    /// The number of a call that a device has already.
    fn used_number(&mut self, conn: ConnId) -> Option<TunnelId> {
        let numbers: Vec<_> = self.numbers.get(&conn)?.iter().copied().collect();
        self.choices.pick(&numbers).copied()
    }

    fn other_certificate(&mut self, than: &ByteBuf) -> Option<ByteBuf> {
        let others: Vec<_> = self.certificates.iter().filter(|leaf| *leaf != than).cloned().collect();
        self.choices.pick(&others).cloned()
    }

    fn say(&mut self, conn: ConnId, lie: Lie, event: RelayEvent) -> Words {
        self.lied(conn, lie);
        vec![(conn, Said::Event(event))]
    }

    /// Somebody whom nobody knows.
    fn made_up(&mut self) -> DeviceName {
        let user = self.choices.pick(&["zed", "yara", "quinn"]).copied().unwrap_or("zed");
        let (user, device) = (UserName::parse(user).expect("a name"), DeviceLabel::parse("phone").expect("a label"));
        DeviceName { user, device }
    }
}

/// How many times more rarely than usual a message is a lie: once in a while, or nobody would ever come so far that a
/// lie about what comes next can be told.
fn how_rarely(event: &RelayEvent) -> u64 {
    match event {
        RelayEvent::Forwarded { .. } | RelayEvent::Credited { .. } => 8,
        RelayEvent::Welcome(_)
        | RelayEvent::Pong
        | RelayEvent::Log(_)
        | RelayEvent::Generations(_)
        | RelayEvent::Proof { .. }
        | RelayEvent::Lists(_) => 4,
        RelayEvent::Here { .. }
        | RelayEvent::Presence { .. }
        | RelayEvent::People { .. }
        | RelayEvent::Ringing { .. }
        | RelayEvent::Introduced { .. }
        | RelayEvent::Accepted { .. }
        | RelayEvent::Refused { .. }
        | RelayEvent::Ended { .. }
        | RelayEvent::Leaves { .. }
        | RelayEvent::Devices(_)
        | RelayEvent::Lineage(_)
        | RelayEvent::Renewed { .. }
        | RelayEvent::PasswordSet { .. }
        | RelayEvent::Conversations(_)
        | RelayEvent::Piece { .. }
        | RelayEvent::Certificate { .. } => 1,
    }
}

/// A device of the same person that they do not have.
fn other_device(mut name: DeviceName) -> DeviceName {
    name.device = DeviceLabel::parse("fridge").expect("a label");
    name
}

fn broken(der: &ByteBuf) -> ByteBuf {
    let mut der = der.clone();
    let place = der.len() / 2;
    der.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 0x20);
    der
}
