//! The channel of a device and the relay (protocol §5, §6).

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::conversations::{ConversationsEvent, ConversationsRequest};
use super::devices::{DevicesEvent, DevicesRequest};
use super::log::{Generations, Lineage, LogHead, LogPage, LogProof};
use super::revocation::SignedLists;
use super::{Code, Extensions};
use crate::fault::Fault;
use crate::id::{AskId, DeviceName, Position, Serial, TunnelId, UserName};
use crate::limits::{CERTIFICATE_BYTES_MAX, FORWARD_BYTES_MAX, PIECE_BYTES_MAX, TUNNEL_WINDOW_BYTES, WHO_PAGE_MAX};
use crate::password::Password;
use crate::time::Wall;

/// What a device asks of the relay. Only a proven device's session hands one on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RelayRequest {
    /// From now on this connection is the device: it is shown as present, hears of others, and takes calls.
    Attend {
        /// Nothing yet.
        extensions: Extensions,
    },
    /// Asks for a sign of life.
    Ping,
    /// Asks who belongs to the realm, from the person after `after` on.
    Who {
        /// Echoed in the answer.
        ask: AskId,
        /// The last name of the page before.
        after: Option<UserName>,
    },
    /// Asks to be introduced to somebody, on whichever of their devices takes the call first.
    Introduce {
        /// Echoed in the answers.
        ask: AskId,
        /// Whom to call.
        to: UserName,
        /// Nothing yet.
        extensions: Extensions,
    },
    /// Takes a call: the tunnel opens.
    Accept {
        /// The introduction.
        tunnel: TunnelId,
    },
    /// Ends an introduction or a tunnel, whichever it is by now.
    HangUp {
        /// Which.
        tunnel: TunnelId,
        /// What the other end is told: declined, busy, glare, hung up.
        code: Code,
    },
    /// Bytes for the other end of a tunnel.
    Forward {
        /// Which.
        tunnel: TunnelId,
        /// At most [`FORWARD_BYTES_MAX`], and within the credit.
        bytes: ByteBuf,
    },
    /// Lets the other end of a tunnel send this many bytes more.
    Credit {
        /// Which.
        tunnel: TunnelId,
        /// How many.
        bytes: u32,
    },
    /// Asks for somebody's certificates.
    Fetch {
        /// Echoed in the answer.
        ask: AskId,
        /// Whose.
        user: UserName,
    },
    /// Follows the log from here on: the answer is [`RelayEvent::Log`], and what is proved later is proved under the newest
    /// head that went out on this connection.
    Follow {
        /// The size of the log that the device has seen; 0 for none.
        seen: u64,
    },
    /// Asks for the log's leaves, from the one with this index on.
    Leaves {
        /// Echoed in the answer.
        ask: AskId,
        /// The first.
        from: u64,
    },
    /// Asks about the devices of its own user.
    Devices(DevicesRequest),
    /// Asks for another certificate for the same name and key: the answer is [`RelayEvent::Renewed`].
    Renew {
        /// Echoed in the answer.
        ask: AskId,
    },
    /// Says that this device goes by the revocation lists with this number, and has ended what they end.
    Listed {
        /// The number, as the lists have it.
        number: u64,
    },
    /// Sets the password of its own user: the answer is [`RelayEvent::PasswordSet`].
    Password {
        /// Echoed in the answer.
        ask: AskId,
        /// The password from then on.
        password: Password,
    },
    /// Shows lists that had more on them than those which the relay has shown: what was revoked is to be revoked again, where
    /// the relay was restored from a backup and has forgotten it.
    ListsBefore(SignedLists),
    /// About conversations, whatever fits a frame.
    Conversations(ConversationsRequest),
    /// A part of a [`ConversationsRequest`] that does not fit a frame: all of them together are the encoded request.
    Piece {
        /// At most [`PIECE_BYTES_MAX`].
        bytes: ByteBuf,
        /// Whether it is the last.
        last: bool,
    },
    /// Asks for one certificate by its number, whosever and however old: the answer is [`RelayEvent::Certificate`].
    Certificate {
        /// Echoed in the answer.
        ask: AskId,
        /// Its number.
        serial: Serial,
    },
}

impl RelayRequest {
    /// Checks the bounds that the types do not hold.
    pub fn check(&self) -> Result<(), Fault> {
        match self {
            Self::Attend { extensions } | Self::Introduce { extensions, .. } => extensions.check(),
            Self::Forward { bytes, .. } => forward_bounds(bytes),
            Self::Credit { bytes, .. } => credit_bounds(*bytes),
            Self::Password { password, .. } if !password.is_sound() => Err(Fault::Malformed),
            Self::ListsBefore(lists) => lists.check(),
            Self::Conversations(request) => request.check(),
            Self::Piece { bytes, .. } => piece_bounds(bytes),
            Self::Ping
            | Self::Who { .. }
            | Self::Accept { .. }
            | Self::HangUp { .. }
            | Self::Fetch { .. }
            | Self::Follow { .. }
            | Self::Leaves { .. }
            | Self::Devices(_)
            | Self::Renew { .. }
            | Self::Listed { .. }
            | Self::Certificate { .. }
            | Self::Password { .. } => Ok(()),
        }
    }
}

/// What the relay says to a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RelayEvent {
    /// The first message: the device is admitted. Until it comes nothing may be asked.
    Welcome(Welcome),
    /// The sign of life that was asked for.
    Pong,
    /// Devices that are present as the attendance begins; several of these where one frame is too small.
    Here {
        /// Who.
        devices: Vec<DeviceName>,
    },
    /// Somebody came or went.
    Presence {
        /// Who.
        device: DeviceName,
        /// Came, or else went.
        online: bool,
    },
    /// A page of people.
    People {
        /// As asked.
        ask: AskId,
        /// In order of name.
        people: Vec<Person>,
        /// Whether there are more after the last.
        more: bool,
    },
    /// A device of the one who is called is being asked: one of these for each, before anything else of the introduction.
    Ringing {
        /// As asked.
        ask: AskId,
        /// The number of this branch of the introduction from here on.
        tunnel: TunnelId,
        /// Who exactly is asked: the name that the other end will have to prove.
        device: DeviceName,
    },
    /// Somebody asks to be introduced, to all of this person's devices that are present.
    Introduced {
        /// The number of this device's branch of the introduction.
        tunnel: TunnelId,
        /// Who says to be calling: the name that the other end will have to prove.
        from: DeviceName,
        /// Nothing yet.
        extensions: Extensions,
    },
    /// The call was taken on this branch: it is a tunnel from here on, and the other branches end.
    Accepted {
        /// Which.
        tunnel: TunnelId,
    },
    /// An ask came to nothing.
    Refused {
        /// As asked.
        ask: AskId,
        /// Why.
        code: Code,
    },
    /// An introduction or tunnel is over.
    Ended {
        /// Which.
        tunnel: TunnelId,
        /// Why.
        code: Code,
    },
    /// Bytes from the other end of a tunnel.
    Forwarded {
        /// Which.
        tunnel: TunnelId,
        /// As they were sent.
        bytes: ByteBuf,
    },
    /// The other end lets this many bytes more come.
    Credited {
        /// Which.
        tunnel: TunnelId,
        /// How many.
        bytes: u32,
    },
    /// The newest certificate of one of the devices that were asked for.
    Certificate {
        /// As asked.
        ask: AskId,
        /// The leaf in DER.
        leaf: ByteBuf,
        /// The issuing CA in DER.
        issuing: ByteBuf,
        /// Whether one of another device follows.
        more: bool,
        /// The log's proof of it, for whoever follows the log.
        extensions: Extensions,
    },
    /// What the log is now. What is proved from here on is proved under this head.
    Log(LogHead),
    /// A page of the log.
    Leaves {
        /// As asked.
        ask: AskId,
        /// The leaves.
        page: LogPage,
    },
    /// The log's proof of the device that the next [`RelayEvent::Ringing`] or [`RelayEvent::Introduced`] names, for whoever
    /// follows the log.
    Proof {
        /// Who.
        device: DeviceName,
        /// That its certificate is in the log.
        proof: LogProof,
    },
    /// About the devices of the asking user.
    Devices(DevicesEvent),
    /// Whose device the next [`RelayEvent::Proof`] is of, where that takes more than its own entry.
    Lineage(Lineage),
    /// The device's newest certificate. From here on the connection has its proof from it, and whoever is introduced to the
    /// device is told of it.
    Renewed {
        /// As asked.
        ask: AskId,
        /// The leaf in DER.
        leaf: ByteBuf,
        /// The issuing CA in DER.
        issuing: ByteBuf,
        /// The log's proof of it, for whoever follows the log.
        extensions: Extensions,
    },
    /// The revocation lists are others from now on. The answer is [`RelayRequest::Listed`].
    Lists(SignedLists),
    /// The password was set, and that is durable.
    PasswordSet {
        /// As asked.
        ask: AskId,
    },
    /// From which older logs the one goes on whose head comes next. Not said where there are none.
    Generations(Generations),
    /// About conversations, whatever fits a frame.
    Conversations(ConversationsEvent),
    /// A part of a [`ConversationsEvent`] that does not fit a frame: all of them together are the encoded event.
    Piece {
        /// At most [`PIECE_BYTES_MAX`].
        bytes: ByteBuf,
        /// Whether it is the last.
        last: bool,
    },
}

impl RelayEvent {
    /// Checks the bounds that the types do not hold.
    pub fn check(&self) -> Result<(), Fault> {
        match self {
            Self::Welcome(welcome) => welcome.extensions.check(),
            Self::Introduced { extensions, .. } => extensions.check(),
            Self::Forwarded { bytes, .. } => forward_bounds(bytes),
            Self::Credited { bytes, .. } => credit_bounds(*bytes),
            Self::Certificate { leaf, issuing, extensions, .. } | Self::Renewed { leaf, issuing, extensions, .. } => {
                let sound = [leaf, issuing].iter().all(|der| (1..=CERTIFICATE_BYTES_MAX).contains(&der.len()));
                if sound { extensions.check() } else { Err(Fault::Malformed) }
            }
            Self::Log(head) => head.check(),
            Self::Leaves { page, .. } => page.check(),
            Self::Proof { proof, .. } => proof.check(),
            Self::Devices(event) => event.check(),
            Self::Lineage(lineage) => lineage.check(),
            Self::Lists(lists) => lists.check(),
            Self::Generations(generations) => generations.check(),
            Self::Conversations(event) => event.check(),
            Self::Piece { bytes, .. } => piece_bounds(bytes),
            Self::People { people, .. } if people.len() > WHO_PAGE_MAX => Err(Fault::Malformed),
            Self::Here { devices } if devices.len() > WHO_PAGE_MAX => Err(Fault::Malformed),
            Self::Pong
            | Self::Here { .. }
            | Self::Presence { .. }
            | Self::People { .. }
            | Self::Ringing { .. }
            | Self::Accepted { .. }
            | Self::Refused { .. }
            | Self::Ended { .. }
            | Self::PasswordSet { .. } => Ok(()),
        }
    }
}

/// The relay's first word to a device that it admits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Whom the relay takes the device for.
    pub device: DeviceName,
    /// How far its journal has come.
    pub position: Position,
    /// Its clock.
    pub time: Wall,
    /// The revocation lists ([`super::revocation`]), by which the relay's own certificate is judged before anything else.
    pub extensions: Extensions,
}

/// One person in the answer to `Who`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Who.
    pub user: UserName,
    /// Whether one of their devices is present.
    pub online: bool,
}

fn forward_bounds(bytes: &ByteBuf) -> Result<(), Fault> {
    if bytes.is_empty() || bytes.len() > FORWARD_BYTES_MAX { Err(Fault::Malformed) } else { Ok(()) }
}

fn piece_bounds(bytes: &ByteBuf) -> Result<(), Fault> {
    if bytes.is_empty() || bytes.len() > PIECE_BYTES_MAX { Err(Fault::Malformed) } else { Ok(()) }
}

fn credit_bounds(bytes: u32) -> Result<(), Fault> {
    if bytes == 0 || bytes > TUNNEL_WINDOW_BYTES { Err(Fault::Credit) } else { Ok(()) }
}
