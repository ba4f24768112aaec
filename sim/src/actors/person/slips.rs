//! Decides how people's hands slip: what they type in place of what they meant, and what their program makes of it.

use countersign_core::id::{Fingerprint, Realm, UserName};
use countersign_core::invite::InviteLink;

use crate::config::SimConfig;
use crate::rng::{Choices, Draw, Streams};

/// What somebody typed instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slip {
    /// An invite's link that ends too early.
    CutShort,
    /// A link with another letter in its token.
    OtherLetter,
    /// A link with the root of another realm.
    OtherRoot,
    /// A link with another realm's name.
    OtherRealm,
    /// Another name than that of the one who is meant.
    OtherName,
}

impl Slip {
    /// Whether it leads to a server that can't prove to be the one that was typed.
    pub fn doubts_the_server(self) -> bool {
        matches!(self, Self::OtherRoot | Self::OtherRealm)
    }
}

/// A person's hands.
#[derive(Debug)]
pub(super) struct Hands {
    choices: Choices,
    percent: u64,
}

impl Hands {
    /// Those of the person of this number.
    pub(super) fn new(config: &SimConfig, streams: Streams<'_>, number: usize) -> Self {
        Self { choices: streams.stream(&format!("person/{number}/slips")), percent: config.slip_percent }
    }

    /// What becomes of a link, if the hand slips: none, if the program takes no such link.
    pub(super) fn link(&mut self, right: &InviteLink) -> Option<(Slip, Option<InviteLink>)> {
        let (slips, kind) = (self.choices.chance(self.percent, 100), self.choices.below(4));
        let (cut, place) = (self.choices.between(1, 60), self.choices.between(0, 21));
        if !slips {
            return None;
        }
        let mut wrong = right.clone();
        let text = right.to_text();
        let (slip, typed) = match kind {
            0 => {
                let left = text.len().saturating_sub(usize::try_from(cut).unwrap_or(1));
                (Slip::CutShort, InviteLink::parse(text.get(..left).unwrap_or_default()).ok())
            }
            1 => (Slip::OtherLetter, InviteLink::parse(&other_letter(&text, place)).ok()),
            2 => {
                wrong.root = Fingerprint::of(b"the root of another realm");
                (Slip::OtherRoot, Some(wrong))
            }
            _ => {
                wrong.realm = Realm::parse("chat.example").expect("a valid realm");
                (Slip::OtherRealm, Some(wrong))
            }
        };
        // A letter may have been the same one.
        (typed.as_ref() != Some(right)).then_some((slip, typed))
    }

    /// What becomes of a name, if the hand slips: none, if it is no name any more.
    pub(super) fn user(&mut self, right: &UserName) -> Option<(Slip, Option<UserName>)> {
        let (slips, doubled) = (self.choices.chance(self.percent, 100), self.choices.chance(1, 2));
        let place = self.choices.below(u64::try_from(right.as_str().len()).unwrap_or(1).max(1));
        if !slips {
            return None;
        }
        let place = usize::try_from(place).unwrap_or(0);
        let letter = right.as_str().get(place..=place).unwrap_or_default();
        let mut typed = right.as_str().to_owned();
        // Names are ASCII.
        typed.replace_range(place..=place, &if doubled { letter.repeat(2) } else { letter.to_uppercase() });
        Some((Slip::OtherName, UserName::parse(&typed).ok()))
    }
}

/// A link whose token has another letter at a place, counted from its end.
fn other_letter(text: &str, from_end: u64) -> String {
    let place = text.len().saturating_sub(1 + usize::try_from(from_end).unwrap_or(0));
    let mut typed = text.to_owned();
    let letter = if text.get(place..=place) == Some("x") { "y" } else { "x" };
    typed.replace_range(place..=place, letter);
    typed
}

#[cfg(test)]
mod tests {
    use countersign_core::invite::{Endpoint, Token};

    use super::*;

    #[test]
    fn a_slip_is_never_what_was_meant_and_each_kind_happens() {
        let config = SimConfig { slip_percent: 100, ..SimConfig::draw(1) };
        let streams = Streams::new(1);
        let mut hands = Hands::new(&config, streams, 0);
        let endpoint = Endpoint::parse("relay.example:7443").expect("a valid endpoint");
        let token = Token::draw(&mut streams.secret("token"));
        let right = InviteLink { endpoint, realm: Realm::default(), root: Fingerprint([1; 32]), token };
        let slips: Vec<_> = (0..200).filter_map(|_| hands.link(&right)).collect();
        assert!(slips.iter().all(|(_, typed)| typed.as_ref() != Some(&right)));
        for slip in [Slip::CutShort, Slip::OtherLetter, Slip::OtherRoot, Slip::OtherRealm] {
            assert!(slips.iter().any(|(other, _)| *other == slip), "{slip:?}");
        }
        let taken = |slip| slips.iter().filter(move |(other, _)| *other == slip).all(|(_, typed)| typed.is_some());
        assert!(!taken(Slip::CutShort) && taken(Slip::OtherRoot) && taken(Slip::OtherRealm));
        let alice = UserName::parse("alice").expect("a name");
        let typed: Vec<_> = (0..50).filter_map(|_| hands.user(&alice)).map(|(_, typed)| typed).collect();
        assert!(typed.iter().all(|user| user.as_ref() != Some(&alice)));
        assert!(typed.contains(&None) && typed.iter().any(Option::is_some));
    }

    #[test]
    fn steady_hands_type_what_was_meant() {
        let mut hands = Hands::new(&SimConfig { slip_percent: 0, ..SimConfig::draw(1) }, Streams::new(1), 0);
        assert_eq!(hands.user(&UserName::parse("alice").expect("a name")), None);
    }
}
