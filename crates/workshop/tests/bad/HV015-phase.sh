#!/bin/bash
# modelled on: set in one phase, read in another
case "$2" in
  pre-start)
    OLD_GOVERNOR=$(cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor)
    echo performance > /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor
    ;;
  post-stop)
    echo $OLD_GOVERNOR > /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor
    ;;
esac
exit 0
