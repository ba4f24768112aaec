//! Decides how arguments are read: what both programs have in common, with one sentence and exit code 2 for a wrong one.

use std::env;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;

use crate::exit::{Failure, lost_output};

/// Reads this process's arguments; `None` if they asked for help or the version, which has been printed.
pub fn parse<A: Parser>() -> Result<Option<A>, Failure> {
    match A::try_parse() {
        Ok(args) => Ok(Some(args)),
        Err(error) if error.use_stderr() => Err(Failure::usage(sentence(&error))),
        Err(help) => {
            let mut stdout = io::stdout().lock();
            write!(stdout, "{}", help.render()).and_then(|()| stdout.flush()).map_err(|error| lost_output(&error))?;
            Ok(None)
        }
    }
}

/// What clap says over several lines, as one: its first paragraph, without the lead that [`crate::exit::end`] gives.
fn sentence(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let words = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = words.strip_prefix("error: ").unwrap_or(&words);
    format!("{words} (--help shows what there is)")
}

/// The folder of `program` where none is named: in the person's data folder (XDG base directories).
pub fn default_data_dir(program: &str) -> Result<PathBuf, Failure> {
    let folder = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")));
    match data {
        Some(data) => Ok(data.join("countersign").join(program)),
        None => Err(Failure::usage("neither XDG_DATA_HOME nor HOME names a folder: choose one with --data-dir")),
    }
}

/// How this program's companion `program` is called from the shell that started us: through cargo if we were.
pub fn command_line(program: &str) -> String {
    // Cargo sets it for what it runs.
    if env::var_os("CARGO").is_some() { format!("cargo run -p net --bin {program} --") } else { program.to_owned() }
}

/// A path as one word of a shell's command line, so that the advised command can be pasted.
#[derive(Clone, Copy, Debug)]
pub struct ShellWord<'a>(pub &'a Path);

impl fmt::Display for ShellWord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.display().to_string();
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,".contains(c);
        // A leading hyphen would be taken for an option.
        let lead = if path.starts_with('-') { "./" } else { "" };
        if path.chars().all(plain) {
            write!(f, "{lead}{path}")
        } else {
            write!(f, "'{lead}{}'", path.replace('\'', r"'\''"))
        }
    }
}

/// Reads a length of time: a whole number and `s`, `m`, `h` or `d`.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    const FORM: &str = "write a number and s, m, h or d, for example 24h";
    let unit = text.chars().next_back().ok_or(FORM)?;
    let seconds_each = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(FORM),
    };
    let digits = text.strip_suffix(unit).unwrap_or_default();
    // `parse` would take a sign as well.
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(FORM);
    }
    let seconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds_each));
    seconds.map(Duration::from_secs).ok_or("that is longer than can be counted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_a_number_and_a_unit() {
        let day = Duration::from_secs(24 * 60 * 60);
        for (text, expected) in
            [("90s", Duration::from_secs(90)), ("1440m", day), ("24h", day), ("1d", day), ("0s", Duration::ZERO)]
        {
            assert_eq!(duration(text), Ok(expected), "{text}");
        }
        for text in ["", "h", "24", "24H", "-1h", "+1h", "1.5h", "1 h", "1w", "h1", "１h", "1ħ", "24h "] {
            assert!(duration(text).is_err_and(|why| why.contains("for example")), "{text}");
        }
        for text in ["99999999999999999999s", "18446744073709551615d"] {
            assert!(duration(text).is_err_and(|why| why.contains("longer")), "{text}");
        }
    }

    #[test]
    fn an_advised_command_survives_odd_names() {
        for (name, word) in
            [("/srv/chat", "/srv/chat"), ("/srv/$HOME", "'/srv/$HOME'"), ("it's", r"'it'\''s'"), ("-rf", "./-rf")]
        {
            assert_eq!(ShellWord(Path::new(name)).to_string(), word);
        }
    }

    #[test]
    fn a_wrong_argument_is_one_sentence_whatever_clap_would_print() {
        #[derive(Debug, Parser)]
        struct Args {
            #[arg(long)]
            number: u8,
            file: PathBuf,
        }
        for wrong in
            [&["x"][..], &["x", "--number", "no", "f"], &["x", "--nubmer=1"], &["x", "--number", "1", "a\nb", "c"]]
        {
            let text = sentence(&Args::try_parse_from(wrong).expect_err("wrong arguments"));
            assert!(!text.contains('\n') && !text.starts_with("error"), "{text}");
            assert!(text.ends_with("(--help shows what there is)"), "{text}");
        }
    }
}
