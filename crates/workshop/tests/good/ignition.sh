#!/bin/bash
# Make the ignition file anew at each start.
set -euo pipefail
shopt -s nullglob

VMID=$1
OUT=/var/lib/ignition/$VMID.ign
TMP=""

cleanup() { [[ -n "$TMP" ]] && rm -f "$TMP"; return 0; }
trap cleanup EXIT

render() {
    TMP=$(mktemp)
    {
        printf 'variant: flatcar\nversion: 1.0.0\n'
        qm cloudinit dump "$VMID" user
        for part in /etc/ignition.d/*.yaml; do
            cat "$part"
        done
    } > "$TMP"
    butane --strict "$TMP" > "$OUT.new"
    mv "$OUT.new" "$OUT"
}

while (($# > 1)); do shift; done
case ${1-} in
    pre-start) mkdir -p "$(dirname "$OUT")"; render;;
    post-stop) rm -f "$OUT";;
esac
