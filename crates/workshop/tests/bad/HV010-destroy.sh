#!/bin/bash
# modelled on the first version of a runner's hook
VMID=$1
if [ "$2" == "post-stop" ]; then
  qm destroy $VMID --purge 1
  qm clone 9000 $VMID
fi
exit 0
