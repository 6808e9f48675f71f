/usr/bin/kvm \
  -name 'all-of-it,debug-threads=on' \
  -no-shutdown \
  -chardev 'socket,id=qmp,path=/var/run/qemu-server/100.qmp,server=on,wait=off' \
  -mon 'chardev=qmp,mode=control' \
  -chardev 'socket,id=hookvisor,fd=10,server=on,wait=off' \
  -mon 'chardev=hookvisor,mode=control' \
  -pidfile /var/run/qemu-server/100.pid \
  -smbios 'type=1,uuid=e29f9d22-fa41-4c24-ad2c-493788371a41,manufacturer=ACME,, Inc.,serial=123' \
  -smp '1,sockets=1,cores=1,maxcpus=1' \
  -nodefaults \
  -boot 'menu=on,strict=on,reboot-timeout=1000' \
  -no-reboot \
  -vnc 'unix:/var/run/qemu-server/100.vnc,password=on' \
  -k de \
  -cpu qemu64 \
  -S \
  -m 64 \
  -object 'rng-random,filename=/dev/urandom,id=rng0' \
  -watchdog-action reset \
  -object 'memory-backend-file,id=ivshmem,share=on,mem-path=/dev/shm/pve-shm-golden,size=1M' \
  -device 'pci-bridge,id=pci.1,chassis_nr=1,bus=pci.0,addr=0x1e' \
  -device 'pci-bridge,id=pci.2,chassis_nr=2,bus=pci.0,addr=0x1f' \
  -device 'vmgenid,guid=auto' \
  -device 'piix3-usb-uhci,id=uhci,bus=pci.0,addr=0x1.0x2' \
  -device 'VGA,id=vga,vgamem_mb=32,bus=pci.0,addr=0x2' \
  -device 'virtio-serial,id=spice,bus=pci.0,addr=0x9' \
  -chardev 'qemu-vdagent,id=vdagent,name=vdagent,clipboard=on' \
  -device 'virtserialport,chardev=vdagent,name=com.redhat.spice.0' \
  -chardev 'socket,id=serial0,path=/var/run/qemu-server/100.serial0,server=on,wait=off' \
  -device 'isa-serial,chardev=serial0' \
  -chardev 'socket,id=serial3,path=/var/run/qemu-server/100.serial3,server=on,wait=off' \
  -device 'isa-serial,chardev=serial3' \
  -audiodev 'none,id=none-backend0' \
  -device 'intel-hda,id=audio0,bus=pci.2,addr=0xc' \
  -device 'hda-micro,id=audio0-codec0,bus=audio0.0,cad=0,audiodev=none-backend0' \
  -device 'hda-duplex,id=audio0-codec1,bus=audio0.0,cad=1,audiodev=none-backend0' \
  -device 'virtio-rng-pci,rng=rng0,max-bytes=512,period=2000,bus=pci.1,addr=0x1d' \
  -device 'i6300esb,bus=pci.0,addr=0x4' \
  -device 'ivshmem-plain,memdev=ivshmem,bus=pci.2,addr=0xb' \
  -rtc 'driftfix=slew,base=2006-06-17T16:01:21' \
  -machine 'accel=tcg,mem-merge=off,type=pc' \
  -fw_cfg 'name=opt/org.example/greeting,string=hello world' \
  -global 'isa-debugcon.iobase=0x402'
file: /var/run/qemu-server/100.qmp
file: /var/run/qemu-server/100.pid
file: /var/run/qemu-server/100.vnc
file: /var/run/qemu-server/100.serial0
file: /var/run/qemu-server/100.serial3
limits: Limits { cpu_limit: Some(1.5), cpu_units: Some(200) }
