//! Catches the panic of a run, with its words and its place, and lets whatever else runs go on.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

/// A panic of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    /// What it said.
    pub words: String,
    /// Where in the source it was: file, line, column.
    pub place: String,
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panic: {} at {}", self.words, self.place)
    }
}

thread_local! {
    /// On a thread that runs something here: where its newest panic was, nowhere yet.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Does something, and catches its panic, which is remembered instead of printed. Those of all other threads go on as
/// before.
///
/// What the panic leaves half done is the caller's to judge.
pub fn catch<T>(what: impl FnOnce() -> T) -> Result<T, Panic> {
    remember_places();
    PLACE.set(Some(String::new()));
    let result = panic::catch_unwind(AssertUnwindSafe(what));
    let place = PLACE.take().unwrap_or_default();
    result.map_err(|payload| Panic { words: words(&*payload), place })
}

fn remember_places() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
            let running = PLACE.with_borrow_mut(|kept| kept.as_mut().map(|kept| *kept = place).is_some());
            if !running {
                before(info);
            }
        }));
    });
}

/// What a panic said, in one line.
fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no words".to_owned());
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_with_its_words_and_its_place_and_the_next_one_with_its_own() {
        let first = catch(|| panic!("one\n  thing")).expect_err("it panics");
        let second = catch(|| assert_eq!(1, 2)).expect_err("it panics");
        assert_eq!(first.words, "one thing");
        assert!(first.place.contains("caught.rs:") && second.place.contains("caught.rs:"), "{first} {second}");
        assert_ne!(first.place, second.place);
        assert_eq!(catch(|| 3), Ok(3));
    }
}
