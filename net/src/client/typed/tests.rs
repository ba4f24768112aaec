//! Lines cut out of any pieces, and a line that never ends.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::time::Duration;

use mio::{Events, Poll, Token};

use super::*;

fn cut(pieces: &[&[u8]]) -> Vec<Typed> {
    let mut cutter = Cutter::default();
    let mut lines = Vec::new();
    for piece in pieces {
        assert!(cutter.cut(piece, &mut |typed| {
            lines.push(typed);
            true
        }));
        assert!(cutter.line.capacity() <= 4 * LINE_BYTES_MAX, "{} bytes are held", cutter.line.capacity());
    }
    lines.extend(cutter.end());
    lines
}

fn line(text: &str) -> Typed {
    Typed::Line(text.to_owned())
}

#[test]
fn a_line_is_what_stands_between_two_ends_of_line_in_any_pieces() {
    let whole: &[u8] = "hello\n\nGrüße\r\nlast".as_bytes();
    let lines = [line("hello"), line(""), line("Grüße"), line("last")];
    assert_eq!(cut(&[whole]), lines);
    for at in 0..whole.len() {
        let (one, two) = whole.split_at(at);
        assert_eq!(cut(&[one, two]), lines, "cut at {at}");
    }
    assert_eq!(cut(&[b"hello\n"]), [line("hello")]);
    assert_eq!(cut(&[]), []);
}

#[test]
fn the_longest_line_passes_and_one_byte_more_does_not() {
    let longest = "x".repeat(LINE_BYTES_MAX);
    for end in ["\n", "\r\n", ""] {
        assert_eq!(cut(&[format!("{longest}{end}").as_bytes()]), [line(&longest)]);
        assert_eq!(cut(&[format!("{longest}x{end}").as_bytes()]), [Typed::TooLong]);
    }
}

#[test]
fn a_huge_line_without_end_is_held_by_nobody_and_the_next_line_is_itself() {
    let piece = vec![b'x'; BUFFER_BYTES];
    let mut pieces = vec![piece.as_slice(); 10_000];
    pieces.push(b"\nnext\n");
    assert_eq!(cut(&pieces), [Typed::TooLong, line("next")]);
}

#[test]
fn what_is_not_text_is_no_line() {
    assert_eq!(cut(&[b"\xff\xfe\nok\n"]), [Typed::NotText, line("ok")]);
}

/// Gives its bytes, then ends; and again, as a terminal does.
struct Terminal(Vec<&'static [u8]>);

impl Read for Terminal {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Ok(0);
        }
        let bytes = self.0.remove(0);
        for (place, byte) in buffer.iter_mut().zip(bytes) {
            *place = *byte;
        }
        Ok(bytes.len())
    }
}

fn poll() -> (Poll, Arc<Waker>) {
    let poll = Poll::new().unwrap();
    let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
    (poll, waker)
}

#[test]
fn a_full_channel_holds_the_reader_up_and_every_line_wakes_the_loop() {
    const LINES: usize = 3 * LINES_WAITING_MAX;
    let (mut poll, waker) = poll();
    let input = Terminal(vec![b"x\n"; LINES]);
    let (mut lines, reader) = Lines::spawn(input, Arc::clone(&waker), false).unwrap();
    let mut heard = Vec::new();
    let mut events = Events::with_capacity(4);
    while heard.last() != Some(&Typed::End) {
        poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
        assert!(!events.is_empty(), "the loop was not woken after {} lines", heard.len());
        heard.extend(std::iter::from_fn(|| lines.take()));
    }
    reader.join().unwrap();
    assert_eq!(heard.len(), LINES + 1);
}

#[test]
fn the_end_of_input_wakes_the_loop_though_the_reader_is_gone() {
    let (mut poll, waker) = poll();
    let (mut lines, reader) = Lines::spawn(Terminal(vec![b"bye"]), Arc::clone(&waker), false).unwrap();
    reader.join().unwrap();
    let mut events = Events::with_capacity(4);
    poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
    assert!(!events.is_empty(), "the loop was not woken");
    assert_eq!([lines.take(), lines.take(), lines.take()], [Some(line("bye")), Some(Typed::End), None]);
}

#[test]
fn a_terminal_is_read_on_after_an_end_until_it_is_gone() {
    let (_poll, waker) = poll();
    let (mut lines, reader) = Lines::spawn(Terminal(vec![b"a\n", b"", b"b\n"]), waker, true).unwrap();
    reader.join().unwrap();
    let mut expected = vec![line("a"), Typed::End, line("b")];
    expected.extend(vec![Typed::End; ENDS_IN_A_ROW_MAX]);
    assert_eq!(std::iter::from_fn(|| lines.take()).collect::<Vec<_>>(), expected);
}
