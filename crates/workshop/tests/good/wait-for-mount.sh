#!/bin/bash
set -eu

VMID=$1; PHASE=$2
MOUNT=/mnt/pve/media
MARKER=$MOUNT/.mounted
TIMEOUT=120

wait_for_mount() {
    local waited=0
    until mountpoint -q "$MOUNT" && timeout 15 stat "$MARKER" >/dev/null 2>&1; do
        if (( waited >= TIMEOUT )); then
            echo "$MOUNT is not there after $TIMEOUT s, not starting $VMID" >&2
            return 1
        fi
        sleep 5
        (( waited += 5 ))
    done
}

[ "$PHASE" = "pre-start" ] || exit 0
wait_for_mount
