#!/bin/sh
# HV005 CamelCase / typo
if [ "$2" = "pre-strat" ]; then modprobe vfio-pci; fi
if [ "$2" = "post-stopp" ]; then modprobe -r vfio-pci; fi
exit 0
