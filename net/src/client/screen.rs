//! Decides where a notice goes: the other's lines to stdout, everything about the conversation to stderr, JSON to stdout.
//!
//! On a terminal a notice begins by clearing the line that somebody may be typing in; what they typed is still theirs
//! to send.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use super::chat::Saying;
use super::clean::{clean, escape_json};
use super::notice::Notice;
use super::spoken::Spoken;
use crate::exit::{Failure, lost_output};

/// To the line's first column, and nothing after it.
const CLEAR_LINE: &str = "\r\u{1b}[K";
const FAINT: &str = "\u{1b}[2m";
const PLAIN: &str = "\u{1b}[0m";

/// Where notices go.
#[derive(Debug)]
pub struct Screen {
    json: bool,
    stdin: bool,
    out: Stream,
    err: Stream,
}

/// What may be done on one stream.
#[derive(Clone, Copy, Debug)]
struct Stream {
    clears: bool,
    faint: bool,
}

impl Screen {
    /// The screen of this process.
    pub fn new(json: bool) -> Self {
        let stdin = io::stdin().is_terminal();
        let capable = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let stream = |is_terminal: bool| Stream {
            clears: is_terminal && capable && stdin,
            faint: is_terminal && capable && colours,
        };
        Self { json, stdin, out: stream(io::stdout().is_terminal()), err: stream(io::stderr().is_terminal()) }
    }

    /// Whether somebody types.
    pub fn has_typist(&self) -> bool {
        self.stdin
    }

    /// Says it. A reader of stdout that has gone away is a failure; stderr may be gone.
    pub fn say(&self, saying: &Saying) -> Result<(), Failure> {
        match saying {
            Saying::Notice(notice) => self.show(notice),
            Saying::ForPrograms(notice) if self.json => self.show(notice),
            Saying::Hint(text) if !self.json => {
                self.aside(text, true);
                Ok(())
            }
            Saying::Loud(warning) => {
                self.aside(warning, false);
                Ok(())
            }
            Saying::ForPrograms(_) | Saying::Hint(_) => Ok(()),
        }
    }

    /// Leaves a clean line behind: Ctrl-C has put its mark there.
    pub fn leave(&self) {
        if self.err.clears {
            let _ = write!(io::stderr().lock(), "{CLEAR_LINE}");
        }
    }

    fn show(&self, notice: &Notice) -> Result<(), Failure> {
        if self.json {
            let json = serde_json::to_string(notice).map_err(Failure::failed)?;
            return write_line(&mut io::stdout().lock(), escape_json(&json)).map_err(|error| lost_output(&error));
        }
        if let Notice::Line { .. } | Notice::Spoken(Spoken::Message { .. }) = notice {
            let line = self.out.dress(&notice.to_string(), false);
            return write_line(&mut io::stdout().lock(), line).map_err(|error| lost_output(&error));
        }
        self.aside(&notice.to_string(), notice.is_faint());
        Ok(())
    }

    /// Something about the conversation.
    fn aside(&self, text: &str, faint: bool) {
        // Nobody is left to be told that nobody is left to be told.
        let _ = write_line(&mut io::stderr().lock(), self.err.dress(&clean(text), faint));
    }
}

impl Stream {
    fn dress(self, text: &str, faint: bool) -> String {
        let clear = if self.clears { CLEAR_LINE } else { "" };
        if faint && self.faint { format!("{clear}{FAINT}{text}{PLAIN}") } else { format!("{clear}{text}") }
    }
}

/// One write a line, so that lines of two programs on one terminal do not mix.
fn write_line(stream: &mut impl Write, line: impl fmt::Display) -> io::Result<()> {
    stream.write_all(format!("{line}\n").as_bytes())?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_gets_escapes_and_only_a_willing_one_gets_them_faint() {
        let pipe = Stream { clears: false, faint: false };
        let terminal = Stream { clears: true, faint: true };
        let colourless = Stream { clears: true, faint: false };
        assert_eq!(pipe.dress("bob: hi", true), "bob: hi");
        assert_eq!(terminal.dress("bob: hi", false), "\r\u{1b}[Kbob: hi");
        assert_eq!(terminal.dress("bob left", true), "\r\u{1b}[K\u{1b}[2mbob left\u{1b}[0m");
        assert_eq!(colourless.dress("bob left", true), "\r\u{1b}[Kbob left");
    }
}
