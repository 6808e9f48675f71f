#!/usr/bin/env bash
# modelled on the CoreOS hooks
set -e
vmid="$1"
phase="$2"
setup() {
    local vmid=$1
    pvesh set /nodes/$(hostname)/qemu/${vmid}/config --args "-fw_cfg name=opt/com.coreos/config,file=/var/lib/$vmid.ign"
}
if [[ "$phase" == "pre-start" ]]; then
    setup "${vmid}"
fi
exit 0
