#!/bin/bash
# modelled on the bridge hook's lock
LOCKDIR=/tmp/bridge-hook.lock
tries=0
while ! mkdir "$LOCKDIR" 2>/dev/null; do
  sleep 1
  tries=$((tries + 1))
  [ $tries -ge 30 ] && exit 1
done
[ "$2" = post-start ] && echo 65528 > /sys/class/net/vmbr0/bridge/group_fwd_mask
rmdir "$LOCKDIR"
exit 0
