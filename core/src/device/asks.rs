//! What a device asks the relay and waits for: who there is, and the certificates of somebody.
//!
//! An ask that the relay does not answer in time has failed, however lively the relay is otherwise. One that is made
//! while there is no relay, or whose relay is lost, is asked again of the next.

use std::collections::VecDeque;

use rustls_pki_types::CertificateDer;

use super::approve::Approval;
use super::{Identity, LogRefusal, Wake};
use crate::fault::Fault;
use crate::id::{AskId, UserName};
use crate::limits::{ASK_TIME_MAX, DEVICES_PER_USER_MAX, USERS_MAX};
use crate::password::Password;
use crate::time::{Deadlines, Instant, Now, Wall};
use crate::tlog::{Audit, AuditRefusal, Auditor, Founder};
use crate::tls::{CertRefusal, Judged, Side, judge_device};
use crate::wire::Code;
use crate::wire::log::{self, Lineage, LogPage, LogProof};
use crate::wire::relay::{Person, RelayEvent, RelayRequest};

/// What came of an ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// All people of the realm, in order of name.
    People(Vec<Person>),
    /// The certificates of somebody, one for each device, each with what we think of it.
    Certificates(UserName, Vec<Fetched>),
    /// The log was read whole, and held against the newest checkpoint that this device knew when it began to read.
    Log(Result<Audit, AuditRefusal>),
    /// About this user's devices.
    Approval(Approval),
    /// This device's certificate holds until then.
    Renewed(Wall),
    /// This user's password is the one that was asked for from now on.
    PasswordSet,
    /// The relay did not give what was asked for.
    Refused(Code),
    /// The relay did not answer in time.
    Unanswered,
}

/// A certificate as the relay has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The leaf in DER.
    pub leaf: CertificateDer<'static>,
    /// The issuing CA in DER.
    pub issuing: CertificateDer<'static>,
    /// What it says, if it is to be believed now.
    pub verdict: Result<Judged, CertRefusal>,
    /// Which person's device it is, if the log shows that it is one's.
    pub founder: Option<Founder>,
}

/// The asks of a device, one of each kind at a time.
#[derive(Debug, Default)]
pub(super) struct Asks {
    count: u64,
    who: Option<(AskId, Vec<Person>)>,
    fetch: Option<Fetching>,
    /// What is fetched then: the relay does one after the other.
    fetches: VecDeque<(UserName, For)>,
    /// Nothing was taken yet before the first page.
    read: Option<(AskId, Option<Auditor>)>,
    password: Option<(AskId, Password)>,
    online: bool,
    deadlines: Deadlines<Wake>,
    requests: VecDeque<RelayRequest>,
    events: VecDeque<Asked>,
    vouched: VecDeque<Judged>,
    conversed: VecDeque<(UserName, Result<Vec<Fetched>, Code>)>,
}

/// Whose certificates are being fetched.
#[derive(Debug)]
struct Fetching {
    ask: AskId,
    user: UserName,
    fetched: Vec<Fetched>,
    wanted_by: For,
}

/// Who wants certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    User,
    /// A call, which may go on with whoever has a newer one.
    Calls,
    /// A conversation that is to begin.
    Conversations,
}

impl Asks {
    /// Asks who there is.
    pub(super) fn who(&mut self, now: Now) {
        let ask = self.number();
        self.who = Some((ask, Vec::new()));
        self.send(RelayRequest::Who { ask, after: None }, Wake::Who, now);
    }

    /// Asks for somebody's certificates.
    pub(super) fn fetch(&mut self, user: UserName, now: Now) {
        self.begin_fetch(user, For::User, now);
    }

    /// Asks for the certificates of somebody who is in a call.
    pub(super) fn vouch(&mut self, user: UserName, now: Now) {
        self.begin_fetch(user, For::Calls, now);
    }

    /// Asks for the certificates of somebody with whom a conversation is to begin.
    pub(super) fn converse(&mut self, user: UserName, now: Now) {
        self.begin_fetch(user, For::Conversations, now);
    }

    fn begin_fetch(&mut self, user: UserName, wanted_by: For, now: Now) {
        // A person's newer wish takes the place of the older; a call's waits, and is waited for.
        let stands = self.fetch.as_ref().is_some_and(|fetch| For::User != wanted_by || fetch.wanted_by != For::User);
        if stands {
            self.fetches.retain(|(_, other)| wanted_by != For::User || *other != For::User);
            return self.fetches.push_back((user, wanted_by));
        }
        let ask = self.number();
        self.fetch = Some(Fetching { ask, user: user.clone(), fetched: Vec::new(), wanted_by });
        self.send(RelayRequest::Fetch { ask, user }, Wake::Fetch, now);
    }

    /// One fetch is over, and the next begins.
    fn end_fetch(&mut self, now: Now) -> Option<Fetching> {
        let fetch = self.fetch.take();
        self.deadlines.clear(Wake::Fetch);
        if let Some((user, wanted_by)) = self.fetches.pop_front() {
            self.begin_fetch(user, wanted_by, now);
        }
        fetch
    }

    /// Asks for the whole log.
    pub(super) fn read_log(&mut self, now: Now) {
        let ask = self.number();
        self.read = Some((ask, None));
        self.send(RelayRequest::Leaves { ask, from: 0 }, Wake::ReadLog, now);
    }

    /// Sets this user's password.
    pub(super) fn set_password(&mut self, password: Password, now: Now) {
        let ask = self.number();
        self.password = Some((ask, password.clone()));
        self.send(RelayRequest::Password { ask, password }, Wake::Password, now);
    }

    /// It was set.
    pub(super) fn password_set(&mut self, ask: AskId) {
        if self.password.take_if(|(waiting, _)| *waiting == ask).is_some() {
            self.deadlines.clear(Wake::Password);
            self.events.push_back(Asked::PasswordSet);
        }
    }

    /// There is a relay, perhaps another one: what is not answered is asked again.
    pub(super) fn online(&mut self, now: Now) {
        self.online = true;
        if self.who.is_some() {
            self.who(now);
        }
        if let Some(Fetching { user, wanted_by, .. }) = self.fetch.take() {
            self.begin_fetch(user, wanted_by, now);
        }
        if self.read.is_some() {
            self.read_log(now);
        }
        if let Some((_, password)) = self.password.take() {
            self.set_password(password, now);
        }
    }

    /// The relay is lost.
    pub(super) fn offline(&mut self) {
        self.online = false;
        self.requests.clear();
        self.deadlines.clear(Wake::Who);
        self.deadlines.clear(Wake::Fetch);
        self.deadlines.clear(Wake::ReadLog);
        self.deadlines.clear(Wake::Password);
    }

    /// A page of people has come.
    pub(super) fn people(&mut self, ask: AskId, page: Vec<Person>, more: bool, now: Now) -> Result<(), Fault> {
        let Some((_, people)) = self.who.as_mut().filter(|(waiting, _)| *waiting == ask) else { return Ok(()) };
        let endless = more && page.is_empty();
        people.extend(page);
        if endless || people.len() > USERS_MAX {
            return Err(Fault::Malformed);
        }
        match people.last() {
            Some(last) if more => {
                let after = Some(last.user.clone());
                self.send(RelayRequest::Who { ask, after }, Wake::Who, now);
            }
            Some(_) | None => {
                let people = std::mem::take(people);
                self.who = None;
                self.deadlines.clear(Wake::Who);
                self.events.push_back(Asked::People(people));
            }
        }
        Ok(())
    }

    /// A certificate has come; [`RelayEvent::Certificate`] and nothing else.
    pub(super) fn certificate(&mut self, event: RelayEvent, own: &Identity, now: Now) -> Result<(), Fault> {
        let RelayEvent::Certificate { ask, leaf, issuing, more, extensions } = event else { return Ok(()) };
        let Some(Fetching { user, fetched, .. }) = self.fetch.as_mut().filter(|fetch| fetch.ask == ask) else {
            return Ok(());
        };
        let (leaf, issuing) = (CertificateDer::from(leaf.into_vec()), CertificateDer::from(issuing.into_vec()));
        let proof: Option<LogProof> = extensions.get(log::PROOF)?;
        let lineage: Lineage = extensions.get(log::LINEAGE)?.unwrap_or_default();
        let mut founder = None;
        let verdict = judge_device(&own.trust, &leaf, std::slice::from_ref(&issuing), Side::Client, now.wall, None)
            .and_then(|judged| if judged.device.user == *user { Ok(judged) } else { Err(CertRefusal::OtherName) })
            .and_then(|judged| match own.log.believe(&judged, proof.as_ref(), &lineage) {
                Ok(expected) => {
                    founder = Some(expected.founder());
                    Ok(judged)
                }
                Err(LogRefusal::Lineage(_)) => Err(CertRefusal::NotEndorsed),
                Err(_) => Err(CertRefusal::NotLogged),
            })
            .and_then(|judged| own.lists.judge(judged.issuer, judged.serial, now.wall).map(|()| judged));
        fetched.push(Fetched { leaf, issuing, verdict, founder });
        if more {
            if fetched.len() >= DEVICES_PER_USER_MAX {
                return Err(Fault::Malformed);
            }
            self.deadlines.set(Wake::Fetch, now.mono.plus(ASK_TIME_MAX));
        } else if let Some(Fetching { user, fetched, wanted_by, .. }) = self.end_fetch(now) {
            match wanted_by {
                For::User => self.events.push_back(Asked::Certificates(user, fetched)),
                For::Calls => self.vouched.extend(fetched.into_iter().filter_map(|fetched| fetched.verdict.ok())),
                For::Conversations => self.conversed.push_back((user, Ok(fetched))),
            }
        }
        Ok(())
    }

    /// A page of the log has come.
    pub(super) fn leaves(&mut self, ask: AskId, page: &LogPage, own: &Identity, now: Now) {
        let Some((_, auditor)) = self.read.take_if(|(waiting, _)| *waiting == ask) else { return };
        let begin = || {
            let signed = own.log.view().ok_or(AuditRefusal::Unsigned)?.newest().head();
            Ok(Auditor::new(own.name.user.clone(), *signed))
        };
        let taken = auditor.map_or_else(begin, Ok).and_then(|mut auditor| {
            page.leaves.iter().try_for_each(|leaf| auditor.take(leaf))?;
            Ok(auditor)
        });
        match taken {
            Ok(auditor) if page.more && !auditor.is_whole() => {
                let from = auditor.taken();
                self.read = Some((ask, Some(auditor)));
                self.send(RelayRequest::Leaves { ask, from }, Wake::ReadLog, now);
            }
            taken => {
                self.deadlines.clear(Wake::ReadLog);
                self.events.push_back(Asked::Log(taken.and_then(Auditor::close)));
            }
        }
    }

    /// The relay refuses an ask; whether it was one of these.
    pub(super) fn refused(&mut self, ask: AskId, code: Code, now: Now) -> bool {
        if self.password.take_if(|(waiting, _)| *waiting == ask).is_some() {
            self.deadlines.clear(Wake::Password);
            self.events.push_back(Asked::Refused(code));
            return true;
        }
        let ours = self.fetch.as_ref().is_some_and(|fetch| fetch.ask == ask);
        if ours && let Some(fetch) = self.end_fetch(now) {
            match fetch.wanted_by {
                For::User => self.events.push_back(Asked::Refused(code)),
                For::Calls => {}
                For::Conversations => self.conversed.push_back((fetch.user, Err(code))),
            }
        }
        ours
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Now) {
        while let Some(wake) = self.deadlines.take_due(now.mono) {
            match wake {
                Wake::Who => self.who = None,
                Wake::ReadLog => self.read = None,
                Wake::Password => self.password = None,
                Wake::Fetch => {
                    match self.end_fetch(now) {
                        Some(Fetching { wanted_by: For::User, .. }) => {}
                        // The calls ask again by themselves.
                        Some(Fetching { wanted_by: For::Calls, .. }) | None => continue,
                        Some(Fetching { wanted_by: For::Conversations, user, .. }) => {
                            self.conversed.push_back((user, Err(Code::TIMED_OUT)));
                            continue;
                        }
                    }
                }
                Wake::Redial
                | Wake::Admission
                | Wake::Liveness
                | Wake::Linger
                | Wake::Call(_)
                | Wake::Direct(_)
                | Wake::Leaving
                | Wake::Watch
                | Wake::Doubt
                | Wake::Approve
                | Wake::Conversations
                | Wake::Renewal => unreachable!("the others keep those"),
            }
            self.events.push_back(Asked::Unanswered);
        }
    }

    /// When something is due next.
    pub(super) fn next_deadline(&self) -> Option<(Instant, Wake)> {
        self.deadlines.next()
    }

    /// The next request for the relay.
    pub(super) fn poll_request(&mut self) -> Option<RelayRequest> {
        self.requests.pop_front()
    }

    /// The next certificate for the calls, found good.
    pub(super) fn poll_vouched(&mut self) -> Option<Judged> {
        self.vouched.pop_front()
    }

    /// The next person's certificates for a conversation, or why there are none.
    pub(super) fn poll_conversed(&mut self) -> Option<(UserName, Result<Vec<Fetched>, Code>)> {
        self.conversed.pop_front()
    }

    /// The next thing to tell the user.
    pub(super) fn poll_event(&mut self) -> Option<Asked> {
        self.events.pop_front()
    }

    fn send(&mut self, request: RelayRequest, wake: Wake, now: Now) {
        if self.online {
            self.requests.push_back(request);
            self.deadlines.set(wake, now.mono.plus(ASK_TIME_MAX));
        }
    }

    fn number(&mut self) -> AskId {
        self.count += 1;
        // Calls number theirs from the other end, so that the two never meet.
        AskId(u64::MAX - self.count)
    }
}
