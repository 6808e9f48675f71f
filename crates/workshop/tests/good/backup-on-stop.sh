#!/bin/bash
# A snapshot of the data set when the guest has stopped. Old ones are dropped.
VMID="$1"
DATASET="rpool/data/vm-$VMID-disk-0"
KEEP=7

snapshot() {
  local name="hook-$(date +%Y%m%d-%H%M%S)"
  zfs snapshot "$DATASET@$name" || return 1
  zfs list -H -t snapshot -o name -s creation "$DATASET" | grep '@hook-' | head -n "-$KEEP" | while read -r old; do
    zfs destroy "$old"
  done
}

[ "$2" = post-stop ] && snapshot
exit 0
