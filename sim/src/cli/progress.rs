//! One line on a terminal that says how far a sweep is; nothing at all where standard error is no terminal.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sim::sweep::Progress;

/// How often the line is written anew.
const PACE: Duration = Duration::from_millis(100);
/// How many characters the bar has.
const BAR: usize = 30;

/// The line.
pub(crate) struct Bar {
    begun: Instant,
    /// How many runs there will be, if that is known.
    total: Option<u64>,
    /// When it was written last; nothing, if nobody would see it.
    last: Mutex<Option<Instant>>,
}

impl Bar {
    /// A line for so many runs, or for nobody knows how many.
    pub(crate) fn new(total: Option<u64>) -> Self {
        let begun = Instant::now();
        Self { begun, total, last: Mutex::new(std::io::stderr().is_terminal().then_some(begun)) }
    }

    /// How long it has been there.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Whether there is somebody to see it.
    pub(crate) fn is_seen(&self) -> bool {
        self.last.lock().is_ok_and(|last| last.is_some())
    }

    /// Shows how far it is, if enough time has passed.
    pub(crate) fn show(&self, progress: Progress) {
        let Ok(mut last) = self.last.lock() else { return };
        if last.is_some_and(|last| last.elapsed() >= PACE) {
            *last = Some(Instant::now());
            let line = line(progress, self.total, self.begun.elapsed());
            let _ = write!(std::io::stderr(), "\r{line}\u{1b}[K");
        }
    }

    /// Takes the line away, so that something else can be written.
    pub(crate) fn clear(&self) {
        let Ok(last) = self.last.lock() else { return };
        if last.is_some() {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }
}

/// What the line says.
fn line(progress: Progress, total: Option<u64>, took: Duration) -> String {
    let Progress { runs, failures, .. } = progress;
    let bar = total.filter(|total| *total > 0).map_or_else(String::new, |total| {
        let full = usize::try_from(u128::from(runs.min(total)) * BAR as u128 / u128::from(total)).unwrap_or(BAR);
        format!("[{}{}] {runs} of {total}, ", "=".repeat(full), " ".repeat(BAR - full))
    });
    format!("{bar}{}, {failures} failed", rates(progress, took))
}

/// How fast it goes.
pub(crate) fn rates(progress: Progress, took: Duration) -> String {
    let seconds = took.as_secs_f64().max(0.001);
    #[allow(clippy::cast_precision_loss, reason = "rates for a person to read")]
    let (runs, hours) = (progress.runs as f64, progress.virtual_us as f64 / 3.6e9);
    format!("{:.1} seeds/s, {:.1} virtual hours a minute", runs / seconds, hours * 60.0 / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_it_is_and_how_fast() {
        let progress = Progress { runs: 50, failures: 2, virtual_us: 7_200_000_000 };
        let bar = format!("[{}{}]", "=".repeat(7), " ".repeat(23));
        let rates = "10.0 seeds/s, 24.0 virtual hours a minute, 2 failed";
        assert_eq!(line(progress, Some(200), Duration::from_secs(5)), format!("{bar} 50 of 200, {rates}"));
        assert_eq!(line(progress, None, Duration::from_secs(5)), rates);
        assert!(line(progress, Some(0), Duration::ZERO).ends_with("2 failed"));
    }
}
