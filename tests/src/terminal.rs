//! Decides how a test types: on a terminal of its own, an answer to each question once it is asked.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::program::{Ended, Program};

/// Runs a program with a terminal for standard input. For each of `answers` the first is awaited on stderr, and the second
/// then typed. Gives also what the terminal has shown.
pub fn typed(mut command: Command, answers: &[(&str, &str)]) -> (Ended, String) {
    let mut terminal = File::from(openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are terminals"));
    let other_end = grantpt(&terminal).and_then(|()| unlockpt(&terminal)).and_then(|()| ptsname(&terminal, Vec::new()));
    let other_end = other_end.expect("a terminal has another end").into_string().expect("a plain path");
    let other_end = File::options().read(true).write(true).open(other_end).expect("it is ours");
    let mut program = Program::start_on(&mut command, Stdio::from(other_end));
    // Lets go of the other end, so that it closes with the program.
    drop(command);
    for (question, answer) in answers {
        program.see_part(question);
        terminal.write_all(answer.as_bytes()).expect("somebody reads");
    }
    let ended = program.finish();
    let mut shown = Vec::new();
    // Its end is told as an error.
    let _ = terminal.read_to_end(&mut shown);
    (ended, String::from_utf8_lossy(&shown).into_owned())
}
