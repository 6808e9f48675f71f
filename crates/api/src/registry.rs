//! Every method there is.

use crate::access::{acl, domains, groups, password, permissions, roles, ticket, tokens, users};
use crate::cluster::{self, backup, ha, nextid, none, options, resources};
use crate::extension::{approvals, events, hooks, log, recover, runs, status};
use crate::index::INDEX;
use crate::method::{Method, Scope, Verb};
use crate::nodes::qemu::{agent, agent_commands, agent_files};
use crate::nodes::{self, all, feature, journal, lxc, network, qemu, snapshot, storage, tasks};
use crate::pools::{self, change};
use crate::{storage_cfg, version};
use std::collections::BTreeSet;

/// All methods, sorted by path, then by verb in the order of [`Verb`].
pub static METHODS: &[&Method] = &[
    &acl::READ,
    &acl::UPDATE,
    &domains::LIST,
    &groups::LIST,
    &groups::CREATE,
    &groups::READ,
    &groups::UPDATE,
    &groups::DELETE,
    &password::CHANGE,
    &permissions::READ,
    &roles::LIST,
    &roles::CREATE,
    &roles::READ,
    &roles::UPDATE,
    &roles::DELETE,
    &ticket::READ,
    &ticket::CREATE,
    &users::LIST,
    &users::CREATE,
    &users::READ,
    &users::UPDATE,
    &users::DELETE,
    &tokens::LIST,
    &tokens::READ,
    &tokens::UPDATE,
    &tokens::CREATE,
    &tokens::DELETE,
    &none::BACKUP,
    &backup::NOT_BACKED_UP,
    &none::HA_GROUPS,
    &none::HA_RESOURCES,
    &ha::RESOURCE,
    &none::HA_RULES,
    &ha::CURRENT,
    &ha::MANAGER,
    &none::REALM_SYNC,
    &cluster::log::LOG,
    &nextid::GET,
    &options::GET,
    &options::SET,
    &none::REPLICATION,
    &resources::LIST,
    &cluster::status::GET,
    &tasks::list::OF_CLUSTER,
    &approvals::LIST,
    &approvals::APPROVE,
    &approvals::WITHDRAW,
    &events::EVENTS,
    &hooks::HISTORY,
    &hooks::ABORT,
    &runs::RUN,
    &log::LOG,
    &recover::RECOVER,
    &status::STATUS,
    &nodes::list::LIST,
    &nodes::host::DNS,
    &nodes::host::HOSTS,
    &journal::JOURNAL,
    &lxc::status::LIST,
    &lxc::create::CREATE,
    &lxc::destroy::DESTROY,
    &lxc::config::READ,
    &lxc::config::UPDATE,
    &lxc::exec::ENTER,
    &lxc::exec::EXEC,
    &feature::OF_CONTAINER,
    &lxc::interfaces::LIST,
    &lxc::config::PENDING,
    &lxc::disk::RESIZE,
    &snapshot::OF_CONTAINER,
    &lxc::status::CURRENT,
    &lxc::power::REBOOT,
    &lxc::suspend::RESUME,
    &lxc::power::SHUTDOWN,
    &lxc::power::START,
    &lxc::power::STOP,
    &lxc::suspend::SUSPEND,
    &lxc::status::OF_COMMAND,
    &lxc::config::UNLOCK,
    &network::LIST,
    &qemu::status::LIST,
    &qemu::create::CREATE,
    &qemu::destroy::DESTROY,
    &qemu::agent::COMMAND,
    &agent::EXEC,
    &agent::EXEC_STATUS,
    &agent_files::READ,
    &agent_files::WRITE,
    &agent_commands::FSFREEZE_FREEZE,
    &agent_commands::FSFREEZE_STATUS,
    &agent_commands::FSFREEZE_THAW,
    &agent_commands::FSTRIM,
    &agent_commands::GET_FSINFO,
    &agent_commands::GET_HOST_NAME,
    &agent_commands::GET_MEMORY_BLOCK_INFO,
    &agent_commands::GET_MEMORY_BLOCKS,
    &agent_commands::GET_OSINFO,
    &agent_commands::GET_TIME,
    &agent_commands::GET_TIMEZONE,
    &agent_commands::GET_USERS,
    &agent_commands::GET_VCPUS,
    &agent_commands::INFO,
    &agent_commands::NETWORK_GET_INTERFACES,
    &agent_commands::PING,
    &agent_files::PASSWORD,
    &agent_commands::SHUTDOWN,
    &agent_commands::SUSPEND_DISK,
    &agent_commands::SUSPEND_HYBRID,
    &agent_commands::SUSPEND_RAM,
    &qemu::config::READ,
    &qemu::config::UPDATE,
    &qemu::config::UPDATE_TASK,
    &feature::OF_MACHINE,
    &qemu::agent::EXEC_AND_WAIT,
    &qemu::config::PENDING,
    &qemu::disk::RESIZE,
    &qemu::showcmd::SHOWCMD,
    &snapshot::OF_MACHINE,
    &qemu::status::CURRENT,
    &qemu::power::REBOOT,
    &qemu::power::RESET,
    &qemu::power::RESUME,
    &qemu::power::SHUTDOWN,
    &qemu::power::START,
    &qemu::power::STOP,
    &qemu::power::SUSPEND,
    &qemu::status::OF_COMMAND,
    &qemu::disk::UNLINK,
    &qemu::config::UNLOCK,
    &qemu::wait::WAIT,
    &none::NODE_REPLICATION,
    &all::start::START,
    &nodes::status::STATUS,
    &nodes::power::POWER,
    &all::stop::STOP,
    &storage::status::STATUS,
    &storage::content::PATH,
    &storage::content::LIST,
    &storage::content::ALLOC,
    &storage::volume::READ,
    &storage::volume::CHANGE,
    &storage::content::FREE,
    &storage::download::DOWNLOAD,
    &storage::status::OF_ONE,
    &storage::upload::UPLOAD,
    &nodes::host::SUBSCRIPTION,
    &journal::SYSLOG,
    &tasks::list::LIST,
    &tasks::end::END,
    &tasks::log::LOG,
    &tasks::status::STATUS,
    &nodes::host::TIME,
    &nodes::power::ZONE,
    &version::OF_NODE,
    &pools::LIST,
    &change::UPDATE,
    &change::CREATE,
    &change::DELETE,
    &pools::READ,
    &change::UPDATE_ONE,
    &change::DELETE_ONE,
    &storage_cfg::LIST,
    &storage_cfg::ADD,
    &storage_cfg::READ,
    &storage_cfg::SET,
    &storage_cfg::REMOVE,
    &version::GET,
];

/// A method and the values of the parameters in its path.
#[derive(Debug)]
pub struct Found {
    /// The method.
    pub method: &'static Method,
    /// Name and value of each path parameter.
    pub parameters: Vec<(&'static str, String)>,
}

/// All methods: those of the table, then the index.
pub fn methods() -> impl Iterator<Item = &'static Method> {
    METHODS.iter().copied().chain(INDEX.iter())
}

/// What stands directly below a path: names, and parameters in their braces. None where no method is at or below it.
#[must_use]
pub fn below(path: &str) -> Option<BTreeSet<&'static str>> {
    let mut found = None;
    for method in METHODS.iter().filter(|method| method.scope != Scope::Command) {
        let mut template = method.path.split('/').filter(|part| !part.is_empty());
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let inside =
            parts.all(|part| template.next().is_some_and(|there| there == part || there.starts_with('{')));
        if inside {
            found.get_or_insert_with(BTreeSet::new).extend(template.next());
        }
    }
    found
}

/// The method that a path and verb name; commands that are for the command line alone have none.
///
/// `{volume}` takes the rest of a path, slashes included.
#[must_use]
pub fn find(verb: Verb, path: &str) -> Option<Found> {
    methods()
        .filter(|method| method.verb == verb && method.scope != Scope::Command)
        .find_map(|method| Some(Found { method, parameters: matching(method.path, path)? }))
}

fn matching(template: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let mut found = Vec::new();
    for segment in template.split('/').filter(|segment| !segment.is_empty()) {
        let part = parts.next()?;
        match segment.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')) {
            Some("volume") => {
                let rest: Vec<&str> = std::iter::once(part).chain(parts.by_ref()).collect();
                found.push(("volume", rest.join("/")));
            }
            Some(name) => found.push((name, part.to_owned())),
            None if segment == part => {}
            None => return None,
        }
    }
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_sorted_and_unique() {
        for pair in METHODS.windows(2) {
            let key = |method: &Method| (method.path, method.verb);
            assert!(key(pair[0]) < key(pair[1]), "{} {}", pair[1].verb, pair[1].path);
        }
    }

    #[test]
    fn every_method_and_parameter_is_described_in_a_sentence() {
        for method in methods() {
            let sentence = |text: &str| text.len() > 10 && text.ends_with('.');
            assert!(sentence(method.description), "{}", method.path);
            for property in method.properties() {
                assert!(!property.description.is_empty(), "{} {}", method.path, property.name);
            }
        }
    }

    #[test]
    fn a_time_that_something_may_take_names_its_unit() {
        for method in methods() {
            for property in
                method.properties().filter(|property| ["timeout", "delay"].contains(&property.name))
            {
                let names = property.description.to_lowercase().contains("seconds");
                assert!(names, "{} {}: {}", method.path, property.name, property.description);
            }
        }
    }

    #[test]
    fn path_parameters_are_declared_and_names_are_unique() {
        for method in methods() {
            let mut names = BTreeSet::new();
            for property in method.properties() {
                assert!(names.insert(property.schema_name()), "{} {}", method.path, property.name);
            }
            for segment in method.path.split('/').filter_map(|segment| segment.strip_prefix('{')) {
                let name = segment.trim_end_matches('}');
                assert!(names.contains(name), "{} {name}", method.path);
            }
        }
    }

    /// A method that starts, stops, makes or removes returns a task.
    #[test]
    fn what_a_task_does_returns_its_id() {
        for method in METHODS.iter().filter(|method| method.path.contains("/status/")) {
            let reads = method.verb == Verb::Get;
            assert_eq!(method.returns == crate::Returns::Upid, !reads, "{}", method.path);
        }
    }

    #[test]
    fn a_path_finds_its_method() {
        let found = find(Verb::Post, "/nodes/pve1/qemu/100/status/start").unwrap();
        assert!(std::ptr::eq(found.method, &qemu::power::START));
        assert_eq!(found.parameters, [("node", "pve1".to_owned()), ("vmid", "100".to_owned())]);
        let found = find(Verb::Delete, "/nodes/pve1/storage/local/content/snippets/hook.sh").unwrap();
        assert_eq!(found.parameters.last().unwrap().1, "snippets/hook.sh");
        assert!(find(Verb::Get, "/nodes/pve1/qemu/100/status/start").is_none());
        assert!(find(Verb::Get, "/nodes/pve1/qemu/100/nope").is_none());
    }
}
