//! Decides what time it is: the only place in the program that reads clocks.
//!
//! Timers go by the monotonic clock, certificates and people by the wall clock, and the two are never
//! crossed: the wall clock may jump when somebody sets it, the monotonic one only goes forward.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use countersign_core::time::{Instant as Mono, Now, Wall};

/// Both clocks of this machine, read together.
///
/// There is one per program, made first thing in `main`, so that the monotonic time of a run starts near 0
/// and a log line's time reads as time since the start.
#[derive(Debug, Clone)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose monotonic time is 0 now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The time now: monotonic since [`Clock::start`], and the civil clock's second.
    ///
    /// The monotonic part never runs backwards. It may stand still while the machine sleeps, so whoever has
    /// to notice a wake must look at the wall part. A wall clock that is set before 1970 reads as 0: every
    /// certificate is then not yet valid, which the check of a certificate says in its own words.
    #[must_use]
    pub fn now(&self) -> Now {
        Now { mono: Mono(0).plus(self.start.elapsed()), wall: wall(SystemTime::now()) }
    }
}

fn wall(time: SystemTime) -> Wall {
    Wall(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn monotonic_time_starts_near_zero_and_never_runs_backwards() {
        let clock = Clock::start();
        let mut before = clock.now().mono;
        assert!(before < Mono(60_000_000), "{before:?} after the start");
        for _ in 0..1_000 {
            let now = clock.now().mono;
            assert!(now >= before);
            before = now;
        }
    }

    #[test]
    fn wall_time_is_whole_seconds_since_1970() {
        assert_eq!(wall(UNIX_EPOCH + Duration::from_millis(86_400_999)), Wall(86_400));
        // 2020: older than this source, so any sane clock is later.
        assert!(Clock::start().now().wall > Wall(1_577_836_800));
    }

    #[test]
    fn a_wall_clock_before_1970_reads_as_zero() {
        assert_eq!(wall(UNIX_EPOCH - Duration::from_secs(1)), Wall(0));
    }
}
