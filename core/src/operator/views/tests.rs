//! How far a certificate has come, and lists that are longer than a page. What a live server shows: `server/tests/desk.rs`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use super::*;
use crate::invite::TokenHash;
use crate::journal::Record;
use crate::limits::DEVICE_LIFETIME;
use crate::pki::{SecretKey, found_realm};
use crate::testing::{START, device_name, rng};

/// What the invite of this number would be used for. Each second asks in another second, in no order.
fn grant(n: u64) -> Grant {
    let mut token = [0; 32];
    token[..8].copy_from_slice(&n.to_be_bytes());
    let at = START.plus(Duration::from_secs((n * 7919) % 1009));
    Grant {
        token: TokenHash(token),
        name: device_name(&format!("u-{n}-x"), "laptop"),
        key: SecretKey::draw(&mut rng(n)).spki(),
        serial: Serial::draw(&mut rng(n)),
        not_before: at,
        not_after: at.plus(DEVICE_LIFETIME),
        at,
    }
}

/// A realm in which so many were granted.
fn state(grants: u64) -> State {
    let mut state = State::new(7);
    let mut add = |record: &Record| {
        let n = state.position().n + 1;
        state.apply(n, &record.encode()).unwrap();
    };
    let root = crate::id::Fingerprint::of(&found_realm(&Realm::default(), START, &mut rng(1)).root);
    add(&Record::RealmFounded { realm: Realm::default(), root, at: START });
    for grant in (0..grants).map(grant) {
        let expires = Wall(u64::MAX);
        add(&Record::InviteCreated { token: grant.token, user: None, expires, at: START });
        add(&Record::CertificateGranted(grant));
    }
    assert_eq!(state.unissued().count() as u64, grants);
    state
}

#[test]
fn a_certificate_comes_by_its_states_in_order() {
    let grant = grant(1);
    let (first, last, newest) = (grant.not_before, grant.not_after, Some(grant.serial));
    let second = Duration::from_secs(1);
    for (now, is_signed, newest, status) in [
        (first, false, newest, Status::Granted),
        (last.plus(second), false, newest, Status::Granted),
        (first.minus(second), true, newest, Status::NotYetValid),
        (first, true, newest, Status::Valid),
        (last, true, newest, Status::Valid),
        (last, true, Some(Serial([0x41; 16])), Status::Superseded),
        (last, true, None, Status::Superseded),
        (last.plus(second), true, newest, Status::Expired),
        (last.plus(second), true, None, Status::Expired),
    ] {
        assert_eq!(Status::of(&grant, is_signed, newest, now), status, "{now}, {newest:?}");
    }
}

#[test]
fn a_long_list_comes_page_by_page_and_each_entry_once() {
    for count in [0, ADMIN_PAGE_MAX - 1, ADMIN_PAGE_MAX, ADMIN_PAGE_MAX + 1, 2 * ADMIN_PAGE_MAX + 1] {
        let state = state(count as u64);
        let pages = count.div_ceil(ADMIN_PAGE_MAX).max(1);

        let (mut query, mut listed) = (CertificatesQuery::default(), Vec::new());
        for n in 1..=pages {
            let page = certificates(&state, &query, START).unwrap();
            assert_eq!((page.more, page.entries.len() <= ADMIN_PAGE_MAX), (n < pages, true), "{count}, {n}");
            query.after = page.entries.last().map(CertificateLine::place);
            listed.extend(page.entries);
        }
        assert!(listed.is_sorted_by(|a, b| a.place() < b.place()));
        assert_eq!(listed.len(), count);

        let (mut query, mut listed) = (DevicesQuery::default(), Vec::new());
        for n in 1..=pages {
            let page = devices(&state, &query, &|_| None, START).unwrap();
            assert_eq!((page.more, page.entries.len() <= ADMIN_PAGE_MAX), (n < pages, true), "{count}, {n}");
            query.after = page.entries.last().map(|line| line.device.clone());
            listed.extend(page.entries);
        }
        assert!(listed.is_sorted_by(|a, b| a.device < b.device));
        assert_eq!(listed.len(), count);
    }
}

#[test]
fn one_persons_entries_are_theirs_alone_wherever_the_last_page_ended() {
    let state = state(20);
    let user = Some(device_name("u-7-x", "laptop").user);
    let query =
        |after: Option<&str>| DevicesQuery { user: user.clone(), after: after.map(|user| device_name(user, "laptop")) };
    for (after, count) in [(None, 1), (Some("u-1-x"), 1), (Some("u-7-x"), 0), (Some("u-8-x"), 0)] {
        let page = devices(&state, &query(after), &|_| None, START).unwrap();
        assert!(page.entries.iter().all(|line| Some(&line.device.user) == user.as_ref()));
        assert_eq!((page.entries.len(), page.more), (count, false), "{after:?}");
    }
    let query = CertificatesQuery { user: user.clone(), ..CertificatesQuery::default() };
    let page = certificates(&state, &query, START).unwrap();
    assert_eq!(page.entries.iter().map(|line| Some(&line.device.user)).collect::<Vec<_>>(), [user.as_ref()]);
}
