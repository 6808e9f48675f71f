#!/bin/bash
# HV017 via || exit
[ "$2" == pre-start ] || exit 0
mkdir /run/vfs-$1 || exit 1
mkfifo /run/vfs-$1/ctl || { echo "no fifo"; exit 1; }
