#!/bin/bash
# modelled on a hook that writes args and starts the guest again
VMID=$1
if [ "$2" = "pre-start" ]; then
    perl -e 'use PVE::QemuConfig; print "args written\n"'
    echo "start it again, please"
    exit -1
fi
exit 0
