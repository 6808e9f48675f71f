#!/bin/bash
# start only once the NAS answers; deps come from a side file
phase="$2"
conf="/etc/hooks/$1.deps"
[[ "$phase" != "pre-start" ]] && exit 0
[[ -r "$conf" ]] || exit 0

check_port() { timeout 2 bash -c "</dev/tcp/$1/$2" 2>/dev/null; }

while IFS=: read -r host port; do
    [[ -z "$host" || "$host" == \#* ]] && continue
    deadline=$((SECONDS + 60))
    while ! check_port "$host" "${port:-22}"; do
        if [[ $SECONDS -ge $deadline ]]; then
            echo "dependency $host:$port not reachable, refusing start of $1"
            exit 1
        fi
        sleep 2
    done
done < "$conf"
exit 0
