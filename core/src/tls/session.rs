//! One TLS connection over buffers: ciphertext in, plaintext out, and the other way round (RFC 8446).
//!
//! ```text
//!            ClientHello, exactly one ALPN of ours            Finished
//! Accepting ------------------------------------> Handshaking ---------> Open
//!     |  anything else: alert, Fault                   |  alert, Fault     |  close_notify, Fault
//! ```
//!
//! Who is asked for public-key work by strangers accepts by [`Session::accept_held`]: then there is a stop before
//! `Handshaking`, where no work was done yet, until [`Session::proceed`].
//!
//! None of rustls's buffer limits leaks above this file: plaintext is drained after each step, and what is sealed is
//! taken out at once.

mod hello;

use std::fmt;
use std::io::{Read, Write};
use std::sync::Arc;

use rustls::server::{Accepted, Acceptor};
use rustls::{ClientConnection, Connection, HandshakeKind, ServerConfig, ServerConnection};
use rustls_pki_types::CertificateDer;

use super::adapter::from_rustls;
use super::config::{Dial, Doors};
use super::verify::{CertRefusal, Proven, proven_by_handshake};
use crate::fault::{CloseReason, Fault};
use crate::id::{DeviceName, Realm};
use crate::limits::{HANDSHAKE_BYTES_MAX, RECORD_BYTES_MAX};
use crate::wire::Channel;

/// What the exporter is for (RFC 8446 §7.5, RFC 5705).
const EXPORTER_LABEL: &[u8] = b"EXPORTER-countersign";

/// A value that both ends of one TLS session know and nobody else: it names the session.
#[derive(Clone, PartialEq, Eq)]
pub struct Exporter([u8; 32]);

impl Exporter {
    /// The value.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn for_tests(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exporter(secret)")
    }
}

/// What a finished handshake says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secured {
    /// For what the connection is.
    pub channel: Channel,
    /// Which device the other side is. On the enrolment channel it is a newcomer or, seen from there, the relay.
    pub device: Option<Proven<DeviceName>>,
    /// What the relay has shown, to whoever connected to it: its certificate first. Of devices there is `device`.
    pub shown: Vec<CertificateDer<'static>>,
    /// The session's name.
    pub exporter: Exporter,
}

/// What came of some ciphertext.
#[derive(Debug, Default)]
pub struct Opened {
    /// Set once, when the handshake has finished.
    pub secured: Option<Secured>,
    /// Plaintext, after that.
    pub plaintext: Vec<u8>,
    /// The other side said `close_notify`.
    pub peer_closed: bool,
}

/// One TLS connection.
pub struct Session {
    state: State,
    realm: Realm,
    /// Whether the handshake stops after the `ClientHello`.
    held: bool,
    handshake_bytes: usize,
    ciphertext: Vec<u8>,
}

enum State {
    /// The `ClientHello` isn't here yet.
    Accepting(Box<Acceptor>, Arc<Doors>),
    /// It is here, and nothing was done about it yet.
    Held(Box<Held>),
    /// The keys are being agreed.
    Handshaking(Box<Connection>),
    /// Both sides are known.
    Open(Box<Connection>),
    /// Over: nothing more is read.
    Dead,
}

/// A `ClientHello` that waits.
struct Held {
    accepted: Accepted,
    door: Channel,
    config: Arc<ServerConfig>,
    /// What came after it.
    rest: Vec<u8>,
}

impl Session {
    /// The side that is connected to.
    pub fn accept(doors: Arc<Doors>) -> Self {
        let realm = doors.realm().clone();
        Self::new(State::Accepting(Box::default(), doors), realm)
    }

    /// The same, but it goes no further than the `ClientHello` before [`Session::proceed`].
    pub fn accept_held(doors: Arc<Doors>) -> Self {
        Self { held: true, ..Self::accept(doors) }
    }

    /// The side that connects; its `ClientHello` waits in the ciphertext already.
    ///
    /// # Panics
    /// If the configuration can't be used, which ours always can.
    pub fn connect(dial: &Dial) -> Self {
        let connection =
            ClientConnection::new(dial.config.clone(), dial.name.clone()).expect("a configuration of ours can be used");
        let mut session = Self::new(State::Handshaking(Box::new(connection.into())), dial.realm.clone());
        session.collect();
        session
    }

    fn new(state: State, realm: Realm) -> Self {
        Self { state, realm, held: false, handshake_bytes: 0, ciphertext: Vec::new() }
    }

    /// Takes ciphertext from the other side and adds to `opened` what came of it, whatever the result: what was good
    /// before a bad record counts, in one bite as in two. On an error the alert that tells the other side so is in the
    /// ciphertext to be sent.
    pub fn received(&mut self, bytes: &[u8], opened: &mut Opened) -> Result<(), CloseReason> {
        if !matches!(self.state, State::Open(_)) {
            self.handshake_bytes = self.handshake_bytes.saturating_add(bytes.len());
        }
        self.work(bytes, opened)
    }

    /// Which door the `ClientHello` asked for, while it waits for [`Session::proceed`].
    pub fn held(&self) -> Option<Channel> {
        if let State::Held(held) = &self.state { Some(held.door) } else { None }
    }

    /// Lets a handshake that waits go on, with all that came meanwhile. The result is that of [`Session::received`].
    pub fn proceed(&mut self, opened: &mut Opened) -> Result<(), CloseReason> {
        if let State::Held(_) = self.state
            && let State::Held(held) = std::mem::replace(&mut self.state, State::Dead)
        {
            let Held { accepted, config, rest, .. } = *held;
            let mut bytes = rest.as_slice();
            self.state = self.begin(accepted, config, &mut bytes, opened)?;
            self.work(bytes, opened)?;
        }
        Ok(())
    }

    fn work(&mut self, mut bytes: &[u8], opened: &mut Opened) -> Result<(), CloseReason> {
        while !bytes.is_empty() {
            let step = match std::mem::replace(&mut self.state, State::Dead) {
                State::Accepting(acceptor, doors) => self.accept_step(acceptor, doors, &mut bytes, opened),
                State::Held(mut held) => {
                    held.rest.extend_from_slice(std::mem::take(&mut bytes));
                    Ok(State::Held(held))
                }
                State::Handshaking(connection) => self.handshake_step(connection, &mut bytes, opened),
                State::Open(connection) => self.open_step(connection, &mut bytes, opened),
                State::Dead => return Ok(()),
            };
            self.state = step?;
            let unfinished = !matches!(self.state, State::Open(_));
            if unfinished && self.handshake_bytes > HANDSHAKE_BYTES_MAX {
                self.state = State::Dead;
                return Err(CloseReason::Fault(Fault::HandshakeTooLong));
            }
        }
        self.collect();
        Ok(())
    }

    /// Encrypts plaintext of ours.
    ///
    /// # Panics
    /// If the handshake is not over: nothing is said before the other side is known.
    pub fn seal(&mut self, plaintext: &[u8]) {
        let State::Open(connection) = &mut self.state else {
            assert!(matches!(self.state, State::Dead), "plaintext was to be sent before the handshake was over");
            return;
        };
        for chunk in plaintext.chunks(RECORD_BYTES_MAX) {
            connection.writer().write_all(chunk).expect("a record fits rustls's buffer, which is drained each time");
            drain(connection, &mut self.ciphertext);
        }
    }

    /// Says `close_notify` (RFC 8446 §6.1).
    pub fn close(&mut self) {
        if let State::Open(connection) | State::Handshaking(connection) = &mut self.state {
            connection.send_close_notify();
            drain(connection, &mut self.ciphertext);
        }
    }

    /// Changes our keys and asks the other side to change its own (RFC 8446 §4.6.3), which we never do.
    #[cfg(test)]
    pub(crate) fn change_keys(&mut self) {
        let State::Open(connection) = &mut self.state else { panic!("the handshake is not over") };
        connection.refresh_traffic_keys().expect("keys can be changed");
        drain(connection, &mut self.ciphertext);
    }

    /// Whether the handshake is over.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Moves the ciphertext that waits to be sent to the end of `out`.
    pub fn take_ciphertext(&mut self, out: &mut Vec<u8>) {
        // No buffer stays behind: a connection is idle most of the time.
        let mut ciphertext = std::mem::take(&mut self.ciphertext);
        if out.is_empty() {
            *out = ciphertext;
        } else {
            out.append(&mut ciphertext);
        }
    }

    #[cfg(test)]
    pub(crate) fn buffer_bytes(&self) -> usize {
        self.ciphertext.capacity()
    }

    fn accept_step(
        &mut self,
        mut acceptor: Box<Acceptor>,
        doors: Arc<Doors>,
        bytes: &mut &[u8],
        opened: &mut Opened,
    ) -> Result<State, CloseReason> {
        if acceptor.read_tls(bytes).is_err() {
            return Err(CloseReason::Fault(Fault::HandshakeTooLong));
        }
        let accepted = match acceptor.accept() {
            Ok(None) => return Ok(State::Accepting(acceptor, doors)),
            Ok(Some(accepted)) => accepted,
            Err((error, mut alert)) => {
                let _ = alert.write_all(&mut self.ciphertext);
                return Err(reason(&error));
            }
        };
        let (door, config) = match hello::choose_door(&accepted.client_hello(), &doors) {
            Ok(door) => door,
            Err((fault, alert)) => {
                self.ciphertext.extend_from_slice(&alert);
                return Err(CloseReason::Fault(fault));
            }
        };
        if self.held {
            return Ok(State::Held(Box::new(Held { accepted, door, config, rest: Vec::new() })));
        }
        self.begin(accepted, config, bytes, opened)
    }

    /// Answers a `ClientHello`: from here on it costs public-key operations.
    fn begin(
        &mut self,
        accepted: Accepted,
        config: Arc<ServerConfig>,
        bytes: &mut &[u8],
        opened: &mut Opened,
    ) -> Result<State, CloseReason> {
        match accepted.into_connection(config) {
            Ok(connection) => {
                let mut connection = Box::new(ServerConnection::into(connection));
                // The ClientHello that the acceptor read, and what came with it, is still to be worked on.
                self.process(&mut connection, bytes, opened)?;
                self.advance(connection, opened)
            }
            Err((error, mut alert)) => {
                let _ = alert.write_all(&mut self.ciphertext);
                Err(reason(&error))
            }
        }
    }

    fn handshake_step(
        &mut self,
        connection: Box<Connection>,
        bytes: &mut &[u8],
        opened: &mut Opened,
    ) -> Result<State, CloseReason> {
        let fed = self.feed(connection, bytes, opened);
        if fed.is_err() {
            // Whoever was not named yet has said nothing.
            opened.plaintext.clear();
        }
        self.advance(fed?, opened)
    }

    fn open_step(
        &mut self,
        connection: Box<Connection>,
        bytes: &mut &[u8],
        opened: &mut Opened,
    ) -> Result<State, CloseReason> {
        Ok(State::Open(self.feed(connection, bytes, opened)?))
    }

    /// Lets rustls work on one bite of ciphertext and drains the plaintext that it gives.
    fn feed(
        &mut self,
        mut connection: Box<Connection>,
        bytes: &mut &[u8],
        opened: &mut Opened,
    ) -> Result<Box<Connection>, CloseReason> {
        let before = bytes.len();
        if connection.read_tls(bytes).is_err() {
            return Err(CloseReason::Fault(Fault::NotTls));
        }
        let stuck = bytes.len() == before;
        self.process(&mut connection, bytes, opened)?;
        if stuck {
            *bytes = &[];
        }
        Ok(connection)
    }

    /// Lets rustls work on what it has read.
    fn process(
        &mut self,
        connection: &mut Connection,
        bytes: &mut &[u8],
        opened: &mut Opened,
    ) -> Result<(), CloseReason> {
        let processed = connection.process_new_packets();
        let mut buffer = [0; 4096];
        // Until it would block, or has ended: what was opened before an error is there, too.
        while let Ok(n @ 1..) = connection.reader().read(&mut buffer) {
            opened.plaintext.extend_from_slice(buffer.get(..n).unwrap_or_default());
        }
        match processed {
            Ok(io) => {
                opened.peer_closed |= io.peer_has_closed();
                if opened.peer_closed {
                    // After close_notify nothing counts (RFC 8446 §6.1).
                    *bytes = &[];
                }
                Ok(())
            }
            Err(error) => {
                // The alert that says so waits in rustls: it goes out before anything is closed.
                drain(connection, &mut self.ciphertext);
                Err(reason(&error))
            }
        }
    }

    /// Sees whether the handshake is over by now.
    fn advance(&mut self, mut connection: Box<Connection>, opened: &mut Opened) -> Result<State, CloseReason> {
        drain(&mut connection, &mut self.ciphertext);
        if connection.is_handshaking() {
            return Ok(State::Handshaking(connection));
        }
        opened.secured = Some(self.secured(&connection)?);
        Ok(State::Open(connection))
    }

    /// Reads who the other side is off a handshake that our verifiers have passed.
    fn secured(&self, connection: &Connection) -> Result<Secured, CloseReason> {
        let channel =
            connection.alpn_protocol().and_then(Channel::from_alpn).ok_or(CloseReason::Fault(Fault::NoAlpn))?;
        assert!(
            matches!(connection.handshake_kind(), Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest)),
            "a session was resumed though resumption is off",
        );
        let is_server = matches!(connection, Connection::Server(_));
        let device = match (channel, is_server) {
            (Channel::Enrol, _) | (Channel::Relay, false) => None,
            (Channel::Relay, true) | (Channel::Peer, _) => {
                let leaf = connection
                    .peer_certificates()
                    .and_then(<[_]>::first)
                    .ok_or(CloseReason::Fault(Fault::Certificate(CertRefusal::Missing)))?;
                let proven = proven_by_handshake(leaf, &self.realm);
                Some(proven.map_err(|refusal| CloseReason::Fault(Fault::Certificate(refusal)))?)
            }
        };
        let shown = if device.is_none() { connection.peer_certificates().unwrap_or_default() } else { &[] };
        let shown = shown.iter().map(|der| der.clone().into_owned()).collect();
        let exporter = connection
            .export_keying_material([0; 32], EXPORTER_LABEL, None)
            .expect("a finished handshake has an exporter");
        Ok(Secured { channel, device, shown, exporter: Exporter(exporter) })
    }

    fn collect(&mut self) {
        if let State::Open(connection) | State::Handshaking(connection) = &mut self.state {
            drain(connection, &mut self.ciphertext);
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Accepting(..) => "Session(accepting)",
            State::Held(_) => "Session(held)",
            State::Handshaking(_) => "Session(handshaking)",
            State::Open(_) => "Session(open)",
            State::Dead => "Session(dead)",
        })
    }
}

fn drain(connection: &mut Connection, out: &mut Vec<u8>) {
    while connection.wants_write() {
        connection.write_tls(out).expect("a vector takes every write");
    }
}

/// Whose doing a TLS error is.
fn reason(error: &rustls::Error) -> CloseReason {
    use rustls::Error as E;
    #[allow(clippy::wildcard_enum_match_arm, reason = "rustls's list is open; the rest is not what TLS expects")]
    let fault = match error {
        // In the middle of a handshake rustls takes close_notify for an error; it refuses nothing.
        E::AlertReceived(rustls::AlertDescription::CloseNotify) => return CloseReason::PeerClosed,
        E::AlertReceived(alert) => return CloseReason::Alert((*alert).into()),
        E::InvalidCertificate(inner) => Fault::Certificate(from_rustls(inner)),
        E::NoCertificatesPresented => Fault::Certificate(CertRefusal::Missing),
        E::NoApplicationProtocol => Fault::WrongAlpn,
        E::DecryptError => Fault::BadRecord,
        E::PeerIncompatible(
            rustls::PeerIncompatible::Tls13RequiredForQuic
            | rustls::PeerIncompatible::SupportedVersionsExtensionRequired
            | rustls::PeerIncompatible::Tls12NotOfferedOrEnabled
            | rustls::PeerIncompatible::Tls12NotOffered
            | rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13
            | rustls::PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            // Every hello of TLS 1.3 has that extension (RFC 8446 §9.2), so this is one of TLS 1.1 or before.
            | rustls::PeerIncompatible::SignatureAlgorithmsExtensionRequired,
        ) => Fault::WrongTlsVersion,
        _ => Fault::NotTls,
    };
    CloseReason::Fault(fault)
}

#[cfg(test)]
mod tests;
