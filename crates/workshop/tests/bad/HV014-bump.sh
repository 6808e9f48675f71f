#!/bin/bash
# bad: HV014 in loop fn; HV017 sysfs new_id
set -e
n=0
bump() { ((n++)); }
case "$2" in
pre-start)
  for d in a b; do bump; done
  echo "10de 1b80" > /sys/bus/pci/drivers/vfio-pci/new_id
;;
esac
