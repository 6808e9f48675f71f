#!/bin/sh
if [ "$2" = pre-start ]; then
    if ! mountpoint -q /mnt/nas; then
        echo "no storage"
        exit 1
fi
exit 0
