#!/bin/bash
# modelled on a DNS hook
VMID=$1; PHASE=$2
register() { curl -s --max-time 5 -X PATCH "http://pdns/$VMID" >/dev/null; }
unregister() { curl -s --max-time 5 -X DELETE "http://pdns/$VMID" >/dev/null; }
case "$PHASE" in
    post-start) register ;;
    post-stop) : ;;
    post-destroy) unregister ;;
esac
exit 0
