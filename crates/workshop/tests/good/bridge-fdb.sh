#!/bin/bash
# SR-IOV: tell the PF's bridge about the guest's MAC addresses.
vmid=$1
phase=$2
pf=enp65s0f0np0
exec 9>/run/lock/fdb-hook.lock
flock -w 60 9 || { echo "could not get the lock" >&2; exit 0; }

macs() {
    sed -n '/^\[/q; s/^net[0-9]*:.*=\(\([0-9A-F]\{2\}:\)\{5\}[0-9A-F]\{2\}\).*/\1/p' "/etc/pve/qemu-server/$vmid.conf"
}

case "$phase" in
    (post-start)
        for mac in $(macs); do
            bridge fdb show dev "$pf" | grep -qi "$mac" || bridge fdb add "$mac" dev "$pf"
        done
        ;;
    (post-stop)
        for mac in $(macs); do
            bridge fdb del "$mac" dev "$pf" 2>/dev/null
        done
        ;;
esac
exit 0
