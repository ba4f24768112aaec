//! How a device has another one of its user join: the side that compares and vouches (design 4, protocol §4.16); and how it has
//! one taken back.
//!
//! ```text
//!        List                 Compare                  the person says yes      Endorse
//! Idle -------> Listing ---------------> Comparing --> Compared -----------> Settling --> Idle
//!                  | nobody waits          | it opens something else | no: Dismiss
//! ```
//!
//! One at a time. Our nonce leaves only once the other side's commitment is here, and the word is given for the very key
//! that was compared: what the server lists afterwards changes nothing.

use std::collections::VecDeque;

use super::asks::Asked;
use super::{Identity, Wake};
use crate::id::{AskId, DeviceLabel, DeviceName, KeyId};
use crate::limits::ASK_TIME_MAX;
use crate::pki::Spki;
use crate::pki::comparison::{Commitment, ComparisonCode, ComparisonNonce, Side};
use crate::time::{Deadlines, Instant, Now, Wall};
use crate::tlog::{Endorsement, ReasonCode};
use crate::wire::Code;
use crate::wire::devices::{DevicesEvent, DevicesRequest, OwnDevice, WaitingDevice};
use crate::wire::relay::RelayRequest;

/// What came of an ask about this user's devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approval {
    /// The devices of this user, and those that wait to be approved.
    Devices(Vec<OwnDevice>, Vec<WaitingDevice>),
    /// A device of this user's has begun to wait.
    Waits(DeviceLabel),
    /// A device that waits has to show this very code, too: then [`super::Command::Endorse`] vouches for it.
    Compared(DeviceLabel, ComparisonCode),
    /// What came from a device that waits is not what it had committed itself to: something between the two lies.
    Uncommitted(DeviceLabel),
    /// The device is this user's from now on.
    Endorsed(DeviceLabel),
    /// The device was sent away.
    Dismissed(DeviceLabel),
    /// The recovery key is the user's from now on.
    Armed,
    /// The device was taken back, and everybody who is present is told by revocation lists of this number.
    Withdrawn(DeviceLabel, u64),
    /// So many of the devices that are present go by the lists that were asked about, and so many do not yet.
    Acted(u32, u32),
    /// Which device has made the recovery code that counts, and when; nothing if none does.
    Recovery(Option<(DeviceLabel, Wall)>),
}

/// What is asked here is numbered from three quarters: calls, the watch and other asks count elsewhere.
const FIRST_ASK: u64 = 3 << 62;

/// A device that is to be vouched for, as it was listed.
#[derive(Debug)]
struct Candidate {
    device: DeviceLabel,
    key: KeyId,
    commitment: Commitment,
}

/// How far this device has come with it.
#[derive(Debug, Default)]
enum Stage {
    #[default]
    Idle,
    /// Asked which devices there are; with a nonce, in order to compare with this one.
    Listing(Option<(DeviceLabel, ComparisonNonce)>),
    Comparing(Candidate, ComparisonNonce),
    /// The person compares.
    Compared(Candidate),
    /// It is approved, or else sent away.
    Settling(DeviceLabel, bool),
    /// The recovery key is to be made, by this word for it.
    Arming(Spki, Box<Endorsement>),
    /// A device of this user is to be taken back.
    Withdrawing(Withdrawal),
    /// Asked who goes by the lists of this number.
    Watching(u64),
    /// Asked whether a recovery key counts.
    Recalling,
}

/// A device that is to be taken back: which, why, whether it may be the last, and the word for it.
#[derive(Clone, Debug)]
struct Withdrawal {
    device: DeviceLabel,
    reason: ReasonCode,
    force: bool,
    endorsement: Box<Endorsement>,
}

/// The approvals of a device.
#[derive(Debug, Default)]
pub(super) struct Approvals {
    stage: Stage,
    count: u64,
    online: bool,
    deadlines: Deadlines<Wake>,
    requests: VecDeque<RelayRequest>,
    events: VecDeque<Asked>,
}

impl Approvals {
    /// Asks which devices there are.
    pub(super) fn list(&mut self, now: Now) {
        self.stage = Stage::Listing(None);
        self.begin(now);
    }

    /// Compares with one that waits.
    pub(super) fn compare(&mut self, device: DeviceLabel, nonce: ComparisonNonce, now: Now) {
        self.stage = Stage::Listing(Some((device, nonce)));
        self.begin(now);
    }

    /// The person has compared, and the codes are the same.
    pub(super) fn endorse(&mut self, own: &Identity, now: Now) {
        let Stage::Compared(candidate) = std::mem::take(&mut self.stage) else { return };
        // Keys made elsewhere vouch for nobody, which was said when the comparison was wished for.
        let Some(key) = own.credentials.key.as_ed25519() else { return };
        let name = DeviceName { user: own.name.user.clone(), device: candidate.device.clone() };
        let (realm, by) = (own.trust.realm(), own.name.device.clone());
        let endorsement = Box::new(Endorsement::give(by, &key, realm, &name, candidate.key));
        let device = candidate.device;
        self.stage = Stage::Settling(device.clone(), true);
        self.ask(|ask| DevicesRequest::Endorse { ask, device, endorsement }, now);
    }

    /// Sends one away that waits.
    pub(super) fn dismiss(&mut self, device: DeviceLabel, now: Now) {
        self.stage = Stage::Settling(device, false);
        self.begin(now);
    }

    /// Makes a recovery key. Asked twice it is made once.
    pub(super) fn arm(&mut self, key: Spki, own: &Identity, now: Now) {
        let Some(secret) = own.credentials.key.as_ed25519() else {
            return self.end(Asked::Refused(Code::RECOVERY_REFUSED));
        };
        let (realm, DeviceName { user, device }) = (own.trust.realm(), &own.name);
        let endorsement = Box::new(Endorsement::arm(device.clone(), &secret, realm, user, key.id()));
        self.stage = Stage::Arming(key, endorsement);
        self.begin(now);
    }

    /// Takes a device of this user back. Asked twice it is refused the second time, and is out.
    pub(super) fn withdraw(&mut self, device: DeviceLabel, reason: ReasonCode, force: bool, own: &Identity, now: Now) {
        let Some(secret) = own.credentials.key.as_ed25519() else {
            return self.end(Asked::Refused(Code::WITHDRAWAL_REFUSED));
        };
        let name = DeviceName { user: own.name.user.clone(), device: device.clone() };
        let word = Endorsement::withdraw(own.name.device.clone(), &secret, own.trust.realm(), &name, reason);
        self.stage = Stage::Withdrawing(Withdrawal { device, reason, force, endorsement: Box::new(word) });
        self.begin(now);
    }

    /// Asks how many go by revocation lists of this number.
    pub(super) fn acted(&mut self, number: u64, now: Now) {
        self.stage = Stage::Watching(number);
        self.begin(now);
    }

    /// Asks whether a recovery code of the user's counts.
    pub(super) fn recovery(&mut self, now: Now) {
        self.stage = Stage::Recalling;
        self.begin(now);
    }

    /// There is a relay: what was wished for before is begun.
    pub(super) fn online(&mut self, now: Now) {
        self.online = true;
        self.begin(now);
    }

    /// The relay is lost, and with it what has begun: whether a word that was given had arrived is not known.
    pub(super) fn offline(&mut self) {
        self.online = false;
        self.requests.clear();
        self.deadlines.clear(Wake::Approve);
        match self.stage {
            // Asked again of the next relay, with the same end.
            Stage::Idle
            | Stage::Listing(_)
            | Stage::Settling(_, false)
            | Stage::Arming(..)
            | Stage::Withdrawing(_)
            | Stage::Watching(_)
            | Stage::Recalling => {}
            Stage::Comparing(..) | Stage::Compared(_) | Stage::Settling(_, true) => {
                self.stage = Stage::Idle;
                self.end(Asked::Unanswered);
            }
        }
    }

    /// The relay says something about our user's devices.
    pub(super) fn heard(&mut self, event: DevicesEvent, own: &Identity, now: Now) {
        match event {
            DevicesEvent::List { ask, own: devices, waiting } if self.is_newest(ask) => {
                let Stage::Listing(wish) = std::mem::take(&mut self.stage) else { return };
                match wish {
                    None => self.end(Asked::Approval(Approval::Devices(devices, waiting))),
                    Some((device, nonce)) => self.begin_comparison(&device, nonce, waiting, own, now),
                }
            }
            DevicesEvent::Compared { ask, nonce } if self.is_newest(ask) => {
                let Stage::Comparing(candidate, ours) = std::mem::take(&mut self.stage) else { return };
                self.compared(candidate, &ours, &nonce, own);
            }
            DevicesEvent::Done { ask } if self.is_newest(ask) => match std::mem::take(&mut self.stage) {
                Stage::Settling(device, true) => self.end(Asked::Approval(Approval::Endorsed(device))),
                Stage::Settling(device, false) => self.end(Asked::Approval(Approval::Dismissed(device))),
                Stage::Arming(..) => self.end(Asked::Approval(Approval::Armed)),
                Stage::Idle
                | Stage::Listing(_)
                | Stage::Comparing(..)
                | Stage::Compared(_)
                | Stage::Withdrawing(_)
                | Stage::Watching(_)
                | Stage::Recalling => {}
            },
            DevicesEvent::Withdrawn { ask, number } if self.is_newest(ask) => {
                let Stage::Withdrawing(Withdrawal { device, .. }) = std::mem::take(&mut self.stage) else { return };
                self.end(Asked::Approval(Approval::Withdrawn(device, number)));
            }
            DevicesEvent::Acted { ask, acted, left } if self.is_newest(ask) => {
                let Stage::Watching(_) = std::mem::take(&mut self.stage) else { return };
                self.end(Asked::Approval(Approval::Acted(acted, left)));
            }
            DevicesEvent::Recovery { ask, armed } if self.is_newest(ask) => {
                let Stage::Recalling = std::mem::take(&mut self.stage) else { return };
                self.end(Asked::Approval(Approval::Recovery(armed)));
            }
            DevicesEvent::Waits { device } => self.events.push_back(Asked::Approval(Approval::Waits(device))),
            // An answer to what is not asked any more.
            DevicesEvent::List { .. }
            | DevicesEvent::Compared { .. }
            | DevicesEvent::Done { .. }
            | DevicesEvent::Withdrawn { .. }
            | DevicesEvent::Acted { .. }
            | DevicesEvent::Recovery { .. } => {}
        }
    }

    /// The relay refuses an ask; whether it was one of these.
    pub(super) fn refused(&mut self, ask: AskId, code: Code) -> bool {
        let ours = ask.0 > FIRST_ASK && ask.0 <= FIRST_ASK + self.count;
        // A comparison may be refused after it was answered, where the other device has gone while the person compares.
        if ours && self.is_newest(ask) && !matches!(self.stage, Stage::Idle) {
            self.stage = Stage::Idle;
            self.end(Asked::Refused(code));
        }
        ours
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Now) {
        if self.deadlines.take_due(now.mono).is_some() {
            self.stage = Stage::Idle;
            self.end(Asked::Unanswered);
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

    /// The next thing to tell the user.
    pub(super) fn poll_event(&mut self) -> Option<Asked> {
        self.events.pop_front()
    }

    fn begin_comparison(
        &mut self,
        device: &DeviceLabel,
        nonce: ComparisonNonce,
        waiting: Vec<WaitingDevice>,
        own: &Identity,
        now: Now,
    ) {
        if own.credentials.key.as_ed25519().is_none() {
            return self.end(Asked::Refused(Code::CANNOT_ENDORSE));
        }
        // The newest, if it came more than once.
        let listed = waiting.into_iter().rev().find(|waiting| waiting.device == *device);
        let key = listed.as_ref().and_then(|listed| Spki::from_ed25519_bytes(listed.key.as_ref()));
        let (Some(listed), Some(key)) = (listed, key) else { return self.end(Asked::Refused(Code::NOT_WAITING)) };
        let candidate = Candidate { device: listed.device, key: key.id(), commitment: listed.commitment };
        let (device, key, ours) = (candidate.device.clone(), candidate.key, nonce.clone());
        self.stage = Stage::Comparing(candidate, ours);
        self.ask(|ask| DevicesRequest::Compare { ask, device, key, nonce }, now);
    }

    fn compared(&mut self, candidate: Candidate, ours: &ComparisonNonce, theirs: &ComparisonNonce, own: &Identity) {
        if theirs.commitment() != candidate.commitment {
            return self.end(Asked::Approval(Approval::Uncommitted(candidate.device)));
        }
        let name = DeviceName { user: own.name.user.clone(), device: candidate.device.clone() };
        let waiting = Side { device: &name, key: candidate.key, nonce: theirs };
        let approving = Side { device: &own.name, key: own.credentials.key.spki().id(), nonce: ours };
        let code = ComparisonCode::of(own.trust.root().fingerprint(), waiting, approving);
        let device = candidate.device.clone();
        self.stage = Stage::Compared(candidate);
        self.end(Asked::Approval(Approval::Compared(device, code)));
    }

    /// Begins what was wished for, or begins it again, once there is a relay.
    fn begin(&mut self, now: Now) {
        match &self.stage {
            Stage::Listing(_) if self.online => self.ask(|ask| DevicesRequest::List { ask }, now),
            Stage::Settling(device, false) if self.online => {
                let device = device.clone();
                self.ask(|ask| DevicesRequest::Dismiss { ask, device }, now);
            }
            Stage::Arming(key, endorsement) if self.online => {
                let (key, endorsement) = (key.clone(), endorsement.clone());
                self.ask(|ask| DevicesRequest::Arm { ask, key, endorsement }, now);
            }
            Stage::Withdrawing(withdrawal) if self.online => {
                let Withdrawal { device, reason, force, endorsement } = withdrawal.clone();
                self.ask(|ask| DevicesRequest::Withdraw { ask, device, reason, force, endorsement }, now);
            }
            Stage::Watching(number) if self.online => {
                let number = *number;
                self.ask(|ask| DevicesRequest::Acted { ask, number }, now);
            }
            Stage::Recalling if self.online => self.ask(|ask| DevicesRequest::Recovery { ask }, now),
            Stage::Idle
            | Stage::Listing(_)
            | Stage::Comparing(..)
            | Stage::Compared(_)
            | Stage::Settling(..)
            | Stage::Arming(..)
            | Stage::Withdrawing(_)
            | Stage::Watching(_)
            | Stage::Recalling => {}
        }
    }

    fn ask(&mut self, request: impl FnOnce(AskId) -> DevicesRequest, now: Now) {
        self.count += 1;
        self.requests.push_back(RelayRequest::Devices(request(AskId(FIRST_ASK + self.count))));
        self.deadlines.set(Wake::Approve, now.mono.plus(ASK_TIME_MAX));
    }

    fn is_newest(&self, ask: AskId) -> bool {
        ask.0 == FIRST_ASK + self.count
    }

    fn end(&mut self, asked: Asked) {
        self.deadlines.clear(Wake::Approve);
        self.events.push_back(asked);
    }
}
