//! What cannot be honoured is refused by the name of its option.

use crate::common::{read, vmid};
use crate::host::Known;
use qemu::{Facts, command_line};

type Change = fn(&mut Facts<'_>);

fn refusal(text: &str, change: impl FnOnce(&mut Facts<'_>)) -> String {
    let known = Known::default();
    let mut facts = known.facts();
    change(&mut facts);
    match command_line(&read(text), vmid(), &facts) {
        Ok(line) => panic!("{text} is not refused: {}", line.print(false).display()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_proxmox_ve_refuses_is_refused_in_its_words() {
    let same = |_: &mut Facts<'_>| {};
    let cases: [(&str, Change, &str); 9] = [
        (
            "memory: 64\n",
            |facts| facts.kvm = false,
            "KVM virtualisation configured, but not available. Either disable in VM configuration or enable in BIOS.",
        ),
        ("cores: 4\nsockets: 2\n", |facts| facts.cpus = 7, "MAX 7 vcpus allowed per VM on this node"),
        (
            "machine: pc-i440fx-9.2+pve1\n",
            same,
            "Installed QEMU version '7.2.22' is too old to run machine type 'pc-i440fx-9.2', please upgrade node 'pve1'",
        ),
        ("hugepages: 2\n", same, "numa needs to be enabled to use hugepages"),
        (
            "numa: 1\nnuma0: cpus=0,memory=256\n",
            same,
            "total memory for NUMA nodes must be equal to vm static memory",
        ),
        ("ide0: local:100/missing.raw\n", same, "volume 'local:100/missing.raw' does not exist"),
        (
            "hostpci0: 01:00.0,pcie=1\n",
            same,
            "unable to parse value of 'hostpci0' - q35 machine model is not enabled",
        ),
        (
            "net0: virtio=BC:24:11:00:00:00,bridge=vmbr0,mtu=9000\n",
            same,
            "unable to parse value of 'net0' - MTU '9000' is bigger than the bridge MTU '1500'",
        ),
        (
            "vga: virtio-gl\n",
            |facts| facts.render_node = false,
            "option 'vga' cannot be honoured on this host: no DRM render node detected (/dev/dri/renderD*), no GPU? \
             - needed for 'virtio-gl' display",
        ),
    ];
    for (text, change, expected) in cases {
        assert_eq!(refusal(text, change), expected);
    }
}

#[test]
fn each_option_that_cannot_be_honoured_is_named() {
    let cases = [
        ("vga: qxl\n", "vga", "SPICE"),
        ("audio0: device=AC97\n", "audio0", "SPICE"),
        ("usb0: spice\n", "usb0", "SPICE"),
        ("usb0: mapping=stick\n", "usb0", "mapping"),
        ("hostpci3: mapping=card\n", "hostpci3", "mapping"),
        ("hostpci3: 03:00.0,mdev=x\n", "hostpci3", "mdev"),
        ("hostpci3: 09:00.0\n", "hostpci3", "no PCI device found for '09:00.0'"),
        ("tpmstate0: local:100/vm-100-disk-0.raw,version=v2.0\n", "tpmstate0", "swtpm"),
        ("virtiofs0: folder\n", "virtiofs0", "virtiofsd"),
        ("amd-sev: type=std\n", "amd-sev", "confidential"),
        ("arch: aarch64\n", "arch", "aarch64"),
        ("cpu: custom-mine\n", "cpu", "custom-mine"),
        ("cpu: host\nkvm: 0\n", "cpu", "KVM"),
        ("machine: pc,viommu=intel\n", "machine", "q35"),
        ("vga: serial0\n", "vga", "serial0"),
        ("ide0: local:100/a.raw,aio=native,cache=writeback\n", "ide0", "aio=native"),
        ("net0: virtio=BC:24:11:00:00:00,rate=5\n", "net0", "rate"),
        ("args: -name 'x\n", "args", "quote"),
        ("hugepages: 1024\nnuma: 1\nmemory: 1024\n", "hugepages", "1048576 KiB"),
        ("hugepages: 2\nnuma: 1\nmemory: 65\n", "hugepages", "65 MiB"),
    ];
    for (text, key, what) in cases {
        let error = refusal(text, |_| {});
        assert!(error.contains(&format!("'{key}'")) && error.contains(what), "{text}{error}");
    }
}

#[test]
fn what_the_host_lacks_is_named_with_the_option() {
    let mut known = Known::default();
    known.lookup.firmware = false;
    let error = command_line(&read("bios: ovmf\n"), vmid(), &known.facts()).unwrap_err().to_string();
    assert!(error.contains("'bios'") && error.contains("package 'ovmf'"), "{error}");

    let error = refusal("hostpci0: 01:00\n", |facts| facts.iommu = false);
    assert!(error.contains("'hostpci0'") && error.contains("IOMMU"), "{error}");

    let drive = "ide0: local:100/a.raw,aio=io_uring\n";
    let error = refusal(drive, |facts| facts.io_uring = false);
    assert!(error.contains("'ide0'") && error.contains("io_uring"), "{error}");

    let net = "net0: virtio=BC:24:11:00:00:00,bridge=vmbr0,firewall=1\n";
    let error = refusal(net, |facts| facts.firewall = true);
    assert!(error.contains("'net0'") && error.contains("firewall"), "{error}");
}

#[test]
fn without_io_uring_or_roms_a_guest_starts_all_the_same() {
    let known = Known::default();
    let facts = Facts { io_uring: false, network_roms: false, vhost_net: false, ..known.facts() };
    let config = read("ide0: local:100/a.raw\nnet0: virtio=BC:24:11:00:00:00,bridge=vmbr0\n");
    let text = command_line(&config, vmid(), &facts).unwrap().print(false).into_string().unwrap();
    assert!(text.contains("aio=threads") && text.contains(",romfile=") && !text.contains("vhost"), "{text}");
}
