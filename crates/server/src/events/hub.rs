//! What is new, read once for all who listen.

use api::extension::events::told;
use model::{Layout, RunId, Vmid};
use record::events::{self, Cursor, Filter, Heard};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::ControlFlow::Continue;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use tokio::sync::{broadcast, watch};

/// Events that are kept for who comes to take them. Who is further behind reads the ledgers.
const KEPT: usize = 256;

/// Something that was heard.
#[derive(Debug)]
pub(super) struct News {
    /// Counts up with each.
    pub(super) number: u64,
    pub(super) heard: Heard,
    /// What is told of it, as JSON.
    pub(super) text: String,
}

/// What a listener gets.
pub(super) struct Listening {
    /// The place from which on it hears everything.
    pub(super) at: Cursor,
    pub(super) news: broadcast::Receiver<Arc<News>>,
}

/// Reads the ledgers as long as somebody may listen, from the first listener on.
pub(super) struct Hub {
    layout: Layout,
    reader: Arc<Mutex<Option<Reader>>>,
    number: Arc<AtomicU64>,
}

/// The thread that reads.
struct Reader {
    news: broadcast::Sender<Arc<News>>,
    at: Cursor,
    /// Whose the runs are that the place knows.
    guests: BTreeMap<RunId, Vmid>,
    condition: watch::Sender<Condition>,
}

#[derive(Debug, Clone)]
enum Condition {
    /// It is still going over what was there before.
    Begins,
    Reads,
    Failed(String),
}

impl Hub {
    pub(super) fn new(layout: Layout) -> Self {
        Self { layout, reader: Arc::default(), number: Arc::default() }
    }

    /// The number of the last news.
    pub(super) fn number(&self) -> Arc<AtomicU64> {
        self.number.clone()
    }

    /// Begins to listen; to what is about a guest, or all.
    ///
    /// # Errors
    /// Why nothing can be heard.
    pub(super) async fn listen(&self, vmid: Option<Vmid>) -> Result<Listening, String> {
        let mut condition = self.begin()?;
        let settled = condition.wait_for(|condition| !matches!(condition, Condition::Begins)).await;
        match settled.as_deref() {
            Ok(Condition::Failed(text)) => return Err(text.clone()),
            Ok(_) => {}
            Err(_) => return Err("the events cannot be read\n".to_owned()),
        }
        drop(settled);
        let reader = lock(&self.reader);
        let reader = reader.as_ref().ok_or("the events cannot be read\n")?;
        let mut at = reader.at.clone();
        if vmid.is_some() {
            at.only(|run| reader.guests.get(run).copied() == vmid);
        }
        Ok(Listening { at, news: reader.news.subscribe() })
    }

    fn begin(&self) -> Result<watch::Receiver<Condition>, String> {
        let mut reader = lock(&self.reader);
        if let Some(reader) = &*reader {
            return Ok(reader.condition.subscribe());
        }
        let (condition, begun) = watch::channel(Condition::Begins);
        let (layout, shared, number) = (self.layout.clone(), self.reader.clone(), self.number.clone());
        let thread = thread::Builder::new().name("events".to_owned());
        let failed = |error| format!("the events cannot be read: {error}\n");
        thread.spawn(move || read(&layout, &shared, &number)).map_err(failed)?;
        let (news, at) = (broadcast::channel(KEPT).0, Cursor::default());
        *reader = Some(Reader { news, at, guests: BTreeMap::new(), condition });
        Ok(begun)
    }
}

fn lock(reader: &Mutex<Option<Reader>>) -> MutexGuard<'_, Option<Reader>> {
    reader.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads for ever, or until it cannot; the next listener has it tried again.
fn read(layout: &Layout, shared: &Mutex<Option<Reader>>, number: &AtomicU64) {
    let done = events::events(layout, None, &Filter::default(), &mut |heard| {
        if let Some(reader) = &mut *lock(shared) {
            reader.hear(heard, number);
        }
        Continue(())
    });
    if let (Err(error), Some(reader)) = (done, lock(shared).take()) {
        let text = format!("the events cannot be read: {error}\n");
        let _ = reader.condition.send(Condition::Failed(text));
    }
}

impl Reader {
    fn hear(&mut self, heard: Heard, number: &AtomicU64) {
        self.at = heard.id().clone();
        if let Heard::Record { run, vmid, .. } = &heard {
            self.guests.insert(run.clone(), *vmid);
        }
        if self.guests.len() > 2 * KEPT {
            self.guests.retain(|run, _| self.at.knows(run));
        }
        if matches!(heard, Heard::Idle { .. }) {
            let begins = |condition: &mut Condition| {
                let begins = matches!(condition, Condition::Begins);
                *condition = Condition::Reads;
                begins
            };
            self.condition.send_if_modified(begins);
            return;
        }
        let text = Value::Object(told(&heard)).to_string();
        let number = number.fetch_add(1, Ordering::SeqCst) + 1;
        // That nobody listens is fine.
        let _ = self.news.send(Arc::new(News { number, heard, text }));
    }
}
