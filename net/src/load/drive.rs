//! Decides how messages are sent in a measure, and what is counted: as fast as the server answers, or at a rate that does not
//! wait for it.
//!
//! At a rate each message has its moment, and its time counts from there, however late the loop or the server was: so a server
//! that stalls is not spared the messages that it would have had meanwhile.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use countersign_core::id::{AskId, ConversationId, MessageId};
use countersign_core::limits::{ACKNOWLEDGE_AFTER, ACKNOWLEDGED_AT_ONCE_MAX};
use countersign_core::wire::conversations::{ConversationsEvent, ConversationsRequest, Posted, What};
use serde_bytes::ByteBuf;

use super::crowd::{Crowd, News};
use super::latency::Latency;
use super::talk::{PATIENCE, Talk};
use crate::exit::Failure;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Each message at each device that it is for.
    Delivery,
    /// Each message at its writer, as posted: it is durable then.
    Acknowledgement,
}

/// How messages are sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// What is counted.
    pub(super) unit: Unit,
    /// How many bytes each has, sealed.
    pub(super) sealed_bytes: usize,
    /// So many a second, all writers together; as many as go where nothing is said.
    pub(super) rate: Option<u32>,
    /// How many of one writer are on their way at one time, without a rate.
    pub(super) in_flight: u32,
    /// No more are sent,
    pub(super) messages: u32,
    /// nor for longer than this.
    pub(super) time: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Driven {
    /// How many units.
    pub(super) units: u64,
    /// How long it took, from the first message to the last unit.
    pub(super) time: Duration,
    /// How long each unit took.
    pub(super) latency: Latency,
}

/// One conversation meanwhile.
#[derive(Debug)]
struct Under {
    talk: Talk,
    /// How many of its messages are on their way.
    in_flight: u32,
}

#[derive(Debug)]
struct Drive {
    plan: Plan,
    unders: Vec<Under>,
    /// Which of them has a number.
    by_id: BTreeMap<ConversationId, usize>,
    /// When each message was to be sent.
    sent: Vec<Instant>,
    /// Units that are still to come.
    missing: u64,
    /// Whose turn it is, at a rate.
    next: usize,
    driven: Driven,
}

/// Sends messages in these conversations as planned, until the last has arrived.
pub(super) fn drive(crowd: &mut Crowd, talks: &[Talk], plan: Plan) -> Result<Driven, Failure> {
    let unders: Vec<Under> = talks.iter().map(|talk| Under { talk: talk.clone(), in_flight: 0 }).collect();
    let by_id = (0..).zip(talks).map(|(at, talk)| (talk.id, at)).collect();
    let mut drive = Drive { plan, unders, by_id, sent: Vec::new(), missing: 0, next: 0, driven: Driven::default() };
    let begun = Instant::now();
    let (end, mut news, mut upto) = (begun + plan.time, Vec::new(), BTreeMap::new());
    loop {
        let now = Instant::now();
        let goes_on = now < end && drive.sent.len() < usize::try_from(plan.messages).unwrap_or(usize::MAX);
        if goes_on {
            drive.send(crowd, begun, now)?;
        } else if drive.missing == 0 {
            break;
        } else if now > end + PATIENCE {
            return Err(Failure::failed(format_args!("the server does not keep up: {} have not come", drive.missing)));
        }
        crowd.turn(drive.longest(goes_on, begun, end), &mut news)?;
        let now = Instant::now();
        for (place, told) in news.drain(..) {
            drive.heard(place, &told, now, &mut upto);
        }
        drive.driven.time = now.duration_since(begun);
        acknowledge(crowd, &mut upto)?;
    }
    settle(crowd)?;
    Ok(drive.driven)
}

/// Turns for a little longer than the server waits before it writes down what was acknowledged: so that it is in the measure.
pub(super) fn settle(crowd: &mut Crowd) -> Result<(), Failure> {
    let until = Instant::now() + ACKNOWLEDGE_AFTER + Duration::from_millis(250);
    let (mut news, mut upto) = (Vec::new(), BTreeMap::new());
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        crowd.turn(left, &mut news)?;
        for (place, told) in news.drain(..) {
            note(place, &told, &mut upto);
        }
        acknowledge(crowd, &mut upto)?;
    }
    Ok(())
}

impl Drive {
    /// Sends what is to be sent now.
    fn send(&mut self, crowd: &mut Crowd, begun: Instant, now: Instant) -> Result<(), Failure> {
        let most = usize::try_from(self.plan.messages).unwrap_or(usize::MAX);
        if self.plan.rate.is_some() {
            while self.sent.len() < most
                && let Some(due) = self.due(begun).filter(|due| *due <= now)
            {
                let under = self.next;
                self.next = (under + 1) % self.unders.len();
                self.one(crowd, under, due)?;
            }
            return Ok(());
        }
        // One of each in turn, so that a bound on all of them is shared.
        let mut again = true;
        while std::mem::take(&mut again) {
            for under in 0..self.unders.len() {
                let may = self.unders.get(under).is_some_and(|under| under.in_flight < self.plan.in_flight);
                if may && self.sent.len() < most {
                    self.one(crowd, under, now)?;
                    again = true;
                }
            }
        }
        Ok(())
    }

    fn one(&mut self, crowd: &mut Crowd, under: usize, due: Instant) -> Result<(), Failure> {
        let Some(under) = self.unders.get_mut(under) else { return Ok(()) };
        let mut id = [0; 16];
        let number = u64::try_from(self.sent.len()).unwrap_or(u64::MAX);
        id.iter_mut().zip(number.to_be_bytes()).for_each(|(byte, digit)| *byte = digit);
        let Talk { id: conversation, epoch, writer, others } = &under.talk;
        let body = ByteBuf::from(vec![0x5a; self.plan.sealed_bytes]);
        let request = ConversationsRequest::Send {
            ask: AskId(number),
            conversation: *conversation,
            epoch: *epoch,
            id: MessageId(id),
            body,
        };
        crowd.ask(*writer, request)?;
        self.sent.push(due);
        under.in_flight += 1;
        self.missing += match self.plan.unit {
            Unit::Delivery => u64::try_from(others.len()).unwrap_or(u64::MAX),
            Unit::Acknowledgement => 1,
        };
        Ok(())
    }

    /// When the next message is due, at a rate.
    fn due(&self, begun: Instant) -> Option<Instant> {
        let number = u32::try_from(self.sent.len()).ok()?;
        self.plan.rate.map(|rate| begun + Duration::from_secs(1) * number / rate)
    }

    /// How long a turn may wait.
    fn longest(&self, goes_on: bool, begun: Instant, end: Instant) -> Duration {
        let until = if goes_on { self.due(begun).unwrap_or(end).min(end) } else { end + PATIENCE };
        until.saturating_duration_since(Instant::now())
    }

    fn heard(&mut self, place: usize, told: &News, now: Instant, upto: &mut Upto) {
        let Some(Posted { conversation, what, .. }) = note(place, told, upto) else { return };
        let Some(under) = self.by_id.get(conversation).and_then(|at| self.unders.get_mut(*at)) else { return };
        let (id, unit) = match what {
            What::Message { id, .. } => (id, Unit::Delivery),
            What::OwnMessage { id } => {
                under.in_flight = under.in_flight.saturating_sub(1);
                (id, Unit::Acknowledgement)
            }
            What::Commit { .. } | What::Welcome { .. } | What::OwnCommit { .. } | What::Expired => return,
        };
        let number = id.0.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
        let sent = number.and_then(|number| self.sent.get(usize::try_from(number).ok()?));
        if let Some(sent) = sent.filter(|_| unit == self.plan.unit) {
            self.driven.latency.add(now.saturating_duration_since(*sent));
            self.driven.units += 1;
            self.missing = self.missing.saturating_sub(1);
        }
    }
}

/// Up to where each has everything.
type Upto = BTreeMap<usize, BTreeMap<ConversationId, u64>>;

/// Remembers what is to be acknowledged, and gives what was posted.
fn note<'a>(place: usize, told: &'a News, upto: &mut Upto) -> Option<&'a Posted> {
    let News::Conversations(ConversationsEvent::Posted(posted)) = told else { return None };
    upto.entry(place).or_default().insert(posted.conversation, posted.place);
    Some(posted)
}

/// Each device acknowledges all of a turn at once, as one does that has made it durable.
fn acknowledge(crowd: &mut Crowd, upto: &mut Upto) -> Result<(), Failure> {
    for (place, places) in std::mem::take(upto) {
        let places: Vec<(ConversationId, u64)> = places.into_iter().collect();
        for some in places.chunks(ACKNOWLEDGED_AT_ONCE_MAX) {
            crowd.ask(place, ConversationsRequest::Acknowledge { upto: some.to_vec() })?;
        }
    }
    Ok(())
}
