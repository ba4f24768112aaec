//! Decides how a passphrase, a password or a recovery code comes in: from a file or descriptor that was named, or typed on a terminal that shows nothing.
//!
//! Never as an argument: those are everybody's to read. While it is typed the terminal hands over each key as it is
//! pressed, Ctrl-C too, so that no way out by the keyboard leaves the terminal without its echo. (A signal from elsewhere
//! ends the program at once and does; `stty sane` brings it back.)

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use countersign_core::id::UserName;
use countersign_core::limits::{PASSPHRASE_BYTES_MAX, PASSPHRASE_BYTES_MIN, PASSWORD_BYTES_MAX, PASSWORD_BYTES_MIN};
use countersign_core::password::Password;
use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::exit::{Failure, Plain};
use crate::store::folder::{FolderError, read_outside_secret};

/// The longest file of a passphrase: its line, and what somebody noted below it.
const FILE_BYTES_MAX: usize = 4 * PASSPHRASE_BYTES_MAX;
const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const CTRL_U: u8 = 0x15;
const BACKSPACE: [u8; 2] = [8, 0x7f];

/// What is asked of whoever types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Known,
    New,
    Again,
    Password,
    NewPassword,
    PasswordAgain,
    Code,
}

impl Question {
    fn words(self) -> &'static str {
        match self {
            Self::Known => "Passphrase of",
            Self::New => "New passphrase for",
            Self::Again => "The same passphrase again, for",
            Self::Password => "Password of",
            Self::NewPassword => "New password of",
            Self::PasswordAgain => "The same password again, for",
            Self::Code => "The twelve words of the",
        }
    }
}

/// The passphrase for the file `what`.
pub fn passphrase(file: Option<&Path>, what: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    match file {
        Some(file) => from_file(file).map(|(passphrase, _)| passphrase),
        None => typed(Question::Known, what),
    }
}

/// The same, but a file that others can read is refused: for the keys of the realm.
pub fn careful_passphrase(file: Option<&Path>, what: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    match file {
        Some(file) => from_safe_file(file),
        None => typed(Question::Known, what),
    }
}

/// A new passphrase for the file `what`, typed twice where it is typed.
pub fn new_passphrase(file: Option<&Path>, what: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let passphrase = match file {
        Some(file) => from_safe_file(file)?,
        None => typed(Question::New, what)?,
    };
    if passphrase.len() < PASSPHRASE_BYTES_MIN {
        return Err(Failure::usage(format_args!("a new passphrase has at least {PASSPHRASE_BYTES_MIN} bytes")));
    }
    if passphrase.iter().any(u8::is_ascii_control) {
        // Other programs could not be given it.
        return Err(Failure::usage("a new passphrase has no control characters: only what can be typed"));
    }
    if file.is_none() && typed(Question::Again, what)? != passphrase {
        return Err(Failure::usage("the two passphrases differ: nothing was done, try again"));
    }
    Ok(passphrase)
}

/// The password of a person, typed twice where it is typed: it may be a new one.
pub fn password(file: Option<&Path>, user: &UserName) -> Result<Password, Failure> {
    password_by(Question::Password, file, user)
}

/// The same where it is certainly a new one.
pub fn new_password(file: Option<&Path>, user: &UserName) -> Result<Password, Failure> {
    password_by(Question::NewPassword, file, user)
}

/// The words of a recovery code, typed on the terminal that is our standard input; none if its end was typed.
pub fn code_words() -> Result<Zeroizing<Vec<u8>>, Failure> {
    typed(Question::Code, Path::new("recovery code"))
}

fn password_by(question: Question, file: Option<&Path>, user: &UserName) -> Result<Password, Failure> {
    let user = Path::new(user.as_str());
    let typed_twice = || {
        let password = typed(question, user)?;
        if typed(Question::PasswordAgain, user)? == password {
            Ok(password)
        } else {
            Err(Failure::usage("the two passwords differ: nothing was done, try again"))
        }
    };
    let bytes = file.map_or_else(typed_twice, from_safe_file)?;
    if bytes.iter().any(u8::is_ascii_control) {
        return Err(Failure::usage("a password has no control characters: only what can be typed"));
    }
    let password = Password::new(bytes);
    if password.is_sound() {
        Ok(password)
    } else {
        Err(Failure::usage(format_args!(
            "a password has {PASSWORD_BYTES_MIN} to {PASSWORD_BYTES_MAX} bytes: take several words"
        )))
    }
}

fn from_safe_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    match from_file(path)? {
        (passphrase, None) => Ok(passphrase),
        (_, Some(found)) => {
            Err(Failure::failed(FolderError::LooseMode { path: path.to_owned(), found, wanted: 0o600 }))
        }
    }
}

/// The first line of a file, which may be a pipe (`/dev/fd/3`), and the file's mode where others can read it.
fn from_file(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Option<u32>), Failure> {
    let (mut bytes, loose) = read_outside_secret(path, FILE_BYTES_MAX).map_err(Failure::failed)?;
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    bytes.truncate(end);
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    if bytes.len() > PASSPHRASE_BYTES_MAX { Err(too_long()) } else { Ok((bytes, loose)) }
}

fn too_long() -> Failure {
    Failure::usage(format_args!("a passphrase has at most {PASSPHRASE_BYTES_MAX} bytes"))
}

/// Asks on the terminal that is our standard input, if it is one.
fn typed(question: Question, what: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if !io::stdin().is_terminal()
        && matches!(question, Question::Password | Question::NewPassword | Question::PasswordAgain)
    {
        return Err(Failure::usage(format_args!(
            "the password of {} is needed: give it in a file with --password-file FILE, or run this on a terminal",
            what.display()
        )));
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(format_args!(
            "{} {} encrypted: give its passphrase in a file with --passphrase-file FILE, or run this on a terminal",
            what.display(),
            if let Question::Known = question { "is" } else { "is to be" }
        )));
    }
    let failed = |error: Errno| Failure::failed(format_args!("the terminal can't be asked for a passphrase ({error})"));
    let silence = Silence::begin().map_err(failed)?;
    // Asked only now that nothing is shown any more; a whole line, so that a program that types can wait for it.
    let what = what.display().to_string();
    let _ = writeln!(io::stderr().lock(), "{} {} (nothing is shown as you type it):", question.words(), Plain(&what));
    let mut line = Zeroizing::new(Vec::with_capacity(PASSPHRASE_BYTES_MAX));
    let result = loop {
        let mut key = Zeroizing::new([0; 1]);
        match rustix::io::read(io::stdin(), key.as_mut()) {
            Err(Errno::INTR) => continue,
            Err(error) => break Err(failed(error)),
            Ok(0) => break Ok(()),
            Ok(_) => {}
        }
        let [byte] = *key;
        match byte {
            b'\n' | b'\r' | CTRL_D => break Ok(()),
            CTRL_C if question == Question::Code => {
                break Err(Failure::failed("no recovery code was given: nothing was done"));
            }
            CTRL_C => break Err(Failure::failed("no passphrase was given: nothing was done")),
            CTRL_U => line.clear(),
            _ if BACKSPACE.contains(&byte) => {
                // A whole character: its last byte, and those of UTF-8 that only go on.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            _ if line.len() < PASSPHRASE_BYTES_MAX => line.push(byte),
            _ => break Err(too_long()),
        }
    };
    drop(silence);
    result.map(|()| line)
}

/// A terminal that shows nothing of what is typed, until it is dropped.
struct Silence(Termios);

impl Silence {
    fn begin() -> Result<Self, Errno> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        silent.special_codes[SpecialCodeIndex::VMIN] = 1;
        silent.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Drain, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // A terminal that has gone has no echo to be given back.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::exit::Exit;
    use crate::store::folder::write_file;

    #[test]
    fn a_file_gives_its_first_line_whatever_ends_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("passphrase");
        let longest = "x".repeat(PASSPHRASE_BYTES_MAX);
        for (text, line) in [
            ("two words", "two words"),
            ("two words\n", "two words"),
            ("two words\r\n", "two words"),
            (" spaces stay \nand a note\n", " spaces stay "),
            ("", ""),
            (&longest, &longest),
            (&format!("{longest}\r\n"), &longest),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(*passphrase(Some(&path), Path::new("key")).unwrap(), line.as_bytes(), "{text:?}");
        }
        fs::write(&path, format!("{longest}x")).unwrap();
        assert_eq!(passphrase(Some(&path), Path::new("key")).unwrap_err().exit, Exit::Usage);
        fs::write(&path, vec![b'\n'; FILE_BYTES_MAX + 1]).unwrap();
        assert_eq!(passphrase(Some(&path), Path::new("key")).unwrap_err().exit, Exit::Failed);
    }

    #[test]
    fn a_new_passphrase_has_a_least_length_and_can_be_typed() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("passphrase");
        let new = |text: &str| {
            write_file(&path, text.as_bytes()).unwrap();
            new_passphrase(Some(&path), Path::new("key"))
        };
        let least = "x".repeat(PASSPHRASE_BYTES_MIN);
        assert_eq!(*new(&format!("{least}\n")).unwrap(), least.as_bytes());
        assert_eq!(*new("vier Wörter für uns").unwrap(), "vier Wörter für uns".as_bytes());
        for (text, part) in [
            ("", "at least 8 bytes"),
            (&least[1..], "at least 8 bytes"),
            ("four\twords", "no control characters"),
            ("four words\0", "no control characters"),
        ] {
            let failure = new(text).unwrap_err();
            assert!(failure.exit == Exit::Usage && failure.sentence.contains(part), "{text:?}: {failure}");
        }
    }

    #[test]
    fn a_password_has_its_bounds_and_its_file_is_its_owners_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("password");
        let alice = UserName::parse("alice").unwrap();
        let of = |text: &str| {
            write_file(&path, text.as_bytes()).unwrap();
            password(Some(&path), &alice)
        };
        let least = "x".repeat(PASSWORD_BYTES_MIN);
        for sound in [&least, &format!("{least}\nand a note"), &"x".repeat(PASSWORD_BYTES_MAX)] {
            assert!(of(sound).is_ok(), "{sound:?}");
        }
        for (text, part) in [(&least[1..], "8 to 1024 bytes"), ("four\twords", "no control characters")] {
            let failure = of(text).unwrap_err();
            assert!(failure.exit == Exit::Usage && failure.sentence.contains(part), "{text:?}: {failure}");
            assert!(!failure.sentence.contains(text), "{failure}");
        }
        assert!(of(&least).is_ok());
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert_eq!(password(Some(&path), &alice).unwrap_err().exit, Exit::Failed);
    }

    #[test]
    fn a_passphrase_of_the_realms_keys_is_not_read_from_a_file_that_others_can_read() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("passphrase");
        write_file(&path, b"four words").unwrap();
        assert_eq!(*careful_passphrase(Some(&path), Path::new("key")).unwrap(), b"four words");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        for refused in
            [careful_passphrase(Some(&path), Path::new("key")), new_passphrase(Some(&path), Path::new("key"))]
        {
            let failure = refused.unwrap_err();
            assert!(failure.exit == Exit::Failed && failure.sentence.contains("run chmod 600"), "{failure}");
        }
    }
}
