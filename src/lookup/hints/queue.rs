//! Webhooks' bodies that wait to be read, in their order and within a bound.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// What a waiting body costs beside its bytes.
const OVERHEAD: usize = 256;

/// The queue. Personal data: it has no `Debug` form.
pub(super) struct Queue {
    bound: usize,
    waiting: Mutex<Waiting>,
    pushed: Notify,
}

#[derive(Default)]
struct Waiting {
    bodies: VecDeque<Bytes>,
    bytes: usize,
    overflowed: bool,
}

/// What is to be done next.
#[derive(PartialEq, Eq)]
pub(super) enum Next {
    /// Read this.
    Body(Bytes),
    /// Some did not fit.
    Overflow,
}

impl Queue {
    /// A queue of so many bytes, a little for each body included.
    pub(super) fn new(bound: usize) -> Self {
        Self { bound, waiting: Mutex::default(), pushed: Notify::new() }
    }

    /// Adds a body; tells whether it fitted.
    pub(super) fn push(&self, body: Bytes) -> bool {
        let mut waiting = self.waiting();
        let bytes = waiting.bytes + body.len() + OVERHEAD;
        let fits = bytes <= self.bound;
        if fits {
            waiting.bytes = bytes;
            waiting.bodies.push_back(body);
        } else {
            waiting.overflowed = true;
        }
        drop(waiting);
        self.pushed.notify_one();
        fits
    }

    /// The next thing to do. An overflow comes first and once: it covers everything that came before it.
    pub(super) fn pop(&self) -> Option<Next> {
        let mut waiting = self.waiting();
        if std::mem::take(&mut waiting.overflowed) {
            return Some(Next::Overflow);
        }
        let body = waiting.bodies.pop_front()?;
        waiting.bytes -= body.len() + OVERHEAD;
        Some(Next::Body(body))
    }

    /// Until something has been pushed since the last time.
    pub(super) async fn pushed(&self) {
        self.pushed.notified().await;
    }

    /// Lets the worker look again.
    pub(super) fn wake(&self) {
        self.pushed.notify_one();
    }

    /// Nothing panics while it holds the lock.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    fn next(queue: &Queue) -> Option<&'static str> {
        queue.pop().map(|next| match next {
            Next::Overflow => "overflow",
            Next::Body(bytes) if bytes == "one" => "one",
            Next::Body(bytes) if bytes == "two" => "two",
            Next::Body(_) => "another",
        })
    }

    #[test]
    fn bodies_come_in_their_order() {
        let queue = Queue::new(10_000);
        assert!(queue.push(body("one")) && queue.push(body("two")));
        assert_eq!([next(&queue), next(&queue), next(&queue)], [Some("one"), Some("two"), None]);
    }

    #[test]
    fn what_does_not_fit_is_one_overflow_and_makes_room_again() {
        let queue = Queue::new(3 + OVERHEAD);
        assert!(queue.push(body("one")));
        assert!(!queue.push(body("two")) && !queue.push(body("")));
        assert_eq!([next(&queue), next(&queue), next(&queue)], [Some("overflow"), Some("one"), None]);
        assert!(queue.push(body("two")));
        assert_eq!(next(&queue), Some("two"));
    }
}
