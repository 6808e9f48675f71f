//! Turns for calls: what hangs, or is called by many, takes no more than its share of the threads.
//!
//! A call takes a place on its resource's lane, then on its method's, then on the one of all: who waits in a narrow lane
//! holds nothing of a wide one. All that is about one storage is one resource, whatever it is. The place is given back when
//! the call's thread or process is done with it, whoever still waits for the answer.

use crate::answer::Failure;
use crate::events::READERS;
use crate::upload::WRITERS;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Calls of one method on one of its resources, as the status of a guest.
const PER_RESOURCE: usize = 4;

/// Calls of one method.
const PER_METHOD: usize = 16;

/// Calls in all that threads make.
const ALL: usize = 112;

/// Workers that make one call on one resource, that make calls of one method, and that live at the same time.
const WORKERS: Widths = Widths { per_resource: 8, per_method: 128, all: 256 };

/// How many calls there may be at the same time.
#[derive(Debug, Clone, Copy)]
struct Widths {
    per_resource: usize,
    per_method: usize,
    all: usize,
}

/// Threads: those of the lanes, those that read for streams of events or write what is uploaded, and some that look at
/// credentials and bear workers.
pub(crate) const THREADS: usize = ALL + READERS + WRITERS + 16;

/// How long a call may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many lanes are remembered before those that nobody uses are forgotten.
const KEPT: usize = 1024;

/// All lanes.
pub(crate) struct Lanes {
    widths: Widths,
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
    /// Those of calls that threads make.
    pub(crate) fn of_threads() -> Self {
        Self::new(Widths { per_resource: PER_RESOURCE, per_method: PER_METHOD, all: ALL })
    }

    /// Those of calls that workers make.
    pub(crate) fn of_workers() -> Self {
        Self::new(WORKERS)
    }

    fn new(widths: Widths) -> Self {
        Self { widths, all: Arc::new(Semaphore::new(widths.all)), lanes: Mutex::default() }
    }

    /// Waits for a turn for a call of this method, which is its template and verb, on this path.
    ///
    /// # Errors
    /// Where too many go on for too long.
    pub(crate) async fn turn(&self, method: &str, path: &str) -> Result<Turn, Failure> {
        let busy =
            |_| Failure::new(500, format!("got timeout: too many calls of '{method}' are under way\n"));
        timeout(PATIENCE, self.take(method, path)).await.map_err(busy)
    }

    async fn take(&self, method: &str, path: &str) -> Turn {
        let Widths { per_resource, per_method, .. } = self.widths;
        let resource = match storage(method, path) {
            Some(storage) => self.lane(&format!("storage {storage}"), per_resource),
            None if method.contains("{vmid}") => self.lane(&format!("{method} {path}"), per_resource),
            None => self.lane(&format!("{method} {path}"), per_method),
        };
        let resource = place(resource).await;
        let method = place(self.lane(method, per_method)).await;
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

/// The storage that a path of `/nodes/{node}/storage/{storage}/…` is about.
fn storage<'a>(method: &str, path: &'a str) -> Option<&'a str> {
    // That of `/storage/{storage}`, which is how one that hangs is switched off, is none of them.
    let at = method.contains(" /nodes/").then(|| method.split('/').position(|part| part == "{storage}"))?;
    path.split('/').nth(at?)
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
            let lanes = Lanes::of_threads();
            let mut held = Vec::new();
            while let Some(turn) = at_once(&lanes, "GET /a/{vmid}", "/a/1").await {
                held.push(turn);
            }
            assert_eq!(held.len(), PER_RESOURCE);
            for index in 2.. {
                let Some(turn) = at_once(&lanes, "GET /a/{vmid}", &format!("/a/{index}")).await else {
                    break;
                };
                held.push(turn);
            }
            assert_eq!(held.len(), PER_METHOD);
            assert!(at_once(&lanes, "GET /b", "/b").await.is_some());
            held.pop();
            assert!(at_once(&lanes, "GET /a/{vmid}", "/a/99").await.is_some());
        });
    }

    #[test]
    fn a_storage_has_one_lane_whatever_is_asked_of_it() {
        run(async {
            let lanes = Lanes::of_threads();
            let (one, all) = (
                "GET /nodes/{node}/storage/{storage}/content/{volume}",
                "GET /nodes/{node}/storage/{storage}/content",
            );
            let mut held = Vec::new();
            for index in 0..PER_RESOURCE {
                held.extend(at_once(&lanes, one, &format!("/nodes/a/storage/nas/content/{index}")).await);
            }
            assert_eq!(held.len(), PER_RESOURCE);
            assert!(at_once(&lanes, all, "/nodes/a/storage/nas/content").await.is_none());
            assert!(at_once(&lanes, all, "/nodes/a/storage/local/content").await.is_some());
        });
    }

    #[test]
    fn lanes_that_nobody_uses_are_forgotten() {
        run(async {
            let lanes = Lanes::of_threads();
            for index in 0..3 * KEPT {
                drop(lanes.take("GET /a/{vmid}", &format!("/a/{index}")).await);
            }
            assert!(lanes.lanes.lock().unwrap().len() <= KEPT + 1);
        });
    }
}
