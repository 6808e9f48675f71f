//! The bridges that configurations name.

use crate::Finding;
use crate::scene::Scene;
use crate::word::word;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What guests ask of a bridge.
#[derive(Default)]
struct Asked {
    guests: Vec<String>,
    vlans: Vec<String>,
}

/// The bridges that guests are put on.
pub(crate) fn named(scene: &Scene) -> Vec<Finding> {
    let mut bridges: BTreeMap<&str, Asked> = BTreeMap::new();
    for guest in &scene.guests {
        for (index, net) in guest.config.main.indexed("net") {
            let property = |key| net.split(',').find_map(|part| part.strip_prefix(key)?.strip_prefix('='));
            let Some(bridge) = property("bridge") else { continue };
            let asked = bridges.entry(bridge).or_default();
            let name = format!("net{index} of {}", guest.vmid);
            if property("tag").or(property("trunks")).is_some() {
                asked.vlans.push(name.clone());
            }
            asked.guests.push(name);
        }
    }
    bridges.into_iter().map(|(name, asked)| judge(Path::new("/sys/class/net"), name, &asked)).collect()
}

/// The command for a shell that makes a bridge.
#[must_use]
pub fn make_bridge(name: &str) -> String {
    let link = word(name);
    format!("ip link add {link} type bridge && ip link set {link} up")
}

fn judge(interfaces: &Path, name: &str, asked: &Asked) -> Finding {
    let about = format!("bridge {name}");
    let folder = interfaces.join(name);
    let guests = asked.guests.join(", ");
    let link = word(name);
    if name.contains('/') || !folder.exists() {
        let why = format!("{guests} would be put on it");
        return Finding::problem(about, "does not exist", why, make_bridge(name));
    }
    if !folder.join("bridge").is_dir() {
        let mend = format!("ip -details link show {link}  # and have the guests name a bridge");
        return Finding::problem(about, "is an interface, and no bridge", format!("{guests} name it"), mend);
    }
    let filters = fs::read_to_string(folder.join("bridge/vlan_filtering"));
    if !asked.vlans.is_empty() && filters.is_ok_and(|text| text.trim() == "0") {
        let mend = format!("ip link set {link} type bridge vlan_filtering 1");
        let why = format!("{} ask for VLANs", asked.vlans.join(", "));
        return Finding::problem(about, "does not know VLANs", why, mend);
    }
    Finding::ok(about, guests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_is_there_and_knows_vlans_where_they_are_asked_for() {
        let net = tempfile::tempdir().unwrap();
        fs::create_dir_all(net.path().join("vmbr0/bridge")).unwrap();
        fs::create_dir_all(net.path().join("eth0")).unwrap();
        fs::write(net.path().join("vmbr0/bridge/vlan_filtering"), "0\n").unwrap();
        let plain = Asked { guests: vec!["net0 of 100".to_owned()], vlans: Vec::new() };
        let tagged = Asked { vlans: plain.guests.clone(), guests: plain.guests.clone() };
        let seen = |name: &str, asked| judge(net.path(), name, asked).what;
        assert_eq!(seen("vmbr0", &plain), "net0 of 100");
        assert_eq!(seen("vmbr0", &tagged), "does not know VLANs");
        assert_eq!(seen("vmbr1", &plain), "does not exist");
        assert_eq!(seen("eth0", &plain), "is an interface, and no bridge");
        assert_eq!(seen("../x", &plain), "does not exist");
    }
}
