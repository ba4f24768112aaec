//! Whether a certificate was revoked: the newest revocation lists that are known, and the one question to them (V-13 to V-15).
//!
//! A list is believed by its issuing CA's signature, and that one by the root's. By each list that is heard the memory can
//! only become newer: whoever shows an older one, or another one of the same number, holds something back.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use serde_bytes::ByteBuf;

use super::root::IssuingSubject;
use super::{CertRefusal, Trust};
use crate::id::{IssuerId, Serial};
use crate::limits::{DEVICE_LIFETIME, LIST_KEPT};
use crate::pki::crl::{CrlRefusal, Entry, RevocationList};
use crate::pki::facts::{Subject, issuer_of};
use crate::time::Wall;
use crate::wire::revocation::{SignedList, SignedLists};

/// The newest revocation list of each issuing CA of a realm. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists(Arc<BTreeMap<IssuerId, Known>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    issuing: CertificateDer<'static>,
    /// What was believed of it.
    subject: IssuingSubject,
    list: RevocationList,
    /// One from before that had certificates on it which `list` has not and which may still live: the one that had most of
    /// them. Their time may just be over; or whoever signs has forgotten them.
    before: Option<RevocationList>,
}

/// How far the numbers of two lists may lie apart beyond the seconds between them, before they tell of a restoration: each
/// number is the one before and one more, or the time, and a restored server passes over ten million.
const NUMBERS_APART_MAX: u64 = 1_000_000;

impl Known {
    /// Whether either list has this certificate.
    fn has(&self, serial: Serial) -> bool {
        std::iter::once(&self.list).chain(&self.before).any(|list| list.revoked(serial).is_some())
    }

    /// Takes the place of what was known, of which nothing is forgotten that the newer list should have.
    fn after(mut self, known: Self, now: Wall) -> Self {
        let lacking = |before: &RevocationList| {
            let lives = |entry: &Entry| entry.at.plus(DEVICE_LIFETIME).plus(LIST_KEPT) >= now;
            let lacks = |(serial, entry): &(&Serial, &Entry)| lives(entry) && self.list.revoked(**serial).is_none();
            before.entries().iter().filter(lacks).count()
        };
        let before = known.before.into_iter().chain([known.list]).map(|list| (lacking(&list), list));
        let most = before.filter(|(count, _)| *count > 0).max_by_key(|(count, _)| *count);
        self.before = most.map(|(_, list)| list);
        self
    }

    /// The list from before, if the numbers tell that the server was restored since.
    fn forgotten(&self) -> Option<&RevocationList> {
        let (before, now) = (self.before.as_ref()?, self.list.facts());
        let (apart, elapsed) = (
            now.number.saturating_sub(before.facts().number),
            now.this_update.0.saturating_sub(before.facts().this_update.0),
        );
        (apart > elapsed.saturating_add(NUMBERS_APART_MAX)).then_some(before)
    }
}

impl Lists {
    /// Takes in the lists that somebody shows, all or none; whether any was news (V-15). It matters to nobody here how old
    /// they are: that is asked where somebody is judged by them.
    pub fn hear(&mut self, trust: &Trust, shown: &SignedLists, now: Wall) -> Result<bool, CrlRefusal> {
        let mut news = Vec::new();
        for SignedList { issuing, list } in &shown.0 {
            if self.0.values().any(|known| known.list.der() == list.as_slice()) {
                continue;
            }
            let issuing = CertificateDer::from(issuing.to_vec());
            let subject = match self.0.values().find(|known| known.issuing == issuing) {
                Some(Known { subject, .. }) => trust.judge_issuing_again(subject, now).map(|()| *subject),
                None => trust.judge_issuing(&issuing, now),
            };
            let subject = subject.map_err(CrlRefusal::Issuer)?;
            let list = RevocationList::read(list, &issuing)?;
            if let Some(known) = self.0.get(&list.facts().issuer) {
                let (before, number) = (known.list.facts().number, list.facts().number);
                if number < before {
                    return Err(CrlRefusal::Older);
                }
                if number == before {
                    return Err(CrlRefusal::Another);
                }
            }
            news.push(Known { issuing, subject, list, before: None });
        }
        if shown.0.is_empty() {
            return Err(CrlRefusal::Missing);
        }
        let is_news = !news.is_empty();
        if is_news {
            let known = Arc::make_mut(&mut self.0);
            for news in news {
                let issuer = news.list.facts().issuer;
                let news = match known.remove(&issuer) {
                    Some(known) => news.after(known, now),
                    None => news,
                };
                known.insert(issuer, news);
            }
            // What a CA has signed ends before it does.
            known.retain(|_, known| known.subject.not_after >= now);
        }
        Ok(is_news)
    }

    /// Whether a certificate that was found good otherwise may be believed between devices: its issuer's list is known, does
    /// not have it, and is not over. What can't be known is not believed.
    pub fn judge(&self, issuer: Option<IssuerId>, serial: Serial, now: Wall) -> Result<(), CertRefusal> {
        let known = self.of(issuer)?;
        if known.has(serial) {
            Err(CertRefusal::Revoked)
        } else if known.list.facts().next_update < now {
            Err(CertRefusal::ListExpired)
        } else {
            Ok(())
        }
    }

    /// Whether the relay may be believed, whose lists these are: it has just said them itself, so their age says nothing of
    /// it, and whoever slept for months has to get in.
    pub fn judge_relay(&self, leaf: &CertificateDer<'_>) -> Result<(), CertRefusal> {
        let serial = Subject::read(leaf).ok_or(CertRefusal::Malformed)?.serial;
        match self.of(issuer_of(leaf))?.list.revoked(serial) {
            Some(_) => Err(CertRefusal::Revoked),
            None => Ok(()),
        }
    }

    /// When this certificate was revoked, by the list that says the earliest; `None` if none has it.
    pub fn since(&self, serial: Serial) -> Option<Wall> {
        let lists = self.0.values().flat_map(|known| std::iter::once(&known.list).chain(&known.before));
        lists.filter_map(|list| Some(list.revoked(serial)?.at)).min()
    }

    /// Whether any list has this certificate.
    pub fn have(&self, serial: Serial) -> bool {
        self.0.values().any(|known| known.has(serial))
    }

    /// Lists from before the server was restored, with certificates on them which the newest of the same CA has not; `None`
    /// if there are none.
    pub fn forgotten(&self) -> Option<SignedLists> {
        let lists: Vec<SignedList> =
            self.0.values().filter_map(|known| Some(signed(&known.issuing, known.forgotten()?))).collect();
        (!lists.is_empty()).then_some(SignedLists(lists))
    }

    /// The greatest number among them; `None` where there is no list.
    pub fn number(&self) -> Option<u64> {
        self.0.values().map(|known| known.list.facts().number).max()
    }

    /// All of them, to be kept: heard again one after the other, they are what was known.
    pub fn kept(&self) -> SignedLists {
        let both = |known: &Known| {
            known.before.iter().chain([&known.list]).map(|list| signed(&known.issuing, list)).collect::<Vec<_>>()
        };
        SignedLists(self.0.values().flat_map(both).collect())
    }

    /// The lists themselves, one for each issuing CA.
    pub fn all(&self) -> impl Iterator<Item = &RevocationList> {
        self.0.values().map(|known| &known.list)
    }

    fn of(&self, issuer: Option<IssuerId>) -> Result<&Known, CertRefusal> {
        issuer.and_then(|issuer| self.0.get(&issuer)).ok_or(CertRefusal::NoList)
    }
}

fn signed(issuing: &CertificateDer<'_>, list: &RevocationList) -> SignedList {
    SignedList { issuing: ByteBuf::from(issuing.as_ref()), list: ByteBuf::from(list.der()) }
}

#[cfg(test)]
mod tests;
