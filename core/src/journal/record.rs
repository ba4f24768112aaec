//! What is written down: one enum of records and its encoding.
//!
//! ```text
//! format: u8 | rules: u8 | postcard(Record)
//! ```
//!
//! The format says how to read the body, the rules say which version of the fold decides about it. Both are frozen once
//! used: variants and fields are added at the end, never changed (golden journal in `journal/golden/`).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::id::{ConversationId, DeviceName, Fingerprint, MessageId, Realm, Serial, UserName};
use crate::invite::TokenHash;
use crate::limits::RECORD_ENCODED_BYTES_MAX;
use crate::password::Verifier;
use crate::pki::{Grant, Spki};
use crate::time::Wall;
use crate::tlog::{Endorsement, ReasonCode, RecoveryWord};
use crate::wire::conversations::{Kind, RosterChange};

/// The encoding that this program writes.
pub const FORMAT: u8 = 1;
/// The newest rules that this program knows. A record is written with the oldest that decide about it as the newest do.
pub const RULES: u8 = 6;

/// One event, as a proposal until the fold has seen it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// The realm begins. Always the first record.
    RealmFounded {
        /// Its name.
        realm: Realm,
        /// Its root.
        root: Fingerprint,
        /// When.
        at: Wall,
    },
    /// The operator invites somebody.
    InviteCreated {
        /// The token's hash; the token itself is nowhere.
        token: TokenHash,
        /// For whom, if for one name alone.
        user: Option<UserName>,
        /// The last second at which it admits.
        expires: Wall,
        /// When.
        at: Wall,
    },
    /// Somebody asks for a certificate by an invite, and the request itself was in order.
    CertificateGranted(Grant),
    /// A granted certificate was signed.
    CertificateIssued {
        /// The grant's serial.
        serial: Serial,
        /// The certificate.
        der: ByteBuf,
    },
    /// From now on this issuing CA certifies (rules 2).
    IssuingCertified {
        /// Its certificate.
        der: ByteBuf,
        /// When.
        at: Wall,
    },
    /// The relay was certified (rules 2).
    RelayCertified {
        /// Its certificate.
        der: ByteBuf,
        /// When.
        at: Wall,
    },
    /// Somebody asks for the certificate of a further device, for which another one of the same user vouches (rules 3).
    CertificateEndorsed {
        /// What is asked for, by an invite as for a first device.
        grant: Grant,
        /// The other device's word.
        endorsement: Endorsement,
    },
    /// A device asks for another certificate for the same name and key, and the request itself was in order (rules 3).
    CertificateRenewed {
        /// The device's certificate until now.
        of: Serial,
        /// The new one's number.
        serial: Serial,
        /// The first second of its validity.
        not_before: Wall,
        /// The last second of its validity.
        not_after: Wall,
        /// When.
        at: Wall,
    },
    /// The operator takes back a device: every certificate that it has (rules 3).
    DeviceRevoked {
        /// Which.
        name: DeviceName,
        /// Why.
        reason: ReasonCode,
        /// Whether it may be the last of its user.
        force: bool,
        /// When.
        at: Wall,
    },
    /// A revocation list was signed (rules 3).
    CrlSigned {
        /// The list.
        der: ByteBuf,
    },
    /// A device makes its user's recovery key (rules 4).
    RecoveryArmed {
        /// Whose.
        user: UserName,
        /// The key.
        key: Spki,
        /// The device's word for it.
        endorsement: Endorsement,
        /// When.
        at: Wall,
    },
    /// Somebody asks for the certificate of a further device, for which their recovery key vouches (rules 4).
    CertificateRecovered {
        /// What is asked for, by an invite as for a first device.
        grant: Grant,
        /// The recovery key's word.
        word: RecoveryWord,
    },
    /// The operator lets somebody in again who is there already, without any word of theirs (rules 4).
    ReissueCreated {
        /// The token's hash; the token itself is nowhere.
        token: TokenHash,
        /// Whom.
        user: UserName,
        /// Whether the devices from before stay.
        keep: bool,
        /// The last second at which it admits.
        expires: Wall,
        /// When.
        at: Wall,
    },
    /// Somebody asks for a certificate by such a word (rules 4).
    CertificateReissued(Grant),
    /// Somebody whom nobody knows signs up by a name and a password, and the request itself was in order (rules 4).
    SignedUp {
        /// What is asked for. In place of an invite stands [`TokenHash::of_password`].
        grant: Grant,
        /// What is kept of the password.
        password: Verifier,
    },
    /// Somebody asks for the certificate of a further device by their password, which was right, and another device of theirs
    /// vouches for it (rules 4).
    SignedIn {
        /// What is asked for. In place of an invite stands [`TokenHash::of_password`].
        grant: Grant,
        /// The other device's word.
        endorsement: Endorsement,
    },
    /// Somebody sets their password (rules 4).
    PasswordSet {
        /// By which of their devices.
        by: DeviceName,
        /// What is kept of the password.
        password: Verifier,
        /// When.
        at: Wall,
    },
    /// Somebody takes back a device of their own, by one that they have (rules 4).
    DeviceWithdrawn {
        /// Which.
        name: DeviceName,
        /// Why.
        reason: ReasonCode,
        /// Whether it may be the last of its user.
        force: bool,
        /// The word of the device that asks: another one, or itself.
        endorsement: Endorsement,
        /// When.
        at: Wall,
    },
    /// The journal was restored from a backup, and what came after this place is gone: the log goes on under another name
    /// (rules 4).
    Restored {
        /// The incarnation in which the backup was made.
        previous: u64,
        /// When.
        at: Wall,
    },
    /// A device leaves a key package for others (rules 5). Beside it stands the package.
    KeyPackagePublished {
        /// Which device.
        device: DeviceName,
        /// Whether it is given out when no other is left, again and again.
        last_resort: bool,
        /// Its last second.
        not_after: Wall,
        /// When.
        at: Wall,
    },
    /// A device takes key packages (rules 5).
    KeyPackagesTaken {
        /// Which device.
        by: DeviceName,
        /// One of each of these.
        of: Vec<DeviceName>,
        /// When.
        at: Wall,
    },
    /// A conversation begins, in which a device is alone (rules 5).
    ConversationFounded {
        /// Its number.
        conversation: ConversationId,
        /// What it is.
        kind: Kind,
        /// By which device.
        by: DeviceName,
        /// When.
        at: Wall,
    },
    /// A device ends an epoch of a conversation (rules 5). Beside it stands the commit, with the Welcome of those whom it adds.
    ConversationCommitted {
        /// Where.
        conversation: ConversationId,
        /// Which device.
        by: DeviceName,
        /// The epoch.
        epoch: u64,
        /// Who comes and goes.
        change: RosterChange,
        /// The length of what stands beside it.
        bytes: u32,
        /// When.
        at: Wall,
    },
    /// A device sends a message (rules 5). Beside it stands the message, sealed.
    MessagePosted {
        /// Where.
        conversation: ConversationId,
        /// Which device.
        by: DeviceName,
        /// The epoch in which it was sealed.
        epoch: u64,
        /// Its number.
        id: MessageId,
        /// The length of what stands beside it.
        bytes: u32,
        /// When.
        at: Wall,
    },
    /// Devices have what was posted for them (rules 5).
    Acknowledged {
        /// Who, where, and up to which place.
        of: Vec<(DeviceName, Vec<(ConversationId, u64)>)>,
    },
    /// What was posted is kept no longer (rules 5).
    PostedExpired {
        /// Where.
        conversation: ConversationId,
        /// Up to which place.
        upto: u64,
        /// When.
        at: Wall,
    },
    /// A device leaves what it takes to come into an open room (rules 6). Beside it stands the `GroupInfo`.
    GroupInfoPublished {
        /// Where.
        conversation: ConversationId,
        /// Which device.
        by: DeviceName,
        /// The epoch that it is of.
        epoch: u64,
        /// The length of what stands beside it.
        bytes: u32,
        /// When.
        at: Wall,
    },
    /// A device comes into an open room by itself (rules 6). Beside it stands the commit.
    ConversationEntered {
        /// Where.
        conversation: ConversationId,
        /// Which device.
        by: DeviceName,
        /// The epoch that it ends.
        epoch: u64,
        /// The length of what stands beside it.
        bytes: u32,
        /// When.
        at: Wall,
    },
}

/// Why stored bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordRefusal {
    /// Longer than a record can be.
    TooLong,
    /// Written in a format that this program does not know: by a newer one.
    Format(u8),
    /// Decided by rules that this program does not know: by a newer one.
    Rules(u8),
    /// It can't be read.
    Malformed,
}

impl fmt::Display for RecordRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the record is too long"),
            Self::Format(format) => write!(f, "the record's format {format} is newer than this program"),
            Self::Rules(rules) => write!(f, "the record's rules {rules} are newer than this program"),
            Self::Malformed => f.write_str("the record is damaged"),
        }
    }
}

impl std::error::Error for RecordRefusal {}

impl Record {
    /// The record as it is stored.
    ///
    /// # Panics
    /// If it is longer than [`RECORD_ENCODED_BYTES_MAX`], which the bounds of its parts rule out.
    pub fn encode(&self) -> Vec<u8> {
        let bytes = postcard::to_extend(self, vec![FORMAT, self.rules()]).expect("a record can always be encoded");
        assert!(bytes.len() <= RECORD_ENCODED_BYTES_MAX, "a record of {} bytes was to be stored", bytes.len());
        bytes
    }

    /// The rules that a record is written with.
    fn rules(&self) -> u8 {
        // Rules 4 count the devices, and the certificates, of one person otherwise.
        let is_counted_anew = matches!(self, Self::CertificateEndorsed { .. } | Self::CertificateRenewed { .. });
        if is_counted_anew { 4 } else { self.oldest_rules() }
    }

    /// The oldest rules that decide about a record of this kind.
    pub(super) fn oldest_rules(&self) -> u8 {
        match self {
            Self::RealmFounded { .. }
            | Self::InviteCreated { .. }
            | Self::CertificateGranted(_)
            | Self::CertificateIssued { .. } => 1,
            Self::IssuingCertified { .. } | Self::RelayCertified { .. } => 2,
            Self::CertificateEndorsed { .. }
            | Self::CertificateRenewed { .. }
            | Self::DeviceRevoked { .. }
            | Self::CrlSigned { .. } => 3,
            Self::RecoveryArmed { .. }
            | Self::CertificateRecovered { .. }
            | Self::ReissueCreated { .. }
            | Self::CertificateReissued(_)
            | Self::SignedUp { .. }
            | Self::SignedIn { .. }
            | Self::PasswordSet { .. }
            | Self::DeviceWithdrawn { .. }
            | Self::Restored { .. } => 4,
            Self::ConversationFounded { kind: Kind::Open(_), .. }
            | Self::GroupInfoPublished { .. }
            | Self::ConversationEntered { .. } => 6,
            Self::KeyPackagePublished { .. }
            | Self::KeyPackagesTaken { .. }
            | Self::ConversationFounded { kind: Kind::Direct(..) | Kind::Room, .. }
            | Self::ConversationCommitted { .. }
            | Self::MessagePosted { .. }
            | Self::Acknowledged { .. }
            | Self::PostedExpired { .. } => 5,
        }
    }

    /// Reads a stored record and the version of the rules that decide about it.
    pub fn decode(bytes: &[u8]) -> Result<(u8, Self), RecordRefusal> {
        if bytes.len() > RECORD_ENCODED_BYTES_MAX {
            return Err(RecordRefusal::TooLong);
        }
        let (&format, rest) = bytes.split_first().ok_or(RecordRefusal::Malformed)?;
        if format != FORMAT {
            return Err(RecordRefusal::Format(format));
        }
        let (&rules, body) = rest.split_first().ok_or(RecordRefusal::Malformed)?;
        if rules == 0 || rules > RULES {
            return Err(RecordRefusal::Rules(rules));
        }
        match postcard::take_from_bytes::<Self>(body) {
            // No program that knew those rules alone wrote a record of a kind that came later.
            Ok((record, [])) if record.oldest_rules() <= rules => Ok((rules, record)),
            Ok(_) | Err(_) => Err(RecordRefusal::Malformed),
        }
    }
}
