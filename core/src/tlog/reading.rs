//! How far one device has read a log, and what it found there in its own user's name that it did not ask for.
//!
//! ```text
//!         begin                     sure               ahead            signed head
//! ----------|------------------------|-------------------|------------------|
//!  not read    makes what was signed    read, not yet        to be read
//!                                       held against a root
//! ```
//!
//! What is found is believed where the leaves make a signed root, and not before: a page by itself is nobody's word. If
//! they make another root, what was read ahead is forgotten, so that a lie of one hour does not spoil the next reading.
//!
//! Nothing that was found is lost: it stays until a person has acknowledged it, however often it is told, and when the
//! server begins another log, too. Only the first few are kept: whoever is told of them is told to read the whole log.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::audit::AuditRefusal;
use super::frontier::Frontier;
use super::hash::{HASH_BYTES, Hash};
use super::kin::{Heard, Kin, KinWithoutWithdrawals, Owner};
use super::leaf::Leaf;
use super::name::NoteName;
use super::tree::Head;
use crate::id::{DeviceLabel, KeyId};
use crate::limits::{READING_BYTES_MAX, UNASKED_KEPT_MAX};

/// The encoding that this program writes.
pub const FORMAT: u8 = 4;
/// The one before it, which knew of nobody who takes back a device of their own.
const FORMAT_WITHOUT_WITHDRAWALS: u8 = 3;
/// The one before that, which knew no recovery keys.
const FORMAT_WITHOUT_RECOVERY: u8 = 2;
/// The one before that, which knew no kin.
const FORMAT_WITHOUT_KIN: u8 = 1;

/// An act in a person's name that the device which found it did not ask for. [`super::kin`] says which are alarms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unasked {
    /// In which log.
    pub log: NoteName,
    /// Where in it.
    pub index: u64,
    /// The act.
    pub leaf: Leaf,
    /// Whether nothing of its person's vouches for it; otherwise they are told, and no more.
    pub is_alarm: bool,
}

/// One device's reading of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    log: NoteName,
    /// What stands before this index was shown to the person, who said so.
    acknowledged: u64,
    sure: Stand,
    ahead: Option<Stand>,
}

/// What was read so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stand {
    read: Frontier,
    found: Vec<Unasked>,
    kin: Kin,
}

/// A reading as it was kept before, with what its program knew of kin.
#[derive(Deserialize)]
struct Older<K, U = OlderUnasked> {
    log: NoteName,
    acknowledged: u64,
    sure: OlderStand<K, U>,
    ahead: Option<OlderStand<K, U>>,
}

#[derive(Deserialize)]
struct OlderStand<K, U> {
    read: Frontier,
    found: Vec<U>,
    kin: K,
}

#[derive(Deserialize)]
struct OlderUnasked {
    log: NoteName,
    index: u64,
    leaf: Leaf,
}

/// Nothing at all, and nothing is read for it.
#[derive(Deserialize)]
struct NoKin {}

/// The devices alone.
#[derive(Deserialize)]
struct Devices(BTreeMap<KeyId, DeviceLabel>);

impl From<NoKin> for Kin {
    fn from(_: NoKin) -> Self {
        Self::without_recovery(BTreeMap::new())
    }
}

impl From<Devices> for Kin {
    fn from(Devices(devices): Devices) -> Self {
        Self::without_recovery(devices)
    }
}

impl From<OlderUnasked> for Unasked {
    fn from(OlderUnasked { log, index, leaf }: OlderUnasked) -> Self {
        Self { log, index, leaf, is_alarm: true }
    }
}

impl<K: Into<Kin>, U: Into<Unasked>> From<OlderStand<K, U>> for Stand {
    fn from(OlderStand { read, found, kin }: OlderStand<K, U>) -> Self {
        Self { read, found: found.into_iter().map(U::into).collect(), kin: kin.into() }
    }
}

impl<K: Into<Kin>, U: Into<Unasked>> From<Older<K, U>> for Reading {
    fn from(Older { log, acknowledged, sure, ahead }: Older<K, U>) -> Self {
        Self { log, acknowledged, sure: sure.into(), ahead: ahead.map(Stand::from) }
    }
}

/// Why bytes are no reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReadingRefusal {
    /// Longer than one can be.
    TooLong,
    /// A later version of this program wrote it.
    Format(u8),
    /// It is not what was written.
    Damaged,
}

impl fmt::Display for ReadingRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "it is longer than {READING_BYTES_MAX} bytes"),
            Self::Format(format) => write!(f, "its format {format} is newer than this program: update it"),
            Self::Damaged => f.write_str("it is damaged"),
        }
    }
}

impl std::error::Error for ReadingRefusal {}

impl Reading {
    /// A reading of this log that begins behind those leaves.
    pub fn begin(log: NoteName, read: Frontier) -> Self {
        Self::begin_with(log, read, Kin::default())
    }

    /// The same for a device that knows these others of its user.
    pub fn begin_with(log: NoteName, read: Frontier, kin: Kin) -> Self {
        Self { log, acknowledged: 0, sure: Stand { read, found: Vec::new(), kin }, ahead: None }
    }

    /// The same person's reading of this log, from its first leaf on if it is another one. What was found in the one before
    /// is kept, and not found again in the `same` first leaves, which both logs have.
    #[must_use]
    pub fn of(self, log: NoteName, same: u64) -> Self {
        if self.log == log {
            return self;
        }
        let acknowledged = self.sure().max(self.acknowledged).min(same);
        let sure = Stand { read: Frontier::default(), ..self.sure };
        Self { log, acknowledged, sure, ahead: None }
    }

    /// The same reading of a log that has all that was read, at its places.
    #[must_use]
    pub fn carried_on(self, log: NoteName) -> Self {
        Self { log, ..self }
    }

    /// Which log is read.
    pub fn log(&self) -> &NoteName {
        &self.log
    }

    /// The leaf that is to be read next.
    pub fn next(&self) -> u64 {
        self.newest().read.size()
    }

    /// How much was read that makes what was signed.
    pub fn sure(&self) -> u64 {
        self.sure.read.size()
    }

    /// What was found, is sure, and was not acknowledged.
    pub fn found(&self) -> &[Unasked] {
        &self.sure.found
    }

    /// Reads leaves from [`Reading::next`] on, up to the signed size: those behind it are for the next head.
    pub fn take<'a>(
        &mut self,
        leaves: impl IntoIterator<Item = &'a [u8]>,
        signed: &Head,
        own: Owner<'_>,
    ) -> Result<(), AuditRefusal> {
        let mut stand = self.ahead.take().unwrap_or_else(|| self.sure.clone());
        let before = stand.read.size();
        for bytes in leaves {
            let index = stand.read.size();
            if index >= signed.size {
                break;
            }
            let leaf = Leaf::decode(bytes).map_err(|why| AuditRefusal::Leaf { index, why })?;
            stand.read.push(Hash::leaf(bytes));
            let heard = stand.kin.hear(&leaf, own);
            if heard != Heard::Known && index >= self.acknowledged {
                let is_alarm = heard == Heard::Strange;
                stand.keep(Unasked { log: self.log.clone(), index, leaf, is_alarm });
            }
        }
        let given = stand.read.size();
        if given == before && given < signed.size {
            return Err(AuditRefusal::Missing { given, signed: signed.size });
        }
        self.ahead = Some(stand);
        Ok(())
    }

    /// Holds what was read against what was signed, once it is as long: what was found since the last time. `None` while
    /// there is more to be read.
    pub fn settle(&mut self, signed: &Head) -> Result<Option<Vec<Unasked>>, AuditRefusal> {
        let read = self.newest().read.head();
        if read.size < signed.size {
            return Ok(None);
        }
        if read.size == signed.size && read != *signed {
            if self.ahead.take().is_none() {
                // What was sure until now: then nothing is.
                self.sure.read = Frontier::default();
            }
            return Err(AuditRefusal::Root);
        }
        let Some(ahead) = self.ahead.take_if(|_| read.size == signed.size) else { return Ok(Some(Vec::new())) };
        let news = ahead.found.iter().filter(|found| !self.sure.found.contains(found)).cloned().collect();
        self.sure = ahead;
        Ok(Some(news))
    }

    /// The person was shown what stands before this index, and all that was found before.
    pub fn acknowledge(&mut self, index: u64) {
        self.acknowledged = self.acknowledged.max(index);
        let (log, acknowledged) = (&self.log, self.acknowledged);
        for stand in std::iter::once(&mut self.sure).chain(&mut self.ahead) {
            stand.found.retain(|found| found.log == *log && found.index >= acknowledged);
        }
    }

    /// This reading and another one of the same device, as two programs of it have: what either knows.
    #[must_use]
    pub fn with(mut self, mut other: Self) -> Self {
        if self.log != other.log {
            other.sure.found.into_iter().for_each(|found| self.sure.keep(found));
            return self;
        }
        let acknowledged = self.acknowledged.max(other.acknowledged);
        // Not by what was read ahead: this one may just have found out that it was wrong.
        if other.sure() > self.sure() {
            std::mem::swap(&mut self, &mut other);
        }
        other.sure.found.into_iter().for_each(|found| self.sure.keep(found));
        if acknowledged > 0 {
            self.acknowledge(acknowledged);
        }
        self
    }

    /// As it is kept.
    ///
    /// # Panics
    /// Never: its parts are bounded, and each can be written.
    pub fn encode(&self) -> Vec<u8> {
        let body = postcard::to_stdvec(self).expect("a reading can always be encoded");
        [&[FORMAT][..], &Hash::leaf(&body).0, &body].concat()
    }

    /// Reads what was kept. A disk that altered it must not make the server look guilty: it carries its own hash.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReadingRefusal> {
        if bytes.len() > READING_BYTES_MAX {
            return Err(ReadingRefusal::TooLong);
        }
        let (&format, rest) = bytes.split_first().ok_or(ReadingRefusal::Damaged)?;
        if !(FORMAT_WITHOUT_KIN..=FORMAT).contains(&format) {
            return Err(ReadingRefusal::Format(format));
        }
        let (hash, body) = rest.split_first_chunk::<HASH_BYTES>().ok_or(ReadingRefusal::Damaged)?;
        if Hash::leaf(body).0 != *hash {
            return Err(ReadingRefusal::Damaged);
        }
        let reading: Self = match format {
            FORMAT_WITHOUT_KIN => whole::<Older<NoKin>>(body)?.into(),
            FORMAT_WITHOUT_RECOVERY => whole::<Older<Devices>>(body)?.into(),
            FORMAT_WITHOUT_WITHDRAWALS => whole::<Older<KinWithoutWithdrawals, Unasked>>(body)?.into(),
            _ => whole(body)?,
        };
        let stands = || std::iter::once(&reading.sure).chain(&reading.ahead);
        let fits = stands().all(|stand| stand.found.len() <= UNASKED_KEPT_MAX && stand.kin.fits())
            && reading.next() >= reading.sure();
        if fits { Ok(reading) } else { Err(ReadingRefusal::Damaged) }
    }

    fn newest(&self) -> &Stand {
        self.ahead.as_ref().unwrap_or(&self.sure)
    }
}

impl Stand {
    /// Keeps what was found, while there is room. An alarm finds it where something less stands.
    fn keep(&mut self, found: Unasked) {
        if found.is_alarm && self.found.len() >= UNASKED_KEPT_MAX && !self.found.contains(&found) {
            let less = self.found.iter().rposition(|kept| !kept.is_alarm);
            less.map(|less| self.found.remove(less));
        }
        if self.found.len() < UNASKED_KEPT_MAX && !self.found.contains(&found) {
            self.found.push(found);
        }
    }
}

/// What the bytes are, with nothing after it.
fn whole<T: DeserializeOwned>(body: &[u8]) -> Result<T, ReadingRefusal> {
    match postcard::take_from_bytes(body) {
        Ok((whole, [])) => Ok(whole),
        Ok(_) | Err(_) => Err(ReadingRefusal::Damaged),
    }
}

#[cfg(test)]
mod tests;
