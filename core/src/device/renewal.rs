//! A device keeps its certificate: it asks for another one at two thirds of its time, and comes back after its end.
//!
//! ```text
//!            two thirds are over, and online; or wished         Renewed, checked
//! (it holds) -----------------------------------------> asked -----------------> (it holds)
//!      |  its end, or the relay says so                    |  refused, silence: again, but not at once
//!      +--> returning, by the enrolment channel -----------+
//! ```
//!
//! Whether it is time is judged by the civil clock, looked at on admission and each day: a machine may sleep, and its timer
//! with it. The new certificate is checked as a stranger's (chain, own name, own key, the log's proof) before it is believed,
//! and told before it is used, so that the shell keeps it first. Connections that are there go on: the relay's proof of this
//! device moves on with it, and so does the other end's in a call (`calls/vouched.rs`).

use std::fmt;
use std::time::Duration;

use rand_core::CryptoRng;
use rustls_pki_types::CertificateDer;

use super::conversing::News;
use super::enrol::{EnrolInput, check_own};
use super::returning::Returning;
use super::{Asked, Device, Event, Identity, Output, Wake};
use crate::fault::Fault;
use crate::id::AskId;
use crate::limits::{ASK_TIME_MAX, RENEWAL_LOOK_SPAN, RENEWAL_TRY_SPAN_MAX, RENEWAL_TRY_SPAN_MIN};
use crate::pki::Facts;
use crate::time::{Deadlines, Instant, Now, Wall};
use crate::tls::{CertRefusal, Dial};
use crate::wire::Code;
use crate::wire::log::{self, Lineage, LogProof};
use crate::wire::relay::{RelayEvent, RelayRequest};

/// What is asked here is numbered from here on: the watch counts from the middle, calls from the beginning.
const FIRST_ASK: u64 = 1 << 62;

/// A certificate that has taken the place of the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// The leaf in DER.
    pub leaf: CertificateDer<'static>,
    /// The issuing CA in DER.
    pub issuing: CertificateDer<'static>,
    /// Its last second.
    pub not_after: Wall,
}

/// Why there is no new certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRenewed {
    /// The relay refuses.
    Refused(Code),
    /// What it sent is not to be believed.
    BadCertificate(CertRefusal),
    /// The relay did not answer in time.
    Unanswered,
}

impl fmt::Display for NotRenewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this device's certificate was not renewed: ")?;
        match self {
            Self::Refused(code) => code.fmt(f),
            Self::BadCertificate(refusal) => write!(f, "what the server sent is not believed ({refusal})"),
            Self::Unanswered => f.write_str("the server did not answer in time"),
        }
    }
}

/// A device's care for its certificate.
#[derive(Debug)]
pub(super) struct Renewing {
    begins: Wall,
    ends: Wall,
    count: u64,
    /// Whether the relay of this connection was asked.
    asked: Option<AskId>,
    /// Whether the user waits for it.
    wished: bool,
    /// After one that came to nothing, the next try is not before this.
    not_before: Option<Instant>,
    deadlines: Deadlines<Wake>,
    pub(super) returning: Option<Returning>,
}

impl Renewing {
    /// The care for this certificate.
    pub(super) fn of(leaf: &CertificateDer<'_>) -> Self {
        // It was judged when it came, and is at every door.
        let (begins, ends) = Facts::read(leaf).map_or((Wall(0), Wall(0)), |facts| (facts.not_before, facts.not_after));
        Self {
            begins,
            ends,
            count: 0,
            asked: None,
            wished: false,
            not_before: None,
            deadlines: Deadlines::default(),
            returning: None,
        }
    }

    /// Its last second.
    pub(super) fn ends(&self) -> Wall {
        self.ends
    }

    /// From when on it is to be renewed.
    fn due_at(&self) -> Wall {
        self.begins.plus(self.ends.since(self.begins) * 2 / 3)
    }

    /// When something is due next.
    pub(super) fn next_deadline(&self) -> Option<(Instant, Wake)> {
        let returning = self.returning.as_ref().and_then(|way| way.machine.next_deadline());
        self.deadlines.next().into_iter().chain(returning.map(|at| (at, Wake::Renewal))).min()
    }

    /// The next try, if the last one came to nothing: the nearer the end, the sooner, and never the same for two devices.
    fn put_off(&mut self, now: Now, rng: &mut dyn CryptoRng) {
        let rest = self.ends.since(now.wall) / 8;
        let most = rest.clamp(RENEWAL_TRY_SPAN_MIN, RENEWAL_TRY_SPAN_MAX);
        let half = u64::try_from(most.as_micros() / 2).unwrap_or(u64::MAX).max(1);
        let wait = most / 2 + Duration::from_micros(rng.next_u64() % half);
        self.not_before = Some(now.mono.plus(wait));
    }
}

impl Device {
    /// Whether the relay was asked for another certificate and has not answered: a program that is about to end waits.
    pub fn is_renewing(&self) -> bool {
        self.renewing.asked.is_some()
    }

    /// The user wants another certificate now.
    pub(super) fn wish_renewal(&mut self, now: Now) {
        self.renewing.wished = true;
        self.look_at_certificate(now);
    }

    /// Asks for another certificate if it is time, and sees to it that it is looked at again.
    pub(super) fn look_at_certificate(&mut self, now: Now) {
        let renewing = &mut self.renewing;
        if renewing.asked.is_some() || self.quitting {
            return;
        }
        let due_at = renewing.due_at();
        let is_due = now.wall >= due_at;
        let may = renewing.not_before.is_none_or(|at| at <= now.mono);
        if (renewing.wished || is_due && may) && self.session.is_admitted() {
            renewing.count += 1;
            let ask = AskId(FIRST_ASK + renewing.count);
            renewing.asked = Some(ask);
            renewing.deadlines.set(Wake::Renewal, now.mono.plus(ASK_TIME_MAX));
            return self.session.request(&RelayRequest::Renew { ask });
        }
        let look = now.mono.plus(RENEWAL_LOOK_SPAN);
        let next = match renewing.not_before {
            _ if !is_due => now.when(due_at).min(look),
            Some(at) if at > now.mono => at.min(look),
            // It is online that it will be asked for.
            Some(_) | None => look,
        };
        renewing.deadlines.set(Wake::Renewal, next);
    }

    /// Does what is due.
    pub(super) fn tick_renewal(&mut self, now: Now, rng: &mut dyn CryptoRng) {
        if let Some(way) = &mut self.renewing.returning {
            way.machine.handle(&EnrolInput::Tick, now);
        }
        if self.renewing.deadlines.take_due(now.mono).is_none() {
            return;
        }
        if self.renewing.asked.is_some() {
            self.renewal_failed(NotRenewed::Unanswered, now, rng);
        }
        self.look_at_certificate(now);
    }

    /// The relay is lost, or the device is leaving. What was wished is asked of the next relay.
    pub(super) fn stop_renewing(&mut self) {
        self.renewing.asked = None;
        self.renewing.deadlines.clear(Wake::Renewal);
        if self.quitting
            && let Some(Returning { conn, .. }) = self.renewing.returning.take()
        {
            self.outputs.push_back(Output::Drop(conn));
        }
    }

    /// The relay refuses an ask; whether it was this one.
    pub(super) fn renewal_refused(&mut self, ask: AskId, code: Code, now: Now, rng: &mut dyn CryptoRng) -> bool {
        let ours = self.renewing.asked == Some(ask);
        if ours {
            self.renewal_failed(NotRenewed::Refused(code), now, rng);
            self.look_at_certificate(now);
        }
        ours
    }

    fn renewal_failed(&mut self, why: NotRenewed, now: Now, rng: &mut dyn CryptoRng) {
        self.renewing.asked = None;
        self.renewing.put_off(now, rng);
        self.tell(Event::NotRenewed(why));
        if std::mem::take(&mut self.renewing.wished) {
            let asked = match why {
                NotRenewed::Refused(code) => Asked::Refused(code),
                NotRenewed::BadCertificate(_) | NotRenewed::Unanswered => Asked::Unanswered,
            };
            self.tell(Event::Asked(asked));
        }
    }

    /// The relay gives a certificate; [`RelayEvent::Renewed`] and nothing else. One that nobody asked for, or that is not
    /// to be believed, ends the connection: on the next one both go on with the certificate that both know.
    pub(super) fn renewed(&mut self, event: &RelayEvent, now: Now, rng: &mut dyn CryptoRng) -> Result<(), Fault> {
        let RelayEvent::Renewed { ask, leaf, issuing, extensions } = event else { return Ok(()) };
        // What comes after its time is good, too: the relay goes on with it.
        if !(FIRST_ASK + 1..=FIRST_ASK + self.renewing.count).contains(&ask.0) {
            return Err(Fault::Unexpected);
        }
        let proof: Option<LogProof> = extensions.get(log::PROOF)?;
        let lineage: Lineage = extensions.get(log::LINEAGE)?.unwrap_or_default();
        let (leaf, issuing) = (CertificateDer::from(leaf.to_vec()), CertificateDer::from(issuing.to_vec()));
        if leaf == self.identity.credentials.leaf {
            // Whatever our clock says of it: it is no news.
            self.take_certificate(leaf, issuing, now);
            return Ok(());
        }
        let Identity { name, credentials, trust, log, .. } = &self.identity;
        let judged = check_own(trust, &leaf, &issuing, name, &credentials.key, now.wall).and_then(|judged| {
            match log.believe(&judged, proof.as_ref(), &lineage) {
                Ok(_) => Ok(judged),
                Err(_) => Err(CertRefusal::NotLogged),
            }
        });
        match judged {
            Ok(judged) => {
                let holds = self.renewing.begins <= now.wall;
                if judged.not_after < self.renewing.ends && holds {
                    return Err(Fault::Unexpected);
                }
                self.take_certificate(leaf, issuing, now);
                Ok(())
            }
            Err(refusal) => {
                self.renewal_failed(NotRenewed::BadCertificate(refusal), now, rng);
                Err(Fault::Certificate(refusal))
            }
        }
    }

    /// From here on this is the device's certificate.
    pub(super) fn take_certificate(
        &mut self,
        leaf: CertificateDer<'static>,
        issuing: CertificateDer<'static>,
        now: Now,
    ) {
        let is_new = leaf != self.identity.credentials.leaf;
        if is_new {
            let Renewing { count, wished, .. } = self.renewing;
            self.renewing = Renewing { count, wished, ..Renewing::of(&leaf) };
            let not_after = self.renewing.ends;
            self.tell(Event::Renewed(Box::new(Renewed { leaf: leaf.clone(), issuing: issuing.clone(), not_after })));
            (self.identity.credentials.leaf, self.identity.credentials.issuing) = (leaf, issuing);
            let dial = Dial::relay(&self.env, &self.identity.credentials, &self.identity.trust);
            self.session.renewed(dial, not_after);
            self.calls.set_credentials(self.identity.credentials.clone());
            self.conversations_news.insert(News::Certificate);
        } else {
            // There is none that holds longer yet.
            self.renewing.not_before = Some(now.mono.plus(RENEWAL_LOOK_SPAN));
        }
        self.renewing.asked = None;
        if std::mem::take(&mut self.renewing.wished) {
            self.tell(Event::Asked(Asked::Renewed(self.renewing.ends)));
        }
        self.look_at_certificate(now);
    }
}
