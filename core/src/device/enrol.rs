//! How a device comes to its certificate (protocol §4): key first, stored before it is used; then the request.
//!
//! ```text
//! Keeping --stored--> Dialling --> Greeting --Welcome--> Asking --Granted, checked--> Keeping --stored--> done
//!                        |            |                     |  refused
//!                                                       Waiting, Compare: another device has to vouch first
//! ```
//!
//! A device whose certificate has expired comes by the same door for another one (protocol §4.12): it shows nothing, signs
//! what tells this connection from all others, and goes on with the log that it knows.
//!
//! The key is on the disk before anybody hears of it, so a lost answer costs nothing: the same invite with the same
//! key gets the same certificate again. What the server sends is checked as strictly as any stranger's certificate.

mod belief;
mod comparing;
mod errand;

use std::collections::VecDeque;

use rand_core::CryptoRng;
use rustls_pki_types::CertificateDer;

use super::{Identity, LogRefusal, Output};
use crate::fault::{CloseReason, Fault};
use crate::id::{ConnId, DeviceLabel, DeviceName, Fingerprint, KeyId, Serial};
use crate::invite::{InviteLink, ServerLink};
use crate::limits::{HANDSHAKE_TIME_MAX, LINGER_TIME_MAX};
use crate::link::{Link, LinkEvent, Step};
use crate::password::Password;
use crate::pki::comparison::ComparisonNonce;
use crate::pki::{DeviceKey, SecretKey};
use crate::time::{Instant, Now, Wall};
use crate::tlog::{Basis, RecoveryWord};
use crate::tls::{CertRefusal, Dial, Exporter, Judged, Lists, Root, Side, TlsEnv, Trust, judge_device};
use crate::wire::enrol::{Certified, EnrolEvent, EnrolRequest};
use crate::wire::frame::decode;
use crate::wire::revocation::{self, SignedLists};
use crate::wire::{Code, Extensions, Frame};

pub use comparing::EnrolNews;

use comparing::Comparing;
use errand::{Errand, Join, JoinBy};

/// What happened outside.
#[derive(Debug)]
pub enum EnrolInput<'a> {
    /// The key is stored: dial.
    Start,
    /// The socket is connected.
    Connected(ConnId),
    /// It could not be.
    Unreachable(ConnId),
    /// Bytes came in.
    Received(ConnId, &'a [u8]),
    /// The socket took this many bytes of [`Enrolment::outbound`].
    Sent(ConnId, usize),
    /// The socket has ended.
    Ended(ConnId),
    /// Time has passed.
    Tick,
}

/// What an enrolment came to.
#[derive(Clone, Debug)]
pub enum EnrolResult {
    /// Who the device is from now on. To be stored.
    Enrolled(Box<Identity>),
    /// The server refused, for this reason; the number is a detail of it.
    Refused(Code, u16),
    /// What the server sent is not a certificate for us.
    BadCertificate(CertRefusal),
    /// The server shows another log than the one that this device knows.
    LogRefused(LogRefusal),
    /// It did not come to an answer. Asking again, with the same key, is safe.
    Lost(CloseReason),
}

/// One attempt at enrolment.
#[derive(Debug)]
pub struct Enrolment {
    env: TlsEnv,
    errand: Errand,
    stage: Stage,
    deadline: Option<Instant>,
    server_time: Option<Wall>,
    incarnation: Option<u64>,
    /// Set if this device would wait for another one of its user.
    comparing: Option<Comparing>,
    news: VecDeque<EnrolNews>,
    /// What the relay has shown, its own certificate first.
    shown: Vec<CertificateDer<'static>>,
    lists: Lists,
    basis: Option<Basis>,
    result: Option<EnrolResult>,
    outputs: VecDeque<Output>,
    turned: bool,
}

#[derive(Debug)]
enum Stage {
    New,
    Dialling,
    Greeting(Link, Option<Exporter>),
    Asking(Link),
    Ending(Link),
    Over,
}

/// The one connection of an enrolment.
const CONN: ConnId = ConnId(1);

impl Enrolment {
    /// An attempt with an invite, for a name, with a key that is already stored.
    pub fn new(env: TlsEnv, invite: InviteLink, name: DeviceName, key: SecretKey) -> Self {
        let (server, by) = (invite.server(), JoinBy::Invite(invite.token));
        Self::on(env, Errand::Join(Box::new(Join { server, by, name, key, recovery: None })))
    }

    /// An attempt with a password, for a name, with a key that is already stored.
    pub fn sign_up(env: TlsEnv, server: ServerLink, password: Password, name: DeviceName, key: SecretKey) -> Self {
        Self::on(
            env,
            Errand::Join(Box::new(Join { server, by: JoinBy::Password(password), name, key, recovery: None })),
        )
    }

    /// An attempt to have the certificate of a device renewed, of this number, which needs not hold any more.
    pub fn renewal(env: TlsEnv, own: Identity, serial: Serial) -> Self {
        // No list that is older than one that this device has seen says who is revoked.
        let lists = own.lists.clone();
        Self { lists, ..Self::on(env, Errand::Renew { own: Box::new(own), serial }) }
    }

    fn on(env: TlsEnv, errand: Errand) -> Self {
        Self {
            env,
            errand,
            stage: Stage::New,
            deadline: None,
            server_time: None,
            incarnation: None,
            comparing: None,
            news: VecDeque::new(),
            shown: Vec::new(),
            lists: Lists::default(),
            basis: None,
            result: None,
            outputs: VecDeque::new(),
            turned: false,
        }
    }

    /// The same attempt, which waits for another device to vouch for this one if the user is there already.
    #[must_use]
    pub fn ready_to_wait(mut self, rng: &mut dyn CryptoRng) -> Self {
        self.comparing = Some(Comparing::new(rng));
        self
    }

    /// The same attempt, which comes back by the user's recovery key, and in no other way.
    #[must_use]
    pub fn by_recovery(mut self, recovery: &SecretKey) -> Self {
        if let Errand::Join(join) = &mut self.errand {
            let word = RecoveryWord::give(recovery, &join.server.realm, &join.name, join.key.spki().id());
            join.recovery = Some(word);
        }
        self
    }

    /// By what right the log says that this device is its user's, once it has joined.
    pub fn basis(&self) -> Option<&Basis> {
        self.basis.as_ref()
    }

    /// What there is to tell a person while their device waits.
    pub fn poll_news(&mut self) -> Option<EnrolNews> {
        self.news.pop_front()
    }

    /// Takes one input.
    pub fn handle(&mut self, input: &EnrolInput<'_>, now: Now) {
        self.env.clock.set(now.wall);
        self.turned = true;
        match input {
            EnrolInput::Start => {
                if let Stage::New = self.stage {
                    self.stage = Stage::Dialling;
                    self.deadline = Some(now.mono.plus(HANDSHAKE_TIME_MAX));
                    self.outputs.push_back(Output::Dial(CONN));
                }
            }
            EnrolInput::Connected(_) => {
                if let Stage::Dialling = self.stage {
                    let (realm, root) = self.errand.expects();
                    let dial = Dial::enrol(&self.env, realm, root);
                    self.stage = Stage::Greeting(Link::connect(&dial), None);
                }
            }
            EnrolInput::Unreachable(_) => self.finish(EnrolResult::Lost(CloseReason::Unreachable), now),
            EnrolInput::Received(_, bytes) => self.received(bytes, now),
            &EnrolInput::Sent(_, n) => {
                if let Some(link) = self.link_mut() {
                    link.sent(n);
                }
            }
            EnrolInput::Ended(_) => {
                let mut events = Vec::new();
                if let Some(link) = self.link_mut() {
                    link.ended(&mut events);
                }
                self.events(events, now);
                self.over();
            }
            EnrolInput::Tick => {
                if self.deadline.is_some_and(|deadline| deadline <= now.mono) {
                    self.deadline = None;
                    if self.result.is_none() {
                        self.finish(EnrolResult::Lost(CloseReason::TimedOut), now);
                    } else {
                        self.over();
                    }
                }
            }
        }
    }

    /// The next thing to be done outside. Nothing is told by [`Output::Tell`]: see [`Enrolment::result`].
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() && std::mem::take(&mut self.turned) {
            match self.link_mut().and_then(Link::step) {
                Some(Step::Write) => self.outputs.push_back(Output::Write(CONN)),
                Some(Step::Shut) => self.outputs.push_back(Output::Shut(CONN)),
                None => {}
            }
        }
        self.outputs.pop_front()
    }

    /// When the attempt next wants a tick.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// What the socket should take.
    pub fn outbound(&self) -> &[u8] {
        match &self.stage {
            Stage::Greeting(link, _) | Stage::Asking(link) | Stage::Ending(link) => link.outbound(),
            Stage::New | Stage::Dialling | Stage::Over => &[],
        }
    }

    /// What it came to, once the connection has ended, too.
    pub fn result(&self) -> Option<&EnrolResult> {
        if let Stage::Over = self.stage { self.result.as_ref() } else { None }
    }

    /// The server's clock, if it was told: for saying that a clock is off.
    pub fn server_time(&self) -> Option<Wall> {
        self.server_time
    }

    /// Which life of the server's journal granted the certificate, once it has.
    pub fn incarnation(&self) -> Option<u64> {
        self.incarnation
    }

    fn received(&mut self, bytes: &[u8], now: Now) {
        let mut events = Vec::new();
        if let Some(link) = self.link_mut() {
            link.received(bytes, &mut events);
        }
        self.events(events, now);
    }

    fn events(&mut self, events: Vec<LinkEvent>, now: Now) {
        for event in events {
            match event {
                LinkEvent::Secured(secured) => {
                    if let Stage::Greeting(_, exporter) = &mut self.stage {
                        *exporter = Some(secured.exporter);
                        self.shown = secured.shown;
                    }
                }
                LinkEvent::Message(message) => match decode::<EnrolEvent>(&message) {
                    Ok(event) => self.said(event, now),
                    Err(fault) => self.fault(fault, now),
                },
                LinkEvent::Closed(reason) => self.finish(EnrolResult::Lost(reason), now),
            }
        }
    }

    fn said(&mut self, event: EnrolEvent, now: Now) {
        match (std::mem::replace(&mut self.stage, Stage::Over), event) {
            (Stage::Greeting(mut link, Some(exporter)), EnrolEvent::Welcome { time, extensions }) => {
                self.server_time = Some(time);
                let asked = self
                    .welcomed(&extensions, now.wall)
                    .map(|()| self.errand.request(self.comparing.as_ref(), &self.env, &exporter));
                match asked {
                    Ok(request) => {
                        // The first frame of all finds room.
                        let _ = link.send(&Frame::message(&request));
                        self.stage = Stage::Asking(link);
                    }
                    Err(fault) => {
                        self.stage = Stage::Greeting(link, None);
                        self.fault(fault, now);
                    }
                }
            }
            (Stage::Asking(link), EnrolEvent::Granted(certified)) => {
                self.stage = Stage::Asking(link);
                self.incarnation = Some(certified.incarnation);
                let result = self.believe(&certified, now.wall);
                self.finish(result.unwrap_or_else(|refused| refused), now);
            }
            (Stage::Asking(link), EnrolEvent::Waiting { seconds }) if self.comparing.is_some() => {
                self.stage = Stage::Asking(link);
                if let Some(comparing) = &mut self.comparing {
                    let time = comparing.wait(seconds);
                    self.deadline = Some(now.mono.plus(time + HANDSHAKE_TIME_MAX));
                    self.news.push_back(EnrolNews::Waits(time));
                }
            }
            (Stage::Asking(link), EnrolEvent::Compare { by, key, nonce }) => {
                self.stage = Stage::Asking(link);
                if self.compare(by, key, &nonce).is_none() {
                    self.fault(Fault::Unexpected, now);
                }
            }
            (Stage::Asking(link), EnrolEvent::Refused { code, detail }) => {
                self.stage = Stage::Asking(link);
                self.finish(EnrolResult::Refused(code, detail), now);
            }
            (stage @ (Stage::Ending(_) | Stage::Over | Stage::New | Stage::Dialling), _) => self.stage = stage,
            (stage @ (Stage::Greeting(..) | Stage::Asking(_)), _) => {
                self.stage = stage;
                self.fault(Fault::Unexpected, now);
            }
        }
    }

    /// Another device compares: shows what this one has committed itself to, and tells the code.
    fn compare(&mut self, by: DeviceLabel, key: KeyId, nonce: &ComparisonNonce) -> Option<()> {
        let Errand::Join(join) = &self.errand else { return None };
        let own = (&join.name, join.key.spki().id());
        let comparing = self.comparing.as_mut()?;
        let (nonce, code) = comparing.compare(join.server.root, own, (&by, key), nonce)?;
        let reveal = EnrolRequest::Reveal { nonce, next: comparing.commitment() };
        self.link_mut()?.send(&Frame::message(&reveal)).ok()?;
        self.news.push_back(EnrolNews::Compare(by, code));
        Some(())
    }

    /// Hears the revocation lists, and judges the relay itself by them before it is asked for anything.
    fn welcomed(&mut self, extensions: &Extensions, now: Wall) -> Result<(), Fault> {
        extensions.check()?;
        let shown: SignedLists = extensions.get(revocation::LISTS)?.ok_or(Fault::Lists)?;
        shown.check()?;
        let (realm, pinned) = self.errand.expects();
        let is_pinned = |der: &&CertificateDer<'_>| Fingerprint::of(der) == pinned;
        let root = self.shown.iter().find(is_pinned).ok_or(Fault::Certificate(CertRefusal::BadRoot))?;
        let root = Root::parse(root, now).map_err(Fault::Certificate)?;
        self.lists.hear(&Trust::new(realm.clone(), root), &shown, now).map_err(|_| Fault::Lists)?;
        let relay = self.shown.first().ok_or(Fault::Certificate(CertRefusal::Missing))?;
        self.lists.judge_relay(relay).map_err(Fault::Certificate)
    }

    /// Checks what was sent: the pinned root, a chain to it, our name, our key, and that the log has it.
    fn believe(&mut self, certified: &Certified, now: Wall) -> Result<EnrolResult, EnrolResult> {
        let identity = match &self.errand {
            Errand::Join(join) => {
                let asked = belief::AskedFor { comparing: self.comparing.as_ref(), recovery: join.recovery.as_ref() };
                let (identity, basis) =
                    belief::identity(join, certified, asked, now).map_err(EnrolResult::BadCertificate)?;
                self.basis = Some(basis);
                identity
            }
            Errand::Renew { own, .. } => belief::renewed(own, certified, now)?,
        };
        Ok(EnrolResult::Enrolled(Box::new(Identity { lists: self.lists.clone(), ..identity })))
    }

    fn fault(&mut self, fault: Fault, now: Now) {
        if let Some(link) = self.link_mut() {
            let reason = link.fault(fault);
            self.finish(EnrolResult::Lost(reason), now);
        }
    }

    /// The result stands; the connection gets a while to end.
    fn finish(&mut self, result: EnrolResult, now: Now) {
        if self.result.is_some() {
            return;
        }
        self.result = Some(result);
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Greeting(mut link, _) | Stage::Asking(mut link) => {
                link.part(Code::FINISHED, 0);
                self.stage = Stage::Ending(link);
                self.deadline = Some(now.mono.plus(LINGER_TIME_MAX));
            }
            Stage::Dialling => {
                self.deadline = None;
                self.outputs.push_back(Output::Drop(CONN));
            }
            stage @ (Stage::New | Stage::Ending(_) | Stage::Over) => self.stage = stage,
        }
    }

    fn over(&mut self) {
        if let Stage::Ending(_) = self.stage {
            self.stage = Stage::Over;
            self.deadline = None;
            self.outputs.push_back(Output::Drop(CONN));
        }
    }

    fn link_mut(&mut self) -> Option<&mut Link> {
        match &mut self.stage {
            Stage::Greeting(link, _) | Stage::Asking(link) | Stage::Ending(link) => Some(link),
            Stage::New | Stage::Dialling | Stage::Over => None,
        }
    }
}

/// Checks one's own certificate: that it leads to the trusted root, names this device and holds its key.
pub fn check_own(
    trust: &Trust,
    leaf: &CertificateDer<'_>,
    issuing: &CertificateDer<'_>,
    name: &DeviceName,
    key: &DeviceKey,
    now: Wall,
) -> Result<Judged, CertRefusal> {
    let judge = |side| judge_device(trust, leaf, std::slice::from_ref(issuing), side, now, Some(name));
    let (judged, _) = (judge(Side::Client)?, judge(Side::Server)?);
    if judged.key == key.spki().id() { Ok(judged) } else { Err(CertRefusal::WrongKey) }
}
