//! Decides how a frame is shown: the message's own name and fields, as they were decoded.
//!
//! A message is shown by way of its serialised form, so one that is added to a channel is shown too. Bytes are shown
//! by their number: no key, token or nonce gets onto a page.

use countersign_core::wire::enrol::{EnrolEvent, EnrolRequest};
use countersign_core::wire::frame::decode;
use countersign_core::wire::peer::PeerMessage;
use countersign_core::wire::relay::{RelayEvent, RelayRequest};
use countersign_core::wire::{Body, Channel, Code};
use serde_json::Value;

use crate::story::Side;

/// How many characters of a text are shown in full.
const DETAIL_CHARS_MAX: usize = 300;
/// How many characters a label has.
const LABEL_CHARS_MAX: usize = 48;

/// A decoded frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// In a few words.
    pub label: String,
    /// With all its fields.
    pub detail: String,
}

/// Reads a frame that arrives at `to`.
pub fn read(channel: Option<Channel>, to: Side, body: &Body) -> Message {
    let bytes = match body {
        Body::Message(bytes) => bytes,
        Body::Goodbye(code, detail) => {
            let label = format!("Goodbye {}", code_name(code.0));
            let detail = format!("{label}: {code}; detail {detail}");
            return Message { label, detail };
        }
    };
    let value = match (channel, to) {
        (None, _) => None,
        (Some(Channel::Enrol), Side::Listener) => value(decode::<EnrolRequest>(bytes)),
        (Some(Channel::Enrol), Side::Dialler) => value(decode::<EnrolEvent>(bytes)),
        (Some(Channel::Relay), Side::Listener) => value(decode::<RelayRequest>(bytes)),
        (Some(Channel::Relay), Side::Dialler) => value(decode::<RelayEvent>(bytes)),
        (Some(Channel::Peer), _) => value(decode::<PeerMessage>(bytes)),
    };
    value.map_or_else(
        || {
            let label = "a message that can't be read".to_owned();
            let detail = format!("{label}, {} bytes", bytes.len());
            Message { label, detail }
        },
        |value| shown(&value),
    )
}

fn value<M: serde::Serialize, E>(message: Result<M, E>) -> Option<Value> {
    serde_json::to_value(message.ok()?).ok()
}

/// A variant with its fields, as serde writes it: `"Ping"`, or `{"Introduce": {...}}`.
fn shown(value: &Value) -> Message {
    let (name, fields) = match value {
        Value::Object(map) if map.len() == 1 => map.iter().next().map_or(("", &Value::Null), |(k, v)| (k.as_str(), v)),
        Value::String(name) => (name.as_str(), &Value::Null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => ("", value),
    };
    let mut telling = Vec::new();
    tell(fields, &mut telling);
    let label = cut(format!("{name} {}", telling.join(" ")).trim(), LABEL_CHARS_MAX);
    let detail =
        if fields.is_null() { name.to_owned() } else { format!("{name} {}", full("", fields)).trim_end().to_owned() };
    Message { label, detail }
}

/// The fields that tell something at a glance: names, texts, reasons, line numbers.
fn tell(fields: &Value, telling: &mut Vec<String>) {
    let Value::Object(map) = fields else { return };
    for (name, value) in map {
        match (name.as_str(), value) {
            ("code", Value::Number(code)) => telling.push(code_name(small(code))),
            ("n", Value::Number(n)) => telling.push(n.to_string()),
            ("text", Value::String(text)) => telling.push(format!("“{text}”")),
            (_, Value::String(text)) => telling.push(text.clone()),
            ("online", Value::Bool(online)) => telling.push(if *online { "comes" } else { "goes" }.to_owned()),
            (_, Value::Object(name)) => {
                if let Some(Value::String(user)) = name.get("user") {
                    telling.push(user.clone());
                }
            }
            _ => {}
        }
    }
}

/// A value with all that is in it, bytes by their number.
fn full(name: &str, value: &Value) -> String {
    match value {
        Value::Number(code) if name == "code" => {
            format!("{} ({})", small(code), code_name(small(code)))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => format!("“{}”", cut(text, DETAIL_CHARS_MAX)),
        Value::Array(items) if items.len() > 4 && items.iter().all(Value::is_u64) => format!("{} bytes", items.len()),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| full("", item)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
            let shown = map.iter().filter(|(name, value)| !(name.as_str() == "extensions" && empty(value)));
            let fields: Vec<String> = shown.map(|(name, value)| format!("{name}: {}", full(name, value))).collect();
            if fields.is_empty() { String::new() } else { format!("{{ {} }}", fields.join(", ")) }
        }
    }
}

fn small(number: &serde_json::Number) -> u16 {
    number.as_u64().and_then(|number| u16::try_from(number).ok()).unwrap_or(0)
}

fn code_name(number: u16) -> String {
    let known = Code::ALL.iter().find(|(code, _)| code.0 == number);
    known.map_or_else(|| format!("code {number}"), |(_, name)| (*name).to_owned())
}

/// The beginning of a text, and that there is more.
pub fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
    }
}
