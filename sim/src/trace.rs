//! Decides whether two runs were the same, and if not, at which step they parted.
//!
//! Every event is folded into one running SHA-256, with the length of each part before it, so that no two different
//! runs fold the same bytes. The hash at the end stands for the whole run, every byte of every TLS record included.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::io;

use aws_lc_rs::digest;

/// Separates this hash from every other use of SHA-256 in the project; the number changes with the framing.
const DOMAIN: &[u8] = b"countersign-sim/trace/1\0";

/// How many lines of the story are kept. A failure is explained by what came last, so the oldest go first.
pub const STORY_LINES_MAX: usize = 1 << 17;

/// How many characters are kept of each event.
const EVENT_CHARS_MAX: usize = 240;

/// What a trace keeps besides the running hash. Neither changes the hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// The story: lines for a person to read, the newest [`STORY_LINES_MAX`].
    pub story: bool,
    /// Eight bytes of the running hash after every step and the step's event in a few words, so that the first
    /// difference of two runs can be named.
    pub steps: bool,
}

/// A line of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The step it belongs to.
    pub step: u64,
    /// What happened.
    pub text: String,
}

/// How two runs compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// They are the same.
    Same,
    /// They differ from this step on, counted from 0; one of them may have ended before it.
    DiffersAt(u64),
    /// They differ, but not both kept their steps, so nobody knows where.
    DiffersSomewhere,
}

/// The running hash over all that happened, and on request what it takes to explain a difference.
#[derive(Clone)]
pub struct Trace {
    running: digest::Context,
    steps: u64,
    story: Option<VecDeque<Line>>,
    marks: Option<Vec<Mark>>,
}

/// What is kept of a step.
#[derive(Clone, Debug)]
struct Mark {
    /// The beginning of the hash so far.
    hash: [u8; 8],
    /// The event, cut short.
    event: String,
}

impl Trace {
    /// The trace of a run in which nothing has happened yet.
    pub fn new(keep: Keep) -> Self {
        let mut running = digest::Context::new(&digest::SHA256);
        running.update(DOMAIN);
        Self { running, steps: 0, story: keep.story.then(VecDeque::new), marks: keep.steps.then(Vec::new) }
    }

    /// Folds one event in: when it happened, what kind it is, and all that it consists of.
    ///
    /// The number of `fields` and each one's length are folded in too, so neither moving a byte from one field to
    /// the next nor adding an empty field goes unnoticed. Numbers go in as their little-endian bytes.
    pub fn step(&mut self, at_us: u64, kind: &str, fields: &[&[u8]]) {
        let mut framed = Fields::default();
        for field in fields {
            framed.bytes(field);
        }
        self.step_of(at_us, kind, &framed);
    }

    /// The same, of fields that were put together already.
    pub fn step_of(&mut self, at_us: u64, kind: &str, fields: &Fields) {
        self.running.update(&at_us.to_le_bytes());
        self.running.update(&length(kind.len()));
        self.running.update(kind.as_bytes());
        self.running.update(&length(fields.count));
        self.running.update(&fields.framed);
        self.steps += 1;
        if let Some(marks) = &mut self.marks {
            marks.push(Mark { hash: mark(&self.running), event: String::new() });
        }
    }

    /// Says when and what the newest step was, where steps are kept: the beginning is. No part of the hash.
    pub fn describe(&mut self, at_us: u64, event: &dyn fmt::Debug) {
        if let Some(mark) = self.marks.as_mut().and_then(|marks| marks.last_mut()) {
            mark.event = format!("at {}.{:06}: {}", at_us / 1_000_000, at_us % 1_000_000, beginning(event));
        }
    }

    /// Adds a line about the newest step to the story. It is only made when a story is kept, and is no part of the
    /// hash: wording may change without changing a run.
    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        let step = self.steps.saturating_sub(1);
        if let Some(story) = &mut self.story {
            if story.len() >= STORY_LINES_MAX {
                story.pop_front();
            }
            story.push_back(Line { step, text: line() });
        }
    }

    /// As [`Trace::tell`], for an event that may have no line.
    pub fn tell_some(&mut self, line: impl FnOnce() -> Option<String>) {
        if self.story.is_some()
            && let Some(text) = line()
        {
            self.tell(|| text);
        }
    }

    /// What a step was, counted from 0, where steps are kept.
    pub fn event(&self, step: u64) -> Option<&str> {
        let marks = self.marks.as_ref()?;
        marks.get(usize::try_from(step).ok()?).map(|mark| mark.event.as_str())
    }

    /// How many steps were folded in.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The lines that are kept, oldest first; none unless asked for.
    pub fn story(&self) -> impl Iterator<Item = &Line> {
        self.story.iter().flatten()
    }

    /// The hash over all that happened so far, in hexadecimal.
    pub fn hex_so_far(&self) -> String {
        hex(self.running.clone())
    }

    /// The hash over all that happened, in hexadecimal.
    #[must_use]
    pub fn finish_hex(self) -> String {
        hex(self.running)
    }

    /// Compares two runs, and names the first step that differs where both kept their steps.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Comparison {
        if self.hex_so_far() == other.hex_so_far() {
            return Comparison::Same;
        }
        let (Some(ours), Some(theirs)) = (&self.marks, &other.marks) else {
            return Comparison::DiffersSomewhere;
        };
        let common = ours.iter().zip(theirs).take_while(|(a, b)| a.hash == b.hash).count();
        Comparison::DiffersAt(u64::from_le_bytes(length(common)))
    }
}

/// What an event consists of, each field with its length before it, one after the other in one buffer: there are tens of
/// thousands of events in a run, and the most of them are small.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    framed: Vec<u8>,
    count: usize,
}

impl Fields {
    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.count += 1;
        self.framed.extend_from_slice(&length(bytes.len()));
        self.framed.extend_from_slice(bytes);
    }

    /// A value in the words of its own `Debug`.
    ///
    /// # Panics
    /// If a `Debug` gives up on its own account, which none here does.
    pub fn value(&mut self, value: &dyn fmt::Debug) {
        self.count += 1;
        let before = self.framed.len();
        self.framed.extend_from_slice(&length(0));
        let start = self.framed.len();
        io::Write::write_fmt(&mut self.framed, format_args!("{value:?}"))
            .expect("a Vec takes whatever is written to it");
        let long = length(self.framed.len() - start);
        if let Some(place) = self.framed.get_mut(before..start) {
            place.copy_from_slice(&long);
        }
    }

    /// None again, in the same buffer.
    pub fn clear(&mut self) {
        self.framed.clear();
        self.count = 0;
    }
}

/// The first eight bytes of the hash so far: few enough to keep for every step, and enough that two runs which differ
/// don't look alike by chance.
fn mark(running: &digest::Context) -> [u8; 8] {
    let digest = running.clone().finish();
    *digest.as_ref().first_chunk().expect("SHA-256 has 32 bytes")
}

/// The beginning of what a value says of itself: enough to tell it from another, whatever it carries.
fn beginning(value: &dyn fmt::Debug) -> String {
    let mut short = Short(String::new());
    // An error is how it says that it has enough.
    if write!(short, "{value:?}").is_err() {
        short.0.push_str(" ...");
    }
    short.0
}

/// Text that takes no more than [`EVENT_CHARS_MAX`] characters.
struct Short(String);

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = EVENT_CHARS_MAX.saturating_sub(self.0.chars().count());
        self.0.extend(text.chars().take(room));
        if text.chars().count() > room { Err(fmt::Error) } else { Ok(()) }
    }
}

fn hex(running: digest::Context) -> String {
    let mut hex = String::with_capacity(64);
    for byte in running.finish().as_ref() {
        write!(hex, "{byte:02x}").expect("a String takes whatever is written to it");
    }
    hex
}

/// A length as it is folded in: always eight bytes, whatever the machine's own word is.
fn length(length: usize) -> [u8; 8] {
    u64::try_from(length).expect("no slice is longer than u64 counts").to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Keep = Keep { story: true, steps: true };

    fn hash_of(at_us: u64, kind: &str, fields: &[&[u8]]) -> String {
        let mut trace = Trace::new(Keep::default());
        trace.step(at_us, kind, fields);
        trace.finish_hex()
    }

    #[test]
    fn the_same_events_give_the_same_hash_whatever_is_kept() {
        let mut bare = Trace::new(Keep::default());
        let mut full = Trace::new(ALL);
        for trace in [&mut bare, &mut full] {
            trace.step(1, "deliver", &[b"alice", b"hello"]);
            trace.tell(|| "alice says hello".to_owned());
            trace.step(2, "tick", &[]);
        }
        assert_eq!(bare.hex_so_far(), full.hex_so_far());
        assert_eq!(bare.steps(), 2);
        assert_eq!(bare.compare(&full), Comparison::Same);
        assert_eq!(bare.hex_so_far(), bare.finish_hex());
    }

    #[test]
    fn no_two_ways_to_cut_the_same_bytes_give_one_hash() {
        let ways: [(u64, &str, &[&[u8]]); 8] = [
            (0, "ab", &[b"cd"]),
            (0, "abc", &[b"d"]),
            (0, "a", &[b"bcd"]),
            (0, "ab", &[b"c", b"d"]),
            (0, "ab", &[b"cd", b""]),
            (0, "ab", &[b"", b"cd"]),
            (0, "abcd", &[]),
            (1, "ab", &[b"cd"]),
        ];
        let hashes: std::collections::BTreeSet<_> =
            ways.iter().map(|(at_us, kind, fields)| hash_of(*at_us, kind, fields)).collect();
        assert_eq!(hashes.len(), ways.len());
    }

    #[test]
    fn a_value_is_a_field_of_the_bytes_of_its_words() {
        let (mut words, mut fields) = (Fields::default(), Fields::default());
        for value in ["", "two words"] {
            words.bytes(format!("{value:?}").as_bytes());
            fields.value(&value);
        }
        let hash = |fields: &Fields| {
            let mut trace = Trace::new(Keep::default());
            trace.step_of(1, "say", fields);
            trace.finish_hex()
        };
        assert_eq!(hash(&words), hash(&fields));
        fields.clear();
        assert_eq!(hash(&fields), hash(&Fields::default()));
    }

    #[test]
    fn two_steps_are_not_one_step_with_the_same_words() {
        let mut two = Trace::new(Keep::default());
        two.step(0, "a", &[]);
        two.step(0, "a", &[]);
        assert_ne!(two.finish_hex(), hash_of(0, "a", &[b"a"]));
    }

    /// If this fails, hashes that were written down name nothing any more: change `DOMAIN` with it.
    #[test]
    fn the_framing_is_what_it_was() {
        assert_eq!(hash_of(258, "deliver", &[b"alice", b""]), GOLDEN);
    }

    const GOLDEN: &str = "773184bd4567cde9245d6366f166a3c661c5c83fdb45473808b16bbe596aaea8";

    fn run(events: &[u64]) -> Trace {
        let mut trace = Trace::new(ALL);
        for event in events {
            trace.step(*event, "event", &[]);
        }
        trace
    }

    #[test]
    fn the_first_step_that_differs_is_named() {
        let here = run(&[1, 2, 3, 4]);
        assert_eq!(here.compare(&run(&[1, 2, 3, 4])), Comparison::Same);
        assert_eq!(here.compare(&run(&[9, 2, 3, 4])), Comparison::DiffersAt(0));
        assert_eq!(here.compare(&run(&[1, 2, 9, 4])), Comparison::DiffersAt(2));
    }

    #[test]
    fn a_run_that_ended_earlier_differs_where_it_ended() {
        assert_eq!(run(&[1, 2]).compare(&run(&[1, 2, 3])), Comparison::DiffersAt(2));
        assert_eq!(run(&[1, 2, 3]).compare(&run(&[])), Comparison::DiffersAt(0));
    }

    #[test]
    fn without_kept_steps_a_difference_is_known_but_not_its_place() {
        let mut bare = Trace::new(Keep::default());
        bare.step(9, "event", &[]);
        assert_eq!(run(&[1]).compare(&bare), Comparison::DiffersSomewhere);
    }

    #[test]
    fn the_story_belongs_to_its_steps_and_is_made_only_when_kept() {
        let mut trace = Trace::new(ALL);
        for step in ["one", "two"] {
            trace.step(0, step, &[]);
            trace.tell(|| step.to_owned());
        }
        let story: Vec<_> = trace.story().map(|line| (line.step, line.text.as_str())).collect();
        assert_eq!(story, [(0, "one"), (1, "two")]);

        let mut bare = Trace::new(Keep::default());
        bare.tell(|| unreachable!("nobody keeps this line"));
        assert_eq!(bare.story().count(), 0);
    }

    #[test]
    fn an_event_is_kept_with_its_step_cut_short_and_only_when_asked_for() {
        let (mut full, mut bare) = (Trace::new(ALL), Trace::new(Keep::default()));
        for trace in [&mut full, &mut bare] {
            trace.step(1, "deliver", &[]);
            trace.describe(1, &vec![7_u8; 3]);
            trace.step(2, "deliver", &[]);
            trace.describe(2, &vec![7_u8; 3_000]);
        }
        assert_eq!(full.event(0), Some("at 0.000001: [7, 7, 7]"));
        let cut = "at 0.000002: ".len() + EVENT_CHARS_MAX + " ...".len();
        assert!(full.event(1).is_some_and(|event| event.ends_with(" ...") && event.len() == cut));
        assert_eq!((full.event(2), bare.event(0)), (None, None));
        assert_eq!(full.compare(&bare), Comparison::Same);
    }

    #[test]
    fn a_long_story_keeps_its_end() {
        let mut trace = Trace::new(ALL);
        for number in 0..STORY_LINES_MAX + 2 {
            trace.tell(|| number.to_string());
        }
        assert_eq!(trace.story().count(), STORY_LINES_MAX);
        assert_eq!(trace.story().next().map(|line| line.text.as_str()), Some("2"));
    }
}
