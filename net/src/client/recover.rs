//! Decides how a recovery code is made and shown, and how `client recover` goes: by it a person comes back who has lost every
//! device.
//!
//! A code is a secret that is shown once and kept nowhere: on a terminal, or in a new file of mode 600 that was named. It goes
//! into no pipe and so into no log: without either none is made, and that is said.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use countersign_core::device::approve::Approval;
use countersign_core::device::{Asked, Command};
use countersign_core::pki::RecoveryCode;
use countersign_core::tlog::Basis;
use countersign_core::wire::Code;
use zeroize::Zeroizing;

use super::World;
use super::args::{Paper, Recover};
use super::ask::Session;
use super::home::Stored;
use super::join::{self, By, Entrant, Way};
use crate::entropy::OsEntropy;
use crate::exit::{Exit, Failure, Plain, print_line};
use crate::passphrase::code_words;
use crate::store::folder::{FolderError, read_outside_secret, remove_file, write_new_file};

/// Twelve words, however they are spaced, and what somebody noted beside them.
const CODE_BYTES_MAX: usize = 1024;
/// How often a code may be mistyped.
const TRIES: usize = 3;

/// Where a new code is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sheet {
    /// On the terminal.
    Terminal,
    /// In this file, which is not there yet.
    File(PathBuf),
    /// Nowhere: so none is made.
    None,
}

impl Paper {
    /// Where a new code is shown. What goes to the terminal goes beside the results, as questions do.
    pub fn sheet(&self) -> Sheet {
        match &self.recovery_file {
            Some(path) => Sheet::File(path.clone()),
            None if !self.no_recovery && io::stderr().is_terminal() => Sheet::Terminal,
            None => Sheet::None,
        }
    }
}

/// Runs `client recover`.
pub fn recover(args: Recover, world: &World) -> Result<(), Failure> {
    if args.new {
        return renew(&args.paper, world);
    }
    let Recover { link, user, device, code_file, paper, new: _ } = args;
    let device = device.ok_or_else(|| {
        Failure::usage("this device needs a name that none of yours has had: recover with --device NAME")
    })?;
    let way = Way::Recovery(code_file.as_deref());
    join::enter(Entrant { link, user, device: &device, way, by: By::Invite }, &paper, world)
}

/// Runs `client recover --new`: another code takes the place of the one from before.
fn renew(paper: &Paper, world: &World) -> Result<(), Failure> {
    let stored = world.stored()?;
    let sheet = paper.sheet();
    if sheet == Sheet::None {
        return Err(Failure::usage(
            "a recovery code is shown on a terminal alone: run this on one, or name a new file with --recovery-file FILE",
        ));
    }
    make(&stored, &sheet, world)?;
    print_line(format_args!("{} has a new recovery code: one from before does not count any more", stored.name.user))
}

/// After a device has joined by this right: makes its person a code if it is theirs to make, and says what there is to know.
pub(super) fn after_joining(basis: Option<&Basis>, paper: &Paper, world: &World) -> Result<(), Failure> {
    match basis {
        Some(Basis::FirstDevice | Basis::Recovered(_) | Basis::Reissue) => {}
        Some(Basis::Endorsed(_) | Basis::Renewed | Basis::MadeElsewhere) | None => return Ok(()),
    }
    let stored = world.stored()?;
    if basis == Some(&Basis::Reissue) {
        print_line(format_args!(
            "{} was let in again by the operator, as a new identity: the others see that {} has changed",
            stored.name.user, stored.name.user
        ))?;
    }
    let command = world.folder.command("recover --new");
    match paper.sheet() {
        Sheet::None => print_line(format_args!("no recovery code was made; to make one: {}", Plain(&command))),
        sheet @ (Sheet::Terminal | Sheet::File(_)) => make(&stored, &sheet, world).map_err(|failure| {
            let words = format!("{} has joined, but no recovery code was made ({failure}): {command}", stored.name);
            Failure::new(failure.exit, words)
        }),
    }
}

/// Makes a code, has it count, and shows it.
fn make(stored: &Stored, sheet: &Sheet, world: &World) -> Result<(), Failure> {
    let code = RecoveryCode::draw(&mut OsEntropy);
    let words = code.words();
    if let Sheet::File(path) = sheet {
        if path.file_name().is_none() {
            return Err(Failure::usage(format_args!("{} is no file: name a new one", path.display())));
        }
        // On the disk before it counts, so that none counts that nobody has.
        let line = Zeroizing::new(format!("{}\n", words.as_str()));
        write_new_file(path, line.as_bytes()).map_err(Failure::failed)?;
    }
    let armed = arm(stored, &code, world);
    match sheet {
        Sheet::File(path) if armed.is_err() => {
            // It counts for nothing, and is not to look as if it did.
            let _ = remove_file(path);
            armed
        }
        Sheet::File(path) => {
            armed?;
            print_line(format_args!(
                "the recovery code is in {}: print it, keep it safe, remove the file",
                path.display()
            ))
        }
        Sheet::Terminal => {
            armed?;
            show(&words, stored)
        }
        Sheet::None => armed,
    }
}

fn arm(stored: &Stored, code: &RecoveryCode, world: &World) -> Result<(), Failure> {
    let key = code.key().spki();
    match Session::over(world, stored, |session| session.put(Command::Arm(key)))? {
        Asked::Approval(Approval::Armed) => Ok(()),
        Asked::Refused(code @ Code::BUSY) => Err(Failure::failed(code)),
        Asked::Refused(code) => Err(Failure::refused(code)),
        other @ (Asked::Approval(_)
        | Asked::People(_)
        | Asked::Certificates(..)
        | Asked::Log(_)
        | Asked::Renewed(_)
        | Asked::PasswordSet
        | Asked::Unanswered) => {
            Err(Failure::failed(format_args!("the server answered something else than asked: {other:?}")))
        }
    }
}

/// Shows a code on the terminal.
fn show(words: &str, stored: &Stored) -> Result<(), Failure> {
    let mut text = Zeroizing::new(String::from("\nThe recovery code of "));
    text.push_str(stored.name.user.as_str());
    text.push_str(":\n\n");
    for (n, word) in (1..).zip(words.split(' ')) {
        let end = if n % 4 == 0 { "\n" } else { " " };
        text.push_str(&Zeroizing::new(format!("  {n:>2} {word:<9}{end}")));
    }
    text.push_str(
        "\nWrite these words down now and keep them where no device of yours is: they are shown this once. Whoever has lost\n\
         every device comes back by them (client recover); whoever finds them could, too.\n\n",
    );
    io::stderr().lock().write_all(text.as_bytes()).map_err(|error| {
        Failure::failed(format_args!(
            "the recovery code could not be shown ({error}): client recover --new makes another"
        ))
    })
}

/// Reads a code: from a file or descriptor that was named, typed on a terminal, or else a line of standard input.
pub(super) fn read_code(file: Option<&Path>) -> Result<RecoveryCode, Failure> {
    if let Some(path) = file {
        let (bytes, loose) = read_outside_secret(path, CODE_BYTES_MAX).map_err(Failure::failed)?;
        if let Some(found) = loose {
            return Err(Failure::failed(FolderError::LooseMode { path: path.to_owned(), found, wanted: 0o600 }));
        }
        return read(&bytes);
    }
    let asks = io::stdin().is_terminal();
    for left in (0..TRIES).rev() {
        let line = if asks { code_words()? } else { line_of_input()? };
        if line.is_empty() {
            break;
        }
        match read(&line) {
            Err(failure) if asks && left > 0 => {
                let _ = writeln!(io::stderr().lock(), "{failure}");
            }
            result => return result,
        }
    }
    Err(Failure::usage("the twelve words of the recovery code are needed on standard input, or with --code-file FILE"))
}

fn line_of_input() -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut line = Zeroizing::new(Vec::with_capacity(CODE_BYTES_MAX));
    match io::stdin().lock().take(CODE_BYTES_MAX as u64).read_until(b'\n', &mut line) {
        Ok(_) => Ok(line),
        Err(error) => Err(Failure::usage(format_args!("the recovery code can't be read ({error})"))),
    }
}

fn read(bytes: &[u8]) -> Result<RecoveryCode, Failure> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    RecoveryCode::parse(text).map_err(|refusal| Failure::new(Exit::Refused, refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_shown_in_the_file_that_was_named_and_none_is_made_where_none_is_wanted() {
        let file = PathBuf::from("code");
        let paper = Paper { recovery_file: Some(file.clone()), no_recovery: false };
        assert_eq!(paper.sheet(), Sheet::File(file));
        assert_eq!(Paper { recovery_file: None, no_recovery: true }.sheet(), Sheet::None);
    }

    #[test]
    fn what_is_no_code_is_refused_and_not_repeated() {
        let failure = |text: &str| read(text.as_bytes()).err().map(|failure| (failure.exit, failure.to_string()));
        let (exit, words) = failure("correct horse battery staple").unwrap_or((Exit::Done, String::new()));
        assert_eq!(exit, Exit::Refused);
        assert!(words.contains("12 words") && !words.contains("horse"), "{words}");
        assert!(read(b"zoo zoo zoo zoo zoo zoo\nzoo zoo zoo zoo zoo wrong\n").is_ok());
    }
}
