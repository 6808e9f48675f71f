#!/bin/bash
# Marks when a guest was up, below a folder that the host may set.
[ -r /etc/default/marks ] && read -r place </etc/default/marks
since=${place:-}/run/ran.$1
case $2 in
pre-start) rm -f "$since" ;;
post-start) date +%s >"$since" ;;
post-stop)
    if [ -e "$since" ]; then
        began=$(<"$since")
        echo "guest $1 was up for $(($(date +%s) - began)) s"
        rm -f "$since"
    fi
    ;;
esac
exit 0
