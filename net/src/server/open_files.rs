//! Decides how many connections the system's limit on open files leaves room for: the soft limit is raised to the hard one, and
//! where that is not enough the server holds fewer connections than it was told to, and says so.
//!
//! Each connection is an open file. Where the limit is met first, newcomers wait outside without an answer, members among them;
//! where the machine's own bound is met first, the oldest stranger yields. So the machine's bound is to be the lower one.

use countersign_core::limits::{ACCEPTS_PER_TURN_MAX, CONNECTIONS_MIN};
use countersign_core::server::Settings;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::exit::Failure;

/// Files besides connections: the journal's, the loop's, ports, signals, standard streams, and the operator's visitors, some
/// 40 in all; and the newcomers of one turn, for whom the machine makes room only at its end.
const OTHERS: u64 = 64 + ACCEPTS_PER_TURN_MAX as u64;

/// Raises the limit, and gives the settings that can hold under it.
pub(super) fn make_room(settings: Settings) -> Result<Settings, Failure> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // `None` is no limit, here and below.
    let mut limit = current;
    if current != maximum {
        match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
            Ok(()) => limit = maximum,
            // Some systems call unlimited what they don't grant.
            Err(error) => tracing::debug!(%error, "the limit on open files can't be raised"),
        }
    }
    let Some(limit) = limit else { return Ok(settings) };
    let lowered = within(settings, limit)?;
    if lowered != settings {
        tracing::warn!(
            connections = lowered.connections_max,
            configured = settings.connections_max,
            strangers = lowered.strangers_max,
            limit,
            "fewer connections than configured fit the limit on open files: raise it (ulimit -Hn, or LimitNOFILE= of systemd), or lower limits.connections"
        );
    }
    Ok(lowered)
}

/// The settings with no more connections than this many open files allow, and a share of strangers among them as before.
fn within(settings: Settings, limit: u64) -> Result<Settings, Failure> {
    let room = usize::try_from(limit.saturating_sub(OTHERS)).unwrap_or(usize::MAX);
    if room < CONNECTIONS_MIN {
        return Err(Failure::failed(format_args!(
            "only {limit} files may be open, and the server needs at least {}: raise the limit (ulimit -n)",
            OTHERS + CONNECTIONS_MIN as u64
        )));
    }
    if settings.connections_max <= room {
        return Ok(settings);
    }
    let share = settings.strangers_max.saturating_mul(room) / settings.connections_max;
    Ok(Settings { connections_max: room, strangers_max: share.max(1), ..settings })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stays_and_what_does_not_is_lowered_to_something_sound() {
        let usual = Settings::default();
        assert_eq!(within(usual, 1 << 20), Ok(usual));
        let (connections, limit) = (usual.connections_max, usual.connections_max as u64 + OTHERS);
        assert_eq!(within(usual, limit), Ok(usual));
        let lowered = within(usual, limit - 1).expect("there is room");
        assert_eq!((lowered.connections_max, lowered.strangers_max), (connections - 1, 511));
        for limit in OTHERS + 2..3_000 {
            let lowered = within(usual, limit).expect("there is room");
            assert_eq!(lowered.check(), Ok(()), "{limit}");
            assert_eq!(lowered.connections_max as u64 + OTHERS, limit);
        }
        let crowd = Settings { strangers_max: 512, connections_max: 513, ..usual };
        assert_eq!(within(crowd, OTHERS + 2).map(|lowered| lowered.check()), Ok(Ok(())));
    }

    #[test]
    fn a_limit_that_leaves_room_for_nobody_is_a_sentence() {
        for limit in [0, 10, OTHERS + 1] {
            let failure = within(Settings::default(), limit).expect_err("nobody has room");
            assert!(failure.sentence.contains(&format!("only {limit} files may be open")), "{failure}");
        }
    }
}
