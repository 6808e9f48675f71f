//! What virtual machines do: the list and one machine's status (api.md 3.2).

use super::create::boot_keys;
use crate::guest::live::{self, Live};
use crate::guest::meter::Meter;
use crate::guest::summary::{Listed, Summary, visible};
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::{AT_GUEST, AT_NODE};
use crate::{ApiError, Context, Params, Permission, host, lifecycle};
use ::config::options::{IDE, qemu};
use ::config::schema::Property;
use ::config::{Section, property, text};
use model::{GuestKind, Vmid};
use serde_json::{Map, Value, json};

const KIND: GuestKind = GuestKind::Qemu;

const FIELDS: &[&str] = &["vmid", "status", "name", "cpus", "maxmem", "maxdisk", "mem", "uptime"];

static LIST_PARAMETERS: &[Property] =
    &[Property::boolean("full").optional().describe("Asks the monitors of running machines for more.")];

/// `qm list`
pub static LIST: Method = Method {
    path: "/nodes/{node}/qemu",
    verb: Verb::Get,
    description: "Lists the virtual machines of this node.",
    parameters: &[AT_NODE, LIST_PARAMETERS],
    permission: Permission::User,
    returns: Returns::List(FIELDS),
    protected: false,
    scope: Scope::Api,
    run: list,
};

fn list(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let full = params.flag("full", false);
    let (live, meter) = (live::all(context)?, Meter::new(context.store.layout()));
    let row = |(vmid, summary): Listed| {
        let told = full.then(|| lifecycle::state(context, vmid).running).flatten();
        let mut row = status(vmid, &summary, live.get(&vmid), &meter, full);
        if let Some(word) = told.and_then(|running| running.qmpstatus) {
            row.insert("qmpstatus".into(), json!(word));
        }
        Value::Object(row)
    };
    Ok(visible(context, Some(KIND))?.into_iter().map(row).collect())
}

/// One machine's status.
pub static CURRENT: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/status/current",
    verb: Verb::Get,
    description: "Tells what a virtual machine does.",
    parameters: &[AT_GUEST],
    permission: Permission::guest(&["VM.Audit"]),
    returns: Returns::Object(FIELDS),
    protected: true,
    scope: Scope::Api,
    run: current,
};

fn current(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let vmid = params.vmid();
    let summary = Summary::new(vmid, &context.read(KIND, vmid)?);
    let running = lifecycle::state(context, vmid).running;
    let live = running.as_ref().and_then(Live::told);
    let meter = Meter::new(context.store.layout());
    let mut object = status(vmid, &summary, live.as_ref(), &meter, true);
    if let Some(word) = running.filter(|_| live.is_some()).and_then(|running| running.qmpstatus) {
        object.insert("qmpstatus".into(), json!(word));
    }
    object.insert("ha".into(), json!({"managed": 0}));
    object.insert("clipboard".into(), Value::Null);
    for (key, there) in [("agent", summary.agent), ("spice", summary.spice)] {
        if there {
            object.insert(key.into(), json!(1));
        }
    }
    Ok(Value::Object(object))
}

static VERBOSE: &[Property] = &[Property::boolean("verbose").optional().describe("Shows all there is.")];

/// `qm status`: without `--verbose` it reads no more than it prints.
pub static OF_COMMAND: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/status/word",
    verb: Verb::Get,
    description: "Tells whether a virtual machine runs.",
    parameters: &[AT_GUEST, VERBOSE],
    permission: Permission::guest(&["VM.Audit"]),
    returns: Returns::Object(&["status"]),
    protected: true,
    scope: Scope::Command,
    run: |context, params| {
        if params.flag("verbose", false) {
            return current(context, params);
        }
        let vmid = params.vmid();
        context.store.read_raw(KIND, vmid)?;
        let mut object = Map::new();
        match lifecycle::state(context, vmid).running {
            Some(running) => {
                object.insert("status".into(), json!("running"));
                object.extend(running.qmpstatus.map(|word| ("qmpstatus".to_owned(), json!(word))));
            }
            None => {
                object.insert("status".into(), json!("stopped"));
            }
        }
        Ok(Value::Object(object))
    },
};

/// What a configuration says of a machine.
pub(crate) fn summary(empty: Summary, main: &Section) -> Summary {
    let memory = memory_mib(main);
    let balloon = main.number("balloon").filter(|least| *least > 0 && *least < memory);
    Summary {
        cpus: cpus(main),
        maxmem: memory << 20,
        maxdisk: boot_disk(main),
        serial: main.indexed("serial").next().is_some(),
        agent: agent_enabled(main),
        spice: main.get("vga").is_some_and(|vga| vga.split(',').any(|part| part.contains("qxl"))),
        balloon: balloon.map(|least| (least << 20, main.number("shares"))),
        ..empty
    }
}

/// The fields that lists have; `full` adds what the monitor is asked for.
fn status(
    vmid: Vmid,
    summary: &Summary,
    live: Option<&Live>,
    meter: &Meter<'_>,
    full: bool,
) -> Map<String, Value> {
    let mut row = summary.row(vmid);
    let usage = live.map(|live| meter.read(vmid, summary, live)).unwrap_or_default();
    let mut put = |key: &str, value: Value| {
        row.insert(key.to_owned(), value);
    };
    let state = if live.is_some() { "running" } else { "stopped" };
    put("status", json!(state));
    if full {
        put("qmpstatus", json!(state));
    }
    if let Some(live) = live {
        put("pid", json!(live.process.pid));
    }
    put("cpu", if live.is_some() { json!(usage.cpu) } else { json!(0) });
    for (key, number) in [
        ("uptime", live.map_or(0, Live::uptime)),
        ("mem", usage.mem),
        ("disk", 0),
        ("netin", usage.netin),
        ("netout", usage.netout),
    ] {
        put(key, json!(number));
    }
    if summary.serial {
        put("serial", json!(1));
    }
    if let Some((least, shares)) = summary.balloon {
        put("balloon_min", json!(least));
        shares.into_iter().for_each(|shares| put("shares", json!(shares)));
    }
    row
}

/// `memory`, in MiB.
fn memory_mib(main: &Section) -> u64 {
    let value = main.get("memory").and_then(|value| property::parse(value, &qemu::MEMORY).ok());
    value.and_then(|parts| parts.number("current")).unwrap_or(512)
}

/// The CPUs that it has; none for as many as the host, where it is given more.
fn cpus(main: &Section) -> Option<u64> {
    let number = |key: &str| main.number(key).filter(|number| *number > 0);
    let all = number("sockets").or_else(|| number("smp")).unwrap_or(1) * number("cores").unwrap_or(1);
    number("vcpus").or_else(|| Some(all).filter(|all| *all <= host::cpus()))
}

pub(crate) fn agent_enabled(main: &Section) -> bool {
    let agent = main.get("agent").and_then(|value| property::parse(value, &qemu::AGENT).ok());
    agent.is_some_and(|agent| agent.flag("enabled", false))
}

/// The size of the first disk that it boots from.
fn boot_disk(main: &Section) -> u64 {
    let order = main.get("boot").and_then(|value| property::parse(value, &qemu::BOOT).ok());
    let order = order.and_then(|boot| boot.get("order").map(str::to_owned)).unwrap_or_default();
    let named = order.split(';').map(str::to_owned).filter(|key| ::config::format::is_drive_name(key));
    let bootdisk = main.get("bootdisk").map(str::to_owned);
    let disks = named.chain(bootdisk).chain(boot_keys());
    disks.filter_map(|key| disk_size(main.get(&key)?)).next().unwrap_or(0)
}

fn disk_size(value: &str) -> Option<u64> {
    let parts = property::parse(value, &IDE).ok();
    match parts {
        Some(parts) if parts.get("media") == Some("cdrom") => None,
        Some(parts) => Some(parts.size("size").unwrap_or(0)),
        // A key that only other buses have: the size is read all the same.
        None => {
            let size = value.split(',').find_map(|part| part.strip_prefix("size="));
            Some(size.and_then(text::parse_size).unwrap_or(0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn main(pairs: &[(&str, &str)]) -> Section {
        let mut section = Section::default();
        pairs.iter().for_each(|(key, value)| section.set(key, *value));
        section
    }

    #[test]
    fn the_boot_disk_is_the_first_disk_of_the_order() {
        let disks = [
            ("ide2", "local:iso/x.iso,media=cdrom,size=9G"),
            ("scsi0", "local:100/vm-100-disk-0.raw,iothread=1,size=4G"),
            ("virtio0", "local:100/vm-100-disk-1.raw,size=1M"),
        ];
        for (boot, want) in [
            (Some("order=ide2;virtio0;scsi0"), 1 << 20),
            (Some("order=net0"), 4 << 30),
            (Some(""), 4 << 30),
            (None, 4 << 30),
        ] {
            let mut section = main(&disks);
            if let Some(boot) = boot {
                section.set("boot", boot);
            }
            assert_eq!(boot_disk(&section), want, "{boot:?}");
        }
        assert_eq!(boot_disk(&main(&[])), 0);
    }

    #[test]
    fn memory_is_a_number_or_a_property() {
        for (value, want) in [("64", 64), ("current=128", 128), ("nonsense", 512)] {
            assert_eq!(memory_mib(&main(&[("memory", value)])), want);
        }
    }
}
