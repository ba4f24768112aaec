//! Decides how conversations come about for a measure, and who is in them: founded and committed as devices do, with what the
//! relay can't read left opaque, at its true size.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use countersign_core::id::{AskId, ConversationId, DeviceName};
use countersign_core::limits::COMMIT_DEVICES_MAX;
use countersign_core::wire::Extensions;
use countersign_core::wire::conversations::{
    ConversationsEvent, ConversationsRequest, Kind, Posted, RosterChange, What,
};
use countersign_core::wire::relay::RelayRequest;
use serde_bytes::ByteBuf;

use super::crowd::{Crowd, News};
use super::people::Person;
use crate::entropy::OsEntropy;
use crate::exit::Failure;

/// How long what has no other measure may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// What a Welcome has of each member, and a commit of each who is added, as measured of true ones.
const WELCOME_BYTES_A_MEMBER: usize = 970;
const COMMIT_BYTES_A_MEMBER: usize = 900;

/// A conversation in which one writes.
#[derive(Clone, Debug)]
pub(super) struct Talk {
    /// Its number.
    pub(super) id: ConversationId,
    /// The place of whoever writes.
    pub(super) writer: usize,
    /// The places of the others.
    pub(super) others: Vec<usize>,
    /// How many commits there have been.
    pub(super) epoch: u64,
}

/// Connects the devices of these people, at places from `first` on, and waits until all are admitted.
pub(super) fn connect(crowd: &mut Crowd, first: usize, people: &[Person], to: SocketAddr) -> Result<(), Failure> {
    // As many at a time as strangers have places at the server.
    const AT_ONCE: usize = 256;
    for (first, some) in (first..).step_by(AT_ONCE).zip(people.chunks(AT_ONCE)) {
        for (place, person) in (first..).zip(some) {
            crowd.connect(place, &person.dial, to)?;
        }
        wait(crowd, some.len(), |_, _, news| Ok(usize::from(matches!(news, News::Admitted))))?;
    }
    Ok(())
}

/// Has these take what is posted for them, and be present, and waits until they have caught up.
pub(super) fn collect(crowd: &mut Crowd, places: Range<usize>) -> Result<(), Failure> {
    let count = places.len();
    for place in places {
        crowd.say(place, &RelayRequest::Attend { extensions: Extensions::default() })?;
        crowd.ask(place, ConversationsRequest::Collect)?;
    }
    wait(crowd, count, |crowd, place, news| {
        acknowledge(crowd, place, news)?;
        Ok(usize::from(matches!(news, News::Conversations(ConversationsEvent::CaughtUp))))
    })
}

/// Begins a conversation of these places, the first of whom writes. Whoever is in has acknowledged their Welcome then.
pub(super) fn begin(crowd: &mut Crowd, people: &[Person], places: &[usize]) -> Result<Talk, Failure> {
    let id = ConversationId::draw(&mut OsEntropy);
    let [writer, others @ ..] = places else { return Err(Failure::failed("nobody is in this conversation")) };
    let ask = AskId(1);
    crowd.ask(*writer, ConversationsRequest::Found { ask, conversation: id, kind: Kind::Room })?;
    wait(crowd, 1, |_, _, news| Ok(usize::from(matches!(news, News::Conversations(ConversationsEvent::Done { .. })))))?;
    let (mut epoch, mut members) = (0, 1);
    for some in others.chunks(COMMIT_DEVICES_MAX) {
        members += some.len();
        let named = |place: &usize| people.get(*place).map(|person| person.name.clone());
        let add: Vec<DeviceName> = some.iter().filter_map(named).collect();
        let welcome = Some(ByteBuf::from(vec![0x5a; members * WELCOME_BYTES_A_MEMBER]));
        let commit = ByteBuf::from(vec![0x5a; some.len() * COMMIT_BYTES_A_MEMBER]);
        let change = RosterChange { add, remove: Vec::new() };
        crowd.ask(*writer, ConversationsRequest::Commit { ask, conversation: id, epoch, change, commit, welcome })?;
        // Those who are in already hear of it, too.
        wait(crowd, members, |crowd, place, news| {
            let posted = acknowledge(crowd, place, news)?;
            Ok(usize::from(posted))
        })?;
        epoch += 1;
    }
    Ok(Talk { id, writer: *writer, others: others.to_vec(), epoch })
}

/// Turns until `count` of what was told has counted.
pub(super) fn wait(
    crowd: &mut Crowd,
    count: usize,
    mut counts: impl FnMut(&mut Crowd, usize, &News) -> Result<usize, Failure>,
) -> Result<(), Failure> {
    let (until, mut left, mut news) = (Instant::now() + PATIENCE, count, Vec::new());
    while left > 0 {
        let time = until.saturating_duration_since(Instant::now());
        if time.is_zero() {
            return Err(Failure::failed(format_args!("the server does not answer: {left} of {count} wait still")));
        }
        crowd.turn(time, &mut news)?;
        for (place, told) in news.drain(..) {
            left = left.saturating_sub(counts(crowd, place, &told)?);
        }
    }
    Ok(())
}

/// Acknowledges what was posted. Whether something was.
fn acknowledge(crowd: &mut Crowd, place: usize, news: &News) -> Result<bool, Failure> {
    let News::Conversations(ConversationsEvent::Posted(Posted { conversation, place: at, what, .. })) = news else {
        return Ok(false);
    };
    if let What::Expired = what {
        return Err(Failure::failed("the server has lost what it was to keep"));
    }
    crowd.ask(place, ConversationsRequest::Acknowledge { upto: vec![(*conversation, *at)] })?;
    Ok(true)
}
