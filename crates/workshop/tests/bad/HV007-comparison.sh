#!/bin/bash
# HV007: last command's status is a comparison that is never true
set -u
if [ "$2" == "pre-start" ]; then
  modprobe vfio-pci
  [ "$2" == "post-start" ]
fi
