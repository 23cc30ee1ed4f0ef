//! Callers: each asks again and again, always for somebody new or for one of a few.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::Got;

/// Numbers that nobody has asked for yet, in any test of this process.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Callers that go on until they are told to stop.
pub(crate) struct Load {
    stopped: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    callers: Vec<JoinHandle<()>>,
}

/// What all callers together have seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) answers: usize,
    /// By status.
    pub(crate) failed: Vec<u16>,
    /// No answer at all.
    pub(crate) lost: usize,
    pub(crate) slowest: Duration,
}

/// A number that nobody has asked for.
pub(crate) fn nobody() -> String {
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("+1415{:07}", 2_000_000 + (next * 7_919 + u64::from(std::process::id()) * 31) % 7_999_999)
}

impl Load {
    /// So many callers, each asking in its own way.
    pub(crate) fn start<A, F>(callers: usize, ask: A) -> Self
    where
        A: Fn(usize) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Option<Got>> + Send,
    {
        let (stopped, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Seen::default())));
        let callers = (0..callers)
            .map(|caller| {
                let (stopped, seen, ask) = (Arc::clone(&stopped), Arc::clone(&seen), ask.clone());
                tokio::spawn(async move {
                    while !stopped.load(Ordering::Relaxed) {
                        let got = ask(caller).await;
                        seen.lock().unwrap().note(got);
                        sleep(Duration::from_millis(30)).await;
                    }
                })
            })
            .collect();
        Self { stopped, seen, callers }
    }

    /// Until the last caller has its answer.
    pub(crate) async fn stop(self) -> Seen {
        self.stopped.store(true, Ordering::Relaxed);
        for caller in self.callers {
            caller.await.unwrap();
        }
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

impl Seen {
    fn note(&mut self, got: Option<Got>) {
        match got {
            Some(got) => {
                self.answers += 1;
                self.slowest = self.slowest.max(got.took);
                if got.status != 200 {
                    self.failed.push(got.status);
                }
            }
            None => self.lost += 1,
        }
    }
}
