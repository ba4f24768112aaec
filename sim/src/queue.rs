//! Decides what happens next: the earliest event, and of those at one time the one that was put in first.
//!
//! A heap alone gives events of one time in an order that depends on its insides. The sequence number makes the
//! order total, so a run does not change with the standard library.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fmt;

/// How many events may wait when nothing else is said. A run of some dozen nodes holds a few thousand; a million is
/// a machine that answers itself for ever, and is better stopped with a clear sentence than by the kernel.
pub const QUEUE_EVENTS_MAX: usize = 1 << 20;

/// Events that wait for their time. Time is any ordered value, by default a count of microseconds.
///
/// Bounded: at most [`QUEUE_EVENTS_MAX`] events, or what [`Queue::bounded`] says.
#[derive(Clone, Debug)]
pub struct Queue<E, T = u64> {
    heap: BinaryHeap<Reverse<Entry<E, T>>>,
    /// The number of the next event. At a billion events a second it lasts for centuries.
    sequence: u64,
    events_max: usize,
    /// The time of the newest event that was taken out: the world's present.
    present: Option<T>,
}

/// Why the queue did not take an event. Both are faults of the world's own code or of a machine that runs away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The bound is reached.
    Full {
        /// The bound.
        events_max: usize,
    },
    /// The event would happen before one that has already happened, and time would run backwards.
    Past,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { events_max } => {
                write!(f, "{events_max} events are waiting, which is the bound")
            }
            Self::Past => f.write_str("the event lies before one that has already happened"),
        }
    }
}

impl std::error::Error for Refused {}

#[derive(Clone, Debug)]
struct Entry<E, T> {
    at: T,
    sequence: u64,
    event: E,
}

impl<E, T: Ord + Copy> Queue<E, T> {
    /// An empty queue with the usual bound.
    pub fn new() -> Self {
        Self::bounded(QUEUE_EVENTS_MAX)
    }

    /// An empty queue that holds at most `events_max` events.
    pub fn bounded(events_max: usize) -> Self {
        Self { heap: BinaryHeap::new(), sequence: 0, events_max, present: None }
    }

    /// Puts `event` in for the time `at`, behind all that already wait for that time.
    ///
    /// The present itself is allowed: such an event still comes after everything that has happened.
    pub fn push(&mut self, at: T, event: E) -> Result<(), Refused> {
        if self.present.is_some_and(|present| at < present) {
            return Err(Refused::Past);
        }
        if self.heap.len() >= self.events_max {
            return Err(Refused::Full { events_max: self.events_max });
        }
        let sequence = self.sequence;
        self.sequence += 1;
        self.heap.push(Reverse(Entry { at, sequence, event }));
        Ok(())
    }

    /// Takes the next event out, with its time, which becomes the present.
    pub fn pop(&mut self) -> Option<(T, E)> {
        let Reverse(Entry { at, event, .. }) = self.heap.pop()?;
        self.present = Some(at);
        Some((at, event))
    }

    /// The time of the next event.
    pub fn peek_time(&self) -> Option<T> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether no event waits.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

impl<E, T: Ord + Copy> Default for Queue<E, T> {
    fn default() -> Self {
        Self::new()
    }
}

// The event takes no part in the order: two entries never share a sequence number, so it would never be asked.
impl<E, T: Ord> Ord for Entry<E, T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at).then_with(|| self.sequence.cmp(&other.sequence))
    }
}

impl<E, T: Ord> PartialOrd for Entry<E, T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E, T: Ord> PartialEq for Entry<E, T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E, T: Ord> Eq for Entry<E, T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Draw, Streams};

    #[test]
    fn the_earliest_event_comes_first() {
        let mut queue = Queue::new();
        for at in [5_u64, 1, 3] {
            queue.push(at, at * 10).expect("room");
        }
        assert_eq!(queue.peek_time(), Some(1));
        assert_eq!(queue.len(), 3);
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, [(1, 10), (3, 30), (5, 50)]);
        assert!(queue.is_empty());
        assert_eq!(queue.peek_time(), None);
    }

    #[test]
    fn events_of_one_time_come_in_the_order_they_were_put_in() {
        let mut queue = Queue::new();
        for event in 0..1_000 {
            queue.push(7_u64, event).expect("room");
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|(_, event)| event).collect();
        assert_eq!(order, (0..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn the_order_is_a_stable_sort_by_time_whatever_is_put_in() {
        for seed in 0..50 {
            let mut rng = Streams::new(seed).stream("queue");
            let mut queue = Queue::new();
            let mut expected = Vec::new();
            for event in 0..rng.below(200) {
                let at = rng.below(10);
                queue.push(at, event).expect("room");
                expected.push((at, event));
            }
            expected.sort_by_key(|(at, _)| *at);
            assert_eq!(std::iter::from_fn(|| queue.pop()).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn the_bound_holds_and_room_comes_back() {
        let mut queue = Queue::bounded(2);
        queue.push(1_u64, 'a').expect("room");
        queue.push(2, 'b').expect("room");
        assert_eq!(queue.push(3, 'c'), Err(Refused::Full { events_max: 2 }));
        assert_eq!(queue.pop(), Some((1, 'a')));
        assert_eq!(queue.push(3, 'c'), Ok(()));
    }

    #[test]
    fn time_does_not_run_backwards() {
        let mut queue = Queue::new();
        queue.push(5_u64, 'a').expect("room");
        queue.pop();
        assert_eq!(queue.push(4, 'b'), Err(Refused::Past));
        assert_eq!(queue.push(5, 'c'), Ok(()));
    }

    #[test]
    fn events_need_no_order_of_their_own() {
        struct Opaque;
        let mut queue: Queue<Opaque, (u64, u8)> = Queue::default();
        queue.push((1, 2), Opaque).expect("room");
        assert_eq!(queue.peek_time(), Some((1, 2)));
    }
}
