//! Decides how a stream of lines is waited for: a thread reads it, so that whoever waits can give up.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

/// What a program prints on one stream. Every line is kept, for the report of a failure.
#[derive(Debug)]
pub struct Lines {
    from: Receiver<String>,
    seen: Vec<String>,
    /// How many of the seen lines were looked at.
    read: usize,
}

/// How many lines a report shows, the last ones.
const REPORTED: usize = 40;

/// Why a line did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The stream has ended.
    Ended,
    /// The deadline has passed.
    Late,
}

impl Lines {
    /// Reads `stream` to its end, from now on.
    pub fn of(stream: impl Read + Send + 'static) -> Self {
        let (to, from) = channel();
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                let text = String::from_utf8_lossy(&line);
                if to.send(text.strip_suffix('\n').unwrap_or(&text).to_owned()).is_err() {
                    // Nobody listens any more; go on reading, so that the program is not stopped by a full pipe.
                }
                line.clear();
            }
        });
        Self { from, seen: Vec::new(), read: 0 }
    }

    /// Waits for the first line, after those looked at before, of which `take` makes something.
    pub fn find<T>(&mut self, until: Instant, mut take: impl FnMut(&str) -> Option<T>) -> Result<T, Missing> {
        loop {
            while let Some(line) = self.seen.get(self.read) {
                self.read += 1;
                if let Some(found) = take(line) {
                    return Ok(found);
                }
            }
            self.next(until)?;
        }
    }

    /// Waits for the end and gives every line there was.
    pub fn to_end(&mut self, until: Instant) -> Result<&[String], Missing> {
        loop {
            match self.next(until) {
                Ok(()) => {}
                Err(Missing::Ended) => return Ok(&self.seen),
                Err(Missing::Late) => return Err(Missing::Late),
            }
        }
    }

    /// Every line that has come so far.
    pub fn so_far(&mut self) -> &[String] {
        self.seen.extend(self.from.try_iter());
        &self.seen
    }

    fn next(&mut self, until: Instant) -> Result<(), Missing> {
        match self.from.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                self.seen.push(line);
                Ok(())
            }
            Err(RecvTimeoutError::Disconnected) => Err(Missing::Ended),
            Err(RecvTimeoutError::Timeout) => Err(Missing::Late),
        }
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skipped = self.seen.len().saturating_sub(REPORTED);
        write!(f, "{} lines", self.seen.len())?;
        self.seen.iter().skip(skipped).try_for_each(|line| write!(f, "\n    {line}"))
    }
}
