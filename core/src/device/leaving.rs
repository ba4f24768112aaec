//! Direct connections that a call is done with: their last bytes go out, and their sockets end or are dropped.

use std::collections::BTreeMap;

use crate::id::ConnId;
use crate::limits::{LINGER_TIME_MAX, PEER_LEAVING_TIME_MAX};
use crate::link::{Link, Step};
use crate::time::{Instant, Now};

/// The connections that are being left.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    by_conn: BTreeMap<ConnId, Left>,
    turned: bool,
}

#[derive(Debug)]
struct Left {
    link: Box<Link>,
    until: Instant,
    /// At the latest then, however slowly its last words are taken.
    by: Instant,
    /// The other end has finished, and may still read what we have to say.
    ended: bool,
}

impl Leaving {
    /// Takes a connection over. It gets a while to end.
    pub(super) fn add(&mut self, conn: ConnId, link: Box<Link>, now: Now) {
        self.by_conn.insert(
            conn,
            Left {
                link,
                until: now.mono.plus(LINGER_TIME_MAX),
                by: now.mono.plus(PEER_LEAVING_TIME_MAX),
                ended: false,
            },
        );
        self.turned = true;
    }

    /// Whether a connection is one of these.
    pub(super) fn has(&self, conn: ConnId) -> bool {
        self.by_conn.contains_key(&conn)
    }

    /// The socket took this many bytes: it gets more time.
    pub(super) fn sent(&mut self, conn: ConnId, n: usize, now: Now) {
        if let Some(left) = self.by_conn.get_mut(&conn) {
            left.link.sent(n);
            left.until = now.mono.plus(LINGER_TIME_MAX).min(left.by).max(left.until);
            self.turned = true;
        }
    }

    /// Its socket has ended for reading.
    pub(super) fn ended(&mut self, conn: ConnId) {
        if let Some(left) = self.by_conn.get_mut(&conn) {
            left.ended = true;
            self.turned = true;
        }
    }

    /// One that both ends are done with; it is to be dropped. Call until there is none.
    pub(super) fn take_done(&mut self) -> Option<ConnId> {
        let done = |left: &Left| left.ended && left.link.waiting() == 0;
        let conn = self.by_conn.iter().find(|(_, left)| done(left)).map(|(conn, _)| *conn)?;
        self.by_conn.remove(&conn);
        Some(conn)
    }

    /// One whose time is over; it is to be dropped. Call until there is none.
    pub(super) fn take_due(&mut self, now: Now) -> Option<ConnId> {
        let conn = self.by_conn.iter().find(|(_, left)| left.until <= now.mono).map(|(conn, _)| *conn)?;
        self.by_conn.remove(&conn);
        Some(conn)
    }

    /// When something is due next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.by_conn.values().map(|left| left.until).min()
    }

    /// What a connection's socket should take.
    pub(super) fn outbound(&self, conn: ConnId) -> &[u8] {
        self.by_conn.get(&conn).map(|left| left.link.outbound()).unwrap_or_default()
    }

    /// What the sockets should do next.
    pub(super) fn steps(&mut self) -> Vec<(ConnId, Step)> {
        if !std::mem::take(&mut self.turned) {
            return Vec::new();
        }
        self.by_conn.iter_mut().filter_map(|(conn, left)| left.link.step().map(|step| (*conn, step))).collect()
    }

    /// Whether every last word is out.
    pub(super) fn is_drained(&self) -> bool {
        self.by_conn.values().all(|left| left.link.waiting() == 0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::{START, Town, env};
    use crate::tls::Dial;

    #[test]
    fn while_last_words_are_taken_there_is_more_time_but_not_without_end() {
        let alice = Town::new().enrol("alice");
        let link = Link::connect(&Dial::relay(&env(), &alice.credentials, &alice.trust));
        let (conn, at) = (ConnId(1), |time| Now { mono: Instant(1).plus(time), wall: START });
        let mut leaving = Leaving::default();
        leaving.add(conn, Box::new(link), at(Duration::ZERO));
        assert_eq!(leaving.next_deadline(), Some(at(LINGER_TIME_MAX).mono));
        for n in 1..=60 {
            leaving.sent(conn, 1, at(Duration::from_secs(n)));
            let until = (Duration::from_secs(n) + LINGER_TIME_MAX).min(PEER_LEAVING_TIME_MAX);
            assert_eq!(leaving.next_deadline(), Some(at(until).mono));
        }
        assert_eq!(leaving.take_due(at(PEER_LEAVING_TIME_MAX)), Some(conn));
    }
}
