/usr/bin/kvm \
  -name 'vm100,debug-threads=on' \
  -no-shutdown \
  -chardev 'socket,id=qmp,path=/var/run/qemu-server/100.qmp,server=on,wait=off' \
  -mon 'chardev=qmp,mode=control' \
  -chardev 'socket,id=hookvisor,fd=10,server=on,wait=off' \
  -mon 'chardev=hookvisor,mode=control' \
  -pidfile /var/run/qemu-server/100.pid \
  -drive 'if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE.fd' \
  -drive 'if=pflash,unit=1,id=drive-efidisk0,format=raw,file=/run/qemu-server/100.efivars,size=131072' \
  -smp '1,sockets=1,cores=1,maxcpus=1' \
  -nodefaults \
  -boot 'menu=on,strict=on,reboot-timeout=1000' \
  -vga none \
  -nographic \
  -cpu qemu64 \
  -m 256 \
  -device 'pci-bridge,id=pci.1,chassis_nr=1,bus=pci.0,addr=0x1e' \
  -device 'pci-bridge,id=pci.2,chassis_nr=2,bus=pci.0,addr=0x1f' \
  -device 'piix3-usb-uhci,id=uhci,bus=pci.0,addr=0x1.0x2' \
  -device 'usb-tablet,id=tablet,bus=uhci.0,port=1' \
  -device 'virtio-balloon-pci,id=balloon0,bus=pci.0,addr=0x3,free-page-reporting=on' \
  -machine 'accel=tcg,type=pc'
file: /var/run/qemu-server/100.qmp
file: /var/run/qemu-server/100.pid
file: /run/qemu-server/100.efivars
copy: /usr/share/OVMF/OVMF_VARS.fd -> /run/qemu-server/100.efivars
monitor: qom-set {"path":"/machine/peripheral/balloon0","property":"guest-stats-polling-interval","value":2}
warning: no efidisk configured! Using temporary efivars disk.
