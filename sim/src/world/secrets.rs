//! Shows what is secret, and everything that is held by those who may not know it.

use countersign_core::operator::Answer;

use super::World;
use super::event::Event;
use crate::actors::operator::Operator;
use crate::story::{Seen, Who};

/// How often somebody looks at all that the relay's process holds, in microseconds: what is kept there is found a little
/// later, and to write all of it down costs as much as some handshakes.
const LOOK_EVERY_US: u64 = 30_000_000;

impl World {
    /// The realm's own keys, before anybody has done anything.
    pub(super) fn see_authority(&mut self) {
        let keys = self.relay.keys().map(|(what, key)| (what, key.to_pkcs8()));
        for (what, key) in keys {
            self.see(&Seen::Secret(what, &key));
        }
        self.later(LOOK_EVERY_US, Event::LookInside);
    }

    /// A device asks for a certificate, by its key and an invite.
    pub(super) fn see_request(&mut self, person: usize) {
        let Some(node) = self.devices.get(person).filter(|node| node.is_enrolling()) else { return };
        let (program, key, token) = (node.program(), node.store.key.clone(), node.store.asked_by);
        if let (Some(key), Some(token)) = (key, token) {
            let name = self.person(person).name().clone();
            self.see(&Seen::Secret("a device's key", &key.to_pkcs8()));
            self.see(&Seen::AskedBy(Who { program, name: &name }, key.spki().id(), token));
        }
    }

    /// The operator is given a token.
    pub(super) fn see_token(&mut self, answer: &Answer) {
        if let Some(link) = Operator::link(answer, self.relay.realm(), self.relay.root()) {
            let text = link.to_text();
            let token = text.rsplit('/').next().unwrap_or_default();
            self.saboteur.invited(token);
            for form in [token.as_bytes(), &unfolded(token)] {
                self.see(&Seen::Secret("an invite's token", form));
            }
        }
    }

    /// What the relay's process has just read inside of its TLS connections.
    pub(super) fn see_unsealed(&mut self) {
        for bytes in std::mem::take(&mut self.relay.heard) {
            self.see(&Seen::Unsealed(&bytes));
        }
    }

    /// All that the relay's process holds.
    pub(super) fn look_inside(&mut self) {
        if let Some(server) = self.relay.server() {
            let (words, state) = (format!("{server:?}"), server.state().encode());
            self.see(&Seen::Held(&words, &state));
        }
        self.later(LOOK_EVERY_US, Event::LookInside);
    }

    /// The journal as it lies on the disk.
    pub(super) fn see_disk(&mut self) {
        let records: Vec<Vec<u8>> = self.relay.disk.records().map(<[u8]>::to_vec).collect();
        let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        self.see(&Seen::OnDisk(&records));
    }
}

/// The bytes of a token's text: base64url without padding (RFC 4648 §5).
fn unfolded(text: &str) -> Vec<u8> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits =
        text.chars().filter_map(|digit| DIGITS.find(digit)).flat_map(|place| (0..6).rev().map(move |n| place >> n & 1));
    let bits: Vec<usize> = bits.collect();
    let byte = |eight: &[usize]| eight.iter().fold(0, |byte, bit| byte << 1 | bit);
    bits.chunks_exact(8).filter_map(|eight| u8::try_from(byte(eight)).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokens_text_is_its_bytes() {
        assert_eq!(unfolded("AAECAwQFBgcICQoLDA0ODw"), (0..16).collect::<Vec<u8>>());
        assert_eq!(unfolded("_-7dzLuqmYh3ZlVEMyIRAA"), (0..16).rev().map(|n| n * 17).collect::<Vec<u8>>());
    }
}
