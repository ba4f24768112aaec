//! What stands in conversations, as people and programs see it.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use countersign_core::id::{ConversationId, DeviceLabel, MessageId};

use super::*;
use crate::store::conversations::About;

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn device(user_name: &str, device: &str) -> DeviceName {
    DeviceName { user: user(user_name), device: DeviceLabel::parse(device).unwrap() }
}

fn spoken(by: &DeviceName, what: Said) -> Spoken {
    spoken_in(Kind::Direct(user("alice"), user("bob")), by, what)
}

fn spoken_in(kind: Kind, by: &DeviceName, what: Said) -> Spoken {
    let by = by.clone();
    let room = (kind == Kind::Room).then(|| RoomName::parse("tea").unwrap());
    let entry =
        Entry { conversation: ConversationId([0xab; 16]), kind, room, place: 7, at: Wall(1_800_000_000), by, what };
    Spoken::of(&Line::new(entry), &user("alice"))
}

fn text(text: &str, order: Order) -> Said {
    Said::Text { id: MessageId([2; 16]), written: Wall(9), text: text.to_owned(), order }
}

fn json(spoken: &Spoken) -> String {
    let place = format!(r#""conversation":"{}","with":"bob","room":null,"place":7,"at":1800000000"#, "ab".repeat(16));
    serde_json::to_string(spoken).unwrap().replace(&place, "PLACE")
}

#[test]
fn a_message_names_its_device_and_its_conversation_where_that_is_not_clear() {
    let (bob, phone) = (device("bob", "laptop"), device("alice", "phone"));
    let heard = spoken(&bob, text("hello", Order::Same));
    assert_eq!(heard.to_string(), "[bob/laptop] hello");
    assert_eq!(heard.in_history(), "2027-01-15 08:00:00 UTC [bob/laptop] hello");
    let id = "02".repeat(16);
    assert_eq!(
        json(&heard),
        format!(
            r#"{{"event":"message",PLACE,"from":{{"user":"bob","device":"laptop"}},"own":false,"id":"{id}","written":9,"text":"hello","order":"same","reply_to":null,"mentioned":false,"edited":false,"taken_back":false,"reactions":{{}}}}"#
        )
    );
    let own = spoken(&phone, text("from the train", Order::Unknown));
    assert_eq!(own.to_string(), "[alice/phone to bob] from the train");
    assert_eq!(own.in_history(), "2027-01-15 08:00:00 UTC [alice/phone] from the train");
    assert!(json(&own).contains(r#""own":true"#) && json(&own).contains(r#""order":"unknown""#));
    let room = spoken_in(Kind::Room, &bob, text("hello all", Order::Same));
    assert_eq!(room.to_string(), "[bob/laptop in #tea] hello all");
    assert!(serde_json::to_string(&room).unwrap().contains(r#""with":null"#));
    let itself = spoken_in(Kind::Direct(user("alice"), user("alice")), &phone, text("a note", Order::Same));
    assert_eq!(itself.to_string(), "[alice/phone to alice] a note");
}

#[test]
fn no_text_steers_a_terminal_or_makes_a_line_of_somebody_elses() {
    let hostile = spoken(&device("bob", "laptop"), text("a\u{1b}[2Jb\r\n[carol/laptop] c\u{202e}\nd", Order::Same));
    assert_eq!(hostile.to_string(), "[bob/laptop] a[2Jb\n    [carol/laptop] c\n    d");
    assert!(hostile.in_history().ends_with("a[2Jb\n    [carol/laptop] c\n    d"));
}

#[test]
fn who_is_in_a_conversation_is_told_and_a_server_that_says_otherwise_is_warned_of() {
    let (bob, phone) = (device("bob", "laptop"), device("alice", "phone"));
    let joined = |declared| spoken(&bob, Said::Joined { members: vec![phone.clone(), bob.clone()], declared });
    assert_eq!(joined(true).to_string(), "in the conversation with bob are now alice/phone, bob/laptop");
    assert_eq!(joined(true).warning(), None);
    assert!(joined(false).warning().unwrap().starts_with("WARNING: who is in the conversation with bob is not who"));
    assert_eq!(
        json(&joined(true)),
        r#"{"event":"joined",PLACE,"members":[{"user":"alice","device":"phone"},{"user":"bob","device":"laptop"}],"declared":true}"#
    );
    let changed = |came: &[&DeviceName], went: &[&DeviceName]| {
        let [came, went] = [came, went].map(|names| names.iter().map(|name| (*name).clone()).collect());
        spoken(&bob, Said::Changed { came, went, declared: true })
    };
    assert_eq!(changed(&[&phone], &[]).to_string(), "in the conversation with bob is now also: alice/phone");
    assert_eq!(changed(&[], &[&phone]).to_string(), "in the conversation with bob is no more: alice/phone");
    let both = "in the conversation with bob is now also: alice/phone; and no more: bob/laptop";
    assert_eq!(changed(&[&phone], &[&bob]).to_string(), both);
    assert_eq!(
        json(&changed(&[&phone], &[])),
        r#"{"event":"members",PLACE,"from":{"user":"bob","device":"laptop"},"came":[{"user":"alice","device":"phone"}],"went":[],"declared":true}"#
    );
}

#[test]
fn another_order_is_warned_of_and_what_can_t_be_read_says_why() {
    let bob = device("bob", "laptop");
    let other = spoken(&bob, text("hello", Order::Other));
    let warning = other.warning().unwrap();
    assert!(
        warning.starts_with("WARNING: bob/laptop has not seen the same") && warning.contains("place 7"),
        "{warning}"
    );
    assert!(json(&other).contains(r#""order":"other""#));
    assert_eq!(spoken(&bob, text("hello", Order::Unknown)).warning(), None);
    let all = [Unreadable::Sealed, Unreadable::Unbelieved, Unreadable::Newer, Unreadable::Expired, Unreadable::Welcome];
    for (code, why) in (1..).zip(all) {
        let unreadable = spoken(&bob, Said::Unreadable(why));
        let Spoken::Unreadable { code: found, reason, .. } = &unreadable else { panic!("{unreadable:?}") };
        assert_eq!((*found, unreadable.warning()), (code, None));
        let words = format!(
            "something of bob/laptop at place 7 of the conversation with bob can't be read: {reason} (code {code})"
        );
        assert_eq!(unreadable.to_string(), words);
        assert!(json(&unreadable).starts_with(r#"{"event":"unreadable",PLACE,"from""#));
    }
}

#[test]
fn what_changes_of_a_room_is_said_in_words_and_as_an_object() {
    let bob = device("bob", "laptop");
    let altered = |changes: Vec<RoomChange>, went: Vec<DeviceName>| {
        spoken_in(Kind::Room, &bob, Said::Altered { came: Vec::new(), went, declared: true, changes })
    };
    for (change, words) in [
        (RoomChange::Name(RoomName::parse("tea").unwrap()), "it is called #tea now"),
        (RoomChange::Topic("\u{1b}[2Jgreen".into()), "it is about \"[2Jgreen\""),
        (RoomChange::Topic(String::new()), "it has no topic any more"),
        (RoomChange::Invites(Rank::Member), "everybody in it may invite"),
        (RoomChange::Invites(Rank::Moderator), "moderators and owners may invite"),
        (RoomChange::Invites(Rank::Owner), "owners may invite"),
        (RoomChange::Rank(user("carol"), Rank::Owner), "carol is an owner now"),
        (RoomChange::Leaves(user("carol")), "carol leaves"),
    ] {
        assert_eq!(altered(vec![change], Vec::new()).to_string(), format!("in #tea bob/laptop has changed: {words}"));
    }
    let several = vec![RoomChange::Rank(user("carol"), Rank::Member), RoomChange::Topic("green".into())];
    let several = altered(several, vec![device("carol", "phone")]);
    assert_eq!(
        several.to_string(),
        "in #tea bob/laptop has changed: carol is a member now; it is about \"green\"; there is no more: carol/phone"
    );
    let json = serde_json::to_string(&several).unwrap();
    for part in [
        r#""event":"room""#,
        r#""room":"tea""#,
        r#""changes":[{"rank":["carol","member"]},{"topic":"green"}]"#,
        r#""went":[{"user":"carol","device":"phone"}]"#,
        r#""declared":true"#,
    ] {
        assert!(json.contains(part), "{json}");
    }
    assert_eq!(several.warning(), None);
    let undeclared = Said::Altered { came: Vec::new(), went: Vec::new(), declared: false, changes: Vec::new() };
    assert!(spoken_in(Kind::Room, &bob, undeclared).warning().is_some_and(|words| words.contains("#tea")));
}

fn later(saying: Saying, by: &DeviceName, fate: Fate) -> Spoken {
    let what = Said::More { id: MessageId([3; 16]), written: Wall(9), saying, order: Order::Same };
    let (kind, room) = (Kind::Room, RoomName::parse("tea").ok());
    let entry =
        Entry { conversation: ConversationId([0xab; 16]), kind, room, place: 8, at: Wall(1), by: by.clone(), what };
    let mut line = Line::new(entry);
    line.fate = fate;
    Spoken::of(&line, &user("alice"))
}

fn about(text: &str, holds: bool) -> Fate {
    let about = About { user: Some(user("alice")), text: text.to_owned(), holds };
    Fate { about: Some(about), ..Fate::default() }
}

#[test]
fn what_is_about_another_message_says_about_which() {
    let (bob, of) = (device("bob", "laptop"), MessageId([2; 16]));
    let yes = || "yes".to_owned();
    let long = "x".repeat(50);
    for (saying, fate, words) in [
        (Saying::Reply { to: of, text: yes() }, about("tea?", true), "(to alice: \"tea?\") yes"),
        (Saying::Reply { to: of, text: yes() }, about("tea\nor not?", true), "(to alice: \"tea…\") yes"),
        (Saying::Reply { to: of, text: yes() }, Fate::default(), "(to a message that is not here) yes"),
        (Saying::Edit { of, text: yes() }, about("yes", true), "(edited) yes"),
        (
            Saying::Edit { of, text: yes() },
            about("no", false),
            "would change what is not theirs, or not here: nothing comes of it",
        ),
        (Saying::Redact { of }, about("", true), "has taken a message back"),
        (
            Saying::Redact { of },
            about("no", false),
            "would change what is not theirs, or not here: nothing comes of it",
        ),
        (Saying::React { to: of, with: "\u{1b}+1".into(), on: true }, about("tea?", true), "+1 to alice: \"tea?\""),
        (Saying::React { to: of, with: "+1".into(), on: false }, about("tea?", true), "no more +1 to alice: \"tea?\""),
    ] {
        assert_eq!(later(saying, &bob, fate).to_string(), format!("[bob/laptop in #tea] {words}"));
    }
    let cut = later(Saying::Reply { to: of, text: yes() }, &bob, about(&long, true)).to_string();
    assert!(cut.contains(&format!("\"{}…\"", "x".repeat(40))), "{cut}");
    let edit = later(Saying::Edit { of, text: yes() }, &bob, about("yes", true));
    let json = serde_json::to_string(&edit).unwrap();
    let id = "02".repeat(16);
    for part in
        [r#""event":"edit""#, &format!(r#""of":{{"id":"{id}","from":"alice","text":"yes"}}"#), r#""holds":true"#]
    {
        assert!(json.contains(part), "{json}");
    }
}

#[test]
fn what_has_come_of_a_message_stands_at_it() {
    let reactions: BTreeMap<String, Vec<UserName>> =
        [("+1".to_owned(), vec![user("alice"), user("carol")]), ("tea".to_owned(), vec![user("bob")])].into();
    let (bob, to) = (device("bob", "laptop"), MessageId([2; 16]));
    let reply = || Saying::Reply { to, text: "yes".into() };
    let fate = Fate { state: State::Edited, reactions, ..about("tea?", true) };
    let shown = later(reply(), &bob, fate).in_history();
    assert!(shown.ends_with("[bob/laptop] (to alice: \"tea?\") yes (edited) (+1 alice, carol; tea bob)"), "{shown}");
    let fate = Fate { state: State::TakenBack, ..about("tea?", true) };
    assert!(later(reply(), &bob, fate).in_history().ends_with("[bob/laptop] (taken back)"));
}

#[test]
fn somebody_is_mentioned_by_their_whole_name_alone() {
    let alice = user("alice");
    for text in ["@alice", "hello @alice, tea?", "(@alice)", "x@alice @alice", "@bob@alice @alice"] {
        assert!(mentions(text, &alice), "{text}");
    }
    for text in ["alice", "@alicia", "@alice2", "@alice-b", "mail@alice", "@ alice", "", "@"] {
        assert!(!mentions(text, &alice), "{text}");
    }
    let said = |by: &DeviceName| serde_json::to_string(&spoken(by, text("@alice!", Order::Same))).unwrap();
    assert!(said(&device("bob", "laptop")).contains(r#""mentioned":true"#));
    assert!(said(&device("alice", "phone")).contains(r#""mentioned":false"#));
}
