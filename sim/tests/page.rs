//! The page of a run: it changes nothing, needs nothing, shows the failing step, and lets nobody write on it.

use std::path::Path;

use serde_json::Value;
use sim::canary::{Canary, Sabotage};
use sim::config::SimConfig;
use sim::oracles::{Oracle, Panel};
use sim::page::{render, render_with};
use sim::run::run;
use sim::story::Seen;
use sim::trace::Keep;

/// A run in which everything happens that a page has to show.
fn config(seed: u64) -> SimConfig {
    SimConfig { devices: 4, storm_s: 30, pace_ms: 500, ..SimConfig::draw(seed) }
}

/// The run that stands in a page.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"run\">").expect("there is a run in it");
    let (json, _) = rest.split_once("</script>").expect("it ends");
    serde_json::from_str(json).expect("it is JSON")
}

fn rows(data: &Value) -> &Vec<Value> {
    data["rows"].as_array().expect("there are rows")
}

/// The labels of all rows of a class.
fn labels(data: &Value, class: &str) -> Vec<String> {
    let classes = data["classes"].as_array().expect("there are classes");
    let number = classes.iter().position(|known| known[0] == class).expect("a class of that name");
    let of = rows(data).iter().filter(|row| row[2] == number);
    of.map(|row| text(data, &row[4])).collect()
}

/// The text of that number.
fn text(data: &Value, number: &Value) -> String {
    let number = number.as_u64().and_then(|number| usize::try_from(number).ok()).expect("a number");
    data["strings"].get(number).and_then(Value::as_str).expect("a text").to_owned()
}

#[test]
fn the_same_seed_gives_the_same_page_and_it_has_the_hash_of_the_run_without_one() {
    for seed in 1..4 {
        let page = render(&config(seed), None);
        assert_eq!(page, render(&config(seed), None));
        let outcome = run(&config(seed), Keep::default());
        assert_eq!(data(&page)["hash"], outcome.hash.as_str());
        assert_eq!(data(&page)["steps"], outcome.steps);
        assert_eq!(data(&page)["fail"], Value::Null);
    }
}

#[test]
fn a_page_needs_nothing_from_anywhere() {
    let page = render(&config(1), None);
    let outside = page.replace(&data_text(&page), "");
    for foreign in ["http:", "https:", "src=", "href=", "@import", "url(", "fetch(", "import(", "XMLHttpRequest", "/*"]
    {
        assert!(!outside.contains(foreign), "there is {foreign} in the page");
    }
    assert!(outside.contains("default-src 'none'"), "the page does not forbid the browser to load anything");
}

fn data_text(page: &str) -> String {
    let (_, rest) = page.split_once("id=\"run\">").expect("there is a run in it");
    rest.split_once("</script>").expect("it ends").0.to_owned()
}

#[test]
fn the_page_of_a_failing_run_opens_at_the_step_at_which_the_oracle_objects() {
    let (config, saboteur) = (SimConfig { crash_mean_ms: 6_000, ..config(3) }, Sabotage::AlterLine);
    let canary = Canary::named("altered-line").expect("it is in the catalogue");
    let outcome = canary.run(&config, Keep::default());
    let objection = outcome.objection.expect("impostor objects to an altered line");
    let page = render(&config, Some((saboteur, "impostor")));
    let data = data(&page);
    assert_eq!(data["fail"]["words"], objection.words.as_str());
    assert_eq!(data["fail"]["at"], objection.at_us);
    assert_eq!(data["oracles"], Value::from(vec!["impostor"]));
    let failing: Vec<&Value> = rows(&data).iter().filter(|row| row[0] == data["fail"]["step"]).collect();
    let [heard, objects] = failing.as_slice() else { panic!("{failing:?} are not what was heard and the objection") };
    assert!(text(&data, &heard[4]).contains("hears line"), "the failing step is not the line that was altered");
    assert_eq!(text(&data, &objects[4]), format!("impostor: {}", objection.words));
    assert_eq!(labels(&data, "objection"), [format!("impostor: {}", objection.words)]);
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("canary.html");
    std::fs::write(kept, page).expect("the folder is there");
}

/// Panics when somebody is told something for the first time.
struct Fragile;

impl Oracle for Fragile {
    fn name(&self) -> &'static str {
        "fragile"
    }

    fn see(&mut self, _: u64, seen: &Seen<'_>) -> Result<(), String> {
        assert!(!matches!(seen, Seen::Told(..)), "somebody was told something");
        Ok(())
    }
}

#[test]
fn the_page_of_a_run_that_panics_shows_how_it_came_to_that() {
    let data = data(&render_with(&config(3), None, Panel::of(vec![Box::new(Fragile)])));
    assert_eq!(data["fail"]["oracle"], "panic");
    assert!(data["fail"]["words"].as_str().is_some_and(|words| words.contains("somebody was told something")));
    let failing: Vec<&Value> = rows(&data).iter().filter(|row| row[0] == data["fail"]["step"]).collect();
    assert!(failing.len() > 1 && rows(&data).len() > 20, "{failing:?}");
}

/// The labels of all arrows of a way: `[step, at, class, kind, label, detail, from, to, way, sent]`.
fn said(data: &Value, way: &str) -> Vec<String> {
    let ways = data["ways"].as_array().expect("there are ways");
    let number = ways.iter().position(|known| known[0] == way).expect("a way of that name");
    let by_it = rows(data).iter().filter(|row| row.get(8).is_some_and(|way| *way == number));
    by_it.map(|row| text(data, &row[4])).collect()
}

#[test]
fn every_frame_of_an_undamaged_run_is_decoded_on_every_way() {
    let data = data(&render(&config(2).without_faults(), None));
    let tls = ["ClientHello", "ServerHello", "CertificateVerify", "Finished"];
    for (way, messages) in [
        ("enrol", &["Welcome", "Enrol ", "Granted", "Goodbye "][..]),
        ("relay", &["Welcome", "Attend", "Here", "Introduce ", "Introduced ", "Accept", "HangUp "]),
        ("tunnel", &["Welcome", "Propose", "Listening", "Line ", "Heard"]),
        ("direct", &["Attach", "Attached", "Line ", "Goodbye "]),
    ] {
        let said = said(&data, way);
        for begins in messages.iter().chain(&tls) {
            assert!(said.iter().any(|label| label.contains(begins)), "there is no {begins} by way of {way}");
        }
        let unread = |label: &&String| {
            ["can't be read", "nobody sealed", "no TLS record"].iter().any(|words| label.contains(words))
        };
        assert_eq!(said.iter().find(unread), None, "by way of {way}");
    }
}
