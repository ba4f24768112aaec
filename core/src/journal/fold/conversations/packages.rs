//! Which key packages are kept, and which are taken (CV-01, CV-15).

use super::{ConversationRefusal, Conversed, KEY_PACKAGES_MAX_V5, lives};
use crate::id::DeviceName;
use crate::journal::conversations::Packages;
use crate::journal::state::State;
use crate::time::Wall;

/// Whether so many more key packages of a device are kept that are given out once. Asked before a record is proposed, and again,
/// for good, by the fold.
pub fn may_keep(state: &State, device: &DeviceName, more: usize, at: Wall) -> Result<(), ConversationRefusal> {
    if !lives(state, device) {
        return Err(ConversationRefusal::NoDevice);
    }
    let left = state.conversations().packages(device).map_or(0, |packages| Packages::left(packages, at));
    if left + more > KEY_PACKAGES_MAX_V5 { Err(ConversationRefusal::PackagesFull) } else { Ok(()) }
}

pub(in crate::journal::fold) fn kept_v5(
    state: &mut State,
    device: DeviceName,
    last_resort: bool,
    not_after: Wall,
    at: Wall,
) -> Conversed {
    if let Err(refusal) = may_keep(state, &device, usize::from(!last_resort), at) {
        return Conversed::Refused(refusal);
    }
    let n = state.position.n;
    state.conversations.keep_package(device, n, last_resort, not_after, at);
    Conversed::Kept
}

pub(in crate::journal::fold) fn taken_v5(state: &mut State, by: &DeviceName, of: &[DeviceName], at: Wall) -> Conversed {
    if !lives(state, by) {
        return Conversed::Refused(ConversationRefusal::NoDevice);
    }
    Conversed::Taken(of.iter().map(|device| state.conversations.take_package(device, at)).collect())
}
