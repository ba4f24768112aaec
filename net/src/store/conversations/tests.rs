//! What a device's file of conversations promises, shown on files of a real `SQLite`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use countersign_core::device::conversations::{Entry, Order, Rank, RoomView, Said, Saying, Seated, Unreadable};
use countersign_core::id::{ConversationId, DeviceLabel, DeviceName, MessageId, RoomName, UserName};
use countersign_core::limits::{TEXT_BYTES_MAX, UNSHOWN_PAGE_MAX};
use countersign_core::time::Wall;
use countersign_core::wire::conversations::Kind;
use tempfile::TempDir;

use super::*;
use crate::store::folder::FolderError;

const TEA: ConversationId = ConversationId([1; 16]);

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn laptop(name: &str) -> DeviceName {
    DeviceName { user: user(name), device: DeviceLabel::parse("laptop").unwrap() }
}

fn said(place: u64, text: &str) -> Entry {
    let what = Said::Text { id: MessageId([2; 16]), written: Wall(7), text: text.to_owned(), order: Order::Same };
    entry(place, what)
}

fn entry(place: u64, what: Said) -> Entry {
    let kind = Kind::Direct(user("alice"), user("bob"));
    Entry { conversation: TEA, kind, room: None, place, at: Wall(1_800_000_000), by: laptop("bob"), what }
}

fn keep(rows: &[(Row, Option<&[u8]>)], entries: &[Entry]) -> Keep {
    let rows = rows.iter().map(|(row, bytes)| (*row, bytes.map(<[u8]>::to_vec))).collect();
    Keep { rows, entries: entries.to_vec(), rooms: [].into() }
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn texts(entries: &[Entry]) -> Vec<String> {
    let text = |entry: &Entry| match &entry.what {
        Said::Text { text, .. } => text.clone(),
        other @ (Said::Joined { .. }
        | Said::Changed { .. }
        | Said::Altered { .. }
        | Said::More { .. }
        | Said::Unreadable(_)) => {
            format!("{other:?}")
        }
    };
    entries.iter().map(text).collect()
}

fn entries(lines: Vec<Line>) -> Vec<Entry> {
    lines.into_iter().map(|line| line.entry).collect()
}

fn search(folder: &TempDir, words: &str) -> Vec<String> {
    let history = HistoryFile::open(folder.path()).unwrap().unwrap();
    texts(&entries(history.of(&Of::People(user("bob"), user("alice")), Some(words), 50).unwrap()))
}

/// Whether these bytes are in any file of the folder.
fn is_anywhere(folder: &TempDir, bytes: &[u8]) -> bool {
    let files = fs::read_dir(folder.path()).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    files.into_iter().any(|file| file.windows(bytes.len()).any(|window| window == bytes))
}

#[test]
fn what_was_kept_is_there_at_the_next_start_and_nobody_else_can_read_the_file() {
    let folder = folder();
    let (group, tree) = (Row::Group(TEA), Row::Tree(TEA));
    let mut file = ConversationsFile::open(folder.path()).unwrap();
    assert_eq!(*file.rows().unwrap(), BTreeMap::new());
    file.keep(keep(&[(group, Some(b"one")), (tree, Some(b"leaves"))], &[said(1, "hello")])).unwrap();
    file.keep(keep(&[(group, Some(b"two")), (tree, None)], &[])).unwrap();
    // While it is open there are the log and its index, too.
    for name in [FILE.to_owned(), format!("{FILE}-wal"), format!("{FILE}-shm")] {
        let mode = fs::metadata(folder.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    drop(file);
    let file = ConversationsFile::open(folder.path()).unwrap();
    assert_eq!(*file.rows().unwrap(), BTreeMap::from([(group, b"two".to_vec())]));
    assert_eq!(file.unshown().unwrap()[0].entry, said(1, "hello"));
}

#[test]
fn all_of_a_writing_is_there_or_nothing() {
    let folder = folder();
    let mut file = ConversationsFile::open(folder.path()).unwrap();
    // The disk takes the first of it, and not the last.
    file.connection
        .execute_batch(
            "CREATE TRIGGER no BEFORE INSERT ON entry WHEN NEW.place = 2 BEGIN SELECT RAISE (ABORT, 'no'); END",
        )
        .unwrap();
    let both = keep(&[(Row::Group(TEA), Some(b"secret"))], &[said(1, "one"), said(2, "two")]);
    assert!(file.keep(both).is_err());
    drop(file);
    let file = ConversationsFile::open(folder.path()).unwrap();
    assert_eq!(*file.rows().unwrap(), BTreeMap::new());
    assert_eq!(file.unshown().unwrap(), []);
}

#[test]
fn what_stands_at_a_place_is_written_once() {
    let folder = folder();
    let mut file = ConversationsFile::open(folder.path()).unwrap();
    file.keep(keep(&[], &[said(1, "first")])).unwrap();
    file.keep(keep(&[], &[said(1, "again"), said(u64::MAX, "last")])).unwrap();
    let all: Vec<Entry> = file.unshown().unwrap().into_iter().map(|one| one.entry).collect();
    assert_eq!(all, [said(1, "first"), said(u64::MAX, "last")]);
    assert_eq!((search(&folder, "again"), search(&folder, "last")), (vec![], vec!["last".to_owned()]));
}

#[test]
fn what_was_shown_is_not_shown_again_and_the_rest_comes_page_by_page() {
    let folder = folder();
    let mut file = ConversationsFile::open(folder.path()).unwrap();
    let all: Vec<Entry> = (0..=UNSHOWN_PAGE_MAX as u64).map(|n| said(n, "x")).collect();
    file.keep(keep(&[], &all)).unwrap();
    let page = file.unshown().unwrap();
    assert_eq!(page.len(), UNSHOWN_PAGE_MAX);
    file.shown(page.last().unwrap()).unwrap();
    drop(file);
    let mut file = ConversationsFile::open(folder.path()).unwrap();
    let rest = file.unshown().unwrap();
    assert_eq!(rest.iter().map(|one| one.entry.place).collect::<Vec<_>>(), [UNSHOWN_PAGE_MAX as u64]);
    file.shown(&rest[0]).unwrap();
    assert_eq!(file.unshown().unwrap(), []);
}

#[test]
fn the_last_of_a_history_are_given_oldest_first_and_only_of_those_two() {
    let folder = folder();
    assert!(HistoryFile::open(folder.path()).unwrap().is_none(), "no file, no history");
    let mut file = ConversationsFile::open(folder.path()).unwrap();
    let joined = entry(1, Said::Joined { members: vec![laptop("alice"), laptop("bob")], declared: true });
    let gone = entry(3, Said::Changed { came: vec![], went: vec![laptop("bob")], declared: false });
    let unreadable = entry(4, Said::Unreadable(Unreadable::Newer));
    let other = Entry {
        conversation: ConversationId([9; 16]),
        kind: Kind::Direct(user("bob"), user("carol")),
        ..said(1, "not for alice")
    };
    let room = Entry { conversation: ConversationId([8; 16]), kind: Kind::Room, ..said(1, "in a room") };
    let all = [joined.clone(), said(2, "hello"), other, gone.clone(), room, unreadable.clone()];
    file.keep(keep(&[], &all)).unwrap();
    // While the other program has the file open.
    let history = HistoryFile::open(folder.path()).unwrap().unwrap();
    let of = |max| entries(history.of(&Of::People(user("bob"), user("alice")), None, max).unwrap());
    assert_eq!(of(50), [joined, said(2, "hello"), gone.clone(), unreadable.clone()]);
    assert_eq!(of(2), [gone, unreadable]);
    assert_eq!(history.of(&Of::People(user("alice"), user("carol")), None, 50).unwrap(), []);
}

#[test]
fn no_search_is_one_of_the_searching_language() {
    let folder = folder();
    let mut file = ConversationsFile::open(folder.path()).unwrap();
    let long = "y ".repeat(TEXT_BYTES_MAX / 2);
    let all = ["Grüße aus Köln", "NOT this AND that", "a \"quoted\" word*", &long];
    let entries: Vec<Entry> = (1..).zip(all).map(|(n, text)| said(n, text)).collect();
    file.keep(keep(&[], &entries)).unwrap();
    assert_eq!(search(&folder, "KÖLN grusse"), Vec::<String>::new());
    assert_eq!(search(&folder, "KOLN"), [all[0]]);
    assert_eq!(search(&folder, "that not"), [all[1]]);
    assert_eq!(search(&folder, "\"quoted"), [all[2]]);
    assert_eq!(search(&folder, "y"), [long]);
    for odd in
        ["text:x", "NEAR(", "*", "\"", "\"\"\"", "-", "a OR", "^x", "(", ")", "{a b}:", "a + b", "\0", "'", "\u{fffd}"]
    {
        let _ = search(&folder, odd);
    }
}

#[test]
fn what_was_removed_or_overwritten_is_in_no_file_any_more() {
    let folder = folder();
    let secret = |n: usize| format!("the secret of the epoch {n} ").repeat(200).into_bytes();
    let mut file = ConversationsFile::open(folder.path()).unwrap();
    let group = Row::Group(TEA);
    file.keep(keep(&[(group, Some(&secret(1)))], &[said(1, "hello")])).unwrap();
    assert!(is_anywhere(&folder, &secret(1)[..100]), "otherwise this shows nothing");
    file.keep(keep(&[(group, Some(&secret(2)))], &[])).unwrap();
    // A removed secret is gone at once, and whatever the log beside the file had of it.
    file.keep(keep(&[(group, None)], &[])).unwrap();
    assert!(![1, 2].iter().any(|n| is_anywhere(&folder, &secret(*n)[..100])));
    // One that was overwritten goes with the log: after so many writings, or at the end.
    file.keep(keep(&[(group, Some(&secret(3)))], &[])).unwrap();
    for _ in 0..KEEPS_BETWEEN_CHECKPOINTS_MAX {
        file.keep(keep(&[(group, Some(&secret(4)))], &[])).unwrap();
    }
    assert!(!is_anywhere(&folder, &secret(3)[..100]));
    file.keep(keep(&[(group, Some(&secret(5)))], &[])).unwrap();
    file.close().unwrap();
    assert!(!is_anywhere(&folder, &secret(4)[..100]));
    assert!(is_anywhere(&folder, &secret(5)[..100]));
}

#[test]
fn a_program_that_was_killed_leaves_nothing_in_the_log_for_longer_than_until_the_next_start() {
    let folder = folder();
    let file = folder.path().join(FILE);
    let mut killed = ConversationsFile::open(folder.path()).unwrap();
    killed.keep(keep(&[(Row::Group(TEA), Some(b"the first of the secrets"))], &[])).unwrap();
    killed.keep(keep(&[(Row::Group(TEA), Some(b"the other of the secrets"))], &[])).unwrap();
    // As it is on the disk now, without a close.
    let copy = tempfile::tempdir().unwrap();
    for name in [FILE.to_owned(), format!("{FILE}-wal")] {
        fs::copy(file.with_file_name(&name), copy.path().join(&name)).unwrap();
    }
    assert!(is_anywhere(&copy, b"the first of the secrets"));
    let open = ConversationsFile::open(copy.path()).unwrap();
    assert!(!is_anywhere(&copy, b"the first of the secrets"));
    assert_eq!(open.rows().unwrap()[&Row::Group(TEA)], b"the other of the secrets");
}

#[test]
fn a_newer_a_foreign_and_a_damaged_file_are_refused_and_left_as_they_are() {
    let refusal = |sql: &str| {
        let folder = folder();
        ConversationsFile::open(folder.path()).unwrap().close().unwrap();
        Connection::open(folder.path().join(FILE)).unwrap().execute_batch(sql).unwrap();
        let file = ConversationsFile::open(folder.path());
        match file {
            Ok(file) => file.rows().map(|_| ()).and_then(|()| file.unshown().map(|_| ())).unwrap_err(),
            Err(error) => error,
        }
    };
    assert!(matches!(refusal("PRAGMA user_version = 2"), StoreError::Newer { found: 2, known: 1, .. }));
    assert!(refusal("PRAGMA user_version = 2").to_string().contains("install a newer version"));
    assert!(matches!(refusal("PRAGMA application_id = 7"), StoreError::Foreign { .. }));
    let unknown = "INSERT INTO kept (kind, id, bytes) VALUES (9, zeroblob(16), x'00')";
    assert!(matches!(refusal(unknown), StoreError::Damaged { .. }));
    let unreadable = "INSERT INTO entry (conversation, place, at, by, what) VALUES (zeroblob(16), 1, 1, 'x', x'ff')";
    assert!(matches!(refusal(unreadable), StoreError::Damaged { .. }));

    let folder = folder();
    let path = folder.path().join(FILE);
    fs::write(&path, "no database at all, but long enough to look like one".repeat(100)).unwrap();
    let loose = ConversationsFile::open(folder.path()).unwrap_err();
    assert!(matches!(loose, StoreError::File(FolderError::LooseMode { .. })), "{loose}");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(ConversationsFile::open(folder.path()).unwrap_err(), StoreError::Foreign { .. }));
    assert!(fs::read_to_string(&path).unwrap().starts_with("no database"));
}

/// What is on disks reads back for ever.
#[test]
fn the_form_of_history_is_what_it_was() {
    let folder = folder();
    let mut file = ConversationsFile::open(folder.path()).unwrap();
    let all = [
        said(1, "hello"),
        entry(2, Said::Joined { members: vec![laptop("bob")], declared: true }),
        entry(3, Said::Changed { came: vec![], went: vec![laptop("bob")], declared: false }),
        entry(4, Said::Unreadable(Unreadable::Welcome)),
    ];
    file.keep(keep(&[], &all)).unwrap();
    let mut statement = file.connection.prepare("SELECT hex(what) FROM entry ORDER BY n").unwrap();
    let found: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let (bob, head) = ("03626F62066C6170746F70", "0005616C69636503626F62");
    let id = "02".repeat(16);
    let expected = [format!("00{id}070000"), format!("0101{bob}01"), format!("020001{bob}00"), "0304".to_owned()];
    assert_eq!(found, expected.map(|what| format!("{head}{bob}{what}")));
}

fn view(name: &str, topic: &str) -> RoomView {
    let bob = Seated { rank: Rank::Owner, devices: vec![laptop("bob").device] };
    let people = [(user("bob"), bob)].into();
    RoomView { name: RoomName::parse(name).unwrap(), topic: topic.to_owned(), invites: Rank::Member, people }
}

fn room_keep(id: u8, name: &str, view: Option<RoomView>, entries: &[Entry]) -> Keep {
    let room = (RoomName::parse(name).unwrap(), view);
    Keep { rooms: [(ConversationId([id; 16]), room)].into(), ..keep(&[], entries) }
}

#[test]
fn a_room_is_what_it_was_last_and_keeps_its_name_and_history_when_it_is_left() {
    let folder = folder();
    let mut file = ConversationsFile::open(folder.path()).unwrap();
    let in_room = |place, text: &str| Entry { kind: Kind::Room, ..said(place, text) };
    file.keep(room_keep(1, "tea", Some(view("tea", "")), &[in_room(1, "hello")])).unwrap();
    file.keep(room_keep(2, "books", Some(view("books", "")), &[])).unwrap();
    file.keep(room_keep(1, "coffee", Some(view("coffee", "black \" white")), &[])).unwrap();
    let history = || HistoryFile::open(folder.path()).unwrap().unwrap();
    let rooms = |history: &HistoryFile| {
        let rooms = history.rooms().unwrap().into_iter();
        rooms.map(|room| (room.name.to_string(), room.view.map(|view| view.topic))).collect::<Vec<_>>()
    };
    let topic = |topic: &str| Some(topic.to_owned());
    assert_eq!(rooms(&history()), [("books".to_owned(), topic("")), ("coffee".to_owned(), topic("black \" white"))]);
    file.keep(room_keep(1, "coffee", None, &[])).unwrap();
    // One that was come into and left at once has its name, too.
    file.keep(room_keep(3, "short", None, &[])).unwrap();
    let three = [("books".to_owned(), topic("")), ("coffee".to_owned(), None), ("short".to_owned(), None)];
    assert_eq!(rooms(&history()), three);
    let of_room = entries(history().of(&Of::Room(TEA), None, 50).unwrap());
    assert_eq!(of_room.len(), 1);
    assert_eq!(of_room[0].room, RoomName::parse("coffee").ok());
    assert_eq!(file.unshown().unwrap()[0].entry.room, RoomName::parse("coffee").ok());
    assert_eq!(texts(&entries(history().of(&Of::Room(TEA), Some("HELLO"), 50).unwrap())), ["hello"]);
    assert_eq!(history().of(&Of::Room(ConversationId([2; 16])), None, 50).unwrap(), []);
}

#[test]
fn a_file_from_before_there_were_rooms_is_read_and_goes_on() {
    let folder = folder();
    let mut file = ConversationsFile::open(folder.path()).unwrap();
    file.keep(keep(&[], &[said(1, "hello"), Entry { kind: Kind::Room, ..said(2, "all") }])).unwrap();
    file.connection
        .execute_batch("DROP TABLE room; DROP TABLE message; DROP TABLE about; DROP TABLE reaction")
        .unwrap();
    file.close().unwrap();
    let history = HistoryFile::open(folder.path()).unwrap().unwrap();
    assert_eq!(history.rooms().unwrap(), []);
    assert_eq!(texts(&entries(history.of(&Of::Room(TEA), None, 50).unwrap())), ["hello", "all"]);
    drop(history);
    let mut file = ConversationsFile::open(folder.path()).unwrap();
    file.keep(room_keep(1, "tea", Some(view("tea", "")), &[])).unwrap();
    assert_eq!(HistoryFile::open(folder.path()).unwrap().unwrap().rooms().unwrap().len(), 1);
}

#[test]
fn a_room_that_can_not_be_read_is_said_to_be_damaged() {
    let folder = folder();
    let mut file = ConversationsFile::open(folder.path()).unwrap();
    file.keep(room_keep(1, "tea", Some(view("tea", "")), &[])).unwrap();
    file.connection.execute("UPDATE room SET view = '{'", []).unwrap();
    let error = HistoryFile::open(folder.path()).unwrap().unwrap().rooms().unwrap_err();
    assert!(error.to_string().contains("a room that this program can't read"), "{error}");
}

fn more(place: u64, by: &str, saying: Saying) -> Entry {
    let id = MessageId([u8::try_from(place).unwrap(); 16]);
    Entry { by: laptop(by), ..entry(place, Said::More { id, written: Wall(7), saying, order: Order::Same }) }
}

/// A text of bob's, by a number of its own.
fn text(place: u64, text: &str) -> Entry {
    let id = MessageId([u8::try_from(place).unwrap(); 16]);
    entry(place, Said::Text { id, written: Wall(7), text: text.to_owned(), order: Order::Same })
}

fn lines(folder: &TempDir) -> Vec<Line> {
    let history = HistoryFile::open(folder.path()).unwrap().unwrap();
    history.of(&Of::People(user("alice"), user("bob")), None, 50).unwrap()
}

const FIRST: MessageId = MessageId([1; 16]);

#[test]
fn whoever_wrote_a_message_corrects_it_and_it_is_found_by_what_it_says_now() {
    let folder = folder();
    let mut file = ConversationsFile::open(folder.path()).unwrap();
    let edit = |place, by: &str, says: &str| more(place, by, Saying::Edit { of: FIRST, text: says.to_owned() });
    let phone = DeviceName { user: user("bob"), device: DeviceLabel::parse("phone").unwrap() };
    file.keep(keep(&[], &[text(1, "tea at fuor"), edit(2, "alice", "forged")])).unwrap();
    file.keep(keep(&[], &[Entry { by: phone, ..edit(3, "bob", "tea at four") }])).unwrap();
    let shown = lines(&folder);
    assert_eq!(texts(&entries(shown.clone())), ["tea at four"]);
    assert_eq!(shown[0].fate.state, State::Edited);
    assert_eq!(
        [search(&folder, "four").len(), search(&folder, "fuor").len(), search(&folder, "forged").len()],
        [1, 0, 0]
    );
    // Whoever listens hears of each, and what it was worth.
    let unshown = file.unshown().unwrap();
    let holds = |line: &Line| line.fate.about.clone().map(|about| (about.holds, about.user, about.text));
    let of_bob = |holds| Some((holds, Some(user("bob")), "tea at four".to_owned()));
    assert_eq!(unshown.iter().map(holds).collect::<Vec<_>>(), [None, of_bob(false), of_bob(true)]);
}

#[test]
fn what_is_taken_back_is_gone_from_the_disk_with_all_that_it_said() {
    let folder = folder();
    let mut file = ConversationsFile::open(folder.path()).unwrap();
    let edit = |place, says: &str| more(place, "bob", Saying::Edit { of: FIRST, text: says.to_owned() });
    let redact = |place, by: &str| more(place, by, Saying::Redact { of: FIRST });
    let sign = |place| more(place, "alice", Saying::React { to: FIRST, with: "+1".into(), on: true });
    file.keep(keep(&[], &[text(1, "firstsecret"), edit(2, "secondsecret"), sign(3), redact(4, "alice")])).unwrap();
    assert_eq!(texts(&entries(lines(&folder))), ["secondsecret"], "nobody else takes it back");
    file.keep(keep(&[], &[redact(5, "bob"), edit(6, "thirdsecret"), sign(7)])).unwrap();
    let shown = lines(&folder);
    assert_eq!((shown.len(), shown[0].fate.clone()), (1, Fate { state: State::TakenBack, ..Fate::default() }));
    assert_eq!(texts(&entries(shown)), [""]);
    file.close().unwrap();
    for secret in ["firstsecret", "secondsecret"] {
        assert!(!is_anywhere(&folder, secret.as_bytes()), "{secret}");
        assert_eq!(search(&folder, secret), Vec::<String>::new());
    }
}

#[test]
fn signs_stand_at_a_message_once_for_each_person_until_they_take_them_away() {
    let folder = folder();
    let mut file = ConversationsFile::open(folder.path()).unwrap();
    let sign =
        |place, by: &str, with: &str, on| more(place, by, Saying::React { to: FIRST, with: with.to_owned(), on });
    let signs = [
        sign(2, "alice", "+1", true),
        sign(3, "alice", "+1", true),
        sign(4, "bob", "+1", true),
        sign(5, "bob", "tea", true),
        sign(6, "alice", "tea", false),
        sign(7, "bob", "tea", false),
    ];
    file.keep(keep(&[], &[&[text(1, "hello")][..], &signs].concat())).unwrap();
    let shown = lines(&folder);
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].fate.reactions, [("+1".to_owned(), vec![user("alice"), user("bob")])].into());
}

#[test]
fn an_answer_names_what_it_answers_and_a_number_that_is_taken_is_nobody_elses() {
    let folder = folder();
    let mut file = ConversationsFile::open(folder.path()).unwrap();
    let reply = |place, to| more(place, "alice", Saying::Reply { to, text: "yes".to_owned() });
    let mut twin = text(4, "another with its number");
    twin.by = laptop("alice");
    if let Said::Text { id, .. } = &mut twin.what {
        *id = FIRST;
    }
    file.keep(keep(&[], &[text(1, "tea?"), reply(2, FIRST), reply(3, MessageId([9; 16])), twin])).unwrap();
    file.keep(keep(&[], &[more(5, "alice", Saying::Redact { of: FIRST })])).unwrap();
    let shown = lines(&folder);
    let about = |user: Option<UserName>, text: &str| Some(About { holds: user.is_some(), user, text: text.to_owned() });
    let abouts: Vec<Option<About>> = shown.iter().map(|line| line.fate.about.clone()).collect();
    assert_eq!(abouts, [None, about(Some(user("bob")), "tea?"), about(None, ""), None]);
    assert!(shown.iter().all(|line| line.fate.state == State::Written), "it was bob's");
    let numbered = |digits: &str| {
        let history = HistoryFile::open(folder.path()).unwrap().unwrap();
        history.numbered(&Of::People(user("bob"), user("alice")), digits).unwrap()
    };
    assert_eq!(numbered("0101"), [FIRST]);
    assert_eq!(numbered("0").len(), 2);
    assert_eq!(numbered("01010102"), []);
}
