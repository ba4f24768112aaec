//! The kinds of what happens in conversations.

use countersign_core::device::conversations::{
    Alteration, ConversationEvent, NotSent, Order, RoomChange, RoomErrand, Said, Unreadable,
};

kinds! {
    /// What people are told of conversations.
    EVENTS, event(&ConversationEvent) {
        ConversationEvent::Sent(..) => "sent",
        ConversationEvent::NotSent(..) => "not sent",
        ConversationEvent::GivenUp(..) => "given up",
        ConversationEvent::Entry(_) => "something stands",
        ConversationEvent::Met(..) => "met",
        ConversationEvent::Changed(..) => "somebody else than before",
        ConversationEvent::CaughtUp => "caught up",
        ConversationEvent::OpenRooms(..) => "open rooms",
        ConversationEvent::Delivered(_) => "delivered",
    }
}

kinds! {
    /// Why something is not sent.
    NOT_SENT, not_sent(&NotSent) {
        NotSent::Length => "Length",
        NotSent::Key => "Key",
        NotSent::Refused(_) => "Refused",
        NotSent::Nobody => "Nobody",
        NotSent::Changed => "Changed",
        NotSent::Full => "Full",
        NotSent::NoRoom => "NoRoom",
        NotSent::Ambiguous => "Ambiguous",
        NotSent::Reaction => "Reaction",
        NotSent::Topic => "Topic",
        NotSent::NotAllowed => "NotAllowed",
        NotSent::NotThere => "NotThere",
        NotSent::Unchanged => "Unchanged",
        NotSent::Of(..) => "Of",
        NotSent::Barred => "Barred",
        NotSent::NameTaken => "NameTaken",
        NotSent::NameStays => "NameStays",
        NotSent::WayIn => "WayIn",
        NotSent::Crowd => "Crowd",
    }
}

kinds! {
    /// What stands in a conversation.
    SAID, said(&Said) {
        Said::Text { .. } => "text",
        Said::Joined { .. } => "joined",
        Said::Changed { .. } => "changed",
        Said::Unreadable(_) => "unreadable",
        Said::Altered { .. } => "altered",
        Said::More { .. } => "more",
    }
}

kinds! {
    /// Whether a sender has seen the same.
    ORDERS, order(Order) {
        Order::Same => "Same",
        Order::Other => "Other",
        Order::Unknown => "Unknown",
    }
}

kinds! {
    /// Why something can't be read.
    UNREADABLE, unreadable(Unreadable) {
        Unreadable::Sealed => "Sealed",
        Unreadable::Unbelieved => "Unbelieved",
        Unreadable::Newer => "Newer",
        Unreadable::Expired => "Expired",
        Unreadable::Welcome => "Welcome",
    }
}

kinds! {
    /// What is wished of rooms.
    ERRANDS, errand(&RoomErrand) {
        RoomErrand::Create { open: false, .. } => "begin a closed one",
        RoomErrand::Create { open: true, .. } => "begin an open one",
        RoomErrand::Enter(_) => "enter",
        RoomErrand::Lobby => "enter the lobby",
        RoomErrand::List => "list",
        RoomErrand::Change(_, Alteration::Invite(_)) => "invite",
        RoomErrand::Change(_, Alteration::Kick(_)) => "kick",
        RoomErrand::Change(_, Alteration::Leave) => "leave",
        RoomErrand::Change(_, Alteration::Rank(..)) => "rank",
        RoomErrand::Change(_, Alteration::Topic(_)) => "topic",
        RoomErrand::Change(_, Alteration::Name(_)) => "name",
        RoomErrand::Change(_, Alteration::Invites(_)) => "who may invite",
    }
}

kinds! {
    /// What is other of a room than before.
    ROOM_CHANGES, room_change(&RoomChange) {
        RoomChange::Name(_) => "name",
        RoomChange::Topic(_) => "topic",
        RoomChange::Invites(_) => "who may invite",
        RoomChange::Rank(..) => "rank",
        RoomChange::Leaves(_) => "leaves",
    }
}
