//! A keeper's own life: born, asked for a start or for a recovery, gone when the run is over.

use crate::adopt::{boot, links, listen, run_folder};
use crate::born::show;
use crate::clients::Clients;
use crate::host::facts;
use crate::keeper::{Keeper, begin_records, program, told};
use crate::mend::{self, Recorded};
use crate::next;
use crate::orphans;
use crate::protocol::{Asked, Hello, Reply, Request, StartRequest, line};
use crate::status::Shown;
use crate::tasks::{Purpose, Tasks};
use lifecycle::{admit_start, live, resume};
use model::{Event, GuestKind, Layout, RunId, StartReason, StopCause, Upid, UserId, Vmid};
use record::{Journal, Ledger};
use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use store::ConfigStore;

/// How long another keeper of the guest is waited for where it cannot be reached.
const LOCK_LIMIT: Duration = Duration::from_secs(10);

/// How long what is not sent yet is waited for at the end.
pub(crate) const LAST_WORDS: Duration = Duration::from_secs(5);

/// Keeps a guest: the whole life of the process. `first` is the connection of whoever asked for it, `lock` the run lock where
/// the keeper of an earlier run hands it over.
///
/// Returns the exit code: 0 when the run is over, 1 where there was none.
#[must_use]
pub fn keep(layout: Layout, vmid: Vmid, mut first: UnixStream, lock: Option<File>) -> i32 {
    let _ = first.write_all(&line(&Hello::own()));
    let _ = first.set_read_timeout(Some(Duration::from_secs(30)));
    let Some(asked) = read_request(&first) else { return 1 };
    let lock = match lock.map_or_else(|| run_lock(&layout, vmid), |lock| Ok(Some(lock))) {
        Ok(Some(lock)) => lock,
        // Another keeper came first: the end of this connection sends the client there.
        Ok(None) => {
            let _ = first.write_all(&line(&Reply::Busy { what: String::new() }));
            return 1;
        }
        Err(why) => {
            show(&why);
            let _ = first.write_all(&line(&Reply::Refused { why }));
            return 1;
        }
    };
    let over = if crate::client::is_unfinished(&layout, vmid) {
        recover(&layout, vmid, first, asked)
    } else {
        match (asked.request, next::read(&layout, vmid)) {
            (Request::Start(request), _) => start(&layout, first, request, asked.callers),
            // Whoever was to do it died.
            (Request::Recover { hook_limit }, Some(owed)) => {
                start(&layout, first, StartRequest { hook_limit, ..owed }, asked.callers)
            }
            _ => Ok(None),
        }
    };
    match over {
        Ok(Some(keeper)) => {
            keeper.leave(lock);
            0
        }
        Ok(None) | Err(()) => 1,
    }
}

fn read_request(first: &UnixStream) -> Option<Asked> {
    let mut text = String::new();
    BufReader::new(first.try_clone().ok()?).read_line(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Takes the run lock. None where a keeper that can be reached has it.
fn run_lock(layout: &Layout, vmid: Vmid) -> Result<Option<File>, String> {
    let path = layout.run_lock(vmid);
    let failed = |error: std::io::Error| format!("cannot lock '{}': {error}", path.display());
    std::fs::create_dir_all(layout.runs()).map_err(failed)?;
    let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
    let deadline = Instant::now() + LOCK_LIMIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) => {}
        }
        if UnixStream::connect(layout.control_socket(vmid)).is_ok() {
            return Ok(None);
        }
        if Instant::now() >= deadline {
            return Err(format!("can't lock file '{}' - got timeout", path.display()));
        }
        // It has the lock and no socket: it has just been born, or its last child is about to become a program.
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn journal(layout: &Layout, vmid: Vmid) -> Journal {
    let journal = Journal::open(layout).unwrap_or_else(|_| Journal::fallback_only(layout));
    journal.of_guest(layout, vmid)
}

/// Admits a start, puts the run on record and lives it.
fn start(
    layout: &Layout,
    first: UnixStream,
    request: StartRequest,
    callers: Vec<RunId>,
) -> Result<Option<Keeper>, ()> {
    let StartRequest { kind, vmid, user, reason, skiplock, timeout, task, hook_limit, after_failure } =
        request;
    let mut clients = Clients::default();
    let client = clients.take_in(first);
    let refuse = |clients: &mut Clients, why: String| {
        next::forget(layout, vmid);
        show(&why);
        clients.reply(client, &Reply::Refused { why });
        clients.drain(LAST_WORDS);
    };
    let opened = ConfigStore::open(layout.clone()).map_err(|error| told(&error));
    let journal = journal(layout, vmid);
    let store = match opened {
        Ok(store) => store,
        Err(why) => {
            refuse(&mut clients, why);
            return Err(());
        }
    };
    let mut begun = Begun { layout, node: store.node().clone(), clients, journal, tasks: Tasks::default() };
    let upid = match begun.task(kind, vmid, &user, client, task) {
        Ok(upid) => upid,
        Err(why) => {
            refuse(&mut begun.clients, why);
            return Err(());
        }
    };
    orphans::end(layout, kind, vmid, &begun.tasks.upids(), &mut begun.journal);
    let run = begin_run(layout, &store, kind, vmid, skiplock, reason, &user);
    next::forget(layout, vmid);
    match run {
        Ok(run) => {
            let mut keeper = begun.keeper(store, run, (kind, vmid), (reason, user));
            keeper.skiplock = skiplock;
            keeper.start_limit = timeout;
            keeper.hook_limit = hook_limit.map(Duration::from_secs);
            keeper.after_failure = after_failure;
            keeper.callers = callers;
            keeper.note(&Event::Keeper {
                process: process::current(),
                host: keeper.boot.clone(),
                adopted: false,
            });
            keeper.note(&Event::TaskBegin { upid });
            keeper.take_place();
            let Ok(life) = live(&mut keeper);
            keeper.over(life.cause);
            Ok(Some(keeper))
        }
        Err(why) => {
            begun.fail(kind, &why);
            Err(())
        }
    }
}

/// A run that is on record.
struct Run {
    id: RunId,
    ledger: Ledger,
    name: String,
    hookscript: Option<model::VolumeId>,
    has_hooks: bool,
    boot: model::Boot,
}

fn begin_run(
    layout: &Layout,
    store: &ConfigStore,
    kind: GuestKind,
    vmid: Vmid,
    skiplock: bool,
    reason: StartReason,
    user: &UserId,
) -> Result<Run, String> {
    let config = store.read(kind, vmid).map_err(|error| told(&error))?;
    admit_start(kind, vmid, &facts(&config, skiplock)).map_err(|denied| denied.to_string())?;
    let hookscript = config.main.hookscript().ok().flatten();
    // What cannot be listed is told, and refuses the start, in `pre-start`.
    let drop_ins = hooks::chain::find(layout, vmid).map_or(true, |found| !found.drop_ins.is_empty());
    let has_hooks = hookscript.is_some() || drop_ins;
    let name = config.main.get("name").or_else(|| config.main.get("hostname")).unwrap_or_default().to_owned();
    let unrecorded = |error: std::io::Error| format!("cannot record the run: {}", told(&error));
    let boot = boot(layout).map_err(unrecorded)?;
    run_folder(layout, vmid)
        .map_err(|error| format!("cannot make '{}': {error}", layout.run_guest(vmid).display()))?;
    let id = RunId::new(epoch_millis(), random());
    let path = layout.ledger(vmid);
    let ledger = Ledger::create(&path).map_err(unrecorded)?;
    let begin = Event::RunBegin {
        run: id.clone(),
        vmid,
        kind,
        name: name.clone(),
        reason,
        user: user.clone(),
        hookscript: hookscript.clone(),
    };
    // It comes to disk with the first begin of a hookscript: until then nothing depends on it.
    if let Err(error) = ledger.append(&begin) {
        let _ = std::fs::remove_file(&path);
        return Err(unrecorded(error));
    }
    Ok(Run { id, ledger, name, hookscript, has_hooks, boot })
}

/// Goes on with the run whose record is there.
fn recover(layout: &Layout, vmid: Vmid, first: UnixStream, asked: Asked) -> Result<Option<Keeper>, ()> {
    let mut clients = Clients::default();
    let client = clients.take_in(first);
    let refuse = |mut clients: Clients, why: String| {
        show(&why);
        clients.reply(client, &Reply::Refused { why });
        clients.drain(LAST_WORDS);
        Err(())
    };
    let path = layout.ledger(vmid);
    let store = match ConfigStore::open(layout.clone()) {
        Ok(store) => store,
        Err(error) => return refuse(clients, told(&error)),
    };
    let Recorded { events, faults } = match mend::record(layout, &store, vmid) {
        Ok(recorded) => recorded,
        Err(why) => return refuse(clients, why),
    };
    let left_open = open_outputs(layout, vmid, &events);
    let begin = events.iter().find_map(|event| match event {
        Event::RunBegin { run, kind, name, reason, user, hookscript, .. } => {
            Some((run.clone(), *kind, name.clone(), *reason, user.clone(), hookscript.clone()))
        }
        _ => None,
    });
    let Some((id, kind, name, reason, user, hookscript)) = begin else {
        // Nothing was done: there is nothing to go on with.
        if let Request::Start(request) = asked.request {
            let stream = clients.take_first();
            return match stream {
                Some(stream) => start(layout, stream, request, asked.callers),
                None => Err(()),
            };
        }
        clients.reply(client, &Reply::State(crate::protocol::GuestState::default()));
        clients.drain(LAST_WORDS);
        return Err(());
    };
    let opened = Ledger::open(&path).and_then(|ledger| Ok((ledger, boot(layout)?)));
    let run = match opened.map_err(|error| told(&error)) {
        Ok((ledger, boot)) => Run { id, ledger, name, hookscript, has_hooks: true, boot },
        Err(why) => return refuse(clients, why),
    };
    let journal = journal(layout, vmid);
    let begun = Begun { layout, node: store.node().clone(), clients, journal, tasks: Tasks::default() };
    let boot = run.boot.clone();
    let mut keeper = begun.keeper(store, run, (kind, vmid), (reason, user));
    keeper.stage = "recovery";
    // Which of the scripts ask for it was told to the keeper that died.
    keeper.agent_up = Some("a hookscript".to_owned());
    keeper.note(&Event::Keeper { process: process::current(), host: boot.clone(), adopted: true });
    for fault in &faults {
        let entry = keeper.scene().mended(fault);
        keeper.journal.send(entry);
    }
    keeper.left_open = left_open;
    keeper.recall(&events);
    keeper.recall_next_start();
    keeper.close_open_tasks(&events);
    keeper.take_place();
    let said = keeper.scene().recovered();
    keeper.journal.send(said);
    // What the client asked for is served on the way.
    keeper.asked_first(client, asked);
    let alive = |process: model::ProcessId, seen: Option<&model::Boot>| {
        seen.is_none_or(|seen| seen.kernel == boot.kernel) && process::alive(process)
    };
    let Ok(life) = resume(&mut keeper, &events, &boot, alive);
    keeper.over(life.cause);
    Ok(Some(keeper))
}

/// Opens the outputs of the call that has a begin on record and no end.
fn open_outputs(layout: &Layout, vmid: Vmid, events: &[Event]) -> Option<[hooks::Reader; 2]> {
    let last =
        events.iter().rev().find(|event| matches!(event, Event::HookBegin { .. } | Event::HookEnd { .. }))?;
    let Event::HookBegin { phase, call, .. } = last else { return None };
    hooks::Outputs::at(&layout.run_guest(vmid), &format!("{phase}.{call}")).readers().ok()
}

/// A keeper before its run is on record.
struct Begun<'a> {
    layout: &'a Layout,
    node: model::NodeName,
    clients: Clients,
    journal: Journal,
    tasks: Tasks,
}

impl Begun<'_> {
    fn task(
        &mut self,
        kind: GuestKind,
        vmid: Vmid,
        user: &UserId,
        client: crate::clients::ClientId,
        task: Option<Upid>,
    ) -> Result<Upid, String> {
        let at = (self.layout, &self.node);
        let action = format!("{}start", kind.task_prefix());
        if let Some(upid) = task {
            return self
                .tasks
                .adopt(self.layout, upid, Purpose::Start, Some(client))
                .map_err(|error| told(&error));
        }
        let upid = self
            .tasks
            .begin(at, (&action, &vmid.to_string()), user, Purpose::Start, Some(client), &mut self.clients)
            .map_err(|error| format!("cannot make a task: {}", told(&error)))?;
        begin_records(&mut self.journal, kind, vmid, "start", &upid);
        Ok(upid)
    }

    /// Ends a start that was not admitted.
    fn fail(mut self, kind: GuestKind, why: &str) {
        let entry =
            record::journal::Entry::new(record::journal::Priority::Error, program(kind), why.trim_end());
        self.journal.send(entry);
        for (upid, status) in self.tasks.end(Purpose::Start, &Err(why.to_owned()), &mut self.clients) {
            self.journal.send(record::journal::task_ended(program(kind), &upid, &status));
        }
        self.clients.drain(LAST_WORDS);
        self.journal.close(LAST_WORDS);
    }

    fn keeper(
        self,
        store: ConfigStore,
        run: Run,
        (kind, vmid): (GuestKind, Vmid),
        (reason, user): (StartReason, UserId),
    ) -> Keeper {
        Keeper {
            layout: self.layout.clone(),
            store,
            node: self.node,
            vmid,
            kind,
            name: run.name,
            run: run.id,
            reason,
            user,
            boot: run.boot,
            hookscript: run.hookscript,
            pre_start_scripts: 0,
            has_hooks: run.has_hooks,
            // A lock that came later does not hinder what is left of a run.
            skiplock: true,
            start_limit: None,
            hook_limit: None,
            recovery_limit: None,
            after_failure: false,
            delayed_until: None,
            agent_up: None,
            callers: Vec::new(),
            stop_deadline: None,
            ledger: run.ledger,
            journal: self.journal,
            listener: None,
            watch: None,
            clients: self.clients,
            term: process::Term::new().ok(),
            tasks: self.tasks,
            config: None,
            config_lock: None,
            machine: Keeper::machine(self.layout, kind, vmid),
            hook: None,
            lingering: Vec::new(),
            attempts: BTreeMap::new(),
            calls: BTreeMap::new(),
            earlier: Vec::new(),
            stage: "start",
            shown: Shown::default(),
            pending: VecDeque::new(),
            queued: Vec::new(),
            waiting: Vec::new(),
            next_start: None,
            abort: false,
            give_up: false,
            left_open: None,
            recovering: None,
            first: None,
        }
    }
}

impl Keeper {
    /// Takes its place: control socket and links.
    fn take_place(&mut self) {
        let _ = links(&self.layout);
        self.show_wait();
        match listen(&self.layout, self.vmid) {
            Ok((listener, watch)) => {
                self.listener = Some(listener);
                self.watch = watch;
            }
            Err(error) => {
                let path = self.layout.control_socket(self.vmid);
                self.say(&format!("warning: cannot listen on '{}': {error}", path.display()));
            }
        }
    }

    /// Closes tasks that an earlier keeper left open.
    fn close_open_tasks(&mut self, events: &[Event]) {
        let mut open: Vec<&Upid> = Vec::new();
        for event in events {
            match event {
                Event::TaskBegin { upid } => open.push(upid),
                Event::TaskEnd { upid, .. } => open.retain(|task| *task != upid),
                _ => {}
            }
        }
        let carried_on = self.tasks.upids();
        for upid in open.into_iter().filter(|upid| !carried_on.contains(upid)) {
            let status = orphans::STATUS.to_owned();
            if let Ok(log) = record::TaskLog::adopt(&self.layout, upid) {
                let _ = log.end(&status);
            }
            self.journal.send(record::journal::task_ended(program(self.kind), upid, &status));
            self.note(&Event::TaskEnd { upid: upid.clone(), status });
        }
        orphans::end(&self.layout, self.kind, self.vmid, &self.tasks.upids(), &mut self.journal);
    }

    /// The run is over.
    fn over(&mut self, cause: Option<StopCause>) {
        self.stage = "over";
        // Whoever hears of the end finds the record put away.
        self.clients.hold();
        self.serve_first();
        self.recovered();
        if self.stop_deadline.is_some() {
            // Nothing is started again on a host that goes down.
            self.owe_nothing();
            let down = Err("the host goes down".to_owned());
            self.end_tasks(Purpose::NextStart, &down);
            return self.end_tasks(Purpose::Reboot, &down);
        }
        if let Some(next) = self.next_start.take() {
            self.owe(StartRequest { after_failure: cause == Some(StopCause::StartFailed), ..next });
        }
        if cause != Some(StopCause::Reboot) {
            // It joined a stop that was under way, so the guest stays down.
            let why = format!("VM {} not running", self.vmid);
            return self.end_tasks(Purpose::Reboot, &Err(why));
        }
        if self.kind == GuestKind::Qemu {
            // As at Proxmox VE the start is another task; a container's is carried out in this one.
            self.end_tasks(Purpose::Reboot, &Ok(()));
        }
        // A start that was owed before goes on in its own task.
        let task = self.tasks.of(Purpose::Reboot).or_else(|| self.tasks.of(Purpose::NextStart));
        self.owe(StartRequest { task, ..self.start_after_reboot() });
    }
}

pub(crate) fn epoch_millis() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(0)
}

pub(crate) fn random() -> u32 {
    use std::hash::{BuildHasher, Hasher};
    // Seeded by the kernel for each process.
    let number = std::hash::RandomState::new().build_hasher().finish();
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0)
}
