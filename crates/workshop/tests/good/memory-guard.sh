#!/bin/bash
[[ $2 == pre-start ]] || exit 0
conf=/etc/pve/qemu-server/$1.conf
want=$(awk '/^\[/{exit} $1=="memory:"{print $2}' "$conf")
want=${want:-512}
have=$(awk '/^MemAvailable:/{print int($2/1024)}' /proc/meminfo)
if (( have < want + 1024 )); then
	echo "only $have MiB free, $want wanted: not starting"
	exit 1
fi
