//! A device watches the log for its own user's name, and raises an alarm at what it did not ask for (design 4).
//!
//! ```text
//!            admitted                    the head's size is read
//! (offline) ----------> Page, and Head -------------------------> Time
//!                       ^ |  more to be read    an hour is over    |
//!                       +-+  (a page at a time)   Head <-----------+
//! ```
//!
//! The first page is asked for together with the head, so that its answer comes before whatever else is asked: a program
//! that goes online for one question has read a page when it is answered, and waits for nothing. A head that comes while a
//! page is awaited moves the end. Each page is hashed into the edge of the tree ([`crate::tlog::Reading`]), and at the head's
//! size the roots are compared.
//!
//! A server whose leaves are not what it signed, or that does not show them, is left and tried again (`Fault::Log`), not
//! left for good (`Fault::History`): two signed histories never become one, but a page is unsigned, and the right one of the
//! next day shows what was hidden. The person is told each time.

use rand_core::CryptoRng;

use super::following::News;
use super::{Device, Event, Following, Identity, LogRefusal, Wake};
use crate::fault::Fault;
use crate::id::AskId;
use crate::limits::{LOG_ANSWER_TIME_MAX, LOG_PAGE_MAX, LOG_PAGES_UNKEPT_MAX, LOG_WATCH_SPAN};
use crate::time::{Deadlines, Instant, Now};
use crate::tlog::{AuditRefusal, Owner, Unasked};
use crate::wire::log::{LogHead, LogPage};
use crate::wire::relay::RelayRequest;

/// What is asked here is numbered from the middle: calls count from one end and other asks from the other.
const FIRST_ASK: u64 = 1 << 63;

/// What is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Awaits {
    /// There is no relay.
    #[default]
    Relay,
    /// What the log has become, and nothing else.
    Head,
    /// A page of it.
    Page(AskId),
    /// Everything was read: the time to ask again.
    Time,
}

/// A device's watch over the log.
#[derive(Debug, Default)]
pub(super) struct Watch {
    awaits: Awaits,
    /// Whether what the log has become is awaited, too.
    headless: bool,
    count: u64,
    /// Pages that were read since the reading was kept.
    unkept: u64,
    deadlines: Deadlines<Wake>,
    request: Option<RelayRequest>,
}

impl Watch {
    /// The relay has admitted us, and was asked for the log's head: what it is to be asked at once besides.
    pub(super) fn online(&mut self, log: &Following, now: Now) -> Option<RelayRequest> {
        self.await_head(now);
        Some(self.ask(log.reading()?.next(), now))
    }

    /// When something is due next.
    pub(super) fn next_deadline(&self) -> Option<(Instant, Wake)> {
        self.deadlines.next()
    }

    /// The next request for the relay.
    pub(super) fn poll_request(&mut self) -> Option<RelayRequest> {
        self.request.take()
    }

    fn await_head(&mut self, now: Now) {
        (self.awaits, self.headless) = (Awaits::Head, true);
        self.deadlines.set(Wake::Watch, now.mono.plus(LOG_ANSWER_TIME_MAX));
    }

    fn ask(&mut self, from: u64, now: Now) -> RelayRequest {
        self.count += 1;
        let ask = AskId(FIRST_ASK + self.count);
        self.awaits = Awaits::Page(ask);
        self.deadlines.set(Wake::Watch, now.mono.plus(LOG_ANSWER_TIME_MAX));
        RelayRequest::Leaves { ask, from }
    }

    /// There is no relay, or nobody who wants to know.
    fn stop(&mut self) {
        self.awaits = Awaits::Relay;
        self.request = None;
        self.deadlines.clear(Wake::Watch);
    }

    /// A head has come, or the page that was awaited: reads it, and asks for the next. What was found, once it is sure.
    fn read_on(&mut self, page: Option<&LogPage>, own: &mut Identity, now: Now) -> Result<Vec<Unasked>, AuditRefusal> {
        let key = own.credentials.key.spki().id();
        let Some((reading, head)) = own.log.unread() else { return Ok(Vec::new()) };
        if let Some(page) = page {
            self.unkept += u64::from(!page.leaves.is_empty());
            let owner = Owner { name: &own.name, key, realm: own.trust.realm() };
            reading.take(page.leaves.iter().map(|leaf| leaf.as_slice()), &head, owner)?;
        } else if let Awaits::Page(_) = self.awaits {
            return Ok(Vec::new());
        }
        let settled = reading.settle(&head)?;
        if settled.is_none() {
            let from = reading.next();
            // Only the last page may be short, and it reaches what was signed: or a server could go on for ever, leaf by leaf.
            if page.is_some_and(|page| page.leaves.len() < LOG_PAGE_MAX) {
                return Err(AuditRefusal::Missing { given: from, signed: head.size });
            }
            self.request = Some(self.ask(from, now));
        } else if self.headless {
            // It goes on with the head, for which it does not wait any longer than it did.
            self.awaits = Awaits::Head;
        } else {
            self.awaits = Awaits::Time;
            self.deadlines.set(Wake::Watch, now.mono.plus(LOG_WATCH_SPAN));
        }
        Ok(settled.unwrap_or_default())
    }
}

impl Device {
    /// The server says what the log is. One that is not the log that this device knows is left.
    pub(super) fn log(&mut self, head: &LogHead, now: Now) -> Result<(), Fault> {
        if self.heard_of_doubt(head)? {
            return Ok(());
        }
        let Identity { trust, log, .. } = &mut self.identity;
        match log.hear(trust, self.incarnation, head, now.wall) {
            Ok(News::None) => {}
            Ok(News::Grown(followed)) => self.tell(Event::Followed(Box::new(followed))),
            Ok(News::Another(followed)) => {
                // A page that is awaited is one of the log before.
                self.watch.awaits = Awaits::Head;
                self.tell(Event::AnotherLog(Box::new(followed)));
            }
            Err(refusal) => return Err(self.refuse(refusal)),
        }
        self.settle_doubt()?;
        self.watch.headless = false;
        if self.quitting { Ok(()) } else { self.read_on(None, now) }
    }

    /// A page of the log has come, for the watch or for the user.
    pub(super) fn leaves(&mut self, ask: AskId, page: &LogPage, now: Now) -> Result<(), Fault> {
        if self.watch.awaits == Awaits::Page(ask) {
            self.read_on(Some(page), now)
        } else if self.doubts.awaits(ask) {
            self.doubt_answered()
        } else {
            self.asks.leaves(ask, page, &self.identity, now);
            Ok(())
        }
    }

    /// What was found before, and was not acknowledged yet, is told again.
    pub(super) fn tell_found(&mut self) {
        let found = self.identity.log.reading().map(|reading| reading.found().to_vec());
        self.alarm(found.unwrap_or_default());
    }

    /// Does what is due.
    pub(super) fn tick_watch(&mut self, now: Now, rng: &mut dyn CryptoRng) {
        // One that was lost in this very turn is no silent relay.
        if !self.session.is_admitted() || self.watch.deadlines.take_due(now.mono).is_none() {
            return;
        }
        if self.watch.awaits == Awaits::Time {
            self.watch.request = Some(RelayRequest::Follow { seen: self.identity.log.seen() });
            self.watch.await_head(now);
        } else {
            let fault = self.refuse(LogRefusal::Silent);
            self.session.fault(fault, now, rng);
        }
    }

    /// The relay is lost, or the device is leaving: how far it has read is kept.
    pub(super) fn stop_watching(&mut self) {
        self.watch.stop();
        self.doubts.stop();
        if self.watch.unkept > 0 {
            self.keep_reading();
        }
    }

    fn read_on(&mut self, page: Option<&LogPage>, now: Now) -> Result<(), Fault> {
        let read = self.watch.read_on(page, &mut self.identity, now);
        let rests = !matches!(self.watch.awaits, Awaits::Page(_)) || read.is_err();
        if self.watch.unkept >= if rests { 1 } else { LOG_PAGES_UNKEPT_MAX } {
            self.keep_reading();
        }
        match read {
            Ok(found) => {
                self.alarm(found);
                Ok(())
            }
            Err(refusal) => Err(self.refuse(LogRefusal::Entries(refusal))),
        }
    }

    fn keep_reading(&mut self) {
        self.watch.unkept = 0;
        if let Some(followed) = self.identity.log.followed() {
            self.tell(Event::Followed(Box::new(followed)));
        }
    }

    fn alarm(&mut self, found: Vec<Unasked>) {
        for unasked in found {
            self.tell(Event::Unasked(Box::new(unasked)));
        }
    }

    /// What is shown of the log is not to be believed: the user hears why, and the relay is left.
    pub(super) fn refuse(&mut self, refusal: LogRefusal) -> Fault {
        let fault = match refusal {
            LogRefusal::History(_) | LogRefusal::Restored(_) => Fault::History,
            LogRefusal::Certificate(_)
            | LogRefusal::Checkpoint(_)
            | LogRefusal::Unproven
            | LogRefusal::Leaf(_)
            | LogRefusal::OtherLeaf
            | LogRefusal::Proof(_)
            | LogRefusal::Lineage(_)
            | LogRefusal::Entries(_)
            | LogRefusal::Silent => Fault::Log,
        };
        self.tell(Event::LogRefused(refusal));
        self.watch.stop();
        self.doubts.stop();
        fault
    }
}

#[cfg(test)]
mod tests;
