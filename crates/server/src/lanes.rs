//! Turns for calls: what hangs, or is called by many, takes no more than its share of the threads.
//!
//! A call takes a place on its resource's lane, then on its method's, then on the one of all: who waits in a narrow lane
//! holds nothing of a wide one. The place is given back when the call's thread is done with it, whoever still waits for
//! the answer.

use crate::answer::Failure;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Calls of one method on one of its resources, as the status of a guest.
const PER_RESOURCE: usize = 4;

/// Calls of one method.
const PER_METHOD: usize = 16;

/// Calls in all.
const ALL: usize = 112;

/// Threads: those of the lanes, and some that look at credentials.
pub(crate) const THREADS: usize = ALL + 16;

/// How long a call may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many lanes are remembered before those that nobody uses are forgotten.
const KEPT: usize = 1024;

/// All lanes.
pub(crate) struct Lanes {
    all: Arc<Semaphore>,
    lanes: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// A call's places, for as long as this lives.
pub(crate) struct Turn {
    _all: OwnedSemaphorePermit,
    _narrow: [Place; 2],
}

struct Place {
    _permit: OwnedSemaphorePermit,
    _lane: Arc<Semaphore>,
}

impl Lanes {
    pub(crate) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(ALL)), lanes: Mutex::default() }
    }

    /// Waits for a turn for a call of this method, which is its template and verb, on this path.
    ///
    /// # Errors
    /// Where too many go on for too long.
    pub(crate) async fn turn(&self, method: &str, path: &str) -> Result<Turn, Failure> {
        let busy = |_| Failure::new(500, format!("got timeout: too many calls of '{method}' are under way"));
        timeout(PATIENCE, self.take(method, path)).await.map_err(busy)
    }

    async fn take(&self, method: &str, path: &str) -> Turn {
        let width = if method.contains('{') { PER_RESOURCE } else { PER_METHOD };
        let resource = place(self.lane(&format!("{method} {path}"), width)).await;
        let method = place(self.lane(method, PER_METHOD)).await;
        Turn { _all: permit(&self.all).await, _narrow: [resource, method] }
    }

    fn lane(&self, name: &str, width: usize) -> Arc<Semaphore> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(name).and_then(Weak::upgrade) {
            return lane;
        }
        if lanes.len() >= KEPT {
            lanes.retain(|_, lane| lane.strong_count() > 0);
        }
        let lane = Arc::new(Semaphore::new(width));
        lanes.insert(name.to_owned(), Arc::downgrade(&lane));
        lane
    }
}

async fn place(lane: Arc<Semaphore>) -> Place {
    Place { _permit: permit(&lane).await, _lane: lane }
}

async fn permit(lane: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    lane.clone().acquire_owned().await.expect("no lane is ever closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Polls once: whether a turn is had at once.
    async fn at_once(lanes: &Lanes, method: &str, path: &str) -> Option<Turn> {
        tokio::select! { biased; turn = lanes.take(method, path) => Some(turn), () = std::future::ready(()) => None }
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test);
    }

    #[test]
    fn what_hangs_leaves_room_for_the_others() {
        run(async {
            let lanes = Lanes::new();
            let mut held = Vec::new();
            while let Some(turn) = at_once(&lanes, "GET /a/{x}", "/a/1").await {
                held.push(turn);
            }
            assert_eq!(held.len(), PER_RESOURCE);
            for index in 2.. {
                let Some(turn) = at_once(&lanes, "GET /a/{x}", &format!("/a/{index}")).await else { break };
                held.push(turn);
            }
            assert_eq!(held.len(), PER_METHOD);
            assert!(at_once(&lanes, "GET /b", "/b").await.is_some());
            held.pop();
            assert!(at_once(&lanes, "GET /a/{x}", "/a/99").await.is_some());
        });
    }

    #[test]
    fn lanes_that_nobody_uses_are_forgotten() {
        run(async {
            let lanes = Lanes::new();
            for index in 0..3 * KEPT {
                drop(lanes.take("GET /a/{x}", &format!("/a/{index}")).await);
            }
            assert!(lanes.lanes.lock().unwrap().len() <= KEPT + 1);
        });
    }
}
