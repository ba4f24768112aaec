//! Decides how the log looks: one line an event on stderr, in which nothing can steer a terminal or forge a second line.
//!
//! ```text
//! 2026-11-21T14:03:01.123456Z  INFO admitted device=laptop.alice conn=3
//! ```
//!
//! What others sent may be part of a field, so the text of every field passes through [`Plain`]. There is colour only
//! where stderr is a terminal.

use std::fmt::{self, Write};
use std::io::{self, IsTerminal};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::exit::{Failure, Plain};

/// The environment variable that says what is logged: `warn`, `debug`, `net=trace` ...; without it, `info`.
pub const LEVEL_VARIABLE: &str = "COUNTERSIGN_LOG";

/// Starts the log of this process on stderr.
///
/// # Panics
/// If it was started before.
pub fn start() -> Result<(), Failure> {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .with_env_var(LEVEL_VARIABLE)
        .from_env()
        .map_err(|error| Failure::usage(format_args!("{LEVEL_VARIABLE} can't be read ({error}): try info or debug")))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        // It would be told on stderr, which has just failed, by a call that panics then.
        .log_internal_errors(false)
        .event_format(OneLine)
        .finish();
    tracing::subscriber::set_global_default(subscriber).expect("the log is started once");
    Ok(())
}

/// Time, level, message, fields.
struct OneLine;

impl<S, N> FormatEvent<S, N> for OneLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = Line::default();
        event.record(&mut line);
        SystemTime.format_time(&mut writer)?;
        let level = *event.metadata().level();
        if writer.has_ansi_escapes() {
            write!(writer, " {}{level:>5}\u{1b}[0m", colour(level))?;
        } else {
            write!(writer, " {level:>5}")?;
        }
        writeln!(writer, " {}{}", line.message, line.fields)
    }
}

fn colour(level: Level) -> &'static str {
    if level == Level::ERROR {
        "\u{1b}[31m"
    } else if level == Level::WARN {
        "\u{1b}[33m"
    } else {
        "\u{1b}[2m"
    }
}

/// An event's message and its fields, already plain.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Line {
    fn add(&mut self, field: &Field, value: &str) {
        // Writing to a string can't fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{}", Plain(value))
        } else if value.is_empty() || value.contains([' ', '"', '=']) {
            write!(self.fields, " {}=\"{}\"", field.name(), Plain(&value.replace('"', "'")))
        } else {
            write!(self.fields, " {}={}", field.name(), Plain(value))
        };
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What `log` writes, without the time.
    fn logged(ansi: bool, log: impl FnOnce()) -> String {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(ansi)
            .with_writer(move || Sink(Arc::clone(&sink)))
            .event_format(OneLine)
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let text = String::from_utf8(bytes.lock().unwrap().clone()).unwrap();
        let (time, rest) = text.split_once(' ').unwrap();
        assert!(time.ends_with('Z'), "{time}");
        rest.to_owned()
    }

    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_one_line_of_level_message_and_fields() {
        let line = logged(false, || tracing::info!(device = %"laptop.alice", conn = 3, why = "left early", "closed"));
        assert_eq!(line, " INFO closed device=laptop.alice conn=3 why=\"left early\"\n");
    }

    #[test]
    fn what_others_sent_neither_steers_the_terminal_nor_begins_a_line() {
        for ansi in [false, true] {
            let hostile = "x\u{1b}[2J\n2026 ERROR forged";
            let line = logged(ansi, || tracing::warn!(from = hostile, debugged = ?hostile, "{hostile}"));
            let ours = if ansi { 2 } else { 0 };
            assert_eq!(line.matches('\u{1b}').count(), ours, "{line:?}");
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            assert_eq!(line.matches("\\u{1b}").count(), 3, "{line:?}");
        }
    }
}
