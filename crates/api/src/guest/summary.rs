//! What lists tell of a guest's configuration. It is worked out once for each state of the file, so that a list of a
//! thousand guests costs a look at each file and no more.

use crate::nodes::{lxc, qemu};
use crate::{ApiError, Context, host};
use config::{GuestConfig, Section};
use model::{GuestKind, Vmid};
use serde_json::{Map, Value, json};
use std::io::ErrorKind;
use std::sync::{Arc, LazyLock};
use store::{FileCache, StoreError};

/// What a configuration says of a guest's size and state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) kind: GuestKind,
    pub(crate) name: String,
    /// CPUs; none for as many as the host has.
    pub(crate) cpus: Option<u64>,
    /// Bytes of memory, of swap, of the first disk.
    pub(crate) maxmem: u64,
    pub(crate) maxswap: u64,
    pub(crate) maxdisk: u64,
    pub(crate) template: bool,
    pub(crate) lock: Option<String>,
    pub(crate) tags: Option<String>,
    pub(crate) serial: bool,
    pub(crate) agent: bool,
    pub(crate) spice: bool,
    /// The least memory that a balloon may leave, in bytes, and how much a guest's wish for more counts.
    pub(crate) balloon: Option<(u64, Option<u64>)>,
}

/// By path, so that every root of this process has its own.
static SUMMARIES: LazyLock<FileCache<Summary>> = LazyLock::new(FileCache::default);

impl Summary {
    /// Of a configuration.
    pub(crate) fn new(vmid: Vmid, config: &GuestConfig) -> Self {
        let main = &config.main;
        let text = |key: &str| main.get(key).map(str::to_owned);
        let empty = Self {
            kind: config.kind,
            name: name(config.kind, vmid, main),
            cpus: None,
            maxmem: 0,
            maxswap: 0,
            maxdisk: 0,
            template: main.flag("template", false),
            lock: text("lock"),
            tags: text("tags"),
            serial: false,
            agent: false,
            spice: false,
            balloon: None,
        };
        match config.kind {
            GuestKind::Qemu => qemu::status::summary(empty, main),
            GuestKind::Lxc => lxc::status::summary(empty, main),
        }
    }

    /// The CPUs that it has on this host.
    pub(crate) fn cpus(&self) -> u64 {
        self.cpus.unwrap_or_else(host::cpus)
    }

    /// What all rows about it have.
    pub(crate) fn row(&self, vmid: Vmid) -> Map<String, Value> {
        let mut row = Map::with_capacity(24);
        let mut put = |key: &str, value: Value| {
            row.insert(key.to_owned(), value);
        };
        put("vmid", json!(vmid.get()));
        put("name", json!(self.name));
        put("cpus", json!(self.cpus()));
        put("maxmem", json!(self.maxmem));
        put("maxdisk", json!(self.maxdisk));
        for (key, value) in [("lock", &self.lock), ("tags", &self.tags)] {
            value.iter().for_each(|value| put(key, json!(value)));
        }
        if self.template {
            put("template", json!(1));
        }
        row
    }
}

fn name(kind: GuestKind, vmid: Vmid, main: &Section) -> String {
    let (key, prefix) = match kind {
        GuestKind::Qemu => ("name", "VM "),
        GuestKind::Lxc => ("hostname", "CT"),
    };
    main.get(key).map_or_else(|| format!("{prefix}{vmid}"), str::to_owned)
}

/// A guest that a list has.
pub(crate) type Listed = (Vmid, Arc<Summary>);

/// The guests of this node that the caller may see, by number.
///
/// # Errors
/// A folder or file that cannot be read. A guest that goes away meanwhile is none.
pub(crate) fn visible(context: &Context<'_>, kind: Option<GuestKind>) -> Result<Vec<Listed>, ApiError> {
    let mut guests = Vec::new();
    for (vmid, there) in context.store.list()? {
        let wanted = kind.is_none_or(|kind| kind == there);
        if !wanted || !context.authority.has_any(&format!("/vms/{vmid}"), &["VM.Audit"]) {
            continue;
        }
        let path = context.store.layout().guest_config(context.node(), there, vmid);
        match SUMMARIES.get(&path, |raw| Summary::new(vmid, &config::parse(there, vmid, raw).0)) {
            Ok(summary) => guests.push((vmid, summary)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(StoreError::Io { action: "read", path, source }.into()),
        }
    }
    Ok(guests)
}
