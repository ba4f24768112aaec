//! What people read: aligned, within a hundred columns, and said in words where it matters.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

use super::*;

const START: u64 = 1_800_000_000;
const DAY: u64 = 86_400;

fn facts(name: &str, days: u64) -> FactsEntry {
    FactsEntry {
        subject: format!("O=chat.internal, CN={name}"),
        serial: "40".repeat(16),
        not_before: START,
        not_after: START + days * DAY,
        fingerprint: "5f".repeat(32),
    }
}

fn shown(issuing_ends_soon: bool) -> AuthorityEntry {
    AuthorityEntry {
        realm: "chat.internal".to_owned(),
        link: "countersign://127.0.0.1:7443/chat.internal/ROOT".to_owned(),
        at: START + DAY,
        root: facts("root", 3652),
        issuing: facts("issuing", 60),
        issuing_ends_soon,
        relay: facts("relay", 2),
        issued: IssuedEntry { all: 4, valid: 3, superseded: 0, expired: 1, not_yet_valid: 0, granted: 0, revoked: 0 },
    }
}

fn certificate(user: &str, key: &str, status: StatusWord, by: &str) -> CertificateEntry {
    CertificateEntry {
        serial: "40".repeat(16),
        user: user.to_owned(),
        device: "laptop".to_owned(),
        key: Some(key.to_owned()),
        not_before: START,
        not_after: START + 90 * DAY,
        status,
        asked: START,
        by: by.to_owned(),
    }
}

#[test]
fn the_ca_is_shown_line_by_line() {
    let lines = authority_lines(&shown(false), Whereabouts::Here);
    assert_eq!(
        lines[..7],
        [
            "realm        chat.internal".to_owned(),
            "link         countersign://127.0.0.1:7443/chat.internal/ROOT".to_owned(),
            "root         O=chat.internal, CN=root".to_owned(),
            "             valid 2027-01-15 08:00:00 UTC to 2037-01-14 08:00:00 UTC (3651 days left)".to_owned(),
            format!("             serial {}", "40".repeat(16)),
            format!("             sha256 {}", "5f".repeat(32)),
            "issuing CA   O=chat.internal, CN=issuing".to_owned(),
        ]
    );
    assert_eq!(
        lines[lines.len() - 2..],
        [
            "issued       4 certificates of devices: 3 valid, 1 expired".to_owned(),
            "root key     root.key is in the data folder".to_owned(),
        ]
    );
    assert!(lines.iter().all(|line| line.len() <= 100), "but for the link, which is as long as it is");
}

#[test]
fn an_end_that_is_near_is_said_in_words_and_so_is_a_root_key_that_is_elsewhere() {
    let lines = authority_lines(&shown(true), Whereabouts::Elsewhere);
    assert_eq!(
        lines[lines.len() - 3..],
        [
            "root key     the root's key is not here",
            "warning      the issuing CA ends soon (59 days left), and what it signs ends with it:",
            "             make another with server ca rotate, which needs the root's key",
        ]
    );
}

#[test]
fn an_end_that_is_past_is_not_said_to_be_near() {
    let mut over = shown(true);
    over.at = over.issuing.not_after + 3 * DAY;
    let lines = authority_lines(&over, Whereabouts::Elsewhere);
    let warning = "warning      the issuing CA is over (expired 3 days ago), and with it all that it has signed:";
    assert_eq!(lines[lines.len() - 2], warning);
}

#[test]
fn a_script_gets_the_ca_as_one_object() {
    let object = authority_object(&shown(true), Whereabouts::Elsewhere);
    assert_eq!(object["issuing"]["days_left"], 59);
    assert_eq!(object["root"]["fingerprint"], "5f".repeat(32));
    assert_eq!((&object["root_key_here"], &object["issuing_ends_soon"]), (&json!(false), &json!(true)));
    assert_eq!(object["issued"]["all"], 4);
    let mut over = shown(true);
    over.at = over.issuing.not_after + 1;
    assert_eq!(authority_object(&over, Whereabouts::Here)["issuing"]["days_left"], -1);
}

#[test]
fn what_there_is_none_of_is_left_out_of_the_count_and_expired_ones_never() {
    let of = |all, superseded, not_yet_valid, granted| {
        issued_words(&IssuedEntry { all, valid: 1, superseded, expired: 0, not_yet_valid, granted, revoked: 0 })
    };
    assert_eq!(of(1, 0, 0, 0), "1 certificate of devices: 1 valid, 0 expired");
    let all =
        "6 certificates of devices: 1 valid, 2 superseded, 0 expired, 3 not yet valid; 4 granted and not signed yet";
    assert_eq!(of(6, 2, 3, 4), all);
}

#[test]
fn certificates_stand_in_columns_that_fit_a_screen() {
    let lines = certificate_lines(&[
        certificate("alice", "RSA of 4096 bits", StatusWord::Expired, "operator"),
        certificate("bob", "ECDSA P-256", StatusWord::Valid, "invite"),
    ]);
    let serial = "40".repeat(16);
    assert_eq!(
        lines,
        [
            "DEVICE        KEY       ASKED FOR   BY        ENDS        STATUS   SERIAL".to_owned(),
            format!("alice/laptop  RSA 4096  2027-01-15  operator  2027-04-15  expired  {serial}"),
            format!("bob/laptop    P-256     2027-01-15  invite    2027-04-15  valid    {serial}"),
        ]
    );
    assert!(lines.iter().all(|line| line.len() <= 100));
    assert_eq!(certificate_lines(&[]), [""; 0]);
}

#[test]
fn devices_have_two_lines_each() {
    let device = |user: &str, online_s: Option<u64>, certificate| FullDeviceEntry {
        user: user.to_owned(),
        device: "laptop".to_owned(),
        key: Some("RSA of 4096 bits".to_owned()),
        key_sha256: "5f".repeat(32),
        not_after: START,
        certificate,
        online: online_s.is_some(),
        online_s,
    };
    let lines = device_lines(&[
        device("alice", Some(119), StatusWord::Valid),
        device("bob", None, StatusWord::Expired),
        device("carol", None, StatusWord::Granted),
    ]);
    let key = format!("  key RSA of 4096 bits, sha256 {}", "5f".repeat(32));
    assert_eq!(
        lines,
        [
            "alice/laptop  online for 119 s  certificate valid until 2027-01-15 08:00:00 UTC",
            &key,
            "bob/laptop    offline           certificate expired 2027-01-15 08:00:00 UTC",
            &key,
            "carol/laptop  offline           no certificate yet: it is granted and not signed",
            &key,
        ]
    );
    assert!(lines.iter().all(|line| line.len() <= 100));
}

#[test]
fn sessions_stand_in_columns_too() {
    let session = |user: &str, connected_s, from: &str, present| SessionEntry {
        user: user.to_owned(),
        device: "laptop".to_owned(),
        connected_s,
        from: from.to_owned(),
        present,
        tunnels: usize::from(present),
        waiting_bytes: 0,
    };
    let lines =
        session_lines(&[session("alice", 7200, "127.0.0.1", true), session("bob", 3, "2001:db8:1:2::/64", false)]);
    assert_eq!(
        lines,
        [
            "DEVICE        CONNECTED FOR  FROM               PRESENT  TUNNELS  BYTES WAITING",
            "alice/laptop  2 h            127.0.0.1          yes      1        0",
            "bob/laptop    3 s            2001:db8:1:2::/64  no       0        0",
        ]
    );
}

#[test]
fn a_list_is_asked_for_until_its_last_page_and_not_at_all_after_a_failure() {
    let asked = |failing: Option<usize>| {
        let mut asked = Vec::new();
        let all = pages(|after| {
            asked.push(after);
            let n = asked.len();
            if failing == Some(n) {
                return Err(Failure::unreachable("gone"));
            }
            Ok((vec![n * 10, n * 10 + 1], (n < 3).then(|| format!("page {n}"))))
        });
        (all, asked)
    };
    let places = vec![None, Some("page 1".to_owned()), Some("page 2".to_owned())];
    assert_eq!(asked(None), (Ok(vec![10, 11, 20, 21, 30, 31]), places.clone()));
    assert_eq!(asked(Some(2)), (Err(Failure::unreachable("gone")), places[..2].to_vec()));
}

#[test]
fn times_read_in_their_fitting_unit() {
    let spans = [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172_800, "2 days")];
    for (seconds, words) in spans {
        assert_eq!(span(seconds), words);
    }
    assert_eq!((day(START).as_str(), day(u64::MAX).contains("since 1970")), ("2027-01-15", true));
    assert_eq!(short_key(None), "unknown");
}
