#!/bin/bash
# HV010 by timeout, HV016 in post-stop
case $2 in
 post-start) timeout 30 qm set $1 -onboot 1 ;;
 post-stop) qm guest exec $1 -- poweroff ;;
esac
exit 0
