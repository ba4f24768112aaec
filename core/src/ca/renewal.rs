//! How a device asks for another certificate: online by the connection that proves it, and later by a signature (protocol
//! §4.12, §5.9). From the check on it is the road of every certificate.
//!
//! | check | what | test (`server/tests/renewal.rs`) | forgeries (`sim/src/forge`) |
//! | --- | --- | --- | --- |
//! | RN-05 | the certificate's own key asks, on this very connection | `another_key_or_another_connection_renews_nothing` | `renew-wrong-key`, `renew-other-session`, `renew-others-serial` |

use super::{Asker, Ca, No, Step, refuse};
use crate::effect::{Room, Turn};
use crate::id::{AskId, ConnId, DeviceName, Serial};
use crate::journal::renewal::may_renew;
use crate::journal::{Record, RenewRefusal, Renewal};
use crate::limits::APPENDS_PENDING_MAX;
use crate::pki::{Validity, renewal_message};
use crate::relay::Admitted;
use crate::tls::Exporter;
use crate::wire::enrol::{RENEWED_NAME, Renew};

impl Ca {
    /// A member asks on its connection, which has proved its key.
    pub fn renew(&mut self, ask: AskId, from: &Admitted, turn: &mut Turn<'_>) {
        let asker = Asker::Member(from.conn(), ask);
        let is_asked = |other: &Asker| matches!(other, Asker::Member(conn, _) if *conn == from.conn());
        // One at a time, so that nobody has the journal read without end.
        let result =
            if self.askers().any(is_asked) { Err(No::Busy) } else { self.try_renew(asker, from.serial(), turn) };
        if let Err(no) = result {
            refuse(asker, no, turn.out);
        }
    }

    /// A device asks that can't show its certificate any more.
    pub fn renew_expired(&mut self, conn: ConnId, exporter: &Exporter, renew: &Renew, turn: &mut Turn<'_>) {
        let asker = Asker::Returning(conn, renew.seen);
        let result = proved(exporter, renew, turn).and_then(|serial| self.try_renew(asker, serial, turn));
        if let Err(no) = result {
            refuse(asker, no, turn.out);
        }
    }

    fn try_renew(&mut self, asker: Asker, of: Serial, turn: &mut Turn<'_>) -> Result<(), No> {
        self.in_office(turn)?;
        let at = turn.now.wall;
        let Validity { not_before, not_after } = self.authority.renewal(at);
        match may_renew(turn.state, of, not_after, at).map_err(No::Renewal)? {
            Renewal::Before(serial) => {
                let is_left = turn.state.granted(serial).is_some() && !self.is_being_issued(serial);
                if is_left {
                    // It did not pass our own checks, and may by now.
                    self.waiting.entry(serial).or_default().push(asker);
                    self.issue(serial, turn.state, turn.out);
                    return Ok(());
                }
                self.again(asker, serial, turn)
            }
            Renewal::Of(of) => {
                if self.appending.len() >= APPENDS_PENDING_MAX {
                    return Err(No::Busy);
                }
                let serial = Serial::draw(turn.rng);
                let record = Record::CertificateRenewed { of, serial, not_before, not_after, at };
                let id = turn.out.append(Room::Ca, vec![record]);
                self.appending.insert(id, Step::Granting(asker));
                Ok(())
            }
        }
    }

    /// Whoever waits for a certificate, at whatever step.
    fn askers(&self) -> impl Iterator<Item = &Asker> {
        let granting = self.appending.values().filter_map(|step| match step {
            Step::Granting(asker) | Step::Admitting(asker) => Some(asker),
            // An endorsement is of a device that has no certificate yet.
            Step::Issuing(_) | Step::Rotating(..) | Step::Endorsing(..) | Step::Arming(_) | Step::Setting(..) => None,
        });
        granting.chain(self.loading.values()).chain(self.waiting.values().flatten())
    }
}

/// RN-05, and which certificate it is that is to be renewed. The key is the journal's, not the asker's: a number that the
/// journal does not have is one from after the backup from which this server was restored, and the key that proves itself is
/// the same in each certificate of a device.
fn proved(exporter: &Exporter, renew: &Renew, turn: &Turn<'_>) -> Result<Serial, No> {
    let unknown = No::Renewal(RenewRefusal::Unknown);
    let known = turn.state.progress(renew.serial).map(|_| renew.serial);
    let of_device = || {
        let name: DeviceName = renew.extensions.get(RENEWED_NAME).ok()??;
        Some(turn.state.device(&name)?.serial)
    };
    let serial = known.or_else(of_device).ok_or(unknown)?;
    let grant = &turn.state.progress(serial).ok_or(No::Renewal(RenewRefusal::Unknown))?.grant;
    let message = renewal_message(exporter, renew.serial, &grant.name);
    if grant.key.verifies_own(&message, &renew.signature) { Ok(serial) } else { Err(No::Unproved) }
}
