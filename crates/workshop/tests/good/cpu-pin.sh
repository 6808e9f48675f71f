#!/bin/bash
# Pin vCPU threads of one guest, one to a core.
vmid=$1
phase=$2
cores=(2 3 4 5)

pin() {
    local pid=$1 i=0
    for task in /proc/"$pid"/task/*; do
        name=$(cat "$task/comm")
        if [[ $name =~ ^CPU\ ([0-9]+)/(KVM|TCG)$ ]]; then
            taskset -pc "${cores[$i]}" "${task##*/}"
            i=$((i + 1))
        fi
    done
}

if [[ $phase = post-start ]]; then
    pidfile=/var/run/qemu-server/$vmid.pid
    for try in 1 2 3 4 5; do
        [[ -s $pidfile ]] && break
        sleep 1
    done
    pin "$(<"$pidfile")" || echo "pinning failed for $vmid" >&2
    systemctl set-property --runtime -- system.slice AllowedCPUs=0,1
    systemctl set-property --runtime -- user.slice AllowedCPUs=0,1
fi

if [[ $phase = post-stop ]]; then
    systemctl set-property --runtime -- system.slice AllowedCPUs=0-5
    systemctl set-property --runtime -- user.slice AllowedCPUs=0-5
fi

exit 0
