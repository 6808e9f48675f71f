#!/bin/bash
# the last test is false in all other phases, and so is the script
vmid=$1
[ "$2" = "post-start" ] && renice -n -10 -p "$(cat /run/qemu-server/$vmid.pid)"
