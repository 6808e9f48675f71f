/usr/bin/kvm \
  -name 'cards,debug-threads=on' \
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
  -netdev 'type=tap,id=net0,fds=11:12:13:14,vhost=on' \
  -device 'virtio-net-pci,mac=BC:24:11:00:00:00,netdev=net0,bus=pci.0,addr=0x12,id=net0,mq=on,vectors=10,rx_queue_size=1024,tx_queue_size=256,bootindex=100,host_mtu=1400' \
  -netdev 'type=tap,id=net1,fd=15,vhost=on' \
  -device 'virtio-net-pci,mac=BC:24:11:00:00:01,netdev=net1,bus=pci.0,addr=0x13,id=net1,rx_queue_size=1024,tx_queue_size=256,bootindex=101,host_mtu=9000' \
  -netdev 'type=user,id=net2,hostname=cards' \
  -device 'virtio-net-pci,mac=BC:24:11:00:00:02,netdev=net2,bus=pci.0,addr=0x14,id=net2,rx_queue_size=1024,tx_queue_size=256,bootindex=102' \
  -netdev 'type=user,id=net3,hostname=cards' \
  -device 'e1000,mac=BC:24:11:00:00:03,netdev=net3,bus=pci.0,addr=0x15,id=net3,bootindex=103' \
  -netdev 'type=user,id=net4,hostname=cards' \
  -device 'e1000-82540em,mac=BC:24:11:00:00:04,netdev=net4,bus=pci.0,addr=0x16,id=net4,bootindex=104' \
  -netdev 'type=user,id=net5,hostname=cards' \
  -device 'e1000-82544gc,mac=BC:24:11:00:00:05,netdev=net5,bus=pci.0,addr=0x17,id=net5,bootindex=105' \
  -netdev 'type=user,id=net6,hostname=cards' \
  -device 'e1000-82545em,mac=BC:24:11:00:00:06,netdev=net6,bus=pci.1,addr=0x1,id=net6,bootindex=106' \
  -netdev 'type=user,id=net7,hostname=cards' \
  -device 'e1000e,mac=BC:24:11:00:00:07,netdev=net7,bus=pci.1,addr=0x2,id=net7,bootindex=107' \
  -netdev 'type=user,id=net8,hostname=cards' \
  -device 'i82551,mac=BC:24:11:00:00:08,netdev=net8,bus=pci.1,addr=0x3,id=net8,bootindex=108' \
  -netdev 'type=user,id=net9,hostname=cards' \
  -device 'i82557b,mac=BC:24:11:00:00:09,netdev=net9,bus=pci.1,addr=0x4,id=net9,bootindex=109' \
  -netdev 'type=user,id=net10,hostname=cards' \
  -device 'i82559er,mac=BC:24:11:00:00:0A,netdev=net10,bus=pci.1,addr=0x5,id=net10,bootindex=110' \
  -netdev 'type=user,id=net11,hostname=cards' \
  -device 'ne2k_isa,mac=BC:24:11:00:00:0B,netdev=net11,id=net11,bootindex=111' \
  -netdev 'type=user,id=net12,hostname=cards' \
  -device 'ne2k_pci,mac=BC:24:11:00:00:0C,netdev=net12,bus=pci.1,addr=0x7,id=net12,bootindex=112' \
  -netdev 'type=user,id=net13,hostname=cards' \
  -device 'pcnet,mac=BC:24:11:00:00:0D,netdev=net13,bus=pci.1,addr=0x8,id=net13,bootindex=113' \
  -netdev 'type=user,id=net14,hostname=cards' \
  -device 'rtl8139,mac=BC:24:11:00:00:0E,netdev=net14,bus=pci.1,addr=0x9,id=net14,bootindex=114' \
  -netdev 'type=user,id=net15,hostname=cards' \
  -device 'vmxnet3,mac=BC:24:11:00:00:0F,netdev=net15,bus=pci.1,addr=0xa,id=net15,bootindex=115' \
  -netdev 'type=user,id=net31,hostname=cards' \
  -device 'virtio-net-pci,mac=BC:24:11:E8:09:32,netdev=net31,bus=pci.1,addr=0x1a,id=net31,rx_queue_size=1024,tx_queue_size=256,bootindex=116' \
  -machine 'accel=tcg,smm=off,type=pc'
file: /var/run/qemu-server/100.qmp
file: /var/run/qemu-server/100.pid
tap: Tap { index: 0, ifname: "tap100i0", bridge: "vmbr0", mac: "BC:24:11:00:00:00", mtu: Some(1400), queues: 4, fds: [11, 12, 13, 14], tag: None, trunks: None, rate: None }
tap: Tap { index: 1, ifname: "tap100i1", bridge: "vmbr1", mac: "BC:24:11:00:00:01", mtu: Some(9000), queues: 1, fds: [15], tag: None, trunks: None, rate: None }
monitor: qom-set {"path":"/machine/peripheral/balloon0","property":"guest-stats-polling-interval","value":2}
monitor: set_link {"name":"net1","up":false}
