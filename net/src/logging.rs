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

use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::kinds::Choice;
use crate::exit::{Failure, Plain};

/// How a program logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logging {
    /// What: `warn`, `debug`, `info,net=trace` ...
    pub filter: String,
    /// In which form.
    pub format: Format,
}

/// In which form the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Format {
    /// The forms, by the words of the configuration.
    pub const CHOICE: Choice<Self> = Choice(&[("text", Self::Text), ("json", Self::Json)]);
}

/// Starts the log of this process on stderr.
///
/// # Panics
/// If it was started before.
pub fn start(logging: &Logging) -> Result<(), Failure> {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::OFF.into())
        .parse(&logging.filter)
        .map_err(|error| Failure::usage(format_args!("log.level can't be read ({error}): try info or debug")))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        // It would be told on stderr, which has just failed, by a call that panics then.
        .log_internal_errors(false);
    let started = match logging.format {
        Format::Text => tracing::subscriber::set_global_default(builder.event_format(OneLine).finish()),
        Format::Json => tracing::subscriber::set_global_default(builder.event_format(OneObject).finish()),
    };
    started.expect("the log is started once");
    Ok(())
}

/// Time, level, message and fields as one JSON object. Its strings escape whatever could steer a terminal.
struct OneObject;

impl<S, N> FormatEvent<S, N> for OneObject
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut object = Object::default();
        event.record(&mut object);
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let level = event.metadata().level().as_str();
        writeln!(
            writer,
            "{}",
            json!({ "time": time, "level": level, "message": object.message, "fields": object.fields })
        )
    }
}

/// An event's message and its fields, already plain.
#[derive(Default)]
struct Object {
    message: String,
    fields: serde_json::Map<String, Value>,
}

impl Object {
    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => drop(self.fields.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Object {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, json!(Plain(value).to_string()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, json!(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, json!(Plain(&format!("{value:?}")).to_string()));
    }
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

    use tracing_subscriber::Registry;
    use tracing_subscriber::fmt::format::DefaultFields;

    use super::*;

    /// What `log` writes in a form.
    fn written<F>(ansi: bool, form: F, log: impl FnOnce()) -> String
    where
        F: FormatEvent<Registry, DefaultFields> + Send + Sync + 'static,
    {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(ansi)
            .with_writer(move || Sink(Arc::clone(&sink)))
            .event_format(form)
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = bytes.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    /// What `log` writes, without the time.
    fn logged(ansi: bool, log: impl FnOnce()) -> String {
        let text = written(ansi, OneLine, log);
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

    #[test]
    fn an_event_in_json_is_one_object_in_which_nothing_steers_a_terminal() {
        let hostile = "x\u{1b}[2J\n2026 \"ERROR\" \u{202e}forged";
        let text = written(true, OneObject, || {
            tracing::warn!(from = hostile, debugged = ?hostile, conn = 3_u64, less = -3, yes = true, "{hostile}");
        });
        assert!(text.ends_with('\n') && text.matches('\n').count() == 1, "{text:?}");
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
        let object: Value = serde_json::from_str(&text).unwrap();
        assert!(object["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{object}");
        assert_eq!((&object["level"], &object["fields"]["conn"]), (&json!("WARN"), &json!(3)));
        assert_eq!((&object["fields"]["less"], &object["fields"]["yes"]), (&json!(-3), &json!(true)));
        assert_eq!(object["message"], "x\\u{1b}[2J\\n2026 \"ERROR\" \\u{202e}forged");
        assert_eq!(object["fields"]["from"], object["message"]);
    }
}
