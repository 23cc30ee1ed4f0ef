//! The calls of one class that wait for a slot, first come first served.
//!
//! A place is given up by leaving; those behind move up. A caller that stops looking at its place (a future that is kept but not polled)
//! holds the others up until its own `until` at the longest: then it counts as gone.

use std::collections::VecDeque;

use tokio::time::Instant;

/// Names one place in line; later tickets are larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Waiting {
    ticket: Ticket,
    until: Instant,
}

/// A bounded queue of tickets.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    waiting: VecDeque<Waiting>,
    next: u64,
    bound: usize,
}

impl Line {
    pub(super) const fn new(bound: usize) -> Self {
        Self { waiting: VecDeque::new(), next: 0, bound }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.bound
    }

    /// Until when the first in line is good for, if there is one.
    pub(super) fn first(&self) -> Option<Instant> {
        self.waiting.front().map(|first| first.until)
    }

    /// Takes the last place.
    pub(super) fn join(&mut self, until: Instant) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.waiting.push_back(Waiting { ticket, until });
        ticket
    }

    /// How many are ahead, and until when the ticket is good; nothing if it is not in line any more.
    pub(super) fn place(&self, ticket: Ticket) -> Option<(usize, Instant)> {
        let ahead = self.position(ticket)?;
        Some((ahead, self.waiting[ahead].until))
    }

    /// Gives a place up; does nothing if it is gone.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        if let Some(position) = self.position(ticket) {
            self.waiting.remove(position);
        }
    }

    /// Forgets whose time is past.
    pub(super) fn expire(&mut self, now: Instant) {
        self.waiting.retain(|waiting| now <= waiting.until);
    }

    fn position(&self, ticket: Ticket) -> Option<usize> {
        self.waiting.binary_search_by_key(&ticket, |waiting| waiting.ticket).ok()
    }
}
