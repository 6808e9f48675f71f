/usr/bin/kvm \
  -name 'web1,debug-threads=on' \
  -no-shutdown \
  -chardev 'socket,id=qmp,path=/var/run/qemu-server/100.qmp,server=on,wait=off' \
  -mon 'chardev=qmp,mode=control' \
  -chardev 'socket,id=hookvisor,fd=10,server=on,wait=off' \
  -mon 'chardev=hookvisor,mode=control' \
  -pidfile /var/run/qemu-server/100.pid \
  -smbios 'type=1,uuid=6b3f5a43-4d35-4c7e-9d55-5e5bb1cc1e1a' \
  -smp '2,sockets=1,cores=2,maxcpus=2' \
  -nodefaults \
  -boot 'menu=on,strict=on,reboot-timeout=1000' \
  -vnc 'unix:/var/run/qemu-server/100.vnc,password=on' \
  -cpu qemu64,+aes,enforce,+kvm_pv_eoi,+kvm_pv_unhalt,+pni,+popcnt,+sse4.1,+sse4.2,+ssse3 \
  -m 1024 \
  -object 'iothread,id=iothread-virtioscsi0' \
  -device 'pci-bridge,id=pci.1,chassis_nr=1,bus=pci.0,addr=0x1e' \
  -device 'pci-bridge,id=pci.2,chassis_nr=2,bus=pci.0,addr=0x1f' \
  -device 'pci-bridge,id=pci.3,chassis_nr=3,bus=pci.0,addr=0x5' \
  -device 'vmgenid,guid=2b9a3c0e-5a53-4f1c-9a1b-0c7c0f1f8f11' \
  -device 'piix3-usb-uhci,id=uhci,bus=pci.0,addr=0x1.0x2' \
  -device 'usb-tablet,id=tablet,bus=uhci.0,port=1' \
  -device 'VGA,id=vga,bus=pci.0,addr=0x2' \
  -chardev 'socket,id=serial0,path=/var/run/qemu-server/100.serial0,server=on,wait=off' \
  -device 'isa-serial,chardev=serial0' \
  -chardev 'socket,path=/var/run/qemu-server/100.qga,server=on,wait=off,id=qga0' \
  -device 'virtio-serial,id=qga0,bus=pci.0,addr=0x8' \
  -device 'virtserialport,id=qga0port,chardev=qga0,name=org.qemu.guest_agent.0' \
  -device 'virtio-balloon-pci,id=balloon0,bus=pci.0,addr=0x3,free-page-reporting=on' \
  -drive 'file=/var/lib/vz/template/iso/debian-12.iso,if=none,id=drive-ide2,media=cdrom,format=raw,aio=io_uring' \
  -device 'ide-cd,bus=ide.1,unit=0,drive=drive-ide2,id=ide2,bootindex=101' \
  -device 'virtio-scsi-pci,id=virtioscsi0,bus=pci.3,addr=0x1,iothread=iothread-virtioscsi0' \
  -drive 'file=/var/lib/vz/images/100/vm-100-disk-0.qcow2,if=none,id=drive-scsi0,discard=on,format=qcow2,cache=none,aio=io_uring,detect-zeroes=unmap' \
  -device 'scsi-hd,bus=virtioscsi0.0,channel=0,scsi-id=0,lun=0,drive=drive-scsi0,id=scsi0,rotation_rate=1,bootindex=100' \
  -netdev 'type=tap,id=net0,fd=11,vhost=on' \
  -device 'virtio-net-pci,mac=BC:24:11:2E:C5:3A,netdev=net0,bus=pci.0,addr=0x12,id=net0,rx_queue_size=1024,tx_queue_size=256,bootindex=102' \
  -machine 'type=pc'
file: /var/run/qemu-server/100.qmp
file: /var/run/qemu-server/100.pid
file: /var/run/qemu-server/100.vnc
file: /var/run/qemu-server/100.serial0
file: /var/run/qemu-server/100.qga
file: /var/run/qemu-server/100.qga.lock
tap: Tap { index: 0, ifname: "tap100i0", bridge: "vmbr0", mac: "BC:24:11:2E:C5:3A", mtu: None, queues: 1, fds: [11], tag: None, trunks: None, rate: None }
monitor: balloon {"value":536870912}
monitor: qom-set {"path":"/machine/peripheral/balloon0","property":"guest-stats-polling-interval","value":2}
