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
  -vnc 'unix:/var/run/qemu-server/100.vnc,password=on' \
  -cpu qemu64 \
  -m 256 \
  -device 'pci-bridge,id=pci.1,chassis_nr=1,bus=pci.0,addr=0x1e' \
  -device 'pci-bridge,id=pci.2,chassis_nr=2,bus=pci.0,addr=0x1f' \
  -device 'piix3-usb-uhci,id=uhci,bus=pci.0,addr=0x1.0x2' \
  -device 'usb-tablet,id=tablet,bus=uhci.0,port=1' \
  -device 'cirrus-vga,id=vga,bus=pci.0,addr=0x2' \
  -audiodev 'none,id=none-backend0' \
  -device 'AC97,id=audio0,bus=pci.2,addr=0xc,audiodev=none-backend0' \
  -device 'virtio-balloon-pci,id=balloon0,bus=pci.0,addr=0x3' \
  -drive 'file=/var/lib/vz/images/100/vm-100-disk-0.vmdk,if=none,id=drive-ide0,format=vmdk,cache=none,aio=threads,detect-zeroes=on' \
  -device 'ide-hd,bus=ide.0,unit=0,drive=drive-ide0,id=ide0,bootindex=100' \
  -netdev 'type=user,id=net0,hostname=vm100' \
  -device 'rtl8139,mac=BC:24:11:00:00:03,netdev=net0,bus=pci.0,addr=0x12,id=net0,bootindex=300' \
  -rtc 'base=localtime' \
  -machine 'accel=tcg,acpi=off,type=pc-i440fx-4.2'
file: /var/run/qemu-server/100.qmp
file: /var/run/qemu-server/100.pid
file: /var/run/qemu-server/100.vnc
monitor: qom-set {"path":"/machine/peripheral/balloon0","property":"guest-stats-polling-interval","value":2}
