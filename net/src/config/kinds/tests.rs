//! Each kind at its edges: what it takes, what it refuses, and that it reads what it writes.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::fmt::Debug;

use super::names::{ADDRESSES_MAX, Addresses, Filter, MaybeEndpoint, MaybeRealm};
use super::reach::{NETWORKS_MAX, Networks, Ports};
use super::*;
use countersign_core::peer::network::Network;

fn text(text: &str) -> Given {
    Given::Text(text.to_owned())
}

fn list(items: &[&str]) -> Given {
    Given::List(items.iter().map(|item| text(item)).collect())
}

/// Reads `given`, and again what it is written as.
fn takes<K: Kind>(kind: &K, given: &Given) -> K::Value
where
    K::Value: PartialEq + Debug,
{
    let value = kind.read(given).unwrap_or_else(|why| panic!("{given} is refused: {why:?}"));
    let written = match kind.write(&value) {
        Literal::Text(written) => text(&written),
        Literal::Whole(number) => Given::Whole(i64::try_from(number).unwrap()),
        Literal::List(items) => Given::List(items.iter().map(|item| text(item)).collect()),
    };
    assert_eq!(kind.read(&written).as_ref(), Ok(&value), "{given} is written as {written}");
    value
}

fn refuses<K: Kind>(kind: &K, all: &[Given])
where
    K::Value: Debug,
{
    for given in all {
        let read = kind.read(given);
        assert!(read.is_err(), "{given} is read as {read:?}");
    }
}

#[test]
fn a_number_is_taken_at_its_bounds_and_not_one_beyond() {
    let kind = Whole { min: 2, max: 10 };
    for n in [2, 3, 10] {
        assert_eq!(takes(&kind, &Given::Whole(n)), usize::try_from(n).unwrap());
        assert_eq!(takes(&kind, &Given::Words(n.to_string())), usize::try_from(n).unwrap());
    }
    refuses(&kind, &[-1, 0, 1, 11, i64::MIN, i64::MAX].map(Given::Whole));
    refuses(&kind, &[text("5"), text(""), list(&["5"]), Given::Other("5.0".into()), Given::Words("5s".into())]);
    assert_eq!(kind.allowed(), "a whole number from 2 to 10");
}

#[test]
fn a_time_is_taken_at_its_bounds_and_not_one_beyond() {
    let kind = Time { min: Duration::from_secs(2), max: Duration::from_secs(120) };
    for (written, seconds) in [("2s", 2), ("60s", 60), ("1m", 60), ("119s", 119), ("2m", 120)] {
        assert_eq!(takes(&kind, &text(written)).as_secs(), seconds);
    }
    refuses(&kind, &["1s", "121s", "3m", "1h", "0s", "", "5", "5 s", "-5s", "5000ms", "auto"].map(text));
    refuses(&kind, &[Given::Whole(5), list(&["5s"])]);
    assert_eq!(kind.allowed(), "a time from \"2s\" to \"2m\" (a number and s, m, h or d)");
    let auto = AutoTime(kind);
    assert_eq!(takes(&auto, &text("auto")), None);
    assert_eq!(takes(&auto, &text("3s")), Some(Duration::from_secs(3)));
    refuses(&auto, &[text("1s"), text(""), text("Auto")]);
    for (seconds, written) in [(0, "0s"), (60, "60s"), (90, "90s"), (120, "2m"), (86_400, "24h"), (172_800, "2d")] {
        assert_eq!(in_words(Duration::from_secs(seconds)), written);
    }
}

#[test]
fn a_choice_takes_its_words_alone() {
    let kind = Choice(&[("one", 1), ("two", 2)]);
    assert_eq!((takes(&kind, &text("one")), takes(&kind, &text("two"))), (1, 2));
    refuses(&kind, &[text("three"), text("One"), text(""), text(" one"), Given::Whole(1)]);
    assert_eq!(kind.allowed(), "\"one\" or \"two\"");
}

#[test]
fn addresses_are_one_or_several_that_can_be_listened_on_together() {
    assert_eq!(takes(&Addresses, &text("[::1]:7443")).len(), 1);
    for together in [
        &["127.0.0.1:1", "127.0.0.1:2"][..],
        &["0.0.0.0:1", "[::]:1"],
        &["0.0.0.0:0", "127.0.0.1:0"],
        &["127.0.0.1:0", "127.0.0.1:0"],
    ] {
        assert_eq!(takes(&Addresses, &list(together)).len(), 2);
    }
    let words = |words: &str| Given::Words(words.into());
    assert_eq!(takes(&Addresses, &words("127.0.0.1:1,[::1]:1")).len(), 2);
    refuses(&Addresses, &[words(""), words("127.0.0.1:1,"), words(","), text("127.0.0.1:1,[::1]:1")]);
    refuses(&Addresses, &["", "here", "127.0.0.1", "localhost:1", ":1", "::1:1", "127.0.0.1:65536", "[::1]"].map(text));
    refuses(
        &Addresses,
        &[list(&[]), list(&["127.0.0.1:1", "here"]), Given::Whole(1), Given::List(vec![Given::Whole(1)])],
    );
    for (apart, why) in [
        (&["127.0.0.1:1", "127.0.0.1:1"][..], "stands in it twice"),
        (&["127.0.0.1:1", "0.0.0.0:1"], "0.0.0.0:1 is every address of this machine, 127.0.0.1:1 included"),
        (&["[::]:1", "[::1]:1"], "[::]:1 is every address of this machine, [::1]:1 included"),
    ] {
        let Err(Wrong::Because(because)) = Addresses.read(&list(apart)) else { panic!("{apart:?}") };
        assert!(because.contains(why), "{because}");
    }
    let many: Vec<String> = (0..=ADDRESSES_MAX).map(|n| format!("127.0.0.1:{}", n + 1)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(takes(&Addresses, &list(&many[1..])).len(), ADDRESSES_MAX);
    refuses(&Addresses, &[list(&many)]);
}

#[test]
fn names_are_judged_as_everywhere_and_may_be_none() {
    assert_eq!(takes(&MaybeEndpoint, &text("")), None);
    assert_eq!(takes(&MaybeEndpoint, &text("[::1]:1")).map(|to| to.to_string()), Some("[::1]:1".to_owned()));
    refuses(&MaybeEndpoint, &["host", "host:0", "host:", ":1", "a b:1"].map(text));
    refuses(&MaybeEndpoint, &[Given::Whole(1), list(&["host:1"])]);
    assert_eq!(takes(&MaybeRealm, &text("")), None);
    assert!(takes(&MaybeRealm, &text("chat.internal")).is_some());
    assert_eq!(MaybeRealm.read(&text("Chat")), Err(Wrong::because("names are lower case")));
    refuses(&MaybeRealm, &[list(&["chat.internal"]), Given::Whole(1)]);
}

#[test]
fn a_filter_is_levels_alone_or_for_a_part() {
    for good in ["off", "info", "trace", "info,net=debug", "warn,net::server=trace,net::client=off"] {
        assert_eq!(takes(&Filter, &text(good)), good);
    }
    refuses(
        &Filter,
        &["", "loud", "INFO", "net", "net=loud", "info,", "info,,debug", "=info=", "net=debug=x"].map(text),
    );
}

#[test]
fn networks_are_prefixes_and_words_and_local_stands_alone() {
    let networks = |given: &Given| takes(&Networks, given).networks;
    assert_eq!(networks(&list(&["local"])), None);
    assert_eq!(networks(&text("local")), None);
    assert_eq!(networks(&Given::Words("local".into())), None);
    for none in [list(&[]), Given::Words("none".into())] {
        assert_eq!(networks(&none), Some(Vec::new()));
    }
    let parsed = |all: &[&str]| Some(all.iter().map(|text| text.parse::<Network>().unwrap()).collect());
    assert_eq!(networks(&list(&["192.0.2.0/24", "::1"])), parsed(&["192.0.2.0/24", "::1/128"]));
    assert_eq!(networks(&list(&["loopback", "192.0.2.1"])), parsed(&["127.0.0.0/8", "::1/128", "192.0.2.1/32"]));
    assert_eq!(networks(&Given::Words("any, 10.0.0.0/8".into())), parsed(&["0.0.0.0/0", "::/0", "10.0.0.0/8"]));
    let private = networks(&text("private")).unwrap();
    for (address, is_private) in
        [("10.1.2.3", true), ("fd00::1", true), ("fe80::1", true), ("8.8.8.8", false), ("::1", false)]
    {
        let address = address.parse().unwrap();
        assert_eq!(private.iter().any(|network| network.contains(address)), is_private, "{address}");
    }
    refuses(&Networks, &["", "none", "Local", "192.0.2.1/24", "here"].map(text));
    refuses(&Networks, &[list(&["local", "10.0.0.0/8"]), list(&["10.0.0.0/8", "local"]), list(&["local", "local"])]);
    assert_eq!(Networks.read(&list(&["10.0.0.0/8", "local"])), Err(Wrong::because("local stands alone")));
    refuses(&Networks, &[Given::Whole(1), list(&[""])]);
    assert_eq!(networks(&list(&["::1"; NETWORKS_MAX])).map(|all| all.len()), Some(NETWORKS_MAX));
    refuses(&Networks, &[list(&["::1"; NETWORKS_MAX + 1])]);
}

#[test]
fn ports_are_one_or_a_range_that_does_not_run_backwards() {
    assert_eq!(takes(&Ports, &text("")), None);
    for one in [text("50000"), Given::Whole(50_000), Given::Words("50000".into()), text("50000-50000")] {
        assert_eq!(takes(&Ports, &one), Some(50_000..=50_000));
    }
    assert_eq!(takes(&Ports, &text("1-65535")), Some(1..=65_535));
    refuses(
        &Ports,
        &["0", "65536", "0-5", "5-0", "6-5", "1-65536", "-", "5-", "-5", "+5", "1-2-3", "1 - 2", "any"].map(text),
    );
    refuses(&Ports, &[Given::Whole(0), Given::Whole(-1), Given::Whole(65_536), list(&["1"])]);
}
