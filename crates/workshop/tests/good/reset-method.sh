#!/usr/bin/env bash
# good: arrays, nested functions, logging, sys writes guarded
set -Eeuo pipefail
IFS=$'\n\t'
declare -r SCRIPT_NAME="${0##*/}"
declare -a PCI_IDS=()
VERBOSE=${VERBOSE:-0}
usage() { cat <<USAGE
Usage: $SCRIPT_NAME <vmid> <phase>
USAGE
}
err() { printf '%s: %s\n' "$SCRIPT_NAME" "$*" >&2; }
load_config() {
  local line
  while IFS= read -r line || [[ -n $line ]]; do
    case $line in
      hostpci*) PCI_IDS+=("$(cut -d' ' -f2 <<<"$line" | cut -d, -f1)") ;;
      \[*) break ;;
    esac
  done < "/etc/pve/qemu-server/$1.conf"
}
sysfs_write() { local f=$1 v=$2; if [[ -w $f ]]; then echo "$v" > "$f"; else err "$f not writable"; return 1; fi; }
pre_start() {
  load_config "$VMID"
  for id in "${PCI_IDS[@]}"; do
    sysfs_write "/sys/bus/pci/devices/$id/reset_method" bus || true
  done
}
post_stop() { load_config "$VMID"; ((VERBOSE)) && echo "stopped"; return 0; }
(( $# == 2 )) || { usage; exit 64; }
VMID=$1; PHASE=$2
case "$PHASE" in
  pre-start) pre_start ;;
  post-stop) post_stop ;;
  post-start|pre-stop) ;;
  *) err "unknown phase: $PHASE" ;;
esac
