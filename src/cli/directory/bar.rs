//! How far a transfer is, on one line of a terminal; nothing elsewhere, where the log tells.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use tokio::time::Instant;

use crate::directory::Status;

/// The line.
#[derive(Debug)]
pub(super) struct Bar {
    is_shown: bool,
    began: Instant,
}

impl Bar {
    const WIDTH: usize = 30;

    pub(super) fn new() -> Self {
        Self { is_shown: io::stderr().is_terminal(), began: Instant::now() }
    }

    pub(super) fn show(&mut self, status: &Status) {
        if !self.is_shown {
            return;
        }
        let line = Self::line(status, self.began.elapsed());
        // A terminal that is gone is no reason to stop.
        let _ = write!(io::stderr(), "\r\x1b[K{line}").and_then(|()| io::stderr().flush());
    }

    fn line(status: &Status, passed: Duration) -> String {
        let percent = usize::from(status.percent.unwrap_or(if status.complete { 100 } else { 0 }));
        let done = "#".repeat(percent * Self::WIDTH / 100);
        let left = match percent {
            1..100 => format!(", about {} s left", passed.as_secs() as usize * (100 - percent) / percent),
            _ => String::new(),
        };
        let Status { contacts, leads, .. } = status;
        format!("[{done:-<width$}] {percent:>3} %  {contacts} contacts, {leads} leads{left}", width = Self::WIDTH)
    }

    pub(super) fn clear(&self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(percent: Option<u8>, complete: bool) -> Status {
        Status {
            contacts: 52_000,
            leads: 61_000,
            wanted: 0,
            complete,
            percent,
            lag: None,
            events_hidden: false,
            is_leader: None,
            trouble: None,
            bytes_on_disk: 0,
        }
    }

    #[test]
    fn the_bar_tells_how_far_it_is_and_how_long_it_takes() {
        assert_eq!(
            Bar::line(&status(Some(50), false), Duration::from_secs(100)),
            "[###############---------------]  50 %  52000 contacts, 61000 leads, about 100 s left"
        );
        assert_eq!(
            Bar::line(&status(None, true), Duration::from_secs(200)),
            "[##############################] 100 %  52000 contacts, 61000 leads"
        );
    }
}
