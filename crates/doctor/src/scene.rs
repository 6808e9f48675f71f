//! What checks look at: a root and its guests.

use config::GuestConfig;
use model::{GuestKind, Layout, Vmid};
use storage::Storages;
use store::ConfigStore;

/// A guest with its configuration.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) vmid: Vmid,
    pub(crate) kind: GuestKind,
    pub(crate) config: GuestConfig,
}

impl Guest {
    /// The program that changes it.
    pub(crate) fn program(&self) -> &'static str {
        program(self.kind)
    }
}

/// The program that changes guests of a kind.
pub(crate) fn program(kind: GuestKind) -> &'static str {
    match kind {
        GuestKind::Qemu => "qm",
        GuestKind::Lxc => "pct",
    }
}

/// A root and its guests.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) layout: Layout,
    /// Its configuration, or why there is none.
    pub(crate) store: Result<ConfigStore, String>,
    /// Why the guests could not be listed.
    pub(crate) broken: Option<String>,
    pub(crate) guests: Vec<Guest>,
}

impl Scene {
    /// Looks at it.
    pub(crate) fn look(layout: &Layout) -> Self {
        let mut scene = Self::bare(layout);
        scene.store = ConfigStore::open(layout.clone()).map_err(|error| error.to_string());
        let Ok(store) = &scene.store else { return scene };
        match store.list() {
            Ok(list) => {
                let read = |(vmid, kind)| Some(Guest { vmid, kind, config: store.read(kind, vmid).ok()? });
                scene.guests = list.into_iter().filter_map(read).collect();
            }
            Err(error) => scene.broken = Some(error.to_string()),
        }
        scene
    }

    /// One that nothing is known of.
    pub(crate) fn bare(layout: &Layout) -> Self {
        let store = Err("its configuration has not been read".to_owned());
        Self { layout: layout.clone(), store, broken: None, guests: Vec::new() }
    }

    pub(crate) fn of(&self, kind: GuestKind) -> impl Iterator<Item = &Guest> {
        self.guests.iter().filter(move |guest| guest.kind == kind)
    }

    /// Whether something is needed that guests of a kind need: some are there, or nobody can tell yet.
    pub(crate) fn needs(&self, kind: GuestKind) -> bool {
        self.guests.is_empty() || self.of(kind).next().is_some()
    }

    /// Whether a guest of a kind needs something, as its configuration tells.
    pub(crate) fn any(&self, kind: GuestKind, wants: impl Fn(&config::Section) -> bool) -> bool {
        self.of(kind).any(|guest| wants(&guest.config.main))
    }

    /// The storages; none where they cannot be read.
    pub(crate) fn storages(&self) -> Option<Storages> {
        Storages::load(self.store.as_ref().ok()?).ok()
    }
}
