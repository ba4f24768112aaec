//! Any bytes on the port, at any moment, end in one log line with a reason and a closed connection, the others unharmed.

use countersign_core::limits::STRANGERS_MAX;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use tests::stranger::{Secure, Stranger, anybody, hello, member, newcomer};
use tests::{Person, Program, Server};

/// Strangers of each kind.
const EACH: u64 = 12;
/// Why a stranger's connection may end. A reason that is not one of these is a new one, and wants to be looked at.
const REASONS: [&str; 9] = [
    "it sent something that is not TLS",
    "the connection broke off",
    "it named no application protocol",
    "it asked for an application protocol that is not spoken here",
    "it does not speak TLS 1.3",
    "data was altered on the way",
    "its handshake was too long",
    "the other side closed the connection",
    "the other side refused the connection (TLS alert",
];

/// Two who talk, to see whether anything disturbs them.
struct Witnesses {
    call: Program,
    listen: Program,
    said: u32,
}

impl Witnesses {
    fn new(server: &Server) -> Self {
        let (alice, bob) = (Person::enrolled(server, "alice"), Person::enrolled(server, "bob"));
        let mut listen = bob.start(&["listen", "--accept"]);
        listen.see_part("is online at");
        let mut call = alice.start(&["call", "bob"]);
        call.see_part("connected to bob/laptop");
        listen.see_part("connected to alice/laptop");
        Self { call, listen, said: 0 }
    }

    /// Both say something, and both hear it.
    fn talk(&mut self) {
        self.said += 1;
        let text = format!("line {}", self.said);
        self.call.say(&text);
        assert_eq!(self.listen.hear("a line", |line| Some(line.to_owned())), format!("alice: {text}"));
        self.listen.say(&text);
        assert_eq!(self.call.hear("a line", |line| Some(line.to_owned())), format!("bob: {text}"));
    }

    /// The call went on all the while, and ends in good order.
    fn end(self) {
        let _ = self.call.end().done();
        self.listen.signal("TERM");
        let listen = self.listen.end().done();
        let opened = listen.err.iter().filter(|line| line.contains("connected to")).count();
        assert!(opened == 1 && !listen.err.iter().any(|line| line.contains("lost")), "{listen}");
    }
}

fn garbage(rng: &mut ChaCha20Rng) -> Vec<u8> {
    let length = usize::try_from(1 + rng.next_u64() % 4000).unwrap_or(1);
    let mut bytes = vec![0; length];
    rng.fill_bytes(&mut bytes);
    bytes
}

#[test]
fn any_bytes_before_in_and_after_a_hello_end_in_one_line_and_disturb_nobody() {
    let mut server = Server::start();
    let mut witnesses = Witnesses::new(&server);
    let mut rng = ChaCha20Rng::seed_from_u64(11);
    let hello = hello(&anybody());
    for n in 0..EACH {
        let cut = usize::try_from(rng.next_u64()).unwrap_or(0) % hello.len();
        let mut flipped = hello.clone();
        flipped[cut] ^= 1 << (rng.next_u64() % 8);
        let mut longer_than_any = vec![0x16, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff];
        longer_than_any.extend(std::iter::repeat_n([0x16, 3, 1, 0x40, 0], 4).flatten());
        longer_than_any.resize(80_000, 0);
        let noise = garbage(&mut rng);
        for bytes in [
            noise.clone(),
            b"GET / HTTP/1.1\r\nHost: chat.internal\r\n\r\n".to_vec(),
            hello[..cut].to_vec(),
            flipped,
            [&hello[..], &noise].concat(),
            [&hello[..], b"\x17\x03\x03\x00\x05hello"].concat(),
            longer_than_any,
            Vec::new(),
        ] {
            let mut stranger = Stranger::dial(&server);
            stranger.send(&bytes);
            // Nothing more comes, so what could still become a handshake is none.
            stranger.end();
            stranger.rest();
            let from = format!("from={}", stranger.address());
            let line = server.log(&["connection closed", &from]);
            assert!(REASONS.iter().any(|reason| line.contains(reason)), "a new reason: {line}");
        }
        if n % 4 == 0 {
            witnesses.talk();
        }
    }
    witnesses.talk();
    witnesses.end();
    let ended = server.stop("TERM").done();
    let strangers = ended.err.iter().filter(|line| line.contains("connection closed") && !line.contains("device="));
    // One line for each of them, and for each of the two who enrolled.
    assert_eq!(strangers.count() as u64, 8 * EACH + 2, "{ended}");
    assert!((ended.err.len() as u64) < 8 * EACH + 30, "too many lines for so few strangers: {ended}");
}

#[test]
fn any_bytes_after_a_handshake_end_in_one_line_and_disturb_nobody() {
    let mut server = Server::start();
    let mut witnesses = Witnesses::new(&server);
    let carol = Person::enrolled(&server, "carol");
    let exported = tempfile::tempdir().expect("a folder can be made");
    let _ = carol.run(&["cert", "export", exported.path().to_str().expect("a plain path")]).done();
    let member = member(exported.path(), &carol.folder().join("device.key"));
    let newcomer = newcomer(&server.invite(&[]));
    let mut rng = ChaCha20Rng::seed_from_u64(13);
    let frame = |version: u8, body: &[u8]| {
        let length = u32::try_from(body.len() + 1).expect("a short body");
        [&length.to_be_bytes()[..], &[version], body].concat()
    };
    for _ in 0..EACH {
        let mut noise = garbage(&mut rng);
        // No message of either channel begins so, and neither does a frame.
        noise[0] = 0xff;
        for (said, part) in [
            (noise.clone(), "it sent a frame of an impossible length"),
            (vec![0, 0, 0, 0], "it sent a frame of an impossible length"),
            (vec![0xff, 0xff, 0xff, 0xff], "it sent a frame of an impossible length"),
            (frame(9, &noise), "it speaks protocol version 9 and this program speaks 1"),
            (frame(1, &noise), "it sent a message that cannot be read"),
            (frame(1, &[]), "it sent a message that cannot be read"),
            (frame(0, &[1, 2, 3]), "it sent a message that cannot be read"),
        ] {
            for (dial, device) in [(&newcomer, ""), (&member, "device=carol/laptop")] {
                let mut secure = Secure::dial(&server, dial);
                secure.hear();
                secure.say(&said);
                secure.rest();
                let from = format!("from={}", secure.address());
                server.log(&["WARN connection closed", part, &from, device]);
            }
        }
        // A member who asks out of turn, or for what is nobody's.
        let mut secure = Secure::dial(&server, &member);
        secure.hear();
        secure.say(&frame(1, &[6, 1, 1, 0]));
        secure.say(&frame(1, &[7, 1, 0xff, 0xff, 0xff, 0xff, 0x0f]));
        secure.rest();
        server.log(&["WARN connection closed", &format!("from={}", secure.address()), "device=carol/laptop"]);
    }
    witnesses.talk();
    witnesses.end();
    assert_eq!(server.users(), ["alice", "bob", "carol"]);
}

#[test]
fn a_connection_on_which_nothing_comes_is_closed_by_the_server() {
    let mut server = Server::start();
    let mut silent = Stranger::dial(&server);
    let mut half = Stranger::dial(&server);
    let hello = hello(&anybody());
    half.send(&hello[..hello.len() / 2]);
    // Neither ends its own side: it is the server's patience that is seen here.
    assert_eq!((silent.rest(), half.rest()), (Vec::new(), Vec::new()));
    for stranger in [silent, half] {
        server.log(&["connection closed: no answer in time", &format!("from={}", stranger.address())]);
    }
}

#[test]
fn more_strangers_than_there_is_room_for_do_not_keep_members_out() {
    let mut server = Server::start();
    let mut witnesses = Witnesses::new(&server);
    let carol = Person::enrolled(&server, "carol");
    // More than the server bears at a time, none of whom says anything: the first of them has to go.
    let mut crowd: Vec<Stranger> = (0..STRANGERS_MAX + 40).map(|_| Stranger::dial(&server)).collect();
    let from = format!("from={}", crowd[0].address());
    server.log(&["connection closed: the server has no room for another connection", &from]);
    crowd[0].rest();
    let _ = carol.run(&["who"]).done();
    witnesses.talk();
    drop(crowd);
    witnesses.end();
}
