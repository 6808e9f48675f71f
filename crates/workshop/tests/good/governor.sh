#!/bin/sh
# performance while the gaming VM runs, powersave otherwise
set_governor() {
	for g in /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor; do
		[ -w "$g" ] || continue
		echo "$1" > "$g"
	done
}

case "$2" in
	post-start) set_governor performance ;;
	post-stop) set_governor powersave ;;
esac
