/usr/bin/kvm \
  -name 't100,debug-threads=on' \
  -no-shutdown \
  -chardev 'socket,id=qmp,path=/var/run/qemu-server/100.qmp,server=on,wait=off' \
  -mon 'chardev=qmp,mode=control' \
  -chardev 'socket,id=hookvisor,fd=10,server=on,wait=off' \
  -mon 'chardev=hookvisor,mode=control' \
  -pidfile /var/run/qemu-server/100.pid \
  -smbios 'type=1,uuid=e29f9d22-fa41-4c24-ad2c-493788371a41' \
  -smp '1,sockets=1,cores=1,maxcpus=1' \
  -nodefaults \
  -boot 'menu=on,strict=on,reboot-timeout=1000' \
  -vga none \
  -nographic \
  -cpu qemu64 \
  -m 64 \
  -device 'pci-bridge,id=pci.1,chassis_nr=1,bus=pci.0,addr=0x1e' \
  -device 'pci-bridge,id=pci.2,chassis_nr=2,bus=pci.0,addr=0x1f' \
  -device 'vmgenid,guid=438977e2-7379-4253-ba18-1849b048d166' \
  -device 'piix3-usb-uhci,id=uhci,bus=pci.0,addr=0x1.0x2' \
  -device 'usb-tablet,id=tablet,bus=uhci.0,port=1' \
  -device 'virtio-balloon-pci,id=balloon0,bus=pci.0,addr=0x3,free-page-reporting=on' \
  -drive 'file=/var/lib/vz/images/100/vm-100-disk-0.raw,if=none,id=drive-ide0,format=raw,cache=none,aio=io_uring,detect-zeroes=on' \
  -device 'ide-hd,bus=ide.0,unit=0,drive=drive-ide0,id=ide0,bootindex=100' \
  -machine 'accel=tcg,smm=off,type=pc'
file: /var/run/qemu-server/100.qmp
file: /var/run/qemu-server/100.pid
monitor: qom-set {"path":"/machine/peripheral/balloon0","property":"guest-stats-polling-interval","value":2}
