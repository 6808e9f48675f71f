#!/bin/bash
# Pins the vCPUs of a guest once it runs, and sets the governor before.
vmid=$1

pre_start() {
    echo performance >/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor
}

post_stop() {
    echo powersave >/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor
}

case "$2" in
pre-start) pre_strat ;;
post-stop) post_stop ;;
esac
exit 0
