//! The identities that machines count by: connections, requests, tunnels, serials, fingerprints, positions.

use std::fmt;

use aws_lc_rs::digest;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

/// Makes a counted identity: a `u64` that only its owner hands out.
macro_rules! counted {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

counted! {
    /// One connection of one process. The shell counts them up; a number is never used again.
    ConnId
}
counted! {
    /// One append to the journal, answered by its number.
    AppendId
}
counted! {
    /// One look into the journal, answered by its number.
    LoadId
}
counted! {
    /// One snapshot of the server's state, answered by its number.
    SnapshotId
}
counted! {
    /// One stretching of a password, answered by its number.
    StretchId
}
counted! {
    /// One command of the operator, answered by its number.
    AdminId
}
counted! {
    /// A device's own number for a request, echoed in the relay's answer.
    AskId
}
counted! {
    /// One introduction and the tunnel that it becomes, as the relay numbers them.
    TunnelId
}
counted! {
    /// One call as a device's own user sees it.
    CallId
}

counted! {
    /// One message as the user of a device sends it.
    SendId
}
counted! {
    /// One writing down of what a device keeps of its conversations, answered by its number.
    KeepId
}

/// A place in the journal: which life of the server's store, and the how-manieth record in it, from 1.
///
/// The incarnation changes when a server is restored from a backup, so that positions never silently run
/// backwards (design 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Drawn at random when the store was created or restored.
    pub incarnation: u64,
    /// Counted without gaps from 1; 0 is the empty journal.
    pub n: u64,
}

/// Makes a number of 16 random bytes that a device draws.
macro_rules! drawn {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// Draws a new one.
            pub fn draw(rng: &mut dyn CryptoRng) -> Self {
                let mut bytes = [0; 16];
                rng.fill_bytes(&mut bytes);
                Self(bytes)
            }

            /// Reads one as it is shown: 32 digits and small letters.
            pub fn parse(text: &str) -> Option<Self> {
                let digit = |byte: u8| match byte {
                    b'0'..=b'9' => Some(byte - b'0'),
                    b'a'..=b'f' => Some(byte - b'a' + 10),
                    _ => None,
                };
                let mut digits = text.bytes().map(digit);
                let mut bytes = [0; 16];
                for byte in &mut bytes {
                    *byte = digits.next()?? << 4 | digits.next()??;
                }
                digits.next().is_none().then_some(Self(bytes))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex(f, &self.0)
            }
        }
    };
}

drawn! {
    /// A conversation: the identifier of its group in MLS, drawn by the device that founds it.
    ConversationId
}
drawn! {
    /// A message in a conversation, drawn by the device that sends it, so that it is the same however often it is sent.
    MessageId
}

/// A certificate's serial number: 16 random bytes, of which the first is never zero and never looks negative, so
/// that every serial is encoded in the same length (RFC 5280 §4.1.2.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Serial(pub [u8; 16]);

impl Serial {
    /// Draws a new one: 126 random bits.
    pub fn draw(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        bytes[0] = (bytes[0] & 0x3f) | 0x40;
        Self(bytes)
    }

    /// Reads the content of a certificate's serial number; `None` if it isn't one of ours in form.
    pub fn from_content(bytes: &[u8]) -> Option<Self> {
        let bytes = <[u8; 16]>::try_from(bytes).ok()?;
        (bytes[0] & 0xc0 == 0x40).then_some(Self(bytes))
    }
}

/// Makes a 32-byte SHA-256 name for something.
macro_rules! hashed {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// Reads what `Display` writes: 64 hexadecimal digits in lower case. `None` if it is anything else.
            pub fn parse(text: &str) -> Option<Self> {
                let digits = text.as_bytes();
                let half = |digit: u8| match digit {
                    b'0'..=b'9' => Some(digit - b'0'),
                    b'a'..=b'f' => Some(digit - b'a' + 10),
                    _ => None,
                };
                let mut out = [0; 32];
                if digits.len() != 2 * out.len() {
                    return None;
                }
                for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
                    let [high, low] = *pair else { return None };
                    *byte = half(high)? << 4 | half(low)?;
                }
                Some(Self(out))
            }

            /// The name of `bytes`.
            pub fn of(bytes: &[u8]) -> Self {
                let mut out = [0; 32];
                out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
                Self(out)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex(f, &self.0)
            }
        }
    };
}

hashed! {
    /// A certificate by the SHA-256 of its DER.
    Fingerprint
}
hashed! {
    /// A public key by the SHA-256 of its `SubjectPublicKeyInfo` in DER. A key belongs to one device for ever.
    KeyId
}

/// A CA's key, as certificates and revocation lists name the one that signed them: the content of its key identifier
/// (RFC 5280 §4.2.1.1). The issuing CAs of a realm have one name, and are told apart by this.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IssuerId(pub [u8; 20]);

impl IssuerId {
    /// Reads the content of a key identifier; `None` if it isn't one of ours in form.
    pub fn from_content(bytes: &[u8]) -> Option<Self> {
        <[u8; 20]>::try_from(bytes).ok().map(Self)
    }
}

impl fmt::Debug for IssuerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuerId({self})")
    }
}

impl fmt::Display for IssuerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(f, &self.0)
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(f, &self.0)
    }
}

fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    // In bites, so that nothing is allocated and little is called: states are full of these.
    let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' + half - 10 };
    bytes.chunks(16).try_for_each(|bite| {
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bite) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        f.write_str(std::str::from_utf8(digits.get(..2 * bite.len()).unwrap_or_default()).map_err(|_| fmt::Error)?)
    })
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn the_digits_of_a_hash_read_back_and_nothing_else_is_one() {
        let key = KeyId::of(b"x");
        let text = key.to_string();
        assert_eq!(KeyId::parse(&text), Some(key));
        for other in ["", &text[1..], &(text.clone() + "0"), &text.to_uppercase(), &text.replace('a', "g")] {
            assert_eq!(KeyId::parse(other), None, "{other}");
        }
    }

    #[test]
    fn every_drawn_serial_is_positive_of_one_length_and_reads_back() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for _ in 0..1000 {
            let serial = Serial::draw(&mut rng);
            assert_eq!(serial.0[0] & 0xc0, 0x40);
            assert_eq!(Serial::from_content(&serial.0), Some(serial));
        }
        assert_eq!(Serial::from_content(&[0x80; 16]), None);
        assert_eq!(Serial::from_content(&[0x40; 15]), None);
    }
}
