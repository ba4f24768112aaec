//! What a stranger may try at a handshake, and that it comes to nothing.

use proptest::prelude::*;
use rustls::SignatureScheme;
use rustls::crypto::aws_lc_rs::sign;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::liar::{Liar, Stubborn};
use super::*;
use crate::pki::KeyRefusal;
use crate::testing::vectors;

#[test]
fn the_wrong_key() {
    let house = House::new(1);
    let relay = Channel::Relay.alpn();
    let honest = Liar::with_key(&house, &house.alice.leaf, &house.alice.key);
    assert!(honest.at(&house, &[relay]).0.is_ok(), "the control");
    let thief = Liar::with_key(&house, &house.alice.leaf, &house.bob.key);
    assert_eq!(thief.at(&house, &[relay]), (Err(certificate(CertRefusal::WrongKey)), Some(51)));
}

#[test]
fn a_device_with_a_key_of_any_kind_passes_every_door_that_a_device_has() {
    for key in ["ed25519", "p256", "p384", "rsa2048", "rsa4096"] {
        let key = DeviceKey::from_pkcs8(&vectors::pkcs8(key)).unwrap();
        let (id, kind) = (key.spki().id(), key.kind());
        let house = House::new(1).with_alice(key);
        for channel in [Channel::Relay, Channel::Peer] {
            let (mut alice, mut other) = house.pair(channel);
            exchange(&mut alice, &mut other);
            let proven = other.secured.unwrap().device.unwrap();
            assert_eq!((proven.who(), proven.key()), (&name("alice"), id), "{kind} at {channel:?}");
        }
        // And on the other side: bob calls alice.
        let dial = Dial::peer(&house.env, &house.bob, &house.trust, &name("alice"));
        let doors = Arc::new(Doors::of_peer(&house.env, &house.alice, &house.trust, name("bob")));
        let (mut bob, mut alice) = (End::new(Session::connect(&dial)), End::new(Session::accept(doors)));
        exchange(&mut bob, &mut alice);
        assert_eq!(bob.secured.unwrap().device.unwrap().who(), &name("alice"), "{kind}, called");
        assert!(
            bob.sent < HANDSHAKE_BYTES_MAX / 8 && alice.sent < HANDSHAKE_BYTES_MAX / 8,
            "{kind}: far from the bound"
        );
    }
}

#[test]
fn a_scheme_of_another_key() {
    // Each signs well, with its own key, by a scheme that TLS 1.3 does not allow it.
    let rsa = DeviceKey::from_pkcs8(&vectors::pkcs8("rsa2048")).unwrap();
    let house = House::new(1).with_alice(rsa);
    let pkcs8 = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(house.alice.key.pkcs8().to_vec()));
    let key = sign::any_supported_type(&pkcs8).unwrap();
    let at = |scheme| {
        let chain = vec![house.alice.leaf.clone(), house.alice.issuing.clone()];
        Liar { chain, key: Arc::new(Stubborn(key.clone(), scheme)) }.at(&house, &[Channel::Relay.alpn()]).0
    };
    for scheme in [SignatureScheme::RSA_PKCS1_SHA256, SignatureScheme::RSA_PKCS1_SHA512] {
        assert_eq!(at(scheme), Err(certificate(CertRefusal::Scheme)), "{scheme:?}");
    }
    for scheme in [SignatureScheme::RSA_PSS_SHA256, SignatureScheme::RSA_PSS_SHA384, SignatureScheme::RSA_PSS_SHA512] {
        assert!(at(scheme).is_ok(), "{scheme:?} is the control");
    }
    // A scheme that is asked for, by a certificate whose key is of another kind.
    let house = House::new(1);
    let p256 = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(vectors::pkcs8("p256")));
    let key = Arc::new(Stubborn(sign::any_ecdsa_type(&p256).unwrap(), SignatureScheme::ECDSA_NISTP256_SHA256));
    let liar = Liar { chain: vec![house.alice.leaf.clone(), house.alice.issuing.clone()], key };
    assert_eq!(liar.at(&house, &[Channel::Relay.alpn()]).0, Err(certificate(CertRefusal::Scheme)));
}

#[test]
fn a_device_key_of_no_kind_of_ours_is_refused_though_its_owner_signs_well() {
    let house = House::new(1);
    let pkcs8 = PrivatePkcs8KeyDer::from(vectors::pkcs8("p521"));
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, &rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
    let leaf = sign_device(&house.founded, &grant(&name("alice"), house.alice.key.spki().clone()), &pair);
    let key = sign::any_ecdsa_type(&PrivateKeyDer::Pkcs8(pkcs8)).unwrap();
    let key = Arc::new(Stubborn(key, SignatureScheme::ECDSA_NISTP521_SHA512));
    let liar = Liar { chain: vec![leaf, house.alice.issuing.clone()], key };
    let refused = (Err(certificate(CertRefusal::Key(KeyRefusal::Curve))), Some(46));
    assert_eq!(liar.at(&house, &[Channel::Relay.alpn()]), refused);
}

#[test]
fn no_alpn_and_wrong_alpn_and_several_alpns() {
    let house = House::new(1);
    let liar = || Liar::with_key(&house, &house.alice.leaf, &house.alice.key);
    let at = |protocols: &[&[u8]]| liar().at(&house, protocols);
    let refused = |fault| (Err(CloseReason::Fault(fault)), Some(120));
    assert_eq!(at(&[]), refused(Fault::NoAlpn));
    for wrong in [&b"h2"[..], b"countersign/2", b"countersign", b"COUNTERSIGN/1", Channel::Peer.alpn()] {
        assert_eq!(at(&[wrong]), refused(Fault::WrongAlpn), "{}", String::from_utf8_lossy(wrong));
    }
    for several in [[Channel::Relay.alpn(), b"h2"], [Channel::Enrol.alpn(), Channel::Relay.alpn()]] {
        assert_eq!(at(&several), refused(Fault::WrongAlpn));
    }
}

/// A `ClientHello` in a record of its own, made by hand: a suite, and extensions as they are.
fn hello(version: [u8; 2], suite: [u8; 2], extensions: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap().to_be_bytes();
    let mut body = [&version[..], &[7; 32], &[0, 0, 2], &suite, &[1, 0]].concat();
    if !extensions.is_empty() {
        body.extend(length(extensions));
        body.extend(extensions);
    }
    let message = [&[1, 0][..], &length(&body), &body].concat();
    [&[22, 3, 1][..], &length(&message), &message].concat()
}

#[test]
fn an_older_tls_is_told_so_whatever_else_it_lacks() {
    let house = House::new(1);
    let schemes = [0, 13, 0, 4, 0, 2, 8, 7];
    let alpn = [&[0, 16, 0, 16, 0, 14, 13][..], Channel::Relay.alpn()].concat();
    let ecdhe = [0xc0, 0x2f];
    for (what, bytes, alert) in [
        ("1.2, nothing", hello([3, 3], ecdhe, &schemes), 70),
        ("1.2, our protocol", hello([3, 3], ecdhe, &[&schemes[..], &alpn].concat()), 70),
        ("a suite of 1.3 alone", hello([3, 3], [0x13, 1], &[&schemes[..], &alpn].concat()), 70),
        ("1.0", hello([3, 1], [0, 0x2f], &[]), 40),
    ] {
        let mut server = End::new(Session::accept(house.doors()));
        server.give(&bytes);
        assert_eq!(server.over, Some(CloseReason::Fault(Fault::WrongTlsVersion)), "{what}");
        assert_eq!(server.take(), [21, 3, 3, 0, 2, 2, alert], "{what}");
    }
}

#[test]
fn a_handshake_that_does_not_end_is_given_up() {
    let house = House::new(1);
    // A ClientHello that says it is as long as one may be, and trickles in.
    let mut first = vec![22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff];
    first.resize(5 + 0x4000, 0);
    let mut more = vec![22, 3, 3, 0x40, 0];
    more.resize(5 + 0x4000, 0);
    let mut server = End::new(Session::accept(house.doors()));
    server.give(&first);
    let mut given = first.len();
    while server.over.is_none() {
        assert!(given <= HANDSHAKE_BYTES_MAX, "it takes {given} bytes");
        server.give(&more);
        given += more.len();
    }
    assert_eq!(server.over, Some(CloseReason::Fault(Fault::HandshakeTooLong)));

    // A client that says hello and then nothing but what middle boxes are allowed to say.
    let (mut client, mut server) = house.pair(Channel::Relay);
    server.give(&client.take());
    let mut given = 0;
    while server.over.is_none() {
        assert!(given <= HANDSHAKE_BYTES_MAX, "it takes {given} bytes");
        server.give(&[20, 3, 3, 0, 1, 1]);
        given += 6;
    }
}

#[test]
fn a_handshake_that_waits_for_its_turn_keeps_so_much_and_not_a_byte_more() {
    let house = House::new(1);
    let (mut client, _) = house.pair(Channel::Relay);
    let mut server = End::new(Session::accept_held(house.doors()));
    let hello = client.take();
    server.give(&hello);
    assert_eq!(server.session.held(), Some(Channel::Relay));
    server.give(&vec![0; HANDSHAKE_BYTES_MAX - hello.len()]);
    assert_eq!((server.session.held(), server.over), (Some(Channel::Relay), None));
    server.give(&[0]);
    assert_eq!(server.over, Some(CloseReason::Fault(Fault::HandshakeTooLong)));
}

#[test]
fn what_comes_after_the_handshake_is_no_part_of_it() {
    let house = House::new(1);
    let (mut client, mut server) = house.pair(Channel::Relay);
    exchange(&mut client, &mut server);
    client.session.seal(&vec![7; 2 * HANDSHAKE_BYTES_MAX]);
    exchange(&mut client, &mut server);
    assert_eq!((server.plaintext.len(), server.over), (2 * HANDSHAKE_BYTES_MAX, None));
}

#[test]
fn any_altered_byte_of_a_handshake_changes_nothing_or_ends_it() {
    let house = House::new(1);
    let (mut client, mut server) = house.pair(Channel::Peer);
    exchange(&mut client, &mut server);
    let lengths = [(true, client.sent), (false, server.sent)];
    let mut refused = 0;
    for (way, at) in lengths.iter().flat_map(|(way, length)| (0..*length).map(|at| (*way, at))) {
        let (mut client, mut server) = house.pair(Channel::Peer);
        exchange_through(&mut client, &mut server, |upwards, offset, bytes| {
            if let Some(byte) = at.checked_sub(offset).and_then(|index| bytes.get_mut(index)).filter(|_| upwards == way)
            {
                *byte ^= 1 << (at % 8);
            }
        });
        for (end, other) in [(&client, "bob"), (&server, "alice")] {
            if let Some(secured) = &end.secured {
                assert_eq!(secured.device.as_ref().unwrap().who(), &name(other), "byte {at}");
                assert_eq!(secured.channel, Channel::Peer);
            }
        }
        if let (Some(here), Some(there)) = (&client.secured, &server.secured) {
            assert_eq!(here.exporter, there.exporter, "byte {at}");
        } else {
            refused += 1;
        }
    }
    assert!(refused > 2000, "hardly any alteration was noticed: {refused}");
}

#[test]
fn an_altered_record_ends_the_session_and_gives_no_data() {
    let house = House::new(1);
    let (mut client, mut server) = house.pair(Channel::Relay);
    exchange(&mut client, &mut server);
    client.session.seal(b"hello");
    let mut bytes = client.take();
    *bytes.last_mut().unwrap() ^= 1;
    server.give(&bytes);
    assert_eq!(server.over, Some(CloseReason::Fault(Fault::BadRecord)));
    assert!(server.plaintext.is_empty());
    client.give(&server.take());
    assert_eq!(client.over, Some(CloseReason::Alert(20)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_at_any_moment_are_refused_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 1..400), flights in 0usize..4) {
        let house = House::new(1);
        let (mut client, mut server) = house.pair(Channel::Relay);
        for _ in 0..flights {
            server.give(&client.take());
            client.give(&server.take());
        }
        for end in [&mut client, &mut server] {
            end.give(&bytes);
            // Whole records of nonsense: nothing is waited for.
            end.give(&[23, 3, 3, 0, 1, 0].repeat(3000));
            prop_assert!(end.over.is_some());
            prop_assert!(end.plaintext.is_empty());
        }
    }
}
