//! Decides which token of the reactor belongs to whom.

use countersign_core::id::ConnId;
use mio::Token;

use crate::config::kinds::names::ADDRESSES_MAX;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// One of the ports, by its number.
    Port(usize),
    /// The journal's thread.
    Journal,
    /// The signals.
    Signals,
    /// The admin socket.
    Desk,
    /// A connection through the port.
    Conn(ConnId),
    /// A visitor of the admin socket, by its number.
    Visitor(u64),
}

/// The tokens of the places of which there is one.
const FIXED: [Place; 3] = [Place::Journal, Place::Signals, Place::Desk];
/// Where the tokens begin that are shared by connections and visitors; the ports' are between these and the fixed ones.
const SHARED: usize = FIXED.len() + ADDRESSES_MAX;

impl Place {
    /// The place's token. Connections and visitors share what the fixed places leave, even and odd; since neither's
    /// numbers are used twice, a late event finds nobody rather than somebody else.
    pub(super) fn token(self) -> Token {
        let (number, odd) = match self {
            Self::Conn(conn) => (conn.0, 0),
            Self::Visitor(number) => (number, 1),
            Self::Journal => return Token(0),
            Self::Signals => return Token(1),
            Self::Desk => return Token(2),
            Self::Port(number) => return Token(FIXED.len() + number),
        };
        // A million connections a second would take 290,000 years.
        let number = usize::try_from(number).expect("a process has fewer connections than addresses");
        Token(SHARED + 2 * number + odd)
    }

    /// Whose token it is.
    pub(super) fn of(token: Token) -> Self {
        match token.0.checked_sub(SHARED) {
            None => FIXED.get(token.0).copied().unwrap_or(Self::Port(token.0.saturating_sub(FIXED.len()))),
            Some(rest) if rest % 2 == 0 => Self::Conn(ConnId(rest as u64 / 2)),
            Some(rest) => Self::Visitor(rest as u64 / 2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_found_by_its_own_token() {
        let many = (0..100).flat_map(|n| [Place::Conn(ConnId(n)), Place::Visitor(n)]);
        let ports = (0..ADDRESSES_MAX).map(Place::Port);
        let places: Vec<Place> = FIXED.into_iter().chain(ports).chain(many).collect();
        let mut tokens: Vec<Token> = places.iter().map(|place| place.token()).collect();
        for (place, token) in places.iter().zip(&tokens) {
            assert_eq!(Place::of(*token), *place);
        }
        tokens.sort();
        tokens.dedup();
        assert_eq!(tokens.len(), places.len());
    }
}
