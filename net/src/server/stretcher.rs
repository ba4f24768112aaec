//! Decides where passwords are stretched: on one thread of its own, one after the other, never in the loop.
//!
//! One thread is the bound: however many people sign up, it takes one core and the memory of one computation. What waits for
//! it is bounded by the machine, which asks for so many and no more.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use countersign_core::id::StretchId;
use countersign_core::limits::STRETCHES_PENDING_MAX;
use countersign_core::password::{Stretch, Stretched};
use mio::Waker;

/// The thread, from the loop's side. It ends with what it is asked for last, once this is dropped.
#[derive(Debug)]
pub(super) struct Stretcher {
    requests: SyncSender<(StretchId, Stretch)>,
    results: Receiver<(StretchId, Option<Stretched>)>,
    /// For what could not be asked for.
    failed: Sender<(StretchId, Option<Stretched>)>,
    waker: Arc<Waker>,
}

impl Stretcher {
    /// Starts the thread, which wakes the loop with each result.
    pub(super) fn start(waker: Arc<Waker>) -> io::Result<Self> {
        let (requests, incoming) = sync_channel::<(StretchId, Stretch)>(STRETCHES_PENDING_MAX);
        let (outgoing, results) = channel();
        let (failed, woken) = (outgoing.clone(), Arc::clone(&waker));
        thread::Builder::new().name("passwords".to_owned()).spawn(move || {
            for (id, stretch) in incoming {
                let stretched = stretch.run();
                // The password itself is of no use any more.
                drop(stretch);
                if outgoing.send((id, stretched)).is_err() || woken.wake().is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { requests, results, failed, waker })
    }

    /// Asks for one; there is a result of each.
    pub(super) fn stretch(&self, id: StretchId, stretch: Stretch) {
        if self.requests.try_send((id, stretch)).is_err() {
            tracing::error!("a password can't be looked at: the thread for it has ended or is behind");
            // Both ends of it are ours, and a loop that can't be woken has ended.
            let _ = self.failed.send((id, None));
            let _ = self.waker.wake();
        }
    }

    /// The next result, if there is one.
    pub(super) fn next(&self) -> Option<(StretchId, Option<Stretched>)> {
        self.results.try_recv().ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use std::time::{Duration, Instant};

    use countersign_core::password::{Cost, Password, Verifier};
    use mio::{Events, Poll, Token};

    use super::*;
    use crate::entropy::OsEntropy;

    #[test]
    fn as_many_as_the_machine_asks_for_are_stretched_and_one_beyond_fails_at_once() {
        let mut poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let stretcher = Stretcher::start(waker).unwrap();
        let password = || Password::new(b"four words".to_vec().into());
        let all = u64::try_from(STRETCHES_PENDING_MAX).unwrap() * 4;
        let stretches: Vec<Stretch> =
            (0..all).map(|_| Stretch::new(password(), Cost::STANDARD, &mut OsEntropy)).collect();
        for (id, stretch) in (0..).zip(&stretches) {
            stretcher.stretch(StretchId(id), stretch.clone());
        }
        let (deadline, mut events) = (Instant::now() + Duration::from_secs(120), Events::with_capacity(8));
        let (mut done, mut failed) = (0, 0);
        while done + failed < all {
            match stretcher.next() {
                Some((StretchId(id), Some(stretched))) => {
                    let Stretch { salt, cost, .. } = stretches[usize::try_from(id).unwrap()];
                    let verifier = Verifier::new(salt, cost, &stretched);
                    assert!(verifier.passes(&verifier.stretch(password()).run().unwrap()));
                    done += 1;
                }
                Some((_, None)) => failed += 1,
                None => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    assert!(!left.is_zero(), "the thread did not answer in time");
                    poll.poll(&mut events, Some(left)).unwrap();
                }
            }
        }
        assert!(done >= u64::try_from(STRETCHES_PENDING_MAX).unwrap() && failed > 0, "{done} and {failed}");
    }
}
