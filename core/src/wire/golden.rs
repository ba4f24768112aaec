//! One example of every message, as it stands on the wire since version 1. Added to, never edited.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

mod conversations;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::{ByteArray, ByteBuf};

use super::devices::{DevicesEvent, DevicesRequest, OwnDevice, WaitingDevice};
use super::enrol::{Certified, Enrol, EnrolEvent, EnrolRequest, Renew, SignUp};
use super::frame::decode;
use super::log::{self, Generations, LogHead, LogPage, LogProof};
use super::peer::{Nonce, PeerMessage};
use super::relay::{Person, RelayEvent, RelayRequest, Welcome};
use super::revocation::{SignedList, SignedLists};
use super::*;
use crate::id::{AskId, Position, Realm, Serial, TunnelId};
use crate::invite::Token;
use crate::password::Password;
use crate::pki::SecretKey;
use crate::pki::comparison::ComparisonNonce;
use crate::testing::{device_name, from_hex, rng, to_hex};
use crate::time::Wall;
use crate::tlog::{ConsistencyProof, Endorsement, Hash, InclusionProof, ReasonCode};

/// Every line of the file, and whether each was looked at.
struct Golden(Vec<(&'static str, &'static str, bool)>);

impl Golden {
    fn read() -> Self {
        let line = |line: &'static str| {
            let (name, hex) = line.split_once(' ').unwrap();
            (name, hex, false)
        };
        Self(include_str!("golden/v1.hex").lines().map(line).collect())
    }

    fn check<M: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(&mut self, name: &str, message: &M) {
        let frame = Frame::message(message);
        let Some(entry) = self.0.iter_mut().find(|entry| entry.0 == name) else {
            panic!("add to golden/v1.hex: {name} {}", to_hex(frame.bytes()));
        };
        entry.2 = true;
        assert_eq!(to_hex(frame.bytes()), entry.1, "{name} is not what it was");
        let mut bodies = Vec::new();
        FrameReader::default().read(&from_hex(entry.1), &mut bodies).unwrap();
        let [Body::Message(body)] = bodies.as_slice() else { panic!("{name}: {bodies:?}") };
        assert_eq!(&decode::<M>(body).unwrap(), message, "{name}");
        for cut in 0..body.len() {
            assert!(decode::<M>(&body[..cut]).is_err(), "{name} cut at {cut}");
        }
    }
}

fn extensions() -> Extensions {
    Extensions(vec![Extension { kind: 3, body: ByteBuf::from(vec![1, 2]) }])
}

fn with(certificate: &RelayEvent, extensions: Extensions) -> RelayEvent {
    let RelayEvent::Certificate { ask, leaf, issuing, more, .. } = certificate.clone() else {
        panic!("{certificate:?} is no certificate");
    };
    RelayEvent::Certificate { ask, leaf, issuing, more, extensions }
}

/// What is said about a person's own devices.
fn devices(golden: &mut Golden, ask: AskId) {
    let by = device_name("alice", "laptop").device;
    let phone = device_name("alice", "phone").device;
    let (own, nonce) = (SecretKey::draw(&mut rng(4)), ComparisonNonce::draw(&mut rng(5)));
    let (key, since) = (own.spki().id(), Wall(1_800_000_000));
    golden.check("enrol.reveal", &EnrolRequest::Reveal { nonce: nonce.clone(), next: nonce.commitment() });
    golden.check("enrol.waiting", &EnrolEvent::Waiting { seconds: 900 });
    golden.check("enrol.compare", &EnrolEvent::Compare { by: by.clone(), key, nonce: nonce.clone() });
    let devices = |request| RelayRequest::Devices(request);
    golden.check("request.devices.list", &devices(DevicesRequest::List { ask }));
    let compare = DevicesRequest::Compare { ask, device: phone.clone(), key, nonce: nonce.clone() };
    golden.check("request.devices.compare", &devices(compare));
    let word = Endorsement::give(by.clone(), &own, &Realm::default(), &device_name("alice", "phone"), key);
    let endorse = DevicesRequest::Endorse { ask, device: phone.clone(), endorsement: Box::new(word) };
    golden.check("request.devices.endorse", &devices(endorse));
    golden.check("request.devices.dismiss", &devices(DevicesRequest::Dismiss { ask, device: phone.clone() }));
    let (word, arming) = ((own.clone(), by.clone()), SecretKey::draw(&mut rng(6)).spki());
    let word = Endorsement::arm(word.1, &word.0, &Realm::default(), &device_name("alice", "x").user, arming.id());
    let arm = DevicesRequest::Arm { ask, key: arming, endorsement: Box::new(word) };
    golden.check("request.devices.arm", &devices(arm));
    let (reason, phone_name) = (ReasonCode::new(1).unwrap(), device_name("alice", "phone"));
    let word = Endorsement::withdraw(by.clone(), &own, &Realm::default(), &phone_name, reason);
    let endorsement = Box::new(word);
    let withdraw = DevicesRequest::Withdraw { ask, device: phone.clone(), reason, force: true, endorsement };
    golden.check("request.devices.withdraw", &devices(withdraw));
    golden.check("request.devices.acted", &devices(DevicesRequest::Acted { ask, number: 1_800_000_000 }));
    let withdrawn = DevicesEvent::Withdrawn { ask, number: 1_800_000_000 };
    golden.check("event.devices.withdrawn", &RelayEvent::Devices(withdrawn));
    golden.check("request.devices.recovery", &devices(DevicesRequest::Recovery { ask }));
    let armed = Some((by.clone(), since));
    golden.check("event.devices.recovery", &RelayEvent::Devices(DevicesEvent::Recovery { ask, armed }));
    golden.check("event.devices.acted", &RelayEvent::Devices(DevicesEvent::Acted { ask, acted: 300, left: 2 }));
    let listed = OwnDevice { device: phone.clone(), key, since, endorsed_by: Some(by), online: true, revoked: false };
    let key = ByteArray::new(own.spki().ed25519_bytes().unwrap());
    let waits = WaitingDevice { device: phone.clone(), key, commitment: nonce.commitment(), since };
    let list = DevicesEvent::List { ask, own: vec![listed], waiting: vec![waits] };
    golden.check("event.devices.list", &RelayEvent::Devices(list));
    golden.check("event.devices.compared", &RelayEvent::Devices(DevicesEvent::Compared { ask, nonce }));
    golden.check("event.devices.done", &RelayEvent::Devices(DevicesEvent::Done { ask }));
    golden.check("event.devices.waits", &RelayEvent::Devices(DevicesEvent::Waits { device: phone }));
}

/// What is said about revocation lists.
fn lists(golden: &mut Golden) -> SignedLists {
    let bytes = |n: usize| ByteBuf::from(vec![0xab; n]);
    let lists = SignedLists(vec![SignedList { issuing: bytes(2), list: bytes(3) }]);
    golden.check("event.lists", &RelayEvent::Lists(lists.clone()));
    golden.check("request.lists-before", &RelayRequest::ListsBefore(lists.clone()));
    lists
}

/// What is said about other things than the relay itself.
fn in_the_rooms(golden: &mut Golden, ask: AskId) {
    devices(golden, ask);
    passwords(golden, ask);
    conversations::check(golden, ask);
}

/// What is said about passwords.
fn passwords(golden: &mut Golden, ask: AskId) {
    let password = Password::new(b"four words for us".to_vec().into());
    let sign_up = SignUp {
        password: password.clone(),
        user: "alice".into(),
        device: "laptop".into(),
        csr: ByteBuf::from(vec![0xab; 3]),
        binding: ByteArray::new([0xcd; 64]),
        extensions: extensions(),
    };
    golden.check("enrol.sign-up", &EnrolRequest::SignUp(sign_up));
    golden.check("request.password", &RelayRequest::Password { ask, password });
    golden.check("event.password-set", &RelayEvent::PasswordSet { ask });
}

#[test]
fn every_message_reads_and_writes_as_it_did_in_version_1() {
    let mut golden = Golden::read();
    let bytes = |n: usize| ByteBuf::from(vec![0xab; n]);
    let tunnel = TunnelId(300);
    let ask = AskId(5);
    let device = device_name("alice", "laptop");
    let user = device.user.clone();
    golden.check(
        "enrol.enrol",
        &EnrolRequest::Enrol(Enrol {
            token: Token::draw(&mut rng(1)),
            user: "alice".into(),
            device: "laptop".into(),
            csr: bytes(3),
            binding: ByteArray::new([0xcd; 64]),
            extensions: extensions(),
        }),
    );
    let serial = Serial([0x41; 16]);
    let renew = Renew { serial, seen: 300, signature: bytes(3), extensions: extensions() };
    golden.check("enrol.renew", &EnrolRequest::Renew(renew));
    golden.check("enrol.welcome", &EnrolEvent::Welcome { time: Wall(1_800_000_000), extensions: extensions() });
    let certified = Certified {
        device: bytes(1),
        issuing: bytes(2),
        root: bytes(3),
        incarnation: 1 << 60,
        extensions: Extensions::default(),
    };
    golden.check("enrol.granted", &EnrolEvent::Granted(certified));
    golden.check("enrol.refused", &EnrolEvent::Refused { code: Code::NAME_TAKEN, detail: 7 });

    golden.check("request.attend", &RelayRequest::Attend { extensions: extensions() });
    golden.check("request.ping", &RelayRequest::Ping);
    golden.check("request.who", &RelayRequest::Who { ask, after: Some(user.clone()) });
    let introduce = RelayRequest::Introduce { ask, to: user.clone(), extensions: Extensions::default() };
    golden.check("request.introduce", &introduce);
    golden.check("request.accept", &RelayRequest::Accept { tunnel });
    golden.check("request.hang-up", &RelayRequest::HangUp { tunnel, code: Code::DECLINED });
    golden.check("request.forward", &RelayRequest::Forward { tunnel, bytes: bytes(4) });
    golden.check("request.credit", &RelayRequest::Credit { tunnel, bytes: 16384 });

    golden.check("request.fetch", &RelayRequest::Fetch { ask, user: user.clone() });
    let certificate =
        |more| RelayEvent::Certificate { ask, leaf: bytes(2), issuing: bytes(3), more, extensions: extensions() };
    golden.check("event.certificate", &certificate(true));
    golden.check("request.follow", &RelayRequest::Follow { seen: 300 });
    golden.check("request.leaves", &RelayRequest::Leaves { ask, from: 300 });
    let consistency = Some(ConsistencyProof::new(3, 4, vec![Hash([1; 32])]).unwrap());
    let head = LogHead { certificate: bytes(2), checkpoint: bytes(3), consistency };
    golden.check("event.log", &RelayEvent::Log(head.clone()));
    let page = LogPage { leaves: vec![bytes(1), bytes(2)], more: true };
    golden.check("event.leaves", &RelayEvent::Leaves { ask, page });
    let inclusion = InclusionProof::new(2, 4, vec![Hash([1; 32]), Hash([2; 32])]).unwrap();
    let proof = LogProof { leaf: bytes(4), inclusion };
    golden.check("event.proof", &RelayEvent::Proof { device: device.clone(), proof: proof.clone() });
    golden.check("event.generations", &RelayEvent::Generations(Generations(vec![proof.clone()])));
    let in_extensions = Extensions(vec![head.extension(), proof.extension()]);
    golden.check("event.certificate.proved", &with(&certificate(true), in_extensions.clone()));
    assert_eq!(in_extensions.get(log::HEAD), Ok(Some(head)));
    assert_eq!(in_extensions.get(log::PROOF), Ok(Some(proof)));

    golden.check("request.renew", &RelayRequest::Renew { ask });
    let renewed = RelayEvent::Renewed { ask, leaf: bytes(2), issuing: bytes(3), extensions: extensions() };
    golden.check("event.renewed", &renewed);

    let welcome = Welcome {
        device: device.clone(),
        position: Position { incarnation: 1 << 60, n: 9 },
        time: Wall(1_800_000_000),
        extensions: extensions(),
    };
    golden.check("event.welcome", &RelayEvent::Welcome(welcome));
    golden.check("request.listed", &RelayRequest::Listed { number: 1_800_000_000 });
    let lists = lists(&mut golden);
    let with_lists = Extensions(vec![lists.extension()]);
    golden.check("enrol.welcome.lists", &EnrolEvent::Welcome { time: Wall(1_800_000_000), extensions: with_lists });
    golden.check("event.pong", &RelayEvent::Pong);
    golden.check("event.here", &RelayEvent::Here { devices: vec![device.clone()] });
    golden.check("event.presence", &RelayEvent::Presence { device: device.clone(), online: true });
    let people = vec![Person { user, online: false }];
    golden.check("event.people", &RelayEvent::People { ask, people, more: true });
    golden.check("event.ringing", &RelayEvent::Ringing { ask, tunnel, device: device.clone() });
    let introduced = RelayEvent::Introduced { tunnel, from: device, extensions: extensions() };
    golden.check("event.introduced", &introduced);
    golden.check("event.accepted", &RelayEvent::Accepted { tunnel });
    golden.check("event.refused", &RelayEvent::Refused { ask, code: Code::OFFLINE });
    golden.check("event.ended", &RelayEvent::Ended { tunnel, code: Code::HUNG_UP });
    golden.check("event.forwarded", &RelayEvent::Forwarded { tunnel, bytes: bytes(4) });
    golden.check("event.credited", &RelayEvent::Credited { tunnel, bytes: 16384 });

    golden.check("peer.welcome", &PeerMessage::Welcome { extensions: extensions() });
    golden.check("peer.line", &PeerMessage::Line { n: 200, text: "gr\u{fc}\u{df} dich".into() });
    golden.check("peer.heard", &PeerMessage::Heard { n: 201 });
    let at = ["192.0.2.1:7443".parse().unwrap(), "[2001:db8::1]:7443".parse().unwrap()];
    golden.check("peer.propose", &PeerMessage::Propose { from: at.map(|at: std::net::SocketAddr| at.ip()).into() });
    let nonce = Nonce::draw(&mut rng(3));
    golden.check("peer.listening", &PeerMessage::Listening { nonce: nonce.clone(), at: at.into() });
    golden.check("peer.attach", &PeerMessage::Attach { nonce });
    golden.check("peer.attached", &PeerMessage::Attached);
    golden.check("peer.detach", &PeerMessage::Detach);
    golden.check("peer.checkpoint", &PeerMessage::Checkpoint { note: bytes(3) });

    in_the_rooms(&mut golden, ask);
    assert!(golden.0.iter().all(|entry| entry.2), "a line of the file is no message any more");
    assert_eq!(to_hex(Frame::goodbye(Code::VERSION, 1).bytes()), "0000000500006a0001");
}
