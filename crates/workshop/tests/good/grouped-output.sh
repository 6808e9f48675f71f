#!/bin/bash
if [ $# -ne 2 ]; then echo "need two"; exit 2; fi
while getopts ":h" o; do :; done
{
  echo "== $(date) $1 $2"
  case $2 in
    post-stop)
      for dev in 0000:03:00.{0,1}; do
        echo 1 > /sys/bus/pci/devices/$dev/remove
      done
      echo 1 > /sys/bus/pci/rescan ;;
  esac
} >> /var/log/hook.log 2>&1
