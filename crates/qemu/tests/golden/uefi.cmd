/usr/bin/kvm \
  -name 'uefi,debug-threads=on' \
  -no-shutdown \
  -chardev 'socket,id=qmp,path=/var/run/qemu-server/100.qmp,server=on,wait=off' \
  -mon 'chardev=qmp,mode=control' \
  -chardev 'socket,id=hookvisor,fd=10,server=on,wait=off' \
  -mon 'chardev=hookvisor,mode=control' \
  -pidfile /var/run/qemu-server/100.pid \
  -drive 'if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.secboot.fd' \
  -drive 'if=pflash,unit=1,id=drive-efidisk0,format=raw,file=/var/lib/vz/images/100/vm-100-disk-1.raw,size=540672' \
  -smp '1,sockets=1,cores=1,maxcpus=1' \
  -nodefaults \
  -boot 'menu=on,strict=on,reboot-timeout=1000' \
  -vnc 'unix:/var/run/qemu-server/100.vnc,password=on' \
  -cpu qemu64,+aes,-x2apic \
  -m 512 \
  -device 'i82801b11-bridge,id=pcidmi,bus=pcie.0,addr=0x1e' \
  -device 'pci-bridge,id=pci.0,bus=pcidmi,addr=0x1,chassis_nr=1' \
  -device 'pci-bridge,id=pci.1,bus=pcidmi,addr=0x2,chassis_nr=2' \
  -device 'pci-bridge,id=pci.2,bus=pcidmi,addr=0x3,chassis_nr=3' \
  -device 'pci-bridge,id=pci.3,bus=pcidmi,addr=0x4,chassis_nr=4' \
  -device 'ich9-usb-ehci1,id=ehci,bus=pcie.0,addr=0x1d.0x7,multifunction=on' \
  -device 'ich9-usb-ehci2,id=ehci-2,bus=pcie.0,addr=0x1a.0x7,multifunction=on' \
  -device 'ich9-usb-uhci1,id=uhci-1,bus=pcie.0,addr=0x1d.0x0,multifunction=on,masterbus=ehci.0,firstport=0' \
  -device 'ich9-usb-uhci2,id=uhci-2,bus=pcie.0,addr=0x1d.0x1,multifunction=on,masterbus=ehci.0,firstport=2' \
  -device 'ich9-usb-uhci3,id=uhci-3,bus=pcie.0,addr=0x1d.0x2,multifunction=on,masterbus=ehci.0,firstport=4' \
  -device 'ich9-usb-uhci4,id=uhci-4,bus=pcie.0,addr=0x1a.0x0,multifunction=on,masterbus=ehci-2.0,firstport=0' \
  -device 'ich9-usb-uhci5,id=uhci-5,bus=pcie.0,addr=0x1a.0x1,multifunction=on,masterbus=ehci-2.0,firstport=2' \
  -device 'ich9-usb-uhci6,id=uhci-6,bus=pcie.0,addr=0x1a.0x2,multifunction=on,masterbus=ehci-2.0,firstport=4' \
  -device 'pcie-root-port,id=ich9-pcie-port-1,bus=pcie.0,addr=0x1c.0x0,multifunction=on,port=1,chassis=1,x-speed=16,x-width=32' \
  -device 'pcie-root-port,id=ich9-pcie-port-2,bus=pcie.0,addr=0x1c.0x1,multifunction=on,port=2,chassis=2,x-speed=16,x-width=32' \
  -device 'pcie-root-port,id=ich9-pcie-port-3,bus=pcie.0,addr=0x1c.0x2,multifunction=on,port=3,chassis=3,x-speed=16,x-width=32' \
  -device 'pcie-root-port,id=ich9-pcie-port-4,bus=pcie.0,addr=0x1c.0x3,multifunction=on,port=4,chassis=4,x-speed=16,x-width=32' \
  -device 'usb-tablet,id=tablet,bus=ehci.0,port=1' \
  -device 'virtio-vga,id=vga,max_hostmem=67108864,bus=pci.0,addr=0x2' \
  -device 'virtio-balloon-pci,id=balloon0,bus=pci.0,addr=0x3,free-page-reporting=on' \
  -drive 'if=none,id=drive-ide1,media=cdrom,aio=io_uring' \
  -device 'ide-cd,bus=ide.2,unit=0,drive=drive-ide1,id=ide1' \
  -drive 'if=none,id=drive-ide2,media=cdrom,aio=io_uring' \
  -device 'ide-cd,bus=ide.1,unit=0,drive=drive-ide2,id=ide2' \
  -device 'virtio-scsi-pci,id=virtioscsi3,bus=pci.3,addr=0x4' \
  -drive 'file=/var/lib/vz/images/100/vm-100-disk-3.raw,if=none,id=drive-scsi3,format=raw,cache=none,aio=io_uring,detect-zeroes=on' \
  -device 'scsi-hd,bus=virtioscsi3.0,channel=0,scsi-id=0,lun=3,drive=drive-scsi3,id=scsi3' \
  -drive 'file=/var/lib/vz/images/100/vm-100-disk-4.raw,if=none,id=drive-virtio7,format=raw,cache=none,aio=io_uring,detect-zeroes=on' \
  -device 'virtio-blk-pci,drive=drive-virtio7,id=virtio7,bus=pci.2,addr=0x2' \
  -device 'ahci,id=ahci0,multifunction=on,bus=pci.0,addr=0x7' \
  -drive 'file=/var/lib/vz/images/100/vm-100-disk-0.raw,if=none,id=drive-sata0,format=raw,cache=none,aio=io_uring,detect-zeroes=on' \
  -device 'ide-hd,bus=ahci0.0,drive=drive-sata0,id=sata0,bootindex=100' \
  -drive 'file=/var/lib/vz/images/100/vm-100-disk-2.raw,if=none,id=drive-sata5,format=raw,cache=none,aio=io_uring,detect-zeroes=on' \
  -device 'ide-hd,bus=ahci0.5,drive=drive-sata5,id=sata5,rotation_rate=1,serial=a,,b' \
  -netdev 'type=tap,id=net0,fd=11' \
  -device 'e1000e,mac=BC:24:11:00:00:01,netdev=net0,bus=pci.0,addr=0x12,id=net0,bootindex=101' \
  -device 'intel-iommu,intremap=on,caching-mode=on' \
  -machine 'accel=tcg,type=q35' \
  -global 'ICH9-LPC.disable_s3=1'
file: /var/run/qemu-server/100.qmp
file: /var/run/qemu-server/100.pid
file: /var/run/qemu-server/100.vnc
tap: Tap { index: 0, ifname: "tap100i0", bridge: "vmbr0", mac: "BC:24:11:00:00:01", mtu: None, queues: 1, fds: [11], tag: None, trunks: None, rate: None }
monitor: qom-set {"path":"/machine/peripheral/balloon0","property":"guest-stats-polling-interval","value":2}
