//! Serial and parallel ports, the guest agent's channel, and the monitors.

use super::{Build, CommandError, Slot, Value, props::Props};
use std::path::{Path, PathBuf};

impl Build<'_> {
    /// Proxmox VE's monitor, which hookscripts may use, and the keeper's own, which QEMU gets as a listening socket.
    pub(super) fn monitors(&mut self) -> Result<(), CommandError> {
        let path = self.socket("qmp")?;
        self.option("-chardev", Value::new("socket,id=qmp").path("path", &path).raw("server=on,wait=off"));
        self.option("-mon", Value::new("chardev=qmp,mode=control"));
        let fd = self.monitor_fd;
        self.option("-chardev", Value::new(format!("socket,id=hookvisor,fd={fd},server=on,wait=off")));
        self.option("-mon", Value::new("chardev=hookvisor,mode=control"));
        Ok(())
    }

    pub(super) fn ports(&mut self) -> Result<(), CommandError> {
        for index in 0..4 {
            let key = format!("serial{index}");
            let Some(text) = self.main.get(&key) else { continue };
            let chardev = if text == "socket" {
                let path = self.socket(&key)?;
                Value::new(format!("socket,id={key}")).path("path", &path).raw("server=on,wait=off")
            } else if text.starts_with("/dev/") {
                Value::new(format!("serial,id={key}")).set("path", text)
            } else {
                return Err(CommandError::invalid(&key, format!("'{text}' is neither socket nor a device")));
            };
            self.devices.push(("-chardev", chardev.into()));
            self.device(Value::new(format!("isa-serial,chardev={key}")));
        }
        for index in 0..3 {
            let key = format!("parallel{index}");
            let Some(text) = self.main.get(&key) else { continue };
            let kind = if text.starts_with("/dev/usb/lp") {
                "serial"
            } else if text.starts_with("/dev/parport") {
                "parallel"
            } else {
                return Err(CommandError::invalid(&key, format!("'{text}' is no parallel port")));
            };
            let chardev = Value::new(format!("{kind},id={key}")).set("path", text);
            self.devices.push(("-chardev", chardev.into()));
            self.device(Value::new(format!("isa-parallel,chardev={key}")));
        }
        Ok(())
    }

    /// The channel to the guest agent.
    pub(super) fn agent(&mut self) -> Result<(), CommandError> {
        let Some(agent) = AgentOption::read(self.main)? else { return Ok(()) };
        if !agent.enabled {
            return Ok(());
        }
        let path = self.socket("qga")?;
        self.files.push(self.run_file("qga.lock"));
        let chardev = Value::new("socket").path("path", &path).raw("server=on,wait=off,id=qga0");
        self.devices.push(("-chardev", chardev.into()));
        if agent.isa {
            self.device(Value::new("isa-serial,chardev=qga0"));
        } else {
            self.device_at(Value::new("virtio-serial,id=qga0"), Slot::Agent);
            // Of a port without an id QEMU does not say that it is opened.
            let port = crate::agent::PORT;
            self.device(Value::new(format!(
                "virtserialport,id={port},chardev=qga0,name=org.qemu.guest_agent.0"
            )));
        }
        Ok(())
    }

    /// The path by which QEMU is to make a socket of this guest: the folder by its descriptor where the path is longer
    /// than `sun_path` of unix(7).
    pub(super) fn socket(&mut self, suffix: &str) -> Result<PathBuf, CommandError> {
        let path = self.run_file(suffix);
        self.files.push(path.clone());
        if path.as_os_str().len() <= crate::socket::LONGEST {
            return Ok(path);
        }
        let fd = match self.run_dir_fd {
            Some(fd) => fd,
            None => {
                let fd = self.next_fd();
                self.run_dir_fd = Some(fd);
                fd
            }
        };
        let short = PathBuf::from(format!("/proc/self/fd/{fd}")).join(path.file_name().unwrap_or_default());
        if short.as_os_str().len() > crate::socket::LONGEST {
            return Err(CommandError::SocketPath { path: path.display().to_string() });
        }
        Ok(short)
    }

    /// A file of this guest at run time. On the host's own root by the path that Proxmox VE uses, which tools compare.
    pub(super) fn run_file(&self, suffix: &str) -> PathBuf {
        if self.facts.layout.is_host() {
            Path::new("/var/run/qemu-server").join(format!("{}.{suffix}", self.vmid))
        } else {
            self.facts.layout.run_qemu_file(self.vmid, suffix)
        }
    }
}

/// What the option `agent` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentOption {
    /// Whether the guest is said to run one.
    pub enabled: bool,
    /// Whether it is reached by an ISA serial port instead of a virtio one.
    pub isa: bool,
    /// Whether its file systems are to be frozen for a snapshot or backup.
    pub freeze: bool,
}

impl AgentOption {
    /// Reads the option; none where it is absent.
    ///
    /// # Errors
    /// [`CommandError::Invalid`].
    pub fn read(main: &config::Section) -> Result<Option<Self>, CommandError> {
        let Some(text) = main.get("agent") else { return Ok(None) };
        let props = Props::parse("agent", text)?;
        let isa = match props.get("type") {
            None | Some("virtio") => false,
            Some("isa") => true,
            Some(_) => return Err(props.invalid("type", "virtio or isa")),
        };
        let mut freeze = true;
        for name in ["freeze-fs", "freeze-fs-on-backup", "guest-fsfreeze"] {
            freeze &= props.flag(name).unwrap_or(true);
        }
        Ok(Some(Self { enabled: props.flag("enabled").unwrap_or(false), isa, freeze }))
    }
}
