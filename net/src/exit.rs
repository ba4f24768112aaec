//! Decides how a program ends: one code that scripts can rely on, and one sentence on stderr (design 8).

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// What a program's exit code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: what was asked for is done.
    Done,
    /// 1: it could not be done here: a file, a disk, a port.
    Failed,
    /// 2: it was asked for in a wrong way.
    Usage,
    /// 3: the server refused it, or a check did (forged, expired, revoked).
    Refused,
    /// 4: no connection could be made.
    Unreachable,
}

impl Exit {
    /// The number that the shell sees.
    pub fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Unreachable => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// Why a program ends without having done what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What scripts are told.
    pub exit: Exit,
    /// What people are told: one sentence without an end mark, with what to do next.
    pub sentence: String,
}

impl Failure {
    /// Ends with `exit`, and says `why`.
    pub fn new(exit: Exit, why: impl fmt::Display) -> Self {
        Self { exit, sentence: why.to_string() }
    }

    /// Exit code 1.
    pub fn failed(why: impl fmt::Display) -> Self {
        Self::new(Exit::Failed, why)
    }

    /// Exit code 2.
    pub fn usage(why: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, why)
    }

    /// Exit code 3.
    pub fn refused(why: impl fmt::Display) -> Self {
        Self::new(Exit::Refused, why)
    }

    /// Exit code 4.
    pub fn unreachable(why: impl fmt::Display) -> Self {
        Self::new(Exit::Unreachable, why)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Failure {}

/// What `main` returns: the code of how it went, after `error: SENTENCE` on stderr if it went wrong.
pub fn end(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            // One write, so that nobody else's line comes in between. If stderr is gone, the code is all there is to tell.
            let line = format!("error: {}\n", Plain(&failure.sentence));
            let _ = io::stderr().lock().write_all(line.as_bytes());
            failure.exit.into()
        }
    }
}

/// Prints one line on stdout, at once. A reader that has gone away, or a full disk, is a failure and no panic.
pub fn print_line(line: impl fmt::Display) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).map_err(|error| lost_output(&error))
}

/// The failure of writing to stdout.
pub fn lost_output(error: &io::Error) -> Failure {
    Failure::failed(format_args!("standard output can't be written to ({error})"))
}

/// A text as one line of plain characters: whatever could steer a terminal, or forge a second line, is shown by its
/// escape. Names and paths come from outside.
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a>(pub &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        self.0.chars().try_for_each(|c| {
            if c.is_control() || is_invisible(c) { write!(f, "{}", c.escape_default()) } else { f.write_char(c) }
        })
    }
}

/// Characters that print nothing and change how their neighbours are read: line and paragraph separators, marks of
/// writing direction, zero-width characters.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_the_ones_that_scripts_rely_on() {
        let all = [Exit::Done, Exit::Failed, Exit::Usage, Exit::Refused, Exit::Unreachable];
        assert_eq!(all.map(Exit::number), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_failure_reads_as_its_sentence() {
        let failure = Failure::unreachable(format_args!("no server at {}", 7));
        assert_eq!((failure.exit, failure.to_string().as_str()), (Exit::Unreachable, "no server at 7"));
    }

    #[test]
    fn nothing_in_a_line_steers_the_terminal_or_begins_another_line() {
        let hostile = "a\u{1b}[31mb\r\nc\u{9b}d\u{202e}e\u{7f}";
        assert_eq!(Plain(hostile).to_string(), "a\\u{1b}[31mb\\r\\nc\\u{9b}d\\u{202e}e\\u{7f}");
        assert_eq!(Plain("Grüße, 世界").to_string(), "Grüße, 世界");
    }
}
