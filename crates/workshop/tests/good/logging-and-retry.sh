#!/bin/bash
set -euo pipefail
source "$(dirname "$0")/lib.sh" 2>/dev/null || true
VMID="${1:-}"
PHASE="${2:-}"
LOGFILE="/var/log/pve-hook-${VMID}.log"
exec > >(tee -a "$LOGFILE") 2>&1
die() { echo "ERROR: $*" >&2; exit 1; }
[[ -n "$VMID" && -n "$PHASE" ]] || die "usage"
command -v jq >/dev/null || die "jq missing"
retry() { local n=0 max=$1; shift; until "$@"; do n=$((n+1)); [[ $n -lt $max ]] || return 1; sleep 1; done; }
case "${PHASE}" in
  pre-start)
    retry 30 ping -c1 -W1 nas.local || die "nas not up"
    ;;
  post-start) ;;
  pre-stop) ;;
  post-stop) ;;
  *) echo "unknown phase ${PHASE}" ;;
esac
