//! Decides what a piece of DER is, by rules of its own: a second reader beside core's, to compare with (X.690 §8, §10).

/// One value: its tag, its content, and it whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The tag's one byte; longer ones are not read.
    pub tag: u8,
    /// What is in it.
    pub content: &'a [u8],
    /// Tag, length and content.
    pub whole: &'a [u8],
}

/// The first value and what follows it; `None` where the length is missing, too long, or longer than it need be.
pub fn first(der: &[u8]) -> Option<(Tlv<'_>, &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81 => match rest.split_first()? {
            (&length @ 0x80.., rest) => (usize::from(length), rest),
            _ => return None,
        },
        0x82 => match rest.split_first_chunk::<2>()? {
            (&length @ [1..=0xff, _], rest) => (usize::from(u16::from_be_bytes(length)), rest),
            _ => return None,
        },
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    let whole = der.get(..der.len() - rest.len())?;
    Some((Tlv { tag, content, whole }, rest))
}

/// All values, one after the other, with nothing left over.
pub fn all(mut der: &[u8]) -> Option<Vec<Tlv<'_>>> {
    let mut found = Vec::new();
    while !der.is_empty() {
        let (value, rest) = first(der)?;
        found.push(value);
        der = rest;
    }
    Some(found)
}

/// A value with this tag around `content`.
pub fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short @ 0..=0x7f) => der.push(short),
        Ok(one) => der.extend_from_slice(&[0x81, one]),
        Err(_) => {
            der.push(0x82);
            // What is longer than that is no certificate, whatever its length says.
            der.extend_from_slice(&u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    der.extend_from_slice(content);
    der
}

/// A signed structure (RFC 5280 §4.1.1, RFC 2986 §4.2): content, Ed25519, signature.
pub fn signed(content: &[u8], signature: &[u8; 64]) -> Vec<u8> {
    let bits: Vec<u8> = [0].iter().chain(signature).copied().collect();
    wrap(0x30, &[content, &ED25519, &wrap(0x03, &bits)].concat())
}

/// The algorithm Ed25519 (RFC 8410 §3).
pub const ED25519: [u8; 7] = [0x30, 5, 6, 3, 0x2b, 0x65, 0x70];

/// One extension (RFC 5280 §4.1).
#[derive(Clone, Copy, Debug)]
pub struct Extension<'a> {
    /// Its identifier's content.
    pub oid: &'a [u8],
    /// Whether who does not know it must refuse.
    pub critical: bool,
    /// Its value in DER.
    pub value: &'a [u8],
}

/// Reads a list of extensions: the content of their sequence.
pub fn extensions(content: &[u8]) -> Option<Vec<Extension<'_>>> {
    all(content)?.into_iter().map(extension).collect()
}

fn extension(sequence: Tlv<'_>) -> Option<Extension<'_>> {
    let parts = if sequence.tag == 0x30 { all(sequence.content)? } else { return None };
    match parts.as_slice() {
        [oid, value] if (oid.tag, value.tag) == (6, 4) => {
            Some(Extension { oid: oid.content, critical: false, value: value.content })
        }
        [oid, critical, value] if (oid.tag, critical.tag, value.tag) == (6, 1, 4) => {
            Some(Extension { oid: oid.content, critical: critical.content != [0], value: value.content })
        }
        _ => None,
    }
}

/// The identifiers of the extensions that matter here (RFC 5280 §4.2.1).
pub mod oid {
    /// Key usage.
    pub const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
    /// Subject's other names.
    pub const NAMES: &[u8] = &[0x55, 0x1d, 17];
    /// Whether it is a CA.
    pub const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
    /// Extended key usage.
    pub const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
    /// Extended key usage: a server.
    pub const SERVER: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
    /// Extended key usage: a client.
    pub const CLIENT: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
}
