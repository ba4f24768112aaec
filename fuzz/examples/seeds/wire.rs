//! Seeds from what stands written: the golden messages and the golden journal, frames of them, links.

use countersign_core::id::{AskId, TunnelId};
use countersign_core::limits::{FORWARD_BYTES_MAX, LINE_BYTES_MAX, WHO_PAGE_MAX};
use countersign_core::wire::Frame;
use countersign_core::wire::peer::PeerMessage;
use countersign_core::wire::relay::{Person, RelayEvent, RelayRequest};
use fuzz::cast::cast;
use serde_bytes::ByteBuf;

use super::Seeds;

/// The golden messages, one a line: name and frame.
const MESSAGES: &str = include_str!("../../../core/src/wire/golden/v1.hex");
/// The golden journals, one for each version of the rules: one record a line, and a digest at its end.
const JOURNALS: [&str; 3] = [
    include_str!("../../../core/src/journal/golden/v1.hex"),
    include_str!("../../../core/src/journal/golden/v2.hex"),
    include_str!("../../../core/src/journal/golden/v3.hex"),
];

/// Each message for its channel and direction, without the frame around it.
pub(super) fn messages() -> Vec<(&'static str, Seeds)> {
    let targets = [
        ("message_enrol_request", "enrol.enrol"),
        ("message_enrol_request", "enrol.reveal"),
        ("message_enrol_request", "enrol.renew"),
        ("message_enrol_event", "enrol."),
        ("message_peer", "peer."),
        ("message_relay_request", "request."),
        ("message_relay_event", "event."),
    ];
    let of = |prefix: &str| {
        let lines = golden().filter(|(name, _)| name.starts_with(prefix));
        let short = lines.map(|(name, frame)| (name, frame.get(5..).unwrap_or_default().to_vec()));
        short.chain(longest().into_iter().filter(|(name, _)| name.starts_with(prefix))).collect()
    };
    targets.into_iter().map(|(target, prefix)| (target, of(prefix))).collect()
}

/// Messages at their bounds, and just beyond.
fn longest() -> Seeds {
    let (line, forward) = (|n| PeerMessage::Line { n: 0, text: "x".repeat(n) }, |n| ByteBuf::from(vec![7; n]));
    let person = || Person { user: cast().home.member(0).name.user.clone(), online: true };
    let people = |n| RelayEvent::People { ask: AskId(1), people: (0..n).map(|_| person()).collect(), more: false };
    let mut seeds = Seeds::new();
    for more in [0, 1] {
        let mut add = |name: &str, frame: Frame| {
            seeds.push((format!("{name}-{more}"), frame.bytes().get(5..).unwrap_or_default().to_vec()));
        };
        let (tunnel, bytes) = (TunnelId(1), forward(FORWARD_BYTES_MAX + more));
        add("peer.longest", Frame::message(&line(LINE_BYTES_MAX + more)));
        add("request.longest", Frame::message(&RelayRequest::Forward { tunnel, bytes: bytes.clone() }));
        add("event.longest", Frame::message(&RelayEvent::Forwarded { tunnel, bytes }));
        add("event.people", Frame::message(&people(WHO_PAGE_MAX + more)));
    }
    seeds
}

/// Each message in its frame, whole and in bites, all in one stream, goodbyes, and frames that lie.
pub(super) fn frames() -> Seeds {
    let mut seeds: Seeds = golden().map(|(name, frame)| (name, [vec![0], frame].concat())).collect();
    let stream: Vec<u8> = golden().flat_map(|(_, frame)| frame).collect();
    let goodbye = vec![0, 0, 0, 5, 0, 0, 100, 0, 0];
    let lies: [(&str, &[u8]); 6] = [
        ("no-length", &[0, 0, 0, 0]),
        ("too-long", &[0, 0, 0x80, 1, 1]),
        ("much-too-long", &[0xff; 8]),
        ("other-version", &[0, 0, 0, 2, 2, 0]),
        ("short-goodbye", &[0, 0, 0, 4, 0, 0, 100, 0]),
        ("longest", &[0, 0, 0x80, 0, 1, 7, 7, 7]),
    ];
    seeds.push(("stream".into(), [vec![0], stream.clone()].concat()));
    seeds.push(("stream-by-bytes".into(), [vec![1, 0], stream.clone()].concat()));
    seeds.push(("stream-in-bites".into(), [vec![3, 2, 40, 200], stream.clone(), goodbye.clone()].concat()));
    seeds.push(("goodbye".into(), [vec![0], goodbye].concat()));
    seeds.extend(lies.iter().map(|(name, bytes)| ((*name).to_owned(), [&[2, 0, 3], *bytes].concat())));
    seeds
}

/// Links as they are printed, and endpoints as they are typed.
pub(super) fn links() -> Seeds {
    let root = "x".repeat(42) + "w";
    let token = "A".repeat(21) + "Q";
    let hosts = ["127.0.0.1:7443", "chat.example.org:1", "[::1]:65535", "[2001:db8::ff:0]:443", "a-b_c.de:80"];
    let text = |host: &&str| format!("countersign://{host}/chat.internal/{root}/{token}");
    let links = hosts.iter().map(text).chain([format!(" {}\n", text(&"h:1"))]);
    links.chain(hosts.map(str::to_owned)).enumerate().map(|(n, text)| (n.to_string(), text.into_bytes())).collect()
}

/// The golden journal and the cast's, raw; and scripts that meet each rule of the fold.
pub(super) fn journals() -> Seeds {
    let raw = |records: &[Vec<u8>]| {
        let one = |record: &Vec<u8>| {
            let length = u16::try_from(record.len()).expect("a record is short").to_be_bytes();
            [&[6], length.as_slice(), record].concat()
        };
        records.iter().flat_map(one).collect::<Vec<u8>>()
    };
    let founded = [0, 0, 9];
    // Kind, token, whether for one user (or none: odd), [user], expiry.
    let (open, bound) = ([1, 1, 1, 7], [1, 2, 0, 2, 7]);
    // Kind, device, key, token, user, serial, end, time.
    let (alice, bob) = ([2, 0, 0, 1, 0, 0, 4, 4], [2, 1, 1, 2, 2, 1, 4, 4]);
    let issue = |serial: u8, how: u8| vec![4, serial, how];
    let script = |parts: &[&[u8]]| parts.concat();
    let journal = script(&[&founded, &open, &bound, &alice, &issue(0, 0), &bob, &issue(1, 0)]);
    let golden = JOURNALS.iter().enumerate().map(|(n, journal)| {
        let mut records: Vec<Vec<u8>> = journal.lines().map(hex).collect();
        records.pop();
        (format!("golden-{}", n + 1), raw(&records))
    });
    let scripts = [
        ("cast".into(), raw(&cast().home.journal)),
        ("whole".into(), journal.clone()),
        ("twice".into(), [journal.clone(), journal].concat()),
        ("look-alike".into(), script(&[&founded, &open, &bound, &alice, &[2, 0, 1, 2, 1, 2, 4, 4]])),
        ("altered".into(), script(&[&founded, &open, &alice, &[4, 0, 6, 1, 0], &[4, 0, 7, 3], &issue(0, 1)])),
        ("late".into(), script(&[&founded, &[1, 1, 1, 0], &alice, &[1, 1, 1, 7], &alice])),
    ];
    golden.chain(scripts).collect()
}

fn golden() -> impl Iterator<Item = (String, Vec<u8>)> {
    let line = |line: &str| {
        let (name, digits) = line.split_once(' ').expect("a name and a frame");
        (name.to_owned(), hex(digits))
    };
    MESSAGES.lines().map(line)
}

fn hex(digits: &str) -> Vec<u8> {
    let byte = |n: usize| u8::from_str_radix(digits.get(2 * n..2 * n + 2).expect("two digits"), 16).expect("a byte");
    (0..digits.len() / 2).map(byte).collect()
}
