#!/bin/bash -e
VMID=$1; PHASE=$2
i=1
while ! ip link show vmbr9 > /dev/null 2>&1 ; do
  [ $((i++)) -gt 10 ] && exit 1
  sleep 1
done
case $PHASE in
  pre-start) mkdir -p /run/x; ip link add link vmbr9 name mv$VMID type macvlan 2>/dev/null || true;;
  post-stop) ip link del mv$VMID || true;;
esac
