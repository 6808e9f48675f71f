//! Everything that happens to guests, as server-sent events to any number of clients at once.
//!
//! One thread reads the ledgers as they grow, for everybody ([`Hub`]); a client that goes on from an earlier event, or does
//! not keep up, is told from the ledgers themselves, a page at a time, until it hears what is new ([`Teller`]). So a
//! client costs a future and a few pieces of text, and what it has not taken waits on disk.

mod hub;
mod teller;

use crate::accounts::Accounts;
use crate::answer::{self, Body, Failure};
use crate::credentials::Shown;
use crate::work::Call;
use access::Access;
use api::extension::events::{EVENTS, Wanted};
use api::{Authority, Context, Given, Origin};
use hub::Hub;
use hyper::Response;
use hyper::header::{ACCEPT, HeaderMap};
use model::{Layout, Stream};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::ConfigStore;
use teller::Teller;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::spawn_blocking;

/// Streams at the same time.
const STREAMS: usize = 256;

/// Of them, those that read ledgers at the same time.
pub(crate) const READERS: usize = 4;

/// Pieces of a stream that wait for its client.
const AHEAD: usize = 4;

/// What a browser sends that goes on with a stream: the id of the last event that it heard.
const LAST: &str = "last-event-id";

/// Who calls, and how that is seen again later.
pub(crate) struct Caller {
    pub(crate) authority: Authority,
    /// None for who needs to show nothing.
    pub(crate) shown: Option<Shown>,
}

/// What streams share.
pub(crate) struct Events {
    hub: Hub,
    access: Arc<Access>,
    accounts: Accounts,
    streams: Arc<Semaphore>,
    readers: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

impl Events {
    pub(crate) fn new(layout: &Layout, access: Arc<Access>, closing: watch::Receiver<bool>) -> Self {
        Self {
            hub: Hub::new(layout.clone()),
            access,
            accounts: Accounts::new(layout),
            streams: Arc::new(Semaphore::new(STREAMS)),
            readers: Arc::new(Semaphore::new(READERS)),
            closing,
        }
    }

    /// Begins to tell.
    ///
    /// # Errors
    /// What is wrong with the call; too many streams; ledgers that cannot be read.
    pub(crate) async fn open(
        &self,
        store: Arc<ConfigStore>,
        mut call: Call,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, Failure> {
        if let Some(last) = headers.get(LAST).and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty()) {
            call.given.retain(|(name, _)| name != "after");
            call.given.push(("after".to_owned(), Given::One(last.to_owned())));
        }
        let full = |_| {
            Failure::new(
                503,
                format!("too many event streams are open, at most {STREAMS} at the same time\n"),
            )
        };
        let place = self.streams.clone().try_acquire_owned().map_err(full)?;
        let layout = store.layout().clone();
        let caller = Caller { authority: call.authority.clone(), shown: call.shown.take() };
        let read = spawn_blocking(move || wanted(&store, call));
        let wanted = read.await.unwrap_or_else(|_| Err(Failure::new(500, "internal error\n")))?;
        let heard = self.hub.listen(wanted.vmid).await.map_err(|text| Failure::new(500, text))?;
        let (body, pieces) = mpsc::channel(AHEAD);
        let teller = Teller {
            layout,
            vmid: wanted.vmid,
            behind: wanted.after.is_some(),
            at: wanted.after.unwrap_or(heard.at),
            news: heard.news,
            fresh_from: 0,
            number: self.hub.number(),
            caller,
            access: self.access.clone(),
            accounts: self.accounts.changes(),
            readers: self.readers.clone(),
            closing: self.closing.clone(),
            body,
            spoken: false,
            said: BTreeSet::new(),
            _place: place,
        };
        tokio::spawn(teller.tell());
        Ok(answer::stream(pieces))
    }
}

/// Whether a call asks for a stream: it follows, or takes nothing else.
pub(crate) fn wants_stream(call: &Call, headers: &HeaderMap) -> bool {
    let found = api::find(call.target.verb, &call.target.path);
    let accepts = headers.get_all(ACCEPT).iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|value| value.trim_start().to_ascii_lowercase().starts_with("text/event-stream"))
    });
    let follows = call.given.iter().any(|(name, value)| name == "follow" && value.joined() == "1");
    found.is_some_and(|found| std::ptr::eq(found.method, &EVENTS)) && (accepts || follows)
}

/// Sees whether the caller may, and what for.
fn wanted(store: &ConfigStore, call: Call) -> Result<Wanted, Failure> {
    let mut silence = Silence;
    let context = Context::new(store, call.authority, Origin::Server, &mut silence);
    let params = api::prepare(&context, &EVENTS, &call.target.path, call.given)?;
    Ok(Wanted::read(&context, &params)?)
}

struct Silence;

impl api::Output for Silence {
    fn write(&mut self, _: Stream, _: &[u8]) {}
}
