#!/bin/bash
# modelled on the GPU hooks: the second start finds the device on vfio-pci already
set -euo pipefail
gpu="0000:01:00.0"
case "$2" in
  pre-start)
    echo "$gpu" > /sys/bus/pci/drivers/nvidia/unbind
    echo vfio-pci > "/sys/bus/pci/devices/$gpu/driver_override"
    echo "$gpu" > /sys/bus/pci/drivers_probe
    ;;
  post-stop)
    echo 1 > "/sys/bus/pci/devices/$gpu/remove"
    echo 1 > /sys/bus/pci/rescan
    ;;
  *) ;;
esac
