//! The quota: requests per sliding second and address, and the block for those who keep breaking it.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

const WINDOW: Duration = Duration::from_secs(1);
/// How long a breach is held against an address.
const MEMORY: Duration = Duration::from_mins(1);

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is within the quota.
    Admitted,
    /// It is not; a slot is free after this time.
    Limited(Duration),
    /// Its address is blocked.
    Blocked,
}

/// What each address has used.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    clients: HashMap<IpAddr, Client>,
}

#[derive(Debug, Default)]
struct Client {
    admitted: VecDeque<Instant>,
    breaches: VecDeque<Instant>,
    is_blocked: bool,
}

impl Limiter {
    /// Decides on a request that arrives now. Refused ones use no slot.
    pub(super) fn admit(
        &mut self,
        from: IpAddr,
        now: Instant,
        rate: Option<u32>,
        block_after: Option<u32>,
    ) -> Admission {
        let client = self.clients.entry(from).or_default();
        if client.is_blocked {
            return Admission::Blocked;
        }
        forget(&mut client.admitted, now, WINDOW);
        forget(&mut client.breaches, now, MEMORY);
        match rate {
            Some(rate) if client.admitted.len() >= rate as usize => client.breach(now, block_after),
            _ => {
                client.admitted.push_back(now);
                Admission::Admitted
            }
        }
    }

    /// Blocks an address.
    pub(super) fn block(&mut self, from: IpAddr) {
        self.clients.entry(from).or_default().is_blocked = true;
    }

    /// Lifts every block, as the vendor's support would, and forgets every breach.
    pub(super) fn forgive(&mut self) {
        self.clients.clear();
    }
}

impl Client {
    fn breach(&mut self, now: Instant, block_after: Option<u32>) -> Admission {
        self.breaches.push_back(now);
        self.is_blocked = block_after.is_some_and(|most| self.breaches.len() > most as usize);
        let oldest = self.admitted.front().copied().unwrap_or(now);
        Admission::Limited((oldest + WINDOW).saturating_duration_since(now))
    }
}

fn forget(times: &mut VecDeque<Instant>, now: Instant, after: Duration) {
    while times.front().is_some_and(|&at| now.duration_since(at) >= after) {
        times.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn the_eighth_request_within_a_second_is_refused_and_the_window_slides() {
        let (start, mut limiter) = (Instant::now(), Limiter::default());
        let mut at = |millis| limiter.admit(HERE, start + Duration::from_millis(millis), Some(7), None);
        for millis in 0..7 {
            assert_eq!(at(millis * 100), Admission::Admitted);
        }
        assert_eq!(at(700), Admission::Limited(Duration::from_millis(300)));
        assert_eq!(at(1000), Admission::Admitted);
        assert_eq!(at(1001), Admission::Limited(Duration::from_millis(99)));
    }

    #[test]
    fn repeated_breaches_block_the_address_until_forgiven() {
        let (start, mut limiter) = (Instant::now(), Limiter::default());
        for _ in 0..4 {
            limiter.admit(HERE, start, Some(1), Some(2));
        }
        let later = start + Duration::from_hours(1);
        assert_eq!(limiter.admit(HERE, later, Some(1), Some(2)), Admission::Blocked);
        limiter.forgive();
        assert_eq!(limiter.admit(HERE, later, Some(1), Some(2)), Admission::Admitted);
    }

    #[test]
    fn addresses_do_not_share_a_quota() {
        let (now, mut limiter) = (Instant::now(), Limiter::default());
        let there = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        assert_eq!(limiter.admit(HERE, now, Some(1), None), Admission::Admitted);
        assert_eq!(limiter.admit(there, now, Some(1), None), Admission::Admitted);
    }
}
