/usr/bin/kvm \
  -name 'vm100,debug-threads=on' \
  -no-shutdown \
  -chardev 'socket,id=qmp,path=/var/run/qemu-server/100.qmp,server=on,wait=off' \
  -mon 'chardev=qmp,mode=control' \
  -chardev 'socket,id=hookvisor,fd=10,server=on,wait=off' \
  -mon 'chardev=hookvisor,mode=control' \
  -pidfile /var/run/qemu-server/100.pid \
  -smp '2,sockets=1,cores=2,maxcpus=2' \
  -nodefaults \
  -boot 'menu=on,strict=on,reboot-timeout=1000' \
  -vnc 'unix:/var/run/qemu-server/100.vnc,password=on' \
  -cpu 'Skylake-Client,enforce,hv_ipi,hv_relaxed,hv_reset,hv_runtime,hv_spinlocks=0x1fff,hv_stimer,hv_synic,hv_time,hv_vapic,hv_vendor_id=whatever,hv_vpindex,kvm=off,+kvm_pv_eoi,+kvm_pv_unhalt,vendor=GenuineIntel' \
  -m 2048 \
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
  -device 'VGA,id=vga,bus=pci.0,addr=0x2,edid=off' \
  -audiodev 'none,id=none-backend0' \
  -device 'ich9-intel-hda,id=audio0,bus=pci.2,addr=0xc' \
  -device 'hda-micro,id=audio0-codec0,bus=audio0.0,cad=0,audiodev=none-backend0' \
  -device 'hda-duplex,id=audio0-codec1,bus=audio0.0,cad=1,audiodev=none-backend0' \
  -chardev 'socket,path=/var/run/qemu-server/100.qga,server=on,wait=off,id=qga0' \
  -device 'isa-serial,chardev=qga0' \
  -device 'virtio-balloon-pci,id=balloon0,bus=pci.0,addr=0x3' \
  -drive 'file=/var/lib/vz/images/100/vm-100-disk-0.raw,if=none,id=drive-ide0,format=raw,cache=writeback,aio=threads,detect-zeroes=on' \
  -device 'ide-hd,bus=ide.0,unit=0,drive=drive-ide0,id=ide0,bootindex=100' \
  -netdev 'type=user,id=net0,hostname=vm100' \
  -device 'e1000,mac=BC:24:11:00:00:02,netdev=net0,bus=pci.0,addr=0x12,id=net0,bootindex=300' \
  -rtc 'driftfix=slew,base=localtime' \
  -machine 'hpet=off,type=pc-q35-5.1' \
  -global 'kvm-pit.lost_tick_policy=discard'
file: /var/run/qemu-server/100.qmp
file: /var/run/qemu-server/100.pid
file: /var/run/qemu-server/100.vnc
file: /var/run/qemu-server/100.qga
file: /var/run/qemu-server/100.qga.lock
monitor: qom-set {"path":"/machine/peripheral/balloon0","property":"guest-stats-polling-interval","value":2}
