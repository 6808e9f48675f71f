#!/bin/bash
# Binds the GPU to vfio-pci, and gives it back.
vmid=$1
phase=$2
gpu=0000:01:00.0

case "$phase" in
pre-start)
    echo vfio-pci >/sys/bus/pci/devices/$gpu/driver_override
    echo "$gpu" >/sys/bus/pci/drivers_probe
    ;;
post-stop)
    echo "guest $vmid gives it back"
    echo >/sys/bus/pci/devices/$gpu/driver_override
    ;;
