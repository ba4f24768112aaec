//! How a device comes to its certificate (protocol §4): key first, stored before it is used; then the request.
//!
//! ```text
//! Keeping --stored--> Dialling --> Greeting --Welcome--> Asking --Granted, checked--> Keeping --stored--> done
//!                        |            |                     |  refused
//! ```
//!
//! The key is on the disk before anybody hears of it, so a lost answer costs nothing: the same invite with the same
//! key gets the same certificate again. What the server sends is checked as strictly as any stranger's certificate.

use std::collections::VecDeque;

use rustls_pki_types::CertificateDer;
use serde_bytes::{ByteArray, ByteBuf};

use super::{Following, Identity, Output};
use crate::fault::{CloseReason, Fault};
use crate::id::{ConnId, DeviceName, Fingerprint};
use crate::invite::InviteLink;
use crate::limits::{HANDSHAKE_TIME_MAX, LINGER_TIME_MAX};
use crate::link::{Link, LinkEvent, Step};
use crate::pki::{Csr, DeviceKey, SecretKey, binding_message};
use crate::time::{Instant, Now, Wall};
use crate::tlog::Included;
use crate::tls::{CertRefusal, Credentials, Dial, Exporter, Judged, Lists, Root, Side, TlsEnv, Trust, judge_device};
use crate::wire::enrol::{Certified, Enrol, EnrolEvent, EnrolRequest};
use crate::wire::frame::decode;
use crate::wire::log::{self, LogHead, LogProof};
use crate::wire::revocation::{self, SignedLists};
use crate::wire::{Code, Extensions, Frame};

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
    /// It did not come to an answer. Asking again, with the same key, is safe.
    Lost(CloseReason),
}

/// One attempt at enrolment.
#[derive(Debug)]
pub struct Enrolment {
    env: TlsEnv,
    invite: InviteLink,
    name: DeviceName,
    key: SecretKey,
    stage: Stage,
    deadline: Option<Instant>,
    server_time: Option<Wall>,
    incarnation: Option<u64>,
    /// What the relay has shown, its own certificate first.
    shown: Vec<CertificateDer<'static>>,
    lists: Lists,
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
        Self {
            env,
            invite,
            name,
            key,
            stage: Stage::New,
            deadline: None,
            server_time: None,
            incarnation: None,
            shown: Vec::new(),
            lists: Lists::default(),
            result: None,
            outputs: VecDeque::new(),
            turned: false,
        }
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
                    let dial = Dial::enrol(&self.env, &self.invite.realm, self.invite.root);
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
                let asked = self.welcomed(&extensions, now.wall).map(|()| self.request(&exporter));
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
                let result = match self.believe(&certified, now.wall) {
                    Ok(identity) => EnrolResult::Enrolled(Box::new(identity)),
                    Err(refusal) => EnrolResult::BadCertificate(refusal),
                };
                self.finish(result, now);
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

    /// Hears the revocation lists, and judges the relay itself by them before it is asked for anything.
    fn welcomed(&mut self, extensions: &Extensions, now: Wall) -> Result<(), Fault> {
        extensions.check()?;
        let shown: SignedLists = extensions.get(revocation::LISTS)?.ok_or(Fault::Lists)?;
        shown.check()?;
        let is_pinned = |der: &&CertificateDer<'_>| Fingerprint::of(der) == self.invite.root;
        let root = self.shown.iter().find(is_pinned).ok_or(Fault::Certificate(CertRefusal::BadRoot))?;
        let root = Root::parse(root, now).map_err(Fault::Certificate)?;
        self.lists.hear(&Trust::new(self.invite.realm.clone(), root), &shown, now).map_err(|_| Fault::Lists)?;
        let relay = self.shown.first().ok_or(Fault::Certificate(CertRefusal::Missing))?;
        self.lists.judge_relay(relay).map_err(Fault::Certificate)
    }

    fn request(&self, exporter: &Exporter) -> EnrolRequest {
        let csr = Csr::make(&self.key, &self.name, &self.invite.realm);
        let message = binding_message(exporter, self.invite.token.hash(), &self.name);
        EnrolRequest::Enrol(Enrol {
            token: self.invite.token.clone(),
            user: self.name.user.as_str().to_owned(),
            device: self.name.device.as_str().to_owned(),
            csr: ByteBuf::from(csr.der()),
            binding: ByteArray::new(self.key.sign(&message)),
            extensions: Extensions::default(),
        })
    }

    /// Checks what was sent: the pinned root, a chain to it, our name, our key.
    fn believe(&self, certified: &Certified, now: Wall) -> Result<Identity, CertRefusal> {
        let identity = identity(&self.invite, self.name.clone(), self.key.clone(), certified, now)?;
        Ok(Identity { lists: self.lists.clone(), ..identity })
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

/// Makes an identity of what an enrolment sent, or of what was stored of it, after checking all of it.
fn identity(
    invite: &InviteLink,
    name: DeviceName,
    key: SecretKey,
    certified: &Certified,
    now: Wall,
) -> Result<Identity, CertRefusal> {
    certified.extensions.check().map_err(|_| CertRefusal::Malformed)?;
    let root = Root::parse(&certified.root, now)?;
    if root.fingerprint() != invite.root {
        return Err(CertRefusal::BadRoot);
    }
    let trust = Trust::new(invite.realm.clone(), root);
    let leaf = CertificateDer::from(certified.device.to_vec());
    let issuing = CertificateDer::from(certified.issuing.to_vec());
    let key = DeviceKey::from(key);
    let judged = check_own(&trust, &leaf, &issuing, &name, &key, now)?;
    let mut log = Following::default();
    logged(&trust, &mut log, &judged, certified, now).ok_or(CertRefusal::NotLogged)?;
    Ok(Identity { name, credentials: Credentials { leaf, issuing, key }, trust, log, lists: Lists::default() })
}

/// Begins to follow the log with the head that came along, believes that it has the certificate, and watches it from there.
fn logged(trust: &Trust, log: &mut Following, judged: &Judged, certified: &Certified, now: Wall) -> Option<Included> {
    let head: LogHead = certified.extensions.get(log::HEAD).ok()??;
    let proof: LogProof = certified.extensions.get(log::PROOF).ok()??;
    log.hear(trust, certified.incarnation, &head, now).ok()?;
    let included = log.believe(judged, Some(&proof)).ok()?;
    log.read_from(&proof).ok()?;
    Some(included)
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
