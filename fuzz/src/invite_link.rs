//! Decides whether an invite's link reads in one way, writes as it reads, and holds nothing that a shell would interpret.

use countersign_core::invite::{Endpoint, InviteLink};
use countersign_core::limits::{HOST_BYTES_MAX, REALM_BYTES_MAX};

/// A text, as somebody pasted it.
pub fn invite_link(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(endpoint) = Endpoint::parse(text) {
        check_endpoint(text, &endpoint);
    }
    let Ok(link) = InviteLink::parse(text) else { return };
    let again = link.to_text();
    assert_eq!(InviteLink::parse(&again).as_ref(), Ok(&link), "what is written reads back");
    assert!(again.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/.-_[]".contains(&byte)), "{again:?}");
    assert!(link.realm.as_str().len() <= REALM_BYTES_MAX);
    // Everything but the endpoint has one form alone.
    let parts = |text: &str| text.trim().splitn(4, '/').nth(3).map(str::to_owned);
    assert_eq!(parts(&again), parts(text));
    let endpoint = text.trim().split('/').nth(2).unwrap_or_default();
    check_endpoint(endpoint, &link.endpoint);
}

fn check_endpoint(text: &str, endpoint: &Endpoint) {
    assert!((1..=HOST_BYTES_MAX).contains(&endpoint.host().len()), "{text:?}");
    assert_ne!(endpoint.port(), 0, "{text:?}");
    let again = endpoint.to_string();
    assert_eq!(Endpoint::parse(&again).as_ref(), Ok(endpoint), "{text:?}");
    // An IPv6 address may be written in several ways, and so may a port, with zeros before it. Nothing else may.
    let plain = |text: &str| {
        let (host, port) = text.rsplit_once(':').unwrap_or_default();
        let host = if host.starts_with('[') && host.ends_with(']') { String::from("[]") } else { host.to_owned() };
        (host, port.trim_start_matches('0').to_owned())
    };
    assert_eq!(plain(&again), plain(text), "one endpoint was written in two ways");
}
