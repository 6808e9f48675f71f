/usr/bin/kvm \
  -name 'vm100,debug-threads=on' \
  -no-shutdown \
  -chardev 'socket,id=qmp,path=/var/run/qemu-server/100.qmp,server=on,wait=off' \
  -mon 'chardev=qmp,mode=control' \
  -chardev 'socket,id=hookvisor,fd=10,server=on,wait=off' \
  -mon 'chardev=hookvisor,mode=control' \
  -pidfile /var/run/qemu-server/100.pid \
  -smp '1,sockets=1,cores=1,maxcpus=1' \
  -nodefaults \
  -boot 'menu=on,strict=on,reboot-timeout=1000' \
  -vga none \
  -nographic \
  -cpu qemu64 \
  -m 64 \
  -device 'pci-bridge,id=pci.1,chassis_nr=1,bus=pci.0,addr=0x1e' \
  -device 'pci-bridge,id=pci.2,chassis_nr=2,bus=pci.0,addr=0x1f' \
  -device 'piix3-usb-uhci,id=uhci,bus=pci.0,addr=0x1.0x2' \
  -device 'usb-tablet,id=tablet,bus=uhci.0,port=1' \
  -device 'virtio-balloon-pci,id=balloon0,bus=pci.0,addr=0x3,free-page-reporting=on' \
  -netdev 'type=tap,id=net0,fd=11,vhost=on' \
  -device 'virtio-net-pci,mac=BC:24:11:00:00:00,netdev=net0,bus=pci.0,addr=0x12,id=net0,rx_queue_size=1024,tx_queue_size=256,bootindex=300' \
  -machine 'accel=tcg,smm=off,type=pc'
file: /var/run/qemu-server/100.qmp
file: /var/run/qemu-server/100.pid
tap: Tap { index: 0, ifname: "tap100i0", bridge: "vmbr0", mac: "BC:24:11:00:00:00", mtu: None, queues: 1, fds: [11], tag: Some(5), trunks: Some("10;20-30"), rate: Some(12.5) }
monitor: qom-set {"path":"/machine/peripheral/balloon0","property":"guest-stats-polling-interval","value":2}
