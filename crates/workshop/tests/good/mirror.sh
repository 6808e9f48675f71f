#!/bin/bash
# Mirror the bridge's traffic to the IDS guest's second tap.
set -Eeuo pipefail
trap 'echo "error in line $LINENO" >&2' ERR

main() {
  local vmid=${1:-} phase=${2:-}
  local tap="tap${vmid}i1"

  if [[ -z $vmid || -z $phase ]]; then
    echo "usage: ${0##*/} VMID PHASE" >&2
    exit 64
  fi

  case $phase in
    post-start)
      local tries=0
      until ip link show "$tap" &>/dev/null; do
        ((++tries < 20)) || { echo "no $tap" >&2; return 1; }
        sleep 0.5
      done
      tc qdisc replace dev vmbr1 ingress || true
      tc filter add dev vmbr1 parent ffff: protocol all u32 match u32 0 0 action mirred egress mirror dev "$tap"
      ;;
    post-stop)
      tc qdisc del dev vmbr1 ingress 2>/dev/null || true
      ;;
    pre-start | pre-stop) ;;
    *) echo "phase '$phase' is not handled" ;;
  esac
}

main "$@"
