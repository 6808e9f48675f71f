use super::{Build, CommandError, MonitorCommand, Slot, Value, props::Props};
use serde_json::json;
use std::path::PathBuf;

/// The memory in MiB that a configuration gives its guest.
pub(crate) fn megabytes(main: &config::Section) -> Result<u64, CommandError> {
    let props = Props::of(main, "memory")?;
    Ok(props.number("current").unwrap_or(512))
}

/// One NUMA node.
struct Node {
    cpus: String,
    memory: u64,
    binding: Option<(String, String)>,
}

impl Build<'_> {
    pub(super) fn memory(&mut self) -> Result<(), CommandError> {
        let total = megabytes(self.main)?;
        self.option("-m", Value::new(total.to_string()));
        let hugepages = self.main.get("hugepages");
        if !self.main.flag("numa", false) {
            if hugepages.is_some() {
                return Err(CommandError::HugepagesWithoutNuma);
            }
            return Ok(());
        }
        let mut nodes = self.configured_nodes()?;
        if nodes.is_empty() {
            nodes = self.nodes_by_socket(total);
        } else if nodes.iter().map(|node| node.memory).sum::<u64>() != total {
            return Err(CommandError::NumaMemory);
        }
        for (number, node) in nodes.into_iter().enumerate() {
            let id = format!("ram-node{number}");
            let mut object = match hugepages {
                None => Value::new("memory-backend-ram")
                    .set("id", &id)
                    .set("size", format_args!("{}M", node.memory)),
                Some(size) => Value::new("memory-backend-file")
                    .set("id", &id)
                    .set("size", format_args!("{}M", node.memory))
                    .path("mem-path", &self.hugepage_folder(size, node.memory)?)
                    .raw("share=on,prealloc=yes"),
            };
            if let Some((hosts, policy)) = node.binding {
                for host in hosts.split(';') {
                    object = object.set("host-nodes", host);
                }
                object = object.set("policy", policy);
            }
            self.option("-object", object);
            let mut place = Value::new(format!("node,nodeid={number}"));
            for cpus in node.cpus.split(';').filter(|cpus| !cpus.is_empty()) {
                place = place.set("cpus", cpus);
            }
            self.option("-numa", place.set("memdev", id));
        }
        Ok(())
    }

    fn configured_nodes(&self) -> Result<Vec<Node>, CommandError> {
        let mut nodes = Vec::new();
        for (index, text) in self.main.indexed("numa") {
            let key = format!("numa{index}");
            let props = Props::parse(&key, text)?;
            let cpus =
                props.get("cpus").ok_or_else(|| CommandError::invalid(&key, "missing 'cpus'"))?.to_owned();
            let memory =
                props.number("memory").ok_or_else(|| CommandError::invalid(&key, "missing 'memory'"))?;
            let binding = match (props.get("hostnodes"), props.get("policy")) {
                (Some(hosts), Some(policy)) => Some((hosts.to_owned(), policy.to_owned())),
                (Some(_), None) => return Err(CommandError::invalid(&key, "'hostnodes' needs a 'policy'")),
                (None, _) => None,
            };
            nodes.push(Node { cpus, memory, binding });
        }
        Ok(nodes)
    }

    /// A node for each socket, the memory shared out evenly.
    fn nodes_by_socket(&self, total: u64) -> Vec<Node> {
        (0..self.sockets)
            .map(|socket| {
                let (first, last) = (socket * self.cores, (socket + 1) * self.cores - 1);
                let cpus = if first == last { first.to_string() } else { format!("{first}-{last}") };
                let rest = if socket == 0 { total % self.sockets } else { 0 };
                Node { cpus, memory: total / self.sockets + rest, binding: None }
            })
            .collect()
    }

    fn hugepage_folder(&self, size: &str, node_memory: u64) -> Result<PathBuf, CommandError> {
        let sizes: &[u64] = match size {
            "2" => &[2],
            "1024" => &[1024],
            "any" => &[1024, 2],
            other => {
                return Err(CommandError::invalid(
                    "hugepages",
                    format!("value '{other}' is not any, 2 or 1024"),
                ));
            }
        };
        let fitting: Vec<u64> =
            sizes.iter().copied().filter(|size| node_memory.is_multiple_of(*size)).collect();
        if fitting.is_empty() {
            return Err(CommandError::invalid(
                "hugepages",
                format!("{node_memory} MiB are no whole number of pages"),
            ));
        }
        fitting.iter().find_map(|size| self.facts.lookup.hugepages(size * 1024)).ok_or_else(|| {
            let kib = fitting[0] * 1024;
            CommandError::missing("hugepages", format!("no hugetlbfs with pages of {kib} KiB is mounted"))
        })
    }

    /// The balloon, whose size the monitor sets.
    pub(super) fn balloon(&mut self) -> Result<(), CommandError> {
        let total = megabytes(self.main)?;
        let size = self.whole("balloon")?;
        if size == Some(0) {
            return Ok(());
        }
        let mut device = self.buses.put(Value::new("virtio-balloon-pci,id=balloon0"), Slot::Balloon);
        if self.machine.at_least(6, 2) {
            device = device.raw("free-page-reporting=on");
        }
        self.device(device);
        if let Some(size) = size.filter(|size| *size < total) {
            self.setup.push(MonitorCommand { name: "balloon", arguments: json!({ "value": size << 20 }) });
        }
        self.setup.push(MonitorCommand {
            name: "qom-set",
            arguments: json!({
                "path": "/machine/peripheral/balloon0", "property": "guest-stats-polling-interval", "value": 2
            }),
        });
        if self.main.get("shares").is_some() {
            self.warn("shares: memory is not moved between guests; 'balloon' stays as it is set");
        }
        Ok(())
    }

    /// Memory that guests of one name share.
    pub(super) fn shared_memory(&mut self) -> Result<(), CommandError> {
        let Some(text) = self.main.get("ivshmem") else { return Ok(()) };
        let props = Props::parse("ivshmem", text)?;
        let size = props.number("size").ok_or_else(|| CommandError::invalid("ivshmem", "missing 'size'"))?;
        let tag = self.facts.layout.tag().map(|tag| format!("{tag}-")).unwrap_or_default();
        let folder = std::path::Path::new("/dev/shm");
        let path = match props.get("name") {
            // Other guests may use memory with a name of its own; it is nobody's to remove.
            Some(name) => folder.join(format!("pve-shm-{tag}{name}")),
            None => {
                let path = folder.join(format!("pve-shm-{tag}{}", self.vmid));
                self.files.push(path.clone());
                path
            }
        };
        self.device_at(Value::new("ivshmem-plain,memdev=ivshmem"), Slot::SharedMemory);
        self.option(
            "-object",
            Value::new("memory-backend-file,id=ivshmem,share=on")
                .path("mem-path", &path)
                .set("size", format_args!("{size}M")),
        );
        Ok(())
    }
}
