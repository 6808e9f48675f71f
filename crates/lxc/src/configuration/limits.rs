//! Memory, swap and processors.

use super::{ConfigurationError, Made};
use crate::cgroup::Version;

impl Made<'_> {
    pub(super) fn limits(&mut self) -> Result<(), ConfigurationError> {
        self.memory()?;
        self.processors()
    }

    fn memory(&mut self) -> Result<(), ConfigurationError> {
        let memory = self.number("memory")?.unwrap_or(512).saturating_mul(1 << 20);
        let swap = self.number("swap")?.unwrap_or(0).saturating_mul(1 << 20);
        match self.controller("memory", "memory")? {
            None => {}
            Some(Version::V1) => {
                self.text.set("lxc.cgroup.memory.limit_in_bytes", memory.to_string())?;
                if self.facts.cgroups.swap_accounting {
                    let both = memory.saturating_add(swap);
                    self.text.set("lxc.cgroup.memory.memsw.limit_in_bytes", both.to_string())?;
                } else if self.section.get("swap").is_some() {
                    self.warnings
                        .push("swap: this kernel does not account for swap, so it is not limited".to_owned());
                }
            }
            Some(Version::V2) => {
                self.text.set("lxc.cgroup2.memory.max", memory.to_string())?;
                self.text.set("lxc.cgroup2.memory.swap.max", swap.to_string())?;
            }
        }
        Ok(())
    }

    fn processors(&mut self) -> Result<(), ConfigurationError> {
        let units = self.number("cpuunits")?;
        match self.controller("cpuunits", "cpu")? {
            None => {}
            Some(Version::V1) => {
                let shares = units.unwrap_or(1024).clamp(2, 262_144);
                self.text.set("lxc.cgroup.cpu.shares", shares.to_string())?;
            }
            Some(Version::V2) => {
                let weight = units.unwrap_or(100).clamp(1, 10_000);
                self.text.set("lxc.cgroup2.cpu.weight", weight.to_string())?;
            }
        }
        let limit = match self.section.get("cpulimit") {
            None => 0.0,
            Some(text) => {
                text.parse::<f64>().ok().filter(|limit| (0.0..=8192.0).contains(limit)).ok_or_else(|| {
                    ConfigurationError::Value {
                        key: "cpulimit".to_owned(),
                        value: text.to_owned(),
                        expected: "a number up to 8192",
                    }
                })?
            }
        };
        if limit > 0.0 {
            // In microseconds per period, as the kernel counts; at least the millisecond that it asks for.
            let quota = ((limit * 100_000.0).round() as u64).max(1000);
            match self.controller("cpulimit", "cpu")? {
                None => {}
                Some(Version::V1) => {
                    self.text.set("lxc.cgroup.cpu.cfs_period_us", "100000")?;
                    self.text.set("lxc.cgroup.cpu.cfs_quota_us", quota.to_string())?;
                }
                Some(Version::V2) => self.text.set("lxc.cgroup2.cpu.max", format!("{quota} 100000"))?,
            }
        }
        self.cores()
    }

    /// Containers are spread over the processors by their VMID.
    fn cores(&mut self) -> Result<(), ConfigurationError> {
        let Some(cores) = self.number("cores")? else { return Ok(()) };
        let cpus = &self.facts.cpus;
        let cores = usize::try_from(cores).unwrap_or(usize::MAX);
        if cores == 0 || cores >= cpus.len() {
            return Ok(());
        }
        let first = self.vmid.get() as usize * cores % cpus.len();
        let mut chosen: Vec<u32> = cpus.iter().copied().cycle().skip(first).take(cores).collect();
        chosen.sort_unstable();
        let list = chosen.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        match self.controller("cores", "cpuset")? {
            None => Ok(()),
            Some(Version::V1) => self.text.set("lxc.cgroup.cpuset.cpus", list),
            Some(Version::V2) => self.text.set("lxc.cgroup2.cpuset.cpus", list),
        }
    }

    fn number(&self, key: &'static str) -> Result<Option<u64>, ConfigurationError> {
        let Some(text) = self.section.get(key) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| ConfigurationError::Value {
            key: key.to_owned(),
            value: text.to_owned(),
            expected: "a whole number",
        })
    }

    /// Where a controller is. It may be missing only where the option that needs it is left at its default.
    fn controller(&self, key: &str, controller: &'static str) -> Result<Option<Version>, ConfigurationError> {
        let found = self.facts.cgroups.controller(controller);
        if found.is_none() && self.section.get(key).is_some() {
            return Err(ConfigurationError::NoController { key: key.to_owned(), controller });
        }
        Ok(found)
    }
}
