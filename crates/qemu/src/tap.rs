//! Network interfaces for guests: taps that live as long as somebody holds their descriptors.
//!
//! A tap is not persistent, so nothing of it is left whatever dies: it goes with the last of QEMU's descriptors.
#![expect(unsafe_code, reason = "ioctls of tun(4) and netdevice(7), which have no safe wrapper")]

use crate::command::Tap;
use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// `linux/sockios.h`; the libc crate does not have it.
const SIOCBRADDIF: libc::Ioctl = 0x89a2;

/// Why a guest's interface could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// The bridge is not there; Proxmox VE's text.
    #[error("bridge '{bridge}' does not exist")]
    NoBridge {
        /// Its name.
        bridge: String,
    },
    /// There is an interface of that name which is no Linux bridge.
    #[error("'{bridge}' is not a Linux bridge")]
    NotABridge {
        /// Its name.
        bridge: String,
    },
    /// VLANs need a bridge that knows them.
    #[error(
        "option 'net{index}' cannot be honoured on this host: {key}: bridge '{bridge}' does not filter VLANs{why}"
    )]
    NoVlans {
        /// The `N` of `netN`.
        index: u32,
        /// The key of the option.
        key: &'static str,
        /// The bridge.
        bridge: String,
        /// More, where it is the kernel that cannot.
        why: &'static str,
    },
    /// A program of iproute2 failed.
    #[error("option 'net{index}' cannot be honoured on this host: {key}: '{command}' failed: {output}")]
    Tool {
        /// The `N` of `netN`.
        index: u32,
        /// The key of the option.
        key: &'static str,
        /// The command.
        command: String,
        /// What it said.
        output: String,
    },
    /// The system refused a step.
    #[error("interface '{ifname}': cannot {what}: {source}")]
    System {
        /// The interface.
        ifname: String,
        /// The step.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// Whether a bridge is there that taps can be put on.
///
/// # Errors
/// [`TapError::NoBridge`], [`TapError::NotABridge`].
pub fn check_bridge(bridge: &str) -> Result<(), TapError> {
    let class = bridge_folder(bridge);
    if bridge.is_empty() || bridge.contains('/') || !class.exists() {
        return Err(TapError::NoBridge { bridge: bridge.to_owned() });
    }
    if !class.join("bridge").exists() {
        return Err(TapError::NotABridge { bridge: bridge.to_owned() });
    }
    Ok(())
}

/// Makes a guest's interface, puts it on its bridge and takes it up; the descriptors, one a queue, are QEMU's to have.
/// When they are dropped the interface is gone.
///
/// # Errors
/// Each names the interface or the option. Nothing is left then.
pub fn open(tap: &Tap) -> Result<Vec<OwnedFd>, TapError> {
    check_bridge(&tap.bridge)?;
    check_vlans(tap)?;
    let failed = |what| move |source| TapError::System { ifname: tap.ifname.clone(), what, source };

    let queues = (0..tap.queues.max(1))
        .map(|number| queue(&tap.ifname, tap.queues > 1, number == 0))
        .collect::<io::Result<Vec<_>>>()
        .map_err(failed("be made"))?;

    let control =
        rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
            .map_err(|error| failed("be set up")(error.into()))?;
    // A host address on a guest's interface would be reachable by the guest.
    let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{}/disable_ipv6", tap.ifname), "1");
    // A bridge takes the lowest address of its ports for its own, so this one is high.
    if let Some(address) = high_address(&tap.mac) {
        set_address(&control, &tap.ifname, address).map_err(failed("get its address"))?;
    }
    let mtu = tap.mtu.or_else(|| crate::probe::bridge_mtu(&tap.bridge));
    if let Some(mtu) = mtu {
        set_mtu(&control, &tap.ifname, mtu).map_err(failed("get its MTU"))?;
    }
    attach(&control, &tap.bridge, &tap.ifname).map_err(failed("be put on its bridge"))?;
    set_vlans(tap)?;
    limit_rate(tap)?;
    take_up(&control, &tap.ifname).map_err(failed("be taken up"))?;
    Ok(queues)
}

fn bridge_folder(bridge: &str) -> PathBuf {
    Path::new("/sys/class/net").join(bridge)
}

fn check_vlans(tap: &Tap) -> Result<(), TapError> {
    let key = match (tap.tag, &tap.trunks) {
        (None, None) => return Ok(()),
        (Some(_), _) => "tag",
        (None, Some(_)) => "trunks",
    };
    let file = bridge_folder(&tap.bridge).join("bridge/vlan_filtering");
    let why = match std::fs::read_to_string(file) {
        Ok(text) if text.trim() == "1" => return Ok(()),
        Ok(_) => "",
        Err(_) => ", which this kernel cannot",
    };
    Err(TapError::NoVlans { index: tap.index, key, bridge: tap.bridge.clone(), why })
}

fn set_vlans(tap: &Tap) -> Result<(), TapError> {
    if tap.tag.is_none() && tap.trunks.is_none() {
        return Ok(());
    }
    let vlan = |arguments: &[&str], key| run(tap, key, "bridge", &[&["vlan"], arguments].concat());
    // A port begins as a member of the bridge's default VLAN; it is to be a member of its own only.
    if tap.tag != Some(1) {
        let _ = vlan(&["del", "dev", &tap.ifname, "vid", "1"], "tag");
    }
    if let Some(tag) = tap.tag {
        vlan(&["add", "dev", &tap.ifname, "vid", &tag.to_string(), "pvid", "untagged"], "tag")?;
    }
    for vid in tap.trunks.as_deref().unwrap_or_default().split(';').filter(|vid| !vid.is_empty()) {
        vlan(&["add", "dev", &tap.ifname, "vid", vid], "trunks")?;
    }
    Ok(())
}

/// Limits what goes to the guest by a token bucket, and drops what comes from it beyond the same rate.
fn limit_rate(tap: &Tap) -> Result<(), TapError> {
    let Some(rate) = tap.rate else { return Ok(()) };
    let rate = format!("{}bps", (rate * 1_048_576.0) as u64);
    let tc = |arguments: &[&str]| run(tap, "rate", "tc", arguments);
    tc(&[
        "qdisc",
        "add",
        "dev",
        &tap.ifname,
        "root",
        "tbf",
        "rate",
        &rate,
        "burst",
        "1mb",
        "latency",
        "100ms",
    ])?;
    tc(&["qdisc", "add", "dev", &tap.ifname, "handle", "ffff:", "ingress"])?;
    let all = [
        "filter",
        "add",
        "dev",
        &tap.ifname,
        "parent",
        "ffff:",
        "prio",
        "50",
        "u32",
        "match",
        "u32",
        "0",
        "0",
    ];
    tc(&[&all[..], &["police", "rate", &rate, "burst", "1mb", "mtu", "64kb", "drop", "flowid", ":1"]]
        .concat())
}

fn run(tap: &Tap, key: &'static str, program: &str, arguments: &[&str]) -> Result<(), TapError> {
    let failed = |output: String| TapError::Tool {
        index: tap.index,
        key,
        command: format!("{program} {}", arguments.join(" ")),
        output,
    };
    let output = Command::new(program)
        .args(arguments)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// `fe` and the rest of the guest's address.
fn high_address(mac: &str) -> Option<[u8; 6]> {
    let mut address = [0; 6];
    let mut parts = mac.split(':');
    for byte in &mut address {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    address[0] = 0xfe;
    Some(address)
}

fn request(ifname: &str) -> io::Result<libc::ifreq> {
    // SAFETY: ifreq is plain data, for which zeroes are a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if ifname.is_empty() || ifname.len() >= request.ifr_name.len() || ifname.contains(['/', '\0']) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (place, byte) in request.ifr_name.iter_mut().zip(ifname.bytes()) {
        *place = byte as libc::c_char;
    }
    Ok(request)
}

fn ioctl(fd: &OwnedFd, number: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: every number used here takes a pointer to an ifreq, which lives through the call.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), number, std::ptr::from_mut(request)) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Opens one queue. The first makes the interface, and is refused where there is one of that name: somebody else's, which
/// would be opened, put on the bridge and left there.
fn queue(ifname: &str, several: bool, first: bool) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = rustix::fs::open("/dev/net/tun", flags, Mode::empty())?;
    let mut request = request(ifname)?;
    let mut flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
    if several {
        flags |= libc::IFF_MULTI_QUEUE;
    }
    if first {
        flags |= libc::IFF_TUN_EXCL;
    }
    request.ifr_ifru.ifru_flags = flags as libc::c_short;
    ioctl(&fd, libc::TUNSETIFF, &mut request)?;
    Ok(fd)
}

fn set_address(control: &OwnedFd, ifname: &str, address: [u8; 6]) -> io::Result<()> {
    let mut request = request(ifname)?;
    let mut data = [0; 14];
    for (place, byte) in data.iter_mut().zip(address) {
        *place = byte as libc::c_char;
    }
    request.ifr_ifru.ifru_hwaddr = libc::sockaddr { sa_family: libc::ARPHRD_ETHER, sa_data: data };
    ioctl(control, libc::SIOCSIFHWADDR, &mut request)
}

fn set_mtu(control: &OwnedFd, ifname: &str, mtu: u32) -> io::Result<()> {
    let mut request = request(ifname)?;
    request.ifr_ifru.ifru_mtu = i32::try_from(mtu).map_err(|_| io::ErrorKind::InvalidInput)?;
    ioctl(control, libc::SIOCSIFMTU, &mut request)
}

fn attach(control: &OwnedFd, bridge: &str, ifname: &str) -> io::Result<()> {
    let mut port = request(ifname)?;
    ioctl(control, libc::SIOCGIFINDEX, &mut port)?;
    let mut request = request(bridge)?;
    // SAFETY: SIOCGIFINDEX has just filled that member.
    request.ifr_ifru.ifru_ifindex = unsafe { port.ifr_ifru.ifru_ifindex };
    ioctl(control, SIOCBRADDIF, &mut request)
}

fn take_up(control: &OwnedFd, ifname: &str) -> io::Result<()> {
    let mut request = request(ifname)?;
    ioctl(control, libc::SIOCGIFFLAGS, &mut request)?;
    // SAFETY: SIOCGIFFLAGS has just filled that member.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    request.ifr_ifru.ifru_flags = flags | libc::IFF_UP as libc::c_short;
    ioctl(control, libc::SIOCSIFFLAGS, &mut request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_that_is_not_there_is_named() {
        for bridge in ["vmbr9none", "../lo", ""] {
            let error = check_bridge(bridge).unwrap_err().to_string();
            assert_eq!(error, format!("bridge '{bridge}' does not exist"));
        }
        assert_eq!(check_bridge("lo").unwrap_err().to_string(), "'lo' is not a Linux bridge");
    }

    #[test]
    fn the_hosts_end_has_a_higher_address_than_any_card() {
        assert_eq!(high_address("BC:24:11:0a:0B:ff"), Some([0xfe, 0x24, 0x11, 0x0a, 0x0b, 0xff]));
        assert_eq!(high_address("BC:24"), None);
    }
}
