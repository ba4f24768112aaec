//! Decides how a test holds a running program: what it says to it, what it awaits of it, and that nothing outlives it.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::DEADLINE;
use crate::lines::{Lines, Missing};

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Program {
    what: String,
    child: Child,
    stdin: Option<ChildStdin>,
    /// What it prints for its user.
    pub out: Lines,
    /// What it prints for whoever runs it.
    pub err: Lines,
}

/// A program that has ended, with all that it printed.
#[derive(Clone, Debug)]
#[must_use = "how it ended is to be judged"]
pub struct Ended {
    what: String,
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: Vec<String>,
    /// Its standard error.
    pub err: Vec<String>,
}

impl Program {
    /// Starts it, with pipes on all sides. Nothing of the tester's own settings reaches it.
    pub fn start(command: &mut Command) -> Self {
        Self::start_on(command, Stdio::piped())
    }

    /// The same with another standard input.
    pub fn start_on(command: &mut Command, stdin: Stdio) -> Self {
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Cargo's variable would change the commands that are advised.
        command.env_remove("CARGO").env_remove("XDG_DATA_HOME").env_remove("HOME");
        let chosen: Vec<OsString> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
        let is_ours = |name: &OsString| name.to_string_lossy().starts_with("COUNTERSIGN_") && !chosen.contains(name);
        for name in env::vars_os().map(|(name, _)| name).filter(is_ours) {
            command.env_remove(name);
        }
        let what = format!("{command:?}");
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{what} can't be started: {error}"));
        let out = Lines::of(child.stdout.take().expect("stdout is a pipe"));
        let err = Lines::of(child.stderr.take().expect("stderr is a pipe"));
        Self { what, stdin: child.stdin.take(), child, out, err }
    }

    /// Types a line.
    pub fn say(&mut self, line: &str) {
        self.feed(format!("{line}\n").as_bytes());
    }

    /// Writes bytes to its standard input.
    pub fn feed(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("the input was not ended before");
        let written = stdin.write_all(bytes).and_then(|()| stdin.flush());
        if let Err(error) = written {
            panic!("nothing more can be said ({error}) to {self}");
        }
    }

    /// Ends its standard input.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for a line on stdout of which `take` makes something.
    pub fn hear<T>(&mut self, what: &str, take: impl FnMut(&str) -> Option<T>) -> T {
        let found = self.out.find(Instant::now() + DEADLINE, take);
        self.found(what, found)
    }

    /// Waits for a line on stdout that contains `part`.
    pub fn hear_part(&mut self, part: &str) -> String {
        self.hear(part, |line| line.contains(part).then(|| line.to_owned()))
    }

    /// Waits for a JSON object on stdout whose `event` is this. Lines that are no objects fail the test.
    pub fn hear_event(&mut self, event: &str) -> Value {
        self.hear(event, |line| Some(json(line)).filter(|object| object["event"] == event))
    }

    /// Waits for a line on stderr of which `take` makes something.
    pub fn see<T>(&mut self, what: &str, take: impl FnMut(&str) -> Option<T>) -> T {
        let found = self.err.find(Instant::now() + DEADLINE, take);
        self.found(what, found)
    }

    /// Waits for a line on stderr that contains `part`.
    pub fn see_part(&mut self, part: &str) -> String {
        self.see(part, |line| line.contains(part).then(|| line.to_owned()))
    }

    /// Waits until it says on stdout what contains `part`, or ends without having said it.
    pub fn says(&mut self, part: &str) -> bool {
        match self.out.find(Instant::now() + DEADLINE, |line| line.contains(part).then_some(())) {
            Ok(()) => true,
            Err(Missing::Ended) => false,
            Err(Missing::Late) => self.found(part, Err(Missing::Late)),
        }
    }

    /// Its process number.
    pub fn number(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, `"TERM"` or `"INT"`.
    pub fn signal(&self, name: &str) {
        // It has not been waited for, so the number is still its own.
        let kill = format!("kill -s {name} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{self} can't be sent a signal");
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child that was not waited for can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Everything that it has printed on stderr; waits until it can print no more.
    pub fn whole_log(&mut self) -> Vec<String> {
        let until = Instant::now() + DEADLINE;
        match self.err.to_end(until) {
            Ok(lines) => lines.to_vec(),
            Err(Missing::Ended | Missing::Late) => panic!("it does not end: {self}"),
        }
    }

    /// Ends its input and waits for its end.
    pub fn end(mut self) -> Ended {
        self.end_input();
        self.finish()
    }

    /// Waits for its end, which is to come while its input goes on.
    pub fn finish(mut self) -> Ended {
        let until = Instant::now() + DEADLINE;
        // Its pipes end with it, and that can be waited for with a deadline.
        for missing in [self.out.to_end(until).err(), self.err.to_end(until).err()] {
            assert!(missing.is_none(), "it does not end: {self}");
        }
        let status = self.child.wait().expect("a child can be waited for");
        Ended {
            what: self.what.clone(),
            code: status.code(),
            out: self.out.so_far().to_vec(),
            err: self.err.so_far().to_vec(),
        }
    }

    fn found<T>(&mut self, what: &str, found: Result<T, Missing>) -> T {
        match found {
            Ok(found) => found,
            Err(Missing::Ended) => {
                // The other stream ends with the process, too; without it the report would lack the reason.
                let until = Instant::now() + DEADLINE;
                let _ = (self.out.to_end(until).is_ok(), self.err.to_end(until).is_ok());
                self.refresh();
                panic!("it ended before {what:?} came: {self}")
            }
            Err(Missing::Late) => {
                self.refresh();
                panic!("{what:?} does not come from {self}")
            }
        }
    }

    fn refresh(&mut self) {
        self.out.so_far();
        self.err.so_far();
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, out, err, .. } = self;
        write!(f, "{what}\nstdout: {out}\nstderr: {err}")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended already can't be killed, and that is all the same.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Runs a program to its end, with nothing on its standard input.
    pub fn run(command: &mut Command) -> Self {
        Program::start(command).end()
    }

    /// Asserts that it did what it was asked for.
    pub fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    /// Asserts that it ended with this code and exactly one line on stderr, a sentence; gives the sentence.
    pub fn refused(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self}");
        let [line] = self.err.as_slice() else { panic!("not exactly one line on stderr: {self}") };
        let sentence = line.strip_prefix("error: ").unwrap_or_else(|| panic!("no error: before the sentence: {self}"));
        assert!(sentence.chars().count() > 10 && !sentence.ends_with('.'), "not one of our sentences: {self}");
        assert!(!sentence.contains("Os {") && !sentence.contains("panicked"), "not for people: {self}");
        sentence.to_owned()
    }

    /// The objects that it printed, one a line.
    pub fn objects(&self) -> Vec<Value> {
        self.out.iter().map(|line| json(line)).collect()
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, code, out, err } = self;
        write!(f, "{what} ended with {code:?}\nstdout: {out:#?}\nstderr: {err:#?}")
    }
}

/// Reads one line of `--json`.
pub fn json(line: &str) -> Value {
    let value = serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{line:?} is no JSON: {error}"));
    assert!(value.is_object(), "{line:?} is no object");
    value
}
