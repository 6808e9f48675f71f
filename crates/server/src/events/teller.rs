//! One client's stream, from its beginning to its end.

use super::Caller;
use super::hub::News;
use access::Access;
use api::Authority;
use api::extension::events::{is_for, told};
use bytes::Bytes;
use model::{Layout, Vmid};
use record::events::{self, Cursor, Filter, Heard};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::ControlFlow::{Break, Continue};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often a client that hears nothing is sent a comment, and whoever it is is looked at again: tickets and tokens come to
/// their end without anybody's doing.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a client may take nothing.
const STUCK: Duration = Duration::from_secs(30);

/// How much of the ledgers is read for a client at once, in bytes of what it is told.
const PAGE: usize = 128 << 10;

/// After how long a browser comes back, and that this is where it begins.
const HELLO: &str = "retry: 2000\n: what happens is told from here on\n\n";

/// A stream that is told.
pub(super) struct Teller {
    pub(super) layout: Layout,
    pub(super) vmid: Option<Vmid>,
    /// What has been told by now.
    pub(super) at: Cursor,
    /// Whether there may be more on disk than what is still to be heard.
    pub(super) behind: bool,
    pub(super) news: broadcast::Receiver<Arc<News>>,
    /// News after this number were not there yet when the ledgers were read.
    pub(super) fresh_from: u64,
    /// The number of the last news of all.
    pub(super) number: Arc<AtomicU64>,
    pub(super) caller: Caller,
    pub(super) access: Arc<Access>,
    pub(super) accounts: watch::Receiver<()>,
    pub(super) readers: Arc<Semaphore>,
    pub(super) closing: watch::Receiver<bool>,
    pub(super) body: mpsc::Sender<Bytes>,
    /// Whether something was sent since the last heartbeat.
    pub(super) spoken: bool,
    /// Gaps that were told while the ledgers were read.
    pub(super) said: BTreeSet<String>,
    pub(super) _place: OwnedSemaphorePermit,
}

/// Why a stream ends; the text is for the client.
enum End {
    /// The client has left, or takes nothing.
    Gone,
    Because(String),
}

/// A part of what is on disk.
struct Page {
    text: String,
    at: Cursor,
    said: BTreeSet<String>,
    more: bool,
}

impl Teller {
    /// Tells until the client leaves, the server ends, or the caller may no longer hear.
    pub(super) async fn tell(mut self) {
        let Err(end) = self.tell_on().await;
        if let End::Because(why) = end {
            let text = format!("event: end\ndata: {}\n\n", json!({ "why": why.trim_end() }));
            let _ = timeout(STUCK, self.body.send(text.into())).await;
        }
    }

    async fn tell_on(&mut self) -> Result<Infallible, End> {
        self.send(HELLO.to_owned()).await?;
        if self.behind {
            self.catch_up().await?;
        }
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                news = self.news.recv() => match news {
                    Ok(news) => self.pass_on(&news).await?,
                    Err(RecvError::Lagged(_)) => self.catch_up().await?,
                    Err(RecvError::Closed) => return Err(End::Because("the events cannot be read".to_owned())),
                },
                () = self.body.closed() => return Err(End::Gone),
                () = closed(&mut self.closing) => return Err(server_ends()),
                Ok(()) = self.accounts.changed() => self.check().await?,
                _ = heartbeat.tick() => {
                    self.check().await?;
                    if !std::mem::take(&mut self.spoken) {
                        self.send(":\n\n".to_owned()).await?;
                        self.spoken = false;
                    }
                }
            }
        }
    }

    /// Passes on what is new, unless it was read from the ledgers before.
    async fn pass_on(&mut self, news: &News) -> Result<(), End> {
        let vmid = match &news.heard {
            Heard::Record { vmid, .. } => Some(*vmid),
            Heard::Gap { vmid, .. } => *vmid,
            Heard::Idle { .. } => None,
        };
        let other = self.vmid.is_some() && vmid.is_some() && vmid != self.vmid;
        if other || !self.at.go_over(&news.heard, news.number > self.fresh_from) {
            return Ok(());
        }
        if !is_for(&self.caller.authority, &news.heard) {
            return Ok(());
        }
        let text = event(&self.at, &news.heard, &news.text);
        self.send(text).await
    }

    /// Tells what is on disk after the place.
    async fn catch_up(&mut self) -> Result<(), End> {
        loop {
            if self.accounts.has_changed().unwrap_or(false) {
                self.accounts.mark_unchanged();
                self.check().await?;
            }
            let page = self.read().await?;
            // What the hub hears from now on, it may have read before us.
            self.fresh_from = self.number.load(Ordering::SeqCst);
            self.at = page.at;
            self.said = page.said;
            if !page.text.is_empty() {
                self.send(page.text).await?;
            }
            if !page.more {
                self.said.clear();
                return Ok(());
            }
        }
    }

    async fn read(&mut self) -> Result<Page, End> {
        let failed = |text: String| End::Because(format!("the events cannot be read: {text}"));
        let (layout, at, vmid) = (self.layout.clone(), self.at.clone(), self.vmid);
        let (authority, said) = (self.caller.authority.clone(), std::mem::take(&mut self.said));
        let readers = self.readers.clone();
        let read = async move {
            let turn = readers.acquire_owned().await;
            let read = spawn_blocking(move || {
                let _turn = turn;
                read_page(&layout, at, vmid, &authority, said)
            });
            read.await
        };
        tokio::select! {
            page = read => page.map_err(|error| failed(error.to_string()))?.map_err(failed),
            () = self.body.closed() => Err(End::Gone),
            () = closed(&mut self.closing) => Err(server_ends()),
        }
    }

    /// Sends a piece, as soon as the client takes it.
    async fn send(&mut self, text: String) -> Result<(), End> {
        self.spoken = true;
        tokio::select! {
            sent = timeout(STUCK, self.body.send(text.into())) => match sent {
                Ok(Ok(())) => Ok(()),
                _ => Err(End::Gone),
            },
            () = closed(&mut self.closing) => Err(server_ends()),
        }
    }

    /// Sees whether the caller may still come in, and what it may hear.
    async fn check(&mut self) -> Result<(), End> {
        let Some(shown) = self.caller.shown.clone() else { return Ok(()) };
        let access = self.access.clone();
        match spawn_blocking(move || shown.authority(&access, false)).await {
            Ok(Ok(authority)) => {
                self.caller.authority = authority;
                Ok(())
            }
            Ok(Err(failure)) => Err(End::Because(failure.message)),
            Err(_) => Err(End::Because("internal error".to_owned())),
        }
    }
}

async fn closed(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

fn server_ends() -> End {
    End::Because("the server ends".to_owned())
}

fn read_page(
    layout: &Layout,
    mut at: Cursor,
    vmid: Option<Vmid>,
    authority: &Authority,
    mut said: BTreeSet<String>,
) -> Result<Page, String> {
    let (mut text, mut more) = (String::new(), false);
    let filter = Filter { vmid, until_now: true };
    let after = at.clone();
    events::events(layout, Some(&after), &filter, &mut |heard| {
        let again = match &heard {
            Heard::Idle { .. } => true,
            Heard::Gap { place: None, what, id, .. } => {
                at.only(|run| id.knows(run));
                !said.insert(what.clone())
            }
            _ => !at.go_over(&heard, true),
        };
        if again || !is_for(authority, &heard) {
            return Continue(());
        }
        text.push_str(&event(&at, &heard, &Value::Object(told(&heard)).to_string()));
        more = text.len() >= PAGE;
        if more { Break(()) } else { Continue(()) }
    })
    .map_err(|error| error.to_string())?;
    Ok(Page { text, at, said, more })
}

/// An event as it is sent. A gap has a name, so that nobody takes it for something that happened.
fn event(id: &Cursor, heard: &Heard, data: &str) -> String {
    let name = if matches!(heard, Heard::Gap { .. }) { "event: gap\n" } else { "" };
    format!("{name}id: {id}\ndata: {data}\n\n")
}
