//! The bounds of what waits in a device, and what it does when the relay is too busy.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use rand_chacha::ChaCha20Rng;
use serde_bytes::ByteBuf;

use super::*;
use crate::device::Fetched;
use crate::id::{KeyId, MessageId, SendId};
use crate::testing::{Town, device_name, rng};
use crate::tls::{Judged, Side, judge_device};

/// A device that is connected and has all that was posted for it, and what it is lent.
struct Desk {
    identity: Identity,
    met: Acquaintances,
    now: Now,
    rng: ChaCha20Rng,
    conversations: Conversations,
}

impl Desk {
    fn new() -> Self {
        let mut town = Town::of(&[]);
        let identity = town.enrol("alice");
        let conversations = Conversations::restore(&identity, &Rows::new());
        let met = Acquaintances::default();
        let mut desk = Self { identity, met, now: town.now, rng: rng(1), conversations };
        desk.turn(Conversations::online);
        desk.hear(ConversationsEvent::CaughtUp);
        desk.drain();
        desk
    }

    fn turn<T>(&mut self, act: impl FnOnce(&mut Conversations, &mut Turn<'_>) -> T) -> T {
        let Self { identity, met, now, rng, conversations } = self;
        act(conversations, &mut Turn { identity, met, now: *now, rng })
    }

    fn hear(&mut self, event: ConversationsEvent) {
        self.turn(|conversations, turn| conversations.heard(event, turn)).unwrap();
        self.keep();
    }

    /// The disk answers at once.
    fn keep(&mut self) {
        while let Some((id, _)) = self.conversations.poll_keep() {
            self.conversations.kept(id);
        }
    }

    fn drain(&mut self) -> Vec<RelayRequest> {
        std::iter::from_fn(|| self.conversations.poll_request()).collect()
    }
}

fn posted(place: u64, bytes: usize) -> ConversationsEvent {
    let what = What::Message { id: MessageId([1; 16]), body: ByteBuf::from(vec![7; bytes]) };
    let by = device_name("bob", "laptop");
    ConversationsEvent::Posted(Posted { conversation: ConversationId([9; 16]), place, at: Wall(1), by, what })
}

#[test]
fn what_waits_for_a_judgement_is_bounded_and_the_rest_is_asked_for_again() {
    let mut desk = Desk::new();
    desk.conversations.judging = 1;
    let bytes = 64 * 1024;
    let fits = POSTED_WAITING_BYTES_MAX / bytes;
    for place in 1..=2 * fits as u64 {
        desk.hear(posted(place, bytes));
        let waiting: usize = desk.conversations.inbox.iter().map(size).sum();
        assert!(waiting <= POSTED_WAITING_BYTES_MAX, "{waiting}");
    }
    assert!(desk.conversations.inbox.len() + 2 > fits);
    assert_eq!(desk.drain(), []);
    // The relay's word that this is all is of no use now.
    desk.hear(ConversationsEvent::CaughtUp);
    desk.conversations.judging = 0;
    desk.turn(Conversations::tick);
    assert!(desk.conversations.inbox.is_empty());
    let collects =
        |request: &RelayRequest| matches!(request, RelayRequest::Conversations(ConversationsRequest::Collect));
    assert_eq!(desk.drain().iter().filter(|request| collects(request)).count(), 1);
    // What was on its way still comes, and the relay begins anew then.
    desk.hear(posted(2 * fits as u64, 1));
    desk.hear(ConversationsEvent::CaughtUp);
    assert!(desk.conversations.inbox.is_empty());
    desk.hear(ConversationsEvent::KeyPackages { left: 32, last_resort: Some(Wall(u64::MAX)) });
    assert_eq!(desk.conversations.stream, Stream::Behind);
}

#[test]
fn one_thing_that_is_larger_than_all_that_may_wait_is_taken_in_all_the_same() {
    let mut desk = Desk::new();
    desk.conversations.judging = 1;
    desk.hear(posted(1, POSTED_WAITING_BYTES_MAX));
    assert_eq!(desk.conversations.inbox.len(), 1);
}

#[test]
fn what_the_relay_is_too_busy_for_is_said_again_after_a_while() {
    let mut desk = Desk::new();
    let to = desk.identity.name.user.clone();
    desk.turn(|conversations, turn| conversations.send(SendId(1), to.clone().into(), "a note".to_owned().into(), turn));
    desk.keep();
    assert_eq!(desk.conversations.poll_fetch(), Some(to.clone()));
    desk.turn(|conversations, turn| conversations.fetched(&to, &[], turn));
    desk.keep();
    let asked = desk.drain();
    let found = |request: &RelayRequest| {
        let RelayRequest::Conversations(ConversationsRequest::Found { ask, .. }) = request else { return None };
        Some(*ask)
    };
    let ask = asked.iter().find_map(found).unwrap();
    assert!(desk.turn(|conversations, turn| conversations.refused(ask, Code::BUSY, turn)));
    desk.keep();
    assert_eq!(desk.drain(), []);
    let (at, _) = desk.conversations.next_deadline().unwrap();
    assert_eq!(at, desk.now.mono.plus(CONVERSATIONS_RETRY));
    desk.now.mono = at;
    desk.turn(Conversations::tick);
    desk.keep();
    assert_eq!(desk.drain().iter().filter_map(found).count(), 1);
}

#[test]
fn a_device_that_was_let_in_under_ones_own_name_by_the_operator_is_not_one_of_ones_own() {
    let mut desk = Desk::new();
    let (trust, own) = (desk.identity.trust.clone(), desk.identity.credentials.clone());
    let issuing = std::slice::from_ref(&own.issuing);
    let laptop = judge_device(&trust, &own.leaf, issuing, Side::Client, desk.now.wall, None).unwrap();
    let fetched = |device: &str, certificate: u8, founder: u8| {
        let (device, certificate) = (device_name("alice", device), Fingerprint([certificate; 32]));
        let verdict = Ok(Judged { device, certificate, ..laptop.clone() });
        let founder = Some(Founder { key: KeyId([founder; 32]), reissued: None });
        Fetched { leaf: own.leaf.clone(), issuing: own.issuing.clone(), verdict, founder }
    };
    let all = [fetched("laptop", 1, 7), fetched("phone", 2, 7), fetched("fridge", 3, 8)];
    let (good, _) = desk.turn(|conversations, turn| conversations.believe_fetched(&all, turn));
    assert_eq!(good, [device_name("alice", "laptop"), device_name("alice", "phone")]);
    // Where this device itself is not shown, nobody is known to be its person's.
    let (good, _) = desk.turn(|conversations, turn| conversations.believe_fetched(&all[1..], turn));
    assert_eq!(good, []);
}

/// As a program wrote it down that knew texts alone.
#[test]
fn a_message_that_waits_since_before_there_were_others_than_texts_is_read() {
    let id = crate::id::MessageId([1; 16]);
    let row = postcard::to_stdvec(&(3_u64, id, "bob", Wall(9), "hello", Option::<u8>::None)).unwrap();
    let (number, outgoing) = outgoing::Outgoing::restored(&row).unwrap();
    assert_eq!((number, outgoing.id), (3, id));
    assert_eq!(outgoing.said(), (Wall(9), &Saying::Text("hello".into())));
    assert_eq!(outgoing::Outgoing::restored(&row[1..]), None);
}

/// What alice makes of something that erin has sealed, whose device was revoked: how what is posted comes to alice, and how many
/// seconds after the revocation the relay says that it was posted.
fn words_of_a_revoked_device(stream: Stream, after: i64) -> Said {
    let mut town = Town::of(&[]);
    let (alices, erins) = (town.enrol("alice"), town.enrol("erin"));
    let [alice, erin] =
        [alices.clone(), erins].map(|one| town.join_conversing(one, crate::testing::kept::Kept::default()));
    let hello =
        crate::device::Command::Send(SendId(1), device_name("erin", "laptop").user.into(), "hello".to_owned().into());
    town.command(alice, hello);
    town.wait(crate::limits::REFRESH_AFTER_JOIN * 4);
    let mut conversations = town.machine(alice).conversations.take().unwrap();
    let sealed = {
        let theirs = town.machine(erin).conversations.as_ref().unwrap();
        let one = theirs.all.values().next().unwrap();
        let (id, seen) = (MessageId([1; 16]), one.known.chain.seen());
        let content = content::Content { id, written: Wall(1), seen, body: Saying::Text("it is me".into()) };
        one.group.clone().unwrap().say(&content.encode(), Vec::new(), &mut rng(1)).unwrap().kept().1
    };
    let revocation = crate::operator::Revoke {
        user: device_name("erin", "laptop").user,
        device: None,
        reason: crate::tlog::ReasonCode::new(1).unwrap(),
        force: true,
    };
    town.operator(&crate::operator::Command::Revoke(revocation));
    let since = town.now.wall;
    // Whoever comes after it has the newest lists.
    conversations.beliefs.set_lists(town.enrol("carol").lists);
    conversations.stream = stream;
    let (id, one) = conversations.all.iter().next().unwrap();
    let posted = Posted {
        conversation: *id,
        place: one.known.cursor + 1,
        at: Wall(since.0.saturating_add_signed(after)),
        by: device_name("erin", "laptop"),
        what: What::Message { id: MessageId([1; 16]), body: ByteBuf::from(sealed) },
    };
    let mut met = Acquaintances::default();
    let mut turn = Turn { identity: &alices, met: &mut met, now: town.now, rng: &mut rng(2) };
    conversations.heard(ConversationsEvent::Posted(posted), &mut turn).unwrap();
    let (_, keep) = conversations.poll_keep().unwrap();
    keep.entries[0].what.clone()
}

#[test]
fn what_a_revoked_device_says_is_not_believed_and_what_it_said_before_it_is() {
    let unbelieved = Said::Unreadable(Unreadable::Unbelieved);
    assert_eq!(words_of_a_revoked_device(Stream::CaughtUp, 1), unbelieved);
    assert!(matches!(words_of_a_revoked_device(Stream::CaughtUp, 0), Said::Text { text, .. } if text == "it is me"));
    // What comes now is said now, whatever the relay says.
    assert_eq!(words_of_a_revoked_device(Stream::TakenIn, -3_600), unbelieved);
}

#[test]
fn more_than_fit_one_commit_are_not_added_in_one_step_and_the_user_is_told() {
    let mut desk = Desk::new();
    let (trust, own) = (desk.identity.trust.clone(), desk.identity.credentials.clone());
    let judged = judge_device(&trust, &own.leaf, std::slice::from_ref(&own.issuing), Side::Client, desk.now.wall, None);
    let bobs = |n: usize| {
        let mut certificate = [0; 32];
        certificate[..8].copy_from_slice(&u64::try_from(n).unwrap().to_be_bytes());
        let (device, certificate) = (device_name("bob", &format!("d{n}")), Fingerprint(certificate));
        let verdict = Ok(Judged { device, certificate, ..judged.clone().unwrap() });
        let founder = Some(Founder { key: KeyId([7; 32]), reissued: None });
        Fetched { leaf: own.leaf.clone(), issuing: own.issuing.clone(), verdict, founder }
    };
    let bob = device_name("bob", "d0").user;
    for (count, is_asked) in [(crate::limits::COMMIT_DEVICES_MAX, true), (crate::limits::COMMIT_DEVICES_MAX + 1, false)]
    {
        let (name, topic) = (crate::id::RoomName::lobby(), String::new());
        let people = BTreeSet::from([bob.clone()]);
        let create = RoomErrand::Create { name, topic, invites: Rank::Member, people, open: false };
        desk.turn(|conversations, turn| conversations.run(SendId(1), create, turn));
        let all: Vec<Fetched> = (0..count).map(bobs).collect();
        desk.turn(|conversations, turn| conversations.fetched(&bob, &all, turn));
        let own = desk.identity.name.user.clone();
        desk.turn(|conversations, turn| conversations.fetched(&own, &[], turn));
        desk.keep();
        let takes =
            |request: &RelayRequest| matches!(request, RelayRequest::Conversations(ConversationsRequest::Take { .. }));
        assert_eq!(desk.drain().iter().any(takes), is_asked);
        let told: Vec<ConversationEvent> = std::iter::from_fn(|| desk.conversations.poll_event()).collect();
        let crowd = ConversationEvent::NotSent(SendId(1), NotSent::Crowd);
        assert_eq!(told.contains(&crowd), !is_asked, "{told:?}");
        desk.turn(|conversations, turn| conversations.call_off(SendId(1), turn));
    }
}

/// Somebody of the realm, by a program of their own, has posted in an open room what nobody can take in.
fn break_in(town: &mut Town, mallory: usize, at: usize, commit: &[u8]) {
    let open = town.machine(at).conversations.as_ref().unwrap().all.iter().next().unwrap();
    let (conversation, epoch) = (*open.0, open.1.epoch().unwrap());
    let commit = ByteBuf::from(commit);
    let enter = ConversationsRequest::Enter { ask: AskId(9), conversation, epoch, commit };
    let requests = &mut town.machine(mallory).conversations.as_mut().unwrap().requests;
    requests.push_back(RelayRequest::Conversations(enter));
    town.command(mallory, crate::device::Command::CallOff(SendId(99)));
}

#[test]
fn what_nobody_can_take_in_from_outside_leaves_an_open_room_as_it_was() {
    use crate::device::Command;
    let mut town = Town::of(&[]);
    let people = ["alice", "bob", "mallory", "carol"].map(|name| town.enrol(name));
    let [alice, bob, mallory, carol] =
        people.clone().map(|one| town.join_conversing(one, crate::testing::kept::Kept::default()));
    for member in [alice, bob] {
        town.command(member, Command::Run(SendId(7), RoomErrand::Lobby));
    }
    let say = |town: &mut Town, member: usize, text: &str| {
        let to = Target::Room(crate::id::RoomName::lobby());
        town.command(member, Command::Send(SendId(1), to, text.to_owned().into()));
    };
    say(&mut town, alice, "before");
    break_in(&mut town, mallory, alice, b"this is no commit");
    say(&mut town, bob, "as if nothing had been");
    // A commit of theirs goes on as well, and whoever comes into the room then.
    town.command(
        alice,
        Command::Run(
            SendId(7),
            RoomErrand::Change(crate::id::RoomName::lobby(), Alteration::Topic("all are welcome".into())),
        ),
    );
    town.command(carol, Command::Run(SendId(7), RoomErrand::Lobby));
    say(&mut town, carol, "here I am");
    let words = |town: &Town, member: usize| -> Vec<String> {
        let text = |entry: &Entry| match &entry.what {
            Said::Text { text, order: Order::Same, .. } => Some(text.clone()),
            Said::Text { .. }
            | Said::Joined { .. }
            | Said::Changed { .. }
            | Said::Unreadable(_)
            | Said::Altered { .. }
            | Said::More { .. } => None,
        };
        town.members[member].kept.history.iter().filter_map(text).collect()
    };
    for member in [alice, bob] {
        assert_eq!(words(&town, member), ["before", "as if nothing had been", "here I am"]);
        let unreadable = |entry: &&Entry| matches!(entry.what, Said::Unreadable(_));
        let shown: Vec<&Entry> = town.members[member].kept.history.iter().filter(unreadable).collect();
        assert!(matches!(shown[..], [one] if one.by == device_name("mallory", "laptop")), "{shown:?}");
    }
    assert_eq!(words(&town, carol), ["here I am"]);
    // It is known after a restart, too, and to whoever is added by somebody who is in.
    let kept = town.kill(bob);
    let bob = town.join_conversing(people[1].clone(), kept);
    say(&mut town, bob, "back again");
    assert_eq!(words(&town, carol), ["here I am", "back again"]);
}

#[test]
fn what_was_known_of_a_conversation_before_there_were_open_rooms_is_read() {
    let known = one::Known {
        kind: crate::wire::conversations::Kind::Room,
        cursor: 7,
        phase: one::Phase::In,
        chain: chain::Chain::begin(b"x"),
        pending: None,
        refresh_at: Wall(9),
        voided: 0,
    };
    let row = batch::encode(&known);
    let [before @ .., 0] = &row[..] else { panic!("{row:?}") };
    // What was seen last is written down; what a device remembers besides is not.
    let again = |row: &[u8]| one::Known::restored(row).map(|known| batch::encode(&known));
    assert_eq!(again(before), Some(row.clone()));
    assert_eq!(again(&row), Some(row.clone()));
    let later = batch::encode(&one::Known { voided: 3, ..known });
    assert_eq!(again(&later), Some(later));
    assert_eq!(again(&before[1..]), None);
}

#[test]
fn a_message_that_can_not_be_opened_is_shown_as_one_and_the_next_is_read() {
    let mut town = Town::of(&[]);
    let people = ["alice", "bob"].map(|name| town.enrol(name));
    let [alice, bob] = people.map(|one| town.join_conversing(one, crate::testing::kept::Kept::default()));
    let write = |town: &mut Town, by: usize, to: &str, text: &str| {
        let to = device_name(to, "laptop").user.into();
        town.command(by, crate::device::Command::Send(SendId(1), to, text.to_owned().into()));
    };
    write(&mut town, alice, "bob", "before");
    // Something that bob's program has not sealed as it should.
    let (conversation, epoch) = {
        let (id, one) = town.machine(bob).conversations.as_ref().unwrap().all.iter().next().unwrap();
        (*id, one.epoch().unwrap())
    };
    let (id, body) = (MessageId([9; 16]), ByteBuf::from(b"no message".to_vec()));
    let send = ConversationsRequest::Send { ask: AskId(9), conversation, epoch, id, body };
    let requests = &mut town.machine(bob).conversations.as_mut().unwrap().requests;
    requests.push_back(RelayRequest::Conversations(send));
    town.command(bob, crate::device::Command::CallOff(SendId(99)));
    write(&mut town, bob, "alice", "after");
    let history = &town.members[alice].kept.history;
    let sealed = |entry: &Entry| entry.what == Said::Unreadable(Unreadable::Sealed);
    assert_eq!(history.iter().filter(|entry| sealed(entry)).count(), 1);
    assert!(matches!(&history.last().unwrap().what, Said::Text { text, .. } if text == "after"), "{history:?}");
}
