//! Starts the guests that are to run whenever the host does (lifecycle.md 8.2).

use super::crew::Crew;
use super::{MAX_WORKERS, Round, VMS, label, named};
use crate::guest::update::LOCK_WAIT;
use crate::lifecycle::{is_kept, is_on_its_way};
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_NODE;
use crate::{ApiError, Context, Origin, Params, Permission, task};
use config::schema::Property;
use keeper::StartRequest;
use keeper::client;
use lifecycle::boot::{Guest, Pause, to_start};
use model::{GuestKind, Layout, StartReason, UserId, Vmid};
use serde_json::Value;
use std::time::Duration;

/// How long a hookscript may run that says nothing itself, in seconds: one that hangs must not hold up the host.
const HOOK_LIMIT: u64 = 120;

/// The longest delay that a node can be given, in seconds.
const LONGEST_DELAY: u64 = 300;

static PARAMETERS: &[Property] = &[
    Property::boolean("force").default("0").describe("Starts guests without onboot, too."),
    MAX_WORKERS,
    VMS,
];

/// `hookvisor startall`
pub static START: Method = Method {
    path: "/nodes/{node}/startall",
    verb: Verb::Post,
    description: "Starts all guests that have onboot, in the order of their startup options.",
    parameters: &[AT_NODE, PARAMETERS],
    permission: Permission::User,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: start,
};

fn start(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let named = named(context, params)?;
    let force = params.flag("force", false);
    if named.is_none() && !force && matches!(context.origin, Origin::Command(_)) {
        delay(context);
    }
    task::run_counting(context, "startall", "", |task| {
        let round = Round::new(task);
        recover(&round, named.as_deref());
        let guests = round
            .guests(named.as_deref(), |vmid| is_on_its_way(&client::state(context.store.layout(), vmid)))?;
        for guest in &guests {
            remove_backup_lock(&round, guest);
        }
        let mut crew = Crew::new(round.workers(params), round.shown("starting"));
        let mut told = |name: &str, result: Result<(), String>| {
            if let Err(status) = result {
                round.warn(&format!("Starting {name} failed: {status}"));
            }
        };
        let groups = to_start(&guests, force);
        let last = groups.last().and_then(|group| group.guests.last()).map(|guest| guest.vmid);
        for group in &groups {
            for guest in &group.guests {
                crew.room(&mut told);
                task::go_on()?;
                let layout = context.store.layout().clone();
                // Somebody may have started it meanwhile.
                if is_on_its_way(&client::state(&layout, guest.vmid)) {
                    continue;
                }
                round.task.warn(&format!("Starting {}", label(guest)));
                let (kind, vmid, user) = (guest.kind, guest.vmid, context.user.clone());
                crew.begin(label(guest), None, move || start_one(&layout, kind, vmid, user));
                // Nobody waits behind the last one.
                let pause = if last == Some(guest.vmid) { Pause::None } else { guest.pause() };
                if let Pause::Asked(seconds) = pause {
                    round.task.warn(&format!("Waiting for {seconds} seconds (startup delay)"));
                }
                if let Pause::Asked(seconds) | Pause::Usual(seconds) = pause {
                    crew.pause(Duration::from_secs(seconds), &mut told);
                }
            }
            crew.rest(&mut told);
        }
        Ok(round.warnings.take())
    })
}

/// The node's delay, at the first start of all guests since the host came up.
fn delay(context: &Context<'_>) {
    let layout = context.store.layout();
    let done = layout.run().join("startall");
    if done.exists() {
        return;
    }
    let settings = context.store.node_settings().unwrap_or_else(|error| {
        context.warn(&error.to_string());
        config::settings::Settings::default()
    });
    if let Some(text) = settings.get("startall-onboot-delay") {
        match text.parse::<u64>() {
            Ok(0) => {}
            Ok(seconds) if seconds <= LONGEST_DELAY => {
                context.say(&format!("Delaying on-boot 'startall' command for {seconds} second(s)."));
                std::thread::sleep(Duration::from_secs(seconds));
            }
            _ => context.warn(&format!(
                "nodes/{}/config: startall-onboot-delay '{text}' is not between 0 and {LONGEST_DELAY}",
                context.node()
            )),
        }
    }
    // Without the mark the next one waits, too.
    let _ = std::fs::create_dir_all(layout.run()).and_then(|()| std::fs::write(done, ""));
}

/// Brings the runs that nobody keeps to their end, all at once: what a crash of the host left must be given back before
/// anything is taken again.
fn recover(round: &Round<'_, '_, '_>, named: Option<&[Vmid]>) {
    let layout = round.context().store.layout();
    let recorded = client::recorded(layout).map_err(|source| ApiError::File {
        what: "unable to read",
        path: layout.runs(),
        source,
    });
    let mut crew = Crew::new(usize::MAX, round.shown("recovering"));
    for vmid in round.expect(recorded).unwrap_or_default() {
        let wanted = named.is_none_or(|named| named.contains(&vmid));
        if !wanted || !client::state(layout, vmid).abandoned {
            continue;
        }
        let name = match round.context().store.find(vmid) {
            Some(kind) => format!("{} {vmid}", kind.label()),
            None => format!("guest {vmid}"),
        };
        round.task.warn(&format!("Recovering {name}"));
        let layout = layout.clone();
        crew.begin(name, None, move || {
            let recovered = client::recover_within(&layout, vmid, Some(HOOK_LIMIT));
            recovered.map(|_| ()).map_err(|error| error.to_string())
        });
    }
    crew.rest(&mut |name, result| {
        if let Err(error) = result {
            round.warn(&format!("Recovering {name} failed: {error}"));
        }
    });
}

/// A backup that was under way when the host went down does not go on. One that is under way now has a guest that runs.
fn remove_backup_lock(round: &Round<'_, '_, '_>, guest: &Guest) {
    let (context, vmid, kind) = (round.context(), guest.vmid, guest.kind);
    let locked = |config: &config::GuestConfig| config.main.get("lock") == Some("backup");
    let seen = context.store.read(kind, vmid);
    if !seen.is_ok_and(|config| locked(&config)) || is_kept(context, vmid) {
        return;
    }
    let removed = (|| -> Result<bool, ApiError> {
        let lock = context.store.lock(kind, vmid, LOCK_WAIT, &mut |line| round.task.warn(line))?;
        let mut config = context.store.read(kind, vmid)?;
        if !locked(&config) {
            return Ok(false);
        }
        config.main.remove("lock");
        let digest = config.digest.clone();
        context.store.write(&lock, &config, Some(&digest))?;
        Ok(true)
    })();
    if round.expect(removed) == Some(true) {
        round.task.warn(&format!("removed left over backup lock from '{vmid}'!"));
    }
}

fn start_one(layout: &Layout, kind: GuestKind, vmid: Vmid, user: UserId) -> Result<(), String> {
    // A start waits for the end of the run before; one that hangs there must not hold up the host.
    let before = client::state(layout, vmid);
    if before.keeper.is_some()
        && !is_on_its_way(&before)
        && !client::wait_until_stopped(layout, vmid, Some(Duration::from_secs(HOOK_LIMIT)))
    {
        return Err(format!("its last run has not ended ({} runs)", before.stage));
    }
    let request = StartRequest {
        hook_limit: Some(HOOK_LIMIT),
        ..StartRequest::new(kind, vmid, user, StartReason::Boot)
    };
    // What it prints is in its own task's log.
    let status = match client::start(layout, request, &mut |_| {}) {
        Ok(result) => result.status,
        Err(error) => Err(error.to_string()),
    };
    // Somebody else was quicker.
    let already = format!("{} {vmid} already ", kind.label());
    status.or_else(|error| if error.starts_with(&already) { Ok(()) } else { Err(error) })
}
