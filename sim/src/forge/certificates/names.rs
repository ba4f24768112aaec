//! Certificates of the genuine CA with names that are none, or somebody else's (RFC 5280 §4.2.1.6, RFC 6125 §6.4).

use countersign_core::device::calls::DirectEnd;
use countersign_core::fault::{CloseReason, Fault};
use countersign_core::id::NameRefusal;
use countersign_core::tls::CertRefusal;
use countersign_core::wire::Code;
use rcgen::SanType;

use super::super::mint::{Mint, dns};
use super::super::villain::{Heard, Shown};
use super::super::{Act, Door, Forgery, Reason, Verdict};
use super::{BAD_CERTIFICATE, CERTIFICATE_UNKNOWN, forged, refused_at};

/// All of them.
pub(super) fn forgeries() -> Vec<Forgery> {
    let mut all = kinds();
    all.extend(outside());
    all.extend(others());
    all
}

/// Names that are none.
fn kinds() -> Vec<Forgery> {
    const KIND: (CertRefusal, u8) = named(CertRefusal::NameKind);
    vec![
        forged("no-san", "mis-issued with a common name and no SAN", &["V-06"], named(CertRefusal::NoName), |mint| {
            Some(mint.misissued(|params| params.subject_alt_names.clear()))
        }),
        forged("wildcard", "mis-issued for all of one's devices", &["V-06"], named(CertRefusal::Wildcard), |mint| {
            Some(for_names(mint, &["*.mallory.chat.internal"]))
        }),
        forged("realm-wildcard", "mis-issued for everybody", &["V-06"], named(CertRefusal::Wildcard), |mint| {
            Some(for_names(mint, &["*.chat.internal"]))
        }),
        forged("email", "mis-issued with an e-mail address for a name", &["V-06"], KIND, |mint| {
            let mail = SanType::Rfc822Name("mallory@chat.internal".try_into().expect("ASCII"));
            Some(mint.misissued(|params| params.subject_alt_names = vec![mail]))
        }),
        forged("address", "mis-issued with an IP address for a name", &["V-06"], KIND, |mint| {
            let address = SanType::IpAddress("127.0.0.1".parse().expect("an address"));
            Some(mint.misissued(|params| params.subject_alt_names = vec![address]))
        }),
        forged("uri", "mis-issued with a URI for a name", &["V-06"], KIND, |mint| {
            let uri = SanType::URI("https://phone.mallory.chat.internal/".try_into().expect("ASCII"));
            Some(mint.misissued(|params| params.subject_alt_names = vec![uri]))
        }),
        forged(
            "several-names",
            "mis-issued for Mallory and for Alice",
            &["V-06"],
            named(CertRefusal::ManyNames),
            |mint| Some(for_names(mint, &["phone.mallory.chat.internal", "phone.alice.chat.internal"])),
        ),
    ]
}

/// Names that no device has.
fn outside() -> Vec<Forgery> {
    const fn not_a_device(refusal: NameRefusal) -> (CertRefusal, u8) {
        named(CertRefusal::NotADevice(refusal))
    }
    vec![
        forged(
            "outside-realm",
            "mis-issued for a name outside of the name constraint (RFC 5280 §4.2.1.10)",
            &["V-07"],
            named(CertRefusal::OutsideRealm),
            |mint| Some(for_names(mint, &["phone.mallory.chat.example"])),
        ),
        forged(
            "user-without-device",
            "mis-issued for a user instead of a device",
            &["V-07"],
            not_a_device(NameRefusal::NotOfRealm),
            |mint| Some(for_names(mint, &["mallory.chat.internal"])),
        ),
        forged(
            "label-too-many",
            "mis-issued for a name below a device's",
            &["V-07"],
            not_a_device(NameRefusal::NotOfRealm),
            |mint| Some(for_names(mint, &["x.phone.mallory.chat.internal"])),
        ),
        forged(
            "relay-name",
            "mis-issued to a member for the relay's name",
            &["V-07"],
            not_a_device(NameRefusal::NotOfRealm),
            |mint| Some(for_names(mint, &["relay.chat.internal"])),
        ),
        forged(
            "user-called-relay",
            "mis-issued for a user called relay",
            &["V-07"],
            not_a_device(NameRefusal::Reserved),
            |mint| Some(for_names(mint, &["phone.relay.chat.internal"])),
        ),
        forged(
            "upper-case",
            "mis-issued for the same name in other letters",
            &["V-07"],
            not_a_device(NameRefusal::UpperCase),
            |mint| Some(for_names(mint, &["phone.Mallory.chat.internal"])),
        ),
        forged(
            "punycode",
            "mis-issued for a name that shows as another",
            &["V-07"],
            not_a_device(NameRefusal::Punycode),
            |mint| Some(for_names(mint, &["phone.xn--mllory-9ta.chat.internal"])),
        ),
    ]
}

/// Names of other devices, or of this one with another key.
fn others() -> Vec<Forgery> {
    let unknown = Verdict { reason: Reason::Parted(Code::UNKNOWN_DEVICE), heard: Heard::Goodbye(Code::UNKNOWN_DEVICE) };
    let at = |door| (door, refused_at(door, CertRefusal::OtherName, BAD_CERTIFICATE));
    let everywhere =
        || vec![(Door::Relay, unknown), at(Door::Caller), at(Door::Callee), at(Door::Port), at(Door::Dialler)];
    let heard = Heard::Goodbye(Code::WRONG_PERSON);
    let not_the_one = DirectEnd::Failed(CloseReason::Ours(Code::WRONG_PERSON));
    let unlogged = |reason| Verdict { reason, heard: Heard::Goodbye(Code::NOT_LOGGED) };
    let not_believed = unlogged(Reason::Fault(Fault::Certificate(CertRefusal::NotLogged)));
    vec![
        Forgery {
            name: "unlogged",
            what: "made in secret with the genuine CA's key, for her own name and key: the log does not have it",
            checks: &["V-12"],
            tries: vec![
                (Door::Relay, unlogged(Reason::Parted(Code::NOT_LOGGED))),
                (Door::Caller, not_believed),
                (Door::Callee, not_believed),
                (Door::Port, Verdict { reason: Reason::Unmoved, heard }),
                (Door::Dialler, Verdict { reason: Reason::Tunnelled(not_the_one), heard }),
            ],
            act: Act::Shows(|mint| Some(mint.misissued(|_| ()))),
        },
        Forgery {
            name: "look-alike",
            what: "mis-issued for a name that looks like the one that was called",
            checks: &["V-08"],
            tries: everywhere(),
            act: Act::Shows(|mint| Some(for_names(mint, &["phone.ma11ory.chat.internal"]))),
        },
        Forgery {
            name: "other-device",
            what: "mis-issued for a device that its user does not have",
            checks: &["V-08"],
            tries: everywhere(),
            act: Act::Shows(|mint| Some(for_names(mint, &["tablet.mallory.chat.internal"]))),
        },
        Forgery {
            name: "unknown-device",
            what: "mis-issued, in order in everything, for somebody whom the directory does not have",
            checks: &["directory"],
            tries: vec![(Door::Relay, unknown)],
            act: Act::Shows(|mint| Some(for_names(mint, &["phone.oscar.chat.internal"]))),
        },
        Forgery {
            name: "second-certificate",
            what: "mis-issued for a member's name and another key: on a direct connection not the one of the tunnel",
            checks: &["directory", "protocol §7.5"],
            tries: vec![
                (Door::Relay, unknown),
                (Door::Port, Verdict { reason: Reason::Unmoved, heard }),
                (Door::Dialler, Verdict { reason: Reason::Tunnelled(not_the_one), heard }),
            ],
            act: Act::Shows(|mint| {
                mint.key = mint.another_key();
                Some(mint.misissued(|_| ()))
            }),
        },
    ]
}

const fn named(refusal: CertRefusal) -> (CertRefusal, u8) {
    (refusal, CERTIFICATE_UNKNOWN)
}

fn for_names(mint: &mut Mint<'_>, names: &[&str]) -> Shown {
    let names = names.iter().map(|name| dns(name)).collect();
    mint.misissued(|params| params.subject_alt_names = names)
}
