//! The table finds what has never happened, and an excuse that has gone stale.

use super::*;

fn family(closed: bool) -> Family {
    Family { name: "wish", must: vec!["call".to_owned()], excused: &[("fetch", "nobody does")], closed }
}

fn tally(wishes: &[&str]) -> Tally {
    let mut tally = Tally::default();
    for wish in wishes {
        tally.add("wish", *wish);
    }
    tally
}

#[test]
fn what_never_happens_is_named_and_has_a_zero_in_the_table() {
    let lacks = judge(&tally(&[]), &[family(true)]);
    assert_eq!(lacks, [Lack::Never("wish", "call".to_owned())]);
    assert!(lacks[0].to_string().contains("never happened: wish, call. Arrange a run"));
    assert_eq!(table(&tally(&[]), &[family(true)]).rows().collect::<Vec<_>>(), [("wish", "call", 0)]);
    assert_eq!(judge(&tally(&["call"]), &[family(true)]), []);
}

#[test]
fn an_excuse_that_has_gone_stale_is_as_wrong_as_a_zero() {
    let lacks = judge(&tally(&["call", "fetch", "fetch"]), &[family(true)]);
    assert_eq!(lacks, [Lack::Stale("wish", "fetch", "nobody does", 2)]);
    assert!(lacks[0].to_string().contains("happened 2 times: wish, fetch"));
}

#[test]
fn what_is_counted_and_not_listed_is_named_where_a_family_is_closed_or_unknown() {
    let counted = tally(&["call", "say"]);
    let unlisted = [Lack::Unlisted("wish", "say".to_owned())];
    assert_eq!(judge(&counted, &[family(true)]), unlisted);
    assert_eq!(judge(&counted, &[family(false)]), []);
    assert_eq!(judge(&tally(&["say"]), &[]), unlisted);
}

#[test]
fn families_are_listed_once_and_excuse_with_a_reason_what_there_is() {
    let families = families();
    for (place, family) in families.iter().enumerate() {
        assert!(families.iter().skip(place + 1).all(|other| other.name != family.name), "{} twice", family.name);
        for (what, why) in family.excused {
            assert!(why.len() > 20 && !family.must.iter().any(|must| must == what), "{what}: {why}");
        }
    }
    // The excuses of a family that comes from a type are kinds of it, or they excuse nothing.
    let codes: Vec<&str> = Code::ALL.iter().map(|(_, name)| *name).collect();
    let known = |kinds: &[&str], excused: &[(&str, &str)]| {
        assert!(excused.iter().all(|(what, _)| kinds.contains(what)), "{excused:?}");
    };
    known(kinds::CSR_REFUSALS, &NO_REQUEST);
    known(&codes, &NO_CODE);
    known(kinds::RELAY_WAKES, &NO_RELAY_WAKE);
    known(kinds::DEVICE_WAKES, &NO_WAKE);
    known(kinds::DENIALS, &NO_DENIAL);
    known(kinds::APPROVALS, &NO_APPROVAL);
}
