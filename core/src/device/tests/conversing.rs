//! People write to each other: online or not, once and in order. Each test is a short story over memory.

use super::*;
use crate::device::Identity;
use crate::device::conversations::{ConversationEvent, Entry, NotSent, Order, Said, Saying};
use crate::id::SendId;
use crate::journal::Record;
use crate::limits::{
    DEVICE_LIFETIME, LAST_RESORT_RENEWAL, OUTGOING_IN_FLIGHT_BYTES_MAX, OUTGOING_MAX, REACTION_BYTES_MAX,
    REFRESH_AFTER_JOIN, REFRESH_SPAN, REMOVAL_TURN, TEXT_BYTES_MAX,
};
use crate::operator::{Command as Operator, Revoke};
use crate::testing::kept::Kept;
use crate::tlog::ReasonCode;

/// What somebody was told of conversations.
pub(super) fn told(events: &[Event]) -> Vec<ConversationEvent> {
    let of = |event: &Event| if let Event::Conversation(event) = event { Some((**event).clone()) } else { None };
    events.iter().filter_map(of).collect()
}

/// The texts of a history, with who wrote them.
pub(super) fn texts(history: &[Entry]) -> Vec<(String, String)> {
    let text = |entry: &Entry| match &entry.what {
        Said::Text { text, order: Order::Same, .. } => Some((entry.by.to_string(), text.clone())),
        Said::Text { order: Order::Other | Order::Unknown, .. } | Said::More { .. } | Said::Unreadable(_) => {
            panic!("{entry:?}")
        }
        Said::Joined { declared, .. } | Said::Changed { declared, .. } | Said::Altered { declared, .. } => {
            assert!(declared, "{entry:?}");
            None
        }
    };
    history.iter().filter_map(text).collect()
}

pub(super) fn lines(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(by, text)| (format!("{by}/laptop"), (*text).to_owned())).collect()
}

/// A town in which these people take part in conversations.
pub(super) fn town(names: &[&str]) -> (Town, Vec<(Identity, usize)>) {
    let mut town = Town::of(&[]);
    let join = |name: &&str| {
        let identity = town.enrol(name);
        (identity.clone(), town.join_conversing(identity, Kept::default()))
    };
    let members = names.iter().map(join).collect();
    (town, members)
}

pub(super) fn write(town: &mut Town, member: usize, to: &str, text: &str) {
    town.command(member, Command::Send(SendId(1), user(to).into(), text.to_owned().into()));
}

/// The program ends, and what its disk has is left.
pub(super) fn stop(town: &mut Town, member: usize) -> Kept {
    town.command(member, Command::Quit);
    std::mem::take(&mut town.members[member].kept)
}

pub(super) fn history(town: &Town, member: usize) -> Vec<(String, String)> {
    texts(&town.members[member].kept.history)
}

#[test]
fn what_is_too_long_or_nothing_is_not_sent_and_the_user_is_told_at_once() {
    let (mut town, members) = town(&["alice"]);
    let alice = members[0].1;
    for (n, text) in [(1, String::new()), (2, "x".repeat(TEXT_BYTES_MAX + 1))] {
        town.news(alice);
        town.command(alice, Command::Send(SendId(n), user("bob").into(), text.into()));
        assert_eq!(told(&town.news(alice)), [ConversationEvent::NotSent(SendId(n), NotSent::Length)]);
    }
}

#[test]
fn two_people_write_to_each_other_and_have_the_same_history() {
    let (mut town, members) = town(&["alice", "bob"]);
    let [(_, alice), (_, bob)] = members[..] else { panic!("two") };
    write(&mut town, alice, "bob", "hello bob");
    write(&mut town, bob, "alice", "hello alice");
    write(&mut town, alice, "bob", "how are you?");
    let said = lines(&[("alice", "hello bob"), ("bob", "hello alice"), ("alice", "how are you?")]);
    assert_eq!(history(&town, alice), said);
    assert_eq!(history(&town, bob), said);
    let sent = |event: &ConversationEvent| matches!(event, ConversationEvent::Sent(SendId(1), _));
    assert_eq!(told(&town.news(alice)).iter().filter(|event| sent(event)).count(), 2);
}

#[test]
fn a_text_of_the_greatest_length_arrives() {
    let (mut town, members) = town(&["alice", "bob"]);
    let text = "x".repeat(TEXT_BYTES_MAX);
    write(&mut town, members[0].1, "bob", &text);
    assert!(history(&town, members[1].1) == lines(&[("alice", &text)]));
}

#[test]
fn who_is_away_reads_it_all_when_they_come_and_once() {
    let (mut town, members) = town(&["alice", "bob"]);
    let [(_, alice), (ref bobs, bob)] = members[..] else { panic!("two") };
    write(&mut town, alice, "bob", "before");
    let kept = stop(&mut town, bob);
    for n in 0..40 {
        write(&mut town, alice, "bob", &format!("away {n}"));
    }
    let bob = town.join_conversing(bobs.clone(), kept);
    let said = history(&town, alice);
    assert_eq!(said.len(), 41);
    assert_eq!(history(&town, bob), said);
    let kept = stop(&mut town, bob);
    let bob = town.join_conversing(bobs.clone(), kept);
    assert_eq!(history(&town, bob), said);
}

#[test]
fn somebody_who_has_never_met_is_written_to_while_they_are_away() {
    let (mut town, members) = town(&["alice", "bob"]);
    let [(_, alice), (ref bobs, bob)] = members[..] else { panic!("two") };
    let kept = stop(&mut town, bob);
    write(&mut town, alice, "bob", "hello");
    let bob = town.join_conversing(bobs.clone(), kept);
    assert_eq!(history(&town, bob), lines(&[("alice", "hello")]));
    let met = |event: &ConversationEvent| matches!(event, ConversationEvent::Met(name, _) if *name == user("alice"));
    assert!(told(&town.news(bob)).iter().any(met));
}

#[test]
fn both_write_first_at_once_and_there_is_one_conversation() {
    let (mut town, members) = town(&["alice", "bob"]);
    let [(_, alice), (_, bob)] = members[..] else { panic!("two") };
    town.device(
        alice,
        super::super::Input::Command(Command::Send(SendId(1), user("bob").into(), Saying::Text("from alice".into()))),
    );
    town.device(
        bob,
        super::super::Input::Command(Command::Send(SendId(1), user("alice").into(), Saying::Text("from bob".into()))),
    );
    town.settle();
    let said = history(&town, alice);
    assert_eq!(history(&town, bob), said);
    let mut sorted = said;
    sorted.sort();
    assert_eq!(sorted, lines(&[("alice", "from alice"), ("bob", "from bob")]));
    assert_eq!(town.members[alice].kept.history[0].conversation, town.members[bob].kept.history[0].conversation);
}

#[test]
fn nobody_can_write_to_somebody_who_is_not_there_or_never_took_part() {
    let (mut town, members) = town(&["alice"]);
    let alice = members[0].1;
    let carol = town.enrol("carol");
    town.join(carol, true);
    for (to, why) in [("nobody", NotSent::Refused(Code::NO_SUCH_USER)), ("carol", NotSent::Nobody)] {
        town.news(alice);
        write(&mut town, alice, to, "hello");
        assert_eq!(told(&town.news(alice)), [ConversationEvent::NotSent(SendId(1), why)], "{to}");
    }
    assert!(
        town.members[alice].kept.rows.keys().all(|row| !matches!(row, crate::device::conversations::Row::Outgoing(_)))
    );
}

#[test]
fn nothing_leaves_before_it_is_kept_and_a_crash_in_between_loses_and_doubles_nothing() {
    let (mut town, members) = town(&["alice", "bob"]);
    let [(ref alices, mut alice), (_, bob)] = members[..] else { panic!("two") };
    write(&mut town, alice, "bob", "first");
    // The program is killed before its disk has answered, at each point of the way once.
    for n in 0..5 {
        town.members[alice].kept.hold = true;
        write(&mut town, alice, "bob", &format!("held {n}"));
        for _ in 0..n {
            town.keep_one(alice);
        }
        let before = history(&town, bob).len();
        let kept = town.kill(alice);
        alice = town.join_conversing(alices.clone(), kept);
        let wished = format!("held {n}");
        let times = history(&town, bob).iter().filter(|(_, text)| *text == wished).count();
        // What was wished for and kept is sent by the next start; what was not is as if it had never been wished.
        assert_eq!(times, usize::from(n > 0), "{n}: {before} before");
        assert_eq!(history(&town, bob), history(&town, alice), "{n}");
    }
}

#[test]
fn a_lost_connection_loses_and_doubles_nothing() {
    let (mut town, members) = town(&["alice", "bob"]);
    let [(_, alice), (_, bob)] = members[..] else { panic!("two") };
    write(&mut town, alice, "bob", "first");
    for n in 0..4 {
        // The journal has it, and nobody hears of it.
        town.hold = true;
        write(&mut town, alice, "bob", &format!("cut {n}"));
        town.cut(if n % 2 == 0 { alice } else { bob });
        town.release();
        town.wait(Duration::from_secs(60));
    }
    let said =
        lines(&[("alice", "first"), ("alice", "cut 0"), ("alice", "cut 1"), ("alice", "cut 2"), ("alice", "cut 3")]);
    assert_eq!(history(&town, alice), said);
    assert_eq!(history(&town, bob), said);
}

#[test]
fn all_devices_of_both_have_it_the_writers_other_ones_too() {
    let mut town = Town::of(&[]);
    let laptop = town.enrol("alice");
    let phone = town.further(&laptop, "phone");
    let bobs = town.enrol("bob");
    let all: Vec<usize> =
        [laptop, phone, bobs].into_iter().map(|one| town.join_conversing(one, Kept::default())).collect();
    write(&mut town, all[0], "bob", "from my laptop");
    write(&mut town, all[1], "bob", "from my phone");
    write(&mut town, all[2], "alice", "to both");
    let said = history(&town, all[0]);
    assert_eq!(
        said.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(),
        ["from my laptop", "from my phone", "to both"]
    );
    assert!(all.iter().all(|member| history(&town, *member) == said));
}

#[test]
fn who_has_joined_gives_themselves_new_keys_soon_and_everybody_goes_on() {
    let (mut town, members) = town(&["alice", "bob"]);
    let [(_, alice), (_, bob)] = members[..] else { panic!("two") };
    write(&mut town, alice, "bob", "first");
    let before = town.machine(alice).epochs();
    town.wait(REFRESH_AFTER_JOIN * 3);
    assert_eq!(town.machine(alice).epochs(), [before[0] + 1]);
    assert_eq!(town.machine(bob).epochs(), [before[0] + 1]);
    write(&mut town, bob, "alice", "after");
    assert_eq!(history(&town, alice), lines(&[("alice", "first"), ("bob", "after")]));
    // It is no news to people.
    assert_eq!(town.members[alice].kept.history.len(), 3);
}

#[test]
fn a_revoked_device_is_removed_before_anybody_writes() {
    let mut town = Town::of(&[]);
    let alices = town.enrol("alice");
    let bobs = town.enrol("bob");
    let phone = town.further(&bobs, "phone");
    let [alice, bob, phone] = [alices, bobs, phone].map(|one| town.join_conversing(one, Kept::default()));
    write(&mut town, alice, "bob", "to all three");
    town.wait(REFRESH_AFTER_JOIN * 4);
    let (device, reason) = (Some(device_name("bob", "phone").device), ReasonCode::new(1).unwrap());
    town.operator(&Operator::Revoke(Revoke { user: user("bob"), device, reason, force: false }));
    town.wait(Duration::from_secs(30));
    write(&mut town, bob, "alice", "without the phone");
    let said = history(&town, alice);
    assert_eq!(said.last().map(|(_, text)| text.as_str()), Some("without the phone"));
    assert_eq!(history(&town, bob), said);
    assert_eq!(history(&town, phone), said[..1]);
    let went =
        |entry: &Entry| matches!(&entry.what, Said::Changed { went, .. } if *went == [device_name("bob", "phone")]);
    assert!(town.members[alice].kept.history.iter().any(went));
}

#[test]
fn a_further_device_comes_into_its_persons_conversations_by_itself() {
    let mut town = Town::of(&[]);
    let laptop = town.enrol("alice");
    let phone = town.further(&laptop, "phone");
    let bobs = town.enrol("bob");
    let [laptop, bob] = [laptop, bobs].map(|one| town.join_conversing(one, Kept::default()));
    write(&mut town, laptop, "bob", "before the phone");
    let phone = town.join_conversing(phone, Kept::default());
    town.wait(Duration::from_secs(5));
    write(&mut town, bob, "alice", "to both");
    write(&mut town, phone, "bob", "from the phone");
    let said = history(&town, laptop);
    assert_eq!(said.len(), 3);
    assert_eq!(history(&town, bob), said);
    assert_eq!(history(&town, phone), said[1..]);
}

#[test]
fn so_many_messages_wait_for_the_relay_and_no_more_and_all_of_them_go_out_in_their_order() {
    let (mut town, members) = town(&["alice", "bob"]);
    let [(_, alice), (_, bob)] = members[..] else { panic!("two") };
    town.unreachable = true;
    town.cut(alice);
    for n in 0..OUTGOING_MAX {
        town.device(
            alice,
            crate::device::Input::Command(Command::Send(SendId(1), user("bob").into(), Saying::Text(format!("{n}")))),
        );
    }
    town.settle();
    town.news(alice);
    write(&mut town, alice, "bob", "one more");
    assert_eq!(told(&town.news(alice)), [ConversationEvent::NotSent(SendId(1), NotSent::Full)]);
    town.unreachable = false;
    town.wait(Duration::from_secs(60));
    let said = history(&town, bob);
    let wished: Vec<String> = (0..OUTGOING_MAX).map(|n| n.to_string()).collect();
    assert!(said.iter().map(|(_, text)| text).eq(&wished));
}

#[test]
fn what_is_sent_and_not_posted_yet_is_bounded() {
    let (mut town, members) = town(&["alice", "bob"]);
    let [(_, alice), (_, bob)] = members[..] else { panic!("two") };
    write(&mut town, alice, "bob", "first");
    town.hold = true;
    let text = "x".repeat(TEXT_BYTES_MAX);
    for _ in 0..10 {
        write(&mut town, alice, "bob", &text);
    }
    let most = OUTGOING_IN_FLIGHT_BYTES_MAX / TEXT_BYTES_MAX + 1;
    assert!((2..=most).contains(&town.held.len()), "{}", town.held.len());
    town.release();
    town.wait(Duration::from_secs(1));
    assert_eq!(history(&town, bob).len(), 11);
}

#[test]
fn every_so_often_a_device_gives_itself_new_keys() {
    let (mut town, members) = town(&["alice", "bob"]);
    let [(ref alices, alice), (_, bob)] = members[..] else { panic!("two") };
    write(&mut town, alice, "bob", "first");
    town.wait(REFRESH_AFTER_JOIN * 3);
    let before = town.machine(alice).epochs();
    let (kept, _) = (stop(&mut town, alice), stop(&mut town, bob));
    town.wait(REFRESH_SPAN * 3 / 2);
    let alice = town.join_conversing(alices.clone(), kept);
    town.wait(Duration::from_secs(5));
    assert_eq!(town.machine(alice).epochs(), [before[0] + 1]);
}

#[test]
fn the_first_who_can_removes_a_revoked_device_and_the_next_waits_its_turn() {
    let mut town = Town::of(&[]);
    let (alices, bobs) = (town.enrol("alice"), town.enrol("bob"));
    let phone = town.further(&bobs, "phone");
    let all = [alices, bobs, phone].map(|one| town.join_conversing(one, Kept::default()));
    let [alice, bob, phone] = all;
    write(&mut town, alice, "bob", "to all three");
    town.wait(REFRESH_AFTER_JOIN * 4);
    // Alice stands first in the tree, and is away.
    stop(&mut town, alice);
    let _ = phone;
    let before = town.machine(bob).epochs();
    let (device, reason) = (Some(device_name("bob", "phone").device), ReasonCode::new(1).unwrap());
    town.operator(&Operator::Revoke(Revoke { user: user("bob"), device, reason, force: false }));
    town.wait(REMOVAL_TURN / 2);
    assert_eq!(town.machine(bob).epochs(), before);
    write(&mut town, bob, "alice", "held back");
    assert_eq!(history(&town, bob).len(), 1, "nobody writes to a revoked device");
    town.wait(REMOVAL_TURN);
    assert_eq!(town.machine(bob).epochs(), [before[0] + 1]);
    assert_eq!(history(&town, bob).len(), 2);
}

#[test]
fn the_package_of_last_resort_is_another_one_before_it_ends() {
    let (mut town, members) = town(&["alice"]);
    let [(ref alices, alice)] = members[..] else { panic!("one") };
    let published = |town: &Town| {
        let is_last = |record: &&Vec<u8>| {
            matches!(Record::decode(record), Ok((_, Record::KeyPackagePublished { last_resort: true, .. })))
        };
        town.journal.iter().filter(is_last).count()
    };
    assert_eq!(published(&town), 1);
    let kept = stop(&mut town, alice);
    town.wait(DEVICE_LIFETIME.saturating_sub(LAST_RESORT_RENEWAL + Duration::from_hours(1)));
    let alice = town.join_conversing(alices.clone(), kept);
    assert_eq!(published(&town), 1);
    let kept = stop(&mut town, alice);
    town.wait(Duration::from_hours(2));
    town.join_conversing(alices.clone(), kept);
    assert_eq!(published(&town), 2);
}

/// What one says about a message that stands there, with its number.
fn say_about(town: &mut Town, member: usize, to: &str, about: impl Fn(crate::id::MessageId) -> Saying) {
    let text = |entry: &Entry| if let Said::Text { id, .. } = &entry.what { Some(*id) } else { None };
    let first = town.members[member].kept.history.iter().find_map(text);
    let saying = about(first.expect("something was said"));
    town.command(member, Command::Send(SendId(1), user(to).into(), saying));
}

#[test]
fn answers_corrections_and_signs_arrive_as_what_they_are_and_in_their_order() {
    let (mut town, members) = town(&["alice", "bob"]);
    let [(ref alices, alice), (_, bob)] = members[..] else { panic!("two") };
    write(&mut town, alice, "bob", "tea at fuor");
    let text = |text: &str| text.to_owned();
    say_about(&mut town, bob, "alice", |to| Saying::React { to, with: text("?"), on: true });
    // One is written down, and its program ends before the relay is there.
    town.unreachable = true;
    town.cut(alice);
    say_about(&mut town, alice, "bob", |of| Saying::Edit { of, text: text("tea at four") });
    let kept = town.kill(alice);
    town.unreachable = false;
    let alice = town.join_conversing(alices.clone(), kept);
    say_about(&mut town, bob, "alice", |to| Saying::Reply { to, text: text("yes") });
    say_about(&mut town, alice, "bob", |of| Saying::Redact { of });
    let more = |town: &Town, member: usize| {
        let history = &town.members[member].kept.history;
        let of = |entry: &Entry| {
            let Said::More { saying, order: Order::Same, .. } = &entry.what else { return None };
            Some((entry.by.to_string(), saying.clone()))
        };
        history.iter().filter_map(of).collect::<Vec<_>>()
    };
    let said = more(&town, bob);
    assert_eq!(more(&town, alice), said);
    let kinds: Vec<(&str, bool)> = said.iter().map(|(by, saying)| (by.as_str(), saying.text().is_some())).collect();
    let [a, b] = ["alice/laptop", "bob/laptop"];
    assert_eq!(kinds, [(b, false), (a, true), (b, true), (a, false)]);
}

#[test]
fn a_reaction_is_a_word_or_an_emoji() {
    let (mut town, members) = town(&["alice", "bob"]);
    let alice = members[0].1;
    write(&mut town, alice, "bob", "hello");
    for (bytes, is_sent) in [(0, false), (1, true), (REACTION_BYTES_MAX, true), (REACTION_BYTES_MAX + 1, false)] {
        town.news(alice);
        say_about(&mut town, alice, "bob", |to| Saying::React { to, with: "x".repeat(bytes), on: true });
        let told = told(&town.news(alice));
        assert_eq!(!told.contains(&ConversationEvent::NotSent(SendId(1), NotSent::Reaction)), is_sent, "{bytes}");
    }
}
