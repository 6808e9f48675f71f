#!/bin/bash
# HV015 in function; HV008 touch
start() { echo "$GPU_ID" > /sys/bus/pci/drivers/vfio-pci/bind; touch /run/gpu.taken; }
stop() { rm /run/gpu.taken; }
[ "$2" = pre-start ] && start
[ "$2" = pre-stop ] && stop
exit 0
