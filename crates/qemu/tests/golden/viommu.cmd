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
  -m 128 \
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
  -device 'vmware-svga,id=vga,bus=pci.0,addr=0x2' \
  -device 'virtio-balloon-pci,id=balloon0,bus=pci.0,addr=0x3,free-page-reporting=on' \
  -device virtio-iommu-pci \
  -machine 'accel=tcg,type=q35'
file: /var/run/qemu-server/100.qmp
file: /var/run/qemu-server/100.pid
file: /var/run/qemu-server/100.vnc
monitor: qom-set {"path":"/machine/peripheral/balloon0","property":"guest-stats-polling-interval","value":2}
