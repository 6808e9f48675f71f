#!/bin/bash
vmid=$1
phase=$2
if [ "$phase" = "post-start" ]; then
  pid=$(cat /run/qemu-server/$vmid.pid)
  taskset -a -p -c 2-5 $pdi
  echo "pinned $vm_id"
fi
exit 0
