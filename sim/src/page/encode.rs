//! Decides how a page is written: one file with its style, its script and the run in it, and nothing from elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::collector::Collector;
use super::row::{Class, Place, Row};
use super::sight;
use super::stream::Way;
use crate::canary::Sabotage;
use crate::config::SimConfig;

/// The form of the page, with a place for each of the other parts.
const FORM: &str = include_str!("page.html");
/// How it looks.
const STYLE: &str = include_str!("page.css");
/// What it does, in the order in which it is read.
const SCRIPTS: [&str; 5] = [
    include_str!("data.js"),
    include_str!("layout.js"),
    include_str!("draw.js"),
    include_str!("controls.js"),
    include_str!("start.js"),
];

/// What there is to say of a run besides what happened.
#[derive(Debug)]
pub struct Frame<'a> {
    /// What it was like.
    pub config: &'a SimConfig,
    /// Who watched.
    pub oracles: &'a [&'static str],
    /// Who sabotaged it.
    pub sabotage: Option<Sabotage>,
    /// The hash over all that happened.
    pub hash: String,
    /// How many steps it has.
    pub steps: u64,
    /// How long it was, in microseconds of the world.
    pub virtual_us: u64,
}

/// The page of a run.
pub fn page(frame: &Frame<'_>, mut collected: Collector) -> String {
    collected.close();
    let title = format!("Countersign: seed {}", frame.config.seed);
    let parts = [("TITLE", title.as_str()), ("STYLE", STYLE), ("SCRIPT", &SCRIPTS.concat())];
    let page = parts.iter().fold(FORM.to_owned(), |page, (name, part)| page.replace(&format!("/*{name}*/"), part));
    // The run comes last: what people say in it is nobody's place for another part.
    page.replace("/*RUN*/", &run(frame, &collected))
}

/// The run as JSON that can stand in a page: no `<` ends or begins anything in it.
fn run(frame: &Frame<'_>, collected: &Collector) -> String {
    let mut strings = Strings::default();
    let kinds: Vec<&'static str> = collected.kinds.iter().copied().chain(["objection"]).collect();
    let rows = list(collected.rows.iter().map(|row| encoded(row, &kinds, &mut strings)));
    let looks = |kind: &str| {
        let seeing = frame.oracles.iter().enumerate().filter(|(_, oracle)| sight::looks(oracle, kind));
        list(seeing.map(|(number, _)| number.to_string()))
    };
    let fail = collected.objection.as_ref().map_or_else(
        || "null".to_owned(),
        |(step, objection)| {
            let (oracle, words) = (text(objection.oracle), text(&objection.words));
            format!("{{\"step\":{step},\"oracle\":{oracle},\"at\":{},\"words\":{words}}}", objection.at_us)
        },
    );
    let mut json = String::from("{");
    let fields = [
        ("seed", frame.config.seed.to_string()),
        ("hash", text(&frame.hash)),
        ("steps", frame.steps.to_string()),
        ("end", frame.virtual_us.to_string()),
        ("sabotage", frame.sabotage.map_or_else(|| "null".to_owned(), |sabotage| text(&format!("{sabotage:?}")))),
        ("config", text(&frame.config.to_string())),
        ("people", list(collected.names.iter().map(|name| text(name)))),
        ("classes", list(Class::ALL.iter().map(|(_, name, words, on)| format!("[\"{name}\",{},{on}]", text(words))))),
        ("ways", list(Way::ALL.iter().map(|(_, name, words)| format!("[\"{name}\",{}]", text(words))))),
        ("oracles", list(frame.oracles.iter().map(|name| text(name)))),
        ("kinds", list(kinds.iter().map(|kind| format!("[{},{}]", text(kind), looks(kind))))),
        ("fail", fail),
        ("left", collected.left_out.to_string()),
        (
            "spans",
            list(collected.spans.iter().map(|span| {
                format!("[{},{},{}]", span.column, span.from_us, span.until_us.unwrap_or(frame.virtual_us))
            })),
        ),
        ("rows", rows),
        ("strings", list(strings.all.iter().map(|string| text(string)))),
    ];
    for (number, (name, value)) in fields.iter().enumerate() {
        let comma = if number > 0 { ",\n" } else { "" };
        write!(json, "{comma}\"{name}\":{value}").expect("a String takes whatever is written to it");
    }
    json.push('}');
    json.replace('<', "\\u003c")
}

/// The texts of the rows, each of which is written once.
#[derive(Default)]
struct Strings {
    all: Vec<String>,
    known: BTreeMap<String, usize>,
}

impl Strings {
    fn number(&mut self, string: &str) -> usize {
        if let Some(number) = self.known.get(string) {
            return *number;
        }
        let number = self.all.len();
        self.all.push(string.to_owned());
        self.known.insert(string.to_owned(), number);
        number
    }
}

/// `[step, at, class, kind, label, detail]`, and where: nothing, a column, two of them, or an arrow with its way and
/// the time at which it left.
fn encoded(row: &Row, kinds: &[&str], strings: &mut Strings) -> String {
    let kind = kinds.iter().position(|kind| *kind == row.kind).unwrap_or(0);
    let (label, detail) = (strings.number(&row.label), strings.number(&row.detail));
    let (step, at_us, class) = (row.step, row.at_us, row.class.number());
    let place = match row.place {
        None => String::new(),
        Some(Place::At(column)) => format!(",{column}"),
        Some(Place::Between(one, other)) => format!(",{one},{other}"),
        Some(Place::Arrow { from, to, sent_us, way }) => format!(",{from},{to},{},{sent_us}", way.number()),
    };
    format!("[{step},{at_us},{class},{kind},{label},{detail}{place}]")
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::Objection;

    #[test]
    fn nothing_that_somebody_says_ends_the_script_in_which_the_run_stands() {
        let words = "</script><script>alert(1)</script><!-- \"/*STYLE*/ \u{2028}";
        let (config, objection) =
            (SimConfig::draw(1), Objection { oracle: "impostor", at_us: 5, words: words.to_owned() });
        let mut collected = Collector::new(Vec::new());
        collected.object(7, &objection);
        let hash = String::new();
        let frame = Frame { config: &config, oracles: &["impostor"], sabotage: None, hash, steps: 8, virtual_us: 5 };
        let json = run(&frame, &collected);
        assert!(!json.contains('<'));
        let read: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
        assert_eq!(read["fail"]["words"], words);
        let page = page(&frame, collected);
        assert_eq!(page.matches("</script>").count(), 2);
    }
    #[test]
    fn every_part_of_the_form_that_the_script_asks_for_is_there() {
        let script = SCRIPTS.concat();
        let asked = script.split("by(\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(id, _)| id);
        let missing: Vec<&str> = asked.filter(|id| !FORM.contains(&format!("id=\"{id}\""))).collect();
        assert!(missing.is_empty() && script.len() > 10_000, "{missing:?}");
    }

    #[test]
    fn every_way_has_a_colour_in_the_light_and_in_the_dark() {
        for (_, name, _) in Way::ALL {
            assert_eq!(STYLE.matches(&format!("--{name}: #")).count(), 2, "{name}");
        }
    }
}
