use super::{Build, CommandError, MonitorCommand, Slot, Value, props::Props};
use serde_json::json;

/// An interface that QEMU is given as open descriptors, one a queue; [`crate::tap::open`] makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tap {
    /// The `N` of `netN`.
    pub index: u32,
    /// The interface's name on the host.
    pub ifname: String,
    /// The bridge that it is put on.
    pub bridge: String,
    /// The guest's address.
    pub mac: String,
    /// Its MTU; none for the bridge's.
    pub mtu: Option<u32>,
    /// How many queues it has, at least one.
    pub queues: u32,
    /// The descriptors' numbers in QEMU, one a queue.
    pub fds: Vec<i32>,
    /// The VLAN that it is a member of, untagged.
    pub tag: Option<u16>,
    /// The VLANs that it is a member of, tagged: `5;10-20`.
    pub trunks: Option<String>,
    /// A limit for each direction, in megabytes a second.
    pub rate: Option<f64>,
}

/// A network card.
struct Card {
    key: String,
    index: u32,
    model: String,
    mac: String,
    queues: u32,
    mtu: Option<u32>,
    props: Props,
}

impl Build<'_> {
    pub(super) fn network(&mut self, index: u32, text: &str) -> Result<(), CommandError> {
        let card = self.card_of(index, text)?;
        let (key, virtio) = (card.key.as_str(), card.model == "virtio");
        let (netdev, host_mtu, queues) = match card.props.get("bridge") {
            Some(bridge) => {
                let (netdev, mtu) = self.tap(&card, bridge)?;
                (netdev, mtu, card.queues)
            }
            None => {
                for name in ["tag", "trunks", "rate"] {
                    if card.props.get(name).is_some() {
                        return Err(CommandError::unsupported(key, format!("{name}: needs a bridge")));
                    }
                }
                let netdev = Value::new("type=user").set("id", key).set("hostname", &self.name);
                (netdev, card.mtu.filter(|mtu| *mtu != 1), 1)
            }
        };
        self.devices.push(("-netdev", netdev.into()));
        if card.props.flag("link_down") == Some(true) {
            let arguments = json!({ "name": key, "up": false });
            self.setup.push(MonitorCommand { name: "set_link", arguments });
        }
        let on_pci = card.model != "ne2k_isa";
        let mut device = Value::new(if virtio { "virtio-net-pci" } else { &card.model });
        device = device.set("mac", &card.mac).set("netdev", key);
        if on_pci {
            device = self.buses.put(device, Slot::Net(index));
        }
        device = device.set("id", key);
        if queues > 1 {
            device = device.raw("mq=on").set("vectors", queues * 2 + 2);
        }
        if virtio && self.machine.at_least(7, 1) {
            device = device.raw("rx_queue_size=1024,tx_queue_size=256");
        }
        device = device.set_some("bootindex", self.boot.index(key)).set_some("host_mtu", host_mtu);
        // Without its ROM a card cannot be made at all; it can without booting from it.
        if !self.facts.network_roms && on_pci {
            device = device.raw("romfile=");
        }
        self.device(device);
        Ok(())
    }

    fn card_of(&mut self, index: u32, text: &str) -> Result<Card, CommandError> {
        let key = format!("net{index}");
        let props = Props::parse(&key, text)?;
        let model =
            props.get("model").ok_or_else(|| CommandError::invalid(&key, "missing 'model'"))?.to_owned();
        let mac = props.get("macaddr").map_or_else(|| self.invented_mac(index), str::to_uppercase);
        if props.flag("host-tunnel") == Some(true) {
            return Err(CommandError::unsupported(&key, "host-tunnel: tunnels that the host's card unpacks"));
        }
        if props.flag("firewall") == Some(true) && self.facts.firewall {
            let what = "firewall: one is switched on for this guest, but its rules are not enforced here";
            return Err(CommandError::unsupported(&key, what));
        }
        let virtio = model == "virtio";
        for name in ["queues", "mtu"] {
            if !virtio && props.get(name).is_some() {
                self.warn(&format!("{key}: {name} is only for virtio, ignoring"));
            }
        }
        let number =
            |name| props.number(name).filter(|_| virtio).and_then(|number| u32::try_from(number).ok());
        let (queues, mtu) = (number("queues").unwrap_or(1).max(1), number("mtu"));
        Ok(Card { key, index, model, mac, queues, mtu, props })
    }

    /// What stands behind a card on a bridge, and the MTU that the guest is told where it is not what it takes for
    /// granted. An MTU of 1 is the bridge's.
    fn tap(&mut self, card: &Card, bridge: &str) -> Result<(Value, Option<u32>), CommandError> {
        let props = &card.props;
        let bridge_mtu = self.facts.lookup.bridge_mtu(bridge);
        let mtu = if card.mtu == Some(1) { bridge_mtu } else { card.mtu };
        if let (Some(mtu), Some(most)) = (mtu, bridge_mtu)
            && mtu > most
        {
            let why = format!("MTU '{mtu}' is bigger than the bridge MTU '{most}'");
            return Err(CommandError::invalid(&card.key, why));
        }
        let rate = match props.get("rate").map(str::parse::<f64>) {
            None | Some(Ok(0.0)) => None,
            Some(Ok(rate)) if rate.is_finite() && rate > 0.0 => Some(rate),
            Some(_) => return Err(props.invalid("rate", "a number of megabytes a second")),
        };
        let prefix = self.facts.layout.tag().unwrap_or_else(|| "tap".to_owned());
        let fds: Vec<i32> = (0..card.queues).map(|_| self.next_fd()).collect();
        let netdev = Value::new("type=tap").set("id", &card.key);
        let mut netdev = match fds[..] {
            [fd] => netdev.set("fd", fd),
            _ => netdev.set("fds", fds.iter().map(i32::to_string).collect::<Vec<_>>().join(":")),
        };
        if card.model == "virtio" && self.facts.vhost_net {
            netdev = netdev.raw("vhost=on");
        }
        self.networks.push(Tap {
            index: card.index,
            ifname: format!("{prefix}{}i{}", self.vmid, card.index),
            bridge: bridge.to_owned(),
            mac: card.mac.clone(),
            mtu,
            queues: card.queues,
            fds,
            tag: props.number("tag").and_then(|tag| u16::try_from(tag).ok()),
            trunks: props.get("trunks").map(str::to_owned),
            rate,
        });
        let told = mtu.or(bridge_mtu.filter(|mtu| *mtu != 1500)).filter(|_| card.model == "virtio");
        Ok((netdev, told))
    }

    /// The same address at every start, for a card that was given none: Proxmox VE's prefix, then a hash of host, guest
    /// and card.
    fn invented_mac(&self, index: u32) -> String {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in format!("{}/{}/{index}", self.facts.node, self.vmid).bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let [.., a, b, c] = (hash ^ (hash >> 24)).to_be_bytes();
        format!("BC:24:11:{a:02X}:{b:02X}:{c:02X}")
    }
}
