#!/bin/bash
# Runs everything in hooks.d, each with a limit.
dir="/etc/pve-hooks.d"
rc=0
for hook in "$dir"/*; do
    [ -x "$hook" ] || continue
    timeout --kill-after=5 60 "$hook" "$@"
    status=$?
    if [ $status -ne 0 ]; then
        echo "$hook: exit code $status" >&2
        [ "$2" = "pre-start" ] && rc=$status
    fi
done
exit $rc
