//! The numbers that say why, on the wire. A number is never given a second meaning; an unknown one survives.
//!
//! What a peer learns is the number; the detail stays in our log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a connection ends, an enrolment is refused, or a call does not come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Code(pub u16);

/// Writes the constants and their sentences once, so that no number lacks a sentence.
macro_rules! codes {
    ($($name:ident = $number:literal, $sentence:literal;)*) => {
        impl Code {
            $(#[doc = $sentence] pub const $name: Self = Self($number);)*

            /// Every code that this version knows, with its name.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, stringify!($name)),)*];

            /// The sentence for people, if the code is known.
            pub fn sentence(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($sentence),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    // 100: ends of connections
    FINISHED = 100, "ended in good order";
    SHUTTING_DOWN = 101, "the server is shutting down";
    REPLACED = 102, "another program took over this device's connection";
    EXPIRED = 103, "the certificate of this device has expired";
    TOO_SLOW = 104, "what was waiting to be read grew too large";
    MALFORMED = 105, "a message could not be read";
    VERSION = 106, "the two programs speak different protocol versions";
    UNEXPECTED = 107, "a message came out of turn";
    TIMED_OUT = 108, "no answer in time";
    UNKNOWN_DEVICE = 109, "the server's directory does not have this device";
    FULL = 110, "the server has no room for another connection";
    CREDIT = 111, "more was sent than allowed";
    WRONG_PERSON = 112, "the other side is not the one that was called";
    TLS_FAILED = 113, "the secure connection failed";
    OTHER_WAY = 114, "the session goes on by another way";
    OTHER_LOG = 115, "the two sides have been shown different logs: both run `client log check`";
    NOT_LOGGED = 116, "the realm's log does not have the certificate that was shown";
    REVOKED = 117, "this device was revoked: join with another device, and ask the operator if that was not meant";
    PASSWORDS_UNUSED = 118, "passwords admit nobody in this realm: its operator can allow them (signup in server.toml)";

    // 200: enrolment
    INVITE_UNKNOWN = 200, "the server does not know this invite";
    INVITE_EXPIRED = 201, "the invite has expired: ask for a new one";
    INVITE_USED = 202, "the invite has been used already: ask for a new one";
    INVITE_FOR_OTHER = 203, "the invite is for another user name";
    NAME_TAKEN = 204, "the user name is taken";
    NAME_LOOKS_TAKEN = 205, "the user name looks too much like somebody else's";
    NAME_INVALID = 206, "the name is not allowed";
    KEY_TAKEN = 207, "the key belongs to another device";
    SECOND_DEVICE = 208, "the user exists already: a further device has to be approved by one that they have";
    CSR_REFUSED = 209, "the certificate request was refused";
    BINDING_REFUSED = 210, "the request was not made for this connection, token and name";
    REALM_FULL = 211, "the realm has no room for another person";
    BUSY = 212, "the server is busy: try again in a moment";
    ISSUE_FAILED = 213, "the server could not issue the certificate: its log says why";
    DEVICE_TAKEN = 214, "the user is there already and has a device of this name: choose another name for the device, or for yourself";
    DEVICES_FULL = 215, "the user has as many devices as a person can have";
    NOT_ENDORSED = 216, "no device of this user has given its word for this one";
    ENDORSEMENTS_TOO_MANY = 217, "the device that approves was approved by too many others in a row: approve with an older one";
    NOT_APPROVED = 218, "the device was not approved";
    CANNOT_ENDORSE = 224, "this device's key was made elsewhere: approve with a device that made its own by `client join`";
    NOT_WAITING = 219, "no such device waits to be approved";

    PASSWORD_WRONG = 225, "that is not the password of the user of this name: type it again, or choose another name";
    PASSWORDS_OFF = 226, "this realm admits nobody by a password: ask its operator for an invite";
    INVITES_OFF = 227, "this realm admits nobody by an invite: join with --password and the server's link without a token";
    TRIES_TOO_MANY = 228, "too many passwords were tried or set: wait, then try again";

    // 220: renewal
    RENEWAL_TOO_LATE = 220, "the certificate ended too long ago to be renewed: ask the operator to let this person in again";
    RENEWAL_UNKNOWN = 221, "the server has not issued the certificate that is to be renewed: ask its operator whether it was set up anew";
    RENEWAL_UNPROVED = 222, "the renewal was not asked for with the certificate's own key on this connection";

    // 230: recovery and reissue
    NOT_RECOVERED = 230, "that recovery code is not this user's, or a newer one has taken its place";
    NOT_REISSUED = 231, "the link lets nobody in again: ask the operator for another one by `server ca reissue`";
    LISTS_FULL = 232, "the lists of revoked certificates have no room for the devices from before: ask the operator";

    // 300: calls
    NO_SUCH_USER = 300, "there is no such user";
    OFFLINE = 301, "not online";
    DECLINED = 302, "declined";
    IN_A_CALL = 303, "busy with another call";
    NO_ANSWER = 304, "did not answer";
    GONE = 305, "the connection to the other side was lost";
    TOO_MANY_CALLS = 306, "too many calls at once";
    SELF_CALL = 307, "that is this device itself";
    HUNG_UP = 308, "hung up";
    GLARE = 309, "both called at once, and the other call goes on";
    TOO_EARLY = 310, "this device is not attending yet";
    ELSEWHERE = 311, "taken on another device";
    CHANGED = 312, "they have met somebody else under this name, and have not accepted the change";

    // 318: one's own recovery key and devices
    RECOVERY_REFUSED = 318, "the recovery key was not taken: only a device of the user that made its own key can vouch for it";
    RECOVERY_TOO_OFTEN = 319, "too many recovery codes were made in a day: make the next one tomorrow";
    NO_SUCH_DEVICE = 320, "you have no such device: client devices lists yours";
    REVOKED_BEFORE = 321, "that device was revoked before, and nothing takes that back";
    LAST_DEVICE = 322, "that is your last device, and no recovery code brings you back: make one by client recover --new, or say --force";
    WITHDRAWAL_REFUSED = 323, "a device is taken back by a device of the same user that made its own key by `client join`, and for a reason for devices";
    REVOKED_TOO_MANY = 324, "the lists of revoked certificates are full: ask the operator, and until then let nobody trust the device";
    LISTS_UNSIGNED = 325, "the device is revoked and out, but the lists that tell everybody could not be signed: ask the operator";
    NO_CONVERSATION = 330, "there is no such conversation, or this device is not in it";
    CONVERSATION_EXISTS = 331, "there is such a conversation already";
    EPOCH_OVER = 332, "another change of the conversation came first";
    CONVERSATION_FULL = 333, "so many devices are more than a conversation can have, or more conversations than a device can be in";
    NOT_BETWEEN_THEM = 334, "a conversation between two people has their devices and no others";
    KEY_PACKAGES_FULL = 335, "the server keeps no more key packages of this device";
    POSTED_FULL = 336, "too much waits for those who are away: try again when they have come for it";
    NOT_COLLECTING = 337, "this connection does not take what is posted for its device";
    NOT_CHANGED = 338, "that device is in the conversation already, or is not in it";
    CANNOT_BE_ADDED = 339, "nobody of that name is in the realm, or the device was revoked";
    KEY_PACKAGES_TOO_OFTEN = 340, "this device has taken too many key packages: wait, then try again";
    NO_CERTIFICATE = 341, "the server has not issued that certificate";
    NO_GROUP_INFO = 342, "nobody in that room has been online since somebody came or went: try again when one of them is";
    NO_OPEN_ROOM = 343, "there is no open room of that name: client room list --open shows those there are";
    NO_LOBBY = 344, "this server has no lobby";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sentence() {
            Some(sentence) => f.write_str(sentence),
            None => write!(f, "for a reason that this program does not know (code {})", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_number_and_a_sentence() {
        for (index, (code, name)) in Code::ALL.iter().enumerate() {
            assert!(code.sentence().is_some(), "{name}");
            assert!(Code::ALL.iter().skip(index + 1).all(|(other, _)| other != code), "{name} is given twice");
        }
        assert!(Code(9999).to_string().contains("9999"));
    }
}
