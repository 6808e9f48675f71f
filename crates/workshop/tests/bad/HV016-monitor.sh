#!/bin/bash
# HV016 by lxc-attach and monitor; HV009 by 'qm wait'
vmid=$1
if [ "$2" = "pre-start" ]; then
   echo "info cpus" | qm monitor $vmid
   lxc-attach -n $vmid -- true
fi
if [ "$2" = post-start ]; then qm wait $vmid; fi
exit 0
