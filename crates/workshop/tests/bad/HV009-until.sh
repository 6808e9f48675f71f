#!/bin/bash
# modelled on: containers that start on an empty mount point
if [ "$2" = "pre-start" ]; then
    until mountpoint -q /mnt/pve/cephfs; do
        echo "waiting for cephfs"
        sleep 2
    done
fi
exit 0
