//! Calls of methods: quick ones on threads of this process, those that make tasks in workers.

use crate::answer::{Answer, Encoding, Failure, Success};
use crate::credentials::Shown;
use crate::lanes::{Lanes, Turn};
use crate::target::Target;
use crate::upload::Received;
use crate::worker::{Order, Word};
use api::{ApiError, Authority, Context, Given, Origin, Output, Returns, Verb};
use model::{Layout, Stream};
use process::{Birth, birth};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::de::DeserializeOwned;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use store::ConfigStore;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long a look may take, and how long a change, or a task to begin. Who is not answered by then is told so; what hangs
/// goes on hanging on its lane.
const LOOK: Duration = Duration::from_secs(30);
const CHANGE: Duration = Duration::from_secs(300);

/// Where workers find programs: Proxmox VE's folders, and what an administrator installed.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A call that may be made.
pub(crate) struct Call {
    pub(crate) target: Target,
    pub(crate) given: Vec<(String, Given)>,
    pub(crate) authority: Authority,
    /// What the caller showed, by which it can be seen again; none where nothing has to be shown.
    pub(crate) shown: Option<Shown>,
    /// Where it comes from; none for this host itself.
    pub(crate) peer: Option<String>,
    pub(crate) encoding: Encoding,
    /// The file that came with it, which lasts as long as the call.
    pub(crate) received: Option<Received>,
}

/// Makes calls.
pub(crate) struct Work {
    store: Arc<ConfigStore>,
    threads: Lanes,
    workers: Lanes,
}

impl Work {
    pub(crate) fn new(store: Arc<ConfigStore>) -> Self {
        Self { store, threads: Lanes::of_threads(), workers: Lanes::of_workers() }
    }

    /// Makes a call and puts its answer.
    pub(crate) async fn carry_out(&self, call: Call) -> Answer {
        let Target { verb, format, path } = &call.target;
        let Some(found) = api::find(*verb, path) else {
            let error = ApiError::NotImplemented { verb: verb.as_str(), path: path.clone() };
            return Answer::new(Err(error.into()), *format);
        };
        let method = format!("{verb} {}", found.method.path);
        let limit = if *verb == Verb::Get { LOOK } else { CHANGE };
        if found.method.returns == Returns::Upid {
            let order = Order::new(*verb, path, call.given, &call.authority);
            let format = *format;
            return match self.workers.turn(&method, path).await {
                Ok(turn) => Answer::new(self.in_worker(order, turn, limit).await, format),
                Err(failure) => Answer::new(Err(failure), format),
            };
        }
        match self.threads.turn(&method, path).await {
            Ok(turn) => self.in_thread(call, turn, limit).await,
            Err(failure) => Answer::new(Err(failure), *format),
        }
    }

    /// The configurations.
    pub(crate) fn store(&self) -> Arc<ConfigStore> {
        self.store.clone()
    }

    /// Where the files are.
    pub(crate) fn layout(&self) -> &Layout {
        self.store.layout()
    }

    /// Sees whether somebody may make a call at all, before its body is read.
    pub(crate) async fn permits(&self, target: &Target, authority: &Authority) -> Result<(), Failure> {
        let (store, target, authority) = (self.store.clone(), target.clone(), authority.clone());
        let asked = spawn_blocking(move || {
            let mut silence = Silence;
            let context = Context::new(&store, authority, Origin::Server, &mut silence);
            let found = api::find(target.verb, &target.path)?;
            let path = found.parameters.into_iter().map(|(name, value)| (name.to_owned(), Given::One(value)));
            api::prepare(&context, found.method, &target.path, path).err()
        });
        match asked.await {
            // What is missing may be in the body.
            Ok(None | Some(ApiError::Parameters(_))) => Ok(()),
            Ok(Some(error)) => Err(error.into()),
            Err(_) => Err(Failure::new(500, "internal error\n")),
        }
    }

    async fn in_thread(&self, call: Call, turn: Turn, limit: Duration) -> Answer {
        let store = self.store.clone();
        let Call {
            target: Target { verb, format, path }, given, authority, peer, encoding, received, ..
        } = call;
        let done = spawn_blocking(move || {
            let (_turn, _received) = (turn, received);
            let mut silence = Silence;
            let mut context = Context::new(&store, authority, Origin::Server, &mut silence);
            context.peer = peer;
            let result = called(&context, verb, &path, given);
            Answer::new(result, format).compressed(encoding)
        });
        match timeout(limit, done).await {
            Ok(Ok(answer)) => answer,
            // The panic is on record by the hook that saw it.
            Ok(Err(_)) => Answer::new(Err(Failure::new(500, "internal error\n")), format),
            Err(_) => Answer::new(Err(too_long(limit)), format),
        }
    }

    /// Has a worker do it, and answers with its first word about it. The worker goes on, whoever waits; one that has no word
    /// within the limit is killed, so that what was told to have failed is not done after all.
    async fn in_worker(&self, order: Order, turn: Turn, limit: Duration) -> Result<Success, Failure> {
        let layout = self.store.layout().clone();
        let failed = |error: io::Error| Failure::new(500, format!("cannot start a worker: {error}\n"));
        let born =
            spawn_blocking(move || born(&layout)).await.map_err(io::Error::other).and_then(|born| born);
        let stream = born.and_then(UnixStream::from_std).map_err(failed)?;
        let (word, heard) = oneshot::channel();
        tokio::spawn(async move {
            let _ = word.send(converse(stream, &order, turn, limit).await);
        });
        let lost = || Failure::new(500, "the worker process ended unexpectedly\n");
        match heard.await.ok().and_then(Result::ok).ok_or_else(lost)? {
            Some(word) => word.result(),
            None => Err(too_long(limit)),
        }
    }
}

fn called(
    context: &Context<'_>,
    verb: Verb,
    path: &str,
    given: Vec<(String, Given)>,
) -> Result<Success, Failure> {
    let data = api::call(context, verb, path, given)?;
    let total = context.total().map(|total| ("total".to_owned(), total.into()));
    Ok(Success { data, beside: total.into_iter().collect() })
}

fn too_long(limit: Duration) -> Failure {
    Failure::new(500, format!("got timeout: no answer within {} seconds\n", limit.as_secs()))
}

/// Sends the order and waits for the first word about it, none where it does not come in time; the worker's place is free
/// when it has ended.
async fn converse(
    mut stream: UnixStream,
    order: &Order,
    turn: Turn,
    limit: Duration,
) -> io::Result<Option<Word>> {
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut reader = BufReader::new(stream);
    let mut worker = None;
    let told = timeout(limit, async {
        worker = pidfd(line_of(&mut reader).await?);
        line_of(&mut reader).await
    });
    let word = match told.await {
        Ok(word) => word.map(Some),
        Err(_) => {
            if let Some(worker) = worker {
                let _ = pidfd_send_signal(worker, Signal::KILL);
            }
            Ok(None)
        }
    };
    tokio::spawn(async move {
        let _ = reader.read_to_end(&mut Vec::new()).await;
        drop(turn);
    });
    word
}

async fn line_of<T: DeserializeOwned>(reader: &mut BufReader<UnixStream>) -> io::Result<T> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).await?;
    Ok(serde_json::from_slice(&line)?)
}

/// A hold on a process, whose number may be another one's later.
fn pidfd(pid: i32) -> Option<OwnedFd> {
    pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()
}

/// Bears a worker.
fn born(layout: &Layout) -> io::Result<std::os::unix::net::UnixStream> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let program = process::own_program()?;
    let argv = ["hookvisor", "worker"].map(OsString::from).to_vec();
    let kept = ["HOOKVISOR_JOURNAL", "LANG", "TZ"].into_iter();
    let mut env: Vec<(OsString, OsString)> =
        kept.filter_map(|key| Some((key.into(), std::env::var_os(key)?))).collect();
    env.push(("PATH".into(), PATH.into()));
    env.push(("HOOKVISOR_ROOT".into(), layout.root().into()));
    birth(&Birth {
        program: program.as_os_str(),
        argv,
        env,
        socket: theirs.into(),
        lock: None,
        keeps_oom_score: false,
    })?;
    Ok(ours)
}

/// What a quick method prints is for people at a terminal.
struct Silence;

impl Output for Silence {
    fn write(&mut self, _: Stream, _: &[u8]) {}
}
