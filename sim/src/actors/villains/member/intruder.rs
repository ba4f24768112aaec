//! What a member asks of conversations that no honest program does: for an epoch that is over or has not begun, in conversations that
//! it is not in, for others' pairs, by numbers that are taken, with noise for what is sealed, and more often than it may.

use std::collections::BTreeMap;

use countersign_core::id::{AskId, ConversationId, DeviceLabel, DeviceName, MessageId, Serial, UserName};
use countersign_core::limits::COMMIT_DEVICES_MAX;
use countersign_core::time::Wall;
use countersign_core::wire::conversations::{ConversationsEvent, ConversationsRequest, Kind, RosterChange, What};
use countersign_core::wire::relay::RelayRequest;
use countersign_core::wire::{Code, Frame};
use serde_bytes::ByteBuf;

use super::Errand;
use crate::forge::villain::Villain;
use crate::rng::{Chooser, Draw};

/// How many conversations it remembers.
const ROOMS_MAX: usize = 6;
/// How many numbers its messages have: too few.
const NUMBERS: u64 = 4;
/// How many key packages it leaves at once.
const PACKAGES: u64 = 20;

/// What an intruder knows.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The conversations that it has begun, or has tried to, and the epoch of each.
    rooms: BTreeMap<ConversationId, u64>,
    /// What it was refused.
    refused: Vec<Code>,
}

impl Known {
    /// The relay refuses it something.
    pub(super) fn refused(&mut self, code: Code) {
        self.refused.push(code);
    }

    /// The relay says something of conversations.
    pub(super) fn heard(&mut self, event: &ConversationsEvent) {
        if let ConversationsEvent::Posted(posted) = event
            && let What::OwnCommit { epoch } = posted.what
        {
            self.rooms.insert(posted.conversation, epoch + 1);
        }
    }
}

impl Errand {
    /// What it was refused since the last time.
    pub(crate) fn take_refused(&mut self) -> Vec<Code> {
        std::mem::take(&mut self.known.refused)
    }

    /// Asks so many things, whichever.
    pub(crate) fn intrude(
        &mut self,
        tls: &mut Villain,
        count: u64,
        (own, others): (&DeviceName, &[DeviceName]),
        rng: &mut dyn Chooser,
    ) {
        for _ in 0..count {
            self.asks += 1;
            let ask = AskId(self.asks);
            let request = match rng.below(12) {
                0 => RelayRequest::Certificate { ask, serial: Serial([7; 16]) },
                _ => RelayRequest::Conversations(self.request(ask, own, others, rng)),
            };
            tls.say(&Frame::message(&request));
        }
    }

    fn request(
        &mut self,
        ask: AskId,
        own: &DeviceName,
        others: &[DeviceName],
        rng: &mut dyn Chooser,
    ) -> ConversationsRequest {
        let rooms: Vec<(ConversationId, u64)> = self.known.rooms.iter().map(|(id, epoch)| (*id, *epoch)).collect();
        let [one, other] = [(); 2].map(|()| rng.pick(others).cloned().unwrap_or_else(|| own.clone()));
        let strange = ConversationId([u8::try_from(rng.below(256)).unwrap_or(0); 16]);
        let (conversation, epoch) = rng.pick(&rooms).copied().unwrap_or((strange, 0));
        match rng.below(11) {
            0 | 1 => ConversationsRequest::Collect,
            2 => {
                let packages = (0..PACKAGES).map(|_| noise(rng)).collect();
                ConversationsRequest::Publish { ask, last_resort: Some(noise(rng)), packages, not_after: LATE }
            }
            3 => {
                let of = others.iter().chain([own]).cycle().take(COMMIT_DEVICES_MAX).cloned().collect();
                ConversationsRequest::Take { ask, of }
            }
            4 => ConversationsRequest::Found { ask, conversation, kind: between(&one.user, &other.user) },
            5 | 6 => {
                if self.known.rooms.len() < ROOMS_MAX {
                    self.known.rooms.insert(strange, 0);
                }
                let kind = if rng.chance(1, 2) { Kind::Room } else { between(&own.user, &one.user) };
                ConversationsRequest::Found { ask, conversation: strange, kind }
            }
            7 | 8 => {
                let epoch = if rng.chance(1, 4) { epoch.wrapping_sub(1) } else { epoch };
                let change = change(own, one, rng);
                let welcome = (!change.add.is_empty()).then(|| noise(rng));
                ConversationsRequest::Commit { ask, conversation, epoch, change, commit: noise(rng), welcome }
            }
            9 => {
                let id = MessageId([u8::try_from(rng.below(NUMBERS)).unwrap_or(0); 16]);
                ConversationsRequest::Send { ask, conversation, epoch, id, body: noise(rng) }
            }
            _ => ConversationsRequest::Acknowledge { upto: vec![(conversation, rng.below(9)), (strange, u64::MAX)] },
        }
    }
}

/// When what it leaves ends.
const LATE: Wall = Wall(1_900_000_000);

/// Somebody is added or removed: who is in already, who is not, or who is nobody.
fn change(own: &DeviceName, other: DeviceName, rng: &mut dyn Chooser) -> RosterChange {
    let nobody = || DeviceName { user: own.user.clone(), device: DeviceLabel::parse("toaster").expect("a label") };
    let who = match rng.below(4) {
        0 => own.clone(),
        1 => nobody(),
        _ => other,
    };
    if rng.chance(2, 3) {
        RosterChange { add: vec![who], remove: Vec::new() }
    } else {
        RosterChange { add: Vec::new(), remove: vec![who] }
    }
}

fn between(one: &UserName, other: &UserName) -> Kind {
    Kind::Direct(one.min(other).clone(), one.max(other).clone())
}

fn noise(rng: &mut dyn Chooser) -> ByteBuf {
    let byte = u8::try_from(rng.below(256)).unwrap_or(0);
    ByteBuf::from(vec![byte; usize::try_from(rng.between(1, 300)).unwrap_or(1)])
}
