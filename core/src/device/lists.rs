//! A device's revocation lists: heard with each welcome and whenever they change, kept, and said to be gone by.

use super::conversing::News;
use super::{Device, Event, Identity};
use crate::fault::Fault;
use crate::pki::CrlRefusal;
use crate::time::Now;
use crate::wire::relay::{RelayRequest, Welcome};
use crate::wire::revocation::{LISTS, SignedLists};

impl Device {
    /// The relay has welcomed us, and shows its lists: before anything else that it says is believed, so is itself.
    pub(super) fn welcomed(&mut self, welcome: &Welcome, now: Now) -> Result<(), Fault> {
        let lists: SignedLists = welcome.extensions.get(LISTS)?.unwrap_or_default();
        if !lists.0.is_empty() {
            lists.check()?;
        }
        self.hear_lists(&lists, now)?;
        let relay = self.session.relay().ok_or(Fault::Unexpected)?;
        self.identity.lists.judge_relay(relay).map_err(Fault::Certificate)?;
        // Also where they are no news: the connection of last time may have been lost before it was said.
        self.show_forgotten();
        Ok(())
    }

    /// The relay says that the lists have changed.
    pub(super) fn relisted(&mut self, lists: &SignedLists, now: Now) -> Result<(), Fault> {
        self.hear_lists(lists, now)?;
        self.show_forgotten();
        self.acknowledge_lists();
        Ok(())
    }

    /// Says which lists we go by, after what they end has ended.
    pub(super) fn acknowledge_lists(&mut self) {
        if let Some(number) = self.identity.lists.number() {
            self.session.request(&RelayRequest::Listed { number });
        }
    }

    fn hear_lists(&mut self, shown: &SignedLists, now: Now) -> Result<(), Fault> {
        let Identity { trust, lists, .. } = &mut self.identity;
        match lists.hear(trust, shown, now.wall) {
            Ok(true) => {
                let lists = lists.clone();
                self.calls.relisted(&lists, now);
                self.conversations_news.insert(News::Lists);
                self.tell(Event::Listed(lists.kept()));
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(refusal) => Err(self.refuse_lists(refusal)),
        }
    }

    /// Shows the relay what it revoked before it was restored, if it does not know that any more.
    fn show_forgotten(&mut self) {
        if let Some(before) = self.identity.lists.forgotten() {
            self.session.request(&RelayRequest::ListsBefore(before));
        }
    }

    fn refuse_lists(&mut self, refusal: CrlRefusal) -> Fault {
        self.tell(Event::ListsRefused(refusal));
        Fault::Lists
    }
}
