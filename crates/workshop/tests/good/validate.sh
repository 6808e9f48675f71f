#!/bin/bash
# The arguments are checked first.
if [[ $# -lt 2 ]]; then
    echo "Usage: $0 <vmid> <phase>" >&2
    exit 1
fi
if ! [[ "$1" =~ ^[0-9]+$ ]]; then
    echo "not a VMID: $1" >&2
    exit 1
fi
case "$2" in
    pre-start|post-start|pre-stop|post-stop) ;;
    *) echo "not a phase: $2" >&2; exit 0 ;;
esac
VMID=$1
PHASE=$2
HOOK_DIR=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
[[ $PHASE == post-* ]] && echo "$(date -Is) $VMID $PHASE" >> "$HOOK_DIR/history.log"
[[ $PHASE == pre-start && -e "$HOOK_DIR/$VMID.deny" ]] && { cat "$HOOK_DIR/$VMID.deny"; exit 1; }
exit 0
