//! Decides which door a ClientHello opens, before anything that costs public-key work is done for it.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::ClientHello;

use crate::fault::Fault;
use crate::tls::config::Doors;
use crate::wire::Channel;

/// The alerts for a ClientHello that no configuration answers (RFC 8446 §6.2, RFC 7301 §3.2).
const PROTOCOL_VERSION: u8 = 70;
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// Which door a ClientHello asks for: of exactly one protocol of ours, or none and the alert that says so.
pub(super) fn choose_door(
    hello: &ClientHello<'_>,
    doors: &Doors,
) -> Result<(Channel, Arc<ServerConfig>), (Fault, [u8; 7])> {
    // An older TLS, which has none of 1.3's suites, often names no protocol either: say what is the matter first.
    if !hello.cipher_suites().iter().any(|suite| u16::from(*suite) >> 8 == 0x13) {
        return Err((Fault::WrongTlsVersion, fatal(PROTOCOL_VERSION)));
    }
    let mut offered = hello.alpn().into_iter().flatten();
    let door = match (offered.next(), offered.next()) {
        // rustls would go on without.
        (None, _) => return Err((Fault::NoAlpn, fatal(NO_APPLICATION_PROTOCOL))),
        (Some(one), None) => Channel::from_alpn(one).and_then(|door| Some((door, doors.get(door)?.clone()))),
        (Some(_), Some(_)) => None,
    };
    door.ok_or((Fault::WrongAlpn, fatal(NO_APPLICATION_PROTOCOL)))
}

/// A fatal alert in a record of its own, not encrypted.
fn fatal(alert: u8) -> [u8; 7] {
    [21, 3, 3, 0, 2, 2, alert]
}
