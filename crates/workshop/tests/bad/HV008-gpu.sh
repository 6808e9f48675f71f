#!/bin/bash
gpu=0000:01:00.0
if [[ $2 == pre-start ]]; then
  systemctl stop gdm
  [ -e /sys/bus/pci/drivers/nvidia/$gpu ] && echo $gpu > /sys/bus/pci/drivers/nvidia/unbind
  echo $gpu > /sys/bus/pci/drivers/vfio-pci/bind
elif [[ $2 == pre-stop ]]; then
  echo $gpu > /sys/bus/pci/drivers/vfio-pci/unbind
  echo $gpu > /sys/bus/pci/drivers/nvidia/bind
  systemctl start gdm
fi
exit 0
