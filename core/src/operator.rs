//! What the operator asks of a running server, and the answers (design 8: `server invite`, `users`, `ca sign`).
//!
//! What only looks (`ca show`, `ca list`, `devices`, `sessions`, `log`) is made in [`views`].

pub mod views;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::effect::{Effect, Effects, Note, Room, Turn};
use crate::id::{AdminId, AppendId, DeviceLabel, DeviceName, UserName};
use crate::invite::{Token, TokenHash};
use crate::journal::fold::{EnrolRefusal, user_free};
use crate::journal::{Outcome, Record, RevokeRefusal, State};
use crate::limits::{INVITE_LIFETIME_MAX, INVITES_OPEN_MAX};
use crate::pki::{AuthorityRefusal, CsrRefusal, SecretKey};
use crate::time::Wall;
use crate::tlog::ReasonCode;
use crate::wire::Code;

use views::{AuthorityView, CertificateLine, CertificatesQuery, DeviceLine, DevicesQuery, LogView, Page, SessionsView};

/// What an operator may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Makes an invite.
    Invite {
        /// For whom, if for one name alone.
        user: Option<UserName>,
        /// How long it admits.
        lifetime: Duration,
    },
    /// Lists the people and their devices.
    Users,
    /// Certifies a key that was made elsewhere. The CA's to carry out (`ca.rs`).
    Sign {
        /// The request in DER.
        csr: Vec<u8>,
        /// Whose it is to be.
        name: DeviceName,
    },
    /// Shows the realm's CAs and what they have signed.
    Authority,
    /// Lists the certificates of devices, a page of them.
    Certificates(CertificatesQuery),
    /// Lists the devices, a page of them.
    Devices(DevicesQuery),
    /// Lists who is connected.
    Sessions,
    /// Shows the realm's log, a page of it.
    Log {
        /// The index of the page's first entry.
        first: u64,
    },
    /// Has another issuing CA sign from now on, which the root has certified. The CA's to carry out (`ca.rs`).
    Rotate {
        /// Its certificate in DER.
        issuing: Vec<u8>,
        /// Its key.
        key: SecretKey,
    },
    /// Makes an invite that lets somebody in again who is there already, as a new identity.
    Reissue {
        /// Whom.
        user: UserName,
        /// How long it admits.
        lifetime: Duration,
        /// Whether their devices from before stay; otherwise they are revoked when it is used.
        keep: bool,
    },
    /// Takes back a device, or all of a person's. The revoker's to carry out (`revoker.rs`).
    Revoke(Revoke),
    /// Asks which of the devices that attend go by the revocation lists of this number.
    Acted {
        /// The number.
        number: u64,
    },
}

/// Whom the operator takes back, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoke {
    /// Whose devices.
    pub user: UserName,
    /// This one alone, or all.
    pub device: Option<DeviceLabel>,
    /// Why.
    pub reason: ReasonCode,
    /// Whether nothing may be left to the user.
    pub force: bool,
}

/// What an operator is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An invite: its secret, and its last second. The shell knows the rest of the link.
    Invite(Token, Wall),
    /// The people in order of name.
    Users(Vec<UserLine>),
    /// No, and why.
    Refused(OperatorRefusal),
    /// A certificate with its issuers.
    Signed(Signed),
    /// The realm's CAs and what they have signed.
    Authority(Box<AuthorityView>),
    /// Certificates of devices, the oldest first.
    Certificates(Page<CertificateLine>),
    /// Devices in order of name.
    Devices(Page<DeviceLine>),
    /// Who is connected.
    Sessions(SessionsView),
    /// Entries of the realm's log, the oldest first.
    Log(LogView),
    /// These devices are revoked, and everybody who is here is told by lists of this number.
    Revoked {
        /// Which, in order of name.
        devices: Vec<DeviceName>,
        /// The number.
        number: u64,
    },
    /// The devices that attend, in order of name, and whether each goes by the lists that were asked about.
    Acted(Vec<(DeviceName, bool)>),
    /// The issuing CA that signs from now on.
    Rotated {
        /// Its certificate in DER.
        issuing: Vec<u8>,
    },
}

/// The answer to [`Command::Sign`]: three certificates in DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The device's.
    pub leaf: Vec<u8>,
    /// The issuing CA's.
    pub issuing: Vec<u8>,
    /// The root's.
    pub root: Vec<u8>,
}

/// One person in the answer to [`Command::Users`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserLine {
    /// Who.
    pub user: UserName,
    /// Since when.
    pub opened: Wall,
    /// Their devices, and whether each is present.
    pub devices: Vec<(DeviceName, bool)>,
}

/// Why the operator's wish is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorRefusal {
    /// The user exists, or looks like one who does.
    Name(EnrolRefusal),
    /// The lifetime is zero or too long.
    Lifetime,
    /// Too many invites are open.
    TooMany,
    /// The journal did not take it.
    Failed,
    /// The request to be signed is not in order.
    Csr(CsrRefusal),
    /// The name or key is somebody's, or there is no room.
    Sign(EnrolRefusal),
    /// Too many appends are under way.
    Busy,
    /// The key has its certificate, and that has expired.
    Lapsed,
    /// The certificate could not be issued.
    Issue,
    /// The list of a person was asked for whom there is not.
    NoSuchUser,
    /// The new issuing CA can't sign.
    Rotate(AuthorityRefusal),
    /// A device is not revoked.
    Revoke(RevokeRefusal),
    /// The device is revoked, and the lists that tell everybody could not be signed.
    Lists,
    /// The key's device was revoked.
    Revoked,
    /// Invites admit nobody.
    InvitesOff,
}

impl fmt::Display for OperatorRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lifetime => write!(f, "an invite lives between one second and 30 days"),
            Self::TooMany => write!(f, "there are {INVITES_OPEN_MAX} open invites: wait until some expire"),
            Self::Csr(refusal) => write!(f, "the request is refused: {refusal}"),
            Self::Sign(EnrolRefusal::NameTaken | EnrolRefusal::SecondDevice) => f.write_str(
                "the user exists already, and one of their devices would have to approve a further one, which a key made \
                 elsewhere can't wait for: choose another user name, or let the device join by an invite",
            ),
            Self::Name(refusal) | Self::Sign(refusal) => write!(f, "{refusal}"),
            Self::Busy => write!(f, "{}", Code::BUSY),
            Self::Lapsed => f.write_str(
                "that key's certificate has expired: its device renews it by itself, or make a new key and choose another user name",
            ),
            Self::Issue => write!(f, "{}", Code::ISSUE_FAILED),
            Self::NoSuchUser => f.write_str("nobody of that name has joined: server users lists who has"),
            Self::Rotate(refusal) => write!(f, "{refusal}: check this machine's clock, then make another with server ca rotate"),
            Self::Revoke(refusal) => write!(f, "{refusal}"),
            Self::Lists => f.write_str(
                "the device is revoked here, but the list that tells the others could not be signed: the server's log says why",
            ),
            Self::Revoked => f.write_str("that key's device was revoked: make a new key and choose another user name"),
            Self::InvitesOff => f.write_str(
                "this realm admits nobody by an invite (signup = \"password\" in server.toml): people join with client join --password",
            ),
            Self::Failed => f.write_str("the journal did not take the invite: the server's log says why"),
        }
    }
}

/// The operator's desk.
#[derive(Debug, Default)]
pub struct Operator {
    inviting: BTreeMap<AppendId, (AdminId, Token, Wall)>,
}

impl Operator {
    /// A wish comes in. `present` says whether a device is connected.
    pub fn command(
        &mut self,
        id: AdminId,
        command: &Command,
        present: &dyn Fn(&DeviceName) -> bool,
        turn: &mut Turn<'_>,
    ) {
        match command {
            Command::Invite { user, lifetime } => {
                if let Err(refusal) = self.invite(id, user.as_ref(), *lifetime, turn) {
                    turn.out.push(Effect::Answer(id, Answer::Refused(refusal)));
                }
            }
            Command::Reissue { user, lifetime, keep } => {
                if let Err(refusal) = self.reissue(id, user, *lifetime, *keep, turn) {
                    turn.out.push(Effect::Answer(id, Answer::Refused(refusal)));
                }
            }
            Command::Users => turn.out.push(Effect::Answer(id, Answer::Users(users(turn.state, present)))),
            Command::Sign { .. } | Command::Rotate { .. } | Command::Revoke(_) => {
                unreachable!("the server takes it to the CA or the revoker")
            }
            Command::Authority
            | Command::Certificates(_)
            | Command::Devices(_)
            | Command::Sessions
            | Command::Acted { .. }
            | Command::Log { .. } => {
                unreachable!("the server answers them at once (`server/desk.rs`)")
            }
        }
    }

    /// The journal holds an append of ours.
    ///
    /// # Panics
    /// If the append was not ours.
    pub fn appended(&mut self, append: AppendId, outcome: &Outcome, out: &mut Effects) {
        let (id, token, expires) =
            self.inviting.remove(&append).expect("an append of the operator's was remembered when it was made");
        let answer = if let Outcome::Invited = outcome {
            out.note(Note::Invited(expires));
            Answer::Invite(token, expires)
        } else {
            out.note(Note::Alarm(format!("the journal took an invite as {outcome:?}")));
            Answer::Refused(OperatorRefusal::Failed)
        };
        out.push(Effect::Answer(id, answer));
    }

    fn invite(
        &mut self,
        id: AdminId,
        user: Option<&UserName>,
        lifetime: Duration,
        turn: &mut Turn<'_>,
    ) -> Result<(), OperatorRefusal> {
        self.has_room(lifetime, turn)?;
        if let Some(user) = user {
            match user_free(turn.state, user) {
                // For a further device, which one of theirs will have to approve.
                Ok(()) | Err(EnrolRefusal::SecondDevice) => {}
                Err(refusal) => return Err(OperatorRefusal::Name(refusal)),
            }
        }
        let user = user.cloned();
        self.write_down(id, lifetime, |token, expires, at| Record::InviteCreated { token, user, expires, at }, turn);
        Ok(())
    }

    /// Lets somebody in again who has neither a device nor a recovery code left.
    fn reissue(
        &mut self,
        id: AdminId,
        user: &UserName,
        lifetime: Duration,
        keep: bool,
        turn: &mut Turn<'_>,
    ) -> Result<(), OperatorRefusal> {
        self.has_room(lifetime, turn)?;
        if !turn.state.users().contains_key(user) {
            return Err(OperatorRefusal::NoSuchUser);
        }
        let user = user.clone();
        let record = |token, expires, at| Record::ReissueCreated { token, user, keep, expires, at };
        self.write_down(id, lifetime, record, turn);
        Ok(())
    }

    fn has_room(&self, lifetime: Duration, turn: &Turn<'_>) -> Result<(), OperatorRefusal> {
        if lifetime.as_secs() == 0 || lifetime > INVITE_LIFETIME_MAX {
            return Err(OperatorRefusal::Lifetime);
        }
        if turn.state.invites_open(turn.now.wall) + self.inviting.len() >= INVITES_OPEN_MAX {
            return Err(OperatorRefusal::TooMany);
        }
        Ok(())
    }

    /// Has a new token's hash written down, with its last second and what it is for.
    fn write_down(
        &mut self,
        id: AdminId,
        lifetime: Duration,
        record: impl FnOnce(TokenHash, Wall, Wall) -> Record,
        turn: &mut Turn<'_>,
    ) {
        let token = Token::draw(turn.rng);
        let expires = turn.now.wall.plus(lifetime);
        let append = turn.out.append(Room::Operator, vec![record(token.hash(), expires, turn.now.wall)]);
        self.inviting.insert(append, (id, token, expires));
    }
}

fn users(state: &State, present: &dyn Fn(&DeviceName) -> bool) -> Vec<UserLine> {
    let lines = state.users().iter().map(|(user, account)| {
        let devices = account.devices.keys().map(|device| {
            let name = DeviceName { user: user.clone(), device: device.clone() };
            let online = present(&name);
            (name, online)
        });
        UserLine { user: user.clone(), opened: account.opened, devices: devices.collect() }
    });
    lines.collect()
}
