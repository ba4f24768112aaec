//! Decides what happens to a link in any state: who is on its other side, what lies on the way, who ends it and how.
//!
//! A script drives a link and its other side to some state, before the ClientHello, in the handshake, open or parted,
//! and loses, changes, doubles and throws in bytes on the way. What must hold then is `watch.rs`'s to say.

mod other;
mod scene;
mod watch;

use countersign_core::fault::Fault;
use countersign_core::limits::{FORWARD_BYTES_MAX, FRAME_HEADER_BYTES};
use countersign_core::link::{Link, Step};
use countersign_core::wire::{Code, Frame};
use rand_chacha::ChaCha20Rng;
use serde::ser::{Serialize, SerializeTuple, Serializer};
use sim::crypto::lend;

use crate::cast::stream;
use crate::script::Script;
use other::Other;
use watch::Watch;

/// More would only make an input slow.
const ACTIONS_MAX: usize = 96;
/// What the scripts' longest actions make: enough for two frames of the greatest length, not for two more.
const KILOBYTES_MAX: u16 = 96;

/// `scene (six bytes) | actions`.
pub fn link(data: &[u8]) {
    let mut script = Script::new(data);
    let mut rng = stream("link");
    let (link, other, promise) = {
        let scene = scene::Scene::read(&mut script);
        let other = scene.other();
        let doors = scene::places();
        let _lent = lend(&mut rng);
        (scene.link(doors), other, scene.promise())
    };
    let watch = Watch::new(promise);
    let mut play = Play { link, rng, other, watch, to_link: Vec::new(), to_other: Vec::new() };
    play.other.take(&mut play.to_link);
    for _ in 0..ACTIONS_MAX {
        if script.is_over() {
            break;
        }
        play.act(&mut script);
        play.watch.bounds(&play.link);
    }
    play.end();
}

/// A link, its other side, and what is on the way.
struct Play {
    link: Link,
    rng: ChaCha20Rng,
    other: Other,
    watch: Watch,
    to_link: Vec<u8>,
    to_other: Vec<u8>,
}

impl Play {
    fn act(&mut self, script: &mut Script<'_>) {
        match script.byte() % 21 {
            0 => self.settle(),
            1 => {
                let n = some(script, self.to_link.len());
                self.reach_link(n);
            }
            2 => {
                let n = some(script, self.to_other.len());
                self.reach_other(n);
            }
            3 => {
                let bytes = script.bytes().to_vec();
                self.throw(&bytes);
            }
            4 => self.watch.tampered |= flip(&mut self.to_link, script),
            5 => self.watch.tampered |= cut(&mut self.to_link, script),
            6 => self.watch.tampered |= double(&mut self.to_link, script),
            7 => self.watch.tampered |= flip(&mut self.to_other, script),
            8 => self.other_says(script.bytes()),
            9 => self.other_says(message(script.bytes()).bytes()),
            10 => self.other_says(Frame::goodbye(Code(script.word()), 0).bytes()),
            11 => {
                self.other.close();
                self.other.take(&mut self.to_link);
            }
            12 => {
                self.watch.keys_changed |= self.other.change_keys();
                self.other.take(&mut self.to_link);
            }
            13 => {
                let length = usize::from(script.word()) % FORWARD_BYTES_MAX;
                self.send(&message(&vec![script.byte(); length]));
            }
            14 => {
                let code = Code(script.word());
                self.watch.parts(code, &self.link);
                self.lent(|link| link.part(code, 0));
            }
            15 => {
                let fault = script.choose(&[Fault::Unexpected, Fault::Malformed, Fault::Credit, Fault::Version(9)]);
                self.watch.faults(fault, &self.link);
                self.lent(|link| link.fault(fault));
            }
            16 => {
                let n = script.word();
                self.take(n.into());
            }
            17 => self.hang_up(),
            18 => {
                let kilobytes = script.word() % KILOBYTES_MAX;
                let bytes = vec![script.byte(); 1024 * usize::from(kilobytes)];
                self.other_says(&bytes);
            }
            19 => {
                let kilobytes = script.word() % KILOBYTES_MAX;
                let pattern = script.bytes();
                let bytes = pattern.iter().copied().cycle().take(1024 * usize::from(kilobytes)).collect::<Vec<_>>();
                self.throw(&bytes);
            }
            _ => {
                let length = script.word();
                for _ in 0..script.byte() {
                    self.send(&message(&vec![7; usize::from(length) % FORWARD_BYTES_MAX]));
                }
            }
        }
    }

    /// Everything on the way arrives, until nothing is.
    fn settle(&mut self) {
        for _ in 0..8 {
            self.reach_link(usize::MAX);
            self.take(usize::MAX);
            self.reach_other(usize::MAX);
            if self.to_link.is_empty() && self.link.outbound().is_empty() {
                return;
            }
        }
    }

    fn reach_link(&mut self, n: usize) {
        let bytes: Vec<u8> = self.to_link.drain(..n.min(self.to_link.len())).collect();
        self.give(&bytes);
    }

    fn reach_other(&mut self, n: usize) {
        let bytes: Vec<u8> = self.to_other.drain(..n.min(self.to_other.len())).collect();
        self.other.give(&bytes);
        self.other.take(&mut self.to_link);
    }

    /// Bytes that nobody sent reach the link before what is on the way.
    fn throw(&mut self, bytes: &[u8]) {
        self.watch.tampered |= !bytes.is_empty();
        self.give(bytes);
    }

    fn give(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut events = Vec::new();
        let over = self.link.is_closed();
        self.lent(|link| link.received(bytes, &mut events));
        assert!(!over || events.is_empty(), "a link that is over says {events:?}");
        self.watch.received(bytes.len());
        for event in events {
            self.watch.event(event, &self.other);
        }
    }

    fn other_says(&mut self, bytes: &[u8]) {
        self.other.say(bytes, &mut self.to_link);
    }

    fn send(&mut self, frame: &Frame) {
        if self.watch.is_secured() {
            let goes = self.link.takes_frames();
            if self.link.send(frame).is_ok() && goes {
                self.watch.sent(frame);
            }
        }
    }

    /// The link's socket takes at most so many bytes.
    fn take(&mut self, n: usize) {
        let step = self.lent(Link::step);
        self.watch.step(step);
        if step == Some(Step::Write) {
            let bytes: Vec<u8> = self.link.outbound().iter().copied().take(n).collect();
            self.link.sent(bytes.len());
            self.to_other.extend(bytes);
        }
    }

    fn hang_up(&mut self) {
        let mut events = Vec::new();
        self.watch.hung_up(&self.link);
        self.lent(|link| link.ended(&mut events));
        for event in events {
            self.watch.event(event, &self.other);
        }
        assert!(self.link.is_closed(), "the socket has ended and the link has not");
    }

    fn end(mut self) {
        self.watch.compare(&self.other, self.to_link.is_empty());
        self.hang_up();
        self.settle();
        self.watch.bounds(&self.link);
        self.watch.compare(&self.other, false);
        self.watch.is_over();
    }

    fn lent<R>(&mut self, call: impl FnOnce(&mut Link) -> R) -> R {
        let _lent = lend(&mut self.rng);
        call(&mut self.link)
    }
}

/// How many: as many as the script says, or all there are.
fn some(script: &mut Script<'_>, all: usize) -> usize {
    match script.word() {
        0 => all,
        n => usize::from(n),
    }
}

fn flip(bytes: &mut [u8], script: &mut Script<'_>) -> bool {
    let (at, mask) = (usize::from(script.word()), script.byte());
    let length = bytes.len().max(1);
    let changed = bytes.get_mut(at % length).map(|byte| *byte ^= mask);
    changed.is_some() && mask != 0
}

fn cut(bytes: &mut Vec<u8>, script: &mut Script<'_>) -> bool {
    let (at, n) = (usize::from(script.word()) % (bytes.len() + 1), usize::from(script.byte()));
    bytes.drain(at..(at + n).min(bytes.len())).count() > 0
}

fn double(bytes: &mut Vec<u8>, script: &mut Script<'_>) -> bool {
    let (at, n) = (usize::from(script.word()) % (bytes.len() + 1), usize::from(script.word()));
    let again: Vec<u8> = bytes.iter().copied().skip(at).take(n).collect();
    bytes.splice(at..at, again).count();
    n > 0
}

/// A frame with this body, whatever it may mean on its channel.
fn message(body: &[u8]) -> Frame {
    struct Raw<'a>(&'a [u8]);
    impl Serialize for Raw<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut tuple = serializer.serialize_tuple(self.0.len())?;
            for byte in self.0 {
                tuple.serialize_element(byte)?;
            }
            tuple.end()
        }
    }
    let longest = countersign_core::limits::FRAME_BYTES_MAX - 1;
    let frame = Frame::message(&Raw(body.get(..longest).unwrap_or(body)));
    debug_assert_eq!(frame.bytes().len(), FRAME_HEADER_BYTES + 1 + body.len().min(longest));
    frame
}
