#!/bin/bash
# modelled on a pinning hook: clean-up in pre-stop
VMID=$1
case $2 in
pre-start)
    systemctl set-property --runtime -- system.slice AllowedCPUs=0-1
    ;;
post-start)
    taskset -a -p -c 2-7 "$(cat /run/qemu-server/$VMID.pid)"
    ;;
pre-stop)
    systemctl set-property --runtime -- system.slice AllowedCPUs=0-7
    ;;
esac
exit 0
