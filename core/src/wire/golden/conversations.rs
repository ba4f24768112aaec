//! One example of every message about conversations.

use serde_bytes::ByteBuf;

use super::Golden;
use crate::id::{AskId, ConversationId, MessageId, RoomName};
use crate::testing::device_name;
use crate::time::Wall;
use crate::wire::conversations::{
    ConversationsEvent, ConversationsRequest, Kind, OpenRoom, Posted, RosterChange, What,
};
use crate::wire::relay::{RelayEvent, RelayRequest};

const ROOM: ConversationId = ConversationId([0x11; 16]);
const AT: Wall = Wall(1_800_000_000);

pub(super) fn check(golden: &mut Golden, ask: AskId) {
    requests(golden, ask);
    events(golden, ask);
}

fn bytes(n: usize) -> ByteBuf {
    ByteBuf::from(vec![0xab; n])
}

fn change() -> RosterChange {
    RosterChange { add: vec![device_name("bob", "laptop")], remove: vec![device_name("carol", "phone")] }
}

fn pair() -> Kind {
    let [one, other] = ["alice", "bob"].map(|user| device_name(user, "laptop").user);
    Kind::Direct(one, other)
}

fn requests(golden: &mut Golden, ask: AskId) {
    let mut check = |name: &str, request| golden.check(name, &RelayRequest::Conversations(request));
    let (last_resort, packages) = (Some(bytes(2)), vec![bytes(3), bytes(1)]);
    check("request.publish", ConversationsRequest::Publish { ask, last_resort, packages, not_after: AT });
    check("request.collect", ConversationsRequest::Collect);
    let of = vec![device_name("bob", "laptop"), device_name("bob", "phone")];
    check("request.take", ConversationsRequest::Take { ask, of });
    check("request.found.room", ConversationsRequest::Found { ask, conversation: ROOM, kind: Kind::Room });
    check("request.found.pair", ConversationsRequest::Found { ask, conversation: ROOM, kind: pair() });
    let (commit, welcome) = (bytes(3), Some(bytes(2)));
    let commit =
        ConversationsRequest::Commit { ask, conversation: ROOM, epoch: 300, change: change(), commit, welcome };
    check("request.commit", commit);
    let id = MessageId([0x22; 16]);
    let send = ConversationsRequest::Send { ask, conversation: ROOM, epoch: 300, id, body: bytes(4) };
    check("request.send", send);
    check("request.acknowledge", ConversationsRequest::Acknowledge { upto: vec![(ROOM, 300)] });
    let room = RoomName::of_number(ROOM);
    let kind = Kind::Open(room.clone());
    check("request.found.open", ConversationsRequest::Found { ask, conversation: ROOM, kind });
    check("request.rooms", ConversationsRequest::Rooms { ask, after: Some(room.clone()) });
    check("request.group-info", ConversationsRequest::GroupInfo { ask, room });
    let info = ConversationsRequest::PublishGroupInfo { ask, conversation: ROOM, epoch: 300, info: bytes(3) };
    check("request.publish-group-info", info);
    let enter = ConversationsRequest::Enter { ask, conversation: ROOM, epoch: 300, commit: bytes(3) };
    check("request.enter", enter);
    check("request.await", ConversationsRequest::Await { ask, conversation: ROOM, place: 300 });
    golden.check("request.piece", &RelayRequest::Piece { bytes: bytes(4), last: true });
}

fn events(golden: &mut Golden, ask: AskId) {
    let mut check = |name: &str, event| golden.check(name, &RelayEvent::Conversations(event));
    check("event.done", ConversationsEvent::Done { ask });
    check("event.key-packages", ConversationsEvent::KeyPackages { left: 7, last_resort: Some(AT) });
    let (device, package) = (device_name("bob", "laptop"), Some(bytes(3)));
    check("event.package", ConversationsEvent::Package { ask, device, package, more: true });
    check("event.caught-up", ConversationsEvent::CaughtUp);
    let posted = |what| {
        let by = device_name("alice", "laptop");
        ConversationsEvent::Posted(Posted { conversation: ROOM, place: 300, at: AT, by, what })
    };
    let id = MessageId([0x22; 16]);
    check("event.message", posted(What::Message { id, body: bytes(4) }));
    check("event.commit", posted(What::Commit { epoch: 300, change: change(), commit: bytes(3) }));
    let roster = vec![device_name("alice", "laptop"), device_name("bob", "laptop")];
    let info =
        ConversationsEvent::GroupInfo { ask, conversation: ROOM, epoch: 300, roster: roster.clone(), info: bytes(3) };
    check("event.welcome-to", posted(What::Welcome { epoch: 301, kind: pair(), roster, welcome: bytes(2) }));
    check("event.own-message", posted(What::OwnMessage { id }));
    check("event.own-commit", posted(What::OwnCommit { epoch: 300 }));
    check("event.expired", posted(What::Expired));
    check("event.group-info", info);
    check("event.group-info-wanted", ConversationsEvent::GroupInfoWanted { conversation: ROOM });
    let room = OpenRoom { name: RoomName::of_number(ROOM), conversation: ROOM, devices: 300 };
    check("event.rooms", ConversationsEvent::Rooms { ask, rooms: vec![room], more: true });
    golden.check("event.piece", &RelayEvent::Piece { bytes: bytes(4), last: false });
}
