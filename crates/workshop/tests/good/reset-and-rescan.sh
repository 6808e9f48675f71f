#!/bin/bash
# vendor-reset needs device_specific, and the card wants a remove + rescan after each run
GPU=0000:0a:00.0
AUDIO=0000:0a:00.1

if [ "$2" == "pre-start" ]; then
  if [ -f /sys/bus/pci/devices/$GPU/reset_method ]; then
    echo device_specific > /sys/bus/pci/devices/$GPU/reset_method
  fi
  systemctl stop nvidia-persistenced 2>/dev/null || true
elif [ "$2" == "post-stop" ]; then
  echo 1 > /sys/bus/pci/devices/$GPU/remove
  echo 1 > /sys/bus/pci/devices/$AUDIO/remove
  sleep 1
  echo 1 > /sys/bus/pci/rescan
  systemctl start nvidia-persistenced 2>/dev/null || true
fi
exit 0
