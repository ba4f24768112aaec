//! Seeds from requests for certificates: the cast's, openssl's of each kind of key, and what one may ask for too much.

use fuzz::cast::cast;
use fuzz::der::wrap;

use super::Seeds;

/// By `openssl req -new -outform DER`, with keys of which nothing was kept.
const OPENSSL: [(&str, &[u8]); 5] = [
    ("ed25519", include_bytes!("csr/ed25519.der")),
    ("p256", include_bytes!("csr/p256.der")),
    ("p384", include_bytes!("csr/p384.der")),
    ("rsa2048", include_bytes!("csr/rsa2048.der")),
    ("rsa4096", include_bytes!("csr/rsa4096.der")),
];

/// `form | for whom | binding | bytes`.
pub(super) fn seeds() -> Seeds {
    let mut seeds = Seeds::new();
    for (n, member) in (0..).zip(&cast().home.members) {
        let head = |binding: u8| [&[0, n, binding], member.csr.as_slice()].concat();
        let name = member.name.user.as_str();
        seeds.extend([0, 1, 2].map(|binding| (format!("{name}-{binding}"), head(binding))));
        seeds.push((format!("{name}-trailing"), [head(0), vec![0]].concat()));
    }
    seeds.extend(OPENSSL.iter().map(|(name, der)| ((*name).into(), [&[0, 0, 0], *der].concat())));
    seeds.push(("too-long".into(), vec![0; 5000]));
    // The signed part alone, and Alice's attributes alone.
    let info = fuzz::der::first(&cast().home.members[0].csr).and_then(|(whole, _)| fuzz::der::first(whole.content));
    let info = info.expect("an honest request can be read").0;
    seeds.push(("signed-part".into(), [&[1, 0, 0], info.whole].concat()));
    let parts = fuzz::der::all(info.content).expect("an honest request can be read");
    seeds.push(("attributes".into(), [&[2, 0, 0], parts.last().expect("attributes").content].concat()));
    for (name, list) in extensions() {
        seeds.push((format!("asks-{name}"), [&[3, 0, 0], list.as_slice()].concat()));
    }
    seeds
}

/// One extension: the last byte of its identifier under 2.5.29, and its value.
fn extension(number: u8, value: &[u8]) -> Vec<u8> {
    wrap(0x30, &[&[6, 3, 0x55, 0x1d, number], wrap(4, value).as_slice()].concat())
}

fn extensions() -> Vec<(&'static str, Vec<u8>)> {
    let name = |tag: u8, text: &str| wrap(tag, text.as_bytes());
    let names = |list: &[Vec<u8>]| extension(17, &wrap(0x30, &list.concat()));
    let own = name(0x82, "laptop.alice.chat.internal");
    let usages = wrap(0x30, &[wrap(6, &[0x2b, 6, 1, 5, 5, 7, 3, 1]), wrap(6, &[0x2b, 6, 1, 5, 5, 7, 3, 2])].concat());
    vec![
        ("own-name", names(std::slice::from_ref(&own))),
        ("own-name-twice", [names(std::slice::from_ref(&own)), names(std::slice::from_ref(&own))].concat()),
        ("other-name", names(&[own, name(0x82, "laptop.bob.chat.internal")])),
        ("email", names(&[name(0x81, "a@b.c")])),
        ("address", names(&[wrap(0x87, &[127, 0, 0, 1])])),
        ("no-ca", extension(19, &[0x30, 0])),
        ("ca", extension(19, &[0x30, 3, 1, 1, 0xff])),
        ("signing", extension(15, &[3, 2, 2, 4])),
        ("crl-signing", extension(15, &[3, 2, 1, 2])),
        ("digital-signature", extension(15, &[3, 2, 7, 0x80])),
        ("usages", extension(37, &usages)),
        ("constraints", extension(30, &[0x30, 0])),
    ]
}
