//! What a container's own files say of its configuration: host name, name servers, network, time zone.
//!
//! They are written when a container is made, and again before a start where its configuration may have changed since.
//! Blocks of them carry the marks by which Proxmox VE knows its own, so a container can go back and forth.

use super::{Inside, interfaces};
use crate::configuration::{Address, ConfigurationError, address};
use crate::fields;
use config::{Section, text};
use model::Vmid;
use std::fs;
use std::io;

const BEGIN: &str = "# --- BEGIN PVE ---";
const END: &str = "# --- END PVE ---";

/// What the files say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The name of the container, with or without its domain.
    pub hostname: String,
    /// Its name servers; none: the host's.
    pub nameservers: Vec<String>,
    /// Its search domains; none: the host's.
    pub searchdomains: Vec<String>,
    /// `host`, or a name such as `Europe/Vienna`.
    pub timezone: Option<String>,
    /// Its network interfaces.
    pub interfaces: Vec<Interface>,
}

/// A network interface inside the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name there.
    pub name: String,
    pub(super) ip: Address,
    pub(super) gw: Option<String>,
    pub(super) ip6: Address,
    pub(super) gw6: Option<String>,
}

/// The host's own name servers and time zone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostNames {
    /// Its `resolv.conf`.
    pub resolv_conf: String,
    /// The name of its time zone.
    pub timezone: Option<String>,
}

impl HostNames {
    /// Looks at this host.
    #[must_use]
    pub fn probe() -> Self {
        let zone = fs::read_link("/etc/localtime").ok().and_then(|link| {
            let link = link.to_str()?;
            Some(link.split_once("zoneinfo/")?.1.to_owned())
        });
        Self { resolv_conf: fs::read_to_string("/etc/resolv.conf").unwrap_or_default(), timezone: zone }
    }
}

impl Settings {
    /// Reads them from a container's configuration.
    ///
    /// # Errors
    /// A network interface that cannot be read.
    pub fn new(vmid: Vmid, main: &Section) -> Result<Self, ConfigurationError> {
        let list = |key| main.get(key).into_iter().flat_map(text::split_list).map(str::to_owned).collect();
        let interfaces = main.indexed("net").map(|(index, value)| {
            let key = format!("net{index}");
            let net = fields::read(&key, value)
                .map_err(|source| ConfigurationError::Property { key: key.clone(), source })?;
            Ok(Interface {
                name: net.get("name").unwrap_or_default().to_owned(),
                ip: address(&key, &net, "ip")?,
                gw: net.get("gw").map(str::to_owned),
                ip6: address(&key, &net, "ip6")?,
                gw6: net.get("gw6").map(str::to_owned),
            })
        });
        Ok(Self {
            hostname: main.get("hostname").map_or_else(|| format!("CT{vmid}"), str::to_owned),
            nameservers: list("nameserver"),
            searchdomains: list("searchdomain"),
            timezone: main.get("timezone").map(str::to_owned),
            interfaces: interfaces.collect::<Result<_, ConfigurationError>>()?,
        })
    }

    /// Writes them into a container that does not run. A root that is `unmanaged` is left alone, and so is every file
    /// `etc/x` beside which `etc/.pve-ignore.x` lies.
    ///
    /// # Errors
    /// Those of writing.
    pub fn apply(&self, root: &Inside, ostype: &str, host: &HostNames) -> io::Result<()> {
        if ostype == "unmanaged" || !root.exists("etc") {
            return Ok(());
        }
        let (short, _) = self.hostname.split_once('.').unwrap_or((&self.hostname, ""));
        change(root, "etc/hostname", |_| format!("{short}\n"))?;
        change(root, "etc/hosts", |old| self.hosts(old))?;
        change(root, "etc/resolv.conf", |_| self.resolv_conf(host))?;
        self.write_timezone(root, host)?;
        // NixOS makes its files from a description of its own.
        if ostype == "nixos" {
            return Ok(());
        }
        if ["sbin/ifup", "usr/sbin/ifup"].iter().any(|tool| root.exists(tool)) && root.exists("etc/network") {
            change(root, "etc/network/interfaces", |old| interfaces::merge(old, &self.interfaces))?;
        } else if root.exists("etc/systemd/network") {
            for interface in &self.interfaces {
                let path = format!("etc/systemd/network/{}.network", interface.name);
                change(root, &path, |_| interfaces::networkd(interface))?;
            }
        }
        Ok(())
    }

    /// The name resolves to the first static address, or to a loopback address.
    fn hosts(&self, old: &str) -> String {
        let static_address = self.interfaces.iter().find_map(|interface| match &interface.ip {
            Address::Static(cidr) => cidr.split_once('/').map(|(address, _)| address),
            _ => None,
        });
        let names = match (self.hostname.split_once('.'), self.searchdomains.first()) {
            (Some((short, _)), _) => format!("{} {short}", self.hostname),
            (None, Some(domain)) => format!("{0}.{domain} {0}", self.hostname),
            (None, None) => self.hostname.clone(),
        };
        let mut block = String::new();
        // A file that has no other line for it, as from an empty template, still needs this one.
        if !old.lines().any(|line| line.split_whitespace().skip(1).any(|name| name == "localhost"))
            || in_block(old, "localhost")
        {
            block.push_str("127.0.0.1 localhost\n::1 localhost\n");
        }
        block.push_str(&format!("{} {names}\n", static_address.unwrap_or("127.0.1.1")));
        with_block(old, &block)
    }

    fn resolv_conf(&self, host: &HostNames) -> String {
        let of_host = |key: &str| -> Vec<String> {
            let lines =
                host.resolv_conf.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix([' ', '\t']));
            lines.flat_map(str::split_whitespace).map(str::to_owned).collect()
        };
        let own = !self.nameservers.is_empty();
        // The host's loopback is not the container's.
        let usable = |server: &String| !server.starts_with("127.") && server != "::1";
        let servers = if own {
            self.nameservers.clone()
        } else {
            of_host("nameserver").into_iter().filter(usable).collect()
        };
        let domains = match (self.searchdomains.is_empty(), own) {
            (false, _) => self.searchdomains.clone(),
            (true, false) => of_host("search"),
            (true, true) => Vec::new(),
        };
        let mut block = String::new();
        if !domains.is_empty() {
            block.push_str(&format!("search {}\n", domains.join(" ")));
        }
        for server in servers {
            block.push_str(&format!("nameserver {server}\n"));
        }
        format!("{BEGIN}\n{block}{END}\n")
    }

    fn write_timezone(&self, root: &Inside, host: &HostNames) -> io::Result<()> {
        let zone = match self.timezone.as_deref() {
            Some("host") => host.timezone.as_deref(),
            other => other,
        };
        let Some(zone) = zone.filter(|zone| !zone.split('/').any(|part| matches!(part, "" | "." | "..")))
        else {
            return Ok(());
        };
        let target = format!("usr/share/zoneinfo/{zone}");
        if root.exists(&target) && !ignored(root, "etc/localtime") {
            root.link("etc/localtime", &format!("/{target}"))?;
        }
        Ok(())
    }
}

fn ignored(root: &Inside, path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
    root.exists(&format!("{folder}/.pve-ignore.{name}"))
}

/// Writes a file where its text changes.
fn change(root: &Inside, path: &str, make: impl FnOnce(&str) -> String) -> io::Result<()> {
    if ignored(root, path) {
        return Ok(());
    }
    let old = root.read(path)?;
    let new = make(&String::from_utf8_lossy(old.as_deref().unwrap_or_default()));
    if old.as_deref() == Some(new.as_bytes()) { Ok(()) } else { root.write(path, new.as_bytes(), 0o644) }
}

fn in_block(text: &str, word: &str) -> bool {
    let block = text.lines().skip_while(|line| *line != BEGIN).take_while(|line| *line != END);
    block.skip(1).any(|line| line.split_whitespace().any(|have| have == word))
}

/// Puts a block into a text, in place of the one it has, or at its end.
fn with_block(old: &str, block: &str) -> String {
    let (mut new, mut inside, mut done) = (String::new(), false, false);
    for line in old.lines() {
        match line {
            BEGIN if !done => {
                inside = true;
                done = true;
                new.push_str(&format!("{BEGIN}\n{block}{END}\n"));
            }
            END if inside => inside = false,
            _ if inside => {}
            _ => {
                new.push_str(line);
                new.push('\n');
            }
        }
    }
    if !done {
        new.push_str(&format!("{BEGIN}\n{block}{END}\n"));
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(lines: &[(&str, &str)]) -> Settings {
        let mut main = Section::default();
        for (key, value) in lines {
            main.set(key, *value);
        }
        Settings::new("200".parse().unwrap(), &main).unwrap()
    }

    fn host() -> HostNames {
        HostNames {
            resolv_conf: "# x\nsearch example.org\nnameserver 127.0.0.53\nnameserver 192.0.2.1\n".to_owned(),
            timezone: Some("Europe/Vienna".to_owned()),
        }
    }

    #[test]
    fn names_come_from_the_configuration_or_the_host() {
        let plain = settings(&[]);
        assert_eq!(
            plain.resolv_conf(&host()),
            "# --- BEGIN PVE ---\nsearch example.org\nnameserver 192.0.2.1\n# --- END PVE ---\n"
        );
        let own = settings(&[("nameserver", "9.9.9.9 1.1.1.1"), ("searchdomain", "a.test b.test")]);
        assert_eq!(
            own.resolv_conf(&host()),
            "# --- BEGIN PVE ---\nsearch a.test b.test\nnameserver 9.9.9.9\nnameserver 1.1.1.1\n# --- END PVE ---\n"
        );
    }

    #[test]
    fn the_hosts_block_is_replaced_and_the_rest_kept() {
        let old =
            "127.0.0.1 localhost\n# --- BEGIN PVE ---\n127.0.1.1 old\n# --- END PVE ---\n10.0.0.1 other\n";
        let new =
            settings(&[("hostname", "web.example.org"), ("net0", "name=eth0,ip=10.0.0.2/24")]).hosts(old);
        assert_eq!(
            new,
            "127.0.0.1 localhost\n# --- BEGIN PVE ---\n10.0.0.2 web.example.org web\n# --- END PVE ---\n10.0.0.1 other\n"
        );
        let fresh = settings(&[("hostname", "web")]).hosts("");
        assert_eq!(
            fresh,
            "# --- BEGIN PVE ---\n127.0.0.1 localhost\n::1 localhost\n127.0.1.1 web\n# --- END PVE ---\n"
        );
        assert_eq!(settings(&[("hostname", "web")]).hosts(&fresh), fresh);
    }

    #[test]
    fn files_are_written_once_and_those_to_be_ignored_never() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for path in ["etc/network", "sbin", "usr/share/zoneinfo/Europe"] {
            fs::create_dir_all(at(path)).unwrap();
        }
        for path in ["sbin/ifup", "usr/share/zoneinfo/Europe/Vienna", "etc/.pve-ignore.hosts"] {
            fs::write(at(path), "").unwrap();
        }
        let root = Inside::open(folder.path(), rustix::process::getuid().as_raw()).unwrap();
        let settings =
            settings(&[("hostname", "web.test"), ("timezone", "host"), ("net0", "name=eth0,ip=dhcp")]);
        settings.apply(&root, "unmanaged", &host()).unwrap();
        assert!(!at("etc/hostname").exists());
        settings.apply(&root, "debian", &host()).unwrap();
        assert_eq!(fs::read_to_string(at("etc/hostname")).unwrap(), "web\n");
        assert!(!at("etc/hosts").exists());
        assert_eq!(
            fs::read_link(at("etc/localtime")).unwrap().to_str(),
            Some("/usr/share/zoneinfo/Europe/Vienna")
        );
        assert!(fs::read_to_string(at("etc/network/interfaces")).unwrap().contains("iface eth0 inet dhcp"));
    }
}
