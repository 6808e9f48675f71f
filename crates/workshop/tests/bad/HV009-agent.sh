#!/bin/bash
vmid=$1
wait_agent() {
    while true; do
        if qm agent "$vmid" ping >/dev/null 2>&1; then
            return 0
        fi
        sleep 5
    done
}
case "$2" in
    post-start) wait_agent; qm guest exec "$vmid" -- hostnamectl set-hostname "vm$vmid" ;;
esac
exit 0
