//! All guests of a node at once: when the host comes up, when it goes down, or when somebody asks (lifecycle.md 8).

mod crew;
pub mod start;
pub mod stop;

use crate::task::Task;
use crate::{ApiError, Context, Origin, Params};
use config::GuestConfig;
use config::format::{Format, startup};
use config::schema::Property;
use lifecycle::boot::{self, Guest};
use model::{GuestKind, Vmid};
use std::cell::RefCell;

/// Whoever may start and stop all guests may do so; anybody else has to name those that it may.
fn permit(context: &Context<'_>, named: Option<&[Vmid]>) -> Result<(), ApiError> {
    const POWER: &[&str] = &["VM.PowerMgmt"];
    match named {
        Some(named) if !context.authority.has_any("/", POWER) => {
            named.iter().try_for_each(|vmid| context.require(&format!("/vms/{vmid}"), POWER))
        }
        _ => context.require("/", POWER),
    }
}

const VMS: Property = Property::string("vms")
    .optional()
    .format(Format::List(&Format::Vmid))
    .describe("Only these guests, a list of VMIDs.");

const MAX_WORKERS: Property = Property::integer("max-workers").optional().min(1).max(64).describe(
    "How many guests at once; else max_workers of datacenter.cfg, else one less than there are processors, at most 8.",
);

/// Guests that are named, sorted. None for all of the node.
fn named(context: &Context<'_>, params: &Params) -> Result<Option<Vec<Vmid>>, ApiError> {
    if !params.has("vms") {
        permit(context, None)?;
        return Ok(None);
    }
    let mut named: Vec<Vmid> = params.list("vms").iter().filter_map(|vmid| vmid.parse().ok()).collect();
    named.sort_unstable();
    permit(context, Some(&named))?;
    match named.iter().find(|vmid| context.store.find(**vmid).is_none()) {
        Some(vmid) => Err(ApiError::parameter("vms", &format!("guest {vmid} does not exist"))),
        None => Ok(Some(named)),
    }
}

/// A task about many guests. What goes wrong with one is warned about, kept, and does not keep the others from theirs.
struct Round<'t, 'c, 'o> {
    task: &'t Task<'c, 'o>,
    warnings: RefCell<Vec<String>>,
}

impl<'t, 'c, 'o> Round<'t, 'c, 'o> {
    fn new(task: &'t Task<'c, 'o>) -> Self {
        Self { task, warnings: RefCell::default() }
    }

    fn context(&self) -> &'c Context<'o> {
        self.task.context()
    }

    fn warn(&self, line: &str) {
        self.task.warn(line);
        self.warnings.borrow_mut().push(line.to_owned());
    }

    /// Hands out a value, or warns.
    fn expect<T>(&self, result: Result<T, impl Into<ApiError>>) -> Option<T> {
        result.map_err(|error| self.warn(error.into().told().trim_end())).ok()
    }

    /// The guests of the node, or those that are named, with what their order depends on.
    fn guests(&self, named: Option<&[Vmid]>, running: impl Fn(Vmid) -> bool) -> Result<Vec<Guest>, ApiError> {
        let all = self.context().store.list()?;
        let wanted = all.into_iter().filter(|(vmid, _)| named.is_none_or(|named| named.contains(vmid)));
        let guest = |(vmid, kind)| {
            let config = self.expect(self.context().store.read(kind, vmid))?;
            Some(self.guest(kind, vmid, &config, running(vmid)))
        };
        Ok(wanted.filter_map(guest).collect())
    }

    fn guest(&self, kind: GuestKind, vmid: Vmid, config: &GuestConfig, running: bool) -> Guest {
        let text = config.main.get("startup");
        let startup = text.map(|text| startup(text).ok_or(text));
        let startup = startup.transpose().unwrap_or_else(|_| {
            self.warn(&format!("{} {vmid}: unable to parse startup options", kind.label()));
            None
        });
        let startup = startup.unwrap_or_default();
        Guest {
            vmid,
            kind,
            onboot: config.main.flag("onboot", false),
            template: config.main.flag("template", false),
            order: startup.order,
            up: startup.up,
            down: startup.down,
            running,
        }
    }

    /// What systemd is told that is done: where a command does it, which may be a unit's. A server's task is none.
    fn shown(&self, what: &'static str) -> Option<&'static str> {
        matches!(self.context().origin, Origin::Command(_)).then_some(what)
    }

    /// How many guests at once.
    fn workers(&self, params: &Params) -> usize {
        let settings = self.expect(self.context().store.datacenter()).unwrap_or_default();
        let set = settings.get("max_workers").and_then(|text| {
            let number = text.parse().ok();
            if number.is_none() {
                self.warn(&format!("datacenter.cfg: max_workers '{text}' is no number"));
            }
            number
        });
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        boot::workers(params.number("max-workers"), set, processors)
    }
}

/// `VM 100`
fn label(guest: &Guest) -> String {
    format!("{} {}", guest.kind.label(), guest.vmid)
}
