#!/bin/bash
# HV018 ln -s lock, no trap
LOCK=/var/lock/gpuhook.lock
while ! ln -s $$ $LOCK 2>/dev/null; do sleep 1; [ $((++i)) -gt 10 ] && exit 1; done
case $2 in pre-start) modprobe vfio;; esac
rm -f $LOCK
