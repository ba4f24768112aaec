//! The JSON of what only looks, both ways, and the bounds of its replies.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use countersign_core::id::{Fingerprint, KeyId, Realm};
use countersign_core::invite::Endpoint;
use countersign_core::limits::{
    ADMIN_PAGE_MAX, ADMIN_REPLY_BYTES_MAX, CONNECTIONS_MAX, LABEL_BYTES_MAX, LEAF_BYTES_MAX, NOTE_BYTES_MAX,
};
use countersign_core::operator::views::{CertificatesQuery, DevicesQuery, LogView, Page, Right, SessionsView};
use countersign_core::operator::{Answer, Command, OperatorRefusal};
use countersign_core::server::Source;

use super::super::protocol::{Links, Reply, Request};
use super::*;

fn links() -> Links {
    let endpoint = Endpoint::parse("127.0.0.1:7443").unwrap();
    Links { endpoint, realm: Realm::default(), root: Fingerprint([7; 32]), lifetime: Duration::from_secs(60) }
}

fn device(user: &str) -> DeviceName {
    DeviceName { user: UserName::parse(user).unwrap(), device: DeviceLabel::parse("laptop").unwrap() }
}

fn longest() -> DeviceName {
    let label = "x".repeat(LABEL_BYTES_MAX);
    DeviceName { user: UserName::parse(&label).unwrap(), device: DeviceLabel::parse(&label).unwrap() }
}

fn reply(answer: &Answer) -> String {
    let line = Reply::new(answer, &links()).to_line();
    let again: Reply = serde_json::from_slice(&line).unwrap();
    assert_eq!(again.to_line(), line, "what is told is heard");
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

fn certificate(device: DeviceName, kind: Option<KeyKind>) -> CertificateLine {
    CertificateLine {
        serial: Serial([0x4f; 16]),
        device,
        kind,
        not_before: Wall(1),
        not_after: Wall(2),
        status: Status::NotYetValid,
        asked: Wall(3),
        right: Right::Operator,
    }
}

fn device_line(device: DeviceName, online: Option<Duration>) -> DeviceLine {
    let kind = Some(KeyKind::Rsa { bits: 4096 });
    DeviceLine { device, key: KeyId([0xab; 32]), kind, not_after: Wall(2), status: Status::Valid, online }
}

#[test]
fn requests_of_those_who_look_read_as_commands() {
    let command = |text: &str| Request::read(text.as_bytes(), Duration::ZERO, || Err(String::new()));
    assert_eq!(command(r#"{"command":"authority"}"#), Ok(Command::Authority));
    assert_eq!(command(r#"{"command":"sessions"}"#), Ok(Command::Sessions));
    assert_eq!(command(r#"{"command":"log","first":1000}"#), Ok(Command::Log { first: 1000 }));
    assert!(command(r#"{"command":"log","first":-1}"#).is_err());
    let all = CertificatesQuery::default();
    assert_eq!(command(r#"{"command":"certificates"}"#), Ok(Command::Certificates(all)));
    let place = CertificatePlace { asked: Wall(77), serial: Serial([0x4f; 16]) };
    let text =
        format!(r#"{{"command":"certificates","user":"bob","expiring":604800,"after":"77-{}"}}"#, "4f".repeat(16));
    let query = CertificatesQuery {
        user: UserName::parse("bob").ok(),
        expiring: Some(Duration::from_secs(604_800)),
        after: Some(place),
    };
    assert_eq!(command(&text), Ok(Command::Certificates(query)));
    assert_eq!(read_place(&place_text(place)), Ok(place));
    assert_eq!(command(r#"{"command":"devices"}"#), Ok(Command::Devices(DevicesQuery::default())));
    let query = DevicesQuery { user: UserName::parse("bob").ok(), after: Some(device("bob")) };
    let text = r#"{"command":"devices","user":"bob","after":"bob/laptop"}"#;
    assert_eq!(command(text), Ok(Command::Devices(query)));
}

#[test]
fn a_place_that_is_none_is_refused_in_a_sentence() {
    let command = |text: &str| Request::read(text.as_bytes(), Duration::ZERO, || Err(String::new()));
    let serial = "4f".repeat(16);
    // What Rust reads as numbers, and is no digit.
    let signs = format!("77-4f{}", "+f".repeat(15));
    for place in ["", "77", "77-", "-1-x", "x-y", &format!("77-{serial}0"), &format!("77-{serial}00"), &signs, "77-ÿÿ"]
    {
        let refused = command(&format!(r#"{{"command":"certificates","after":"{place}"}}"#));
        assert!(refused.is_err_and(|why| why.ends_with("is no place in the list of certificates")), "{place}");
    }
    for place in ["", "bob", "bob/", "/laptop", "bob/laptop/", "Bob/laptop"] {
        let refused = command(&format!(r#"{{"command":"devices","after":"{place}"}}"#));
        assert!(refused.is_err_and(|why| why.ends_with("is no place in the list of devices")), "{place}");
    }
    for user in [r#"{"command":"devices","user":"Bob"}"#, r#"{"command":"certificates","user":"Bob"}"#] {
        assert_eq!(command(user), Err("names are lower case".to_owned()));
    }
    for wrong in [r#"{"command":"sessions","user":"bob"}"#, r#"{"command":"certificates","expiring":-1}"#] {
        assert!(command(wrong).is_err_and(|why| why.starts_with("this is no request")), "{wrong}");
    }
}

#[test]
fn each_answer_is_one_line_of_json() {
    let facts = |name: &str| Facts {
        subject: name.to_owned(),
        issuer: String::new(),
        serial: "4f".to_owned(),
        not_before: Wall(1),
        not_after: Wall(2),
        fingerprint: Fingerprint([0; 32]),
    };
    let view = AuthorityView {
        realm: Realm::default(),
        at: Wall(9),
        root: facts("root"),
        issuing: facts("issuing"),
        issuing_ends_soon: true,
        relay: facts("relay"),
        tally: Tally { granted: 1, not_yet_valid: 2, valid: 3, superseded: 4, expired: 5, revoked: 6 },
    };
    let zeros = "00".repeat(32);
    let of = |name: &str| {
        format!(r#"{{"subject":"{name}","serial":"4f","not_before":1,"not_after":2,"fingerprint":"{zeros}"}}"#)
    };
    let expected = format!(
        concat!(
            r#"{{"reply":"authority","authority":{{"realm":"chat.internal","#,
            r#""link":"countersign://127.0.0.1:7443/chat.internal/BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc","#,
            r#""at":9,"root":{},"issuing":{},"#,
            r#""issuing_ends_soon":true,"relay":{},"#,
            r#""issued":{{"all":20,"valid":3,"superseded":4,"expired":5,"not_yet_valid":2,"granted":1,"revoked":6}}}}}}"#
        ),
        of("root"),
        of("issuing"),
        of("relay")
    );
    assert_eq!(reply(&Answer::Authority(Box::new(view))), expected);

    let serial = "4f".repeat(16);
    let entry = |key: &str| {
        format!(
            concat!(
                r#"{{"serial":"{}","user":"bob","device":"laptop","key":{},"not_before":1,"not_after":2,"#,
                r#""status":"not_yet_valid","asked":3,"by":"operator"}}"#
            ),
            serial, key
        )
    };
    let page = |entries, more| Answer::Certificates(Page { entries, more });
    let p256 = certificate(device("bob"), Some(KeyKind::P256));
    let unknown = certificate(device("bob"), None);
    assert_eq!(
        reply(&page(vec![p256, unknown], true)),
        format!(
            r#"{{"reply":"certificates","certificates":[{},{}],"next":"3-{serial}"}}"#,
            entry(r#""ECDSA P-256""#),
            entry("null")
        )
    );
    assert_eq!(reply(&page(vec![], false)), r#"{"reply":"certificates","certificates":[],"next":null}"#);
    let last = reply(&page(vec![certificate(device("bob"), None)], false));
    assert!(last.ends_with(r#""next":null}"#), "{last}");

    let key = "ab".repeat(32);
    let entry = |online: &str| {
        format!(
            concat!(
                r#"{{"user":"bob","device":"laptop","key":"RSA of 4096 bits","key_sha256":"{}","not_after":2,"#,
                r#""certificate":"valid",{}}}"#
            ),
            key, online
        )
    };
    let lines = vec![device_line(device("bob"), None), device_line(device("bob"), Some(Duration::from_millis(7999)))];
    assert_eq!(
        reply(&Answer::Devices(Page { entries: lines.clone(), more: true })),
        format!(
            r#"{{"reply":"devices","devices":[{},{}],"next":"bob/laptop"}}"#,
            entry(r#""online":false,"online_s":null"#),
            entry(r#""online":true,"online_s":7"#)
        )
    );
    assert!(reply(&Answer::Devices(Page { entries: lines, more: false })).ends_with(r#""next":null}"#));

    let session = SessionLine {
        device: device("bob"),
        connected: Duration::from_millis(1999),
        source: Source::of([127, 0, 0, 9].into()),
        present: true,
        tunnels: 2,
        waiting_bytes: 3,
    };
    assert_eq!(
        reply(&Answer::Sessions(SessionsView { sessions: vec![session], strangers: 4 })),
        concat!(
            r#"{"reply":"sessions","sessions":[{"user":"bob","device":"laptop","connected_s":1,"from":"127.0.0.9","#,
            r#""present":true,"tunnels":2,"waiting_bytes":3}],"strangers":4}"#
        )
    );
    let nobody = reply(&Answer::Refused(OperatorRefusal::NoSuchUser));
    assert_eq!(
        nobody,
        r#"{"reply":"refused","sentence":"nobody of that name has joined: server users lists who has"}"#
    );
}

#[test]
fn every_status_has_a_word_for_scripts_and_words_for_people() {
    for (status, word) in [
        (Status::Granted, "granted"),
        (Status::NotYetValid, "not_yet_valid"),
        (Status::Valid, "valid"),
        (Status::Superseded, "superseded"),
        (Status::Expired, "expired"),
        (Status::Revoked, "revoked"),
    ] {
        let told = StatusWord::from(status);
        assert_eq!((serde_json::to_value(told).unwrap(), told.words()), (word.into(), word.replace('_', " ").as_str()));
    }
}

#[test]
fn a_full_page_fits_a_reply() {
    let entries = vec![
        CertificateLine {
            not_before: Wall(u64::MAX),
            not_after: Wall(u64::MAX),
            asked: Wall(u64::MAX),
            ..certificate(longest(), Some(KeyKind::Rsa { bits: 4096 }))
        };
        ADMIN_PAGE_MAX
    ];
    let line = reply(&Answer::Certificates(Page { entries, more: true }));
    assert!(line.len() < ADMIN_REPLY_BYTES_MAX / 8, "{}", line.len());
    let online = Some(Duration::from_secs(u64::MAX));
    let entries = vec![DeviceLine { not_after: Wall(u64::MAX), ..device_line(longest(), online) }; ADMIN_PAGE_MAX];
    let line = reply(&Answer::Devices(Page { entries, more: true }));
    assert!(line.len() < ADMIN_REPLY_BYTES_MAX / 8, "{}", line.len());
    let entries = vec![vec![0xff; LEAF_BYTES_MAX]; ADMIN_PAGE_MAX];
    let line = reply(&Answer::Log(LogView { checkpoint: "\n".repeat(NOTE_BYTES_MAX), entries }));
    assert!(line.len() < ADMIN_REPLY_BYTES_MAX / 2, "{}", line.len());
}

#[test]
fn a_full_server_fits_a_reply() {
    let session = SessionLine {
        device: longest(),
        connected: Duration::from_secs(u64::MAX),
        source: Source::of(IpAddr::V6(Ipv6Addr::from_bits(u128::MAX))),
        present: false,
        tunnels: usize::MAX,
        waiting_bytes: usize::MAX,
    };
    let sessions = vec![session; CONNECTIONS_MAX];
    let line = reply(&Answer::Sessions(SessionsView { sessions, strangers: usize::MAX }));
    assert!(line.len() < ADMIN_REPLY_BYTES_MAX / 4, "{}", line.len());
}
