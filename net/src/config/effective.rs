//! Decides how the configuration that holds is shown: as TOML that could be a config file, or as one JSON object a key.

use serde_json::{Value, json};

use super::given::Origin;
use super::key::{Entry, Literal};
use crate::exit::Plain;

/// What holds, key by key.
#[derive(Clone, Debug, Default)]
pub struct Effective {
    settled: Vec<Settled>,
}

/// A key's value, and where it comes from.
#[derive(Clone, Debug)]
struct Settled {
    entry: &'static dyn Entry,
    value: Literal,
    origin: Origin,
}

impl Effective {
    /// Writes down what holds for a key.
    pub fn settle(&mut self, entry: &'static dyn Entry, value: Literal, origin: Origin) {
        self.settled.push(Settled { entry, value, origin });
    }

    /// Where the value of a key comes from.
    pub fn origin(&self, name: &str) -> Origin {
        let found = self.settled.iter().find(|settled| settled.entry.name() == name);
        found.map_or(Origin::Default, |settled| settled.origin.clone())
    }

    /// Everything as TOML, each value's origin behind it if that is asked for.
    pub fn to_toml(&self, with_origin: bool) -> Vec<String> {
        let mut lines = Vec::new();
        let mut within = None;
        for Settled { entry, value, origin } in &self.settled {
            let (table, name) = entry.place();
            if table != within {
                lines.extend(table.map(|table| format!("[{table}]")));
                within = table;
            }
            let origin = if with_origin { format!("  # {}", Plain(&origin.to_string())) } else { String::new() };
            lines.push(format!("{name} = {value}{origin}"));
        }
        lines
    }

    /// Everything as JSON, one object a key, with its origin.
    pub fn to_json(&self) -> Vec<Value> {
        let object = |settled: &Settled| {
            let value = match &settled.value {
                Literal::Text(text) => json!(text),
                Literal::Whole(number) => json!(number),
                Literal::List(items) => json!(items),
            };
            let (origin, place) = match &settled.origin {
                Origin::Flag(flag) => ("flag", Some((*flag).to_owned())),
                Origin::Variable(name) => ("environment", Some(name.clone())),
                Origin::File(_) => ("file", Some(settled.origin.to_string())),
                Origin::Default => ("default", None),
            };
            json!({ "key": settled.entry.name(), "value": value, "origin": origin, "place": place })
        };
        self.settled.iter().map(object).collect()
    }
}
