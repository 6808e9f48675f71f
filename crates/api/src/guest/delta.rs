//! A change of a guest's configuration, as data: what is set, deleted and reverted. Laying it on a configuration is
//! pure; what of it needs the host (new volumes, hookscripts) is done before.

use config::options::{self, Plug};
use config::{GuestConfig, pending};
use model::GuestKind;
use std::collections::{BTreeMap, BTreeSet};

/// A change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Delta {
    /// New values by key.
    pub(crate) set: BTreeMap<String, String>,
    /// Keys to take away.
    pub(crate) delete: BTreeSet<String>,
    /// Whether the volumes of deleted drives go too.
    pub(crate) force: bool,
    /// Keys whose pending changes are dropped.
    pub(crate) revert: BTreeSet<String>,
}

impl Delta {
    /// Lays the change on a configuration: at once where the option allows it, else among what is pending. Says the
    /// keys that were to be deleted and are not there.
    pub(crate) fn apply(&self, config: &mut GuestConfig) -> Vec<String> {
        let kind = config.kind;
        let mut absent = Vec::new();
        let mut deletes: BTreeMap<String, bool> =
            pending::deletes(&config.pending).into_iter().map(|(key, force)| (key.to_owned(), force)).collect();
        for key in &self.revert {
            deletes.remove(key);
            config.pending.remove(key);
        }
        for key in &self.delete {
            let waiting = config.pending.remove(key).is_some();
            let there = has(config, key);
            if !there {
                if !waiting {
                    absent.push(key.clone());
                }
            } else if at_once(kind, key) {
                remove(config, key);
            } else {
                deletes.insert(key.clone(), self.force);
            }
        }
        for (key, value) in &self.set {
            deletes.remove(key);
            config.pending.remove(key);
            if at_once(kind, key) {
                set(config, key, value);
            } else if config.main.get(key) != Some(value.as_str()) {
                config.pending.set(key, value.clone());
            }
        }
        pending::set_deletes(&mut config.pending, &deletes);
        absent
    }
}

fn at_once(kind: GuestKind, key: &str) -> bool {
    options::plug(kind, key) == Plug::Fast
}

fn has(config: &GuestConfig, key: &str) -> bool {
    match key {
        "description" => config.main.description.is_some(),
        key => config.main.get(key).is_some() || config.main.not_understood(key).next().is_some(),
    }
}

/// Takes a key away from what holds.
pub(crate) fn remove(config: &mut GuestConfig, key: &str) {
    match key {
        "description" => config.main.description = None,
        key => {
            config.main.remove(key);
        }
    }
}

/// Sets a key in what holds. A description that says nothing is none.
pub(crate) fn set(config: &mut GuestConfig, key: &str, value: &str) {
    match key {
        "description" => config.main.description = Some(value.to_owned()).filter(|text| !text.is_empty()),
        key => config.main.set(key, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(main: &[(&str, &str)], pending: &[(&str, &str)]) -> GuestConfig {
        let mut config = GuestConfig::new(GuestKind::Qemu);
        main.iter().for_each(|(key, value)| config.main.set(key, *value));
        pending.iter().for_each(|(key, value)| config.pending.set(key, *value));
        config
    }

    fn delta(set: &[(&str, &str)], delete: &[&str], revert: &[&str]) -> Delta {
        Delta {
            set: set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            delete: delete.iter().map(|key| (*key).to_owned()).collect(),
            revert: revert.iter().map(|key| (*key).to_owned()).collect(),
            force: false,
        }
    }

    fn shown(config: &GuestConfig) -> (String, String) {
        let join = |section: &config::Section| {
            let pairs: Vec<String> =
                section.options.iter().map(|(key, value)| format!("{key}={value}")).collect();
            pairs.join(" ")
        };
        (join(&config.main), join(&config.pending))
    }

    #[test]
    fn names_change_at_once_and_memory_at_the_next_start() {
        let mut config = config(&[("memory", "64"), ("name", "t100")], &[]);
        let absent = delta(&[("memory", "128"), ("name", "renamed")], &[], &[]).apply(&mut config);
        assert_eq!(shown(&config), ("memory=64 name=renamed".into(), "memory=128".into()));
        assert!(absent.is_empty());
    }

    #[test]
    fn a_pending_change_can_be_reverted_replaced_and_undone() {
        let start = config(&[("memory", "64"), ("cores", "1")], &[("memory", "128"), ("delete", "cores")]);
        for (change, pending) in [
            (delta(&[], &[], &["memory"]), "delete=cores"),
            (delta(&[], &[], &["memory", "cores"]), ""),
            (delta(&[("memory", "256")], &[], &[]), "delete=cores memory=256"),
            (delta(&[("memory", "64")], &[], &[]), "delete=cores"),
            (delta(&[("cores", "2")], &[], &[]), "cores=2 memory=128"),
            (delta(&[], &["memory"], &[]), "delete=cores,memory"),
        ] {
            let mut config = start.clone();
            change.apply(&mut config);
            assert_eq!(shown(&config).1, pending, "{change:?}");
        }
    }

    #[test]
    fn what_is_not_there_cannot_be_deleted() {
        let mut config = config(&[("hookscript", "local:snippets/h.sh")], &[("vga", "std")]);
        let absent = delta(&[], &["hookscript", "vga", "tags"], &[]).apply(&mut config);
        assert_eq!(absent, ["tags"]);
        assert_eq!(shown(&config), (String::new(), String::new()));
    }
}
